//! Whom a flush reaches, and what comes before it.

use crate::guest::{Answer, Answers, Ask, Bench, TABLE, page, writable};
use impls::hypervisor::xen::{AccessedDirty, Call, MmuExt, MmuUpdate, Reach, Refusal, UpdateFlush};
use machine::{Entry, Family, Pause, Point, PointKind, Temperament, Told, Word};

fn mapped(cpus: u8) -> Bench {
    let mut bench = Bench::new(cpus, Temperament::empty());
    for index in 0..2 {
        let entry = writable(bench.pages[usize::from(index)]);
        assert_eq!(bench.ask(0, Ask::Set(bench.tables[1], index, entry)), Answer::Done);
    }
    for cpu in 0..cpus {
        for index in 0..2 {
            assert_eq!(bench.ask(cpu, Ask::Write(page(index), 0)), Answer::Done);
        }
    }
    bench
}

/// For each CPU, how many leaves it remembers.
fn remembered(bench: &Bench) -> Vec<usize> {
    (0..bench.bus().cpus()).map(|cpu| bench.cached_by_guest(cpu).len()).collect()
}

#[test]
fn each_flush_reaches_the_cpus_and_pages_that_it_names() {
    let va = page(0);
    for (op, left) in [
        (MmuExt::TlbFlushLocal, [0, 2, 2]),
        (MmuExt::InvlpgLocal { va }, [1, 2, 2]),
        (MmuExt::TlbFlushMulti { cpus: 0b110 }, [2, 0, 0]),
        (MmuExt::InvlpgMulti { cpus: 0b1111_1010, va }, [2, 1, 2]),
        (MmuExt::TlbFlushAll, [0, 0, 0]),
        (MmuExt::InvlpgAll { va }, [1, 1, 1]),
    ] {
        let mut bench = mapped(3);
        assert_eq!(bench.ask(0, Ask::Extended(op)), Answer::Done);
        assert_eq!(remembered(&bench), left, "{op:?}");
        bench.assert_sound();
    }
    for (flush, left) in [
        (UpdateFlush::None, [2, 2, 2]),
        (UpdateFlush::Invlpg(Reach::Local), [1, 2, 2]),
        (UpdateFlush::Invlpg(Reach::All), [1, 1, 1]),
        (UpdateFlush::Tlb(Reach::Multi(0b11)), [0, 0, 2]),
        (UpdateFlush::Tlb(Reach::All), [0, 0, 0]),
    ] {
        let mut bench = mapped(3);
        assert_eq!(bench.ask(0, Ask::SetVa(va, Entry::EMPTY, flush)), Answer::Done);
        assert_eq!(remembered(&bench), left, "{flush:?}");
        bench.assert_sound();
    }
}

#[test]
fn a_flush_reaches_a_cpu_that_has_the_guest_s_interrupts_off() {
    let mut bench = mapped(2);
    let mut answers = Answers::default();
    let point = Point { kind: PointKind::IrqOn, family: Family::NONE };
    let told = bench.begin(1, Ask::ReadMasked(page(0)), Pause::Before { point, occurrence: 1 }, &mut answers);
    assert_eq!(told, Told::Paused(point));
    assert!(!bench.bus().core(1).guest_interrupts_on());
    assert_eq!(bench.ask(0, Ask::Extended(MmuExt::TlbFlushAll)), Answer::Done);
    assert_eq!(remembered(&bench), [0, 0]);
    assert!(bench.machine.busy(1) && answers.0.is_empty(), "c1 was interrupted and did not go on");
    bench.finish(&mut answers);
    bench.assert_sound();
}

/// Both CPUs flush each other, one of them held up at every point of its flush.
#[test]
fn two_cpus_that_flush_each_other_both_end() {
    let mut reached = 0;
    for number in 1..40 {
        for temperament in [Temperament::empty(), Temperament::all()] {
            let mut bench = Bench::new(2, temperament);
            let mut answers = Answers::default();
            let all = Ask::Extended(MmuExt::TlbFlushAll);
            if let Told::Paused(_) = bench.begin(0, all, Pause::At(number), &mut answers) {
                reached += 1;
            }
            bench.machine.begin(1, all, None, &mut answers);
            bench.finish(&mut answers);
            assert_eq!(answers.0.len(), 2, "paused at {number}: {:?}", bench.bus().alarms());
            bench.assert_sound();
        }
    }
    assert!(reached >= 10, "{reached} pauses were reached");
}

#[test]
fn calls_that_are_made_together_are_made_in_their_order() {
    let mut bench = mapped(2);
    let word = Word::new(bench.tables[1], 0);
    let clear = Call::MmuUpdate(MmuUpdate { word, entry: Entry::EMPTY, bits: AccessedDirty::AsGiven });
    let pin = Call::MmuExt(MmuExt::PinTable { frame: bench.pages[0], level: 1 });
    assert_eq!(bench.ask(0, Ask::Both(pin, clear)), Answer::RefusedOf(1));
    assert_eq!(bench.ask(0, Ask::Both(pin, clear)), Answer::RefusedOf(0));
    bench.assert_sound();
}

/// Maps a page on every CPU, writes to it and unmaps it again: all of them remember it.
fn remember(bench: &mut Bench, frame: usize) {
    let entry = writable(bench.pages[frame]);
    assert_eq!(bench.ask(0, Ask::Set(bench.tables[1], 5, entry)), Answer::Done);
    for cpu in 0..bench.bus().cpus() {
        assert_eq!(bench.ask(cpu, Ask::Write(page(5), 0)), Answer::Done);
    }
    assert_eq!(bench.ask(0, Ask::Set(bench.tables[1], 5, Entry::EMPTY)), Answer::Done);
}

#[test]
fn a_page_that_becomes_a_table_is_forgotten_by_those_who_have_not_flushed_since() {
    let mut bench = mapped(3);
    remember(&mut bench, 3);
    assert_eq!(bench.ask(1, Ask::Extended(MmuExt::TlbFlushLocal)), Answer::Done);
    assert_eq!(bench.ask(1, Ask::Write(page(0), 0)), Answer::Done);
    assert_eq!(remembered(&bench), [3, 1, 3]);
    assert_eq!(bench.ask(0, Ask::Pin(bench.pages[3], 1)), Answer::Done);
    assert_eq!(remembered(&bench), [0, 1, 0], "c1 had flushed, and was left alone");
    bench.assert_sound();
}

#[test]
fn a_flush_before_the_page_was_unmapped_does_not_count() {
    let mut bench = mapped(3);
    assert_eq!(bench.ask(1, Ask::Extended(MmuExt::TlbFlushLocal)), Answer::Done);
    remember(&mut bench, 3);
    assert_eq!(bench.ask(2, Ask::Extended(MmuExt::InvlpgLocal { va: page(1) })), Answer::Done);
    assert_eq!(bench.ask(0, Ask::Pin(bench.pages[3], 1)), Answer::Done);
    assert_eq!(remembered(&bench), [0, 0, 0], "nor does one of a single page");
    bench.assert_sound();
}

#[test]
fn a_page_that_was_never_mapped_writable_becomes_a_table_without_a_flush() {
    let mut bench = mapped(2);
    assert_eq!(bench.ask(0, Ask::Pin(bench.pages[3], 1)), Answer::Done);
    assert_eq!(remembered(&bench), [2, 2]);
}

#[test]
fn nobody_keeps_what_is_old_when_the_clock_wraps() {
    for cpus in 1..=3 {
        for flushes in 0..40 {
            let mut bench = mapped(cpus);
            for number in 0..flushes {
                let cpu = number % cpus;
                assert_eq!(bench.ask(cpu, Ask::Extended(MmuExt::TlbFlushLocal)), Answer::Done);
            }
            remember(&mut bench, 3);
            assert_eq!(bench.ask(0, Ask::Pin(bench.pages[3], 1)), Answer::Done);
            assert_eq!(remembered(&bench), vec![0; usize::from(cpus)], "after {flushes} flushes");
            bench.assert_sound();
        }
    }
}

/// It was a table once, and was not to be one again; a CPU still remembers the way to it.
#[test]
fn a_table_that_is_refused_when_it_comes_back_is_forgotten_before_it_becomes_data() {
    let mut bench = Bench::new(2, Temperament::empty());
    let (table, va) = (bench.pages[0], (1 << 21) + page(0));
    let link = Entry::new(table, TABLE);
    assert_eq!(bench.ask(0, Ask::Set(bench.tables[2], 1, link)), Answer::Done);
    assert_eq!(bench.ask(1, Ask::SetVa(va, writable(bench.pages[1]), UpdateFlush::None)), Answer::Done);
    assert_eq!(bench.ask(1, Ask::Write(va, 1)), Answer::Done);
    assert_eq!(bench.ask(0, Ask::Set(bench.tables[2], 1, Entry::EMPTY)), Answer::Done);
    // What its entry leads to goes to the heap.
    let offered = bench.pages[1..5].try_into().expect("four pages");
    assert!(matches!(bench.ask(0, Ask::Exchange(offered)), Answer::Exchanged(2, ..)));
    let refused = Answer::Refused(Refusal::ForeignFrame(bench.pages[1]));
    assert_eq!(bench.ask(0, Ask::Pin(table, 1)), refused);
    bench.assert_sound();
    assert_eq!(bench.ask(0, Ask::Set(table, 0, Entry::EMPTY)), Answer::Done);
    assert_eq!(bench.ask(1, Ask::Write(va + page(1), 1)), Answer::Faulted);
    assert!(bench.bus().alarms().is_empty(), "{:?}", bench.bus().alarms());
    bench.assert_sound();
}
