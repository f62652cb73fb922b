//! Each rule of locking, broken by a run in which nothing deadlocks; and what looks similar and is legal.

use crate::{Kit, Program, Rig};
use machine::{Cpu, Told};

const ATOMIC: &str = "a lock that sleeps is taken in atomic context";
const ORDERS: &str = "locks are taken in both orders";
const CLASS: &str = "a lock is taken while one of its class is held";
const INVERSION: &str = "under a lock that handlers take, one is taken that is held with interrupts on";
const HANDLER: &str = "a lock that handlers take is held with interrupts on";

/// Runs these one after the other on c0, and says what was complained about.
fn complaints(programs: &[Program]) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut rig = Rig::new(1);
    for program in programs {
        rig.run(0, *program);
    }
    rig.complaints()
}

/// An interrupt is taken by c0 while it is idle.
fn interrupt(rig: &mut Rig, handler: fn(&Kit, &Cpu<'_>)) {
    rig.handle_with(handler);
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 1);
        0
    });
    assert_eq!(rig.deliver(0), Told::Ended);
}

const A_THEN_B: Program = |kit, cpu| {
    let _a = kit.spin_a.lock(cpu);
    drop(kit.spin_b.lock(cpu));
    0
};

const B_THEN_A: Program = |kit, cpu| {
    let _b = kit.spin_b.lock(cpu);
    drop(kit.spin_a.lock(cpu));
    0
};

#[test]
fn two_locks_in_both_orders_are_a_potential_deadlock() {
    assert_eq!(complaints(&[A_THEN_B, A_THEN_B]), []);
    assert_eq!(complaints(&[A_THEN_B, B_THEN_A]), [(ORDERS, vec!["spin b", "spin a"])]);
}

#[test]
fn an_order_that_goes_through_a_third_lock_counts_too() {
    let b_then_c: Program = |kit, cpu| {
        let _b = kit.spin_b.lock(cpu);
        drop(kit.spin_c.lock(cpu));
        0
    };
    let c_then_a: Program = |kit, cpu| {
        let _c = kit.spin_c.lock(cpu);
        drop(kit.spin_a.lock(cpu));
        0
    };
    assert_eq!(complaints(&[A_THEN_B, b_then_c]), []);
    assert_eq!(complaints(&[A_THEN_B, b_then_c, c_then_a]), [(ORDERS, vec!["spin c", "spin a"])]);
}

#[test]
fn locks_that_sleep_stand_in_an_order_as_well() {
    let a_then_b: Program = |kit, cpu| {
        let _a = kit.mutex_a.lock(cpu);
        drop(kit.mutex_b.lock(cpu));
        0
    };
    let b_then_a: Program = |kit, cpu| {
        let _b = kit.mutex_b.lock(cpu);
        drop(kit.mutex_a.lock(cpu));
        0
    };
    assert_eq!(complaints(&[a_then_b, b_then_a]), [(ORDERS, vec!["mutex b", "mutex a"])]);
    let a_then_semaphore: Program = |kit, cpu| {
        let _a = kit.mutex_a.lock(cpu);
        drop(kit.semaphore.read(cpu));
        0
    };
    let semaphore_then_a: Program = |kit, cpu| {
        let _held = kit.semaphore.write(cpu);
        drop(kit.mutex_a.lock(cpu));
        0
    };
    assert_eq!(complaints(&[a_then_semaphore, semaphore_then_a]), [(ORDERS, vec!["semaphore", "mutex a"])]);
}

#[test]
fn the_order_of_two_classes_holds_on_all_cpus_together() {
    let mut rig = Rig::new(2);
    rig.run(0, A_THEN_B);
    rig.run(1, B_THEN_A);
    assert_eq!(rig.complaints(), [(ORDERS, vec!["spin b", "spin a"])]);
}

#[test]
fn a_lock_that_was_given_back_is_in_no_order_to_the_next() {
    let one_after_the_other: Program = |kit, cpu| {
        drop(kit.spin_b.lock(cpu));
        drop(kit.spin_a.lock(cpu));
        0
    };
    assert_eq!(complaints(&[A_THEN_B, one_after_the_other]), []);
}

#[test]
fn of_two_locks_of_one_class_the_one_that_is_left_still_stands_in_an_order() {
    let one_of_two: Program = |kit, cpu| {
        let _a = kit.spin_a.lock(cpu);
        drop(kit.twin_of_a.try_lock(cpu));
        drop(kit.spin_b.lock(cpu));
        0
    };
    assert_eq!(complaints(&[one_of_two]), []);
    assert_eq!(complaints(&[one_of_two, B_THEN_A]), [(ORDERS, vec!["spin b", "spin a"])]);
    let neither: Program = |kit, cpu| {
        let a = kit.spin_a.lock(cpu);
        drop(kit.twin_of_a.try_lock(cpu));
        drop(a);
        drop(kit.spin_b.lock(cpu));
        0
    };
    assert_eq!(complaints(&[neither, B_THEN_A]), []);
}

#[test]
fn a_lock_that_is_only_tried_for_closes_no_cycle() {
    let tries: Program = |kit, cpu| {
        let _b = kit.spin_b.lock(cpu);
        u64::from(kit.spin_a.try_lock(cpu).is_some())
    };
    assert_eq!(complaints(&[A_THEN_B, tries]), []);
}

#[test]
fn a_lock_that_was_tried_for_and_is_held_stands_before_those_that_follow() {
    let tries: Program = |kit, cpu| {
        let _b = kit.spin_b.try_lock(cpu).expect("it is free");
        drop(kit.spin_a.lock(cpu));
        0
    };
    assert_eq!(complaints(&[A_THEN_B, tries]), [(ORDERS, vec!["spin b", "spin a"])]);
}

#[test]
fn two_locks_of_one_class_are_not_held_at_once() {
    let nested: Program = |kit, cpu| {
        let _one = kit.spin_a.lock(cpu);
        drop(kit.twin_of_a.lock(cpu));
        0
    };
    assert_eq!(complaints(&[nested]), [(CLASS, vec!["spin a"])]);
}

#[test]
fn nobody_sleeps_under_a_spinlock() {
    for sleeps in [
        (|kit: &Kit, cpu: &Cpu<'_>| drop(kit.mutex_a.lock(cpu))) as fn(&Kit, &Cpu<'_>),
        |kit, cpu| drop(kit.semaphore.read(cpu)),
        |kit, cpu| drop(kit.semaphore.write(cpu)),
    ] {
        let mut rig = Rig::new(1);
        rig.handle_with(sleeps);
        rig.run(0, |kit, cpu| {
            let _spin = kit.spin_a.lock(cpu);
            (kit.handler.get())(kit, cpu);
            0
        });
        let found = rig.complaints();
        assert_eq!(found.iter().map(|(text, _)| *text).collect::<Vec<_>>(), [ATOMIC]);
    }
}

#[test]
fn nobody_sleeps_with_interrupts_off() {
    let masked: Program = |kit, cpu| {
        let on = cpu.irq_save();
        drop(kit.mutex_a.lock(cpu));
        cpu.irq_restore(on);
        0
    };
    assert_eq!(complaints(&[masked]), [(ATOMIC, vec!["mutex a"])]);
}

#[test]
fn no_handler_sleeps() {
    let mut rig = Rig::new(2);
    interrupt(&mut rig, |kit, cpu| drop(kit.mutex_a.lock(cpu)));
    assert_eq!(rig.complaints(), [(ATOMIC, vec!["mutex a"])]);
}

#[test]
fn a_mutex_may_be_tried_for_anywhere_and_a_spinlock_taken_under_one() {
    let tries: Program = |kit, cpu| {
        let _spin = kit.spin_a.lock_irqsave(cpu);
        u64::from(kit.mutex_a.try_lock(cpu).is_some())
    };
    let under: Program = |kit, cpu| {
        let _slept = kit.mutex_b.lock(cpu);
        drop(kit.spin_b.lock(cpu));
        0
    };
    assert_eq!(complaints(&[tries, under]), []);
}

#[test]
fn a_lock_that_handlers_take_is_not_taken_with_interrupts_on() {
    let takes: fn(&Kit, &Cpu<'_>) = |kit, cpu| drop(kit.spin_a.lock_irqsave(cpu));
    let with_interrupts: Program = |kit, cpu| {
        drop(kit.spin_a.lock(cpu));
        0
    };
    let mut rig = Rig::new(2);
    interrupt(&mut rig, takes);
    assert_eq!(rig.complaints(), [], "nobody else takes it yet");
    rig.run(0, with_interrupts);
    assert_eq!(rig.complaints(), [(HANDLER, vec!["spin a"])]);

    let mut rig = Rig::new(2);
    rig.run(0, with_interrupts);
    interrupt(&mut rig, takes);
    assert_eq!(rig.complaints(), [(HANDLER, vec!["spin a"])], "in whichever order it is seen");
}

#[test]
fn interrupts_are_not_switched_on_while_a_lock_is_held_that_handlers_take() {
    let too_early: Program = |kit, cpu| {
        let on = cpu.irq_save();
        let _held = kit.spin_a.lock(cpu);
        cpu.irq_restore(on);
        0
    };
    let out_of_order: Program = |kit, cpu| {
        let outer = kit.spin_b.lock_irqsave(cpu);
        let _inner = kit.spin_a.lock_irqsave(cpu);
        drop(outer);
        0
    };
    for program in [too_early, out_of_order] {
        let mut rig = Rig::new(2);
        interrupt(&mut rig, |kit, cpu| drop(kit.spin_a.lock(cpu)));
        rig.run(0, program);
        assert_eq!(rig.complaints(), [(HANDLER, vec!["spin a"])]);
    }
}

#[test]
fn a_lock_under_one_that_handlers_take_is_not_held_with_interrupts_on() {
    let takes: fn(&Kit, &Cpu<'_>) = |kit, cpu| drop(kit.spin_a.lock(cpu));
    let under: Program = |kit, cpu| {
        let _a = kit.spin_a.lock_irqsave(cpu);
        drop(kit.spin_b.lock(cpu));
        0
    };
    let with_interrupts: Program = |kit, cpu| {
        drop(kit.spin_b.lock(cpu));
        0
    };
    let mut rig = Rig::new(2);
    interrupt(&mut rig, takes);
    rig.run(0, under);
    assert_eq!(rig.complaints(), [], "nobody holds the inner one with interrupts on");
    rig.run(0, with_interrupts);
    assert_eq!(rig.complaints(), [(INVERSION, vec!["spin a", "spin b"])]);

    let mut rig = Rig::new(2);
    rig.run(0, with_interrupts);
    rig.run(0, under);
    assert_eq!(rig.complaints(), [], "no handler takes the outer one");
    interrupt(&mut rig, takes);
    assert_eq!(rig.complaints(), [(INVERSION, vec!["spin a", "spin b"])]);

    let mut rig = Rig::new(2);
    rig.run(0, with_interrupts);
    interrupt(&mut rig, takes);
    assert_eq!(rig.complaints(), [], "neither was taken under the other");
    rig.run(0, under);
    assert_eq!(rig.complaints(), [(INVERSION, vec!["spin a", "spin b"])]);
}

#[test]
fn a_lock_that_handlers_take_may_be_taken_with_interrupts_off() {
    let mut rig = Rig::new(2);
    interrupt(&mut rig, |kit, cpu| drop(kit.spin_a.lock(cpu)));
    rig.run(0, |kit, cpu| {
        drop(kit.spin_a.lock_irqsave(cpu));
        0
    });
    assert_eq!(rig.complaints(), []);
}

#[test]
fn what_a_handler_takes_stands_in_no_order_to_what_it_interrupted() {
    let mut rig = Rig::new(2);
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 1);
        0
    });
    rig.handle_with(|kit, cpu| drop(kit.spin_b.lock(cpu)));
    rig.run_until(0, machine::PointKind::Load, crate::SHARED, |kit, cpu| {
        let _c = kit.spin_c.lock(cpu);
        cpu.load(kit.shared)
    });
    assert_eq!(rig.deliver(0), Told::Ended);
    assert_eq!(rig.go_on(0), Told::Ended);
    assert_eq!(rig.complaints(), []);
    rig.run(1, |kit, cpu| {
        let _b = kit.spin_b.lock_irqsave(cpu);
        drop(kit.spin_c.lock(cpu));
        0
    });
    let found = rig.complaints();
    assert_eq!(found, [(INVERSION, vec!["spin b", "spin c"])], "which is no matter of their order");
}
