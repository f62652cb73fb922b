//! Exchange: what is taken, what is not, how far it comes, and who may reach what afterwards.

use crate::guest::{Answer, Answers, Ask, Bench, page, read_only, writable};
use impls::hypervisor::xen::{DEVICE_LIMIT, GUEST, HEAP, HYPERVISOR_FRAMES, OTHER_GUEST, Refusal};
use machine::{Entry, Frame, Pause, Point, PointKind, Temperament, Told, Word};

fn bench() -> Bench {
    Bench::new(2, Temperament::empty())
}

fn four(bench: &Bench) -> [Frame; 4] {
    bench.pages[..4].try_into().expect("four pages")
}

fn exchange(bench: &mut Bench, offered: [Frame; 4]) -> (usize, [Frame; 4], Option<Refusal>) {
    let Answer::Exchanged(frames, given, refusal) = bench.ask(0, Ask::Exchange(offered)) else {
        panic!("an exchange answers with a number")
    };
    (frames, given, refusal)
}

const NOTHING: Frame = Frame(u32::MAX);

#[test]
fn an_exchange_ends_at_the_first_segment_for_which_there_are_no_frames() {
    let mut bench = bench();
    let offered = four(&bench);
    bench.bus().memory.poke(Word::new(Frame(DEVICE_LIMIT - 3), 0), 77);
    let (frames, given, refusal) = exchange(&mut bench, offered);
    let low = DEVICE_LIMIT - 3;
    assert_eq!((frames, refusal), (2, None), "three frames are there, and the second segment wants two");
    assert_eq!(given, [Frame(low), Frame(low + 1), NOTHING, NOTHING]);
    let owners = |frames: &[Frame]| -> Vec<_> {
        frames.iter().map(|frame| bench.bus().memory.owner(*frame)).collect()
    };
    assert_eq!(owners(&offered), [HEAP, HEAP, GUEST, GUEST], "what was not exchanged is the guest's still");
    assert_eq!(owners(&given[..2]), [GUEST, GUEST]);
    assert_eq!(bench.bus().memory.peek(Word::new(given[0], 0)), 0, "what somebody left there is gone");
    bench.assert_sound();
}

#[test]
fn what_something_refers_to_is_not_taken_and_nothing_of_its_segment_is() {
    let mut bench = bench();
    let offered = four(&bench);
    let lowest = bench.tables[1];
    for (refers, lets_go) in [
        (Ask::Set(lowest, 0, writable(offered[1])), Ask::Set(lowest, 0, Entry::EMPTY)),
        (Ask::Set(lowest, 0, read_only(offered[1])), Ask::Set(lowest, 0, Entry::EMPTY)),
        (Ask::Pin(offered[1], 1), Ask::Unpin(offered[1])),
    ] {
        assert_eq!(bench.ask(0, refers), Answer::Done);
        let refused = (0, [NOTHING; 4], Some(Refusal::StillReferred(offered[1])));
        assert_eq!(exchange(&mut bench, offered), refused, "{refers:?}");
        assert_eq!(bench.bus().memory.owner(offered[0]), GUEST);
        bench.assert_sound();
        assert_eq!(bench.ask(0, lets_go), Answer::Done);
    }
    assert_eq!(exchange(&mut bench, offered).0, 2);
}

#[test]
fn tables_and_frames_of_others_are_not_taken() {
    let mut bench = bench();
    let root = bench.tables[4];
    let foreign = Frame(HYPERVISOR_FRAMES);
    for (frame, refusal) in [
        (root, Refusal::StillReferred(root)),
        (foreign, Refusal::ForeignFrame(foreign)),
        (Frame(DEVICE_LIMIT - 1), Refusal::ForeignFrame(Frame(DEVICE_LIMIT - 1))),
        (Frame(9999), Refusal::NoSuchFrame(Frame(9999))),
    ] {
        let [_, second, third, fourth] = four(&bench);
        let offered = [frame, second, third, fourth];
        assert_eq!(exchange(&mut bench, offered), (0, [NOTHING; 4], Some(refusal)));
        bench.assert_sound();
    }
    let [first, ..] = four(&bench);
    let twice = exchange(&mut bench, [first; 4]);
    assert_eq!(twice, (0, [NOTHING; 4], Some(Refusal::ForeignFrame(first))), "it is taken once");
    bench.assert_sound();
}

#[test]
fn the_other_guest_gets_what_was_given_away_once_every_cpu_forgot_it() {
    let mut bench = bench();
    let offered = four(&bench);
    let lowest = bench.tables[1];
    assert_eq!(bench.ask(0, Ask::Set(lowest, 0, writable(offered[0]))), Answer::Done);
    assert_eq!(bench.ask(1, Ask::Write(page(0), 5)), Answer::Done);
    assert_eq!(bench.ask(0, Ask::Set(lowest, 0, Entry::EMPTY)), Answer::Done);
    assert_eq!(exchange(&mut bench, offered).0, 2);
    let remembers = |bench: &Bench| bench.bus().core(1).tlb().leaves().len();
    assert_eq!(remembers(&bench), 1, "the frame is nobody's");
    bench.hypervisor().other_guest_takes(bench.bus());
    assert_eq!((bench.bus().memory.owner(offered[0]), remembers(&bench)), (OTHER_GUEST, 0));
    assert_eq!(bench.bus().memory.peek(Word::new(offered[0], 0)), 0, "what the guest left there is gone");
    bench.assert_sound();
}

#[test]
fn a_frame_goes_back_for_one_that_the_other_guest_gives_up() {
    let mut bench = bench();
    let offered = four(&bench);
    let (_, given, _) = exchange(&mut bench, offered);
    bench.hypervisor().other_guest_takes(bench.bus());
    let answer = bench.ask(0, Ask::ExchangeBack(given[0]));
    assert_eq!(answer, Answer::Exchanged(1, [offered[1], NOTHING, NOTHING, NOTHING], None));
    assert_eq!(bench.bus().memory.owner(given[0]), HEAP);
    bench.assert_sound();
    // The low frame is there for the next who asks for such.
    let last: [Frame; 4] = bench.pages[4..8].try_into().expect("four pages");
    let (frames, given, refusal) = exchange(&mut bench, last);
    assert_eq!((frames, refusal), (0, None), "two frames are left, and do not follow each other: {given:?}");
    bench.assert_sound();
}

/// Somebody maps the frame while it is taken: either he comes too late, or it is not taken.
#[test]
fn nobody_gets_a_reference_to_a_frame_that_goes() {
    let count = Point { kind: PointKind::Locked, family: impls::family::COUNT_INFO };
    for occurrence in 1..=6 {
        let mut bench = bench();
        let offered = four(&bench);
        let mut answers = Answers::default();
        let pause = Pause::Before { point: count, occurrence };
        let told = bench.begin(0, Ask::Exchange(offered), pause, &mut answers);
        assert_eq!(told, Told::Paused(count));
        let mapped = bench.ask(1, Ask::Set(bench.tables[1], 0, writable(offered[0])));
        bench.finish(&mut answers);
        let Some((_, Answer::Exchanged(frames, ..))) = answers.0.iter().find(|(cpu, _)| *cpu == 0) else {
            panic!("it ended")
        };
        assert!(*frames == 0 || mapped != Answer::Done, "occurrence {occurrence}: {mapped:?}");
        bench.assert_sound();
    }
}
