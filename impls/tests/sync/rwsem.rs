//! Reader-writer semaphores: readers beside one another, a writer alone.

use crate::{Program, Rig, SHARED};
use machine::{PointKind, Told};

const READER: Program = |kit, cpu| {
    let _held = kit.semaphore.read(cpu);
    let first = cpu.load(kit.shared);
    cpu.load(kit.shared) - first
};

const WRITER: Program = |kit, cpu| {
    let _held = kit.semaphore.write(cpu);
    kit.count(cpu)
};

#[test]
fn readers_do_not_wait_for_one_another() {
    let mut rig = Rig::new(2);
    rig.run_until(0, PointKind::Load, SHARED, READER);
    rig.run(1, READER);
    assert_eq!(rig.outcome(0), None, "c0 still reads");
    assert_eq!(rig.go_on(0), Told::Ended);
}

#[test]
fn a_writer_waits_for_every_reader() {
    let mut rig = Rig::new(3);
    rig.run_until(0, PointKind::Load, SHARED, READER);
    rig.run_until(1, PointKind::Load, SHARED, READER);
    rig.run(2, WRITER);
    assert_eq!((rig.outcome(0), rig.outcome(1)), (Some(0), Some(0)), "both read on, and saw no change");
    assert_eq!(rig.counted(), 1);
    assert!(rig.machine.bus().alarms().is_empty(), "{:?}", rig.machine.bus().alarms());
}

#[test]
fn a_reader_and_a_writer_wait_for_the_writer() {
    for waiter in [READER, WRITER] {
        let mut rig = Rig::new(2);
        rig.run_until(0, PointKind::Store, SHARED, WRITER);
        rig.run(1, waiter);
        assert_eq!(rig.outcome(0), Some(0), "c0 wrote first");
        assert!(rig.machine.bus().alarms().is_empty(), "{:?}", rig.machine.bus().alarms());
    }
}
