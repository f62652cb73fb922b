//! References balance, whatever was asked for in whatever order.

use crate::guest::{Answer, Answers, Ask, Bench, TABLE, page, read_only, writable};
use impls::hypervisor::xen::{HYPERVISOR_FRAMES, MmuExt, Reach, UpdateFlush};
use machine::{Entry, Frame, Pause, Temperament, Told};
use proptest::prelude::*;

/// How many pages and indices of tables random stories use.
const FEW: u16 = 5;

/// A request, by numbers that stand for frames.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Pin(u16, u8),
    Unpin(u16),
    Set(u16, u16, Leads),
    SetVa(u16, Leads, bool),
    Base(u16),
    Flush(u16),
    Write(u16),
    Exchange(u16, u16),
}

/// Where an entry leads.
#[derive(Clone, Copy, Debug)]
enum Leads {
    Nowhere,
    Read(u16),
    Write(u16),
    Table(u16),
    Foreign,
}

fn leads() -> impl Strategy<Value = Leads> {
    prop_oneof![
        3 => Just(Leads::Nowhere),
        2 => (0..FEW).prop_map(Leads::Read),
        4 => (0..FEW).prop_map(Leads::Write),
        3 => (0..FEW).prop_map(Leads::Table),
        1 => Just(Leads::Foreign),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    // Tables 0 to 3 are those that the guest starts on, by level; the pages come after.
    prop_oneof![
        3 => (0..FEW, 1..=4u8).prop_map(|(page, level)| Wish::Pin(page, level)),
        2 => (0..FEW).prop_map(Wish::Unpin),
        6 => (0..FEW + 4, 0..3u16, leads()).prop_map(|(table, index, leads)| Wish::Set(table, index, leads)),
        4 => (0..3u16, leads(), any::<bool>()).prop_map(|(index, leads, flush)| Wish::SetVa(index, leads, flush)),
        1 => (0..FEW + 1).prop_map(Wish::Base),
        1 => (0..3u16).prop_map(Wish::Flush),
        3 => (0..3u16).prop_map(Wish::Write),
        1 => (0..FEW, 0..FEW).prop_map(|(one, other)| Wish::Exchange(one, other)),
    ]
}

impl Wish {
    fn ask(self, bench: &Bench) -> Ask {
        let page_of = |number: u16| bench.pages[usize::from(number)];
        let entry = |leads| match leads {
            Leads::Nowhere => Entry::EMPTY,
            Leads::Read(number) => read_only(page_of(number)),
            Leads::Write(number) => writable(page_of(number)),
            Leads::Table(number) => Entry::new(page_of(number), TABLE),
            Leads::Foreign => read_only(Frame(HYPERVISOR_FRAMES)),
        };
        let table = |number: u16| match number {
            0..4 => bench.tables[usize::from(number) + 1],
            _ => page_of(number - 4),
        };
        match self {
            Self::Pin(number, level) => Ask::Pin(page_of(number), level),
            Self::Unpin(number) => Ask::Unpin(page_of(number)),
            // The first entries of the upper tables lead to the others; they stay.
            Self::Set(number, index, leads) => {
                Ask::Set(table(number), index + u16::from((1..4).contains(&number)), entry(leads))
            }
            Self::SetVa(index, leads, flush) => {
                let flush = if flush { UpdateFlush::Invlpg(Reach::All) } else { UpdateFlush::None };
                Ask::SetVa(page(u64::from(index)), entry(leads), flush)
            }
            Self::Base(number) if number == FEW => Ask::Base(bench.tables[4]),
            Self::Base(number) => Ask::Base(page_of(number)),
            Self::Flush(index) => Ask::Extended(MmuExt::InvlpgAll { va: page(u64::from(index)) }),
            Self::Write(index) => Ask::Write(page(u64::from(index)), 0),
            // What is exchanged is somebody else's from then on.
            Self::Exchange(one, other) => {
                let (one, other) = (page_of(one), page_of(other));
                Ask::Exchange([one, other, one, other])
            }
        }
    }
}

/// Lets go of everything: the root that the guest started on is all that is left.
fn give_everything_back(bench: &mut Bench) {
    let root = bench.tables[4];
    for cpu in 0..bench.bus().cpus() {
        assert_eq!(bench.ask(cpu, Ask::Base(root)), Answer::Done);
    }
    for index in 0..4 {
        assert_eq!(bench.ask(0, Ask::Set(root, index, Entry::EMPTY)), Answer::Done);
    }
    for page in bench.pages.clone() {
        if bench.hypervisor().type_info(bench.bus(), page).pinned() {
            assert_eq!(bench.ask(0, Ask::Unpin(page)), Answer::Done);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn references_balance_and_no_table_is_ever_writable(
        wishes in prop::collection::vec((0..2u8, wish(), prop::option::of(1..60u16)), 1..40),
        temperament in prop::sample::select(vec![Temperament::empty(), Temperament::all()]),
    ) {
        let mut bench = Bench::new(2, temperament);
        let mut answers = Answers::default();
        for (cpu, wish, pause) in wishes {
            if bench.machine.busy(cpu) {
                prop_assert!(bench.machine.resume(cpu, &mut answers) != Told::Failed, "{:?}", bench.bus().alarms());
            }
            let ask = wish.ask(&bench);
            let told = bench.machine.begin(cpu, ask, pause.map(Pause::At), &mut answers);
            prop_assert!(told != Told::Failed, "{:?}", bench.bus().alarms());
            bench.assert_protected();
        }
        bench.finish(&mut answers);
        bench.assert_sound();
        give_everything_back(&mut bench);
        prop_assert_eq!(bench.hypervisor().leftovers(bench.bus()), Vec::<String>::new());
    }
}

/// The books are not right by saying nothing.
#[test]
fn what_is_left_is_named() {
    let mut bench = Bench::new(1, Temperament::empty());
    let (pinned, mapped) = (bench.pages[0], bench.pages[1]);
    assert_eq!(bench.ask(0, Ask::Pin(pinned, 1)), Answer::Done);
    assert_eq!(bench.ask(0, Ask::Set(pinned, 0, writable(mapped))), Answer::Done);
    assert_eq!(bench.hypervisor().audit(bench.bus()), Vec::<String>::new());
    let left = bench.hypervisor().leftovers(bench.bus());
    for words in [
        format!("a table is still pinned: {pinned}"),
        format!("the type of a frame is still held: {pinned} 1 times as an L1 table"),
        format!("the type of a frame is still held: {mapped} 1 times as writable data"),
        format!("a frame is still referred to: {mapped} 2 times, with its allocation"),
    ] {
        assert!(left.contains(&words), "{words} in {left:?}");
    }
}

/// What is left may be left because of it, whichever frame comes first.
#[test]
fn what_is_miscounted_is_told_before_what_is_left() {
    let mut bench = Bench::new(1, Temperament::empty());
    let (left, miscounted) = (bench.pages[0], bench.pages[1]);
    assert!(left.0 < miscounted.0);
    assert_eq!(bench.ask(0, Ask::Pin(left, 1)), Answer::Done);
    bench.bus().memory.poke(machine::Word::new(bench.tables[1], 0), writable(miscounted).0);
    let told = bench.hypervisor().leftovers(bench.bus());
    let is_miscounted: Vec<_> = told.iter().map(|line| line.contains(" miscounted: ")).collect();
    assert!(is_miscounted[0] && !is_miscounted[told.len() - 1], "{told:?}");
    assert!(is_miscounted.is_sorted_by(|before, after| before >= after), "{told:?}");
}

#[test]
fn an_entry_that_nobody_counted_is_noticed() {
    let bench = Bench::new(1, Temperament::empty());
    let word = machine::Word::new(bench.tables[1], 0);
    bench.bus().memory.poke(word, writable(bench.pages[0]).0);
    let wrong = bench.hypervisor().audit(bench.bus());
    let frame = bench.pages[0];
    let miscounted = "the type of a frame is miscounted";
    let line = format!("{miscounted}: {frame} is counted 0 times as nothing, and held 1 times");
    assert!(wrong.contains(&line), "{wrong:?}");
}
