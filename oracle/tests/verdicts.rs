//! Each verdict of the reference, firing and not firing.
#![cfg(feature = "reference")]

use oracle::vocabulary::astray::{RawCall, RawEntry};
use oracle::vocabulary::{
    Access, AreaSlot, BufferSlot, Call, Mapping, MmCall, MmSlot, Operation, Outcome, Owned, PageList,
    PageSlot, Place, RamSlot, Range, Root, Token, TreeSlot,
};
use oracle::{Illegal, Kind, Reference, Rule, Ticket, Verdict};

const START: u64 = 0xffff_c900_0000_0000;
const PAGE: u64 = 4096;

fn page(number: u8) -> PageSlot {
    PageSlot::new(number)
}

fn pages(numbers: &[u8]) -> PageList {
    PageList::new(numbers.iter().map(|&number| page(number)))
}

fn area(number: u8) -> AreaSlot {
    AreaSlot::new(number)
}

fn at(area_number: u8, offset: u8) -> Place {
    Place { mapping: Mapping::Area(area(area_number)), page: offset }
}

fn vmap(numbers: &[u8], number: u8) -> Operation {
    Operation::Vmap { pages: pages(numbers), area: area(number) }
}

fn vunmap(number: u8) -> Operation {
    Operation::Vunmap { area: area(number) }
}

fn read(number: u8) -> Operation {
    Operation::Read { place: at(number, 0) }
}

fn write(number: u8, token: u32) -> Operation {
    Operation::Write { place: at(number, 0), token: Token(token) }
}

fn mapped(offset: u64, pages: u8) -> Outcome {
    Outcome::Mapped(Range { start: START + offset * PAGE, pages })
}

fn value(token: u32) -> Outcome {
    Outcome::Value(Token(token))
}

/// What the tests say to a reference.
trait Told {
    fn start(&mut self, cpu: u8, operation: Operation) -> Ticket;
    fn play(&mut self, operation: Operation, outcome: Outcome) -> Result<Verdict, Illegal>;
    fn legal(&mut self, operation: Operation, outcome: Outcome) -> Verdict;
    fn kind(&mut self, operation: Operation, outcome: Outcome) -> Kind;
}

impl Told for Reference {
    fn start(&mut self, cpu: u8, operation: Operation) -> Ticket {
        self.begin(cpu, &Call { operation, irqs_off: false })
    }

    fn play(&mut self, operation: Operation, outcome: Outcome) -> Result<Verdict, Illegal> {
        let ticket = self.start(0, operation);
        self.end(ticket, &outcome)
    }

    fn legal(&mut self, operation: Operation, outcome: Outcome) -> Verdict {
        self.play(operation, outcome).unwrap_or_else(|illegal| panic!("{illegal}"))
    }

    fn kind(&mut self, operation: Operation, outcome: Outcome) -> Kind {
        self.play(operation, outcome).expect_err("an illegal outcome").kind
    }
}

/// A reference with two mappings of page 0 (`a0`, `a1`) and one of page 1 (`a2`).
fn with_aliases() -> Reference {
    let mut reference = Reference::new(4);
    reference.legal(vmap(&[0], 0), mapped(0, 1));
    reference.legal(vmap(&[0], 1), mapped(2, 1));
    reference.legal(vmap(&[1], 2), mapped(4, 1));
    reference
}

#[test]
fn a_fresh_page_reads_zero_and_nothing_else() {
    assert!(with_aliases().legal(read(0), value(0)).sole);
    assert_eq!(with_aliases().kind(read(0), value(1)), Kind::NeverPossible);
}

#[test]
fn a_write_is_seen_through_every_alias_and_through_no_other_page() {
    let mut reference = with_aliases();
    reference.legal(write(0, 7), Outcome::Done);
    reference.legal(read(1), value(7));
    reference.legal(read(2), value(0));
    assert_eq!(reference.kind(read(1), value(0)), Kind::NeverPossible);
}

#[test]
fn a_read_may_see_either_side_of_a_write_that_it_overlaps() {
    for seen in [0, 7] {
        let mut reference = with_aliases();
        let writing = reference.start(1, write(1, 7));
        assert!(!reference.legal(read(0), value(seen)).sole);
        reference.end(writing, &Outcome::Done).unwrap();
        reference.legal(read(0), value(7));
    }
}

#[test]
fn a_read_may_see_a_write_that_begins_and_ends_within_it() {
    for (seen, legal) in [(0, true), (7, true), (8, true), (9, false)] {
        let mut reference = with_aliases();
        let reading = reference.start(1, read(1));
        reference.legal(write(0, 7), Outcome::Done);
        reference.legal(write(0, 8), Outcome::Done);
        assert_eq!(reference.end(reading, &value(seen)).is_ok(), legal, "{seen}");
    }
}

#[test]
fn a_read_may_not_see_what_was_overwritten_before_it() {
    let mut reference = with_aliases();
    reference.legal(write(0, 7), Outcome::Done);
    reference.legal(write(1, 8), Outcome::Done);
    let reading = reference.start(1, read(1));
    reference.legal(write(0, 9), Outcome::Done);
    let illegal = reference.end(reading, &value(7)).unwrap_err();
    assert_eq!(illegal.kind, Kind::NeverPossible);
    assert_eq!(illegal.expected, "8 or 9");
}

#[test]
fn a_write_to_another_page_says_nothing_about_a_read() {
    let mut reference = with_aliases();
    let first = reference.start(1, write(0, 7));
    let second = reference.start(2, write(0, 8));
    reference.end(first, &Outcome::Done).unwrap();
    reference.end(second, &Outcome::Done).unwrap();
    let reading = reference.start(1, read(0));
    reference.legal(write(2, 9), Outcome::Done);
    reference.end(reading, &value(8)).unwrap();
    assert_eq!(reference.possible(page(0)), [Token(8)]);
    let reading = reference.start(1, read(0));
    reference.legal(write(2, 10), Outcome::Done);
    assert_eq!(reference.end(reading, &value(10)).unwrap_err().kind, Kind::NeverPossible);
}

#[test]
fn overlapping_writes_land_in_either_order() {
    for last in [7, 8] {
        let mut reference = with_aliases();
        let first = reference.start(1, write(0, 7));
        let second = reference.start(2, write(1, 8));
        reference.end(first, &Outcome::Done).unwrap();
        assert_eq!(reference.possible(page(0)), [Token(7), Token(8)]);
        reference.end(second, &Outcome::Done).unwrap();
        assert_eq!(reference.possible(page(0)), [Token(7), Token(8)]);
        assert!(!reference.legal(read(0), value(last)).sole);
        assert_eq!(reference.possible(page(0)), [Token(last)]);
        assert_eq!(reference.kind(read(0), value(15 - last)), Kind::NeverPossible);
    }
}

#[test]
fn a_write_that_ends_within_another_may_still_be_the_last() {
    let mut reference = with_aliases();
    let outer = reference.start(1, write(0, 7));
    reference.legal(write(1, 8), Outcome::Done);
    reference.legal(write(1, 9), Outcome::Done);
    reference.end(outer, &Outcome::Done).unwrap();
    assert_eq!(reference.possible(page(0)), [Token(7), Token(9)]);
}

#[test]
fn what_one_undisturbed_read_found_binds_another_in_flight() {
    let mut reference = with_aliases();
    let (first, second) = (reference.start(1, write(0, 7)), reference.start(2, write(0, 8)));
    reference.end(first, &Outcome::Done).unwrap();
    reference.end(second, &Outcome::Done).unwrap();
    let reading = reference.start(1, read(0));
    reference.legal(read(1), value(7));
    assert_eq!(reference.end(reading, &value(8)).unwrap_err().kind, Kind::NeverPossible);
}

#[test]
fn a_disturbed_read_narrows_nothing() {
    let mut reference = with_aliases();
    let writing = reference.start(1, write(0, 7));
    let reading = reference.start(2, read(1));
    reference.end(writing, &Outcome::Done).unwrap();
    let writing = reference.start(1, write(0, 8));
    reference.end(reading, &value(7)).unwrap();
    assert_eq!(reference.possible(page(0)), [Token(7), Token(8)]);
    reference.end(writing, &Outcome::Done).unwrap();
    assert_eq!(reference.possible(page(0)), [Token(8)]);
}

#[test]
fn a_fault_on_a_live_mapping_is_illegal() {
    assert_eq!(with_aliases().kind(read(0), Outcome::Fault), Kind::Faulted);
    assert_eq!(with_aliases().kind(write(0, 1), Outcome::Fault), Kind::Faulted);
}

#[test]
fn live_areas_never_overlap_and_leave_a_page_between_them() {
    let beside = |offset| {
        let mut reference = Reference::new(4);
        reference.legal(vmap(&[0, 1], 0), mapped(3, 2));
        reference.play(vmap(&[2, 3], 1), mapped(offset, 2)).map_err(|illegal| illegal.kind)
    };
    for apart in [0, 6] {
        assert!(beside(apart).is_ok(), "{apart}");
    }
    for overlap in [2, 3, 4] {
        assert_eq!(beside(overlap), Err(Kind::Overlap), "{overlap}");
    }
    for touching in [1, 5] {
        assert_eq!(beside(touching), Err(Kind::Unguarded), "{touching}");
    }
}

#[test]
fn a_small_mapping_has_no_guard_page_and_keeps_off_that_of_an_area() {
    let map_ram = |number| Operation::MapRam { pages: pages(&[1]), ram: RamSlot::new(number) };
    let mut reference = Reference::new(2);
    reference.legal(vmap(&[0], 0), mapped(2, 1));
    reference.legal(map_ram(0), mapped(1, 1));
    reference.legal(map_ram(1), mapped(0, 1));
    assert_eq!(reference.kind(map_ram(2), mapped(3, 1)), Kind::Unguarded);
}

#[test]
fn a_small_mapping_may_not_overlap_an_area() {
    let mut reference = Reference::new(2);
    reference.legal(vmap(&[0, 1], 0), mapped(0, 2));
    let map_ram = Operation::MapRam { pages: pages(&[1]), ram: RamSlot::new(0) };
    assert_eq!(reference.kind(map_ram, mapped(1, 1)), Kind::Overlap);
}

#[test]
fn a_small_mapping_is_unmapped_like_an_area() {
    let mut reference = Reference::new(1);
    let ram = RamSlot::new(0);
    reference.legal(Operation::MapRam { pages: pages(&[0]), ram }, mapped(0, 1));
    assert!(reference.legal(Operation::UnmapRam { ram }, Outcome::Done).sole);
    assert_eq!(reference.live_mappings().count(), 0);
    reference.legal(Operation::FreePage { page: page(0) }, Outcome::Done);
}

#[test]
fn a_range_is_free_as_soon_as_its_unmap_began() {
    let mut reference = Reference::new(2);
    reference.legal(vmap(&[0], 0), mapped(0, 1));
    let mapping = reference.start(1, vmap(&[1], 1));
    let unmapping = reference.start(2, vunmap(0));
    reference.end(mapping, &mapped(0, 1)).unwrap();
    reference.end(unmapping, &Outcome::Done).unwrap();
    assert_eq!(
        reference.live_mappings().map(|live| live.mapping).collect::<Vec<_>>(),
        [Mapping::Area(area(1))]
    );
}

#[test]
fn a_range_has_the_length_that_was_asked_for() {
    assert_eq!(Reference::new(2).kind(vmap(&[0, 1], 0), mapped(0, 1)), Kind::WrongLength);
    assert_eq!(Reference::new(2).kind(vmap(&[0, 1], 0), mapped(0, 3)), Kind::WrongLength);
}

#[test]
fn a_range_is_aligned_and_canonical_to_its_last_byte() {
    let place = |start| Reference::new(2).play(vmap(&[0, 1], 0), Outcome::Mapped(Range { start, pages: 2 }));
    for legal in [0, START, 0x7fff_ffff_e000, 0xffff_8000_0000_0000, u64::MAX - 2 * PAGE + 1] {
        assert!(place(legal).is_ok(), "{legal:#x}");
    }
    for illegal in
        [1, START + 8, 0x7fff_ffff_f000, 0x8000_0000_0000, 0xffff_7fff_ffff_f000, u64::MAX - PAGE + 1]
    {
        assert_eq!(place(illegal).unwrap_err().kind, Kind::Misplaced, "{illegal:#x}");
    }
}

#[test]
fn an_area_finds_room_where_nothing_else_is_mapped_and_nothing_overlaps() {
    assert_eq!(Reference::new(1).kind(vmap(&[0], 0), Outcome::NoMemory), Kind::NoRoom);
    let mut reference = Reference::new(1);
    reference.legal(vmap(&[0], 0), mapped(0, 1));
    reference.legal(vunmap(0), Outcome::Done);
    assert_eq!(reference.kind(vmap(&[0], 1), Outcome::NoMemory), Kind::NoRoom);
    let mut reference = Reference::new(1);
    let draining = reference.start(1, Operation::DrainAliases);
    reference.legal(vmap(&[0], 0), Outcome::NoMemory);
    reference.end(draining, &Outcome::Done).unwrap();
}

#[test]
fn what_is_mapped_first_finds_room_and_a_buffer_of_a_page_where_memory_is_untouched() {
    let map_ram = Operation::MapRam { pages: pages(&[0]), ram: RamSlot::new(0) };
    let vmalloc = Operation::Owned(Owned::Vmalloc { count: 1, area: area(0), huge: false });
    let buffer = |of: &[u8]| Operation::DmaAlloc { pages: pages(of), buffer: BufferSlot::new(0) };
    for first in [map_ram, vmalloc, buffer(&[0])] {
        assert_eq!(Reference::new(2).kind(first, Outcome::NoMemory), Kind::NoRoom, "{first}");
        let mut reference = Reference::new(2);
        reference.legal(vmap(&[1], 7), mapped(8, 1));
        reference.legal(first, Outcome::NoMemory);
        let mut reference = Reference::new(2);
        let draining = reference.start(1, Operation::DrainAliases);
        reference.legal(first, Outcome::NoMemory);
        reference.end(draining, &Outcome::Done).unwrap();
    }
    Reference::new(2).legal(buffer(&[0, 1]), Outcome::NoMemory);
    let mut reference = Reference::new(2);
    reference.legal(Operation::AllocPage { page: page(5) }, Outcome::Done);
    reference.legal(buffer(&[0]), Outcome::NoMemory);
    assert_eq!(reference.kind(map_ram, Outcome::NoMemory), Kind::NoRoom);
    let mut reference = Reference::new(2);
    reference.legal(map_ram, mapped(8, 1));
    reference.legal(Operation::UnmapRam { ram: RamSlot::new(0) }, Outcome::Done);
    reference.legal(map_ram, Outcome::NoMemory);
    let irqs_off = Call { operation: buffer(&[0]), irqs_off: true };
    let mut reference = Reference::new(2);
    let ticket = reference.begin(0, &irqs_off);
    reference.end(ticket, &Outcome::NoMemory).unwrap();
}

#[test]
fn no_memory_is_legal_where_memory_is_needed_and_nowhere_else() {
    let alloc = Operation::AllocPage { page: page(9) };
    let map_ram = Operation::MapRam { pages: pages(&[2]), ram: RamSlot::new(0) };
    for needy in [alloc, vmap(&[2], 5), map_ram, Operation::MakeTable { page: page(2) }] {
        assert!(!with_aliases().legal(needy, Outcome::NoMemory).sole, "{needy}");
    }
    let free = Operation::FreePage { page: page(2) };
    for other in [free, vunmap(0), Operation::DrainAliases, read(0), write(0, 1)] {
        assert_eq!(with_aliases().kind(other, Outcome::NoMemory), Kind::NoMemory, "{other}");
    }
}

#[test]
fn a_refusal_breaks_the_rule_of_the_hypervisor() {
    let illegal =
        Reference::new(1).play(Operation::MakeTable { page: page(0) }, Outcome::Refused).unwrap_err();
    assert_eq!((illegal.kind, illegal.rule()), (Kind::Refused, Rule::Hypervisor));
    assert_eq!(illegal.headline(), "the hypervisor refused");
}

#[test]
fn a_hypercall_of_the_caller_s_own_may_be_refused_and_what_it_names_holds_nothing_to_judge() {
    let update = RawCall::Update { table: page(0), index: 0, entry: RawEntry::Empty };
    for call in
        [update, RawCall::Pin { page: page(0), level: 1 }, RawCall::Unpin { page: page(0) }, RawCall::Flush]
    {
        for outcome in [Outcome::Done, Outcome::Refused] {
            let mut reference = Reference::new(1);
            assert_eq!(reference.play(Operation::Raw(call), outcome).map(|verdict| verdict.sole), Ok(false));
            assert_eq!(reference.possible(page(0)).is_empty(), call != RawCall::Flush, "{call:?}");
        }
        for outcome in [Outcome::Fault, Outcome::NoMemory, Outcome::WouldSleep, Outcome::Void] {
            let illegal = Reference::new(1).play(Operation::Raw(call), outcome);
            assert!(illegal.is_err(), "{call:?}: {outcome}");
        }
    }
    let write = Operation::Raw(RawCall::Write { table: page(0), index: 0 });
    assert!(Reference::new(1).play(write, Outcome::Fault).is_ok());
}

#[test]
fn a_drain_would_sleep_exactly_with_interrupts_off() {
    let drain = |irqs_off, outcome| {
        let mut reference = Reference::new(1);
        let ticket = reference.begin(0, &Call { operation: Operation::DrainAliases, irqs_off });
        reference.end(ticket, &outcome).map_err(|illegal| illegal.kind).map(|verdict| verdict.sole)
    };
    assert_eq!(drain(false, Outcome::Done), Ok(true));
    assert_eq!(drain(true, Outcome::WouldSleep), Ok(true));
    assert_eq!(drain(true, Outcome::Done), Err(Kind::WaitedWithIrqsOff));
    assert_eq!(drain(false, Outcome::WouldSleep), Err(Kind::WouldSleep));
}

#[test]
fn a_table_asked_for_with_interrupts_off_is_made_or_would_sleep() {
    let tree = TreeSlot::new(0);
    let operations =
        [Operation::MakeTable { page: page(0) }, Operation::PinTree { pages: pages(&[0, 1]), tree }];
    for operation in operations {
        let judge = |irqs_off, outcome| {
            let mut reference = Reference::new(2);
            let ticket = reference.begin(0, &Call { operation, irqs_off });
            let judged = reference.end(ticket, &outcome).map_err(|illegal| illegal.kind);
            judged.map(|verdict| (verdict.sole, reference.possible(page(0)).len()))
        };
        assert_eq!(judge(true, Outcome::WouldSleep), Ok((false, 1)), "{operation} leaves the page");
        assert_eq!(judge(true, Outcome::Done), Ok((false, 0)), "{operation} takes it");
        assert_eq!(judge(false, Outcome::WouldSleep), Err(Kind::WouldSleep), "{operation}");
        assert_eq!(judge(true, Outcome::Refused), Err(Kind::Refused), "{operation}");
    }
}

#[test]
fn a_tree_needs_no_memory_and_its_pages_come_back_zeroed() {
    let (mut reference, tree) = (with_aliases(), TreeSlot::new(3));
    reference.legal(write(0, 7), Outcome::Done);
    reference.legal(vunmap(0), Outcome::Done);
    reference.legal(vunmap(1), Outcome::Done);
    let pin = Operation::PinTree { pages: pages(&[0]), tree };
    assert!(reference.legal(pin, Outcome::Done).sole);
    assert_eq!(reference.live_tables().collect::<Vec<_>>(), [page(0)]);
    assert_eq!(reference.possible(page(0)), []);
    assert!(reference.legal(Operation::UnpinTree { tree }, Outcome::Done).sole);
    assert_eq!(reference.live_tables().count(), 0);
    assert_eq!(reference.forced(page(0)), Some(Token::ZERO));
    assert_eq!(reference.kind(pin, Outcome::NoMemory), Kind::NoMemory);
}

#[test]
fn an_address_space_may_fail_for_lack_of_memory_and_is_void_then() {
    let (mut reference, mm) = (with_aliases(), MmSlot::new(2));
    let enter = Operation::Mm(MmCall::Switch { to: Root::Mm(mm) });
    let drop = Operation::Mm(MmCall::Drop { mm });
    assert!(!reference.legal(Operation::Mm(MmCall::New { mm }), Outcome::NoMemory).sole);
    reference.legal(enter, Outcome::Void);
    reference.legal(drop, Outcome::Void);
    assert!(!reference.legal(Operation::Mm(MmCall::New { mm }), Outcome::Done).sole);
    assert!(reference.legal(enter, Outcome::Done).sole);
    assert_eq!(reference.legal(read(0), Outcome::Value(Token::ZERO)).outcome, Outcome::Value(Token::ZERO));
    assert!(reference.legal(drop, Outcome::Done).sole);
    reference.legal(Operation::Mm(MmCall::New { mm }), Outcome::Done);
    assert_eq!(reference.kind(enter, Outcome::NoMemory), Kind::NoMemory);
    let own = Operation::Mm(MmCall::Switch { to: Root::Init });
    assert_eq!(Reference::new(1).play(own, Outcome::Refused).unwrap_err().rule(), Rule::Hypervisor);
}

#[test]
fn nothing_is_sure_of_room_while_address_spaces_take_memory_nor_a_large_area_of_pages() {
    let (mut reference, mm) = (Reference::new(1), MmSlot::new(0));
    let vmalloc = |count| Operation::Owned(Owned::Vmalloc { count, area: area(7), huge: false });
    reference.legal(Operation::Mm(MmCall::New { mm }), Outcome::Done);
    reference.legal(vmap(&[0], 5), Outcome::NoMemory);
    reference.legal(vmalloc(1), Outcome::NoMemory);
    reference.legal(Operation::Mm(MmCall::Drop { mm }), Outcome::Done);
    assert_eq!(reference.kind(vmap(&[0], 6), Outcome::NoMemory), Kind::NoRoom);
    let mut fresh = Reference::new(1);
    fresh.legal(vmalloc(8), Outcome::NoMemory);
    assert_eq!(Reference::new(1).kind(vmalloc(4), Outcome::NoMemory), Kind::NoRoom);
}

#[test]
#[should_panic(expected = "on the way into it")]
fn an_address_space_is_not_dropped_while_a_cpu_enters_it() {
    let (mut reference, mm) = (Reference::new(1), MmSlot::new(0));
    reference.legal(Operation::Mm(MmCall::New { mm }), Outcome::Done);
    let _entering = reference.start(1, Operation::Mm(MmCall::Switch { to: Root::Mm(mm) }));
    let _ = reference.start(0, Operation::Mm(MmCall::Drop { mm }));
}

#[test]
fn a_tree_that_was_not_made_is_void_and_its_pages_are_ordinary() {
    let (mut reference, tree) = (Reference::new(2), TreeSlot::new(0));
    let call = Call { operation: Operation::PinTree { pages: pages(&[0, 1]), tree }, irqs_off: true };
    let ticket = reference.begin(0, &call);
    assert!(reference.end(ticket, &Outcome::WouldSleep).is_ok());
    assert_eq!(reference.live_tables().count(), 0);
    reference.legal(Operation::UnpinTree { tree }, Outcome::Void);
    reference.legal(Operation::FreePage { page: page(0) }, Outcome::Done);
    reference.legal(Operation::SetPageFlag { page: page(1) }, Outcome::Done);
}

#[test]
fn flags_of_a_page_are_set_while_others_map_it() {
    let mut reference = Reference::new(1);
    let call = |operation| Call { operation, irqs_off: false };
    let flags = reference.begin(1, &call(Operation::SetPageFlag { page: page(0) }));
    reference.legal(vmap(&[0], 0), mapped(0, 1));
    reference.legal(vunmap(0), Outcome::Done);
    assert!(reference.end(flags, &Outcome::Done).is_ok());
    reference.legal(Operation::FreePage { page: page(0) }, Outcome::Done);
}

#[test]
#[should_panic(expected = "whose flags its owner is changing")]
fn a_page_is_not_given_away_while_its_owner_changes_its_flags() {
    let mut reference = Reference::new(1);
    let call = |operation| Call { operation, irqs_off: false };
    let _flags = reference.begin(0, &call(Operation::SetPageFlag { page: page(0) }));
    let _ = reference.begin(1, &call(Operation::MakeTable { page: page(0) }));
}

#[test]
#[should_panic(expected = "which is a table")]
fn a_page_of_a_tree_is_not_mapped() {
    let mut reference = Reference::new(2);
    let pin = Operation::PinTree { pages: pages(&[0, 1]), tree: TreeSlot::new(0) };
    reference.legal(pin, Outcome::Done);
    reference.legal(vmap(&[1], 0), mapped(0, 1));
}

#[test]
fn only_a_drain_and_what_needs_one_would_sleep() {
    let mut reference = Reference::new(1);
    let call = Call { operation: Operation::AllocPage { page: page(3) }, irqs_off: true };
    let ticket = reference.begin(0, &call);
    assert_eq!(reference.end(ticket, &Outcome::WouldSleep).unwrap_err().kind, Kind::WouldSleep);
}

#[test]
fn whatever_needs_a_handle_that_was_never_obtained_is_void() {
    let mut reference = Reference::new(0);
    reference.legal(Operation::AllocPage { page: page(0) }, Outcome::NoMemory);
    let needy = [
        Operation::MakeTable { page: page(0) },
        Operation::UnmakeTable { page: page(0) },
        Operation::SetPageFlag { page: page(0) },
        Operation::PinTree { pages: pages(&[0]), tree: TreeSlot::new(0) },
        Operation::UnpinTree { tree: TreeSlot::new(0) },
        vmap(&[0], 0),
        read(0),
        write(0, 3),
        vunmap(0),
        Operation::MapRam { pages: pages(&[0]), ram: RamSlot::new(0) },
        Operation::UnmapRam { ram: RamSlot::new(0) },
        Operation::FreePage { page: page(0) },
    ];
    for operation in needy {
        assert!(reference.is_void(&operation), "{operation}");
        assert!(!reference.legal(operation, Outcome::Void).sole, "{operation}");
    }
    assert_eq!(reference.live_pages().count(), 0);
    assert_eq!(reference.possible(page(0)), []);
    let again = Operation::AllocPage { page: page(0) };
    assert!(!reference.is_void(&again));
    reference.legal(again, Outcome::Done);
    assert_eq!(reference.live_pages().collect::<Vec<_>>(), [page(0)]);
}

#[test]
fn void_is_illegal_where_everything_was_obtained_and_the_only_answer_where_not() {
    assert_eq!(with_aliases().kind(read(0), Outcome::Void), Kind::NotAttempted);
    assert_eq!(with_aliases().kind(Operation::DrainAliases, Outcome::Void), Kind::NotAttempted);
    let mut reference = Reference::new(1);
    reference.legal(vmap(&[0], 1), mapped(0, 1));
    reference.legal(vmap(&[0], 0), Outcome::NoMemory);
    assert_eq!(reference.kind(read(0), value(0)), Kind::Phantom);
}

#[test]
fn a_mapping_that_failed_does_not_hold_its_pages() {
    let mut reference = Reference::new(1);
    let map_ram = Operation::MapRam { pages: pages(&[0]), ram: RamSlot::new(0) };
    let draining = reference.start(1, Operation::DrainAliases);
    reference.legal(map_ram, Outcome::NoMemory);
    reference.end(draining, &Outcome::Done).unwrap();
    assert_eq!(reference.live_mappings().count(), 0);
    reference.legal(Operation::FreePage { page: page(0) }, Outcome::Done);
    assert_eq!(reference.live_pages().count(), 0);
}

#[test]
fn the_answer_to_another_operation_is_illegal() {
    assert_eq!(with_aliases().kind(read(0), Outcome::Done), Kind::WrongForm);
    assert_eq!(with_aliases().kind(write(0, 1), value(1)), Kind::WrongForm);
    assert_eq!(with_aliases().kind(vmap(&[2], 5), Outcome::Done), Kind::WrongForm);
    assert_eq!(with_aliases().kind(vunmap(0), mapped(0, 1)), Kind::WrongForm);
    assert_eq!(with_aliases().kind(Operation::DrainAliases, Outcome::Fault), Kind::WrongForm);
}

#[test]
fn a_table_comes_back_zeroed() {
    let mut reference = with_aliases();
    reference.legal(write(0, 7), Outcome::Done);
    reference.legal(vunmap(0), Outcome::Done);
    reference.legal(vunmap(1), Outcome::Done);
    reference.legal(Operation::MakeTable { page: page(0) }, Outcome::Done);
    assert_eq!(reference.live_tables().collect::<Vec<_>>(), [page(0)]);
    assert_eq!((reference.possible(page(0)), reference.forced(page(0))), (&[][..], None));
    assert!(reference.legal(Operation::UnmakeTable { page: page(0) }, Outcome::Done).sole);
    assert_eq!(reference.live_tables().count(), 0);
    assert_eq!(reference.forced(page(0)), Some(Token::ZERO));
    reference.legal(vmap(&[0], 0), mapped(0, 1));
    assert_eq!(reference.kind(read(0), value(7)), Kind::NeverPossible);
}

#[test]
fn a_table_that_was_not_made_leaves_the_old_word_or_zero_and_is_not_compared() {
    let mut reference = with_aliases();
    reference.legal(write(2, 7), Outcome::Done);
    reference.legal(vunmap(2), Outcome::Done);
    reference.legal(Operation::MakeTable { page: page(1) }, Outcome::NoMemory);
    assert_eq!(reference.possible(page(1)), [Token::ZERO, Token(7)]);
    reference.legal(Operation::UnmakeTable { page: page(1) }, Outcome::Void);
    reference.legal(vmap(&[1], 2), mapped(4, 1));
    reference.legal(read(2), value(7));
    assert_eq!(reference.forced(page(1)), None);
    reference.legal(write(2, 8), Outcome::Done);
    assert_eq!(reference.forced(page(1)), Some(Token(8)));
}

#[test]
fn a_page_that_comes_back_is_zeroed() {
    let mut reference = with_aliases();
    reference.legal(write(2, 7), Outcome::Done);
    reference.legal(vunmap(2), Outcome::Done);
    reference.legal(Operation::FreePage { page: page(1) }, Outcome::Done);
    assert_eq!(reference.possible(page(1)), []);
    reference.legal(Operation::AllocPage { page: page(1) }, Outcome::Done);
    reference.legal(vmap(&[1], 2), mapped(4, 1));
    assert_eq!(reference.kind(read(2), value(7)), Kind::NeverPossible);
}

#[test]
fn what_overlaps_anything_is_not_compared() {
    let mut reference = with_aliases();
    assert!(reference.legal(read(0), value(0)).sole);
    let draining = reference.start(1, Operation::DrainAliases);
    assert!(!reference.legal(read(0), value(0)).sole);
    assert!(!reference.end(draining, &Outcome::Done).unwrap().sole);
    assert!(reference.legal(Operation::DrainAliases, Outcome::Done).sole);
}

#[test]
fn what_a_read_learned_after_a_race_is_not_compared() {
    let mut reference = with_aliases();
    let (first, second) = (reference.start(1, write(0, 7)), reference.start(2, write(0, 8)));
    reference.end(first, &Outcome::Done).unwrap();
    reference.end(second, &Outcome::Done).unwrap();
    reference.legal(read(0), value(7));
    assert!(!reference.legal(read(0), value(7)).sole);
    assert_eq!(reference.possible(page(0)), [Token(7)]);
    assert_eq!(reference.forced(page(0)), None);
    reference.legal(write(0, 9), Outcome::Done);
    assert_eq!(reference.forced(page(0)), Some(Token(9)));
    assert!(reference.legal(read(0), value(9)).sole);
}

#[test]
fn a_write_that_was_void_here_leaves_the_page_out_of_the_comparison() {
    let mut reference = with_aliases();
    reference.legal(vmap(&[0], 5), Outcome::NoMemory);
    assert_eq!(reference.forced(page(0)), Some(Token::ZERO));
    let writing = reference.start(1, write(0, 7));
    reference.legal(write(5, 8), Outcome::Void);
    reference.end(writing, &Outcome::Done).unwrap();
    assert_eq!((reference.possible(page(0)), reference.forced(page(0))), (&[Token(7)][..], None));
    assert!(!reference.legal(read(0), value(7)).sole);
    reference.legal(write(0, 9), Outcome::Done);
    assert_eq!(reference.forced(page(0)), Some(Token(9)));
}

#[test]
fn backends_disagree_only_where_neither_had_a_choice() {
    let verdict = |outcome, sole| Verdict { outcome, sole };
    assert!(!verdict(value(1), true).agrees_with(&verdict(value(2), true)));
    assert!(verdict(value(1), true).agrees_with(&verdict(value(1), true)));
    assert!(verdict(value(1), false).agrees_with(&verdict(value(2), true)));
    assert!(verdict(value(1), true).agrees_with(&verdict(value(2), false)));
}

#[test]
fn reset_forgets_everything() {
    let mut reference = with_aliases();
    reference.legal(write(0, 7), Outcome::Done);
    reference.legal(vunmap(2), Outcome::Done);
    reference.legal(Operation::MakeTable { page: page(1) }, Outcome::Done);
    let _abandoned = reference.start(1, write(0, 8));
    reference.reset(1);
    assert_eq!(format!("{:?}", reference.live_pages().collect::<Vec<_>>()), "[p0]");
    assert_eq!((reference.live_mappings().count(), reference.live_tables().count()), (0, 0));
    assert_eq!((reference.possible(page(0)), reference.possible(page(1))), (&[Token::ZERO][..], &[][..]));
    reference.legal(vmap(&[0], 0), mapped(0, 1));
    assert!(reference.legal(read(0), value(0)).sole);
}

#[test]
fn a_message_says_who_asked_what_and_what_was_expected() {
    let mut reference = with_aliases();
    let illegal = reference.play(read(0), value(9)).unwrap_err();
    assert_eq!(
        illegal.to_string(),
        "rule 1 (outcome): `read a0+0` on c0 answered 9, expected 0 (read a value that was never possible)"
    );
    let illegal = with_aliases().play(vmap(&[2, 3], 5), mapped(4, 2)).unwrap_err();
    assert_eq!(
        illegal.to_string(),
        "rule 1 (outcome): `vmap p2,p3 -> a5` on c0 answered mapped at 0xffffc90000004000+2, expected a range \
         apart from a2, which lies at 0xffffc90000004000+1 (two live mappings overlap)"
    );
}

#[test]
fn pages_and_their_lists_are_shown_by_their_slots() {
    assert_eq!(format!("{:?} {}", pages(&[0, 2]), pages(&[0, 2])), "[p0, p2] p0,p2");
}

#[test]
fn headlines_tell_kinds_apart_and_hold_no_numbers() {
    for (n, kind) in Kind::ALL.iter().enumerate() {
        assert!(!kind.headline().chars().any(|c| c.is_ascii_digit()), "{kind:?}");
        assert!(Kind::ALL[..n].iter().all(|other| other.headline() != kind.headline()), "{kind:?}");
    }
}

#[test]
fn rules_are_numbered_from_one_to_twelve_and_say_something() {
    assert!(Rule::ALL.iter().map(|rule| rule.number()).eq(1..=12));
    for rule in Rule::ALL {
        assert!(rule.sentence().ends_with('.') && !rule.sentence().contains("  "), "{rule}");
        assert!(!rule.source().is_empty() && !rule.title().is_empty());
    }
}

#[test]
#[should_panic(expected = "the story takes p0 away, which is mapped")]
fn freeing_a_mapped_page_is_a_defect_of_the_harness() {
    let _freeing = with_aliases().start(0, Operation::FreePage { page: page(0) });
}

#[test]
#[should_panic(expected = "the story unmaps a0 during an access to it")]
fn unmapping_under_a_read_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let _reading = reference.start(1, read(0));
    let _unmapping = reference.start(0, vunmap(0));
}

#[test]
#[should_panic(expected = "within another operation")]
fn two_operations_on_a_cpu_are_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let _reading = reference.start(1, read(0));
    let _other = reference.start(1, read(1));
}

#[test]
#[should_panic(expected = "the story maps no pages into a5")]
fn mapping_no_pages_is_a_defect_of_the_harness() {
    let _mapping = with_aliases().start(0, vmap(&[], 5));
}

#[test]
#[should_panic(expected = "not in flight")]
fn ending_twice_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let ticket = reference.start(1, read(0));
    reference.end(ticket, &value(0)).unwrap();
    let _again = reference.end(ticket, &value(0));
}

#[test]
#[should_panic(expected = "not in flight")]
fn ending_with_the_ticket_of_an_earlier_operation_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let ticket = reference.start(1, read(0));
    reference.end(ticket, &value(0)).unwrap();
    let _later = reference.start(1, read(0));
    let _again = reference.end(ticket, &value(0));
}

#[test]
#[should_panic(expected = "the story uses a5+0, which is Absent")]
fn reading_what_is_not_mapped_is_a_defect_of_the_harness() {
    let _reading = with_aliases().start(1, read(5));
}

#[test]
#[should_panic(expected = "the story uses a0+0, which is Going")]
fn reading_during_an_unmap_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let _unmapping = reference.start(0, vunmap(0));
    let _reading = reference.start(1, read(0));
}

#[test]
#[should_panic(expected = "the story takes p2 away, which is a table")]
fn freeing_a_table_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    reference.legal(Operation::MakeTable { page: page(2) }, Outcome::Done);
    let _freeing = reference.start(0, Operation::FreePage { page: page(2) });
}

#[test]
#[should_panic(expected = "the story maps p2, which is a table")]
fn mapping_a_table_to_be_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let _making = reference.start(1, Operation::MakeTable { page: page(2) });
    let _mapping = reference.start(0, vmap(&[2], 5));
}

#[test]
fn a_ticket_and_a_verdict_know_their_cpu() {
    let mut reference = with_aliases();
    let ticket = reference.start(3, read(0));
    assert_eq!(ticket.cpu(), 3);
    assert_eq!(reference.end(ticket, &Outcome::Fault).unwrap_err().cpu, 3);
}

fn dma_alloc(pages: &[u8], buffer: u8) -> Operation {
    Operation::DmaAlloc { pages: self::pages(pages), buffer: BufferSlot::new(buffer) }
}

fn in_buffer(buffer: u8) -> Place {
    Place { mapping: Mapping::Buffer(BufferSlot::new(buffer)), page: 0 }
}

#[test]
fn a_buffer_begins_with_zero_and_cpus_and_devices_see_each_other() {
    let mut reference = with_aliases();
    reference.legal(vunmap(0), Outcome::Done);
    reference.legal(vunmap(1), Outcome::Done);
    reference.legal(dma_alloc(&[0], 0), mapped(40, 1));
    let buffer = BufferSlot::new(0);
    reference.legal(Operation::DeviceRead { buffer, page: 0 }, value(0));
    reference.legal(Operation::Write { place: in_buffer(0), token: Token(5) }, Outcome::Done);
    reference.legal(Operation::DeviceRead { buffer, page: 0 }, value(5));
    reference.legal(Operation::DeviceWrite { buffer, page: 0, token: Token(6) }, Outcome::Done);
    reference.legal(Operation::Read { place: in_buffer(0) }, value(6));
    assert_eq!(reference.forced(page(0)), Some(Token(6)));
    assert_eq!(reference.kind(Operation::DeviceRead { buffer, page: 0 }, value(5)), Kind::NeverPossible);
}

#[test]
fn a_buffer_that_could_not_be_made_may_have_been_zeroed_and_its_pages_are_there() {
    let mut reference = with_aliases();
    reference.legal(Operation::Write { place: at(0, 0), token: Token(5) }, Outcome::Done);
    reference.legal(vunmap(0), Outcome::Done);
    reference.legal(vunmap(1), Outcome::Done);
    let verdict = reference.legal(dma_alloc(&[0], 0), Outcome::NoMemory);
    assert!(!verdict.sole, "another backend may have had frames");
    assert_eq!((reference.possible(page(0)), reference.forced(page(0))), (&[Token(0), Token(5)][..], None));
    reference.legal(Operation::DmaFree { buffer: BufferSlot::new(0) }, Outcome::Void);
    reference.legal(Operation::FreePage { page: page(0) }, Outcome::Done);
}

#[test]
fn only_with_interrupts_off_a_buffer_may_not_be_made_because_somebody_would_have_to_sleep() {
    for irqs_off in [false, true] {
        let mut reference = with_aliases();
        reference.legal(vunmap(0), Outcome::Done);
        reference.legal(vunmap(1), Outcome::Done);
        let ticket = reference.begin(0, &Call { operation: dma_alloc(&[0], 0), irqs_off });
        let judged = reference.end(ticket, &Outcome::WouldSleep).map_err(|illegal| illegal.kind);
        assert_eq!(judged.is_ok(), irqs_off, "{judged:?}");
    }
}

fn vmalloc(count: u8, number: u8) -> Operation {
    Operation::Owned(Owned::Vmalloc { count, area: area(number), huge: false })
}

fn set_memory(number: u8, access: Access) -> Operation {
    Operation::Owned(Owned::SetMemory { area: area(number), access })
}

fn vfree(number: u8) -> Operation {
    Operation::Owned(Owned::Vfree { area: area(number) })
}

fn exec(number: u8) -> Operation {
    Operation::Owned(Owned::Exec { place: at(number, 0) })
}

fn write_direct(number: u8, token: u32) -> Operation {
    Operation::Owned(Owned::WriteDirect { place: at(number, 0), token: Token(token) })
}

/// A reference with an area that owns two pages (`a0`).
fn with_owned() -> Reference {
    let mut reference = Reference::new(0);
    reference.legal(vmalloc(2, 0), mapped(0, 2));
    reference
}

#[test]
fn an_area_allows_what_its_permissions_say_and_nothing_else() {
    for access in Access::ALL {
        for (operation, allowed) in [
            (write(0, 5), access.writes()),
            (write_direct(0, 6), access.writes()),
            (exec(0), access.executes()),
        ] {
            let answer = |done: bool| if done { Outcome::Done } else { Outcome::Fault };
            let mut reference = with_owned();
            reference.legal(set_memory(0, access), Outcome::Done);
            assert!(reference.legal(operation, answer(allowed)).sole);
            let mut reference = with_owned();
            reference.legal(set_memory(0, access), Outcome::Done);
            let kind = if allowed { Kind::Faulted } else { Kind::Permitted };
            assert_eq!(reference.kind(operation, answer(!allowed)), kind, "{operation} {access:?}");
        }
    }
    assert_eq!(Kind::Permitted.rule(), Rule::Permissions);
}

#[test]
fn what_is_mapped_for_others_can_never_be_executed() {
    assert!(with_aliases().legal(exec(0), Outcome::Fault).sole);
    assert_eq!(with_aliases().kind(exec(0), Outcome::Done), Kind::Permitted);
}

#[test]
fn an_access_that_overlaps_a_change_of_permissions_may_go_either_way() {
    for outcome in [Outcome::Done, Outcome::Fault] {
        // The access begins first.
        let mut reference = with_owned();
        let writing = reference.start(0, write(0, 5));
        let changing = reference.start(1, set_memory(0, Access::ReadOnly));
        assert!(reference.end(changing, &Outcome::Done).is_ok());
        assert!(!reference.end(writing, &outcome).expect("either").sole);
        // The change begins first.
        let mut reference = with_owned();
        let changing = reference.start(1, set_memory(0, Access::ReadOnly));
        let writing = reference.start(0, write(0, 5));
        assert!(!reference.end(writing, &outcome).expect("either").sole);
        assert!(reference.end(changing, &Outcome::Done).is_ok());
        assert_eq!(reference.kind(write(0, 6), Outcome::Done), Kind::Permitted);
    }
}

#[test]
#[should_panic(expected = "mapped elsewhere")]
fn freeing_a_buffer_that_is_mapped_elsewhere_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    reference.legal(vunmap(0), Outcome::Done);
    reference.legal(vunmap(1), Outcome::Done);
    reference.legal(dma_alloc(&[0], 0), mapped(40, 1));
    reference.legal(vmap(&[0], 5), mapped(50, 1));
    let _freeing = reference.start(0, Operation::DmaFree { buffer: BufferSlot::new(0) });
}

#[test]
fn a_write_that_faulted_left_nothing_behind() {
    let mut reference = with_owned();
    reference.legal(write(0, 5), Outcome::Done);
    reference.legal(set_memory(0, Access::ReadOnly), Outcome::Done);
    reference.legal(write_direct(0, 6), Outcome::Fault);
    let read_direct = Operation::Owned(Owned::ReadDirect { place: at(0, 0) });
    reference.legal(read_direct, value(5));
    assert_eq!(reference.kind(read(0), value(6)), Kind::NeverPossible);
}

#[test]
fn the_pages_of_an_area_begin_zeroed_and_writable_each_time() {
    let mut reference = with_owned();
    reference.legal(write(0, 5), Outcome::Done);
    reference.legal(set_memory(0, Access::ReadExecute), Outcome::Done);
    reference.legal(vfree(0), Outcome::Done);
    reference.legal(vmalloc(1, 0), mapped(0, 1));
    reference.legal(read(0), value(0));
    reference.legal(write(0, 6), Outcome::Done);
}

#[test]
fn a_write_that_overlaps_one_that_faulted_forces_nothing() {
    let mut reference = Reference::new(0);
    reference.legal(vmalloc(1, 0), mapped(0, 1));
    reference.legal(set_memory(0, Access::ReadOnly), Outcome::Done);
    let changing = reference.start(1, set_memory(0, Access::ReadWrite));
    let first = reference.start(2, write(0, 4));
    reference.legal(write(0, 5), Outcome::Fault);
    reference.end(first, &Outcome::Done).unwrap();
    reference.end(changing, &Outcome::Done).unwrap();
    assert_eq!((reference.forced_in(area(0), 0), reference.possible_in(area(0), 0)), (None, &[Token(4)][..]));
    reference.legal(write(0, 6), Outcome::Done);
    assert_eq!(reference.forced_in(area(0), 0), Some(Token(6)));
}

#[test]
fn an_area_that_got_no_memory_is_void_from_there_on() {
    let mut reference = Reference::new(0);
    let draining = reference.start(1, Operation::DrainAliases);
    reference.legal(vmalloc(2, 0), Outcome::NoMemory);
    reference.end(draining, &Outcome::Done).unwrap();
    for operation in [write_direct(0, 5), set_memory(0, Access::ReadOnly), exec(0), vfree(0)] {
        reference.legal(operation, Outcome::Void);
    }
    assert_eq!(with_owned().kind(vfree(0), Outcome::NoMemory), Kind::NoMemory);
}

#[test]
fn ranges_of_areas_that_own_their_pages_are_judged_as_others() {
    assert_eq!(with_owned().kind(vmalloc(1, 1), mapped(1, 1)), Kind::Overlap);
    assert_eq!(with_owned().kind(vmalloc(1, 1), mapped(2, 1)), Kind::Unguarded);
    assert_eq!(with_owned().kind(vmalloc(1, 1), mapped(4, 2)), Kind::WrongLength);
}
