use super::{ProtocolStory, Verdict, judge};
use crate::catalogue::Selection;
use crate::checks::Checks;
use crate::runner::Runner;
use crate::story::{Action, Backends, Under};
use crate::subject::Setup;

/// One table, one page, and a walk without a lock.
const WALK: &str = "\
story 1
// setup 3
cpus 2, hardware calm, sizes tiny, backends native xen kvm hyperv
c0  new-mm -> m0
c0  mmap m0:2+1 anonymous writable
c0  load m0:2
c0  gup-fast m0:2+1 readable -> g0
c1  munmap m0:2+1
c0  continue
";

fn runner(choices: &[(&str, &str)]) -> Runner {
    Runner::new(Setup::default().asking_for(owned(choices).collect()), Checks::default())
}

fn owned(choices: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    choices.iter().map(|(point, variant)| ((*point).to_owned(), (*variant).to_owned()))
}

fn verdict(choices: &[(&str, &str)], text: &str, backend: Backends) -> Verdict {
    let protocols = [ProtocolStory::new("walk", text)];
    judge(&mut runner(choices), &protocols, backend, &mut || true).expect("it is not asked to end")
}

fn pauses(verdict: &Verdict) -> Option<usize> {
    let broken = verdict.broken.as_ref()?;
    Some(broken.story.events.iter().filter(|event| event.pause.is_some()).count())
}

#[test]
fn a_broken_design_is_found_with_the_fewest_pauses() {
    let with_pages = [("table_free", "with-pages")];
    assert_eq!(pauses(&verdict(&with_pages, WALK, Backends::XEN)), Some(1));
    let paused = WALK.replace("m0:2+1 readable -> g0\n", "m0:2+1 readable -> g0  pause before load pte\n");
    assert_eq!(verdict(&with_pages, &paused, Backends::XEN).schedules, 1, "it is told so");
    let answered = ProtocolStory::all().into_iter().filter(|protocol| protocol.name == "answered-flush");
    let early = [("table_free", "with-pages"), ("flush_reach", "early-ack")];
    let found = judge(&mut runner(&early), &answered.collect::<Vec<_>>(), Backends::NATIVE, &mut || true);
    assert_eq!(pauses(&found.expect("it is not asked to end")), Some(2), "neither pause alone shows it");
}

#[test]
fn a_correct_design_has_the_same_schedules_every_time() {
    let count = || verdict(&[], WALK, Backends::NATIVE);
    let (first, second) = (count(), count());
    assert!(first.broken.is_none() && first.schedules > 50, "{first:?}");
    assert_eq!(first.schedules, second.schedules);
    assert!(verdict(&[("table_free", "with-pages")], WALK, Backends::NATIVE).broken.is_none());
}

#[test]
fn no_story_is_paused_in_its_set_up_or_where_nothing_happens_meanwhile() {
    let walk = ProtocolStory::new("walk", WALK);
    // The mapping is set-up, and after the `continue` there is nothing.
    let on_one_cpu = WALK.replace("c1  munmap", "c0  munmap");
    assert_eq!(verdict(&[], &on_one_cpu, Backends::NATIVE).schedules, 1);
    let unguarded = [("walk_guard", "none"), ("table_free", "with-pages")];
    let found = verdict(&unguarded, WALK, Backends::NATIVE).broken.expect("it is broken");
    let paused = found.story.events.iter().position(|event| event.pause.is_some());
    assert_eq!(paused, Some(walk.setup));
    assert_eq!(found.story.events.len(), walk.story.events.len());
}

#[test]
fn it_ends_when_it_is_asked_to() {
    let mut left = 10;
    let mut goes_on = || {
        left -= 1;
        left > 0
    };
    let protocols = ProtocolStory::all();
    assert!(judge(&mut runner(&[]), &protocols, Backends::NATIVE, &mut goes_on).is_none());
    assert_eq!(left, 0, "no story is played after that");
}

#[test]
fn on_kvm_the_walker_is_overtaken_only_if_the_host_has_taken_its_cpu_away() {
    let protocols = ProtocolStory::all();
    let mut undisturbed = protocols.clone();
    for protocol in &mut undisturbed {
        protocol.story.events.retain(|event| event.action != Action::HostPreempt);
    }
    let unawaited: [&[(&str, &str)]; 6] = [
        &[("table_free", "with-pages")],
        &[("table_free", "configured-unused")],
        &[("table_free", "sync-then-free"), ("walker_wait", "implied")],
        &[("table_free", "sync-then-free"), ("walker_wait", "none")],
        &[("gup_reference", "plain")],
        &[("gup_reference", "not-zero")],
    ];
    for choices in unawaited {
        let mut runner = runner(choices);
        let mut breaks = |protocols: &[ProtocolStory]| {
            let verdict = judge(&mut runner, protocols, Backends::KVM, &mut || true);
            verdict.expect("it is not asked to end").broken
        };
        let broken = breaks(&protocols).unwrap_or_else(|| panic!("{choices:?}"));
        assert!(broken.story.events.iter().any(|event| event.action == Action::HostPreempt), "{choices:?}");
        let broken = breaks(&undisturbed);
        assert!(broken.is_none(), "{choices:?}: {broken:?}");
    }
}

#[test]
fn the_default_designs_hold_everywhere() {
    let protocols = ProtocolStory::all();
    for backend in [Backends::NATIVE, Backends::KVM, Backends::HYPERV] {
        let verdict = judge(&mut runner(&[]), &protocols, backend, &mut || true);
        assert!(verdict.expect("it is not asked to end").broken.is_none(), "{backend:?}");
    }
}

fn planted(bug: &str, choices: &[(&str, &str)], backend: Backends) -> Verdict {
    let under = Under { bug: Some(bug.to_owned()), designs: owned(choices).collect() };
    let selection = &Selection::all(&under).expect("a known bug")[0];
    let mut runner = Runner::new(selection.setup(), Checks::default());
    judge(&mut runner, &ProtocolStory::all(), backend, &mut || true).expect("it is not asked to end")
}

#[test]
fn a_fault_that_is_no_reader_or_does_not_look_again_is_found_by_its_story() {
    for bug in ["fault-reads-freed-table", "fault-locks-freed-table"] {
        let broken = planted(bug, &[], Backends::NATIVE).broken.unwrap_or_else(|| panic!("{bug}"));
        assert_eq!(broken.protocol, "fault-and-free", "{bug}");
    }
}

#[test]
fn what_xen_hides_from_the_hardware_shows_when_a_change_of_type_flushes_nothing() {
    let masked: [&[(&str, &str)]; 3] = [
        &[("table_free", "rcu-no-invalidate")],
        &[("table_free", "at-once"), ("walk_guard", "slow-only")],
        &[("table_free", "with-pages"), ("flush_reach", "early-ack")],
    ];
    let protocols = ProtocolStory::all();
    for choices in masked {
        let held = judge(&mut runner(choices), &protocols, Backends::XEN, &mut || true);
        assert!(held.expect("it is not asked to end").broken.is_none(), "{choices:?}");
        let broken = planted("type-change-unflushed", choices, Backends::XEN).broken;
        let broken = broken.unwrap_or_else(|| panic!("{choices:?}"));
        assert!(["cached-way", "answered-flush"].contains(&broken.protocol), "{choices:?}: {broken:?}");
    }
    assert!(
        planted("type-change-unflushed", &[], Backends::XEN).broken.is_none(),
        "the default designs do not lean on it"
    );
}
