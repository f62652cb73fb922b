//! Pages that move, and pages that leave memory.
use oracle::vocabulary::{Backing, Destination, ObjectSlot, Operation, Outcome, UserAccess};
use oracle::{Kind, Reference, UserPageView};

use crate::told::{Told, value};
use crate::user::{at, load, map, range, store, with_user};

use Outcome::{Done, Fault, NoMemory};

fn mremap(page: u8, count: u8, to: u8) -> Operation {
    Operation::Mremap { at: range(page, count), to: Destination(to) }
}

fn seen(reference: &Reference, page: u8) -> UserPageView {
    reference.user_page(at(range(0, 1).mm, page))
}

#[test]
fn what_moves_is_found_by_its_new_address_alone() {
    let mut reference = with_user();
    reference.legal(store(0, 5), Done);
    reference.legal(store(2, 6), Done);
    reference.legal(mremap(0, 3, 8), Done);
    for (page, found) in [(8, 5), (9, 0), (10, 6)] {
        assert!(reference.legal(load(page), value(found)).sole, "{page}");
        assert!(reference.legal(load(page - 8), Fault).sole, "{page}");
        assert_eq!(reference.kind(load(page), value(9)), Kind::NeverPossible, "{page}");
    }
    // It is shared as before, and the copy is a copy.
    reference.legal(store(9, 7), Done);
    assert!(reference.legal(load(10), value(6)).sole);
}

#[test]
fn what_was_mapped_where_pages_move_to_is_gone_also_where_nothing_moves() {
    let mut reference = with_user();
    reference.legal(map(range(5, 2), Backing::Anonymous, UserAccess::Writable), Done);
    reference.legal(store(6, 5), Done);
    reference.legal(mremap(0, 1, 5), Done);
    assert!(reference.legal(load(5), value(0)).sole);
    reference.legal(mremap(10, 1, 6), Done);
    assert!(reference.legal(load(6), Fault).sole);
}

#[test]
fn a_range_that_overlaps_where_it_moves_to_is_refused_and_no_other() {
    let mut reference = with_user();
    for (page, count, to) in [(0, 2, 1), (1, 2, 0), (3, 1, 3)] {
        assert!(reference.legal(mremap(page, count, to), Fault).sole);
        assert_eq!(reference.kind(mremap(page, count, to), Done), Kind::WrongForm);
    }
    assert_eq!(with_user().kind(mremap(0, 2, 2), Fault), Kind::WrongForm);
    let mut reference = with_user();
    // No page moves beyond the last: of four one does.
    reference.legal(mremap(0, 4, 15), Done);
    assert!(reference.legal(load(15), value(0)).sole);
    assert!(reference.legal(load(1), value(0)).sole);
}

#[test]
fn where_there_was_no_memory_pages_may_be_at_either_address_or_at_none() {
    let mut reference = with_user();
    reference.legal(store(0, 5), Done);
    reference.legal(mremap(0, 1, 8), NoMemory);
    for page in [0, 8] {
        assert!(!reference.legal(load(page), value(5)).sole);
        assert!(!reference.legal(load(page), Fault).sole);
    }
}

#[test]
fn while_pages_move_what_overlaps_may_find_them_at_either_address() {
    let mut reference = with_user();
    reference.legal(store(0, 5), Done);
    let moving = reference.start(0, mremap(0, 1, 8));
    assert!(!seen(&reference, 0).is_certain && !seen(&reference, 8).is_certain);
    for page in [0, 8] {
        for outcome in [value(5), Fault] {
            let ticket = reference.start(1, load(page));
            assert!(reference.end(ticket, &outcome).is_ok(), "{page} {outcome:?}");
        }
    }
    // What is stored at the old address meanwhile moves too, and so does what is unmapped.
    let ticket = reference.start(1, store(0, 6));
    assert!(reference.end(ticket, &Done).is_ok());
    assert!(reference.end(moving, &Done).is_ok());
    assert_eq!(reference.kind(load(0), value(6)), Kind::NotMapped);
    reference.legal(load(8), value(6));
    assert_eq!(reference.kind(load(8), value(9)), Kind::NeverPossible);
}

#[test]
fn what_becomes_of_pages_while_they_move_becomes_of_them_where_they_move_to() {
    let mut reference = with_user();
    reference.legal(store(0, 5), Done);
    let moving = reference.start(0, mremap(0, 1, 8));
    let next = reference.start(1, mremap(8, 1, 12));
    let dontneed = reference.start(2, Operation::Dontneed { at: range(0, 1) });
    for ticket in [dontneed, next, moving] {
        assert!(reference.end(ticket, &Done).is_ok());
    }
    for page in [8, 12] {
        reference.legal(load(page), Fault);
    }
    assert!(seen(&reference, 12).may_be_mapped && seen(&reference, 8).may_be_mapped);
    reference.legal(load(12), value(0));
}

#[test]
fn pages_that_leave_memory_hold_what_they_held_and_nothing_is_certain_meanwhile() {
    let mut reference = with_user();
    reference.legal(store(1, 5), Done);
    let reclaim = Operation::Reclaim { object: ObjectSlot::new(0) };
    let ticket = reference.start(0, reclaim);
    assert!(!seen(&reference, 1).is_certain && seen(&reference, 1).may_be_written);
    assert!(reference.end(ticket, &Done).is_ok());
    assert!(seen(&reference, 1).is_certain);
    assert!(reference.legal(load(1), value(5)).sole);
    assert_eq!(reference.kind(reclaim, NoMemory), Kind::NoMemory);
}

#[test]
fn what_may_have_moved_on_one_backend_and_not_on_another_is_not_compared() {
    let mut reference = Reference::new(1);
    let mm = range(0, 1).mm;
    reference.legal(Operation::NewMm { mm }, Done);
    let protect = Operation::Mprotect { at: range(1, 1), access: UserAccess::Readable };
    let protecting = reference.start(1, protect);
    reference.legal(mremap(2, 1, 1), NoMemory);
    assert!(!reference.legal(load(1), Fault).sole);
    // The change of permissions began when all was certain still.
    assert!(reference.end(protecting, &Done).is_ok());
    assert!(!reference.legal(load(1), Fault).sole);
    reference.legal(protect, Done);
    assert!(!reference.legal(load(1), Fault).sole);
    reference.legal(Operation::Munmap { at: range(1, 1) }, Done);
    assert!(reference.legal(load(1), Fault).sole, "now it is certain");
}
