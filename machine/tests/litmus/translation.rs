//! What a CPU may remember of the tables, and what makes it forget (SDM volume 3A, 4.10; AMD APM volume 2, 5.5).

use crate::{DENIED, KERNEL, Program, READ_ONLY, Rig, UNMAPPED, UPPER, USER, fetch, read, write};
use machine::paging::{PAGE_SIZE, WORDS};
use machine::*;

/// Two pages under one lowest table, and one far away under another.
const NEAR: u64 = 0x4000_0000;
const NEXT: u64 = NEAR + PAGE_SIZE;
const FAR: u64 = 0x8000_0000;
/// The last page of the address space, and its last word.
const LAST: u64 = 0xffff_ffff_ffff_f000;
const LAST_WORD: u64 = 0xffff_ffff_ffff_fff8;

const READ_NEAR: Program = |_, cpu| read(cpu, NEAR);
const READ_NEXT: Program = |_, cpu| read(cpu, NEXT);
const READ_FAR: Program = |_, cpu| read(cpu, FAR);
const WRITE_NEAR: Program = |_, cpu| write(cpu, NEAR, 9);
const FETCH_NEAR: Program = |_, cpu| fetch(cpu, NEAR);

/// A calm machine with all three pages mapped and told apart by what is in them.
fn mapped(flags: Flags) -> Rig {
    let rig = Rig::calm();
    for (va, token) in [(NEAR, 1), (NEXT, 2), (FAR, 3)] {
        let frame = rig.map(va, flags);
        rig.bus().boot_word(Word::new(frame, 0), token);
    }
    rig
}

/// All three pages cached on CPU 0, and then unmapped in memory.
fn cached_and_gone(flags: Flags) -> Rig {
    let mut rig = mapped(flags);
    for program in [READ_NEAR, READ_NEXT, READ_FAR] {
        rig.run(0, program);
    }
    for va in [NEAR, NEXT, FAR] {
        rig.set(va, 1, Entry::EMPTY);
    }
    rig
}

/// What is still read through a cached translation of each page.
fn remembered(rig: &Rig) -> Vec<u64> {
    let core = rig.bus().core(0);
    let pcid = core.cr3().pcid;
    [NEAR, NEXT, FAR].into_iter().filter(|va| core.tlb().leaf(*va, pcid).is_some()).collect()
}

#[test]
fn a_translation_is_stale_until_invlpg() {
    let mut rig = cached_and_gone(KERNEL);
    assert_eq!(rig.run(0, READ_NEAR), 1, "the cached translation still works");
    assert_eq!(rig.run(1, READ_NEAR), UNMAPPED, "another CPU has none");
    rig.run(0, |_, cpu| {
        cpu.invlpg(NEAR);
        0
    });
    assert_eq!(rig.run(0, READ_NEAR), UNMAPPED);
    assert_eq!(rig.run(0, READ_NEXT), 2, "its neighbour stays");
    rig.assert_quiet();
}

#[test]
fn invlpg_drops_one_page_of_the_current_tag_its_globals_and_all_upper_entries_of_the_tag() {
    let mut rig = mapped(KERNEL);
    rig.set(NEXT, 1, Entry(rig.peek(NEXT, 1).0 | Flags::GLOBAL.bits()));
    // Cached under tag 7 and under tag 0; the global page only once.
    rig.run(0, |_, cpu| {
        let root = cpu.cr3().root;
        cpu.load_cr3(Cr3 { root, pcid: 7 }, true);
        read(cpu, NEAR) + read(cpu, FAR)
    });
    rig.run(0, |_, cpu| {
        let root = cpu.cr3().root;
        cpu.load_cr3(Cr3 { root, pcid: 0 }, true);
        read(cpu, NEAR) + read(cpu, NEXT) + read(cpu, FAR)
    });
    rig.run(0, |_, cpu| {
        cpu.invlpg(NEAR + 0xfff);
        0
    });
    let tlb = rig.bus().core(0).tlb();
    assert!(tlb.leaf(NEAR, 0).is_none());
    assert!(tlb.leaf(NEAR, 7).is_some(), "another tag's stays");
    assert!(tlb.leaf(NEXT, 0).is_some() && tlb.leaf(FAR, 0).is_some(), "other pages stay");
    assert!(tlb.path(FAR, 0).is_none() && tlb.path(NEAR, 0).is_none(), "every upper entry of the tag went");
    assert!(tlb.path(FAR, 7).is_some() && tlb.path(NEAR, 7).is_some(), "another tag's upper entries stay");
    drop(tlb);
    rig.run(0, |_, cpu| {
        let root = cpu.cr3().root;
        cpu.load_cr3(Cr3 { root, pcid: 7 }, true);
        cpu.invlpg(NEXT);
        0
    });
    assert!(rig.bus().core(0).tlb().leaf(NEXT, 0).is_none(), "a global entry goes whatever the tag");
}

#[test]
fn the_invlpg_quirk_spares_global_entries_only() {
    for (quirk, kept) in [(false, vec![FAR]), (true, vec![NEAR, FAR])] {
        let mut rig = cached_and_gone(KERNEL | Flags::GLOBAL);
        let mut config = rig.bus().config();
        if quirk {
            config.invlpg_spares_globals = true;
            rig = Rig::new(config);
            let frame = rig.map(NEAR, KERNEL | Flags::GLOBAL);
            rig.bus().boot_word(Word::new(frame, 0), 1);
            rig.map(NEXT, KERNEL);
            rig.map(FAR, KERNEL);
            rig.run(0, |_, cpu| read(cpu, NEAR) + read(cpu, NEXT) + read(cpu, FAR));
        }
        rig.run(0, |_, cpu| {
            cpu.invlpg(NEAR);
            cpu.invlpg(NEXT);
            0
        });
        assert_eq!(remembered(&rig), kept);
    }
}

#[test]
fn global_entries_survive_cr3_loads_and_others_do_not() {
    for (flags, kept) in [(KERNEL, vec![]), (KERNEL | Flags::GLOBAL, vec![NEAR, NEXT, FAR])] {
        let mut rig = cached_and_gone(flags);
        rig.run(0, |_, cpu| {
            cpu.load_cr3(cpu.cr3(), false);
            0
        });
        assert_eq!(remembered(&rig), kept);
        assert!(rig.bus().core(0).tlb().paths().is_empty());
        rig.run(0, |_, cpu| {
            cpu.flush_all();
            0
        });
        assert_eq!(remembered(&rig), [], "CR4.PGE spares nothing");
    }
}

#[test]
fn a_cr3_load_that_keeps_spares_every_tag_and_one_that_does_not_only_the_others() {
    let mut rig = cached_and_gone(KERNEL);
    let away: Program = |_, cpu| {
        let root = cpu.cr3().root;
        cpu.load_cr3(Cr3 { root, pcid: 5 }, true);
        read(cpu, NEAR)
    };
    let back_keeping: Program = |_, cpu| {
        let root = cpu.cr3().root;
        cpu.load_cr3(Cr3 { root, pcid: 0 }, true);
        read(cpu, NEAR)
    };
    let back_flushing: Program = |_, cpu| {
        let root = cpu.cr3().root;
        cpu.load_cr3(Cr3 { root, pcid: 0 }, false);
        read(cpu, NEAR)
    };
    let away_flushing: Program = |_, cpu| {
        let root = cpu.cr3().root;
        cpu.load_cr3(Cr3 { root, pcid: 5 }, false);
        0
    };
    assert_eq!(rig.run(0, away), UNMAPPED, "tag 5 knows nothing of tag 0");
    assert_eq!(rig.run(0, back_keeping), 1, "tag 0 was kept");
    assert_eq!(rig.run(0, away_flushing), 0);
    assert_eq!(rig.run(0, back_keeping), 1, "flushing tag 5 does not touch tag 0");
    rig.run(0, away);
    assert_eq!(rig.run(0, back_flushing), UNMAPPED);
}

#[test]
fn invpcid_types_invalidate_what_they_name() {
    let types: [(Program, &[u64], bool, bool); 4] = [
        // What is invalidated, the pages of tag 0 that stay, whether the path to FAR stays, whether tag 5 stays.
        (
            |_, cpu| {
                cpu.invpcid(Invpcid::Page { pcid: 0, va: NEAR });
                0
            },
            &[NEXT, FAR],
            true,
            true,
        ),
        (
            |_, cpu| {
                cpu.invpcid(Invpcid::Single { pcid: 0 });
                0
            },
            &[NEXT],
            false,
            true,
        ),
        (
            |_, cpu| {
                cpu.invpcid(Invpcid::AllNonGlobal);
                0
            },
            &[NEXT],
            false,
            false,
        ),
        (
            |_, cpu| {
                cpu.invpcid(Invpcid::All);
                0
            },
            &[],
            false,
            false,
        ),
    ];
    for (n, (program, kept, path, other)) in types.into_iter().enumerate() {
        let mut rig = mapped(KERNEL);
        rig.set(NEXT, 1, Entry(rig.peek(NEXT, 1).0 | Flags::GLOBAL.bits()));
        rig.run(0, |_, cpu| {
            let root = cpu.cr3().root;
            cpu.load_cr3(Cr3 { root, pcid: 5 }, true);
            let near = read(cpu, NEAR);
            cpu.load_cr3(Cr3 { root, pcid: 0 }, true);
            near + read(cpu, NEAR) + read(cpu, NEXT) + read(cpu, FAR)
        });
        rig.run(0, program);
        assert_eq!(remembered(&rig), kept, "row {n}");
        let tlb = rig.bus().core(0).tlb();
        // The lowest upper entry: those above it may cover what was named too.
        assert_eq!(tlb.path(FAR, 0).is_some_and(|path| path.level == 2), path, "row {n}");
        assert_eq!(tlb.leaf(NEAR, 5).is_some(), other, "row {n}");
        assert!(tlb.path(NEAR, 0).is_none(), "row {n}");
    }
}

#[test]
fn invpcid_of_one_page_spares_a_global_entry_for_it() {
    let mut rig = cached_and_gone(KERNEL | Flags::GLOBAL);
    rig.run(0, |_, cpu| {
        cpu.invpcid(Invpcid::Page { pcid: 0, va: NEAR });
        0
    });
    assert_eq!(rig.run(0, READ_NEAR), 1);
}

#[test]
fn invlpg_of_an_address_that_is_not_canonical_does_nothing() {
    let mut rig = cached_and_gone(KERNEL);
    rig.run(0, |_, cpu| {
        cpu.invlpg(0x8000_0000_0000 | NEAR);
        0
    });
    assert_eq!(remembered(&rig), [NEAR, NEXT, FAR]);
    assert!(!rig.bus().core(0).tlb().paths().is_empty());
}

#[test]
fn reads_set_accessed_and_writes_set_dirty() {
    let mut rig = mapped(KERNEL);
    assert!(!rig.peek(NEAR, 1).has(Flags::ACCESSED));
    rig.run(0, READ_NEAR);
    for level in 1..=4 {
        assert!(rig.peek(NEAR, level).has(Flags::ACCESSED), "level {level}");
        assert!(!rig.peek(NEAR, level).has(Flags::DIRTY), "level {level}");
    }
    rig.run(0, WRITE_NEAR);
    assert!(rig.peek(NEAR, 1).has(Flags::DIRTY));
    assert!(!rig.peek(NEAR, 2).has(Flags::DIRTY), "only a leaf is dirty");
}

#[test]
fn speculation_sets_accessed_and_never_dirty() {
    let mut rig = mapped(KERNEL);
    assert!(rig.bus().fill(0, NEAR));
    assert!(!rig.bus().fill(0, NEAR), "cached already");
    assert!(rig.peek(NEAR, 1).has(Flags::ACCESSED) && !rig.peek(NEAR, 1).has(Flags::DIRTY));
    rig.set(NEAR, 1, Entry::EMPTY);
    assert_eq!(rig.run(0, READ_NEAR), 1, "what was filled is used");
    assert!(!rig.bus().fill(0, 0x123_0000), "nothing there");
    rig.assert_quiet();
}

#[test]
fn speculation_asks_for_no_permission() {
    let mut rig = mapped(KERNEL);
    rig.begin(
        0,
        |_, cpu| {
            cpu.set_mode(Mode::User);
            read(cpu, NEAR)
        },
        1,
    );
    assert!(rig.bus().fill(0, NEAR), "in user mode a supervisor page is translated");
    rig.resume(0);
    assert_eq!(rig.last(0), DENIED, "and not given");
}

#[test]
fn a_write_through_a_clean_entry_walks_again() {
    let mut rig = mapped(KERNEL);
    rig.run(0, READ_NEAR);
    assert_eq!(rig.run(0, WRITE_NEAR), 0);
    assert!(rig.peek(NEAR, 1).has(Flags::DIRTY));
    assert_eq!(rig.bus().core(0).tlb().leaves().len(), 1, "one entry, dirty now");
    // From now on no walk is needed, and the dirty bit is not set again.
    rig.set(NEAR, 1, Entry(rig.peek(NEAR, 1).0 & !Flags::DIRTY.bits()));
    assert_eq!(rig.run(0, WRITE_NEAR), 0);
    assert!(!rig.peek(NEAR, 1).has(Flags::DIRTY));
}

#[test]
fn a_write_through_a_clean_entry_faults_once_the_entry_is_cleared() {
    let mut rig = cached_and_gone(KERNEL);
    assert_eq!(rig.run(0, WRITE_NEAR), UNMAPPED);
    assert!(
        !rig.peek(NEAR, 1).present() && rig.peek(NEAR, 1).0 == 0,
        "nothing is written into the empty entry"
    );
    assert_eq!(rig.run(0, READ_NEAR), UNMAPPED, "the fault dropped the stale entry");
    assert_eq!(rig.run(0, READ_NEXT), 2, "and no other");
}

#[test]
fn a_write_through_a_clean_entry_follows_the_tables_elsewhere() {
    let mut rig = mapped(KERNEL);
    rig.run(0, READ_NEAR);
    let elsewhere = rig.peek(FAR, 1).frame();
    rig.set(NEAR, 1, Entry::new(elsewhere, KERNEL));
    assert_eq!(rig.run(0, READ_NEAR), 1, "a read is stale");
    assert_eq!(rig.run(0, WRITE_NEAR), 0);
    assert_eq!(rig.bus().memory.peek(Word::new(elsewhere, 0)), 9);
}

#[test]
fn widening_costs_one_spurious_fault() {
    let mut rig = mapped(READ_ONLY);
    rig.run(0, READ_NEAR);
    rig.set(NEAR, 1, Entry::new(rig.peek(NEAR, 1).frame(), KERNEL));
    // The cached entry forbids it: that is the spurious fault. It drops the entry.
    assert_eq!(rig.run(0, WRITE_NEAR), DENIED);
    assert_eq!(rig.run(0, WRITE_NEAR), 0);
}

#[test]
fn widening_an_upper_entry_costs_one_spurious_fault() {
    let mut rig = mapped(KERNEL);
    let lowest = rig.peek(NEAR, 2).frame();
    rig.set(NEAR, 2, Entry::new(lowest, Flags::PRESENT));
    rig.run(0, READ_NEAR);
    rig.set(NEAR, 2, Entry::new(lowest, UPPER));
    assert_eq!(rig.run(0, WRITE_NEAR), DENIED);
    assert_eq!(rig.run(0, WRITE_NEAR), 0, "the fault dropped the upper entry too");
}

#[test]
fn a_stale_upper_entry_costs_one_spurious_fault() {
    let mut rig = mapped(KERNEL);
    rig.run(0, READ_NEXT);
    // Another table, in which the page is mapped, takes the place of the first, in which it is not any more.
    let table = rig.stage().frame(rig.bus(), Role::Table(1));
    rig.bus().boot_word(Word::new(table, 0), rig.peek(NEAR, 1).0);
    rig.set(NEAR, 1, Entry::EMPTY);
    rig.set(NEAR, 2, Entry::new(table, UPPER));
    rig.run(0, READ_FAR);
    assert_eq!(rig.run(0, READ_NEAR), UNMAPPED);
    assert!(rig.bus().core(0).tlb().path(FAR, 0).is_some_and(|path| path.level == 2), "other paths stay");
    assert_eq!(rig.run(0, READ_NEAR), 1);
    rig.assert_quiet();
}

#[test]
fn a_narrowed_page_is_still_granted_by_a_stale_entry() {
    let mut rig = mapped(KERNEL);
    rig.run(0, WRITE_NEAR);
    rig.set(NEAR, 1, Entry::new(rig.peek(NEAR, 1).frame(), READ_ONLY));
    assert_eq!(rig.run(0, WRITE_NEAR), 0);
    assert_eq!(rig.run(1, WRITE_NEAR), DENIED);
    rig.run(0, |_, cpu| {
        cpu.invlpg(NEAR);
        0
    });
    assert_eq!(rig.run(0, WRITE_NEAR), DENIED);
}

#[test]
fn a_narrowed_page_is_not_granted_by_a_clean_stale_entry() {
    let mut rig = mapped(KERNEL);
    rig.run(0, READ_NEAR);
    rig.set(NEAR, 1, Entry::new(rig.peek(NEAR, 1).frame(), READ_ONLY));
    assert_eq!(rig.run(0, WRITE_NEAR), DENIED, "the walk for the dirty bit sees it");
}

#[test]
fn no_execute_stops_fetches_at_any_level() {
    let mut rig = mapped(KERNEL);
    assert_eq!(rig.run(0, FETCH_NEAR), DENIED);
    let frame = rig.peek(NEAR, 1).frame();
    rig.set(NEAR, 1, Entry::new(frame, Flags::PRESENT));
    assert_eq!(rig.run(0, FETCH_NEAR), 0);
    let table = rig.peek(NEAR, 2).frame();
    rig.set(NEAR, 2, Entry::new(table, UPPER | Flags::NO_EXECUTE));
    assert_eq!(rig.run(0, FETCH_NEAR), 0, "stale");
    assert_eq!(rig.run(1, FETCH_NEAR), DENIED);
    assert_eq!(rig.run(1, READ_NEAR), 1);
}

#[test]
fn user_mode_needs_the_user_bit_at_every_level() {
    let as_user: Program = |_, cpu| {
        cpu.set_mode(Mode::User);
        read(cpu, NEAR)
    };
    assert_eq!(mapped(KERNEL).run(0, as_user), DENIED);
    assert_eq!(mapped(USER).run(0, as_user), 1);
    assert_eq!(mapped(USER).run(0, READ_NEAR), 1, "the supervisor reads it too");
    let mut rig = mapped(USER);
    rig.set(NEAR, 3, Entry::new(rig.peek(NEAR, 3).frame(), Flags::PRESENT | Flags::WRITABLE));
    assert_eq!(rig.run(0, as_user), DENIED);
    assert_eq!(rig.run(0, READ_NEAR), 1, "the next operation begins in supervisor mode");
}

#[test]
fn the_supervisor_cannot_write_a_read_only_page() {
    assert_eq!(mapped(READ_ONLY).run(0, WRITE_NEAR), DENIED);
}

#[test]
fn a_large_leaf_covers_its_pages_and_one_invlpg_drops_it() {
    let mut rig = Rig::new(Config { frames: 1024, ..Config::default() });
    let large = Entry::new(Frame(512), KERNEL | Flags::HUGE_PAGE);
    rig.set(NEAR, 2, large);
    rig.bus().boot_word(Word::new(Frame(512 + 3), 1), 77);
    let deep: Program = |_, cpu| read(cpu, NEAR + 3 * PAGE_SIZE + 8);
    assert_eq!(rig.run(0, deep), 77);
    assert_eq!(rig.bus().core(0).tlb().leaves().len(), 1);
    assert!(rig.peek(NEAR, 2).has(Flags::ACCESSED));
    rig.set(NEAR, 2, Entry::EMPTY);
    assert_eq!(rig.run(0, deep), 77, "stale");
    assert_eq!(rig.run(0, READ_NEXT), 0, "for every page of it");
    rig.run(0, |_, cpu| {
        cpu.invlpg(NEAR + 100 * PAGE_SIZE);
        0
    });
    assert_eq!(rig.run(0, deep), UNMAPPED);
    rig.assert_quiet();
}

#[test]
fn large_memory_has_a_word_for_each_frame_and_one_state_for_all() {
    let mut rig = Rig::new(Config { large_pages: 1, ..Config::default() });
    let large = Frame(machine::paging::LARGE_MEMORY);
    rig.set(NEAR, 2, Entry::new(large, KERNEL | Flags::HUGE_PAGE));
    rig.run(0, |_, cpu| write(cpu, NEAR, 7) + write(cpu, NEAR + 3 * PAGE_SIZE, 8));
    assert_eq!(rig.run(0, |_, cpu| 10 * read(cpu, NEAR) + read(cpu, NEAR + 3 * PAGE_SIZE)), 78);
    assert_eq!(rig.run(0, READ_NEXT), 0);
    let memory = &rig.bus().memory;
    assert_eq!(memory.peek(Word::new(Frame(large.0 + 3), 0)), 8);
    assert!(memory.has(Frame(large.0 + 511)) && !memory.has(Frame(large.0 + 512)));
    memory.set_role(large, Role::Data);
    assert_eq!(memory.role(Frame(large.0 + 511)), Role::Data);
    let mapped = rig.bus().mapped(rig.stage().root, NEAR + 3 * PAGE_SIZE).expect("it is mapped");
    assert_eq!((mapped.level, mapped.frame_of(NEAR + 3 * PAGE_SIZE)), (2, Frame(large.0 + 3)));
    memory.clear(large);
    assert_eq!(memory.peek(Word::new(Frame(large.0 + 3), 0)), 0);
    rig.assert_quiet();
}

#[test]
fn a_large_leaf_split_while_cached_is_used_beside_the_small_one() {
    let mut rig = Rig::new(Config { frames: 1024, ..Config::default() });
    rig.set(NEAR, 2, Entry::new(Frame(512), KERNEL | Flags::HUGE_PAGE));
    rig.bus().boot_word(Word::new(Frame(512), 0), 5);
    assert_eq!(rig.run(0, READ_NEAR), 5);
    rig.set(NEAR, 2, Entry::EMPTY);
    let frame = rig.map(NEAR, KERNEL);
    rig.bus().boot_word(Word::new(frame, 0), 6);
    assert_eq!(rig.run(0, READ_NEAR), 5, "the older translation is the one to beware of");
    assert_eq!(rig.run(1, READ_NEAR), 6);
}

#[test]
fn the_page_size_bit_is_reserved_above_level_two() {
    for level in [3, 4] {
        let mut rig = mapped(KERNEL);
        let entry = rig.peek(NEAR, level);
        rig.set(NEAR, level, Entry(entry.0 | Flags::HUGE_PAGE.bits()));
        assert_eq!(rig.run(0, READ_NEAR), DENIED);
        assert_eq!(rig.bus().mapped(rig.stage().root, NEAR), None);
    }
}

#[test]
fn unmapped_and_non_canonical_addresses_fault() {
    let mut rig = mapped(KERNEL);
    assert_eq!(rig.run(0, |_, cpu| read(cpu, 0x1234_5000)), UNMAPPED);
    assert_eq!(rig.run(0, |_, cpu| read(cpu, 0x8000_0000_0000)), UNMAPPED);
    assert_eq!(rig.run(0, |_, cpu| read(cpu, 0xffff_7fff_ffff_fff8)), UNMAPPED);
    assert_eq!(rig.run(0, |_, cpu| read(cpu, 0x1_0000_0000_0000 | NEAR)), UNMAPPED);
    assert_eq!(rig.bus().mapped(rig.stage().root, 0x1_0000_0000_0000 | NEAR), None);
    assert!(!rig.bus().fill(0, 0x1_0000_0000_0000 | NEAR));
    rig.assert_quiet();
}

#[test]
fn the_last_page_of_the_address_space_is_a_page() {
    let mut rig = Rig::with(Temperament::EAGER_WALKERS);
    let frame = rig.map(LAST, KERNEL);
    assert_eq!(rig.run(0, |_, cpu| write(cpu, LAST_WORD, 4)), 0);
    assert_eq!(rig.bus().memory.peek(Word::new(frame, WORDS - 1)), 4);
    assert_eq!(rig.run(0, |_, cpu| read(cpu, LAST_WORD)), 4);
    // An eager walk reaches it: CPU 1 has it cached by the time it is gone.
    rig.run(0, |stage, cpu| {
        cpu.store_word(stage.entry(cpu.bus(), stage.root, LAST, 1), Family::PTE, 0);
        0
    });
    assert_eq!(rig.run(1, |_, cpu| read(cpu, LAST_WORD)), 4);
    rig.run(1, |_, cpu| {
        cpu.invlpg(LAST);
        0
    });
    assert_eq!(rig.run(1, |_, cpu| read(cpu, LAST_WORD)), UNMAPPED);
}

#[test]
fn an_entry_that_leads_beyond_memory_faults() {
    let mut rig = mapped(KERNEL);
    // Bits 12 to 51 all set: a frame number that must not wrap around to one that exists.
    rig.set(NEAR, 1, Entry(0x000f_ff00_0000_5000 | KERNEL.bits()));
    assert_eq!(rig.run(0, READ_NEAR), UNMAPPED);
    assert!(rig.bus().core(0).tlb().leaf(NEAR, 0).is_some());
    assert_eq!(rig.run(0, READ_NEAR), UNMAPPED, "and so does what is cached of it");
    rig.assert_quiet();
}

#[test]
fn the_memory_type_follows_the_page_attribute_bits() {
    let mut rig = Rig::new(Config { frames: 1024, ..Config::default() });
    rig.map(NEAR, KERNEL | Flags::NO_CACHE | Flags::HUGE_PAGE);
    rig.set(
        FAR,
        2,
        Entry(Entry::new(Frame(512), KERNEL | Flags::HUGE_PAGE | Flags::WRITE_THROUGH).0 | 1 << 12),
    );
    rig.run(0, |_, cpu| read(cpu, NEAR) + read(cpu, FAR));
    let tlb = rig.bus().core(0).tlb();
    assert_eq!(tlb.leaf(NEAR, 0).map(|leaf| leaf.memory_type), Some(0b110));
    assert_eq!(tlb.leaf(FAR, 0).map(|leaf| (leaf.memory_type, leaf.frame)), Some((0b101, Frame(512))));
}
