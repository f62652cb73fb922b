//! CPUs that a host beneath the machine takes away and gives back.

use crate::waiting::{CALL, acknowledge, lock, unlock};
use crate::{KERNEL, Program, Rig, Stage, VAR, at, read};
use machine::*;

const VA: u64 = 0x4000_0000;

/// The handlers of the host.
const TAKE: Interrupt = Interrupt { from: 0, vector: 1, level: Level::Hypervisor };
const GIVE: Interrupt = Interrupt { from: 0, vector: 2, level: Level::Hypervisor };

/// Variable 7 counts how often the host gave a CPU back, and variable 8 what its handlers began. Any other interrupt answers a
/// call.
fn hosted(config: Config) -> Rig {
    let rig = Rig::new(config);
    rig.stage().give_back.set(Some(GIVE));
    rig.stage().handler.set(|stage, cpu, interrupt| match (interrupt.level, interrupt.vector) {
        (Level::Hypervisor, 1) => {
            cpu.store(stage.v(8), 1);
            cpu.set_descheduled(true);
            cpu.load(stage.v(8));
        }
        (Level::Hypervisor, 2) => {
            cpu.fetch_add(stage.v(7), 1);
            cpu.set_descheduled(false);
            cpu.load(stage.v(8));
        }
        _ => cpu.store(stage.v(5), 1),
    });
    rig
}

fn two() -> Rig {
    hosted(Config::default())
}

fn lazy(temperament: Temperament) -> Rig {
    hosted(Config { temperament, ..Config::default() })
}

fn host(rig: &mut Rig, cpu: u8, handler: Interrupt, pause: Option<Pause>) -> Told {
    rig.machine.host(cpu, handler, pause, &mut rig.seen)
}

fn away(rig: &Rig, cpu: u8) -> bool {
    rig.bus().core(cpu).is_descheduled()
}

fn take_away(rig: &mut Rig, cpu: u8) {
    assert_eq!(host(rig, cpu, TAKE, None), Told::Ended);
    assert!(away(rig, cpu));
}

fn give_back(rig: &mut Rig, cpu: u8) {
    assert_eq!(host(rig, cpu, GIVE, None), Told::Ended);
    assert!(!away(rig, cpu));
}

/// Four points.
const LOADS: Program = |stage, cpu| (1..5).map(|n| cpu.load(stage.v(n))).sum();
/// Three points with interrupts off, and one behind them.
const MASKED: Program = |stage, cpu| {
    let on = cpu.irq_save();
    cpu.store(stage.v(1), 1);
    cpu.irq_restore(on);
    cpu.load(stage.v(7))
};
const HOLD: Program = |stage, cpu| {
    lock(stage, cpu, 0);
    cpu.load(stage.v(1));
    unlock(stage, cpu, 0);
    cpu.load(stage.v(1))
};

#[test]
fn a_cpu_that_was_taken_away_takes_no_interrupt() {
    let mut rig = two();
    take_away(&mut rig, 0);
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 3);
        cpu.send_ipi_at(Level::Hypervisor, 0, 3);
        0
    });
    assert_eq!(rig.deliver(0), Told::Nothing, "the hypervisor's no more than the guest's");
    assert_eq!(rig.bus().core(0).pending().len(), 2);
    give_back(&mut rig, 0);
    assert_eq!((rig.deliver(0), rig.deliver(0)), (Told::Ended, Told::Ended));
    rig.assert_quiet();
}

#[test]
fn a_cpu_that_was_taken_away_fills_nothing_and_keeps_what_it_has_cached() {
    let mut rig = two();
    rig.map(VA, KERNEL);
    rig.map(VA + 0x1000, KERNEL);
    rig.run(0, |_, cpu| read(cpu, VA));
    take_away(&mut rig, 0);
    assert!(!rig.bus().fill(0, VA + 0x1000));
    rig.set(VA, 1, Entry::EMPTY);
    assert_eq!(rig.bus().core(0).tlb().leaves().len(), 1);
    give_back(&mut rig, 0);
    assert_eq!(rig.run(0, |_, cpu| read(cpu, VA)), 0, "it comes back with what is stale by now");
    assert!(rig.bus().fill(0, VA + 0x1000));
}

#[test]
fn a_cpu_that_was_taken_away_walks_nothing_eagerly() {
    let mut rig = lazy(Temperament::EAGER_WALKERS);
    rig.map(VA, KERNEL);
    take_away(&mut rig, 1);
    rig.run(0, |stage, cpu| {
        cpu.store_word(stage.entry(cpu.bus(), stage.root, VA, 1), Family::PTE, 0);
        0
    });
    assert!(rig.bus().core(0).tlb().leaf(VA, 0).is_some());
    assert!(rig.bus().core(1).tlb().leaf(VA, 0).is_none());
}

#[test]
fn what_a_cpu_stored_is_visible_when_it_is_taken_away() {
    let mut rig = lazy(Temperament::LAZY_STORES);
    let stores: Program = |stage, cpu| {
        cpu.store(stage.v(1), 1);
        cpu.load(stage.v(2))
    };
    rig.begin(0, stores, 2);
    assert_eq!(rig.var(1), 0);
    // What the host's handler stored before it takes the CPU away is visible too, and not before.
    assert_eq!(host(&mut rig, 0, TAKE, Some(Pause::At(2))), at(PointKind::Return, Family::NONE));
    assert_eq!((rig.var(1), rig.var(8)), (1, 0));
    let seen = &mut rig.seen;
    assert_eq!(rig.machine.resume_until(0, Pause::At(3), seen), at(PointKind::Load, VAR));
    assert!(away(&rig, 0));
    assert_eq!(rig.var(8), 1);
}

#[test]
fn what_is_told_to_a_cpu_gives_it_back_first() {
    let mut rig = two();
    take_away(&mut rig, 0);
    assert_eq!(rig.run(0, |stage, cpu| cpu.load(stage.v(7))), 1, "an operation begins");
    assert_eq!(rig.begin(0, LOADS, 2), at(PointKind::Load, VAR));
    take_away(&mut rig, 0);
    assert_eq!(rig.machine.resume_until(0, Pause::At(3), &mut rig.seen), at(PointKind::Load, VAR));
    assert!(!away(&rig, 0));
    assert_eq!(rig.var(7), 2, "an operation goes on to a pause");
    take_away(&mut rig, 0);
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!(rig.var(7), 3, "and to its end");
    rig.assert_quiet();
}

#[test]
fn the_pause_of_what_is_told_is_not_spent_in_the_handler_that_gives_the_cpu_back() {
    let mut rig = two();
    take_away(&mut rig, 0);
    assert_eq!(rig.begin(0, LOADS, 2), at(PointKind::Load, VAR));
    assert_eq!((rig.machine.depth(0), rig.var(7)), (1, 1));
    take_away(&mut rig, 0);
    let load = Point { kind: PointKind::Load, family: VAR };
    let next = Pause::Before { point: load, occurrence: 1 };
    assert_eq!(rig.machine.resume_until(0, next, &mut rig.seen), Told::Paused(load));
    assert!(!away(&rig, 0));
    // It stood before its third load, not before one of the handler's.
    assert_eq!(rig.machine.resume_until(0, Pause::At(4), &mut rig.seen), Told::Paused(load));
    assert_eq!(rig.resume(0), Told::Ended);
    rig.assert_quiet();
}

#[test]
fn a_guests_handler_that_stands_goes_on_after_its_cpu_is_given_back() {
    let mut rig = two();
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 3);
        0
    });
    assert_eq!(rig.machine.deliver(0, None, Some(Pause::At(1)), &mut rig.seen), at(PointKind::Store, VAR));
    take_away(&mut rig, 0);
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!((rig.var(5), rig.var(7)), (1, 1));
}

#[test]
fn a_wait_for_a_cpu_gives_it_back() {
    // It is idle, and called.
    let mut rig = two();
    take_away(&mut rig, 1);
    rig.run(0, CALL);
    assert!(!away(&rig, 1));
    assert_eq!((rig.var(5), rig.var(7)), (1, 1));
    // It was taken away with interrupts off: it is run until it can take the call.
    let mut rig = two();
    rig.begin(1, MASKED, 2);
    take_away(&mut rig, 1);
    rig.run(0, CALL);
    assert_eq!((rig.machine.depth(1), rig.var(7)), (1, 1));
    rig.resume(1);
    // It holds a lock.
    let mut rig = two();
    rig.begin(1, HOLD, 2);
    take_away(&mut rig, 1);
    rig.run(0, HOLD);
    assert_eq!((rig.machine.depth(1), rig.var(7)), (1, 1));
    rig.assert_quiet();
}

#[test]
fn a_cpu_that_is_not_waited_for_stays_away() {
    let mut rig = hosted(Config { cpus: 3, ..Config::default() });
    rig.begin(1, HOLD, 2);
    rig.begin(2, MASKED, 2);
    take_away(&mut rig, 2);
    rig.run(0, HOLD);
    assert!(away(&rig, 2));
    rig.run(0, |stage, cpu| {
        cpu.send_ipi(1, 3);
        cpu.wait(acknowledge(stage, Holder::Cpu(1)));
        0
    });
    assert!(away(&rig, 2));
    assert_eq!(rig.var(7), 0);
}

#[test]
fn without_help_a_wait_stands_and_its_holder_stays_away() {
    let mut rig = two();
    rig.machine.set_helping(false);
    rig.begin(1, HOLD, 2);
    take_away(&mut rig, 1);
    assert!(matches!(rig.machine.begin(0, HOLD, None, &mut rig.seen), Told::Waiting(_)));
    assert!(away(&rig, 1));
    assert_eq!(rig.resume(1), Told::Ended);
    assert_eq!((rig.resume(0), rig.var(7)), (Told::Ended, 1));
}

#[test]
fn the_host_takes_a_cpu_away_whatever_its_flag_says_and_leaves_the_flag() {
    let mut rig = two();
    rig.begin(0, MASKED, 2);
    take_away(&mut rig, 0);
    assert!(!rig.bus().core(0).guest_interrupts_on());
    assert_eq!(rig.bus().core(0).level(), Level::Guest);
    give_back(&mut rig, 0);
    assert!(!rig.bus().core(0).guest_interrupts_on());
    assert_eq!((rig.machine.depth(0), rig.var(1)), (1, 0), "what it interrupted did not move");
    assert_eq!(rig.resume(0), Told::Ended);
    rig.assert_quiet();
}

#[test]
fn a_handler_of_the_hosts_is_paused_and_goes_on_by_itself() {
    let mut rig = two();
    rig.begin(0, MASKED, 2);
    // Its last point: the CPU is away already, and the handler goes on all the same.
    assert_eq!(host(&mut rig, 0, TAKE, Some(Pause::At(3))), at(PointKind::Load, VAR));
    assert!(away(&rig, 0));
    assert_eq!(rig.machine.depth(0), 2);
    assert_eq!(rig.resume(0), Told::Ended);
    assert!(away(&rig, 0), "no other handler had to run for it");
    assert_eq!((rig.machine.depth(0), rig.var(7)), (1, 0));
    // The handler that gives it back stops before it does.
    assert_eq!(host(&mut rig, 0, GIVE, Some(Pause::At(2))), at(PointKind::Return, Family::NONE));
    assert!(away(&rig, 0));
    assert_eq!(rig.machine.depth(0), 2);
    assert_eq!(rig.resume(0), Told::Ended);
    assert!(!away(&rig, 0));
    assert_eq!((rig.machine.depth(0), rig.var(7)), (1, 1), "it was given back once");
    assert_eq!(rig.resume(0), Told::Ended);
    rig.assert_quiet();
}

#[test]
fn a_wait_for_a_cpu_goes_on_with_the_hosts_handler_that_stands_there() {
    let mut rig = two();
    rig.begin(1, HOLD, 2);
    take_away(&mut rig, 1);
    host(&mut rig, 1, GIVE, Some(Pause::At(2)));
    rig.run(0, HOLD);
    assert!(!away(&rig, 1));
    assert_eq!(rig.var(7), 1, "it was given back once");
    rig.assert_quiet();
}

#[test]
fn a_cpu_that_was_taken_away_in_the_middle_of_something_is_busy() {
    let mut rig = two();
    // A grace period waits for every CPU that is busy.
    rig.stage().background.set(|stage, standing| {
        let others = standing.busy & !1;
        if others != 0 {
            return Background::HeldBy(others);
        }
        standing.bus.memory.set_value(stage.v(9), 1);
        Background::Moved
    });
    rig.begin(1, MASKED, 2);
    take_away(&mut rig, 1);
    assert_eq!(rig.machine.standing().busy, 0b10);
    rig.run(0, |stage, cpu| {
        let (until, kind) = (Until::Is(1), WaitKind::GracePeriod);
        cpu.wait(Wait { var: stage.v(9), until, holder: Holder::Background, kind });
        0
    });
    assert_eq!(rig.last(1), 1, "it was given back, and left");
    take_away(&mut rig, 1);
    assert_eq!(rig.machine.standing().busy, 0, "an idle one is idle");
    rig.assert_quiet();
}

#[test]
fn a_story_begins_with_every_cpu_given_back() {
    let mut rig = two();
    take_away(&mut rig, 1);
    rig.machine.reset(Config::default(), |bus| Stage::new(bus));
    assert!(!away(&rig, 1));
}

#[test]
fn a_cpu_that_was_taken_away_in_a_hypercall_is_given_back_before_it_goes_on() {
    let mut rig = two();
    let call: Program = |stage, cpu| {
        cpu.hypercall("work", |cpu| cpu.load(stage.v(1)));
        u64::from(cpu.bus().core(0).is_descheduled())
    };
    rig.begin(0, call, 2);
    take_away(&mut rig, 0);
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!((rig.last(0), rig.var(7)), (0, 1));
}

#[test]
fn a_cpu_that_was_not_called_stays_away() {
    let mut rig = hosted(Config { cpus: 3, ..Config::default() });
    take_away(&mut rig, 1);
    rig.run(0, |stage, cpu| {
        cpu.send_ipi(2, 3);
        cpu.wait(acknowledge(stage, Holder::Anyone));
        0
    });
    assert!(away(&rig, 1));
}
