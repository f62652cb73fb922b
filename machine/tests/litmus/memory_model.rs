//! Total store order: what one CPU may see of another's loads and stores.

use crate::{DENIED, KERNEL, Program, Rig, VAR};
use machine::*;
use std::collections::BTreeSet;

const LAZY: Temperament = Temperament::LAZY_STORES;

/// Both outcomes of two programs, for every interleaving of their points and of the draining of single stores.
fn outcomes(points: [usize; 2], programs: [Program; 2], temperament: Temperament) -> BTreeSet<(u64, u64)> {
    let mut found = BTreeSet::new();
    let mut schedule = Vec::new();
    let mut rig = Rig::with(temperament);
    every_schedule([points[0], points[1], 2, 2], &mut schedule, &mut |schedule| {
        let config = rig.bus().config();
        rig.machine.reset(config, |bus| crate::Stage::new(bus));
        rig.stage().drains.set(false);
        rig.seen.0.clear();
        let mut made = [0u16; 2];
        for step in schedule {
            let cpu = step % 2;
            if *step >= 2 {
                rig.machine.drain_stores(cpu as u8, 1);
                continue;
            }
            made[cpu] += 1;
            let pause = Pause::At(made[cpu] + 1);
            if made[cpu] == 1 {
                rig.machine.begin(cpu as u8, programs[cpu], Some(pause), &mut rig.seen);
            } else {
                rig.machine.resume_until(cpu as u8, pause, &mut rig.seen);
            }
        }
        found.insert((rig.last(0), rig.last(1)));
    });
    found
}

fn every_schedule(left: [usize; 4], schedule: &mut Vec<usize>, play: &mut impl FnMut(&[usize])) {
    if left == [0; 4] {
        return play(schedule);
    }
    for choice in 0..4 {
        if left[choice] != 0 {
            let mut left = left;
            left[choice] -= 1;
            schedule.push(choice);
            every_schedule(left, schedule, play);
            schedule.pop();
        }
    }
}

fn other(cpu: &Cpu<'_>) -> usize {
    usize::from(1 - cpu.id())
}

fn me(cpu: &Cpu<'_>) -> usize {
    usize::from(cpu.id())
}

#[test]
fn store_buffering_is_allowed_without_a_fence() {
    let bare: Program = |stage, cpu| {
        cpu.store(stage.v(me(cpu)), 1);
        cpu.load(stage.v(other(cpu)))
    };
    let all = BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(outcomes([2, 2], [bare, bare], LAZY), all);
    assert!(
        !outcomes([2, 2], [bare, bare], Temperament::empty()).contains(&(0, 0)),
        "calm stores drain at once"
    );
}

#[test]
fn store_buffering_is_forbidden_with_a_fence_or_a_locked_operation() {
    let fenced: Program = |stage, cpu| {
        cpu.store(stage.v(me(cpu)), 1);
        cpu.fence();
        cpu.load(stage.v(other(cpu)))
    };
    let locked: Program = |stage, cpu| {
        cpu.store(stage.v(me(cpu)), 1);
        cpu.fetch_add(stage.v(2), 1);
        cpu.load(stage.v(other(cpu)))
    };
    let legal = BTreeSet::from([(0, 1), (1, 0), (1, 1)]);
    for program in [fenced, locked] {
        assert_eq!(outcomes([3, 3], [program, program], LAZY), legal);
    }
}

#[test]
fn message_passing_is_never_reordered() {
    let send: Program = |stage, cpu| {
        cpu.store(stage.v(0), 1);
        cpu.store(stage.v(1), 1);
        0
    };
    let receive: Program = |stage, cpu| {
        let flag = cpu.load(stage.v(1));
        flag << 1 | cpu.load(stage.v(0))
    };
    let found = outcomes([2, 2], [send, receive], LAZY);
    assert_eq!(
        found,
        BTreeSet::from([(0, 0b00), (0, 0b01), (0, 0b11)]),
        "the flag never without the message"
    );
}

#[test]
fn load_buffering_is_never_reordered() {
    let program: Program = |stage, cpu| {
        let found = cpu.load(stage.v(other(cpu)));
        cpu.store(stage.v(me(cpu)), 1);
        found
    };
    let found = outcomes([2, 2], [program, program], LAZY);
    assert_eq!(found, BTreeSet::from([(0, 0), (0, 1), (1, 0)]));
}

#[test]
fn a_cpu_sees_its_own_buffered_store_and_nobody_else_does() {
    let mut rig = Rig::with(LAZY);
    rig.begin(
        0,
        |stage, cpu| {
            cpu.store(stage.v(0), 1);
            cpu.store(stage.v(0), 2);
            cpu.load(stage.v(0))
        },
        4,
    );
    // The operation had three points: its end drained it.
    assert_eq!(rig.last(0), 2);
    let own: Program = |stage, cpu| {
        cpu.store(stage.v(1), 7);
        let forwarded = cpu.load(stage.v(1));
        cpu.fence();
        forwarded
    };
    assert!(matches!(rig.begin(0, own, 3), Told::Paused(_)));
    assert_eq!(rig.run(1, |stage, cpu| cpu.load(stage.v(1))), 0);
    rig.resume(0);
    assert_eq!(rig.last(0), 7);
    assert_eq!(rig.run(1, |stage, cpu| cpu.load(stage.v(1))), 7);
}

#[test]
fn locked_operations_on_anything_drain_and_see_memory() {
    let mut rig = Rig::with(LAZY);
    let program: Program = |stage, cpu| {
        cpu.store(stage.v(0), 5);
        assert_eq!(cpu.compare_exchange(stage.v(0), 5, 6), Ok(()));
        assert_eq!(cpu.compare_exchange(stage.v(0), 5, 7), Err(6));
        cpu.store(stage.v(1), 1);
        // A comparison that fails is locked all the same.
        assert_eq!(cpu.compare_exchange(stage.v(0), 0, 1), Err(6));
        cpu.load(stage.v(2))
    };
    assert_eq!(rig.begin(0, program, 6), crate::at(PointKind::Load, VAR));
    assert_eq!((rig.var(0), rig.var(1)), (6, 1));
}

#[test]
fn everything_that_serialises_drains() {
    let serialising: [(&str, Program); 5] = [
        ("invlpg", |stage, cpu| {
            cpu.store(stage.v(0), 1);
            cpu.invlpg(0);
            cpu.load(stage.v(1))
        }),
        ("invpcid", |stage, cpu| {
            cpu.store(stage.v(0), 1);
            cpu.invpcid(Invpcid::Single { pcid: 3 });
            cpu.load(stage.v(1))
        }),
        ("cr3", |stage, cpu| {
            cpu.store(stage.v(0), 1);
            cpu.load_cr3(cpu.cr3(), true);
            cpu.load(stage.v(1))
        }),
        ("cr4", |stage, cpu| {
            cpu.store(stage.v(0), 1);
            cpu.flush_all();
            cpu.load(stage.v(1))
        }),
        ("fence", |stage, cpu| {
            cpu.store(stage.v(0), 1);
            cpu.fence();
            cpu.load(stage.v(1))
        }),
    ];
    for (name, program) in serialising {
        let mut rig = Rig::with(LAZY);
        rig.begin(0, program, 2);
        assert_eq!(rig.var(0), 0, "before {name}");
        rig.resume(0);
        let mut rig = Rig::with(LAZY);
        rig.begin(0, program, 3);
        assert_eq!(rig.var(0), 1, "after {name}");
    }
}

#[test]
fn sending_an_interrupt_does_not_drain() {
    let careless: Program = |stage, cpu| {
        cpu.store(stage.v(0), 1);
        cpu.send_ipi(1, 0);
        cpu.load(stage.v(2))
    };
    let careful: Program = |stage, cpu| {
        cpu.store(stage.v(0), 1);
        cpu.fence();
        cpu.send_ipi(1, 0);
        cpu.load(stage.v(2))
    };
    for (program, points, seen) in [(careless, 3, 0), (careful, 4, 1)] {
        let mut rig = Rig::with(LAZY);
        rig.stage().handler.set(|stage, cpu, _| {
            let seen = cpu.load(stage.v(0));
            cpu.store(stage.v(1), seen);
        });
        assert_eq!(rig.begin(0, program, points), crate::at(PointKind::Load, VAR));
        assert_eq!(rig.deliver(1), Told::Ended);
        assert_eq!(rig.var(1), seen);
    }
}

#[test]
fn entering_a_handler_and_leaving_it_drain() {
    let mut rig = Rig::with(LAZY);
    rig.stage().handler.set(|stage, cpu, _| {
        let _ = cpu.load(stage.v(2));
        cpu.store(stage.v(1), 1);
    });
    let program: Program = |stage, cpu| {
        cpu.store(stage.v(0), 1);
        cpu.load(stage.v(2))
    };
    rig.begin(0, program, 2);
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 0);
        0
    });
    assert_eq!(rig.var(0), 0);
    let seen = &mut rig.seen;
    assert_eq!(rig.machine.deliver(0, None, Some(Pause::At(1)), seen), crate::at(PointKind::Load, VAR));
    assert_eq!((rig.var(0), rig.var(1)), (1, 0), "entry drained");
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!(rig.var(1), 1, "return drained");
}

#[test]
fn the_buffer_is_bounded_and_leaves_in_order() {
    let mut rig = Rig::with(LAZY);
    let ten: Program = |stage, cpu| {
        for n in 0..10 {
            cpu.store(stage.v(n), 1);
        }
        cpu.load(stage.v(15))
    };
    rig.begin(0, ten, 11);
    let out = |rig: &Rig| (0..10).filter(|n| rig.var(*n) == 1).collect::<Vec<_>>();
    assert_eq!(out(&rig), [0, 1], "eight wait, in order");
    assert_eq!(rig.machine.drain_stores(0, 3), 3);
    assert_eq!(out(&rig), [0, 1, 2, 3, 4]);
    assert_eq!(rig.machine.drain_stores(0, usize::MAX), 5);
    assert_eq!(rig.machine.drain_stores(0, 1), 0);
}

#[test]
fn a_kernel_operation_drains_at_its_end_and_a_user_access_does_not() {
    let mut rig = Rig::with(LAZY);
    let store: Program = |stage, cpu| {
        cpu.store(stage.v(0), cpu.load(stage.v(0)) + 1);
        0
    };
    rig.run(0, store);
    assert_eq!(rig.var(0), 1);
    rig.stage().drains.set(false);
    rig.run(0, store);
    assert_eq!(rig.var(0), 1, "it waits in the buffer between operations");
    rig.run(0, store);
    rig.machine.drain_stores(0, 1);
    assert_eq!(rig.var(0), 2);
}

const VA: u64 = 0x7000;
const ALIAS: u64 = 0x9000;

#[test]
fn a_buffered_store_is_forwarded_by_physical_address() {
    let mut rig = Rig::with(LAZY);
    let frame = rig.map(VA, KERNEL);
    rig.set(ALIAS, 1, Entry::new(frame, KERNEL));
    let program: Program = |_, cpu| cpu.write(VA, 3).map_or(DENIED, |()| crate::read(cpu, ALIAS));
    assert_eq!(rig.run(0, program), 3);
}

#[test]
fn a_buffered_store_lands_in_a_reused_frame() {
    let store: Program = |_, cpu| {
        let done = crate::write(cpu, VA, 3);
        cpu.fence();
        done
    };
    for (role, alarms) in [(Role::Free, 0), (Role::Table(1), 1)] {
        let mut rig = Rig::with(LAZY);
        let frame = rig.map(VA, KERNEL);
        rig.begin(0, store, 2);
        assert_eq!(rig.bus().core(0).buffer().len(), 1);
        rig.bus().memory.set_role(frame, Role::Free);
        rig.bus().memory.set_role(frame, role);
        rig.machine.drain_stores(0, 1);
        assert_eq!(rig.alarms(), vec![AlarmKind::StoreToReusedFrame { frame }; alarms]);
        assert_eq!(rig.bus().memory.peek(Word::new(frame, 0)), 3, "it lands all the same");
    }
}

#[test]
fn clearing_a_frame_leaves_no_store_behind() {
    let mut rig = Rig::with(LAZY);
    let frame = rig.map(VA, KERNEL);
    assert_eq!(frame, Frame(2));
    let program: Program = |_, cpu| {
        let done = crate::write(cpu, VA + 8, 3);
        cpu.clear_frame(Frame(2));
        done
    };
    assert_eq!(rig.run(0, program), 0);
    assert_eq!(rig.bus().memory.next_non_zero(frame, 0), None);
}
