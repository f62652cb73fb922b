//! What verdicts and rules say to people.
use oracle::vocabulary::{
    Access, AreaSlot, Backing, BufferPage, BufferSlot, Count, Destination, Level, MmSlot, ObjectPage,
    ObjectSlot, Operation, Outcome, OwnPage, PinSlot, PinnedPage, ROWS, RamSlot, RawAccess, RawEntry,
    RawFrame, Root, TableEntry, Token, TreeSlot, UserAccess, UserPage, UserRange,
};
use oracle::{Kind, Rule};

use crate::told::{Told, area, at, coherent, mapped, page, pages, read, value, vmap, with_aliases};

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

/// Operands of every kind, in every mode.
fn operations() -> Vec<(Operation, &'static str)> {
    let (ram, buffer, tree, mm) = (RamSlot::new(1), BufferSlot::new(2), TreeSlot::new(3), MmSlot::new(4));
    let (page, pages, area, place, token) = (page(5), pages(&[0, 1]), area(6), at(7, 1), Token(8));
    let leads = |to, access| RawEntry::Leads { to, access };
    let own = OwnPage { area: AreaSlot::new(7), page: 1 };
    let entry = |index| TableEntry { table: page, index };
    let foreign = leads(RawFrame::Foreign, RawAccess::Large);
    let other = leads(RawFrame::Page(page), RawAccess::Readable);
    vec![
        (Operation::AllocPage { page }, "alloc-page -> p5"),
        (Operation::FreePage { page }, "free-page p5"),
        (Operation::Vmap { pages, area }, "vmap p0,p1 -> a6"),
        (Operation::Vunmap { area }, "vunmap a6"),
        (Operation::MapRam { pages, ram }, "map-ram p0,p1 -> r1"),
        (Operation::UnmapRam { ram }, "unmap-ram r1"),
        (Operation::DrainAliases {}, "drain-aliases"),
        (Operation::Read { place }, "read a7+1"),
        (Operation::Write { place, token }, "write a7+1 = 8"),
        (Operation::MakeTable { page }, "make-table p5"),
        (Operation::UnmakeTable { page }, "unmake-table p5"),
        (Operation::DmaAlloc { pages, buffer }, "dma-alloc p0,p1 -> b2"),
        (Operation::DmaAllocWide { pages, buffer }, "dma-alloc-wide p0,p1 -> b2"),
        (Operation::DmaFree { buffer }, "dma-free b2"),
        (Operation::DeviceRead { at: BufferPage { buffer, page: 1 } }, "device-read b2+1"),
        (Operation::DeviceWrite { at: BufferPage { buffer, page: 1 }, token }, "device-write b2+1 = 8"),
        (Operation::SetPageFlag { page }, "set-page-flag p5"),
        (Operation::PinTree { pages, tree }, "pin-tree p0,p1 -> t3"),
        (Operation::UnpinTree { tree }, "unpin-tree t3"),
        (Operation::TrackAliases {}, "track-aliases"),
        (Operation::HvUpdate { at: entry(3), entry: RawEntry::Empty }, "hv-update p5+3 empty"),
        (Operation::HvPin { page, level: Level(2) }, "hv-pin p5 2"),
        (Operation::HvUnpin { page }, "hv-unpin p5"),
        (Operation::HvWrite { at: entry(1) }, "hv-write p5+1"),
        (Operation::HvFlush {}, "hv-flush"),
        (Operation::HvExchange { page }, "hv-exchange p5"),
        (Operation::HvUpdateVa { at: entry(0), entry: foreign }, "hv-update-va p5+0 -> foreign large"),
        (Operation::Vmalloc { count: Count(2), area }, "vmalloc +2 -> a6"),
        (Operation::VmallocHuge { count: Count(2), area }, "vmalloc-huge +2 -> a6"),
        (Operation::SetMemoryRo { area }, "set-memory-ro a6"),
        (Operation::SetMemoryRox { area }, "set-memory-rox a6"),
        (Operation::SetMemoryRw { area }, "set-memory-rw a6"),
        (Operation::SetMemoryWc { area }, "set-memory-wc a6"),
        (Operation::SetMemoryWb { area }, "set-memory-wb a6"),
        (Operation::Vfree { area }, "vfree a6"),
        (Operation::Exec { place }, "exec a7+1"),
        (Operation::ReadDirect { page: own }, "read-direct a7+1"),
        (Operation::WriteDirect { page: own, token }, "write-direct a7+1 = 8"),
        (Operation::NewMm { mm }, "new-mm -> m4"),
        (Operation::SwitchMm { to: Root::Mm(mm) }, "switch-mm m4"),
        (Operation::DropMm { mm }, "drop-mm m4"),
        (Operation::NewObject { count: Count(3), object: ObjectSlot::new(2) }, "new-object +3 -> o2"),
        (Operation::DropObject { object: ObjectSlot::new(2) }, "drop-object o2"),
        // Other operands.
        (Operation::HvUpdate { at: entry(2), entry: other }, "hv-update p5+2 -> p5 readable"),
        (
            Operation::HvUpdate { at: entry(2), entry: leads(RawFrame::Foreign, RawAccess::Writable) },
            "hv-update p5+2 -> foreign writable",
        ),
        (Operation::SwitchMm { to: Root::Init }, "switch-mm init"),
    ]
}

/// The same, of user memory.
fn user_operations() -> Vec<(Operation, &'static str)> {
    let (mm, pins, token, access) = (MmSlot::new(4), PinSlot::new(1), Token(8), UserAccess::Writable);
    let (page, at) = (UserPage { mm, page: 5 }, UserRange { mm, page: 5, count: 2 });
    let from = ObjectPage { object: ObjectSlot::new(2), page: 1 };
    let pinned = PinnedPage { pins, page: 1 };
    let readable = UserAccess::Readable;
    vec![
        (Operation::Mmap { at, what: Backing::Anonymous, access }, "mmap m4:5+2 anonymous writable"),
        (Operation::Mmap { at, what: Backing::Shared(from), access }, "mmap m4:5+2 shared o2+1 writable"),
        (
            Operation::Mmap { at, what: Backing::Private(from), access: readable },
            "mmap m4:5+2 private o2+1 readable",
        ),
        (Operation::Munmap { at }, "munmap m4:5+2"),
        (Operation::Mprotect { at, access }, "mprotect m4:5+2 writable"),
        (Operation::Dontneed { at }, "dontneed m4:5+2"),
        (Operation::Load { at: page }, "load m4:5"),
        (Operation::Store { at: page, token }, "store m4:5 = 8"),
        (Operation::GupFast { at, access, pins }, "gup-fast m4:5+2 writable -> g1"),
        (Operation::Gup { at, access, pins }, "gup m4:5+2 writable -> g1"),
        (Operation::GupForced { at, pins }, "gup-forced m4:5+2 -> g1"),
        (Operation::CopyFromUser { at: page }, "copy-from-user m4:5"),
        (Operation::CopyToUser { at: page, token }, "copy-to-user m4:5 = 8"),
        (Operation::PinRead { at: pinned }, "pin-read g1+1"),
        (Operation::PinWrite { at: pinned, token }, "pin-write g1+1 = 8"),
        (Operation::Unpin { pins }, "unpin g1"),
        (Operation::FreeTables { at }, "free-tables m4:5+2"),
        (Operation::Mremap { at, to: Destination(7) }, "mremap m4:5+2 to :7"),
        (Operation::Reclaim { object: from.object }, "reclaim o2"),
    ]
}

#[test]
fn operations_have_names_of_their_own_and_show_their_operands() {
    for (operation, shown) in operations().into_iter().chain(user_operations()) {
        assert_eq!(operation.to_string(), shown);
        assert_eq!(operation.name(), shown.split(' ').next().unwrap());
        assert_eq!(operation.is_of_a_device(), shown.starts_with("device-"), "{shown}");
    }
    let mut different: Vec<_> = ROWS.iter().map(|row| row.word).collect();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), ROWS.len());
    assert!(ROWS.is_sorted_by_key(|row| row.tag), "no tag stands for two operations");
}

#[test]
fn an_access_lets_callers_write_or_execute_or_neither() {
    let of = |access: Access| (access.writes(), access.executes());
    assert_eq!(Access::ALL.map(of), [(false, false), (false, true), (true, false)]);
}

#[test]
fn what_was_made_lies_where_its_outcome_says_and_nothing_else_lies_anywhere() {
    assert_eq!(coherent(4, 3).to_string(), "mapped at 0xffffc90000004000+3");
    assert_eq!(coherent(4, 3).range(), mapped(4, 3).range());
    assert_eq!(Outcome::Done.range(), None);
    let Outcome::Buffer(told) = coherent(4, 3) else { unreachable!() };
    assert_eq!(told.bus().collect::<Vec<_>>(), [7, 8, 0], "the first segment is at 7, the other at 0");
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
fn a_ticket_and_a_verdict_know_their_cpu() {
    let mut reference = with_aliases();
    let ticket = reference.start(3, read(0));
    assert_eq!(ticket.cpu(), 3);
    assert_eq!(reference.end(ticket, &Outcome::Fault).unwrap_err().cpu, 3);
}
