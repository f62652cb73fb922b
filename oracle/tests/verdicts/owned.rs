//! Areas that own their pages: who may do what there.
use oracle::vocabulary::{
    Access, Count, MAX_PAGES, Mapping, Operation, Outcome, OwnPage, Place, SLOTS, Token,
};
use oracle::{Kind, Reference, Rule};

use crate::told::{Told, area, at, mapped, page, read, value, with_aliases, write};

fn vmalloc(count: u8, number: u8) -> Operation {
    Operation::Vmalloc { count: Count(count), area: area(number) }
}

fn set_memory(number: u8, access: Access) -> Operation {
    let area = area(number);
    match access {
        Access::ReadOnly => Operation::SetMemoryRo { area },
        Access::ReadExecute => Operation::SetMemoryRox { area },
        Access::ReadWrite => Operation::SetMemoryRw { area },
    }
}

fn vfree(number: u8) -> Operation {
    Operation::Vfree { area: area(number) }
}

fn exec(number: u8) -> Operation {
    Operation::Exec { place: at(number, 0) }
}

fn write_direct(number: u8, token: u32) -> Operation {
    Operation::WriteDirect { page: OwnPage { area: area(number), page: 0 }, token: Token(token) }
}

/// A reference with an area that owns two pages (`a0`).
fn with_owned() -> Reference {
    let mut reference = Reference::new(0);
    reference.legal(vmalloc(2, 0), mapped(0, 2));
    reference
}

#[test]
fn an_area_allows_what_its_permissions_say_and_nothing_else() {
    for access in Access::ALL {
        for (operation, allowed) in [
            (write(0, 5), access.writes()),
            (write_direct(0, 6), access.writes()),
            (exec(0), access.executes()),
        ] {
            let answer = |done: bool| if done { Outcome::Done } else { Outcome::Fault };
            let mut reference = with_owned();
            reference.legal(set_memory(0, access), Outcome::Done);
            assert!(reference.legal(operation, answer(allowed)).sole);
            let mut reference = with_owned();
            reference.legal(set_memory(0, access), Outcome::Done);
            let kind = if allowed { Kind::Faulted } else { Kind::Permitted };
            assert_eq!(reference.kind(operation, answer(!allowed)), kind, "{operation} {access:?}");
        }
    }
    assert_eq!(Kind::Permitted.rule(), Rule::Permissions);
}

#[test]
fn what_is_mapped_for_others_can_never_be_executed() {
    assert!(with_aliases().legal(exec(0), Outcome::Fault).sole);
    assert_eq!(with_aliases().kind(exec(0), Outcome::Done), Kind::Permitted);
}

#[test]
fn an_access_that_overlaps_a_change_of_permissions_may_go_either_way() {
    for outcome in [Outcome::Done, Outcome::Fault] {
        // The access begins first.
        let mut reference = with_owned();
        let writing = reference.start(0, write(0, 5));
        let changing = reference.start(1, set_memory(0, Access::ReadOnly));
        assert!(reference.end(changing, &Outcome::Done).is_ok());
        assert!(!reference.end(writing, &outcome).expect("either").sole);
        // The change begins first.
        let mut reference = with_owned();
        let changing = reference.start(1, set_memory(0, Access::ReadOnly));
        let writing = reference.start(0, write(0, 5));
        assert!(!reference.end(writing, &outcome).expect("either").sole);
        assert!(reference.end(changing, &Outcome::Done).is_ok());
        assert_eq!(reference.kind(write(0, 6), Outcome::Done), Kind::Permitted);
    }
}

#[test]
fn a_write_that_faulted_left_nothing_behind() {
    let mut reference = with_owned();
    reference.legal(write(0, 5), Outcome::Done);
    reference.legal(set_memory(0, Access::ReadOnly), Outcome::Done);
    reference.legal(write_direct(0, 6), Outcome::Fault);
    let read_direct = Operation::ReadDirect { page: OwnPage { area: area(0), page: 0 } };
    reference.legal(read_direct, value(5));
    assert_eq!(reference.kind(read(0), value(6)), Kind::NeverPossible);
}

#[test]
fn the_pages_of_an_area_begin_zeroed_and_writable_each_time() {
    let mut reference = with_owned();
    reference.legal(write(0, 5), Outcome::Done);
    reference.legal(set_memory(0, Access::ReadExecute), Outcome::Done);
    reference.legal(vfree(0), Outcome::Done);
    reference.legal(vmalloc(1, 0), mapped(0, 1));
    reference.legal(read(0), value(0));
    reference.legal(write(0, 6), Outcome::Done);
}

#[test]
fn nobody_writes_any_more_once_a_write_faulted() {
    let mut reference = with_owned();
    reference.legal(set_memory(0, Access::ReadOnly), Outcome::Done);
    reference.legal(write(0, 5), Outcome::Fault);
    reference.legal(set_memory(0, Access::ReadWrite), Outcome::Done);
    reference.legal(write(0, 6), Outcome::Done);
    assert!(reference.legal(read(0), value(6)).sole, "no other write is under way");
}

#[test]
fn every_page_has_a_word_of_its_own_and_all_are_forgotten() {
    let last = SLOTS - 1;
    let fill = |reference: &mut Reference| {
        for number in 0..SLOTS {
            reference.legal(vmalloc(MAX_PAGES as u8, number), mapped(20 * u64::from(number), 8));
        }
    };
    let words = |reference: &Reference| -> Vec<Vec<Token>> {
        let callers = (0..SLOTS).map(|number| reference.possible(page(number)).to_vec());
        let pages = (0..SLOTS).flat_map(|number| (0..MAX_PAGES as u8).map(move |page| (number, page)));
        let owned = pages.map(|(number, page)| reference.possible_in(area(number), page).to_vec());
        callers.chain(owned).collect()
    };
    let mut reference = Reference::new(SLOTS);
    fill(&mut reference);
    let fresh = words(&reference);
    for (number, page) in [(0, 0), (0, 1), (7, 7), (last, 0), (last, 7)] {
        reference.reset(SLOTS, 0..0);
        fill(&mut reference);
        let place = Place { mapping: Mapping::Area(area(number)), page };
        reference.legal(Operation::Write { place, token: Token(5) }, Outcome::Done);
        assert_eq!(reference.possible_in(area(number), page), [Token(5)]);
        let changed = words(&reference).iter().zip(&fresh).filter(|(now, then)| now != then).count();
        assert_eq!(changed, 1, "a{number}+{page}");
        reference.reset(0, 0..0);
        assert!(words(&reference).iter().all(Vec::is_empty), "a{number}+{page}");
    }
}

#[test]
fn a_write_that_overlaps_one_that_faulted_forces_nothing() {
    let mut reference = Reference::new(0);
    reference.legal(vmalloc(1, 0), mapped(0, 1));
    reference.legal(set_memory(0, Access::ReadOnly), Outcome::Done);
    let changing = reference.start(1, set_memory(0, Access::ReadWrite));
    let first = reference.start(2, write(0, 4));
    reference.legal(write(0, 5), Outcome::Fault);
    reference.end(first, &Outcome::Done).unwrap();
    reference.end(changing, &Outcome::Done).unwrap();
    assert_eq!((reference.forced_in(area(0), 0), reference.possible_in(area(0), 0)), (None, &[Token(4)][..]));
    reference.legal(write(0, 6), Outcome::Done);
    assert_eq!(reference.forced_in(area(0), 0), Some(Token(6)));
}

#[test]
fn an_area_that_got_no_memory_is_void_from_there_on() {
    let mut reference = Reference::new(0);
    let draining = reference.start(1, Operation::DrainAliases {});
    reference.legal(vmalloc(2, 0), Outcome::NoMemory);
    reference.end(draining, &Outcome::Done).unwrap();
    for operation in [write_direct(0, 5), set_memory(0, Access::ReadOnly), exec(0), vfree(0)] {
        reference.legal(operation, Outcome::Void);
    }
    assert_eq!(with_owned().kind(vfree(0), Outcome::NoMemory), Kind::NoMemory);
}

#[test]
fn ranges_of_areas_that_own_their_pages_are_judged_as_others() {
    assert_eq!(with_owned().kind(vmalloc(1, 1), mapped(1, 1)), Kind::Overlap);
    assert_eq!(with_owned().kind(vmalloc(1, 1), mapped(2, 1)), Kind::Unguarded);
    assert_eq!(with_owned().kind(vmalloc(1, 1), mapped(4, 2)), Kind::WrongLength);
}
