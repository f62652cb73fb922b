//! Grace periods: what is queued is given back when nobody reads any more, and not before.

use crate::{Program, Rig, SHARED};
use machine::{Background, PointKind, Told};

const READS: Program = |kit, cpu| {
    let _reading = kit.rcu.read_lock(cpu);
    cpu.load(kit.shared)
};

const MASKED: Program = |kit, cpu| {
    let on = cpu.irq_save();
    let found = cpu.load(kit.shared);
    cpu.irq_restore(on);
    found
};

fn grace_period(rig: &Rig) -> Background {
    rig.kit().grace_period(&rig.machine.standing())
}

#[test]
fn a_callback_is_given_back_once_by_the_next_grace_period() {
    let rig = Rig::new(1);
    rig.kit().rcu.call("a block");
    assert_eq!((rig.kit().rcu.queued(), rig.kit().given_back.borrow().len()), (1, 0));
    assert_eq!(grace_period(&rig), Background::Moved);
    assert_eq!(grace_period(&rig), Background::Moved);
    assert_eq!((rig.kit().rcu.queued(), rig.kit().given_back.borrow().as_slice()), (0, &["a block"][..]));
}

#[test]
fn a_reader_and_a_cpu_with_interrupts_off_hold_a_grace_period_up() {
    for program in [READS, MASKED] {
        let mut rig = Rig::new(3);
        rig.kit().rcu.call("a block");
        rig.run_until(1, PointKind::Load, SHARED, program);
        assert_eq!(grace_period(&rig), Background::HeldBy(0b010));
        assert_eq!(rig.kit().rcu.queued(), 1);
        assert_eq!(rig.go_on(1), Told::Ended);
        assert_eq!(grace_period(&rig), Background::Moved);
    }
}

#[test]
fn a_section_within_a_section_still_reads() {
    let mut rig = Rig::new(1);
    rig.run_until(0, PointKind::Load, SHARED, |kit, cpu| {
        let _reading = kit.rcu.read_lock(cpu);
        drop(kit.rcu.read_lock(cpu));
        cpu.load(kit.shared)
    });
    assert_eq!(grace_period(&rig), Background::HeldBy(1));
}

#[test]
fn a_cpu_that_is_under_way_and_does_not_read_holds_nothing_up() {
    let mut rig = Rig::new(2);
    rig.run_until(0, PointKind::Load, SHARED, |kit, cpu| cpu.load(kit.shared));
    assert_eq!(grace_period(&rig), Background::Moved);
}

#[test]
fn synchronize_waits_for_whoever_reads() {
    let mut rig = Rig::new(2);
    rig.run_until(0, PointKind::Load, SHARED, READS);
    rig.run(1, |kit, cpu| {
        kit.rcu.synchronize(cpu);
        0
    });
    assert_eq!(rig.outcome(0), Some(0), "the section of c0 is over");
    assert!(rig.machine.bus().alarms().is_empty(), "{:?}", rig.machine.bus().alarms());
}
