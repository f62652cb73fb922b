//! What two CPUs ask for at once, one held up at every one of its points in turn.

use crate::guest::{Answer, Answers, Ask, Bench, page, read_only, writable};
use impls::hypervisor::xen::{HYPERVISOR_FRAMES, UpdateFlush};
use machine::{Entry, Frame, Pause, Temperament, Told};

/// More points than any one hypercall here passes.
const POINTS: u16 = 90;

/// Plays a race for every temperament and every pause of the first CPU: `first` on c0, all of `then` on c1, the rest of
/// `first`. What must hold after all of them is checked, and that c0 was really held up.
fn race(
    prepare: impl Fn(&mut Bench),
    first: impl Fn(&Bench) -> Ask,
    then: impl Fn(&Bench) -> Vec<Ask>,
    check: impl Fn(&Bench, &[(u8, Answer)]),
) {
    let mut held_up = 0;
    for temperament in [Temperament::empty(), Temperament::all()] {
        for number in 1..=POINTS {
            let mut bench = Bench::new(2, temperament);
            prepare(&mut bench);
            let mut answers = Answers::default();
            let ask = first(&bench);
            let told = bench.begin(0, ask, Pause::At(number), &mut answers);
            held_up += usize::from(matches!(told, Told::Paused(_)));
            for ask in then(&bench) {
                let told = bench.machine.begin(1, ask, None, &mut answers);
                assert_eq!(told, Told::Ended, "{ask:?}: {:?}", bench.bus().alarms());
                bench.assert_protected();
            }
            bench.finish(&mut answers);
            assert!(bench.bus().alarms().is_empty(), "paused at {number}: {:?}", bench.bus().alarms());
            bench.assert_sound();
            check(&bench, &answers.0);
        }
    }
    assert!(held_up >= 10, "held up at {held_up} points only");
}

fn of(answers: &[(u8, Answer)], cpu: u8) -> Vec<Answer> {
    answers.iter().filter(|(from, _)| *from == cpu).map(|(_, answer)| *answer).collect()
}

/// One and only one of two that exclude each other is done.
fn one_is_done(_: &Bench, answers: &[(u8, Answer)]) {
    let done = answers.iter().filter(|(_, answer)| *answer == Answer::Done).count();
    assert_eq!((answers.len(), done), (2, 1), "{answers:?}");
}

/// Maps a page, writes to it and unmaps it: a CPU still remembers it as writable.
fn leave_a_stale_translation(bench: &mut Bench) {
    let entry = writable(bench.pages[0]);
    assert_eq!(bench.ask(1, Ask::SetVa(page(0), entry, UpdateFlush::None)), Answer::Done);
    assert_eq!(bench.ask(1, Ask::Write(page(0), 0)), Answer::Done);
    assert_eq!(bench.ask(1, Ask::SetVa(page(0), Entry::EMPTY, UpdateFlush::None)), Answer::Done);
}

#[test]
fn a_page_is_never_both_pinned_and_mapped() {
    let pin = |bench: &Bench| Ask::Pin(bench.pages[0], 1);
    let map = |bench: &Bench| Ask::Set(bench.tables[1], 0, writable(bench.pages[0]));
    for prepare in [|_: &mut Bench| {}, leave_a_stale_translation] {
        race(prepare, pin, |bench| vec![map(bench)], one_is_done);
        race(prepare, map, |bench| vec![pin(bench)], one_is_done);
    }
}

#[test]
fn a_page_that_was_mapped_while_it_was_being_pinned_is_remembered_by_nobody() {
    let prepare = leave_a_stale_translation;
    let pin = |bench: &Bench| Ask::Pin(bench.pages[0], 1);
    let borrow = |bench: &Bench| {
        let entry = writable(bench.pages[0]);
        vec![
            Ask::SetVa(page(1), entry, UpdateFlush::None),
            Ask::Write(page(1), 0),
            Ask::SetVa(page(1), Entry::EMPTY, UpdateFlush::None),
        ]
    };
    race(prepare, pin, borrow, |_, answers| {
        assert_eq!(of(answers, 0), [Answer::Done], "whoever held it up let go of it");
    });
}

#[test]
fn what_was_checked_is_what_is_pinned() {
    let foreign = read_only(Frame(HYPERVISOR_FRAMES));
    let prepare = |bench: &mut Bench| {
        for index in 0..3 {
            let (frame, entry) = (bench.pages[0], writable(bench.pages[1]));
            assert_eq!(bench.ask(0, Ask::Set(frame, index, entry)), Answer::Done);
        }
    };
    let pin = |bench: &Bench| Ask::Pin(bench.pages[0], 1);
    let forge = |bench: &Bench| Ask::Set(bench.pages[0], 0, foreign);
    race(
        prepare,
        pin,
        |bench| vec![forge(bench)],
        |_, answers| {
            let done = answers.iter().filter(|(_, answer)| *answer == Answer::Done).count();
            assert!(done < 2, "{answers:?}");
        },
    );
    race(
        prepare,
        forge,
        |bench| vec![pin(bench)],
        |_, answers| {
            let done = answers.iter().filter(|(_, answer)| *answer == Answer::Done).count();
            assert!(done < 2, "{answers:?}");
        },
    );
}

#[test]
fn of_two_that_pin_or_unpin_a_table_one_does() {
    let pin = |bench: &Bench| Ask::Pin(bench.pages[0], 1);
    let unpin = |bench: &Bench| Ask::Unpin(bench.pages[0]);
    let pinned = |bench: &mut Bench| assert_eq!(bench.ask(0, Ask::Pin(bench.pages[0], 1)), Answer::Done);
    race(|_| {}, pin, |bench| vec![pin(bench)], one_is_done);
    race(pinned, unpin, |bench| vec![unpin(bench)], one_is_done);
}

#[test]
fn two_that_change_one_entry_leave_the_last_one_s_reference() {
    let set = |bench: &Bench, page: usize| Ask::Set(bench.tables[1], 0, writable(bench.pages[page]));
    let both = |_: &Bench, answers: &[(u8, Answer)]| {
        assert!(answers.iter().all(|(_, answer)| *answer == Answer::Done), "{answers:?}");
    };
    race(|_| {}, |bench| set(bench, 0), |bench| vec![set(bench, 1)], both);
    let clear = |bench: &Bench| vec![Ask::Set(bench.tables[1], 0, Entry::EMPTY)];
    race(|bench| assert_eq!(bench.ask(0, set(bench, 0)), Answer::Done), |bench| set(bench, 1), clear, both);
}

/// Until the entry is gone its page stays what it is.
#[test]
fn a_page_that_is_being_unmapped_is_not_pinned_too_soon() {
    let set = |bench: &Bench, entry| Ask::Set(bench.tables[1], 0, entry);
    let mapped = |bench: &mut Bench| {
        let map = set(bench, writable(bench.pages[0]));
        assert_eq!(bench.ask(0, map), Answer::Done);
    };
    let pin = |bench: &Bench| vec![Ask::Pin(bench.pages[0], 1)];
    race(
        mapped,
        |bench| set(bench, Entry::EMPTY),
        pin,
        |_, answers| {
            assert_eq!(of(answers, 0), [Answer::Done]);
        },
    );
}

#[test]
fn a_table_that_is_let_go_of_while_it_is_changed_leaves_nothing_behind() {
    let pinned = |bench: &mut Bench| assert_eq!(bench.ask(0, Ask::Pin(bench.pages[0], 1)), Answer::Done);
    let set = |bench: &Bench| Ask::Set(bench.pages[0], 0, writable(bench.pages[1]));
    let unpin = |bench: &Bench| vec![Ask::Unpin(bench.pages[0])];
    race(pinned, set, unpin, |bench, answers| {
        assert_eq!(of(answers, 1), [Answer::Done]);
        let held = bench.hypervisor().count_info(bench.bus(), bench.pages[1]).count();
        assert_eq!(held, 1, "the entry died with its table");
    });
}

/// A walk cache still leads to the table when its page becomes data.
#[test]
fn a_table_that_becomes_data_is_walked_by_nobody() {
    let prepare = |bench: &mut Bench| {
        let link = Entry::new(bench.pages[0], crate::guest::TABLE);
        assert_eq!(bench.ask(0, Ask::Set(bench.tables[2], 1, link)), Answer::Done);
        let va = (1 << 21) + page(0);
        assert_eq!(bench.ask(1, Ask::SetVa(va, writable(bench.pages[1]), UpdateFlush::None)), Answer::Done);
        assert_eq!(bench.ask(1, Ask::Write(va, 1)), Answer::Done);
        assert_eq!(bench.ask(0, Ask::Set(bench.tables[2], 1, Entry::EMPTY)), Answer::Done);
    };
    let map = |bench: &Bench| Ask::Set(bench.tables[1], 0, writable(bench.pages[0]));
    let walk = |_: &Bench| vec![Ask::Write((1 << 21) + page(1), 1)];
    race(prepare, map, walk, |_, answers| {
        assert_eq!((of(answers, 0), of(answers, 1)), (vec![Answer::Done], vec![Answer::Faulted]));
    });
}
