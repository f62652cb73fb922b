//! Who touches memory and runs on none of the CPUs: devices, and processors of others.

use crate::{KERNEL, Program, Rig};
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
