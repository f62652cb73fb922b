//! Spinlocks and mutexes: one holder at a time, whoever comes in between.

use crate::{Program, Rig, SHARED};
use machine::{Counted, PointKind, Prices, Told};

const SPIN: Program = |kit, cpu| {
    let _held = kit.spin_a.lock(cpu);
    kit.count(cpu)
};

const SLEEP: Program = |kit, cpu| {
    let _held = kit.mutex_a.lock(cpu);
    kit.count(cpu)
};

const BARE: Program = |kit, cpu| kit.count(cpu);

/// c0 is overtaken by c1 between its load and its store.
fn overtaken(program: Program) -> Rig {
    let mut rig = Rig::new(2);
    rig.run_until(0, PointKind::Store, SHARED, program);
    rig.run(1, program);
    rig.go_on(0);
    assert_eq!(rig.complaints(), []);
    rig
}

#[test]
fn without_a_lock_one_count_is_lost() {
    assert_eq!(overtaken(BARE).counted(), 1);
}

#[test]
fn who_wants_a_spinlock_waits_for_its_holder() {
    let rig = overtaken(SPIN);
    assert_eq!((rig.counted(), rig.outcome(0), rig.outcome(1)), (2, Some(0), Some(1)));
}

#[test]
fn who_wants_a_mutex_waits_for_its_holder() {
    let rig = overtaken(SLEEP);
    assert_eq!((rig.counted(), rig.outcome(0), rig.outcome(1)), (2, Some(0), Some(1)));
}

#[test]
fn each_lock_taken_and_each_wait_for_one_is_counted_once() {
    let mut rig = Rig::new(2);
    rig.machine.bus().start_metering(Prices::new(0, |_| 0));
    let count = |rig: &Rig, cpu: u8| {
        let seen = rig.machine.bus().meter().expect("it is metered").counts(cpu).clone();
        (seen.of(Counted::Lock), seen.of(Counted::LockWait))
    };
    rig.run(0, |kit, cpu| {
        drop(kit.spin_a.lock(cpu));
        drop(kit.spin_a.lock_irqsave(cpu));
        drop(kit.spin_a.try_lock(cpu));
        drop(kit.mutex_a.lock(cpu));
        drop(kit.semaphore.read(cpu));
        drop(kit.semaphore.write(cpu));
        0
    });
    assert_eq!(count(&rig, 0), (6, 0));
    for (taken, program) in [(1, SPIN), (2, SLEEP)] {
        rig.run_until(0, PointKind::Store, SHARED, program);
        rig.run(1, program);
        rig.go_on(0);
        assert_eq!((count(&rig, 0), count(&rig, 1)), ((6 + taken, 0), (taken, taken)));
    }
}

#[test]
fn a_spinlock_that_is_only_tried_for_is_not_waited_for() {
    let tries: Program = |kit, cpu| u64::from(kit.spin_a.try_lock(cpu).is_some());
    let mut rig = Rig::new(2);
    assert_eq!((rig.run(1, tries), rig.run(1, tries)), (1, 1), "it is given back");
    rig.run_until(0, PointKind::Store, SHARED, SPIN);
    assert_eq!(rig.run(1, tries), 0);
    rig.go_on(0);
    assert_eq!(rig.run(1, tries), 1);
}

#[test]
fn a_mutex_that_is_only_tried_for_is_not_waited_for() {
    let tries: Program = |kit, cpu| u64::from(kit.mutex_a.try_lock(cpu).is_some());
    let mut rig = Rig::new(2);
    assert_eq!((rig.run(1, tries), rig.run(1, tries)), (1, 1), "it is given back");
    rig.run_until(0, PointKind::Store, SHARED, SLEEP);
    assert_eq!(rig.run(1, tries), 0);
    rig.go_on(0);
    assert_eq!(rig.run(1, tries), 1);
}

#[test]
fn irqsave_keeps_handlers_out_and_puts_the_flag_back_as_it_was() {
    let mut rig = Rig::new(2);
    let masked: Program = |kit, cpu| {
        let held = kit.spin_a.lock_irqsave(cpu);
        kit.count(cpu);
        drop(held);
        u64::from(cpu.interrupts_on())
    };
    rig.handle_with(|kit, cpu| drop(kit.spin_a.lock_irqsave(cpu)));
    rig.run_until(0, PointKind::Store, SHARED, masked);
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 1);
        0
    });
    assert_eq!(rig.deliver(0), Told::Nothing, "c0 has interrupts off");
    rig.go_on(0);
    assert_eq!(rig.outcome(0), Some(1));
    assert_eq!(rig.deliver(0), Told::Ended);
    let nested = rig.run(1, |kit, cpu| {
        let before = cpu.irq_save();
        drop(kit.spin_a.lock_irqsave(cpu));
        let inside = cpu.interrupts_on();
        cpu.irq_restore(before);
        u64::from(inside)
    });
    assert_eq!(nested, 0, "they were off before, and stay so");
    assert_eq!(rig.complaints(), []);
}
