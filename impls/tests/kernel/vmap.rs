//! The vmap layer on native hardware, one CPU at a time: what callers may rely on.

use impls::protocol::{HugeOverTable, KernelTables, UnmapFlush};
use impls::{Designs, Native, Sizes, Task};
use oracle::vocabulary::{
    AreaSlot, Call, Count, Mapping, Operation, Outcome, OwnPage, PageList, PageSlot, Place, RamSlot, Token,
};

use crate::bench::Bench;

fn on_native(sizes: Sizes, cpus: u8) -> Bench<Native> {
    Bench::with(sizes, cpus, Designs::default())
}

fn pages(slots: impl IntoIterator<Item = u8>) -> PageList {
    PageList::new(slots.into_iter().map(PageSlot::new))
}

fn at(slot: u8, page: u8) -> Place {
    Place { mapping: Mapping::Area(AreaSlot::new(slot)), page }
}

#[test]
fn what_one_alias_writes_the_other_reads() {
    let mut bench = on_native(Sizes::Tiny, 2);
    let (a, b) = (AreaSlot::new(0), AreaSlot::new(1));
    assert!(matches!(bench.call(0, Operation::Vmap { pages: pages([0, 1]), area: a }), Outcome::Mapped(_)));
    assert!(matches!(bench.call(1, Operation::Vmap { pages: pages([1, 2]), area: b }), Outcome::Mapped(_)));
    assert_eq!(bench.call(0, Operation::Write { place: at(0, 1), token: Token(7) }), Outcome::Done);
    assert_eq!(bench.call(1, Operation::Read { place: at(1, 0) }), Outcome::Value(Token(7)));
    assert_eq!(bench.call(1, Operation::Read { place: at(1, 1) }), Outcome::Value(Token::ZERO));
    bench.tear_down();
}

#[test]
fn space_that_is_unmapped_lazily_is_purged_when_none_is_left() {
    let mut bench = on_native(Sizes::Tiny, 2);
    for _ in 0..40 {
        let area = AreaSlot::new(0);
        let mapped = bench.call(0, Operation::Vmap { pages: pages([0, 1, 2]), area });
        assert!(matches!(mapped, Outcome::Mapped(_)), "{mapped:?}");
        assert_eq!(bench.call(0, Operation::Vunmap { area }), Outcome::Done);
    }
    bench.tear_down();
}

/// Maps two pages, looks at them on every CPU, and unmaps them. Returns where they lay, and on how many CPUs they are
/// still cached.
fn map_touch_unmap(bench: &mut Bench<Native>, ram: bool) -> (u64, usize) {
    let (area, ram) = (AreaSlot::new(0), ram.then_some(RamSlot::new(0)));
    let mapping = ram.map_or(Mapping::Area(area), Mapping::Ram);
    let pages = pages([0, 1]);
    let (map, unmap) = match ram {
        Some(ram) => (Operation::MapRam { pages, ram }, Operation::UnmapRam { ram }),
        None => (Operation::Vmap { pages, area }, Operation::Vunmap { area }),
    };
    let Outcome::Mapped(range) = bench.call(0, map) else { panic!("there is room") };
    let cpus = 0..bench.0.bus().cpus();
    for cpu in cpus.clone() {
        bench.call(cpu, Operation::Read { place: Place { mapping, page: 0 } });
    }
    assert_eq!(bench.call(0, unmap), Outcome::Done);
    let cached = |cpu: &u8| bench.0.bus().core(*cpu).tlb().leaf(range.start, 0).is_some();
    (range.start, cpus.filter(cached).count())
}

#[test]
fn eager_unmapping_leaves_nothing_cached_and_gives_the_range_back_on_up_to_eight_cpus() {
    for (cpus, ram) in [(1, false), (2, true), (4, false), (8, true), (8, false)] {
        let eager = Designs { unmap_flush: UnmapFlush::Eager, ..Designs::default() };
        let mut bench = Bench::with(Sizes::Real, cpus, eager);
        let (first, cached) = map_touch_unmap(&mut bench, ram);
        assert_eq!(cached, 0);
        assert_eq!(map_touch_unmap(&mut bench, ram), (first, 0), "the range is there again");
        bench.tear_down();

        let mut lazy = on_native(Sizes::Real, cpus);
        let (first, cached) = map_touch_unmap(&mut lazy, ram);
        assert_eq!(cached, usize::from(cpus), "nothing is flushed");
        assert_ne!(map_touch_unmap(&mut lazy, ram).0, first, "and the range is not to be had");
        lazy.tear_down();
    }
}

#[test]
fn space_that_is_in_use_is_not_to_be_had() {
    let mut bench = on_native(Sizes::Tiny, 1);
    let outcomes: Vec<_> = (0..8)
        .map(|slot| bench.call(0, Operation::Vmap { pages: pages([0, 1, 2]), area: AreaSlot::new(slot) }))
        .collect();
    assert!(outcomes.iter().take(6).all(|outcome| matches!(outcome, Outcome::Mapped(_))), "{outcomes:?}");
    assert_eq!(outcomes[6..], [Outcome::NoMemory, Outcome::NoMemory]);
    bench.tear_down();
}

#[test]
fn small_mappings_share_a_block_and_leave_nothing() {
    let mut bench = on_native(Sizes::Tiny, 2);
    for round in 0..10 {
        for slot in 0..4 {
            let operation = Operation::MapRam { pages: pages([slot % 3]), ram: RamSlot::new(slot) };
            assert!(matches!(bench.call(round % 2, operation), Outcome::Mapped(_)));
        }
        for slot in 0..4 {
            assert_eq!(bench.call(0, Operation::UnmapRam { ram: RamSlot::new(slot) }), Outcome::Done);
        }
    }
    assert_eq!(bench.call(1, Operation::DrainAliases {}), Outcome::Done);
    bench.tear_down();
}

#[test]
fn a_drain_with_interrupts_off_answers_that_it_would_sleep() {
    let mut bench = on_native(Sizes::Tiny, 2);
    let drain = Task::Call(Call { operation: Operation::DrainAliases {}, irqs_off: true });
    assert_eq!(bench.task(0, drain), Outcome::WouldSleep);
}

#[test]
fn a_handle_that_was_never_obtained_is_void() {
    let mut bench = on_native(Sizes::Tiny, 1);
    assert_eq!(bench.call(0, Operation::Vunmap { area: AreaSlot::new(3) }), Outcome::Void);
    assert_eq!(bench.call(0, Operation::Read { place: at(3, 0) }), Outcome::Void);
    assert_eq!(bench.call(0, Operation::FreePage { page: PageSlot::new(9) }), Outcome::Void);
}

#[test]
fn a_table_is_made_and_unmade() {
    let mut bench = on_native(Sizes::Small, 2);
    let page = PageSlot::new(1);
    assert_eq!(bench.call(0, Operation::MakeTable { page }), Outcome::Done);
    assert_eq!(bench.call(1, Operation::UnmakeTable { page }), Outcome::Done);
    assert_eq!(bench.call(1, Operation::FreePage { page }), Outcome::Done);
    bench.tear_down();
}

fn huge(slot: u8) -> Operation {
    Operation::VmallocHuge { count: Count(3), area: AreaSlot::new(slot) }
}

fn vfree(slot: u8) -> Operation {
    Operation::Vfree { area: AreaSlot::new(slot) }
}

/// Makes an area of a large page if it can be had, and returns by an entry of which level it is mapped.
fn map_huge(bench: &mut Bench<Native>, slot: u8) -> u8 {
    let Outcome::Mapped(range) = bench.call(0, huge(slot)) else { panic!("there is memory") };
    assert_eq!(range.pages, 3);
    let bus = bench.0.bus();
    bus.mapped(bus.core(0).cr3().root, range.start).expect("it is mapped").level
}

#[test]
fn a_large_page_is_mapped_by_one_entry_in_both_of_its_aliases_and_comes_back() {
    for sizes in Sizes::ALL {
        let mut bench = on_native(sizes, 2);
        for round in 1..4 {
            assert_eq!(map_huge(&mut bench, 0), 2, "{sizes:?}, round {round}");
            let token = Token(round);
            assert_eq!(bench.call(1, Operation::Read { place: at(0, 2) }), Outcome::Value(Token::ZERO));
            assert_eq!(bench.call(1, Operation::Write { place: at(0, 2), token }), Outcome::Done);
            let direct = Operation::ReadDirect { page: OwnPage { area: AreaSlot::new(0), page: 2 } };
            assert_eq!(bench.call(0, direct), Outcome::Value(token));
            assert_eq!(bench.call(0, Operation::Read { place: at(0, 1) }), Outcome::Value(Token::ZERO));
            assert_eq!(bench.0.bus().core(1).tlb().leaves().len(), 1, "one translation for all of it");
            assert_eq!(bench.call(0, vfree(0)), Outcome::Done);
            assert_eq!(bench.call(0, Operation::DrainAliases {}), Outcome::Done);
            assert_eq!(bench.0.bus().core(1).tlb().leaves().len(), 0);
        }
        bench.tear_down();
    }
}

#[test]
fn permissions_of_a_large_page_change_as_a_whole() {
    let mut bench = on_native(Sizes::Tiny, 2);
    assert_eq!(map_huge(&mut bench, 0), 2);
    let area = AreaSlot::new(0);
    let write = Operation::Write { place: at(0, 2), token: Token(1) };
    assert_eq!(bench.call(1, write), Outcome::Done);
    assert_eq!(bench.call(0, Operation::SetMemoryRox { area }), Outcome::Done);
    let direct = Operation::WriteDirect { page: OwnPage { area, page: 2 }, token: Token(2) };
    assert_eq!((bench.call(1, write), bench.call(1, direct)), (Outcome::Fault, Outcome::Fault));
    assert_eq!(bench.call(1, Operation::Exec { place: at(0, 1) }), Outcome::Done);
    assert_eq!(bench.call(0, vfree(0)), Outcome::Done);
    bench.tear_down();
}

#[test]
fn small_pages_do_where_the_addresses_of_a_large_one_are_in_use_and_a_purge_makes_room() {
    let mut bench = on_native(Sizes::Tiny, 1);
    let area = AreaSlot::new(1);
    assert!(matches!(bench.call(0, Operation::Vmap { pages: pages([0]), area }), Outcome::Mapped(_)));
    assert_eq!(map_huge(&mut bench, 0), 1, "the area is in the way");
    assert_eq!(bench.call(0, vfree(0)), Outcome::Done);
    assert_eq!(bench.call(0, Operation::Vunmap { area }), Outcome::Done);
    assert_eq!(map_huge(&mut bench, 0), 2);
    bench.tear_down();
}

#[test]
fn a_table_that_stayed_gives_way_to_a_large_page_unless_the_design_leaves_it() {
    for (huge_over_table, level) in [(HugeOverTable::Replace, 2), (HugeOverTable::SmallPages, 1)] {
        let designs = Designs { kernel_tables: KernelTables::Kept, huge_over_table, ..Designs::default() };
        let mut bench = Bench::with(Sizes::Tiny, 2, designs);
        let area = AreaSlot::new(1);
        for _ in 0..3 {
            assert!(matches!(bench.call(0, Operation::Vmap { pages: pages([0]), area }), Outcome::Mapped(_)));
            assert_eq!(bench.call(1, Operation::Vunmap { area }), Outcome::Done);
            assert_eq!(map_huge(&mut bench, 0), level);
            assert_eq!(bench.call(1, vfree(0)), Outcome::Done);
        }
        bench.tear_down();
    }
}

/// The memory types by which the tables lead to the third page of an area, and to that page in the direct map.
fn memory_types(bench: &Bench<Native>, first: u64) -> [u8; 2] {
    let bus = bench.0.bus();
    let root = bus.core(0).cr3().root;
    let of = |va: u64| {
        let found = bus.mapped(root, va).expect("it is mapped");
        (found.frame_of(va), machine::tlb::memory_type(found.entry, found.level))
    };
    let (frame, of_area) = of(first + 2 * 4096);
    let direct = (0..1024).map(|page| 0xffff_8880_0000_0000 + page * 4096);
    let direct = direct.filter(|va| bus.mapped(root, *va).is_some()).find(|va| of(*va).0 == frame);
    [of_area, of(direct.expect("it is in the direct map")).1]
}

#[test]
fn a_memory_type_is_that_of_both_aliases_and_stays_while_permissions_change() {
    let (count, area) = (Count(3), AreaSlot::new(0));
    for vmalloc in [Operation::Vmalloc { count, area }, Operation::VmallocHuge { count, area }] {
        let mut bench = on_native(Sizes::Tiny, 2);
        let made = bench.call(0, vmalloc);
        let Outcome::Mapped(range) = made else { panic!("there is memory") };
        assert_eq!(memory_types(&bench, range.start), [0, 0]);
        assert_eq!(bench.call(1, Operation::SetMemoryWc { area }), Outcome::Done);
        assert_eq!(memory_types(&bench, range.start), [1, 1]);
        assert_eq!(bench.call(1, Operation::SetMemoryRo { area }), Outcome::Done);
        assert_eq!(memory_types(&bench, range.start), [1, 1], "the type stays");
        assert_eq!(bench.call(0, Operation::SetMemoryWb { area }), Outcome::Done);
        assert_eq!(memory_types(&bench, range.start), [0, 0]);
        let write = Operation::Write { place: at(0, 2), token: Token(1) };
        assert_eq!(bench.call(0, write), Outcome::Fault, "and so do the permissions");
        bench.call(0, Operation::SetMemoryWc { area });
        assert_eq!(bench.call(0, vfree(0)), Outcome::Done);
        bench.tear_down();
    }
}
