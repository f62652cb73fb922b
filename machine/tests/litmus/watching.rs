//! Where the tables led for the addresses that checks watch.

use crate::{KERNEL, Program, READ_ONLY, Rig, Stage, UPPER, read};
use machine::*;

const VA: u64 = 0x4000_0000;
const NEXT: u64 = 0x4000_1000;
/// In another table of the lowest level, at the same place in it.
const FAR: u64 = VA + 0x20_0000;

fn pte(stage: &Stage, cpu: &Cpu<'_>, va: u64) -> Word {
    stage.entry(cpu.bus(), stage.root, va, 1)
}

const fn leading_to(frame: u32) -> Entry {
    Entry::new(Frame(frame), READ_ONLY)
}

const STORE: Program = |stage, cpu| {
    cpu.store_word(pte(stage, cpu, VA), Family::PTE, leading_to(20).0);
    0
};
const EXCHANGE: Program =
    |stage, cpu| cpu.update_word(pte(stage, cpu, VA), Family::PTE, |_| Some(leading_to(21).0));
const CLEAR: Program = |stage, cpu| {
    cpu.store_word(pte(stage, cpu, VA), Family::PTE, 0);
    0
};

/// The frames that the watched addresses led to.
fn led(rig: &Rig) -> Vec<(u64, u32)> {
    rig.bus().led().iter().map(|led| (led.va, led.frame.0)).collect()
}

fn watch(rig: &mut Rig, va: u64) {
    let root = rig.stage().root;
    rig.bus().watch(root, va);
}

/// A machine with the tables of all pages, and the frame behind the first.
fn tables(temperament: Temperament) -> (Rig, u32) {
    let rig = Rig::with(temperament);
    let first = rig.map(VA, KERNEL);
    rig.map(NEXT, KERNEL);
    rig.map(FAR, KERNEL);
    (rig, first.0)
}

#[test]
fn what_an_address_leads_to_is_remembered_and_what_any_cpu_makes_of_it_plainly_or_by_a_locked_operation() {
    let (mut rig, first) = tables(Temperament::empty());
    watch(&mut rig, VA);
    assert_eq!(led(&rig), [(VA, first)]);
    rig.run(1, EXCHANGE);
    rig.run(0, STORE);
    rig.run(1, STORE);
    let all = [(VA, first), (VA, 21), (VA, 20)];
    assert_eq!(led(&rig), all, "what it leads to still is not told again");
    rig.run(0, CLEAR);
    assert_eq!(led(&rig), all, "nothing is no frame");
    watch(&mut rig, NEXT);
    assert_eq!(led(&rig)[..3], all, "another address is watched beside it");
    assert_eq!(led(&rig).len(), 4);
}

#[test]
fn none_is_remembered_before_or_after_or_of_another_address() {
    let (mut rig, first) = tables(Temperament::empty());
    rig.run(0, STORE);
    assert_eq!(led(&rig), []);
    watch(&mut rig, FAR);
    let far = led(&rig);
    rig.run(0, EXCHANGE);
    assert_eq!(led(&rig), far, "the same place in another table");
    rig.bus().stop_watching();
    assert_eq!(led(&rig), []);
    rig.run(0, STORE);
    watch(&mut rig, VA);
    assert_eq!(led(&rig), [(VA, 20)]);
    assert_ne!(first, 20);
}

#[test]
fn a_frame_is_remembered_with_the_use_of_it() {
    let (mut rig, _) = tables(Temperament::empty());
    let frame = Frame(20);
    rig.bus().memory.set_role(frame, Role::Data);
    let first = rig.bus().memory.incarnation(frame);
    watch(&mut rig, VA);
    rig.run(0, STORE);
    rig.bus().memory.set_role(frame, Role::Free);
    rig.bus().memory.set_role(frame, Role::Data);
    rig.run(0, STORE);
    let uses: Vec<_> = rig.bus().led()[1..].iter().map(|led| led.incarnation).collect();
    assert_eq!(uses, [first, first + 1]);
}

#[test]
fn a_buffered_entry_is_remembered_once_it_is_visible() {
    let (mut rig, first) = tables(Temperament::LAZY_STORES);
    rig.stage().drains.set(false);
    watch(&mut rig, VA);
    rig.run(0, STORE);
    assert_eq!(led(&rig), [(VA, first)]);
    rig.machine.drain_stores(0, 1);
    assert_eq!(led(&rig), [(VA, first), (VA, 20)]);
}

#[test]
fn a_table_that_moves_takes_along_what_its_entries_lead_to() {
    let (mut rig, first) = tables(Temperament::empty());
    watch(&mut rig, FAR);
    let before = led(&rig);
    rig.run(0, |stage, cpu| {
        let upper = |va| stage.entry(cpu.bus(), stage.root, va, 2);
        let table = cpu.load_entry(upper(VA), 2).frame();
        cpu.store_word(upper(FAR), Family::PMD, Entry::new(table, UPPER).0);
        cpu.store_word(upper(VA), Family::PMD, 0);
        0
    });
    assert_eq!(led(&rig)[before.len()..], [(FAR, first)]);
    watch(&mut rig, VA);
    assert_eq!(led(&rig).len(), before.len() + 1, "the old address leads nowhere");
}

#[test]
fn bits_that_walks_set_and_words_of_pages_change_nothing() {
    let (mut rig, _) = tables(Temperament::EAGER_WALKERS);
    let data = rig.map(0x4000_2000, KERNEL);
    watch(&mut rig, NEXT);
    let before = led(&rig);
    rig.run(0, |_, cpu| crate::write(cpu, 0x4000_2000, leading_to(22).0) + read(cpu, NEXT));
    assert_eq!(rig.bus().memory.peek(Word::new(data, 0)), leading_to(22).0);
    assert!(rig.peek(NEXT, 1).has(Flags::ACCESSED));
    assert_eq!(led(&rig), before);
}

#[test]
fn a_reset_forgets_them_and_watches_no_more() {
    let (mut rig, _) = tables(Temperament::empty());
    watch(&mut rig, VA);
    rig.run(0, STORE);
    rig.machine.reset(Config::default(), |bus| Stage::new(bus));
    assert_eq!(led(&rig), []);
    rig.map(VA, KERNEL);
    rig.run(0, STORE);
    assert_eq!(led(&rig), []);
}
