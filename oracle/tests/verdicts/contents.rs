//! What may be read: what a page holds, as far as writes and reads tell.

use oracle::Kind;
use oracle::vocabulary::{Operation, Outcome, Token};

use crate::told::{Told, mapped, page, read, value, vmap, vunmap, with_aliases, write};

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
fn reset_forgets_everything() {
    let mut reference = with_aliases();
    reference.legal(write(0, 7), Outcome::Done);
    reference.legal(vunmap(2), Outcome::Done);
    reference.legal(Operation::MakeTable { page: page(1) }, Outcome::Done);
    let _abandoned = reference.start(1, write(0, 8));
    reference.reset(1, 0..0);
    assert_eq!(format!("{:?}", reference.live_pages().collect::<Vec<_>>()), "[p0]");
    assert_eq!((reference.live_mappings().count(), reference.live_tables().count()), (0, 0));
    assert_eq!((reference.possible(page(0)), reference.possible(page(1))), (&[Token::ZERO][..], &[][..]));
    reference.legal(vmap(&[0], 0), mapped(0, 1));
    assert!(reference.legal(read(0), value(0)).sole);
}
