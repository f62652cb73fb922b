//! The entries of lowest-level tables that the machine remembers for its checks.

use crate::{KERNEL, Program, READ_ONLY, Rig, Stage, UPPER, read};
use machine::*;

const VA: u64 = 0x4000_0000;
const NEXT: u64 = 0x4000_1000;

fn pte(stage: &Stage, cpu: &Cpu<'_>, va: u64) -> Word {
    stage.entry(cpu.bus(), stage.root, va, 1)
}

/// An entry that leads to a frame of no consequence.
const fn leading_to(frame: u32) -> Entry {
    Entry::new(Frame(frame), READ_ONLY)
}

const STORE: Program = |stage, cpu| {
    cpu.store_word(pte(stage, cpu, VA), Family::PTE, leading_to(20).0);
    0
};
const EXCHANGE: Program =
    |stage, cpu| cpu.update_word(pte(stage, cpu, NEXT), Family::PTE, |_| Some(leading_to(21).0));

fn stored(rig: &Rig) -> Vec<(Word, Entry)> {
    rig.bus().leaves_stored().iter().map(|leaf| (leaf.word, leaf.entry)).collect()
}

/// A machine with the tables of both pages.
fn tables(temperament: Temperament) -> Rig {
    let rig = Rig::with(temperament);
    rig.map(VA, KERNEL);
    rig.map(NEXT, KERNEL);
    rig
}

#[test]
fn entries_that_any_cpu_stores_plainly_or_by_a_locked_operation_are_remembered_in_their_order() {
    let mut rig = tables(Temperament::empty());
    rig.bus().watch_leaves();
    rig.run(1, EXCHANGE);
    rig.run(0, STORE);
    let first = (rig.entry(NEXT, 1), leading_to(21));
    let second = (rig.entry(VA, 1), leading_to(20));
    assert_eq!(stored(&rig), [first, second]);
    // What is overwritten is remembered still, and what is stored twice is remembered twice.
    rig.run(1, STORE);
    assert_eq!(stored(&rig), [first, second, second]);
}

#[test]
fn none_is_remembered_before_or_after_or_from_the_last_time() {
    let mut rig = tables(Temperament::empty());
    rig.run(0, STORE);
    assert_eq!(stored(&rig), []);
    rig.bus().watch_leaves();
    assert_eq!(stored(&rig), [], "what stands there already was stored before");
    rig.run(0, STORE);
    assert_eq!(stored(&rig).len(), 1);
    rig.bus().watch_leaves();
    assert_eq!(stored(&rig), []);
    rig.run(0, STORE);
    rig.bus().stop_watching_leaves();
    rig.run(0, EXCHANGE);
    assert_eq!(stored(&rig), []);
}

#[test]
fn an_entry_is_remembered_with_the_use_of_the_frame_that_it_led_to() {
    let mut rig = tables(Temperament::empty());
    let frame = Frame(20);
    rig.bus().memory.set_role(frame, Role::Data);
    let first = rig.bus().memory.incarnation(frame);
    rig.bus().watch_leaves();
    rig.run(0, STORE);
    rig.bus().memory.set_role(frame, Role::Free);
    rig.bus().memory.set_role(frame, Role::Data);
    rig.run(0, STORE);
    let uses: Vec<_> = rig.bus().leaves_stored().iter().map(|leaf| leaf.incarnation).collect();
    assert_eq!(uses, [first, first + 1]);
}

#[test]
fn a_buffered_entry_is_remembered_once_it_is_visible() {
    let mut rig = tables(Temperament::LAZY_STORES);
    rig.stage().drains.set(false);
    rig.bus().watch_leaves();
    rig.run(0, STORE);
    assert_eq!(stored(&rig), []);
    rig.machine.drain_stores(0, 1);
    assert_eq!(stored(&rig), [(rig.entry(VA, 1), leading_to(20))]);
}

#[test]
fn only_present_entries_of_lowest_tables_that_software_stores_are_remembered() {
    let mut rig = tables(Temperament::EAGER_WALKERS);
    let data = rig.map(0x4000_2000, KERNEL);
    rig.bus().watch_leaves();
    rig.run(0, |stage, cpu| {
        // An empty entry; an upper one; a word of a page; a compare that fails; bits that walks set.
        cpu.store_word(pte(stage, cpu, VA), Family::PTE, 0);
        let upper = stage.entry(cpu.bus(), stage.root, NEXT, 2);
        cpu.store_word(upper, Family::PMD, Entry::new(Frame(upper.frame.0 + 1), UPPER).0);
        let done = crate::write(cpu, 0x4000_2000, leading_to(22).0);
        cpu.update_word(pte(stage, cpu, NEXT), Family::PTE, |_| None);
        done + read(cpu, NEXT)
    });
    assert_eq!(rig.bus().memory.peek(Word::new(data, 0)), leading_to(22).0);
    assert!(rig.peek(NEXT, 1).has(Flags::ACCESSED));
    assert_eq!(stored(&rig), []);
}

#[test]
fn a_reset_forgets_them_and_watches_no_more() {
    let mut rig = tables(Temperament::empty());
    rig.bus().watch_leaves();
    rig.run(0, STORE);
    rig.machine.reset(Config::default(), |bus| Stage::new(bus));
    assert_eq!(stored(&rig), []);
    rig.map(VA, KERNEL);
    rig.run(0, STORE);
    assert_eq!(stored(&rig), []);
}
