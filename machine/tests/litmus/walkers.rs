//! Eager walkers: every CPU whose root reaches a present entry walks it just before it is overwritten.

use crate::{KERNEL, Program, Rig, Stage, UPPER, read};
use machine::*;

const VA: u64 = 0x4000_0000;
const NEXT: u64 = 0x4000_1000;
const EAGER: Temperament = Temperament::EAGER_WALKERS;

/// Where the lowest entry of [`VA`] stands.
fn pte(stage: &Stage, cpu: &Cpu<'_>) -> Word {
    stage.entry(cpu.bus(), stage.root, VA, 1)
}

const CLEAR: Program = |stage, cpu| {
    cpu.store_word(pte(stage, cpu), Family::PTE, 0);
    0
};

fn cached(rig: &Rig, cpu: u8, va: u64) -> bool {
    rig.bus().core(cpu).tlb().leaf(va, 0).is_some()
}

#[test]
fn every_cpu_whose_root_reaches_an_entry_walks_it_before_it_is_overwritten() {
    let mut rig = Rig::new(Config { cpus: 3, temperament: EAGER, ..Config::default() });
    let frame = rig.map(VA, KERNEL);
    // CPU 2 stands on another root.
    let other = rig.stage().frame(rig.bus(), Role::Table(4));
    rig.bus().boot_cr3(2, Cr3 { root: other, pcid: 0 });
    rig.run(0, CLEAR);
    assert!(cached(&rig, 0, VA) && cached(&rig, 1, VA) && !cached(&rig, 2, VA));
    let leaf = rig.bus().core(1).tlb().leaf(VA, 0).copied().expect("just seen");
    assert_eq!(leaf.frame, frame);
    assert!(!leaf.flags.contains(Flags::DIRTY));
}

#[test]
fn a_table_that_two_roots_share_is_walked_under_both_whichever_was_linked_last_and_is_gone() {
    let mut rig = Rig::new(Config { cpus: 2, temperament: EAGER, ..Config::default() });
    rig.map(VA, KERNEL);
    // CPU 1 stands on a root that shares everything below it; a third root did, and is data now.
    for number in [1, 2] {
        let (bus, stage) = (rig.bus(), rig.stage());
        let (own, other) = (stage.entry(bus, stage.root, VA, 4), stage.frame(bus, Role::Table(4)));
        bus.boot_word(Word::new(other, usize::from(own.index)), bus.memory.peek(own));
        match number {
            1 => bus.boot_cr3(1, Cr3 { root: other, pcid: 0 }),
            _ => bus.memory.set_role(other, Role::Data),
        }
    }
    rig.run(0, CLEAR);
    assert!(cached(&rig, 0, VA) && cached(&rig, 1, VA));
}

#[test]
fn calm_walkers_do_not_walk_unasked() {
    let mut rig = Rig::calm();
    rig.map(VA, KERNEL);
    rig.run(0, CLEAR);
    assert!(!cached(&rig, 0, VA) && !cached(&rig, 1, VA));
}

#[test]
fn an_empty_entry_is_not_walked() {
    let mut rig = Rig::with(EAGER);
    rig.map(NEXT, KERNEL);
    rig.run(0, |stage, cpu| {
        cpu.store_word(pte(stage, cpu), Family::PTE, Entry::new(Frame(9), KERNEL).0);
        0
    });
    assert!(!cached(&rig, 1, VA));
    assert!(rig.bus().core(1).tlb().paths().is_empty());
}

#[test]
fn a_buffered_store_is_overtaken_by_walkers_when_it_drains() {
    let mut rig = Rig::with(EAGER | Temperament::LAZY_STORES);
    rig.stage().drains.set(false);
    rig.map(VA, KERNEL);
    rig.run(0, CLEAR);
    assert!(!cached(&rig, 1, VA), "the store is not visible yet");
    assert_eq!(rig.run(0, |_, cpu| read(cpu, VA)), 0, "walkers never read buffers, not even their own CPU's");
    rig.machine.drain_stores(0, 1);
    assert!(cached(&rig, 1, VA));
}

#[test]
fn a_locked_exchange_returns_the_accessed_bit_that_a_walker_set() {
    let mut rig = Rig::with(EAGER);
    rig.map(VA, KERNEL);
    let old = rig.run(0, |stage, cpu| cpu.update_word(pte(stage, cpu), Family::PTE, |_| Some(0)));
    assert!(cached(&rig, 1, VA), "it was walked before the exchange");
    assert!(Entry(old).has(Flags::ACCESSED), "and the exchange is atomic: no bit is set behind its back");
    assert_eq!(rig.peek(VA, 1), Entry::EMPTY);
}

#[test]
fn an_upper_entry_is_walked_down_to_the_first_leaf_below_it() {
    let mut rig = Rig::with(EAGER);
    rig.map(NEXT, KERNEL);
    rig.run(0, |stage, cpu| {
        cpu.store_word(stage.entry(cpu.bus(), stage.root, VA, 2), Family::PMD, 0);
        0
    });
    assert!(cached(&rig, 1, NEXT), "the first entry of the table is empty, the second is not");
    assert!(rig.bus().core(1).tlb().path(VA, 0).is_some_and(|path| path.level == 2));
}

#[test]
fn a_cached_leaf_does_not_keep_walkers_from_caching_the_path() {
    let mut rig = Rig::with(EAGER);
    rig.map(VA, KERNEL);
    rig.run(1, |_, cpu| {
        let found = read(cpu, VA);
        // Drops the path and leaves the leaf.
        cpu.invlpg(0);
        found
    });
    assert!(cached(&rig, 1, VA) && rig.bus().core(1).tlb().paths().is_empty());
    rig.run(0, |stage, cpu| {
        cpu.store_word(stage.entry(cpu.bus(), stage.root, VA, 2), Family::PMD, 0);
        0
    });
    assert!(rig.bus().core(1).tlb().path(VA, 0).is_some_and(|path| path.level == 2));
}

#[test]
fn clearing_a_table_that_is_in_use_is_seen_by_walkers() {
    let mut rig = Rig::with(EAGER);
    rig.map(VA, KERNEL);
    rig.map(NEXT, KERNEL);
    rig.run(0, |stage, cpu| {
        cpu.clear_frame(pte(stage, cpu).frame);
        0
    });
    assert!(cached(&rig, 1, VA) && cached(&rig, 1, NEXT));
}

#[test]
fn a_table_filled_before_it_was_a_table_is_walked_too() {
    let mut rig = Rig::with(EAGER);
    let lowest = rig.stage().frame(rig.bus(), Role::Table(1));
    let middle = rig.stage().frame(rig.bus(), Role::Data);
    let data = rig.stage().frame(rig.bus(), Role::Data);
    rig.bus().boot_word(Word::new(lowest, 0), Entry::new(data, KERNEL).0);
    rig.bus().boot_word(Word::new(middle, 0), Entry::new(lowest, UPPER).0);
    rig.bus().memory.set_role(middle, Role::Table(2));
    rig.set(VA, 3, Entry::new(middle, UPPER));
    rig.run(0, CLEAR);
    assert!(cached(&rig, 1, VA));
}

#[test]
fn a_walk_sets_no_bit_in_an_entry_of_another_root() {
    let mut rig = Rig::with(EAGER);
    rig.map(VA, KERNEL);
    let other = rig.stage().frame(rig.bus(), Role::Table(4));
    let entry = rig.stage().entry(rig.bus(), other, NEXT, 1);
    rig.bus().boot_word(entry, Entry::new(Frame(9), KERNEL).0);
    rig.run(0, CLEAR);
    assert!(!Entry(rig.bus().memory.peek(entry)).has(Flags::ACCESSED));
}
