//! The stage that engines play on: one [`Runner`] under the bug and the designs that were asked for. What a crash says
//! is put together here, and nothing is judged.

use crate::catalogue::{self, Selection};
use crate::checks::Checks;
use crate::combinations::is_broken_beside;
use crate::headline;
use crate::lanes;
use crate::runner::Runner;
use crate::story::Generator;
use crate::story::{Backends, Document, MAX_RECORDS, Story, Under};

/// Played before the first story of an engine.
const WARM_UP: usize = 2_000;

use super::session::{Finding, Stage};

/// The one variant that is fuzzed where a name stands for several: the first. An engine runs until its first finding,
/// so it would never come to the others. Gives a line for the user, if there was something to choose.
pub(super) fn choose_variant(under: &mut Under) -> Result<Option<String>, String> {
    let Some(name) = &under.bug else { return Ok(None) };
    let variants = catalogue::named(name).map_err(|unknown| unknown.to_string())?;
    let [first, others @ ..] = &variants[..] else { unreachable!("a name stands for one variant at least") };
    let line = (first.name != name).then(|| {
        let others: Vec<_> = others.iter().map(|bug| bug.name).collect();
        format!(
            "{name} is fuzzed as {}; its other variants are fuzzed by name: {}",
            first.name,
            others.join(", ")
        )
    });
    under.bug = Some(first.name.to_owned());
    Ok(line)
}

/// Every backend beside the reference, under one selection.
pub(super) struct OnRunner {
    runner: Runner,
    under: Under,
}

impl OnRunner {
    /// Backends as `under` wants them; an error that names what is known, if there is no such bug or design.
    pub(super) fn new(under: &Under) -> Result<Self, String> {
        let selection = Selection::all(under).map_err(|unknown| unknown.to_string())?.swap_remove(0);
        let mut runner = Runner::new(selection.setup(), Checks::default());
        warm_up(&mut runner);
        Ok(Self { runner, under: selection.under() })
    }

    /// All there is to say. The story is played once more for it, with everything recorded.
    fn report(&mut self, finding: &headline::Finding, story: &Story) -> String {
        if let Some(mut report) = lanes::explain(&mut self.runner, story, Backends::all(), &self.under, None)
        {
            report.replay = how_to_go_on(&self.under);
            return report.to_string();
        }
        let document = Document { story: story.clone(), under: self.under.clone(), finds: None };
        format!("{finding}\n  It did not recur when the story was played again.\n\n{document}")
    }
}

/// Lets memory that is kept from story to story grow to what it comes to anyway: a story would look new to an engine
/// that measures coverage because it came first. No engine knows of these stories, so what they find is dropped.
fn warm_up(runner: &mut Runner) {
    let mut generator = Generator::new(0);
    let (mut story, mut long) = (Story::default(), Story::default());
    for _ in 0..WARM_UP {
        generator.next(&mut story);
        runner.play(&story, Backends::all());
        long.events.append(&mut story.events);
        if long.events.len() >= MAX_RECORDS {
            long.events.truncate(MAX_RECORDS);
            long.header = story.header;
            runner.play(&long, Backends::all());
            long.events.clear();
        }
    }
    runner.rest();
    runner.take_coverage();
}

/// The commands that take up the file of a crash, beginning with the one that plays it again: engines write the bytes of
/// the story, which do not hold what it was found under.
pub(super) fn how_to_go_on(under: &Under) -> String {
    let bug = under.bug.as_ref().map_or_else(String::new, |bug| format!(" BUG={bug}"));
    let designs: Vec<_> = under.designs.iter().map(|(point, variant)| format!("{point}={variant}")).collect();
    let designs =
        if designs.is_empty() { String::new() } else { format!(" DESIGN=\"{}\"", designs.join(" ")) };
    format!(
        "make replay{bug}{designs} FILES=FILE\n\
         To make it shorter: make minimize{bug}{designs} FILE=FILE\n\
         FILE is what the engine writes for this crash."
    )
}

impl Stage for OnRunner {
    fn play(&mut self, story: &Story) -> Option<Finding> {
        // What else is broken beside the choices of the caller is not what the caller looks for. The file of a crash holds the story
        // as the engine made it, so that none of its choices can be taken back.
        if is_broken_beside(story.header.designs, self.runner.setup(), story.header.backends) {
            return None;
        }
        let finding = self.runner.play(story, Backends::all());
        self.runner.rest();
        let finding = finding?;
        let report = self.report(&finding, story);
        Some(Finding { headline: finding.headline.signature(), report })
    }

    fn pulse(&self) -> String {
        self.runner.coverage().line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(bug: &str) -> Under {
        Under { bug: Some(bug.to_owned()), designs: Vec::new() }
    }

    fn story() -> Story {
        "story 1\ncpus 2, hardware calm, sizes tiny, backends native xen\nc0  vmap p0+1 -> a0\nc1  read a0+3\n"
            .parse()
            .expect("a story")
    }

    #[test]
    fn the_first_variant_is_fuzzed_and_the_others_are_named() {
        let mut asked = under("va-reuse-unflushed");
        let line = choose_variant(&mut asked).expect("it exists").expect("there is a choice");
        assert_eq!(asked.bug.as_deref(), Some("va-reuse-unflushed.a"));
        assert!(line.contains("fuzzed as va-reuse-unflushed.a;"), "{line}");
        assert!(line.ends_with("by name: va-reuse-unflushed.b"), "{line}");
    }

    #[test]
    fn a_variant_is_taken_by_its_word() {
        for name in ["va-reuse-unflushed.b", "canary"] {
            let mut asked = under(name);
            assert_eq!(choose_variant(&mut asked), Ok(None));
            assert_eq!(asked, under(name));
        }
    }

    #[test]
    fn unknown_names_are_refused_with_those_that_are_known() {
        let message = choose_variant(&mut under("no-such-bug")).expect_err("no such bug");
        assert!(message.contains("no-such-bug") && message.contains("canary"), "{message}");
        let designs = vec![("drain".to_owned(), "maybe".to_owned())];
        let message = OnRunner::new(&Under { bug: None, designs }).err().expect("no such variant");
        assert!(message.contains("maybe") && message.contains("flush"), "{message}");
    }

    #[test]
    fn a_story_on_healthy_kernels_finds_nothing_and_is_counted() {
        let mut stage = OnRunner::new(&Under::default()).expect("the defaults exist");
        assert_eq!(stage.play(&story()), None);
        let pulse = stage.pulse();
        assert!(pulse.starts_with("1 stories (1 on native, 1 on xen), 0.0% of events void;"), "{pulse}");
        assert!(pulse.contains(" vmap 2,") && pulse.contains(" vunmap 0,"), "{pulse}");
    }

    #[test]
    fn a_report_holds_headline_story_and_the_commands_that_go_on() {
        let mut stage = OnRunner::new(&under("canary")).expect("it exists");
        let finding = stage
            .play(
                &"story 1\ncpus 1, hardware calm, sizes tiny, backends native\nc0  free-page p0\n"
                    .parse()
                    .expect("a story"),
            )
            .expect("the canary sings");
        assert_eq!(finding.headline, "rule 10 (rest) on native: pages were not given back");
        let report = &finding.report;
        assert!(report.starts_with("rule 10 (rest): teardown on native, c"), "{report}");
        assert!(report.contains("under bug canary\n") && report.contains("c0  free-page p0\n"), "{report}");
        assert!(report.contains("make replay BUG=canary FILES=FILE\n"), "{report}");
    }

    #[test]
    fn designs_are_said_as_make_wants_them() {
        let designs =
            vec![("drain".to_owned(), "inhibit".to_owned()), ("pte_clear".to_owned(), "at-purge".to_owned())];
        let said = how_to_go_on(&Under { bug: None, designs });
        assert!(
            said.contains("make minimize DESIGN=\"drain=inhibit pte_clear=at-purge\" FILE=FILE\n"),
            "{said}"
        );
    }

    #[test]
    fn what_is_broken_beside_the_choices_of_the_caller_is_not_played() {
        let text = "story 1\ncpus 2, hardware calm, sizes tiny, backends native xen, \
                    designs drain=on-map-everywhere irqs_off_drain=shootdown\nc0  free-page p0\n";
        let story: Story = text.parse().expect("a story");
        for (drain, plays) in [("flush", false), ("on-map-everywhere", true)] {
            let designs = vec![("drain".to_owned(), drain.to_owned())];
            let mut stage =
                OnRunner::new(&Under { bug: Some("canary".to_owned()), designs }).expect("they are known");
            assert_eq!(stage.play(&story).is_some(), plays, "{drain}");
        }
    }
}
