//! Tables that nobody uses any more: which go with the purge of their last area, which stay in reserve, and what it saves
//! that they do.

use impls::protocol::KernelTables;
use impls::{Designs, Native, PvMmu, Sizes, Xen};
use machine::{Counted, Frame, Prices, Role};
use oracle::vocabulary::{
    AreaSlot, Count, Mapping, MmSlot, Operation, Outcome, PageList, PageSlot, Place, RamSlot, Range, Root,
    Token,
};

use crate::bench::Bench;

const AREA: AreaSlot = AreaSlot::new(0);
const RAM: RamSlot = RamSlot::new(0);

fn built<P: PvMmu>(sizes: Sizes, cpus: u8, kernel_tables: KernelTables) -> Bench<P> {
    Bench::with(sizes, cpus, Designs { kernel_tables, ..Designs::default() })
}

/// Maps so many pages as an area, and returns where.
fn map<P: PvMmu>(bench: &mut Bench<P>, count: u8) -> Range {
    let pages = PageList::new((0..count).map(|page| PageSlot::new(page % 4)));
    let Outcome::Mapped(range) = bench.call(0, Operation::Vmap { pages, area: AREA }) else {
        panic!("there is room")
    };
    range
}

fn unmap<P: PvMmu>(bench: &mut Bench<P>) {
    assert_eq!(bench.call(0, Operation::Vunmap { area: AREA }), Outcome::Done);
}

fn drain<P: PvMmu>(bench: &mut Bench<P>) {
    assert_eq!(bench.call(0, Operation::DrainAliases {}), Outcome::Done);
}

/// Takes a slot of a block, which stays in use, and gives it back: it is outstanding.
fn dirty_a_block<P: PvMmu>(bench: &mut Bench<P>) {
    let pages = PageList::new([PageSlot::new(1)]);
    assert!(matches!(bench.call(0, Operation::MapRam { pages, ram: RAM }), Outcome::Mapped(_)));
    assert_eq!(bench.call(0, Operation::UnmapRam { ram: RAM }), Outcome::Done);
}

fn lowest_tables<P: PvMmu>(bench: &Bench<P>) -> usize {
    let memory = &bench.bus().memory;
    (0..memory.frames()).filter(|frame| memory.role(Frame(*frame)) == Role::Table(1)).count()
}

/// Whether a table that was purged is there still, and what the next area there costs while a block is outstanding: pages
/// that become tables, and interrupts.
fn mapped_again<P: PvMmu>(kernel_tables: KernelTables) -> (bool, u64, u64) {
    let mut bench = built::<P>(Sizes::Real, 2, kernel_tables);
    dirty_a_block(&mut bench);
    let of_the_block = lowest_tables(&bench);
    let first = map(&mut bench, 1);
    assert_eq!(lowest_tables(&bench), of_the_block + 1, "it has a table of its own");
    unmap(&mut bench);
    drain(&mut bench);
    let stayed = lowest_tables(&bench) == of_the_block + 1;
    dirty_a_block(&mut bench);
    bench.bus().start_metering(Prices::new(0, |_| 0));
    assert_eq!(map(&mut bench, 1), first);
    let counts = bench.bus().meter().expect("it is metered").total();
    unmap(&mut bench);
    bench.tear_down();
    (stayed, counts.of(Counted::Cleared), counts.ipis())
}

#[test]
fn a_table_of_the_reserve_stays_after_a_purge_and_is_used_again_without_a_drain() {
    for kept in [KernelTables::Freed, KernelTables::Kept] {
        assert_eq!(mapped_again::<Xen>(kept), (true, 0, 0), "{kept:?}");
        assert_eq!(mapped_again::<Native>(kept), (true, 0, 0), "{kept:?}");
    }
}

#[test]
fn without_a_reserve_it_is_freed_and_the_next_is_drained_for_under_xen() {
    assert_eq!(mapped_again::<Xen>(KernelTables::FreedAtOnce), (false, 1, 1));
    assert_eq!(mapped_again::<Native>(KernelTables::FreedAtOnce), (false, 1, 0));
}

#[test]
fn a_table_beyond_the_reserve_is_freed() {
    let reserve = Sizes::Real.table_reserve(1);
    for (kernel_tables, stay) in [
        (KernelTables::Freed, reserve / 512),
        (KernelTables::Kept, reserve / 512 + 1),
        (KernelTables::FreedAtOnce, 0),
    ] {
        let mut bench = built::<Native>(Sizes::Real, 1, kernel_tables);
        let before = lowest_tables(&bench);
        let end = (Sizes::Real.vmalloc_first() + reserve).address();
        // What is unmapped is outstanding, so that each area lies above the last.
        while map(&mut bench, 8).start < end {
            unmap(&mut bench);
        }
        assert_eq!((lowest_tables(&bench) - before) as u64, reserve / 512 + 1);
        unmap(&mut bench);
        drain(&mut bench);
        assert_eq!((lowest_tables(&bench) - before) as u64, stay, "{kernel_tables:?}");
        bench.tear_down();
    }
}

#[test]
fn small_kernels_have_no_reserve() {
    for sizes in [Sizes::Tiny, Sizes::Small] {
        for kernel_tables in [KernelTables::Freed, KernelTables::FreedAtOnce] {
            let mut bench = built::<Xen>(sizes, 2, kernel_tables);
            let before = lowest_tables(&bench);
            map(&mut bench, 1);
            assert_eq!(lowest_tables(&bench), before + 1);
            unmap(&mut bench);
            drain(&mut bench);
            assert_eq!(lowest_tables(&bench), before, "{sizes:?}, {kernel_tables:?}");
            bench.tear_down();
        }
    }
}

#[test]
fn the_reserve_holds_what_may_be_outstanding_and_two_blocks_for_each_cpu() {
    for (cpus, lazy) in [(1, 8192), (2, 2 * 8192), (3, 2 * 8192), (4, 3 * 8192), (8, 4 * 8192)] {
        assert_eq!(Sizes::Real.lazy_max_pages(cpus), lazy);
        assert_eq!(Sizes::Real.table_reserve(cpus), lazy + 2 * 1024 * u64::from(cpus));
        assert_eq!(Sizes::Small.table_reserve(cpus), 0);
    }
}

#[test]
fn a_table_of_the_reserve_gives_way_to_a_large_page_and_comes_again() {
    let mut bench = built::<Native>(Sizes::Real, 2, KernelTables::Freed);
    let before = lowest_tables(&bench);
    for _ in 0..3 {
        let small = map(&mut bench, 1);
        unmap(&mut bench);
        drain(&mut bench);
        assert_eq!(lowest_tables(&bench), before + 1);
        let huge = Operation::VmallocHuge { count: Count(3), area: AREA };
        let Outcome::Mapped(range) = bench.call(0, huge) else { panic!("there is memory") };
        assert_eq!(range.start, small.start);
        let bus = bench.bus();
        assert_eq!(bus.mapped(bus.core(0).cr3().root, range.start).expect("it is mapped").level, 2);
        assert_eq!(lowest_tables(&bench), before, "its page is an ordinary one");
        assert_eq!(bench.call(1, Operation::Vfree { area: AREA }), Outcome::Done);
        drain(&mut bench);
    }
    bench.tear_down();
}

#[test]
fn every_address_space_goes_on_leading_to_a_table_of_the_reserve() {
    fn body<P: PvMmu>() {
        let mut bench = built::<P>(Sizes::Real, 2, KernelTables::Freed);
        let mm = MmSlot::new(0);
        let place = Place { mapping: Mapping::Area(AREA), page: 0 };
        for call in [Operation::NewMm { mm }, Operation::SwitchMm { to: Root::Mm(mm) }] {
            assert_eq!(bench.call(1, call), Outcome::Done);
        }
        for round in 1..4 {
            map(&mut bench, 1);
            assert_eq!(bench.call(0, Operation::Write { place, token: Token(round) }), Outcome::Done);
            assert_eq!(bench.call(1, Operation::Read { place }), Outcome::Value(Token(round)));
            unmap(&mut bench);
            drain(&mut bench);
        }
        bench.tear_down();
    }
    body::<Native>();
    body::<Xen>();
}
