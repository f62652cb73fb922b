//! Who touches memory and runs on none of the CPUs: devices, and processors of others.

use crate::{KERNEL, Program, Rig, Stage, UNMAPPED};
use machine::*;

const VA: u64 = 0xffff_c900_0000_0000;

#[test]
fn a_device_sees_memory_and_is_seen() {
    let mut rig = Rig::with(Temperament::LAZY_STORES);
    let word = Word::new(rig.map(VA, KERNEL), 0);
    let store: Program = |_, cpu| {
        let done = crate::write(cpu, VA, 3);
        cpu.fence();
        done
    };
    rig.begin(0, store, 2);
    assert_eq!(rig.bus().device_read(word), 0, "the store is still in its buffer");
    rig.resume(0);
    assert_eq!(rig.bus().device_read(word), 3);
    rig.bus().device_write(word, 4);
    assert_eq!(rig.run(1, |_, cpu| crate::read(cpu, VA)), 4);
    rig.assert_quiet();
}

#[test]
fn a_flush_from_outside_drains_and_forgets_everything() {
    let mut rig = Rig::with(Temperament::LAZY_STORES);
    let word = Word::new(rig.map(VA, KERNEL | Flags::GLOBAL), 0);
    let store: Program = |_, cpu| {
        let done = crate::write(cpu, VA, 3);
        cpu.fence();
        done
    };
    rig.begin(0, store, 2);
    rig.run(1, |_, cpu| crate::read(cpu, VA));
    rig.bus().flush_from_outside(0);
    assert_eq!(rig.bus().memory.peek(word), 3);
    assert!(rig.bus().core(0).tlb().leaves().is_empty() && rig.bus().core(0).tlb().paths().is_empty());
    assert_eq!(rig.bus().core(1).tlb().leaves().len(), 1, "nobody else forgets");
    rig.resume(0);
    rig.assert_quiet();
}

#[test]
fn what_lies_beneath_flushes_another_cpu_whatever_that_is_at() {
    let mut rig = Rig::with(Temperament::LAZY_STORES);
    let word = Word::new(rig.map(VA, KERNEL | Flags::GLOBAL), 0);
    let masked: Program = |_, cpu| {
        let on = cpu.irq_save();
        let done = crate::write(cpu, VA, 3);
        cpu.irq_restore(on);
        done
    };
    rig.begin(0, masked, 3);
    let flush: Program = |_, cpu| {
        let found = crate::read(cpu, VA);
        cpu.flush_other(0);
        found
    };
    assert_eq!(rig.run(1, flush), 0, "what it stored was not visible before");
    assert_eq!(rig.bus().memory.peek(word), 3);
    assert!(rig.bus().core(0).tlb().leaves().is_empty() && rig.bus().core(0).tlb().paths().is_empty());
    assert_eq!(rig.bus().core(1).tlb().leaves().len(), 1, "the CPU that asked forgets nothing");
    assert!(rig.bus().core(0).pending().is_empty());
    assert_eq!(rig.machine.depth(0), 1, "and the other stands where it stood");
    rig.resume(0);
    rig.assert_quiet();
}

/// Clears the entry of [`VA`], perhaps fences, and flushes CPU 0.
fn unmap(stage: &Stage, cpu: &Cpu<'_>, fenced: bool) -> u64 {
    cpu.store_word(stage.entry(cpu.bus(), stage.root, VA, 1), Family::PTE, 0);
    if fenced {
        cpu.fence();
    }
    cpu.flush_other(0);
    cpu.load(stage.v(0))
}

#[test]
fn a_flush_of_another_cpu_does_not_drain_the_cpu_that_asks_for_it() {
    for fenced in [false, true] {
        let mut rig = Rig::with(Temperament::LAZY_STORES);
        rig.map(VA, KERNEL);
        rig.run(0, |_, cpu| crate::read(cpu, VA));
        let program: Program =
            if fenced { |stage, cpu| unmap(stage, cpu, true) } else { |stage, cpu| unmap(stage, cpu, false) };
        rig.begin(1, program, if fenced { 4 } else { 3 });
        let found = rig.run(0, |_, cpu| crate::read(cpu, VA));
        assert_eq!(found, if fenced { UNMAPPED } else { 0 });
        rig.resume(1);
    }
}
