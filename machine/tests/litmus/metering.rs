//! The meter: what is counted, and when things happen by the clocks of the CPUs.

use crate::{KERNEL, Program, Rig, Seen, at};
use machine::*;

const VA: u64 = 0xffff_c900_0000_0000;
const BACK: u64 = VA + 0x1000;

/// Each kind of thing has a price of its own, so that a clock tells what happened.
fn prices() -> Prices {
    Prices::new(1000, |what| match what {
        Counted::Store => 10,
        Counted::Locked => 20,
        Counted::Transfer => 100,
        Counted::WalkLevel => 5,
        Counted::IpiBusy | Counted::IpiIdle => 50,
        Counted::Interrupt => 300,
        Counted::Wakeup => 7000,
        _ => 0,
    })
}

fn metered(cpus: u8) -> Rig {
    let rig = Rig::cpus(cpus);
    rig.bus().start_metering(prices());
    rig
}

fn counts(rig: &Rig, cpu: u8) -> Counts {
    rig.bus().meter().expect("it is metered").counts(cpu).clone()
}

fn clock(rig: &Rig, cpu: u8) -> u64 {
    rig.bus().meter().expect("it is metered").clock(cpu)
}

#[test]
fn misses_walk_levels_hits_and_what_flushes_lose_are_counted() {
    let mut rig = metered(1);
    rig.map(VA, KERNEL);
    rig.map(BACK, KERNEL);
    let touch: Program = |_, cpu| {
        let _ = (cpu.read(BACK + 0x10_0000), cpu.read(VA), cpu.read(VA), cpu.read(BACK));
        0
    };
    rig.run(0, touch);
    let seen = counts(&rig, 0);
    assert_eq!((seen.of(Counted::Access), seen.of(Counted::Walk), seen.tlb_hits()), (4, 3, 1));
    // Four levels that end in a fault, which forgets the way; four again; and one, as the way is known.
    assert_eq!((seen.of(Counted::WalkLevel), seen.of(Counted::Fault)), (9, 1));
    assert_eq!(clock(&rig, 0), 9 * 5);

    rig.run(0, |_, cpu| {
        cpu.invlpg(VA);
        cpu.flush_all();
        cpu.invpcid(Invpcid::AllNonGlobal);
        cpu.load_cr3(cpu.cr3(), true);
        0
    });
    let seen = counts(&rig, 0);
    let flushes = [Counted::FlushPage, Counted::FlushGlobal, Counted::FlushFull, Counted::Cr3];
    assert_eq!(flushes.map(|what| seen.of(what)), [1, 1, 1, 1]);
    assert_eq!((seen.of(Counted::LeavesLost), seen.of(Counted::PathsLost)), (2, 3));
}

#[test]
fn plain_locked_and_fenced_accesses_are_counted_one_by_one_and_nothing_else() {
    let mut rig = metered(1);
    rig.run(0, |stage, cpu| {
        let _ = (cpu.load(stage.v(0)), cpu.load(stage.v(1)));
        cpu.store(stage.v(0), 1);
        let _ = (cpu.swap(stage.v(0), 2), cpu.fetch_add(stage.v(0), 1), cpu.fetch_sub(stage.v(0), 1));
        // One that does not change the word is as dear.
        let _ = cpu.compare_exchange(stage.v(0), 7, 8);
        cpu.fence();
        let frame = stage.frame(cpu.bus(), Role::Data);
        cpu.clear_frame(frame);
        0
    });
    let seen = counts(&rig, 0);
    let expected = [
        (Counted::Load, 2),
        (Counted::Store, 1),
        (Counted::Locked, 4),
        (Counted::Fence, 1),
        (Counted::Cleared, 1),
    ];
    for what in Counted::ALL {
        let times = expected.iter().find(|(one, _)| one == what).map_or(0, |(_, times)| *times);
        assert_eq!(seen.of(*what), times, "{}", what.name());
    }
    assert_eq!(clock(&rig, 0), 10 + 4 * 20);
}

#[test]
fn the_interrupt_flag_counts_each_time_that_it_is_set_or_cleared() {
    let mut rig = metered(1);
    rig.run(0, |_, cpu| {
        let on = cpu.irq_save();
        cpu.irq_restore(on);
        let on = cpu.irq_save();
        // It is off already, and cleared all the same; but not set where it was off before.
        let off = cpu.irq_save();
        cpu.irq_restore(off);
        cpu.irq_restore(on);
        0
    });
    assert_eq!(counts(&rig, 0).of(Counted::InterruptFlag), 5);
}

#[test]
fn interrupts_taken_and_wakeups_are_counted_where_they_are_taken_and_each_once() {
    let mut rig = metered(3);
    rig.bus().meter().expect("it is metered").set_idle(2, true);
    rig.run(0, |_, cpu| {
        cpu.send_ipi(1, 1);
        cpu.send_ipi(1, 1);
        cpu.send_ipi(2, 1);
        cpu.send_ipi(7, 1);
        0
    });
    while rig.deliver(1) == Told::Ended {}
    while rig.deliver(2) == Told::Ended {}
    let of = |cpu: u8, what| counts(&rig, cpu).of(what);
    assert_eq!(
        (of(0, Counted::IpiBusy), of(0, Counted::IpiIdle)),
        (2, 1),
        "one for a CPU that is not there is lost"
    );
    assert_eq!([0, 1, 2].map(|cpu| of(cpu, Counted::Interrupt)), [0, 2, 1]);
    assert_eq!([0, 1, 2].map(|cpu| of(cpu, Counted::Wakeup)), [0, 0, 1]);
    let total = rig.bus().meter().expect("it is metered").total();
    assert_eq!((total.ipis(), total.of(Counted::Interrupt)), (3, 3));
}

#[test]
fn waits_are_counted_by_what_is_waited_for_and_once_each_however_long() {
    for (kind, what) in [
        (WaitKind::Spin, Counted::LockWait),
        (WaitKind::Sleep, Counted::LockWait),
        (WaitKind::Acknowledge, Counted::AnswerWait),
        (WaitKind::GracePeriod, Counted::GraceWait),
    ] {
        let mut rig = metered(2);
        rig.machine.set_helping(false);
        let wait: Program = match kind {
            WaitKind::Spin => |stage, cpu| wait_for_one(stage, cpu, WaitKind::Spin),
            WaitKind::Sleep => |stage, cpu| wait_for_one(stage, cpu, WaitKind::Sleep),
            WaitKind::Acknowledge => |stage, cpu| wait_for_one(stage, cpu, WaitKind::Acknowledge),
            WaitKind::GracePeriod => |stage, cpu| wait_for_one(stage, cpu, WaitKind::GracePeriod),
        };
        let waiting = rig.machine.begin(1, wait, None, &mut rig.seen);
        assert!(matches!(waiting, Told::Waiting(_)), "{waiting:?}");
        for _ in 0..3 {
            assert_eq!(rig.resume(1), waiting);
        }
        rig.run(0, |stage, cpu| {
            cpu.store(stage.v(0), 1);
            0
        });
        assert_eq!(rig.resume(1), Told::Ended);
        // What holds already is not waited for.
        rig.run(1, wait);
        for one in [Counted::LockWait, Counted::AnswerWait, Counted::GraceWait] {
            assert_eq!(counts(&rig, 1).of(one), u64::from(one == what), "{kind:?}: {}", one.name());
        }
    }
}

/// Waits until variable 0 is 1.
fn wait_for_one(stage: &crate::Stage, cpu: &Cpu<'_>, kind: WaitKind) -> u64 {
    cpu.wait(Wait { var: stage.v(0), until: Until::Is(1), holder: Holder::Anyone, kind });
    0
}

#[test]
fn what_a_flush_loses_is_counted_by_kind_and_global_entries_survive_a_full_one() {
    let mut rig = metered(1);
    rig.map(VA, KERNEL | Flags::GLOBAL);
    rig.map(BACK, KERNEL);
    let touch: Program = |_, cpu| {
        let _ = (cpu.read(VA), cpu.read(BACK));
        0
    };
    let lost = |rig: &Rig| {
        let seen = counts(rig, 0);
        (seen.of(Counted::LeavesLost), seen.of(Counted::PathsLost))
    };
    rig.run(0, touch);
    rig.run(0, |_, cpu| {
        cpu.load_cr3(cpu.cr3(), false);
        0
    });
    // The leaf that is not global, and the three entries above.
    assert_eq!((lost(&rig), counts(&rig, 0).of(Counted::FlushFull)), ((1, 3), 1));
    rig.run(0, touch);
    rig.run(0, |_, cpu| {
        cpu.flush_all();
        0
    });
    assert_eq!((lost(&rig), counts(&rig, 0).of(Counted::FlushGlobal)), ((3, 6), 1));
    rig.run(0, touch);
    rig.run(0, |_, cpu| {
        cpu.invlpg(BACK);
        cpu.invlpg(BACK);
        0
    });
    // One page, and every upper entry; the second finds nothing.
    assert_eq!((lost(&rig), counts(&rig, 0).of(Counted::FlushPage)), ((4, 9), 2));
}

#[test]
fn a_speculative_walk_is_nobodys_miss() {
    let mut rig = metered(1);
    rig.map(VA, KERNEL);
    assert!(rig.bus().fill(0, VA));
    rig.run(0, |_, cpu| cpu.read(VA).unwrap_or(1));
    let seen = counts(&rig, 0);
    assert_eq!((seen.of(Counted::SpeculativeWalk), seen.of(Counted::Walk), seen.tlb_hits()), (1, 0, 1));
    assert_eq!(clock(&rig, 0), 0);
}

#[test]
fn hypercalls_are_counted_by_name() {
    let mut rig = metered(1);
    rig.run(0, |_, cpu| {
        cpu.hypercall("one", |_| ());
        cpu.hypercall("two", |_| ());
        cpu.hypercall("two", |_| ());
        0
    });
    let seen = counts(&rig, 0);
    assert_eq!(seen.of(Counted::Hypercall), 3);
    assert_eq!(
        seen.hypercalls().iter().map(|(name, times)| (*name, *times)).collect::<Vec<_>>(),
        [("one", 1), ("two", 2)]
    );
}

#[test]
fn nobody_sees_a_value_before_it_was_written() {
    let mut rig = metered(2);
    let write: Program = |stage, cpu| {
        cpu.store(stage.v(1), 1);
        cpu.store(stage.v(0), 1);
        0
    };
    rig.run(0, write);
    assert_eq!(clock(&rig, 0), 20);
    rig.run(1, |stage, cpu| cpu.load(stage.v(0)));
    assert_eq!(counts(&rig, 1).of(Counted::Transfer), 1);
    assert_eq!(clock(&rig, 1), 100, "the value was there before the line came");
    rig.run(1, |stage, cpu| cpu.load(stage.v(0)));
    assert_eq!(clock(&rig, 1), 100, "what was read stays in the cache");
    rig.run(0, |stage, cpu| cpu.swap(stage.v(0), 2));
    assert_eq!(clock(&rig, 0), 20 + 100 + 20, "and has to be taken from it to be written");
}

#[test]
fn an_interrupt_is_taken_no_earlier_than_it_was_delivered_and_is_stolen_from_what_runs() {
    for (idle, woken) in [(false, 0), (true, 7000)] {
        let mut rig = metered(2);
        rig.stage().handler.set(|stage, cpu, _| cpu.store(stage.v(0), 1));
        rig.bus().meter().expect("it is metered").set_idle(1, idle);
        rig.run(0, |_, cpu| {
            cpu.send_ipi(1, 1);
            0
        });
        assert_eq!(rig.bus().meter().expect("it is metered").arrival(1, |_| true), Some(1050));
        assert_eq!(rig.deliver(1), Told::Ended);
        let spent = 300 + woken + 10;
        assert_eq!((clock(&rig, 0), clock(&rig, 1)), (50, 1050 + spent));
        assert_eq!(rig.bus().meter().expect("it is metered").stolen(1), spent);
        let seen = counts(&rig, 0);
        let expected = if idle { (0, 1) } else { (1, 0) };
        assert_eq!((seen.of(Counted::IpiBusy), seen.of(Counted::IpiIdle)), expected);
    }
}

/// Takes the lock in variable 0.
const LOCK: Program = |stage, cpu| {
    while let Err(holder) = cpu.compare_exchange(stage.v(0), 0, u64::from(cpu.id()) + 1) {
        let holder = Holder::Cpu(holder as u8 - 1);
        cpu.wait(Wait { var: stage.v(0), until: Until::Is(0), holder, kind: WaitKind::Spin });
    }
    cpu.store(stage.v(1), 1);
    cpu.store(stage.v(0), 0);
    0
};

#[test]
fn without_help_a_wait_stands_until_its_end_and_lasts_until_the_holder_let_go() {
    let mut rig = metered(2);
    rig.machine.set_helping(false);
    rig.begin(0, LOCK, 2);
    let waiting = rig.machine.begin(1, LOCK, None, &mut rig.seen);
    assert!(matches!(waiting, Told::Waiting(Wait { holder: Holder::Cpu(0), .. })), "{waiting:?}");
    assert_eq!(rig.resume(1), waiting, "the lock is still held");
    assert_eq!(rig.resume(0), Told::Ended);
    let released = clock(&rig, 0);
    assert_eq!(rig.resume(1), Told::Ended);
    let seen = counts(&rig, 1);
    assert_eq!((seen.of(Counted::LockWait), seen.of(Counted::Locked)), (1, 2));
    assert!(clock(&rig, 1) > released, "{} and {released}", clock(&rig, 1));
    assert!(rig.bus().meter().expect("it is metered").waited(1) > 0);
    rig.assert_quiet();
}

#[test]
fn without_help_interrupts_still_nest_on_who_waits() {
    let mut rig = metered(2);
    rig.machine.set_helping(false);
    rig.begin(0, LOCK, 2);
    let waiting = rig.machine.begin(1, LOCK, None, &mut rig.seen);
    let from_elsewhere: Program = |_, cpu| {
        cpu.send_ipi(1, 1);
        0
    };
    assert_eq!(rig.resume(0), Told::Ended);
    rig.run(0, from_elsewhere);
    assert_eq!(rig.deliver(1), Told::Ended);
    assert!(matches!(waiting, Told::Waiting(_)));
    assert_eq!(rig.resume(1), Told::Ended);
}

#[test]
fn metering_changes_nothing_and_ends_with_a_reset() {
    let told = |metered: bool| {
        let mut rig = Rig::cpus(2);
        if metered {
            rig.bus().start_metering(prices());
        }
        rig.bus().start_tracing();
        let first = rig.begin(0, LOCK, 2);
        rig.run(1, LOCK);
        rig.resume(0);
        (first, format!("{:?}", rig.bus().trace()), rig.seen.0)
    };
    assert_eq!(told(true), told(false));
    assert_eq!(told(true).0, at(PointKind::Store, crate::VAR));

    let mut rig = metered(1);
    rig.bus().start_tracing();
    rig.machine.reset(Config::default(), |bus| crate::Stage::new(bus));
    assert!(rig.bus().meter().is_none() && !rig.bus().tracing());
    let mut seen = Seen::default();
    rig.machine.begin(0, |stage, cpu| cpu.load(stage.v(0)), None, &mut seen);
    assert!(rig.bus().trace().is_empty());
}
