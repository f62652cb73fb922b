//! Answers that are legal for some operations and not for others: refused, void, would sleep, and those of another form.
use oracle::vocabulary::{Call, Level, Operation, Outcome, RamSlot, RawEntry, TableEntry, TreeSlot};
use oracle::{Kind, Reference, Rule};

use crate::told::{
    Told, coherent, dma_alloc, mapped, page, pages, read, value, vmap, vunmap, with_aliases, write,
};

#[test]
fn a_refusal_breaks_the_rule_of_the_hypervisor() {
    let illegal =
        Reference::new(1).play(Operation::MakeTable { page: page(0) }, Outcome::Refused).unwrap_err();
    assert_eq!((illegal.kind, illegal.rule()), (Kind::Refused, Rule::Hypervisor));
    assert_eq!(illegal.headline(), "the hypervisor refused");
}

#[test]
fn a_hypercall_of_the_caller_s_own_may_be_refused_and_what_it_names_holds_nothing_to_judge() {
    let update = Operation::HvUpdate { at: TableEntry { table: page(0), index: 0 }, entry: RawEntry::Empty };
    let pin = Operation::HvPin { page: page(0), level: Level(1) };
    for call in [update, pin, Operation::HvUnpin { page: page(0) }, Operation::HvFlush {}] {
        let given_up = || {
            let mut reference = Reference::new(1);
            if matches!(call, Operation::HvUnpin { .. }) {
                reference.legal(pin, Outcome::Refused);
            }
            reference
        };
        for outcome in [Outcome::Done, Outcome::Refused] {
            let mut reference = given_up();
            assert_eq!(reference.play(call, outcome).map(|verdict| verdict.sole), Ok(false));
            assert_eq!(reference.possible(page(0)).is_empty(), call != Operation::HvFlush {}, "{call}");
        }
        for outcome in [Outcome::Fault, Outcome::NoMemory, Outcome::WouldSleep, Outcome::Void] {
            assert!(given_up().play(call, outcome).is_err(), "{call}: {outcome}");
        }
    }
    let write = Operation::HvWrite { at: TableEntry { table: page(0), index: 0 } };
    let mut reference = Reference::new(1);
    reference.legal(pin, Outcome::Done);
    assert!(reference.play(write, Outcome::Fault).is_ok());
}

#[test]
fn a_drain_would_sleep_exactly_with_interrupts_off() {
    let drain = |irqs_off, outcome| {
        let mut reference = Reference::new(1);
        let ticket = reference.begin(0, &Call { operation: Operation::DrainAliases {}, irqs_off });
        reference.end(ticket, &outcome).map_err(|illegal| illegal.kind).map(|verdict| verdict.sole)
    };
    assert_eq!(drain(false, Outcome::Done), Ok(true));
    assert_eq!(drain(true, Outcome::WouldSleep), Ok(true));
    assert_eq!(drain(true, Outcome::Done), Err(Kind::WaitedWithIrqsOff));
    assert_eq!(drain(false, Outcome::WouldSleep), Err(Kind::WouldSleep));
}

#[test]
fn a_table_asked_for_with_interrupts_off_is_made_or_would_sleep() {
    let tree = TreeSlot::new(0);
    let operations =
        [Operation::MakeTable { page: page(0) }, Operation::PinTree { pages: pages(&[0, 1]), tree }];
    for operation in operations {
        let judge = |irqs_off, outcome| {
            let mut reference = Reference::new(2);
            let ticket = reference.begin(0, &Call { operation, irqs_off });
            let judged = reference.end(ticket, &outcome).map_err(|illegal| illegal.kind);
            judged.map(|verdict| (verdict.sole, reference.possible(page(0)).len()))
        };
        assert_eq!(judge(true, Outcome::WouldSleep), Ok((false, 1)), "{operation} leaves the page");
        assert_eq!(judge(true, Outcome::Done), Ok((false, 0)), "{operation} takes it");
        assert_eq!(judge(false, Outcome::WouldSleep), Err(Kind::WouldSleep), "{operation}");
        assert_eq!(judge(true, Outcome::Refused), Err(Kind::Refused), "{operation}");
    }
}

#[test]
fn only_a_drain_and_what_needs_one_would_sleep() {
    let mut reference = Reference::new(1);
    let call = Call { operation: Operation::AllocPage { page: page(3) }, irqs_off: true };
    let ticket = reference.begin(0, &call);
    assert_eq!(reference.end(ticket, &Outcome::WouldSleep).unwrap_err().kind, Kind::WouldSleep);
}

#[test]
fn whatever_needs_a_handle_that_was_never_obtained_is_void() {
    let mut reference = Reference::new(0);
    reference.legal(Operation::AllocPage { page: page(0) }, Outcome::NoMemory);
    let needy = [
        Operation::MakeTable { page: page(0) },
        Operation::UnmakeTable { page: page(0) },
        Operation::SetPageFlag { page: page(0) },
        Operation::PinTree { pages: pages(&[0]), tree: TreeSlot::new(0) },
        Operation::UnpinTree { tree: TreeSlot::new(0) },
        vmap(&[0], 0),
        read(0),
        write(0, 3),
        vunmap(0),
        Operation::MapRam { pages: pages(&[0]), ram: RamSlot::new(0) },
        Operation::UnmapRam { ram: RamSlot::new(0) },
        Operation::FreePage { page: page(0) },
    ];
    for operation in needy {
        assert!(reference.is_void(&operation), "{operation}");
        assert!(!reference.legal(operation, Outcome::Void).sole, "{operation}");
    }
    assert_eq!(reference.live_pages().count(), 0);
    assert_eq!(reference.possible(page(0)), []);
    let again = Operation::AllocPage { page: page(0) };
    assert!(!reference.is_void(&again));
    reference.legal(again, Outcome::Done);
    assert_eq!(reference.live_pages().collect::<Vec<_>>(), [page(0)]);
}

#[test]
fn void_is_illegal_where_everything_was_obtained_and_the_only_answer_where_not() {
    assert_eq!(with_aliases().kind(read(0), Outcome::Void), Kind::NotAttempted);
    assert_eq!(with_aliases().kind(Operation::DrainAliases {}, Outcome::Void), Kind::NotAttempted);
    let mut reference = Reference::new(1);
    reference.legal(vmap(&[0], 1), mapped(0, 1));
    reference.legal(vmap(&[0], 0), Outcome::NoMemory);
    assert_eq!(reference.kind(read(0), value(0)), Kind::Phantom);
}

#[test]
fn a_raw_hypercall_for_a_page_that_was_never_obtained_is_void() {
    let pin = Operation::HvPin { page: page(5), level: Level(1) };
    for outcome in [Outcome::Done, Outcome::Refused] {
        let mut reference = Reference::new(1);
        reference.legal(Operation::AllocPage { page: page(5) }, Outcome::NoMemory);
        let kind = if outcome == Outcome::Done { Kind::Phantom } else { Kind::Refused };
        assert_eq!(reference.kind(pin, outcome), kind);
    }
    let mut reference = Reference::new(1);
    reference.legal(Operation::AllocPage { page: page(5) }, Outcome::NoMemory);
    reference.legal(pin, Outcome::Void);
}

#[test]
fn the_answer_to_another_operation_is_illegal() {
    assert_eq!(with_aliases().kind(read(0), Outcome::Done), Kind::WrongForm);
    assert_eq!(with_aliases().kind(write(0, 1), value(1)), Kind::WrongForm);
    assert_eq!(with_aliases().kind(vmap(&[2], 5), Outcome::Done), Kind::WrongForm);
    assert_eq!(with_aliases().kind(vmap(&[2], 5), coherent(8, 1)), Kind::WrongForm);
    assert_eq!(with_aliases().kind(dma_alloc(&[2], 0), mapped(8, 1)), Kind::WrongForm);
    assert_eq!(with_aliases().kind(vunmap(0), mapped(0, 1)), Kind::WrongForm);
    assert_eq!(with_aliases().kind(Operation::DrainAliases {}, Outcome::Fault), Kind::WrongForm);
}
