//! Deferred work and per-CPU data.

use crate::Rig;
use impls::sync::Work;
use machine::Told;

#[test]
fn work_is_queued_once_and_taken_once() {
    let mut rig = Rig::new(1);
    assert!(!rig.kit().work.pending(rig.machine.bus()));
    assert_eq!(
        rig.run(0, |kit, cpu| u64::from(kit.work.take(cpu, Work::PurgeAreas))),
        0,
        "nothing is queued"
    );
    let twice = rig.run(0, |kit, cpu| {
        let first = kit.work.schedule(cpu, Work::PurgeAreas);
        let second = kit.work.schedule(cpu, Work::PurgeAreas);
        u64::from(first) << 1 | u64::from(second)
    });
    assert_eq!(twice, 0b10);
    assert!(rig.kit().work.pending(rig.machine.bus()));
    assert_eq!(rig.run(0, |kit, cpu| u64::from(kit.work.take(cpu, Work::PurgeAreas))), 1);
    assert!(!rig.kit().work.pending(rig.machine.bus()));
}

#[test]
fn a_handler_may_queue_work() {
    let mut rig = Rig::new(2);
    rig.handle_with(|kit, cpu| assert!(kit.work.schedule(cpu, Work::PurgeAreas)));
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 1);
        0
    });
    assert_eq!(rig.deliver(0), Told::Ended);
    assert!(rig.kit().work.pending(rig.machine.bus()));
    assert_eq!(rig.complaints(), []);
}

#[test]
fn each_cpu_has_data_of_its_own() {
    let mut rig = Rig::new(2);
    for cpu in [0, 1, 1] {
        rig.run(cpu, |kit, cpu| cpu.fetch_add(kit.own.this(cpu), 1));
    }
    let of = |cpu| rig.machine.bus().memory.value(rig.kit().own.of(cpu));
    assert_eq!((of(0), of(1)), (1, 2));
}
