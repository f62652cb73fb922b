//! Pages that are freed, marked, or given the role of a table, one by one or as a tree.
use oracle::vocabulary::{Call, Operation, Outcome, Token, TreeSlot};
use oracle::{Kind, Reference};

use crate::told::{Told, mapped, page, pages, read, value, vmap, vunmap, with_aliases, write};

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
