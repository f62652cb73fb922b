//! What verdicts and rules say to people.

use oracle::vocabulary::Outcome;
use oracle::{Kind, Rule};

use crate::told::{Told, mapped, pages, read, value, vmap, with_aliases};

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
fn a_ticket_and_a_verdict_know_their_cpu() {
    let mut reference = with_aliases();
    let ticket = reference.start(3, read(0));
    assert_eq!(ticket.cpu(), 3);
    assert_eq!(reference.end(ticket, &Outcome::Fault).unwrap_err().cpu, 3);
}
