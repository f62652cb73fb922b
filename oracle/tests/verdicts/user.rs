//! User memory: which answers are legal, and what is possible meanwhile.
use oracle::vocabulary::{
    Backing, Count, MmSlot, ObjectPage, ObjectSlot, Operation, Outcome, UserAccess, UserPage, UserRange,
};
use oracle::{Kind, Reference, Rule, UserPageView};

use crate::told::{Told, value};

use Outcome::{Done, Fault, NoMemory};
use UserAccess::{Readable, Writable};

const MM: MmSlot = MmSlot::new(0);
const OTHER: MmSlot = MmSlot::new(1);
const OBJECT: ObjectSlot = ObjectSlot::new(0);

pub(crate) const fn at(mm: MmSlot, page: u8) -> UserPage {
    UserPage { mm, page }
}

pub(crate) const fn range(page: u8, count: u8) -> UserRange {
    UserRange { mm: MM, page, count }
}

pub(crate) const fn object(page: u8) -> ObjectPage {
    ObjectPage { object: OBJECT, page }
}

pub(crate) fn map(at: UserRange, what: Backing, access: UserAccess) -> Operation {
    Operation::Mmap { at, what, access }
}

fn unmap(page: u8) -> Operation {
    Operation::Munmap { at: range(page, 1) }
}

fn protect(page: u8, access: UserAccess) -> Operation {
    Operation::Mprotect { at: range(page, 1), access }
}

fn dontneed(page: u8) -> Operation {
    Operation::Dontneed { at: range(page, 1) }
}

pub(crate) fn load(page: u8) -> Operation {
    Operation::Load { at: at(MM, page) }
}

pub(crate) fn store(page: u8, token: u32) -> Operation {
    Operation::Store { at: at(MM, page), token: oracle::vocabulary::Token(token) }
}

/// In `m0` page 0 is anonymous, 1 shared and 2 private, both of the same page of an object with one page; 3 is mapped beyond its
/// end. Page 1 of `m1` is shared too. All can be written.
pub(crate) fn with_user() -> Reference {
    let mut reference = Reference::new(1);
    reference.legal(Operation::NewMm { mm: MM }, Done);
    reference.legal(Operation::NewMm { mm: OTHER }, Done);
    reference.legal(Operation::NewObject { count: Count(1), object: OBJECT }, Done);
    reference.legal(map(range(0, 1), Backing::Anonymous, Writable), Done);
    reference.legal(map(range(1, 1), Backing::Shared(object(0)), Writable), Done);
    reference.legal(map(range(2, 2), Backing::Private(object(0)), Writable), Done);
    let other = UserRange { mm: OTHER, page: 1, count: 1 };
    reference.legal(map(other, Backing::Shared(object(0)), Writable), Done);
    reference
}

fn view(reference: &Reference, page: u8) -> (bool, bool, bool) {
    let UserPageView { may_be_mapped, may_be_written, is_certain } = reference.user_page(at(MM, page));
    (may_be_mapped, may_be_written, is_certain)
}

#[test]
fn memory_begins_as_zeroes_and_holds_what_was_stored_last() {
    let mut reference = with_user();
    assert!(reference.legal(load(0), value(0)).sole);
    assert!(reference.legal(store(0, 5), Done).sole);
    assert!(reference.legal(load(0), value(5)).sole);
    assert_eq!(reference.kind(load(0), value(0)), Kind::NeverPossible);
    assert!(!with_user().legal(load(0), NoMemory).sole);
}

#[test]
fn an_access_to_what_is_mapped_never_faults_and_one_to_what_is_not_always_does() {
    assert_eq!(with_user().kind(load(0), Fault), Kind::Faulted);
    assert_eq!(with_user().kind(store(0, 5), Fault), Kind::Faulted);
    for page in [3, 4] {
        assert!(with_user().legal(load(page), Fault).sole);
        assert!(with_user().legal(store(page, 5), Fault).sole);
        let illegal = with_user().play(load(page), value(0)).unwrap_err();
        assert_eq!((illegal.kind, illegal.rule()), (Kind::NotMapped, Rule::UserRevocation));
        assert_eq!(with_user().kind(store(page, 5), Done), Kind::NotMapped);
    }
}

#[test]
fn what_is_shared_is_seen_everywhere_and_a_private_copy_nowhere_else() {
    let mut reference = with_user();
    reference.legal(store(1, 5), Done);
    reference.legal(load(2), value(5));
    reference.legal(store(2, 6), Done);
    let elsewhere = Operation::Load { at: at(OTHER, 1) };
    assert!(reference.legal(elsewhere, value(5)).sole);
    assert!(reference.legal(load(2), value(6)).sole);
    reference.legal(store(1, 7), Done);
    assert!(reference.legal(load(2), value(6)).sole);
    assert_eq!(reference.kind(elsewhere, value(6)), Kind::NeverPossible);
}

#[test]
fn dontneed_begins_anew_what_is_anonymous_drops_a_copy_and_leaves_what_is_shared() {
    for (page, found) in [(0, 0), (1, 5), (2, 5)] {
        let mut reference = with_user();
        reference.legal(store(1, 5), Done);
        if page != 1 {
            reference.legal(store(page, 6), Done);
        }
        reference.legal(dontneed(page), Done);
        assert!(reference.legal(load(page), value(found)).sole, "{page}");
        assert_eq!(reference.kind(load(page), value(6)), Kind::NeverPossible, "{page}");
    }
}

#[test]
fn permissions_follow_the_last_change_and_reach_no_page_that_is_not_mapped() {
    let mut reference = with_user();
    reference.legal(protect(0, Readable), Done);
    assert_eq!(view(&reference, 0), (true, false, true));
    assert!(reference.legal(store(0, 5), Fault).sole);
    assert!(reference.legal(load(0), value(0)).sole);
    reference.legal(protect(4, Writable), Done);
    assert!(reference.legal(load(4), Fault).sole);
    assert_eq!(reference.kind(store(0, 5), Done), Kind::NotMapped);
}

#[test]
fn a_page_that_was_mapped_anew_holds_nothing_of_the_old() {
    let mut reference = with_user();
    reference.legal(store(0, 5), Done);
    reference.legal(map(range(0, 1), Backing::Anonymous, Readable), Done);
    assert_eq!(view(&reference, 0), (true, false, true));
    assert_eq!(reference.kind(load(0), value(5)), Kind::NeverPossible);
}

#[test]
fn an_object_that_was_dropped_lives_on_where_it_is_mapped_and_not_in_its_slot() {
    let mut reference = with_user();
    reference.legal(store(1, 5), Done);
    reference.legal(Operation::DropObject { object: OBJECT }, Done);
    reference.legal(Operation::NewObject { count: Count(1), object: OBJECT }, Done);
    reference.legal(map(range(4, 1), Backing::Shared(object(0)), Writable), Done);
    reference.legal(load(1), value(5));
    reference.legal(load(4), value(0));
    assert_eq!(reference.kind(load(4), value(5)), Kind::NeverPossible);
}

#[test]
fn an_access_that_overlaps_an_unmap_may_go_either_way_and_none_does_afterwards() {
    for outcome in [value(0), Fault] {
        for access_first in [true, false] {
            let mut reference = with_user();
            let tickets = if access_first {
                let loading = reference.start(1, load(0));
                (loading, reference.start(0, unmap(0)))
            } else {
                let unmapping = reference.start(0, unmap(0));
                (reference.start(1, load(0)), unmapping)
            };
            assert_eq!(view(&reference, 0), (true, true, false));
            assert!(!reference.end(tickets.0, &outcome).unwrap().sole);
            reference.end(tickets.1, &Done).unwrap();
            assert_eq!(view(&reference, 0), (false, false, true));
            assert_eq!(reference.kind(load(0), value(0)), Kind::NotMapped);
        }
    }
}

#[test]
fn a_load_that_overlaps_a_change_of_memory_finds_the_old_or_the_new_and_teaches_nothing() {
    for (found, legal) in [(5, true), (0, true), (6, false)] {
        let mut reference = with_user();
        reference.legal(store(0, 5), Done);
        let loading = reference.start(1, load(0));
        reference.legal(map(range(0, 1), Backing::Anonymous, Writable), Done);
        assert_eq!(reference.end(loading, &value(found)).is_ok(), legal, "{found}");
    }
}

#[test]
fn a_store_that_overlaps_a_change_of_memory_lands_in_either_and_removes_nothing() {
    for found in [0, 6] {
        let mut reference = with_user();
        let storing = reference.start(1, store(0, 6));
        reference.legal(dontneed(0), Done);
        reference.end(storing, &Done).unwrap();
        assert!(!reference.legal(load(0), value(found)).sole, "{found}");
    }
}

#[test]
fn the_second_of_two_unmaps_promises_nothing_for_the_first() {
    let both = || {
        let mut reference = with_user();
        let first = reference.start(1, unmap(0));
        reference.legal(unmap(0), Done);
        (reference, first)
    };
    let (mut reference, _first) = both();
    reference.legal(load(0), value(0));
    let (mut reference, first) = both();
    reference.end(first, &Done).unwrap();
    assert_eq!(reference.kind(load(0), value(0)), Kind::NotMapped);
}

#[test]
fn a_store_by_an_old_translation_copies_nothing() {
    let mut reference = with_user();
    let first = reference.start(1, unmap(0));
    reference.legal(unmap(0), Done);
    reference.legal(map(range(0, 1), Backing::Private(object(0)), Writable), Done);
    reference.legal(store(0, 5), Done);
    reference.end(first, &Done).unwrap();
    reference.legal(store(1, 6), Done);
    reference.legal(load(0), value(6));
}

#[test]
fn a_change_of_permissions_in_flight_hides_nothing_from_an_unmap() {
    let mut reference = with_user();
    let protecting = reference.start(1, protect(0, Readable));
    reference.legal(unmap(0), Done);
    assert_eq!(reference.kind(load(0), value(0)), Kind::NotMapped);
    reference.end(protecting, &Done).unwrap();
}

#[test]
fn two_maps_that_overlap_leave_one_of_both() {
    let shared = map(range(0, 1), Backing::Shared(object(0)), Writable);
    for found in [0, 5] {
        let mut reference = with_user();
        reference.legal(store(0, 4), Done);
        reference.legal(store(1, 5), Done);
        let first = reference.start(1, map(range(0, 1), Backing::Anonymous, Writable));
        let second = reference.start(2, shared);
        reference.end(first, &Done).unwrap();
        reference.end(second, &Done).unwrap();
        assert_eq!(view(&reference, 0), (true, true, false));
        assert!(!reference.legal(load(0), value(found)).sole);
        assert_eq!(reference.kind(load(0), value(4)), Kind::NeverPossible);
    }
}

#[test]
fn two_stores_to_a_private_page_make_one_copy() {
    let mut reference = with_user();
    let (first, second) = (reference.start(1, store(2, 5)), reference.start(2, store(2, 6)));
    reference.end(first, &Done).unwrap();
    reference.end(second, &Done).unwrap();
    reference.legal(load(2), value(6));
    reference.legal(load(1), value(0));
    assert_eq!(reference.kind(load(2), value(0)), Kind::NeverPossible, "it is copied");
}

#[test]
fn what_had_no_memory_may_have_happened_in_part_and_is_not_compared() {
    let mut reference = with_user();
    reference.legal(unmap(0), NoMemory);
    assert_eq!(view(&reference, 0), (true, true, false));
    assert!(!reference.legal(load(0), value(0)).sole);
    assert!(!reference.legal(load(0), Fault).sole);
    reference.legal(map(range(0, 1), Backing::Anonymous, Writable), Done);
    assert!(reference.legal(load(0), value(0)).sole);
    // The store may have copied the page, or not.
    reference.legal(store(2, 5), NoMemory);
    reference.legal(store(1, 6), Done);
    assert!(!reference.legal(load(2), value(0)).sole);
    assert!(!reference.legal(load(2), value(6)).sole);
    assert_eq!(reference.kind(load(2), value(5)), Kind::NeverPossible);
}

#[test]
fn what_was_void_here_is_not_compared_until_the_page_is_mapped_anew() {
    let (mut reference, absent) = (with_user(), ObjectSlot::new(1));
    reference.legal(Operation::NewObject { count: Count(1), object: absent }, NoMemory);
    let void = map(range(0, 1), Backing::Shared(ObjectPage { object: absent, page: 0 }), Writable);
    reference.legal(void, Outcome::Void);
    assert!(!reference.legal(load(0), value(0)).sole);
    reference.legal(protect(0, Writable), Done);
    assert!(!reference.legal(store(0, 5), Done).sole);
    reference.legal(unmap(0), Done);
    assert!(reference.legal(load(0), Fault).sole);
    let mm = MmSlot::new(2);
    reference.legal(Operation::NewMm { mm }, NoMemory);
    assert!(reference.legal(load(1), value(0)).sole);
    reference.legal(Operation::Store { at: at(mm, 0), token: oracle::vocabulary::Token(9) }, Outcome::Void);
    assert!(!reference.legal(load(1), value(0)).sole, "others may have stored to the object");
    reference.legal(store(1, 6), Done);
    assert!(reference.legal(load(1), value(6)).sole);
}

#[test]
fn an_address_space_begins_empty_each_time_and_a_story_forgets_all() {
    let mut reference = with_user();
    reference.legal(store(0, 5), Done);
    reference.legal(Operation::DropMm { mm: MM }, Done);
    assert_eq!(view(&reference, 0), (false, false, false));
    reference.legal(Operation::NewMm { mm: MM }, Done);
    assert!(reference.legal(load(0), Fault).sole);
    reference.reset(1, 0..0);
    assert_eq!(view(&reference, 0), (false, false, false));
    reference.legal(Operation::NewMm { mm: MM }, Done);
    reference.legal(map(range(0, 1), Backing::Anonymous, Writable), Done);
    assert_eq!(reference.kind(load(0), value(5)), Kind::NeverPossible);
}

#[test]
fn the_answer_to_another_operation_is_none_of_user_memory() {
    assert_eq!(with_user().kind(load(0), Done), Kind::WrongForm);
    assert_eq!(with_user().kind(store(0, 1), value(1)), Kind::WrongForm);
    assert_eq!(with_user().kind(dontneed(0), NoMemory), Kind::NoMemory);
    assert_eq!(with_user().kind(Operation::FreeTables { at: range(0, 4) }, NoMemory), Kind::NoMemory);
    let mut reference = with_user();
    assert!(reference.legal(Operation::FreeTables { at: range(0, 4) }, Done).sole);
    assert_eq!(view(&reference, 0), (true, true, true));
}
