//! INVLPGB and TLBSYNC: what a CPU forgets because another one asks for it, and when.

use crate::{KERNEL, Program, Rig, Stage, UNMAPPED, read};
use machine::*;

const VA: u64 = 0x4000_0000;
const NEXT: u64 = 0x4000_1000;
const LAZY: Temperament = Temperament::LAZY_STORES;

const READ: Program = |_, cpu| read(cpu, VA);
const READ_NEXT: Program = |_, cpu| read(cpu, NEXT);
const ASK: Program = |_, cpu| {
    cpu.invlpgb(Broadcast::Page { va: VA });
    0
};
const ASK_NEXT: Program = |_, cpu| {
    cpu.invlpgb(Broadcast::Page { va: NEXT });
    0
};
const SYNC: Program = |_, cpu| {
    cpu.tlbsync();
    0
};

/// Two pages that every CPU has cached, and whose entries are empty by now.
fn unmapped(config: Config) -> Rig {
    let mut rig = Rig::new(config);
    rig.map(VA, KERNEL);
    rig.map(NEXT, KERNEL);
    for cpu in 0..config.cpus {
        rig.run(cpu, READ);
        rig.run(cpu, READ_NEXT);
    }
    rig.set(VA, 1, Entry::EMPTY);
    rig.set(NEXT, 1, Entry::EMPTY);
    rig
}

fn three() -> Config {
    Config { cpus: 3, ..Config::default() }
}

/// Which of the two pages a CPU has cached.
fn cached(rig: &Rig, cpu: u8) -> [bool; 2] {
    let tlb = rig.bus().core(cpu).tlb();
    [VA, NEXT].map(|va| tlb.leaf(va, 0).is_some())
}

#[test]
fn a_cpu_holds_what_it_had_until_it_carries_a_request_out() {
    let mut rig = unmapped(Config::default());
    rig.run(0, ASK);
    assert_eq!(cached(&rig, 0), [false, true], "the sender forgets at once, and only what it names");
    assert_eq!(rig.bus().broadcasts_pending(0), 0);
    assert_eq!(rig.bus().broadcasts_pending(1), 1);
    assert_eq!(rig.run(1, READ), 0);
    assert!(rig.bus().apply_broadcast(1));
    assert_eq!(cached(&rig, 1), [false, true]);
    assert_eq!(rig.run(1, READ), UNMAPPED);
    assert_eq!(rig.bus().broadcasts_pending(1), 0);
    assert!(!rig.bus().apply_broadcast(1), "there was one");
    rig.assert_quiet();
}

#[test]
fn what_a_cpu_caches_before_it_carries_a_request_out_goes_too() {
    let mut rig = Rig::calm();
    rig.map(VA, KERNEL);
    rig.run(0, ASK);
    assert!(rig.bus().fill(1, VA));
    rig.bus().apply_broadcast(1);
    assert_eq!(cached(&rig, 1), [false, false]);
    assert!(rig.bus().fill(1, VA), "and may be cached again behind it");
}

#[test]
fn tlbsync_is_over_when_every_cpu_has_carried_its_requests_out() {
    let mut rig = unmapped(three());
    rig.run(0, ASK);
    rig.run(0, ASK_NEXT);
    // One of them needs no more telling.
    rig.bus().apply_broadcast(2);
    rig.run(0, SYNC);
    for cpu in 0..3 {
        assert_eq!(cached(&rig, cpu), [false, false]);
        assert_eq!(rig.bus().broadcasts_pending(cpu), 0);
    }
    rig.assert_quiet();
}

#[test]
fn a_cpu_carries_a_request_out_with_interrupts_off_and_is_not_interrupted() {
    let mut rig = unmapped(Config::default());
    rig.stage().handler.set(|stage, cpu, _| cpu.store(stage.v(1), 1));
    let masked: Program = |stage, cpu| {
        let on = cpu.irq_save();
        cpu.load(stage.v(0));
        let found = read(cpu, VA);
        cpu.irq_restore(on);
        found
    };
    rig.begin(1, masked, 3);
    rig.run(0, ASK);
    rig.run(0, SYNC);
    assert_eq!(cached(&rig, 1), [false, true]);
    assert_eq!(rig.machine.depth(1), 1, "it stands where it stood");
    assert!(!rig.bus().core(1).guest_interrupts_on());
    assert!(rig.bus().core(1).pending().is_empty());
    rig.resume(1);
    assert_eq!(rig.last(1), UNMAPPED);
    assert_eq!(rig.var(1), 0, "no handler ran");
    rig.assert_quiet();
}

#[test]
fn a_cpu_carries_requests_out_in_the_order_in_which_they_came() {
    let mut rig = unmapped(three());
    rig.run(2, ASK_NEXT);
    rig.run(0, ASK);
    rig.bus().apply_broadcast(1);
    assert_eq!(cached(&rig, 1), [true, false], "the older first, whichever CPU asked");
    rig.bus().apply_broadcast(1);
    assert_eq!(cached(&rig, 1), [false, false]);
    // What came before the request that a TLBSYNC waits for is carried out on the way.
    let mut rig = unmapped(three());
    rig.run(2, ASK_NEXT);
    rig.run(0, ASK);
    rig.run(0, SYNC);
    assert_eq!(cached(&rig, 1), [false, false]);
}

#[test]
fn tlbsync_waits_for_the_requests_of_its_own_cpu_only() {
    let mut rig = unmapped(three());
    rig.run(0, ASK);
    rig.run(2, ASK_NEXT);
    rig.run(0, SYNC);
    assert_eq!(cached(&rig, 1), [false, true]);
    assert_eq!([0, 1, 2].map(|cpu| rig.bus().broadcasts_pending(cpu)), [1, 1, 0]);
    assert_eq!(cached(&rig, 0), [false, true], "what CPU 2 asked of CPU 0 waits too");
    rig.run(0, SYNC);
    assert_eq!([0, 1, 2].map(|cpu| rig.bus().broadcasts_pending(cpu)), [1, 1, 0]);
    rig.run(2, SYNC);
    assert_eq!([0, 1, 2].map(|cpu| rig.bus().broadcasts_pending(cpu)), [0; 3]);
}

/// Clears the entry of [`VA`], perhaps fences, and has every CPU forget the page.
fn unmap(stage: &Stage, cpu: &Cpu<'_>, fenced: bool) -> u64 {
    let entry = stage.entry(cpu.bus(), stage.root, VA, 1);
    cpu.store_word(entry, Family::PTE, 0);
    if fenced {
        cpu.fence();
    }
    cpu.invlpgb(Broadcast::Page { va: VA });
    cpu.tlbsync();
    0
}

#[test]
fn the_senders_store_is_not_ordered_before_its_request() {
    for (fenced, found) in [(false, 0), (true, UNMAPPED)] {
        let mut rig = Rig::with(LAZY);
        rig.map(VA, KERNEL);
        rig.run(1, READ);
        let program: Program =
            if fenced { |stage, cpu| unmap(stage, cpu, true) } else { |stage, cpu| unmap(stage, cpu, false) };
        rig.begin(0, program, if fenced { 4 } else { 3 });
        assert_eq!(rig.bus().core(0).buffer().is_empty(), fenced);
        assert!(rig.bus().apply_broadcast(1));
        assert_eq!(rig.run(1, READ), found, "it walks again, and memory may hold the old entry");
        rig.resume(0);
        assert_eq!(rig.peek(VA, 1), Entry::EMPTY);
        assert_eq!(rig.run(1, READ), found, "and TLBSYNC does not make it forget that");
        rig.assert_quiet();
    }
}

#[test]
fn the_senders_own_walk_does_not_see_its_buffered_store() {
    let mut rig = Rig::with(LAZY);
    rig.map(VA, KERNEL);
    let program: Program = |stage, cpu| {
        cpu.store_word(stage.entry(cpu.bus(), stage.root, VA, 1), Family::PTE, 0);
        cpu.invlpgb(Broadcast::AllNonGlobal);
        read(cpu, VA)
    };
    assert_eq!(rig.run(0, program), 0);
    assert_eq!(rig.run(0, READ), 0, "it cached what is gone");
}

#[test]
fn invlpgb_does_not_drain_and_tlbsync_does() {
    let program: Program = |stage, cpu| {
        cpu.store(stage.v(0), 1);
        cpu.invlpgb(Broadcast::AllNonGlobal);
        cpu.tlbsync();
        cpu.load(stage.v(1))
    };
    let mut rig = Rig::with(LAZY);
    rig.begin(0, program, 3);
    assert_eq!(rig.var(0), 0);
    assert_eq!(
        rig.machine.resume_until(0, Pause::At(4), &mut rig.seen),
        crate::at(PointKind::Load, crate::VAR)
    );
    assert_eq!(rig.var(0), 1);
}

#[test]
fn what_a_cpu_stored_is_visible_once_it_has_carried_a_request_out() {
    let store: Program = |stage, cpu| {
        cpu.store(stage.v(0), 1);
        cpu.load(stage.v(1))
    };
    let mut rig = Rig::with(LAZY);
    rig.begin(1, store, 2);
    assert!(!rig.bus().apply_broadcast(1));
    rig.run(0, ASK);
    assert_eq!(rig.var(0), 0, "a request alone drains nothing");
    assert!(rig.bus().apply_broadcast(1));
    assert_eq!(rig.var(0), 1);
    // The same where the TLBSYNC of the sender makes it.
    let mut rig = Rig::with(LAZY);
    rig.begin(1, store, 2);
    rig.run(0, ASK);
    rig.run(0, SYNC);
    assert_eq!(rig.var(0), 1);
}

/// A page with a global entry.
const GLOBAL: u64 = 0x4000_2000;

/// CPU 1 has cached [`VA`] under two identifiers, and [`NEXT`] and [`GLOBAL`] under the second.
fn tagged() -> Rig {
    let mut rig = Rig::calm();
    rig.map(VA, KERNEL);
    rig.map(NEXT, KERNEL);
    rig.map(GLOBAL, KERNEL | Flags::GLOBAL);
    rig.run(1, |_, cpu| {
        let found = read(cpu, VA);
        cpu.load_cr3(Cr3 { pcid: 1, ..cpu.cr3() }, true);
        found + read(cpu, VA) + read(cpu, NEXT) + read(cpu, GLOBAL)
    });
    let tlb = rig.bus().core(1).tlb();
    assert_eq!(tlb.leaves().len(), 4);
    assert!([0, 1].iter().all(|pcid| tlb.path(VA, *pcid).is_some()));
    drop(tlb);
    rig
}

/// What is left on CPU 1: the page of each leaf, in no order.
fn left(rig: &Rig) -> Vec<u64> {
    let tlb = rig.bus().core(1).tlb();
    assert!(tlb.paths().is_empty(), "upper entries go, whichever address is named");
    let mut pages: Vec<_> = tlb.leaves().iter().map(|leaf| leaf.va).collect();
    pages.sort_unstable();
    pages
}

#[test]
fn a_request_for_a_page_drops_it_under_every_identifier_and_all_upper_entries() {
    let mut rig = tagged();
    rig.run(0, ASK);
    rig.bus().apply_broadcast(1);
    assert_eq!(left(&rig), [NEXT, GLOBAL]);
    rig.assert_quiet();
}

#[test]
fn a_request_for_everything_drops_what_is_cached_under_every_identifier() {
    let mut rig = tagged();
    rig.run(0, |_, cpu| {
        cpu.invlpgb(Broadcast::AllNonGlobal);
        0
    });
    rig.bus().apply_broadcast(1);
    assert_eq!(left(&rig), [GLOBAL]);
    rig.assert_quiet();
}

#[test]
fn global_entries_stay_even_when_their_page_is_named() {
    let mut rig = tagged();
    let ask: Program = |_, cpu| {
        let found = read(cpu, GLOBAL);
        cpu.invlpgb(Broadcast::Page { va: GLOBAL });
        found
    };
    rig.run(0, ask);
    rig.bus().apply_broadcast(1);
    assert_eq!(left(&rig), [VA, VA, NEXT, GLOBAL]);
    assert!(rig.bus().core(0).tlb().leaf(GLOBAL, 0).is_some(), "on the sender too");
}

#[test]
fn a_request_for_an_address_that_is_not_canonical_does_nothing() {
    let mut rig = unmapped(Config::default());
    rig.run(0, |_, cpu| {
        cpu.invlpgb(Broadcast::Page { va: VA | 1 << 47 });
        0
    });
    assert_eq!(rig.bus().broadcasts_pending(1), 0);
    assert_eq!(cached(&rig, 0), [true, true]);
    assert!(!rig.bus().core(0).tlb().paths().is_empty());
    rig.assert_quiet();
}

#[test]
fn a_story_begins_with_no_request() {
    let mut rig = Rig::calm();
    rig.run(0, ASK);
    rig.machine.reset(Config::default(), |bus| Stage::new(bus));
    assert_eq!(rig.bus().broadcasts_pending(1), 0);
}
