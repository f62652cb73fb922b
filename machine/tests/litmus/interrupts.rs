//! Interrupts: when they are taken, in which order, and on top of what.

use crate::{Program, Rig, VAR, at};
use machine::*;

const LOAD: Program = |stage, cpu| cpu.load(stage.v(0));

/// Sends vectors 1 and 2 to CPU 0.
const SEND_TWO: Program = |_, cpu| {
    cpu.send_ipi(0, 1);
    cpu.send_ipi(0, 2);
    0
};

/// A machine whose handlers append who sent what to variable 0, as decimal digits.
fn logging(config: Config) -> Rig {
    let rig = Rig::new(config);
    rig.stage().handler.set(|stage, cpu, interrupt| {
        let digits = u64::from(interrupt.from) * 10 + u64::from(interrupt.vector);
        let log = cpu.load(stage.v(0)) * 100 + digits;
        cpu.store(stage.v(0), log);
    });
    rig
}

#[test]
fn an_interrupt_is_never_taken_merely_because_a_cpu_runs() {
    let mut rig = logging(Config::default());
    rig.run(1, SEND_TWO);
    rig.run(0, LOAD);
    assert_eq!(rig.var(0), 0);
    assert_eq!(rig.bus().core(0).pending().len(), 2);
    assert_eq!(rig.deliver(0), Told::Ended);
    assert_eq!(rig.deliver(0), Told::Ended);
    assert_eq!(rig.deliver(0), Told::Nothing);
    assert_eq!(rig.var(0), 1112);
}

#[test]
fn a_masked_interrupt_stays_pending() {
    let mut rig = logging(Config::default());
    let masked: Program = |stage, cpu| {
        let on = cpu.irq_save();
        let found = cpu.load(stage.v(1));
        cpu.irq_restore(on);
        found + cpu.load(stage.v(1))
    };
    rig.begin(0, masked, 2);
    rig.run(1, SEND_TWO);
    assert_eq!(rig.deliver(0), Told::Nothing);
    let seen = &mut rig.seen;
    assert_eq!(rig.machine.resume_until(0, Pause::At(4), seen), at(PointKind::Load, VAR));
    assert_eq!(rig.deliver(0), Told::Ended, "on again");
    assert_eq!(rig.var(0), 11);
    assert_eq!(rig.resume(0), Told::Ended);
}

#[test]
fn interrupts_are_delivered_from_a_given_sender() {
    let mut rig = logging(Config { cpus: 3, ..Config::default() });
    rig.run(1, SEND_TWO);
    rig.run(2, SEND_TWO);
    for from in [2, 1, 1, 2] {
        assert_eq!(rig.machine.deliver(0, Some(from), None, &mut rig.seen), Told::Ended);
    }
    assert_eq!(rig.machine.deliver(0, Some(2), None, &mut rig.seen), Told::Nothing);
    assert_eq!(rig.var(0), 21_11_12_22);
}

#[test]
fn reordering_takes_the_latest_sender_first_and_keeps_the_order_of_each() {
    let temperament = Temperament::REORDERED_INTERRUPTS;
    let mut rig = logging(Config { cpus: 3, temperament, ..Config::default() });
    rig.run(1, SEND_TWO);
    rig.run(2, SEND_TWO);
    while rig.deliver(0) == Told::Ended {}
    assert_eq!(rig.var(0), 21_22_11_12);
}

#[test]
fn a_handler_nests_on_a_paused_operation_without_advancing_it() {
    let mut rig = logging(Config::default());
    rig.begin(0, LOAD, 1);
    rig.run(1, SEND_TWO);
    assert_eq!(rig.deliver(0), Told::Ended);
    assert_eq!(rig.machine.depth(0), 1, "the operation stands where it stood");
    rig.resume(0);
    assert_eq!(rig.last(0), 11, "and loads after the handler");
}

#[test]
fn a_paused_handler_is_continued_before_what_it_interrupted() {
    let mut rig = logging(Config::default());
    rig.begin(0, LOAD, 1);
    rig.run(1, SEND_TWO);
    let seen = &mut rig.seen;
    assert_eq!(rig.machine.deliver(0, None, Some(Pause::At(2)), seen), at(PointKind::Store, VAR));
    assert_eq!(rig.machine.depth(0), 2);
    assert_eq!(rig.deliver(0), Told::Nothing, "a handler runs with interrupts off");
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!((rig.machine.depth(0), rig.var(0)), (1, 11));
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!((rig.machine.depth(0), rig.last(0)), (0, 11));
    assert_eq!(rig.resume(0), Told::Nothing);
}

#[test]
fn a_handler_that_enables_interrupts_is_interrupted_in_turn() {
    let mut rig = Rig::calm();
    rig.stage().handler.set(|stage, cpu, interrupt| {
        cpu.irq_restore(true);
        assert!(cpu.in_interrupt());
        let log = cpu.load(stage.v(0));
        cpu.store(stage.v(0), log * 10 + u64::from(interrupt.vector));
    });
    rig.run(1, SEND_TWO);
    let seen = &mut rig.seen;
    assert_eq!(rig.machine.deliver(0, None, Some(Pause::At(2)), seen), at(PointKind::Load, VAR));
    assert_eq!(rig.deliver(0), Told::Ended);
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!(rig.var(0), 21, "the second ran inside the first");
}

#[test]
fn an_interrupt_leaves_user_mode_and_comes_back_to_it() {
    let mut rig = Rig::calm();
    rig.stage()
        .handler
        .set(|stage, cpu, _| cpu.store(stage.v(0), u64::from(cpu.bus().core(0).mode() == Mode::Kernel)));
    rig.run(1, SEND_TWO);
    rig.begin(
        0,
        |stage, cpu| {
            cpu.set_mode(Mode::User);
            cpu.load(stage.v(1))
        },
        1,
    );
    rig.deliver(0);
    assert_eq!(rig.var(0), 1);
    assert_eq!(rig.bus().core(0).mode(), Mode::User);
}

/// Sends an interrupt of the hypervisor's own to CPU 0.
const HYPERVISOR_SENDS: Program = |_, cpu| {
    cpu.hypercall("send", |cpu| cpu.send_ipi(0, 7));
    0
};

#[test]
fn the_hypervisor_interrupts_a_guest_that_has_interrupts_off() {
    let mut rig = logging(Config::default());
    rig.begin(
        0,
        |stage, cpu| {
            let on = cpu.irq_save();
            let found = cpu.load(stage.v(1));
            cpu.irq_restore(on);
            found
        },
        2,
    );
    rig.run(1, SEND_TWO);
    rig.run(1, HYPERVISOR_SENDS);
    assert_eq!(rig.deliver(0), Told::Ended);
    assert_eq!(rig.deliver(0), Told::Nothing, "the guest's own stay pending");
    assert_eq!(rig.var(0), 17);
    assert!(!rig.bus().core(0).guest_interrupts_on(), "the guest's flag is as it was");
}

#[test]
fn the_hypervisor_is_not_interrupted_while_its_own_interrupts_are_off() {
    let mut rig = logging(Config::default());
    let masked: Program = |stage, cpu| {
        cpu.hypercall("work", |cpu| {
            let found = cpu.load(stage.v(1));
            let on = cpu.irq_save();
            let more = cpu.load(stage.v(1));
            cpu.irq_restore(on);
            found + more
        })
    };
    for (point, told) in [(2, Told::Ended), (4, Told::Nothing)] {
        let mut machine = logging(Config::default());
        std::mem::swap(&mut rig, &mut machine);
        rig.begin(0, masked, point);
        rig.run(1, SEND_TWO);
        assert_eq!(rig.deliver(0), Told::Nothing, "the guest's wait while the hypervisor runs");
        rig.run(1, HYPERVISOR_SENDS);
        assert_eq!(rig.deliver(0), told);
        rig.resume(0);
        rig.assert_quiet();
    }
}

#[test]
fn an_operation_that_leaves_interrupts_off_is_a_defect() {
    let mut rig = Rig::calm();
    rig.run(0, |_, cpu| u64::from(cpu.irq_save()));
    assert_eq!(rig.alarms(), [AlarmKind::Bug { text: "an operation ended with interrupts off" }]);
    assert!(rig.bus().core(0).guest_interrupts_on(), "an idle CPU takes interrupts");
}
