//! Help ends where the release happened; pauses are spent on the way and never leak.

use crate::waiting::{CALL, acknowledge, answering, lock, unlock};
use crate::{Program, Rig, VAR, at};
use machine::*;

/// Seven points: the lock, a load, the release and four loads.
const HOLD: Program = |stage, cpu| {
    lock(stage, cpu, 0);
    cpu.load(stage.v(1));
    unlock(stage, cpu, 0);
    cpu.load(stage.v(2)) + cpu.load(stage.v(2)) + cpu.load(stage.v(2)) + cpu.load(stage.v(2))
};
const LOCK: Program = |stage, cpu| {
    lock(stage, cpu, 0);
    cpu.store(stage.v(2), 1);
    unlock(stage, cpu, 0);
    0
};

#[test]
fn a_helper_is_left_at_the_first_point_after_the_release() {
    for temperament in [Temperament::empty(), Temperament::LAZY_STORES] {
        let mut rig = Rig::with(temperament);
        rig.begin(0, HOLD, 2);
        rig.run(1, LOCK);
        assert_eq!(rig.machine.depth(0), 1, "the helper is still under way");
        rig.resume(0);
        assert_eq!(rig.last(0), 4, "all four loads came after the waiter's store");
        rig.assert_quiet();
    }
}

#[test]
fn a_pause_crossed_while_helping_is_spent() {
    let mut rig = Rig::calm();
    rig.begin(0, HOLD, 1);
    assert_eq!(rig.machine.resume_until(0, Pause::At(2), &mut rig.seen), at(PointKind::Load, VAR));
    // A pause before the release, which lies on the way.
    let store = Point { kind: PointKind::Store, family: VAR };
    let mut rig = Rig::calm();
    rig.begin(0, HOLD, 2);
    rig.begin(1, LOCK, 1);
    assert_eq!(
        rig.machine.resume_until(0, Pause::Before { point: store, occurrence: 1 }, &mut rig.seen),
        Told::Paused(store)
    );
    let mut rig = Rig::calm();
    let outer: Program = |stage, cpu| {
        lock(stage, cpu, 1);
        lock(stage, cpu, 0);
        cpu.load(stage.v(3));
        unlock(stage, cpu, 0);
        unlock(stage, cpu, 1);
        cpu.load(stage.v(3)) + cpu.load(stage.v(3))
    };
    let want_one: Program = |stage, cpu| {
        lock(stage, cpu, 1);
        unlock(stage, cpu, 1);
        0
    };
    // CPU 0 is told to pause at its fifth point but must first wait for CPU 1; CPU 2's wait runs it past that.
    rig = Rig::new(Config { cpus: 3, ..rig.bus().config() });
    rig.begin(0, outer, 2);
    let seen = &mut rig.seen;
    rig.machine.resume_until(0, Pause::At(3), seen);
    rig.run(2, want_one);
    assert_eq!(rig.machine.depth(0), 1);
    assert_eq!(rig.resume(0), Told::Ended, "no pause is left over");
}

#[test]
fn a_pause_of_the_helper_still_to_come_is_kept() {
    let mut rig = Rig::cpus(3);
    // CPU 0 spins for CPU 1's lock 1, told to pause at its last point; it is helped along only as far as lock 0.
    let both: Program = |stage, cpu| {
        lock(stage, cpu, 0);
        lock(stage, cpu, 1);
        unlock(stage, cpu, 0);
        unlock(stage, cpu, 1);
        cpu.load(stage.v(3)) + cpu.load(stage.v(4))
    };
    rig.begin(0, both, 2);
    rig.run(1, LOCK);
    assert_eq!(rig.machine.resume_until(0, Pause::At(6), &mut rig.seen), at(PointKind::Load, VAR));
    assert_eq!(rig.resume(0), Told::Ended);
}

#[test]
fn a_pause_that_is_not_reached_ends_with_its_operation() {
    let mut rig = Rig::calm();
    let short: Program = |stage, cpu| cpu.load(stage.v(0));
    assert_eq!(rig.begin(0, short, 5), Told::Ended);
    assert_eq!(rig.machine.begin(0, HOLD, None, &mut rig.seen), Told::Ended);
    let store = Point { kind: PointKind::Store, family: VAR };
    let far = Pause::Before { point: store, occurrence: 9 };
    assert_eq!(rig.machine.begin(0, HOLD, Some(far), &mut rig.seen), Told::Ended);
    assert_eq!(rig.machine.begin(0, HOLD, None, &mut rig.seen), Told::Ended);
}

#[test]
fn a_pause_belongs_to_its_operation_or_handler_alone() {
    let mut rig = answering(Config::default());
    rig.begin(0, HOLD, 1);
    rig.begin(1, CALL, 3);
    // The operation on CPU 0 has a pause ahead; the handler on top of it does not stop there.
    let store = Point { kind: PointKind::Store, family: VAR };
    rig.machine.resume_until(0, Pause::At(2), &mut rig.seen);
    assert_eq!(
        rig.machine.deliver(0, None, Some(Pause::At(2)), &mut rig.seen),
        Told::Ended,
        "one point only"
    );
    assert_eq!(rig.resume(0), Told::Ended, "and what the handler did not use is gone");
    assert_eq!(rig.resume(1), Told::Ended);
    // An operation's own pause survives a handler on top of it.
    rig.machine.begin(0, HOLD, Some(Pause::At(1)), &mut rig.seen);
    rig.begin(1, CALL, 3);
    assert_eq!(rig.deliver(0), Told::Ended);
    let pause = Pause::Before { point: store, occurrence: 1 };
    assert_eq!(rig.machine.resume_until(0, pause, &mut rig.seen), Told::Paused(store));
}

#[test]
fn a_pause_names_the_kind_the_family_and_the_occurrence() {
    let mut rig = Rig::calm();
    let program: Program = |stage, cpu| {
        for n in 0..4 {
            cpu.load(stage.v(n));
            cpu.store(stage.v(n), 1);
        }
        0
    };
    let point = Point { kind: PointKind::Store, family: VAR };
    let third = Pause::Before { point, occurrence: 3 };
    assert_eq!(rig.machine.begin(0, program, Some(third), &mut rig.seen), Told::Paused(point));
    assert_eq!([rig.var(0), rig.var(1), rig.var(2)], [1, 1, 0]);
}

#[test]
fn a_masked_cpu_is_run_only_until_it_can_take_the_call() {
    let mut rig = answering(Config::default());
    let masked: Program = |stage, cpu| {
        let on = cpu.irq_save();
        cpu.load(stage.v(3));
        cpu.irq_restore(on);
        cpu.load(stage.v(5)) + cpu.load(stage.v(5))
    };
    rig.begin(1, masked, 2);
    rig.run(0, CALL);
    assert_eq!(rig.machine.depth(1), 1, "it took the call at its first point with interrupts on");
    rig.resume(1);
    assert_eq!(rig.last(1), 2);
    rig.assert_quiet();
}

#[test]
fn who_is_not_called_is_not_run() {
    // CPU 2 calls CPU 1 and waits for anyone; CPU 0 stands paused and has nothing to do with it.
    let mut rig = answering(Config { cpus: 3, ..Config::default() });
    rig.begin(0, HOLD, 2);
    rig.begin(1, HOLD, 1);
    rig.run(2, |stage, cpu| {
        cpu.send_ipi(1, 0);
        cpu.wait(acknowledge(stage, Holder::Anyone));
        0
    });
    assert_eq!(rig.resume(1), Told::Ended);
    let mut rig = answering(Config { cpus: 3, ..Config::default() });
    let masked: Program = |stage, cpu| {
        let on = cpu.irq_save();
        cpu.load(stage.v(3));
        cpu.irq_restore(on);
        cpu.load(stage.v(5))
    };
    rig.begin(0, HOLD, 2);
    rig.begin(1, masked, 2);
    rig.run(2, |stage, cpu| {
        cpu.send_ipi(1, 0);
        cpu.wait(acknowledge(stage, Holder::Anyone));
        0
    });
    assert_eq!(rig.var(0), 1, "CPU 0 still holds its lock");
    assert_eq!(rig.machine.depth(0), 1);
}

#[test]
fn help_does_not_pause_in_the_handlers_that_it_delivers() {
    let mut rig = answering(Config::default());
    assert_eq!(rig.begin(0, CALL, 4), Told::Ended, "the caller has three points, the handler one");
    assert_eq!(rig.machine.depth(1), 0);
}

#[test]
fn a_paused_handler_is_helped_before_what_it_interrupted() {
    let mut rig = answering(Config::default());
    rig.begin(1, HOLD, 2);
    rig.begin(0, CALL, 3);
    assert_eq!(rig.machine.deliver(1, None, Some(Pause::At(1)), &mut rig.seen), at(PointKind::Store, VAR));
    assert_eq!(rig.machine.depth(1), 2);
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!(rig.machine.depth(1), 1, "the handler answered and left; the operation did not move");
    assert_eq!(rig.var(0), 2);
}
