//! Page faults: the software's handler is asked, and the access is made again if it says so.

use crate::{DENIED, KERNEL, Program, READ_ONLY, Rig, Stage, UNMAPPED, USER, at, fetch, read, write};
use machine::paging::PAGE_SIZE;
use machine::*;

const VA: u64 = 0xffff_c900_0000_0000;
const OTHER: u64 = VA + PAGE_SIZE;

const READ: Program = |_, cpu| read(cpu, VA);
const WRITE: Program = |_, cpu| write(cpu, VA, 7);
const FETCH: Program = |_, cpu| fetch(cpu, VA);

/// How often a handler ran, in variable 0.
fn count(stage: &Stage, cpu: &Cpu<'_>) {
    cpu.fetch_add(stage.v(0), 1);
}

/// A machine with this handler of faults.
fn with(handler: fn(&Stage, &Cpu<'_>, PageFault, bool) -> Resolution) -> Rig {
    let rig = Rig::calm();
    rig.stage().fault.set(handler);
    rig
}

/// A handler that maps whatever is missing.
fn mapping() -> Rig {
    with(|stage, cpu, fault, _| {
        count(stage, cpu);
        stage.map(cpu.bus(), fault.va, KERNEL);
        Resolution::Repaired
    })
}

#[test]
fn a_fault_is_told_to_the_handler_once_and_stands_if_it_repairs_nothing() {
    for (program, access, flags, outcome) in [
        (READ, Access::Read, None, UNMAPPED),
        (WRITE, Access::Write, None, UNMAPPED),
        (FETCH, Access::Fetch, None, UNMAPPED),
        (WRITE, Access::Write, Some(READ_ONLY), DENIED),
        (FETCH, Access::Fetch, Some(KERNEL), DENIED),
    ] {
        let mut rig = with(|stage, cpu, fault, again| {
            count(stage, cpu);
            cpu.store(stage.v(1), fault.access as u64 * 2 + u64::from(fault.protection));
            assert!(fault.va == VA && !again);
            Resolution::Unresolved
        });
        flags.map(|flags| rig.map(VA, flags));
        assert_eq!(rig.run(0, program), outcome);
        assert_eq!(rig.var(0), 1, "{access:?} with {flags:?}");
        assert_eq!(rig.var(1), access as u64 * 2 + u64::from(outcome == DENIED));
    }
}

#[test]
fn an_access_that_does_not_fault_is_told_to_no_handler_and_neither_is_speculation() {
    let mut rig = mapping();
    rig.map(VA, KERNEL);
    assert_eq!((rig.run(0, READ), rig.run(0, WRITE)), (0, 0));
    rig.bus().fill(0, OTHER);
    assert_eq!(rig.var(0), 0);
    rig.assert_quiet();
}

#[test]
fn a_repaired_access_is_made_again_and_works() {
    for program in [READ, WRITE] {
        let mut rig = mapping();
        assert_eq!((rig.run(0, program), rig.var(0)), (0, 1));
        assert_eq!((rig.run(0, program), rig.var(0)), (0, 1), "nothing is missing any more");
        rig.assert_quiet();
    }
}

#[test]
fn a_repaired_access_that_faults_again_is_told_again() {
    let mut rig = with(|stage, cpu, fault, again| {
        count(stage, cpu);
        match (fault.protection, again) {
            (false, false) => {
                stage.map(cpu.bus(), fault.va, READ_ONLY);
                Resolution::Repaired
            }
            (true, true) => Resolution::Unresolved,
            other => panic!("{other:?}"),
        }
    });
    assert_eq!((rig.run(0, WRITE), rig.var(0)), (DENIED, 2));
    assert_eq!(rig.run(0, READ), 0, "the page is there to be read");
}

#[test]
fn a_spurious_fault_is_tried_once_more_and_told_no_more() {
    let mut rig = with(|stage, cpu, _, _| {
        count(stage, cpu);
        Resolution::Spurious
    });
    assert_eq!((rig.run(0, READ), rig.var(0)), (UNMAPPED, 1));
    // Permissions were widened, and the CPU remembers the narrow ones.
    rig.map(VA, READ_ONLY);
    rig.run(0, READ);
    let frame = rig.peek(VA, 1).frame();
    rig.set(VA, 1, Entry::new(frame, KERNEL));
    assert_eq!((rig.run(0, WRITE), rig.var(0)), (0, 2));
}

#[test]
fn each_access_is_a_point_and_so_is_what_the_handler_does() {
    let mut rig = mapping();
    let read_point = at(PointKind::Read, Family::DATA);
    assert_eq!(rig.begin(0, READ, 1), read_point);
    let seen = &mut rig.seen;
    assert_eq!(rig.machine.resume_until(0, Pause::At(2), seen), at(PointKind::Locked, crate::VAR));
    assert_eq!(rig.machine.depth(0), 1, "no context of its own");
    assert_eq!(rig.machine.resume_until(0, Pause::At(3), seen), read_point);
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!(rig.last(0), 0);
}

#[test]
fn the_handler_runs_in_supervisor_mode_with_interrupts_off_and_leaves_both_as_they_were() {
    let mut rig = with(|stage, cpu, fault, _| {
        assert!(!cpu.interrupts_on() && !cpu.in_interrupt());
        assert_eq!(cpu.bus().core(cpu.id()).mode(), Mode::Kernel);
        count(stage, cpu);
        stage.map(cpu.bus(), fault.va, USER);
        Resolution::Repaired
    });
    let program: Program = |_, cpu| {
        cpu.set_mode(Mode::User);
        let outcome = read(cpu, VA);
        assert!(cpu.interrupts_on() && cpu.bus().core(cpu.id()).mode() == Mode::User);
        cpu.set_mode(Mode::Kernel);
        let on = cpu.irq_save();
        let masked = read(cpu, OTHER);
        assert!(!cpu.interrupts_on(), "they were off");
        cpu.irq_restore(on);
        outcome + masked
    };
    assert_eq!((rig.run(0, program), rig.var(0)), (0, 2));
    rig.assert_quiet();
}

#[test]
fn an_interrupt_waits_until_the_handler_has_returned() {
    let mut rig = mapping();
    rig.stage().handler.set(|stage, cpu, _| cpu.store(stage.v(2), 1));
    assert_eq!(rig.begin(0, READ, 2), at(PointKind::Locked, crate::VAR));
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 1);
        0
    });
    assert_eq!(rig.deliver(0), Told::Nothing);
    let seen = &mut rig.seen;
    assert_eq!(rig.machine.resume_until(0, Pause::At(3), seen), at(PointKind::Read, Family::DATA));
    assert_eq!((rig.deliver(0), rig.var(2)), (Told::Ended, 1));
    assert_eq!(rig.resume(0), Told::Ended);
}

#[test]
fn a_fault_in_the_handler_is_a_fault_of_its_own() {
    let mut rig = with(|stage, cpu, fault, again| {
        assert!(!again, "of either access it is the first");
        count(stage, cpu);
        if fault.va == VA {
            assert_eq!(read(cpu, OTHER), 0);
            assert!(!cpu.interrupts_on());
        }
        stage.map(cpu.bus(), fault.va, KERNEL);
        Resolution::Repaired
    });
    assert_eq!((rig.run(0, READ), rig.var(0)), (0, 2));
    rig.assert_quiet();
}

#[test]
fn a_fault_in_a_handler_of_interrupts_is_handled_there() {
    let mut rig = mapping();
    rig.stage().handler.set(|stage, cpu, _| cpu.store(stage.v(2), 1 + read(cpu, OTHER)));
    rig.run(1, |_, cpu| {
        cpu.send_ipi(0, 1);
        0
    });
    assert_eq!(rig.begin(0, READ, 1), at(PointKind::Read, Family::DATA));
    assert_eq!((rig.deliver(0), rig.var(2), rig.var(0)), (Told::Ended, 1, 1));
    assert_eq!((rig.resume(0), rig.last(0), rig.var(0)), (Told::Ended, 0, 2));
}

#[test]
fn the_handler_drains_nothing_by_itself() {
    let mut rig = Rig::with(Temperament::LAZY_STORES);
    rig.stage().fault.set(|_, _, _, _| Resolution::Unresolved);
    let program: Program = |stage, cpu| {
        cpu.store(stage.v(3), 1);
        let outcome = read(cpu, VA);
        cpu.load(stage.v(4));
        outcome
    };
    assert_eq!(rig.begin(0, program, 3), at(PointKind::Load, crate::VAR));
    assert_eq!(rig.var(3), 0, "it is in the buffer still");
    assert_eq!(rig.resume(0), Told::Ended);
    assert_eq!((rig.last(0), rig.var(3)), (UNMAPPED, 1));
}

#[test]
fn what_the_hypervisor_reads_under_its_own_tag_is_told_to_no_handler() {
    let mut rig = mapping();
    let program: Program = |_, cpu| u64::from(cpu.load_entry_at(5, VA).is_err());
    assert_eq!((rig.run(0, program), rig.var(0)), (1, 0));
}
