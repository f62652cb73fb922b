//! Coherent memory for devices, as stories tell of it: what is legal, and that a deadlock is reported before it happens.

use harness::catalogue::Selection;
use harness::checks::Checks;
use harness::headline::Finding;
use harness::runner::Runner;
use harness::story::{Backends, Story, Under};
use impls::hypervisor::xen::DEVICE_LIMIT;
use oracle::vocabulary::Outcome;

fn story(text: &str) -> Story {
    format!("story 1\n{text}").parse().expect("a story")
}

fn runner(designs: &[(&str, &str)]) -> Runner {
    let designs = designs.iter().map(|(point, variant)| ((*point).to_owned(), (*variant).to_owned()));
    let under = Under { bug: None, designs: designs.collect() };
    Runner::new(Selection::all(&under).expect("known designs")[0].setup(), Checks::default())
}

fn find(designs: &[(&str, &str)], text: &str) -> Option<Finding> {
    runner(designs).play(&story(text), Backends::all())
}

/// How the events ended on Xen, in the order in which they did.
fn outcomes(designs: &[(&str, &str)], text: &str) -> Vec<(u16, Outcome)> {
    let (recordings, finding) = runner(designs).record(&story(text).resolve(), Backends::XEN);
    assert_eq!(finding, None);
    recordings[0].outcomes.clone()
}

/// Nobody is in the way, and nobody has to be: it could be.
#[test]
fn a_drain_that_waits_for_answers_with_interrupts_off_is_reported_whether_or_not_it_deadlocks() {
    let designs = [("irqs_off_drain", "shootdown"), ("dma_drain", "flush")];
    let lines = |irqs_off: &str| {
        format!(
            "cpus 2, backends xen\nc0  vmap p0+1 -> a0\nc0  vunmap a0\nc0  dma-alloc p0+1 -> b0{irqs_off}\n"
        )
    };
    let found = find(&designs, &lines(" irqs-off")).expect("c1 might wait for c0 in its turn");
    assert_eq!(
        found.headline.to_string(),
        "rule 9 (progress): dma-alloc on xen, c0: waits with interrupts off"
    );
    assert_eq!(find(&designs, &lines("")), None, "with interrupts on it may wait");
    assert_eq!(find(&[], &lines(" irqs-off")), None, "by default it asks nobody");
}

#[test]
fn what_maps_with_a_flush_makes_no_buffer_with_interrupts_off() {
    let designs = [("drain", "on-map-everywhere")];
    let lines = "cpus 2, backends native xen\nc0  dma-alloc p0+1 -> b0 irqs-off\nc0  dma-alloc p1+1 -> b1\n";
    assert_eq!(find(&designs, lines), None);
    let ended = outcomes(&designs, lines);
    assert_eq!(ended[0], (0, Outcome::WouldSleep));
    assert!(matches!(ended[1], (1, Outcome::Buffer(_))), "{ended:?}");
}

/// A block whose pages were all unmapped keeps them from a drain by this bug. Neither somebody who maps pages meanwhile that
/// nobody knows yet, nor a buffer that came to nothing, hides what the drain left.
#[test]
fn what_a_drain_leaves_is_seen_whoever_maps_meanwhile() {
    let under = Under { bug: Some("vb-full-missed".to_owned()), designs: Vec::new() };
    let play = |selection: &Under, lines: &str| {
        let setup = Selection::all(selection).expect("a known bug")[0].setup();
        let found = Runner::new(setup, Checks::default()).play(&story(lines), Backends::NATIVE);
        found.map(|finding| (finding.headline.operation, finding.headline.signature()))
    };
    let spent = "cpus 2, hardware eager-walkers, backends native\n\
        c0  map-ram p0+2 -> r0\nc0  map-ram p2+2 -> r1\nc0  unmap-ram r0\n";
    let no_hole = "c0  alloc-page -> p4\n\
        c0  vmap p0+2 -> a0\nc0  vmap p0+2 -> a1\nc0  vmap p0+2 -> a2\nc0  vmap p0+2 -> a3\n\
        c0  vmap p0+2 -> a4\nc0  vmap p0+2 -> a5\nc0  vmap p0+1 -> a6\n";
    for meanwhile in [
        "c1  vmalloc +1 -> a0  pause at 1\nc0  drain-aliases\nc1  continue\n".to_owned(),
        "c1  vmalloc +1 -> a0  pause at 1\nc0  drain-aliases\nc1  continue\nc0  drain-aliases\n".to_owned(),
        format!("{no_hole}c0  drain-aliases  pause at 1\nc1  dma-alloc p4+1 -> b0 irqs-off\nc0  continue\n"),
    ] {
        let lines = format!("{spent}{meanwhile}");
        let found = play(&under, &lines);
        let alias = "rule 5 (drain) on native: an alias is left in a TLB";
        assert_eq!(found, Some(("drain-aliases", alias.to_owned())));
        assert_eq!(play(&Under::default(), &lines), None);
    }
}

#[test]
fn an_alias_in_somebodys_purge_is_not_missed() {
    let lines = "cpus 2, backends native xen\n\
        c0  vmap p0+1 -> a0\n\
        c0  vunmap a0\n\
        c0  drain-aliases  pause before store lazy_lock\n\
        c1  dma-alloc p0+1 -> b0 irqs-off\n";
    let at_purge = [("pte_clear", "at-purge")];
    assert_eq!(find(&at_purge, lines), None);
    assert!(outcomes(&at_purge, lines).contains(&(3, Outcome::WouldSleep)), "it cannot wait for the purge");
    let ended = outcomes(&[], lines);
    let made = ended.iter().any(|(event, outcome)| *event == 3 && matches!(outcome, Outcome::Buffer(_)));
    assert!(made, "no alias has an entry, whoever purges: {ended:?}");
}

#[test]
fn a_partial_exchange_fails_cleanly_and_leaves_every_page_usable() {
    let lines = "cpus 2, hardware eager-walkers, backends native xen\n\
        c0  dma-alloc p0+4 -> b0 irqs-off\n\
        c0  dma-free b0\n\
        c0  vmap p0+4 -> a0\n\
        c1  write a0+0\n\
        c1  write a0+3\n\
        c0  read a0+0\n\
        c0  read a0+3\n\
        d1  touch\n\
        c0  make-table p1\n";
    let lines = lines.replace("c0  make-table p1\n", "c0  vunmap a0\nc0  make-table p1\n");
    assert_eq!(find(&[], &lines), None);
    let ended = outcomes(&[], &lines);
    assert_eq!(ended[0], (0, Outcome::NoMemory));
    assert!(ended.iter().all(|(event, outcome)| *event < 2 || *outcome != Outcome::Void), "{ended:?}");
}

/// Where the devices find the pages of the buffers that came about on Xen, in the order in which they did.
fn found_at(text: &str) -> Vec<Vec<u32>> {
    let made = |(_, outcome): (u16, Outcome)| match outcome {
        Outcome::Buffer(told) => Some(told.bus().collect()),
        _ => None,
    };
    outcomes(&[], text).into_iter().filter_map(made).collect()
}

#[test]
fn a_wide_device_takes_pages_as_they_are_and_leaves_low_frames_to_those_that_need_them() {
    let lines = "cpus 1, backends native xen\n\
        c0  dma-alloc-wide p0+1 -> b0\n\
        c0  dma-alloc-wide p1+3 -> b1\n\
        c0  dma-free b0\n\
        c0  dma-alloc p0+1 -> b0\n";
    assert_eq!(find(&[], lines), None);
    let low = DEVICE_LIMIT - 3;
    let [alone, together, narrow] = &found_at(lines)[..] else { panic!("three buffers") };
    assert!(alone[0] >= DEVICE_LIMIT, "no exchange: {alone:?}");
    assert_eq!(together[..2], [low + 1, low + 2], "no others follow each other");
    assert!(together[2] >= DEVICE_LIMIT, "{together:?}");
    assert_eq!(*narrow, [low], "one is left");
}

/// What a wide device has beyond the limit is no breach, and for a narrow one it would be.
#[test]
fn the_limit_is_that_of_the_narrow_device() {
    let lines = |device: &str| format!("cpus 1, backends native xen\nc0  dma-alloc{device} p0+8 -> b0\n");
    assert_eq!(find(&[], &lines("-wide")), None);
    assert_eq!(found_at(&lines("-wide")).len(), 0, "the second segment finds no frames");
    let four = "cpus 1, backends native xen\nc0  alloc-page -> p4\nc0  dma-alloc-wide p3+2 -> b0\n";
    assert_eq!((find(&[], four), found_at(four).len()), (None, 1));
}

/// Frames that follow each other by luck are the region that they are taken for; those of a buffer of one page always.
#[test]
fn a_buffer_that_is_freed_as_a_region_is_seen_where_it_is_none() {
    let under = Under { bug: Some("freed-as-region".to_owned()), designs: Vec::new() };
    let setup = Selection::all(&under).expect("a known bug")[0].setup();
    let mut runner = Runner::new(setup, Checks::default());
    let mut seen = |buffer: &str| {
        let lines = format!("cpus 1, backends native xen\nc0  {buffer} -> b0\nc0  dma-free b0\n");
        assert_eq!(find(&[], &lines), None, "{buffer}");
        runner.play(&story(&lines), Backends::all()).is_some()
    };
    assert!(seen("dma-alloc-wide p0+3"));
    for luck in ["dma-alloc p0+3", "dma-alloc p0+2", "dma-alloc-wide p0+2", "dma-alloc-wide p0+1"] {
        assert!(!seen(luck), "{luck}");
    }
}
