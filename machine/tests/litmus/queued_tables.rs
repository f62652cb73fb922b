//! Tables to which no entry leads any more, and which wait to be freed.

use crate::{KERNEL, Program, Rig, read};
use machine::*;

const VA: u64 = 0x4000_0000;
const NEXT: u64 = 0x4000_1000;
const READ: Program = |_, cpu| read(cpu, VA);
const READ_NEXT: Program = |_, cpu| read(cpu, NEXT);
const FAMILY: Family = Family(200);

/// A page whose lowest table CPU 0 has in its walk cache; the table is then unlinked, and waits to be freed.
fn table_queued() -> (Rig, Frame) {
    let mut rig = Rig::calm();
    rig.map(VA, KERNEL);
    rig.map(NEXT, KERNEL);
    rig.run(0, READ);
    let table = rig.peek(VA, 2).frame();
    rig.set(VA, 2, Entry::EMPTY);
    rig.bus().memory.set_role(table, Role::Queued(1));
    (rig, table)
}

#[test]
fn a_table_that_waits_to_be_freed_is_walked_by_hardware_until_it_is_free() {
    let (mut rig, table) = table_queued();
    assert_eq!(rig.run(0, READ_NEXT), 0);
    assert!(!rig.bus().fill(0, VA + 0x2000), "the entry is empty, and speculation is silent");
    rig.assert_quiet();
    rig.bus().memory.set_role(table, Role::Free);
    assert_eq!(rig.run(0, READ_NEXT), 0, "what was cached meanwhile is a translation like any other");
    rig.assert_quiet();
    let third = VA + 0x2000;
    assert!(!rig.bus().fill(0, third));
    assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: table, level: 1, va: third }]);
}

#[test]
fn a_root_that_waits_to_be_freed_is_walked_by_the_cpus_that_loaded_it() {
    let mut rig = Rig::calm();
    rig.map(VA, KERNEL);
    let root = rig.stage().root;
    rig.bus().memory.set_role(root, Role::Queued(4));
    assert_eq!(rig.run(0, READ), 0);
    rig.assert_quiet();
    rig.bus().memory.set_role(root, Role::Free);
    rig.run(1, READ);
    assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: root, level: 4, va: VA }]);
}

#[test]
fn a_table_that_waits_to_be_freed_is_walked_and_written_by_software_until_it_is_free() {
    let (mut rig, table) = table_queued();
    let word = Word::new(table, 1);
    let old = rig.bus().memory.peek(word);
    rig.stage().next_frame.set(table.0);
    let load: Program = |stage, cpu| cpu.load_entry(Word::new(Frame(stage.next_frame.get()), 1), 1).0;
    let clear: Program = |stage, cpu| {
        let word = Word::new(Frame(stage.next_frame.get()), 1);
        cpu.update_entry_as(word, 1, FAMILY, |_| Some(0)).0
    };
    assert_eq!(rig.run(1, load), old);
    assert_eq!(rig.run(1, clear), old);
    rig.assert_quiet();
    rig.bus().memory.set_role(table, Role::Free);
    rig.run(0, load);
    rig.run(1, clear);
    let walked = AlarmKind::FreedTableWalked { frame: table, level: 1, va: 0 };
    assert_eq!(rig.alarms(), [walked.clone(), walked]);
}

#[test]
fn a_table_that_waits_to_be_freed_is_none_of_another_level() {
    let (mut rig, table) = table_queued();
    rig.stage().next_frame.set(table.0);
    rig.run(0, |stage, cpu| cpu.load_entry(Word::new(Frame(stage.next_frame.get()), 0), 2).0);
    assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: table, level: 2, va: 0 }]);
}

#[test]
fn a_table_that_waits_to_be_freed_is_the_same_use_of_its_frame() {
    let rig = Rig::calm();
    let table = rig.stage().frame(rig.bus(), Role::Table(1));
    let memory = &rig.bus().memory;
    let (use_of_it, used) = (memory.incarnation(table), memory.frames_used());
    memory.set_role(table, Role::Queued(1));
    assert_eq!(memory.incarnation(table), use_of_it);
    assert_eq!(memory.frames_used(), used, "it is not free yet");
    memory.set_role(table, Role::Free);
    assert_eq!(memory.incarnation(table), use_of_it);
    memory.set_role(table, Role::Table(1));
    assert_eq!(memory.incarnation(table), use_of_it + 1, "its next use is another one");
}

#[test]
fn a_table_that_waited_to_be_freed_and_is_put_to_another_use_is_caught() {
    for role in [Role::Data, Role::Table(1)] {
        let (mut rig, table) = table_queued();
        rig.bus().memory.set_role(table, role);
        rig.run(0, READ_NEXT);
        assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: table, level: 1, va: NEXT }]);
    }
}

#[test]
fn a_buffered_store_lands_in_a_table_that_waits_to_be_freed() {
    let mut rig = Rig::with(Temperament::LAZY_STORES);
    rig.map(VA, KERNEL);
    let table = rig.peek(VA, 2).frame();
    let clear: Program = |stage, cpu| {
        cpu.store_word(stage.entry(cpu.bus(), stage.root, VA, 1), Family::PTE, 0);
        cpu.fence();
        0
    };
    rig.begin(0, clear, 2);
    rig.bus().memory.set_role(table, Role::Queued(1));
    rig.resume(0);
    assert_eq!(rig.bus().memory.peek(Word::new(table, 0)), 0);
    rig.assert_quiet();
}
