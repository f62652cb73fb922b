//! Pins: which pages a kernel may pin, and what pins show.
use oracle::vocabulary::{
    Backing, MAX_PAGES, Operation, Outcome, PinSlot, Pinned, PinnedPage, Token, UserAccess, UserRange,
};
use oracle::{Kind, Reference, Rule};

use crate::told::{Told, value};
use crate::user::{load, map, range, store, with_user};

use Outcome::{Done, Fault};
use UserAccess::{Readable, Writable};

const PINS: PinSlot = PinSlot::new(0);

fn pin(at: UserRange, access: UserAccess) -> Operation {
    Operation::GupFast { at, access, pins: PINS }
}

fn pinned(count: u8) -> Outcome {
    Outcome::Pinned(Pinned { count, frames: [0; MAX_PAGES] })
}

fn read(page: u8) -> Operation {
    Operation::PinRead { at: PinnedPage { pins: PINS, page } }
}

fn write(page: u8, token: u32) -> Operation {
    Operation::PinWrite { at: PinnedPage { pins: PINS, page }, token: Token(token) }
}

/// Page 0, which is anonymous, and 1, which is shared, are pinned to be written.
fn with_pins() -> Reference {
    let mut reference = with_user();
    reference.legal(pin(range(0, 2), Writable), pinned(2));
    reference
}

#[test]
fn a_kernel_may_pin_fewer_pages_and_none_that_are_not_mapped() {
    for (count, kind) in [(0, None), (3, None), (4, Some(Kind::PinnedUnmapped)), (5, Some(Kind::WrongLength))]
    {
        let said = with_user().play(pin(range(0, 4), Readable), pinned(count));
        assert_eq!(said.as_ref().err().map(|illegal| illegal.kind), kind, "{count}");
        assert!(said.is_err() || !said.unwrap().sole, "how many is its own choice");
    }
    assert_eq!(Kind::PinnedUnmapped.rule(), Rule::Frames);
    assert_eq!(with_user().kind(pin(range(0, 1), Readable), Done), Kind::WrongForm);
}

#[test]
fn a_page_is_pinned_to_be_written_only_where_it_can_be() {
    let mut reference = with_user();
    reference.legal(Operation::Mprotect { at: range(0, 1), access: Readable }, Done);
    assert_eq!(reference.kind(pin(range(0, 1), Writable), pinned(1)), Kind::PinnedUnmapped);
    let mut reference = with_user();
    reference.legal(Operation::Mprotect { at: range(0, 1), access: Readable }, Done);
    reference.legal(pin(range(0, 1), Readable), pinned(1));
}

#[test]
fn a_page_that_is_unmapped_meanwhile_may_be_pinned() {
    let mut reference = with_user();
    let pinning = reference.start(1, pin(range(0, 1), Writable));
    reference.legal(Operation::Munmap { at: range(0, 1) }, Done);
    reference.end(pinning, &pinned(1)).unwrap();
    let mut reference = with_user();
    reference.legal(Operation::Munmap { at: range(0, 1) }, Done);
    assert_eq!(reference.kind(pin(range(0, 1), Writable), pinned(1)), Kind::PinnedUnmapped);
}

#[test]
fn a_pin_and_its_owner_see_each_other() {
    let mut reference = with_pins();
    reference.legal(store(0, 5), Done);
    assert!(reference.legal(read(0), value(5)).sole);
    assert!(reference.legal(write(0, 6), Done).sole);
    assert!(reference.legal(load(0), value(6)).sole);
    let illegal = reference.play(read(0), value(5)).unwrap_err();
    assert_eq!((illegal.kind, illegal.rule()), (Kind::PinStrayed, Rule::Pins));
}

#[test]
fn a_pin_outlives_what_was_mapped() {
    let mut reference = with_pins();
    reference.legal(store(0, 5), Done);
    reference.legal(map(range(0, 1), Backing::Anonymous, Writable), Done);
    reference.legal(read(0), value(5));
    reference.legal(write(0, 6), Done);
    assert_eq!(reference.kind(load(0), value(6)), Kind::NeverPossible);
}

#[test]
fn a_pin_to_be_read_shows_the_object_and_no_private_write() {
    let mut reference = with_user();
    reference.legal(pin(range(2, 1), Readable), pinned(1));
    reference.legal(store(2, 5), Done);
    reference.legal(store(1, 6), Done);
    assert!(reference.legal(read(0), value(6)).sole);
    assert_eq!(reference.kind(read(0), value(5)), Kind::PinStrayed);
}

#[test]
fn a_pin_to_be_written_makes_the_copy_of_a_private_page() {
    let mut reference = with_user();
    reference.legal(store(1, 5), Done);
    reference.legal(pin(range(2, 1), Writable), pinned(1));
    reference.legal(store(1, 6), Done);
    assert!(reference.legal(read(0), value(5)).sole);
    assert!(reference.legal(load(2), value(5)).sole);
    reference.legal(write(0, 7), Done);
    assert!(reference.legal(load(2), value(7)).sole);
    assert_eq!(reference.kind(load(1), value(7)), Kind::NeverPossible);
}

#[test]
fn a_kernel_that_pinned_none_may_have_copied_or_not() {
    for found in [0, 6] {
        let mut reference = with_user();
        reference.legal(pin(range(2, 1), Writable), pinned(0));
        reference.legal(store(1, 6), Done);
        assert!(!reference.legal(load(2), value(found)).sole);
    }
}

#[test]
fn a_copy_may_hold_what_was_stored_to_the_object_meanwhile() {
    for found in [0, 6] {
        let mut reference = with_user();
        let pinning = reference.start(1, pin(range(2, 1), Writable));
        reference.legal(store(1, 6), Done);
        reference.end(pinning, &pinned(1)).unwrap();
        reference.legal(store(1, 7), Done);
        reference.legal(read(0), value(found));
        assert_eq!(reference.kind(read(0), value(7)), Kind::PinStrayed);
    }
}

#[test]
fn what_was_not_pinned_here_faults_and_is_not_compared() {
    let short = || {
        let mut reference = with_user();
        reference.legal(pin(range(0, 2), Writable), pinned(1));
        reference
    };
    assert!(!short().legal(read(1), Fault).sole);
    assert!(!short().legal(write(1, 5), Fault).sole);
    assert_eq!(short().kind(read(1), value(0)), Kind::Phantom);
    assert_eq!(short().kind(write(1, 5), Done), Kind::Phantom);
    assert_eq!(short().kind(read(0), Fault), Kind::Faulted);
    assert_eq!(short().kind(write(0, 5), Fault), Kind::Faulted);
    let mut reference = short();
    reference.legal(write(1, 5), Fault);
    assert!(!reference.legal(load(1), value(0)).sole, "other backends may have pinned and written it");
}

#[test]
fn what_is_pinned_to_be_read_is_not_written() {
    let for_reads = || {
        let mut reference = with_user();
        reference.legal(pin(range(0, 2), Readable), pinned(1));
        reference
    };
    assert!(for_reads().legal(write(0, 5), Fault).sole);
    let illegal = for_reads().play(write(0, 5), Done).unwrap_err();
    assert_eq!((illegal.kind, illegal.rule()), (Kind::Permitted, Rule::Permissions));
}

#[test]
fn pins_stand_until_a_caller_lets_go_of_them() {
    let mut reference = with_pins();
    let all = |reference: &Reference| reference.pins().collect::<Vec<_>>();
    assert_eq!(all(&reference), [(PINS, 2)]);
    let letting_go = reference.start(1, Operation::Unpin { pins: PINS });
    assert_eq!(all(&reference), []);
    reference.end(letting_go, &Done).unwrap();
    reference.legal(pin(range(0, 1), Readable), pinned(0));
    assert_eq!(all(&reference), [(PINS, 0)]);
}

#[test]
fn a_forced_pin_is_of_the_copy_where_the_page_may_only_be_read_and_of_none_that_is_shared() {
    let mut reference = with_user();
    for page in [1, 2] {
        reference.legal(Operation::Mprotect { at: range(page, 1), access: UserAccess::Readable }, Done);
    }
    let forced = |page| Operation::GupForced { at: range(page, 1), pins: PINS };
    assert_eq!(reference.kind(forced(1), pinned(1)), Kind::PinnedUnmapped);
    let mut reference = with_user();
    reference.legal(Operation::Mprotect { at: range(2, 1), access: UserAccess::Readable }, Done);
    reference.legal(forced(2), pinned(1));
    reference.legal(write(0, 5), Done);
    reference.legal(load(2), value(5));
    assert_eq!(reference.kind(load(1), value(5)), Kind::NeverPossible);
}
