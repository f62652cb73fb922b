//! What may be held against another backend, and what never: whatever had a choice.

use oracle::Verdict;
use oracle::vocabulary::{Operation, Outcome, Token};

use crate::told::{Told, page, read, value, vmap, with_aliases, write};

#[test]
fn what_overlaps_anything_is_not_compared() {
    let mut reference = with_aliases();
    assert!(reference.legal(read(0), value(0)).sole);
    let draining = reference.start(1, Operation::DrainAliases {});
    assert!(!reference.legal(read(0), value(0)).sole);
    assert!(!reference.end(draining, &Outcome::Done).unwrap().sole);
    assert!(reference.legal(Operation::DrainAliases {}, Outcome::Done).sole);
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
