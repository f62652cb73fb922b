//! Which operation may find no memory, and which is sure of room.

use oracle::vocabulary::{
    BufferSlot, Call, Count, MmSlot, ObjectSlot, Operation, Outcome, RamSlot, Root, Token,
};
use oracle::{Kind, Reference, Rule};
use std::ops::Range;

use crate::told::{
    PAGE, START, Told, area, mapped, page, pages, read, value, vmap, vunmap, with_aliases, write,
};

#[test]
fn an_area_finds_room_where_nothing_else_is_mapped_and_nothing_overlaps() {
    assert_eq!(Reference::new(1).kind(vmap(&[0], 0), Outcome::NoMemory), Kind::NoRoom);
    let mut reference = Reference::new(1);
    reference.legal(vmap(&[0], 0), mapped(0, 1));
    reference.legal(vunmap(0), Outcome::Done);
    assert_eq!(reference.kind(vmap(&[0], 1), Outcome::NoMemory), Kind::NoRoom);
    let mut reference = Reference::new(1);
    let draining = reference.start(1, Operation::DrainAliases {});
    reference.legal(vmap(&[0], 0), Outcome::NoMemory);
    reference.end(draining, &Outcome::Done).unwrap();
}

/// The page number of [`START`].
const FIRST: u64 = START / PAGE;

/// The kernel of these takes areas from pages 8 to 15 and no others.
#[test]
fn an_area_finds_room_between_those_that_stand_with_a_page_to_spare_on_each_side() {
    let places = |taken: &[(u64, u8)]| {
        let mut reference = Reference::new(2);
        reference.reset(2, FIRST + 8..FIRST + 16);
        for (number, (first, pages)) in (1..).zip(taken) {
            let of: Vec<u8> = (0..*pages).collect();
            reference.legal(vmap(&of, number), mapped(*first, *pages));
        }
        reference
    };
    assert_eq!(places(&[(8, 1)]).kind(vmap(&[0], 0), Outcome::NoMemory), Kind::NoRoom);
    assert_eq!(
        places(&[(11, 2)]).kind(vmap(&[0], 0), Outcome::NoMemory),
        Kind::NoRoom,
        "pages 8 to 10, and 13 to 15"
    );
    assert_eq!(places(&[(8, 1), (12, 1)]).kind(vmap(&[0], 0), Outcome::NoMemory), Kind::NoRoom);
    places(&[(10, 2), (14, 1)]).legal(vmap(&[0], 0), Outcome::NoMemory);
    places(&[(11, 2)]).legal(vmap(&[0, 1], 0), Outcome::NoMemory);
    assert_eq!(places(&[(12, 2)]).kind(vmap(&[0, 1], 0), Outcome::NoMemory), Kind::NoRoom);
}

#[test]
fn an_area_is_sure_of_no_room_where_the_reference_cannot_know_it() {
    let among = |room: Range<u64>| {
        let mut reference = Reference::new(2);
        reference.reset(2, FIRST + room.start..FIRST + room.end);
        reference
    };
    let taken = |room: Range<u64>| {
        let mut reference = among(room);
        reference.legal(vmap(&[1], 7), mapped(8, 1));
        reference
    };
    taken(0..0).legal(vmap(&[0], 0), Outcome::NoMemory);
    taken(9..32).legal(vmap(&[0], 0), Outcome::NoMemory);
    taken(0..8).legal(vmap(&[0], 0), Outcome::NoMemory);
    assert_eq!(taken(8..32).kind(vmap(&[0], 0), Outcome::NoMemory), Kind::NoRoom);
    let mut reference = among(8..32);
    reference.legal(Operation::MapRam { pages: pages(&[0]), ram: RamSlot::new(0) }, mapped(8, 1));
    reference.legal(vmap(&[0], 0), Outcome::NoMemory);
    let mut reference = taken(8..32);
    let draining = reference.start(1, Operation::DrainAliases {});
    reference.legal(vmap(&[0], 0), Outcome::NoMemory);
    reference.end(draining, &Outcome::Done).unwrap();
    taken(8..32).legal(Operation::Vmalloc { count: Count(1), area: area(0) }, Outcome::NoMemory);
}

#[test]
fn what_is_mapped_first_finds_room_and_a_buffer_of_a_page_where_memory_is_untouched() {
    let map_ram = Operation::MapRam { pages: pages(&[0]), ram: RamSlot::new(0) };
    let vmalloc = Operation::Vmalloc { count: Count(1), area: area(0) };
    let buffer = |of: &[u8]| Operation::DmaAlloc { pages: pages(of), buffer: BufferSlot::new(0) };
    for first in [map_ram, vmalloc, buffer(&[0])] {
        assert_eq!(Reference::new(2).kind(first, Outcome::NoMemory), Kind::NoRoom, "{first}");
        let mut reference = Reference::new(2);
        reference.legal(vmap(&[1], 7), mapped(8, 1));
        reference.legal(first, Outcome::NoMemory);
        let mut reference = Reference::new(2);
        let draining = reference.start(1, Operation::DrainAliases {});
        reference.legal(first, Outcome::NoMemory);
        reference.end(draining, &Outcome::Done).unwrap();
    }
    Reference::new(2).legal(buffer(&[0, 1]), Outcome::NoMemory);
    let mut reference = Reference::new(2);
    reference.legal(vmap(&[1], 7), mapped(8, 1));
    reference.legal(read(7), value(0));
    reference.legal(vunmap(7), Outcome::Done);
    assert_eq!(reference.kind(buffer(&[0]), Outcome::NoMemory), Kind::NoRoom, "no page came or went");
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
fn a_wide_device_reaches_every_page_whatever_became_of_memory() {
    let wide = |of: &[u8]| Operation::DmaAllocWide { pages: pages(of), buffer: BufferSlot::new(0) };
    let touched = || {
        let mut reference = Reference::new(2);
        reference.legal(Operation::AllocPage { page: page(5) }, Outcome::Done);
        reference
    };
    assert_eq!(touched().kind(wide(&[0]), Outcome::NoMemory), Kind::NoRoom);
    touched().legal(wide(&[0, 1]), Outcome::NoMemory);
    touched()
        .legal(Operation::DmaAlloc { pages: pages(&[0]), buffer: BufferSlot::new(0) }, Outcome::NoMemory);
}

#[test]
fn no_memory_is_legal_where_memory_is_needed_and_nowhere_else() {
    let alloc = Operation::AllocPage { page: page(9) };
    let map_ram = Operation::MapRam { pages: pages(&[2]), ram: RamSlot::new(0) };
    for needy in [alloc, vmap(&[2], 5), map_ram, Operation::MakeTable { page: page(2) }] {
        assert!(!with_aliases().legal(needy, Outcome::NoMemory).sole, "{needy}");
    }
    let free = Operation::FreePage { page: page(2) };
    for other in [free, vunmap(0), Operation::DrainAliases {}, read(0), write(0, 1)] {
        assert_eq!(with_aliases().kind(other, Outcome::NoMemory), Kind::NoMemory, "{other}");
    }
}

#[test]
fn an_address_space_may_fail_for_lack_of_memory_and_is_void_then() {
    let (mut reference, mm) = (with_aliases(), MmSlot::new(2));
    let enter = Operation::SwitchMm { to: Root::Mm(mm) };
    let drop = Operation::DropMm { mm };
    assert!(!reference.legal(Operation::NewMm { mm }, Outcome::NoMemory).sole);
    reference.legal(enter, Outcome::Void);
    reference.legal(drop, Outcome::Void);
    assert!(!reference.legal(Operation::NewMm { mm }, Outcome::Done).sole);
    assert!(reference.legal(enter, Outcome::Done).sole);
    assert_eq!(reference.legal(read(0), Outcome::Value(Token::ZERO)).outcome, Outcome::Value(Token::ZERO));
    assert!(reference.legal(drop, Outcome::Done).sole);
    reference.legal(Operation::NewMm { mm }, Outcome::Done);
    assert_eq!(reference.kind(enter, Outcome::NoMemory), Kind::NoMemory);
    let own = Operation::SwitchMm { to: Root::Init };
    assert_eq!(Reference::new(1).play(own, Outcome::Refused).unwrap_err().rule(), Rule::Hypervisor);
}

#[test]
fn an_object_may_fail_for_lack_of_memory_and_is_void_then_and_takes_memory_from_others_while_it_stands() {
    let (mut reference, object) = (Reference::new(1), ObjectSlot::new(3));
    let (new, drop) = (Operation::NewObject { count: Count(2), object }, Operation::DropObject { object });
    assert!(!reference.legal(new, Outcome::NoMemory).sole);
    reference.legal(drop, Outcome::Void);
    reference.legal(new, Outcome::Done);
    reference.legal(vmap(&[0], 5), Outcome::NoMemory);
    assert!(reference.legal(drop, Outcome::Done).sole);
    assert_eq!(reference.kind(vmap(&[0], 6), Outcome::NoMemory), Kind::NoRoom);
    reference.legal(new, Outcome::Done);
    assert_eq!(reference.kind(drop, Outcome::NoMemory), Kind::NoMemory);
}

#[test]
fn nothing_is_sure_of_room_while_address_spaces_take_memory_nor_a_large_area_of_pages() {
    let (mut reference, mm) = (Reference::new(1), MmSlot::new(0));
    let vmalloc = |count| Operation::Vmalloc { count: Count(count), area: area(7) };
    reference.legal(Operation::NewMm { mm }, Outcome::Done);
    reference.legal(vmap(&[0], 5), Outcome::NoMemory);
    reference.legal(vmalloc(1), Outcome::NoMemory);
    reference.legal(Operation::DropMm { mm }, Outcome::Done);
    assert_eq!(reference.kind(vmap(&[0], 6), Outcome::NoMemory), Kind::NoRoom);
    let mut fresh = Reference::new(1);
    fresh.legal(vmalloc(8), Outcome::NoMemory);
    assert_eq!(Reference::new(1).kind(vmalloc(4), Outcome::NoMemory), Kind::NoRoom);
}
