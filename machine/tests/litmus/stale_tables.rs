//! Walk caches that still lead into tables that are gone, and frames that serve another purpose by now.

use crate::{KERNEL, Program, Rig, UNMAPPED, UPPER, read, write};
use machine::*;

const VA: u64 = 0x4000_0000;
const NEXT: u64 = 0x4000_1000;
const READ: Program = |_, cpu| read(cpu, VA);
const READ_NEXT: Program = |_, cpu| read(cpu, NEXT);

/// The first frame of large memory.
const LARGE: Frame = Frame(machine::paging::LARGE_MEMORY);

/// A large leaf that CPU 0 has cached, of memory that is put to another use then.
fn large_page_reused() -> Rig {
    let mut rig = Rig::new(Config { large_pages: 2, ..Config::default() });
    rig.bus().memory.set_role(LARGE, Role::Data);
    rig.set(VA, 2, Entry::new(LARGE, KERNEL | Flags::HUGE_PAGE));
    assert_eq!(rig.run(0, READ_NEXT), 0);
    rig.bus().memory.set_role(LARGE, Role::Free);
    rig.bus().memory.set_role(LARGE, Role::Data);
    rig
}

#[test]
fn a_stale_large_translation_used_after_its_memory_was_reused() {
    let mut rig = large_page_reused();
    assert_eq!(rig.run(0, READ_NEXT), 0);
    rig.assert_quiet();
    rig.set(VA, 2, Entry::EMPTY);
    rig.run(0, READ_NEXT);
    let frame = Frame(LARGE.0 + 1);
    assert_eq!(rig.alarms(), [AlarmKind::StaleTranslationUsed { frame, va: NEXT }]);
}

/// A page whose lowest table CPU 0 has in its walk cache; the table is then unlinked and freed.
fn table_freed() -> (Rig, Frame) {
    let mut rig = Rig::calm();
    rig.map(VA, KERNEL);
    rig.run(0, READ);
    let table = rig.peek(VA, 2).frame();
    rig.set(VA, 2, Entry::EMPTY);
    rig.bus().memory.set_role(table, Role::Free);
    (rig, table)
}

#[test]
fn a_walk_cache_reaches_a_freed_table() {
    let (mut rig, table) = table_freed();
    assert_eq!(rig.run(0, READ_NEXT), UNMAPPED);
    assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: table, level: 1, va: NEXT }]);
}

#[test]
fn a_walk_cache_reaches_a_table_that_serves_another_address_now() {
    let (mut rig, table) = table_freed();
    rig.bus().memory.set_role(table, Role::Table(1));
    rig.run(0, READ_NEXT);
    assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: table, level: 1, va: NEXT }]);
}

#[test]
fn speculation_through_a_freed_table_is_caught() {
    let (rig, table) = table_freed();
    assert!(!rig.bus().fill(0, NEXT));
    assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: table, level: 1, va: NEXT }]);
}

#[test]
fn invlpg_empties_the_walk_cache_of_a_freed_table() {
    let (mut rig, _) = table_freed();
    // Any address will do: INVLPG drops every upper entry of the current tag.
    rig.run(0, |_, cpu| {
        cpu.invlpg(0);
        0
    });
    assert_eq!(rig.run(0, READ_NEXT), UNMAPPED);
    rig.assert_quiet();
}

#[test]
fn invpcid_of_another_page_leaves_the_walk_cache_of_a_freed_table() {
    let (mut rig, _) = table_freed();
    rig.run(0, |_, cpu| {
        cpu.invpcid(Invpcid::Page { pcid: 0, va: 0 });
        0
    });
    rig.run(0, READ_NEXT);
    // All that is promised is the entries that would translate the page named.
    assert_eq!(rig.alarms().len(), 1);
}

#[test]
fn a_root_that_was_freed_is_caught_even_as_a_root_again() {
    let mut rig = Rig::calm();
    rig.map(VA, KERNEL);
    let root = rig.stage().root;
    rig.bus().memory.set_role(root, Role::Free);
    rig.bus().memory.set_role(root, Role::Table(4));
    rig.run(0, READ);
    assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: root, level: 4, va: VA }]);
    rig.run(1, |_, cpu| {
        cpu.load_cr3(cpu.cr3(), false);
        read(cpu, VA)
    });
    assert_eq!(rig.alarms().len(), 1, "loaded anew it is a root like any other");
}

#[test]
fn a_software_walk_through_a_frame_that_is_no_table_is_caught() {
    let mut rig = Rig::calm();
    let frame = rig.map(VA, KERNEL);
    let table = rig.peek(VA, 2).frame();
    assert_eq!((frame, table), (Frame(2), Frame(5)));
    rig.run(0, |_, cpu| cpu.load_entry(Word::new(Frame(5), 0), 1).0);
    rig.assert_quiet();
    rig.run(0, |_, cpu| cpu.load_entry(Word::new(Frame(5), 0), 2).0);
    rig.run(0, |_, cpu| cpu.load_entry(Word::new(Frame(2), 0), 1).0);
    assert_eq!(rig.alarms().len(), 2);
}

#[test]
fn a_stale_translation_used_after_its_frame_was_reused() {
    let mut rig = Rig::calm();
    let frame = rig.map(VA, KERNEL);
    rig.run(0, READ);
    rig.bus().memory.set_role(frame, Role::Free);
    rig.run(0, READ);
    rig.assert_quiet();
    rig.bus().memory.set_role(frame, Role::Data);
    rig.set(VA, 1, Entry::EMPTY);
    rig.run(0, READ);
    assert_eq!(rig.alarms(), [AlarmKind::StaleTranslationUsed { frame, va: VA }]);
    let at = rig.bus().alarms()[0].at.expect("code did it");
    assert!(at.file().ends_with("litmus/main.rs"), "the line of the access, as the caller sees it");
}

#[test]
fn a_translation_that_the_tables_still_make_outlives_the_uses_of_its_frame() {
    let mut rig = Rig::calm();
    let frame = rig.map(VA, KERNEL);
    rig.run(0, READ);
    rig.bus().memory.set_role(frame, Role::Free);
    rig.bus().memory.set_role(frame, Role::Data);
    rig.run(0, READ);
    rig.assert_quiet();
}

#[test]
fn a_table_may_be_read_through_an_older_translation_that_cannot_write_it() {
    let mut rig = Rig::calm();
    let frame = rig.map(VA, Flags::PRESENT);
    rig.run(0, READ);
    rig.bus().memory.set_role(frame, Role::Table(1));
    rig.run(0, READ);
    rig.assert_quiet();
}

#[test]
fn a_table_may_not_be_used_through_an_older_translation_that_could_write_it() {
    let mut rig = Rig::calm();
    let frame = rig.map(VA, KERNEL);
    rig.run(0, |_, cpu| write(cpu, VA, 1));
    rig.set(VA, 1, Entry::new(frame, Flags::PRESENT));
    rig.bus().memory.set_role(frame, Role::Table(1));
    rig.run(0, |_, cpu| write(cpu, VA, 2));
    assert_eq!(rig.alarms(), [AlarmKind::StaleTranslationUsed { frame, va: VA }]);
}

#[test]
fn a_page_of_data_may_be_used_through_an_older_translation_that_allows_more_than_the_tables() {
    let mut rig = Rig::calm();
    let frame = rig.map(VA, KERNEL);
    rig.run(0, |_, cpu| write(cpu, VA, 1));
    rig.bus().memory.set_role(frame, Role::Free);
    rig.bus().memory.set_role(frame, Role::Data);
    rig.set(VA, 1, Entry::new(frame, Flags::PRESENT | Flags::NO_EXECUTE));
    rig.run(0, |_, cpu| write(cpu, VA, 2));
    rig.run(0, READ);
    rig.assert_quiet();
    rig.set(VA, 1, Entry::new(Frame(frame.0 + 1), Flags::PRESENT));
    rig.run(0, READ);
    assert_eq!(rig.alarms(), [AlarmKind::StaleTranslationUsed { frame, va: VA }], "they lead elsewhere");
}

#[test]
fn what_was_given_away_may_not_be_used_through_an_older_translation_that_allows_more() {
    let mut rig = Rig::calm();
    let frame = rig.map(VA, KERNEL);
    rig.run(0, |_, cpu| write(cpu, VA, 1));
    rig.bus().memory.set_role(frame, Role::Foreign);
    rig.set(VA, 1, Entry::new(frame, Flags::PRESENT));
    rig.run(0, READ);
    assert_eq!(rig.alarms(), [AlarmKind::StaleTranslationUsed { frame, va: VA }]);
}

#[test]
fn a_translation_made_after_the_reuse_is_not_stale() {
    let mut rig = Rig::calm();
    let frame = rig.map(VA, KERNEL);
    rig.run(0, READ);
    rig.bus().memory.set_role(frame, Role::Free);
    rig.bus().memory.set_role(frame, Role::Data);
    rig.run(0, |_, cpu| {
        cpu.invlpg(VA);
        read(cpu, VA)
    });
    rig.assert_quiet();
}

#[test]
fn a_walk_through_a_table_linked_in_its_place_is_fine() {
    let (mut rig, _) = table_freed();
    let table = rig.stage().frame(rig.bus(), Role::Table(1));
    rig.set(VA, 2, Entry::new(table, UPPER));
    assert_eq!(rig.run(1, READ), UNMAPPED);
    rig.assert_quiet();
}

/// The tag under which the tables are reached by the recursive entry.
const TAG: u16 = 5;
const RECURSIVE: u16 = 258;

/// Where the recursive entry makes the lowest-level entry of an address appear.
const fn linear(va: u64) -> u64 {
    0xffff << 48 | (RECURSIVE as u64) << 39 | (va & 0xffff_ffff_f000) >> 9
}

const SET: Program =
    |_, cpu| cpu.update_entry_at(TAG, linear(VA), |_| Some(0x7000)).map_or(UNMAPPED, |old| old);

/// A page whose lowest table CPU 0 has reached by the recursive entry; another table is then linked in its place. Returns the
/// old one.
fn table_replaced() -> (Rig, Frame) {
    let mut rig = Rig::calm();
    rig.map(VA, KERNEL);
    rig.bus().set_recursive_entry(RECURSIVE);
    let found = rig.run(0, |_, cpu| cpu.load_entry_at(TAG, linear(VA)).map_or(UNMAPPED, |entry| entry.0));
    assert_eq!(Entry(found), rig.peek(VA, 1));
    // A write, so that what is cached lets write.
    rig.run(0, SET);
    assert_eq!(rig.peek(VA, 1), Entry(0x7000));
    let old = rig.peek(VA, 2).frame();
    let new = rig.stage().frame(rig.bus(), Role::Table(1));
    rig.set(VA, 2, Entry::new(new, UPPER));
    (rig, old)
}

#[test]
fn a_recursive_entry_leads_to_the_tables_as_they_were_when_walked() {
    let (mut rig, _) = table_replaced();
    rig.run(0, |_, cpu| {
        cpu.invlpg(VA);
        cpu.invlpg(linear(VA));
        0
    });
    assert_eq!(rig.run(0, SET), 0x7000, "flushes under another tag leave it");
    assert_eq!(rig.peek(VA, 1), Entry::EMPTY);
    assert_eq!(rig.run(1, SET), 0, "another CPU walks to the new table");
    assert_eq!(rig.peek(VA, 1), Entry(0x7000));
    rig.assert_quiet();
}

#[test]
fn what_a_recursive_entry_led_to_is_forgotten_with_its_tag() {
    let (mut rig, old) = table_replaced();
    rig.bus().memory.set_role(old, Role::Free);
    rig.run(0, |_, cpu| {
        cpu.invpcid(Invpcid::Single { pcid: TAG });
        0
    });
    rig.run(0, SET);
    assert_eq!(rig.peek(VA, 1), Entry(0x7000));
    rig.assert_quiet();
}

#[test]
fn a_freed_table_that_is_written_by_a_recursive_entry_is_caught() {
    let (mut rig, old) = table_replaced();
    rig.bus().memory.set_role(old, Role::Free);
    rig.run(0, SET);
    assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: old, level: 1, va: linear(VA) }]);
}

const FAMILY: Family = Family(200);

#[test]
fn a_table_is_filled_changed_and_freed_once() {
    let mut rig = Rig::calm();
    let frame = rig.stage().frame(rig.bus(), Role::Free);
    let word = Word::new(frame, 1);
    rig.stage().next_frame.set(frame.0);
    let changes: Program = |stage, cpu| {
        let frame = Frame(stage.next_frame.get());
        cpu.fill_table(frame, 1, [Entry(1), Entry(3)].into_iter());
        cpu.update_entry_as(Word::new(frame, 1), 1, FAMILY, |old| Some(old + 4)).0
    };
    assert_eq!(rig.run(0, changes), 3);
    assert_eq!(rig.bus().memory.peek(word), 7);
    let frees: Program = |stage, cpu| {
        cpu.free_frame(Frame(stage.next_frame.get()));
        0
    };
    rig.run(0, frees);
    rig.assert_quiet();
    rig.run(1, frees);
    assert_eq!(rig.alarms(), [AlarmKind::FrameFreedTwice { frame }]);
}

#[test]
fn a_freed_table_that_is_written_by_its_frame_is_caught() {
    let (mut rig, table) = table_freed();
    rig.stage().next_frame.set(table.0);
    rig.run(0, |stage, cpu| {
        cpu.update_entry_as(Word::new(Frame(stage.next_frame.get()), 0), 1, FAMILY, |_| Some(1)).0
    });
    assert_eq!(rig.alarms(), [AlarmKind::FreedTableWalked { frame: table, level: 1, va: 0 }]);
}
