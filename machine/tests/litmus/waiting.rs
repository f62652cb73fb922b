//! Waiting is data: what ends a wait, who is run for it, and what is reported when nobody can.

use crate::{Program, Rig, Stage, VAR, at};
use machine::*;

pub(crate) fn lock(stage: &Stage, cpu: &Cpu<'_>, n: usize) {
    let me = u64::from(cpu.id()) + 1;
    while let Err(owner) = cpu.compare_exchange(stage.v(n), 0, me) {
        cpu.wait(Wait {
            var: stage.v(n),
            until: Until::Is(0),
            holder: Holder::Cpu(owner as u8 - 1),
            kind: WaitKind::Spin,
        });
    }
}

pub(crate) fn unlock(stage: &Stage, cpu: &Cpu<'_>, n: usize) {
    cpu.store(stage.v(n), 0);
}

const LOCK_ZERO: Program = |stage, cpu| {
    lock(stage, cpu, 0);
    let found = cpu.fetch_add(stage.v(2), 1);
    unlock(stage, cpu, 0);
    found
};
const ZERO_ONE: Program = |stage, cpu| {
    lock(stage, cpu, 0);
    lock(stage, cpu, 1);
    unlock(stage, cpu, 1);
    unlock(stage, cpu, 0);
    0
};
const ONE_ZERO: Program = |stage, cpu| {
    lock(stage, cpu, 1);
    lock(stage, cpu, 0);
    unlock(stage, cpu, 0);
    unlock(stage, cpu, 1);
    0
};

pub(crate) fn acknowledge(stage: &Stage, from: Holder) -> Wait {
    Wait { var: stage.v(5), until: Until::Is(1), holder: from, kind: WaitKind::Acknowledge }
}

/// Calls the other CPU of two and waits for its answer.
pub(crate) const CALL: Program = |stage, cpu| {
    let other = 1 - cpu.id();
    cpu.store(stage.v(5), 0);
    cpu.send_ipi(other, 0);
    cpu.wait(acknowledge(stage, Holder::Cpu(other)));
    0
};

pub(crate) fn answering(config: Config) -> Rig {
    let rig = Rig::new(config);
    rig.stage().handler.set(|stage, cpu, _| cpu.store(stage.v(5), 1));
    rig
}

#[test]
fn whoever_holds_a_lock_is_run_until_it_is_released() {
    let mut rig = Rig::calm();
    assert_eq!(rig.begin(0, LOCK_ZERO, 2), at(PointKind::Locked, VAR));
    assert_eq!(rig.run(1, LOCK_ZERO), 1);
    assert_eq!(rig.last(0), 0, "the holder went first");
    rig.assert_quiet();
}

#[test]
fn a_lock_released_by_a_lazy_store_is_seen_by_the_waiter() {
    let mut rig = Rig::with(Temperament::LAZY_STORES);
    let leaves: Program = |stage, cpu| {
        lock(stage, cpu, 0);
        cpu.store(stage.v(3), 1);
        unlock(stage, cpu, 0);
        cpu.store(stage.v(4), 1);
        cpu.load(stage.v(6))
    };
    rig.begin(0, leaves, 5);
    assert_eq!(rig.var(0), 1, "the release sits in the buffer");
    assert_eq!(rig.run(1, LOCK_ZERO), 0);
    assert_eq!(rig.machine.depth(0), 1, "nobody had to run for it");
    assert_eq!(
        (rig.var(3), rig.var(4)),
        (1, 0),
        "what was stored before the release left, what came after did not"
    );
}

#[test]
fn an_idle_cpu_answers_a_call() {
    let mut rig = answering(Config::default());
    rig.run(0, CALL);
    rig.assert_quiet();
}

#[test]
fn a_spinner_with_interrupts_on_takes_them() {
    // CPU 0 holds the lock and calls CPU 1, which spins for the lock.
    let mut rig = answering(Config::default());
    let call_locked: Program = |stage, cpu| {
        lock(stage, cpu, 0);
        let done = CALL(stage, cpu);
        unlock(stage, cpu, 0);
        done
    };
    rig.begin(0, call_locked, 2);
    rig.run(1, LOCK_ZERO);
    assert_eq!(rig.seen.0, [(0, 0), (1, 0)]);
    rig.assert_quiet();
}

#[test]
fn two_cpus_that_call_each_other_both_answer() {
    let mut rig = Rig::calm();
    rig.stage().handler.set(|stage, cpu, interrupt| cpu.store(stage.v(usize::from(interrupt.from)), 1));
    let call: Program = |stage, cpu| {
        let me = usize::from(cpu.id());
        cpu.send_ipi(1 - cpu.id(), 0);
        let until = Until::Is(1);
        let holder = Holder::Cpu(1 - cpu.id());
        cpu.wait(Wait { var: stage.v(me), until, holder, kind: WaitKind::Acknowledge });
        0
    };
    rig.begin(0, call, 2);
    rig.run(1, call);
    rig.resume(0);
    assert_eq!(rig.seen.0.len(), 2);
    rig.assert_quiet();
}

#[test]
fn a_deadlock_is_reported_with_its_cycle() {
    let mut rig = Rig::calm();
    rig.begin(0, ZERO_ONE, 2);
    assert_eq!(rig.machine.begin(1, ONE_ZERO, None, &mut rig.seen), Told::Failed);
    let spin = |n: usize, holder: u8| Wait {
        var: rig.stage().v(n),
        until: Until::Is(0),
        holder: Holder::Cpu(holder),
        kind: WaitKind::Spin,
    };
    let cycle = vec![(1, spin(0, 0)), (0, spin(1, 1))];
    assert_eq!(rig.alarms(), [AlarmKind::Deadlock { cycle }]);
    assert_eq!(rig.resume(0), Told::Failed, "only a reset is left");
}

#[test]
fn a_handler_that_wants_the_lock_of_what_it_interrupted_deadlocks_alone() {
    let mut rig = Rig::calm();
    rig.stage().handler.set(|stage, cpu, _| {
        lock(stage, cpu, 0);
        unlock(stage, cpu, 0);
    });
    rig.begin(0, LOCK_ZERO, 2);
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 0);
        0
    });
    assert_eq!(rig.deliver(0), Told::Failed);
    let [AlarmKind::Deadlock { cycle }] = &rig.alarms()[..] else { panic!("{:?}", rig.alarms()) };
    assert_eq!(cycle.iter().map(|(cpu, _)| *cpu).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_wait_that_nobody_ever_ends_is_a_deadlock() {
    for holder in [Holder::Cpu(1), Holder::Cpu(200), Holder::Anyone, Holder::Background] {
        let mut rig = Rig::calm();
        let program: Program = match holder {
            Holder::Cpu(200) => |stage, cpu| {
                cpu.wait(Wait { holder: Holder::Cpu(200), ..acknowledge(stage, Holder::Anyone) });
                0
            },
            Holder::Cpu(_) => |stage, cpu| {
                cpu.wait(Wait { holder: Holder::Cpu(1), ..acknowledge(stage, Holder::Anyone) });
                0
            },
            Holder::Anyone => |stage, cpu| {
                cpu.wait(acknowledge(stage, Holder::Anyone));
                0
            },
            Holder::Background => |stage, cpu| {
                cpu.wait(acknowledge(stage, Holder::Background));
                0
            },
        };
        assert_eq!(rig.machine.begin(0, program, None, &mut rig.seen), Told::Failed);
        assert!(matches!(&rig.alarms()[..], [AlarmKind::Deadlock { cycle }] if cycle.len() == 1));
    }
}

#[test]
fn the_holder_that_a_wait_names_may_have_passed_the_lock_on() {
    let mut rig = Rig::cpus(4);
    // CPU 0 holds lock 0. CPU 1 holds lock 1 and spins for lock 0, because CPU 2 waits for lock 1.
    let hold: Program = |stage, cpu| {
        lock(stage, cpu, 0);
        cpu.store(stage.v(6), 1);
        unlock(stage, cpu, 0);
        cpu.load(stage.v(7))
    };
    let stuck: Program = |stage, cpu| {
        lock(stage, cpu, 1);
        // A word that says more than one thing: it ends either wait.
        cpu.wait(Wait { var: stage.v(0), until: Until::Is(0), holder: Holder::Cpu(0), kind: WaitKind::Spin });
        unlock(stage, cpu, 1);
        0
    };
    let curious: Program = |stage, cpu| {
        cpu.wait(Wait { var: stage.v(6), until: Until::Is(1), holder: Holder::Cpu(1), kind: WaitKind::Spin });
        0
    };
    assert!(matches!(rig.begin(0, hold, 2), Told::Paused(_)));
    assert!(matches!(rig.begin(1, stuck, 2), Told::Paused(_)));
    // CPU 2 waits for what happens before the release: CPU 1 is left spinning for CPU 0.
    rig.run(2, curious);
    assert_eq!(rig.machine.depth(1), 1);
    // CPU 0 ends, and CPU 3 takes the lock.
    assert_eq!(rig.resume(0), Told::Ended);
    assert!(matches!(rig.begin(3, hold, 2), Told::Paused(_)));
    assert_eq!(rig.resume(1), Told::Ended, "CPU 3 is run, though CPU 1 still names CPU 0");
    rig.assert_quiet();
}

#[test]
fn a_livelock_is_reported_with_what_each_waited_for() {
    let mut rig = Rig::new(Config { steps: 10_000, ..Config::default() });
    let polite: Program = |stage, cpu| {
        loop {
            lock(stage, cpu, 0);
            unlock(stage, cpu, 0);
        }
    };
    rig.begin(0, polite, 2);
    assert_eq!(rig.machine.begin(1, polite, None, &mut rig.seen), Told::Failed);
    let [AlarmKind::Livelock { waits }] = &rig.alarms()[..] else { panic!("{:?}", rig.alarms()) };
    assert_eq!(waits.first().map(|(cpu, wait)| (*cpu, wait.holder)), Some((1, Holder::Cpu(0))));
}

#[test]
fn a_story_that_is_given_fewer_steps_is_a_livelock_sooner_and_no_later() {
    let spin: Program = |stage, cpu| {
        while cpu.load(stage.v(0)) == 0 {}
        0
    };
    for (most, passed) in [(10_000, 10_000), (u32::MAX, 20_000)] {
        let mut rig = Rig::new(Config { steps: 20_000, ..Config::default() });
        rig.bus().limit_steps(most);
        assert_eq!(rig.run(0, |stage, cpu| (0..100).map(|_| cpu.load(stage.v(0))).sum()), 0);
        assert_eq!(rig.bus().steps_passed(), 100);
        assert_eq!(rig.machine.begin(0, spin, None, &mut rig.seen), Told::Failed);
        assert!(matches!(&rig.alarms()[..], [AlarmKind::Livelock { .. }]));
        assert_eq!(rig.bus().steps_passed(), passed);
        rig.machine.reset(Config::default(), |bus| Stage::new(bus));
        assert_eq!(rig.bus().config(), Config::default(), "the next story has all its steps");
    }
}

#[test]
fn help_that_never_gets_anywhere_is_a_livelock() {
    let mut rig = Rig::new(Config { steps: 1000, ..Config::default() });
    rig.stage().background.set(|_, _| Background::Moved);
    let program: Program = |stage, cpu| {
        cpu.wait(acknowledge(stage, Holder::Background));
        0
    };
    assert_eq!(rig.machine.begin(0, program, None, &mut rig.seen), Told::Failed);
    assert!(matches!(&rig.alarms()[..], [AlarmKind::Livelock { waits }] if waits.len() == 1));
}

#[test]
fn waiting_with_interrupts_off_is_an_alarm_unless_it_spins() {
    for (kind, alarms) in
        [(WaitKind::Spin, 0), (WaitKind::Sleep, 1), (WaitKind::Acknowledge, 1), (WaitKind::GracePeriod, 1)]
    {
        let program: Program = match kind {
            WaitKind::Spin => |stage, cpu| wait_masked(stage, cpu, WaitKind::Spin),
            WaitKind::Sleep => |stage, cpu| wait_masked(stage, cpu, WaitKind::Sleep),
            WaitKind::Acknowledge => |stage, cpu| wait_masked(stage, cpu, WaitKind::Acknowledge),
            WaitKind::GracePeriod => |stage, cpu| wait_masked(stage, cpu, WaitKind::GracePeriod),
        };
        let mut rig = Rig::calm();
        rig.run(0, program);
        let wait = Wait { var: rig.stage().v(0), until: Until::Is(0), holder: Holder::Anyone, kind };
        // The wait was over before it began: the cycle is reported because it is possible.
        assert_eq!(rig.alarms(), vec![AlarmKind::WaitWithInterruptsOff { wait }; alarms]);
    }
}

fn wait_masked(stage: &Stage, cpu: &Cpu<'_>, kind: WaitKind) -> u64 {
    let on = cpu.irq_save();
    cpu.wait(Wait { var: stage.v(0), until: Until::Is(0), holder: Holder::Anyone, kind });
    cpu.irq_restore(on);
    0
}

#[test]
fn a_hypervisor_waits_by_its_own_flag_not_the_guests() {
    let mut rig = Rig::calm();
    rig.run(0, |stage, cpu| {
        let on = cpu.irq_save();
        let wait = Wait { until: Until::Is(0), ..acknowledge(stage, Holder::Anyone) };
        cpu.hypercall("flush", |cpu| cpu.wait(wait));
        cpu.irq_restore(on);
        0
    });
    rig.assert_quiet();
}

/// Waits for a grace period: variable 8 counts them.
const SYNCHRONIZE: Program = |stage, cpu| {
    cpu.wait(Wait {
        var: stage.v(8),
        until: Until::AtLeast(1),
        holder: Holder::Background,
        kind: WaitKind::GracePeriod,
    });
    0
};

/// Variable 9 plus the CPU is 1 while that CPU reads.
fn grace(stage: &Stage, standing: &Standing<'_>) -> Background {
    let memory = &standing.bus.memory;
    let readers = (0..2).filter(|n| memory.value(stage.v(9 + n)) == 1).fold(0, |set, n| set | 1 << n);
    if readers != 0 {
        return Background::HeldBy(readers);
    }
    memory.set_value(stage.v(8), memory.value(stage.v(8)) + 1);
    Background::Moved
}

const READER: Program = |stage, cpu| {
    let me = 9 + usize::from(cpu.id());
    cpu.store(stage.v(me), 1);
    let found = cpu.load(stage.v(0));
    cpu.store(stage.v(me), 0);
    found + cpu.load(stage.v(0))
};

#[test]
fn a_grace_period_waits_for_readers_and_for_nobody_else() {
    let mut rig = Rig::calm();
    rig.stage().background.set(grace);
    rig.begin(1, LOCK_ZERO, 2);
    rig.run(0, SYNCHRONIZE);
    assert_eq!(rig.machine.depth(1), 1, "who reads nothing is not advanced");
    rig.resume(1);
    let mut rig = Rig::calm();
    rig.stage().background.set(grace);
    rig.begin(1, READER, 2);
    rig.run(0, SYNCHRONIZE);
    assert_eq!(rig.var(10), 0, "the reader left");
    assert_eq!(rig.resume(1), Told::Ended);
    rig.assert_quiet();
}

#[test]
fn a_grace_period_waited_for_by_a_reader_is_a_deadlock() {
    let mut rig = Rig::calm();
    rig.stage().background.set(grace);
    let inside: Program = |stage, cpu| {
        cpu.store(stage.v(9), 1);
        SYNCHRONIZE(stage, cpu)
    };
    assert_eq!(rig.machine.begin(0, inside, None, &mut rig.seen), Told::Failed);
    assert!(matches!(&rig.alarms()[..], [AlarmKind::Deadlock { cycle }] if cycle.len() == 1));
}
