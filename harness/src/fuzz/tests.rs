//! The two ways in which a stage can fail, and what becomes of them.

use crate::story::Under;

use super::*;

/// Finds something in stories of one event, breaks on stories of two, and is spoiled by that.
struct Touchy {
    spoiled: bool,
}

impl Stage for Touchy {
    fn play(&mut self, story: &Story) -> Option<Finding> {
        assert!(!self.spoiled, "a stage is not used after it broke");
        match story.events.len() {
            1 => Some(Finding { headline: "rule 4: one".to_owned(), report: "the lanes".to_owned() }),
            2 => {
                self.spoiled = true;
                panic!("broken by a pair\nof events");
            }
            _ => None,
        }
    }

    fn pulse(&self) -> String {
        "alive".to_owned()
    }
}

fn session() -> Session {
    Session::new(Under { bug: Some("canary".to_owned()), designs: Vec::new() }, |_| {
        Ok(Box::new(Touchy { spoiled: false }))
    })
    .expect("it builds")
}

fn story_of(events: usize) -> Story {
    let text = format!(
        "story 1\ncpus 1, hardware calm, sizes tiny, backends native\n{}",
        "c0  drain-aliases\n".repeat(events)
    );
    text.parse().expect("a story")
}

fn hush() {
    static QUIET: std::sync::Once = std::sync::Once::new();
    QUIET.call_once(hush_panics_while_playing);
}

/// As [`judge`], with panics kept quiet as `init` does.
fn judged(session: &mut Session, events: usize) -> Option<Finding> {
    hush();
    judge(session, &story_of(events))
}

#[test]
fn a_finding_is_passed_on_as_it_is() {
    let mut session = session();
    assert_eq!(judged(&mut session, 0), None);
    let finding = judged(&mut session, 1).expect("it finds");
    assert_eq!((finding.headline.as_str(), finding.report.as_str()), ("rule 4: one", "the lanes"));
}

#[test]
fn a_panic_is_a_finding_that_names_its_place_and_tells_its_story() {
    let mut session = session();
    let finding = judged(&mut session, 2).expect("it breaks");
    assert!(finding.headline.starts_with("panic at harness/src/fuzz/tests.rs:"), "{}", finding.headline);
    assert!(finding.headline.ends_with(": broken by a pair"), "{}", finding.headline);
    let told: Document =
        finding.report.split("\n\n").nth(1).expect("headline, then story").parse().expect("a story");
    assert!(finding.report.contains("make replay BUG=canary FILES=FILE"), "{}", finding.report);
    assert_eq!(told.story, story_of(2));
    assert_eq!(told.under.bug.as_deref(), Some("canary"));
}

#[test]
fn after_a_panic_stories_are_played_on_a_new_stage() {
    let mut session = session();
    let first = judged(&mut session, 2);
    assert_eq!(judged(&mut session, 0), None);
    assert_eq!(judged(&mut session, 2), first, "the same bug has the same headline");
}

#[test]
fn while_minimizing_other_headlines_are_passed_over() {
    hush();
    SESSION.set(Some(session()));
    assert_eq!(find(&story_of(0)), None);
    assert!(find(&story_of(2)).is_some());
    SESSION.with_borrow_mut(|session| {
        session.as_mut().expect("set above").look_only_for("rule 4: one".to_owned());
    });
    assert!(find(&story_of(1)).is_some());
    assert_eq!(find(&story_of(2)), None);
}

#[test]
fn the_file_of_a_crash_is_played_as_the_engine_plays_it_and_text_is_told_from_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("crash-1");
    let wanted = |content: &[u8]| {
        std::fs::write(&file, content).expect("a file");
        finding_of(&mut session(), &file)
    };
    assert_eq!(wanted(&story_of(1).encode()).map(|finding| finding.headline), Ok("rule 4: one".to_owned()));
    let headline = wanted(b"text\x02\0\0\0").map(|finding| finding.headline);
    assert_eq!(
        headline,
        Ok("rule 4: one".to_owned()),
        "one record after four bytes that are no header of ours"
    );
    assert!(wanted(&story_of(0).encode()).is_err_and(|said| said.ends_with(": this story finds nothing")));
    let text = story_of(1).to_string();
    assert!(wanted(text.as_bytes()).is_err_and(|said| said.contains("found text; `shootdown encode`")));
    let large = wanted(&[1; MAX_BYTES + 1]);
    assert!(
        large.is_err_and(|said| said.ends_with("expected the bytes of a story, at most 4096, found more"))
    );
}

#[test]
fn the_pulse_does_not_beat_at_once() {
    assert_eq!(session().pulse(), None);
}
