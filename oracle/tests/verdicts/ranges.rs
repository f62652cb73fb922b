//! Where mappings may lie, and for how long.
use oracle::vocabulary::{Mapping, Operation, Outcome, RamSlot, Range};
use oracle::{Kind, Reference};

use crate::told::{PAGE, START, Told, area, mapped, page, pages, vmap, vunmap};

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
fn a_mapping_that_failed_does_not_stand() {
    let mut reference = Reference::new(1);
    let map_ram = Operation::MapRam { pages: pages(&[0]), ram: RamSlot::new(0) };
    let draining = reference.start(1, Operation::DrainAliases {});
    reference.legal(map_ram, Outcome::NoMemory);
    reference.end(draining, &Outcome::Done).unwrap();
    assert_eq!(reference.live_mappings().count(), 0);
    assert_eq!(reference.live_pages().count(), 1);
}
