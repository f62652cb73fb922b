//! Random search without a fuzzer: the generator, the runner, and one finding kept for each headline.
//!
//! The same seed searches the same stories in the same order, whatever is found on the way. Clocks, threads and files
//! are the caller's affair.

use std::collections::BTreeMap;

use crate::headline::{Finding, Headline};
use crate::runner::Runner;
use crate::story::{Backends, Generator, Story};

/// A headline that came up, and the shortest story that it came up in.
#[derive(Clone, Debug)]
pub struct Found {
    /// The story.
    pub story: Story,
    /// What it finds.
    pub finding: Finding,
    /// Which story of the search it was, from 0.
    pub number: u64,
    /// How often the headline came up.
    pub times: u64,
}

/// What the search tells after each story.
#[derive(Debug)]
pub struct Step<'a> {
    /// How many stories were played.
    pub played: u64,
    /// A headline that came up for the first time, if one did.
    pub new: Option<&'a Found>,
    /// How many different headlines came up.
    pub headlines: usize,
}

/// A search.
#[derive(Debug)]
pub struct Search {
    generator: Generator,
    backends: Backends,
    story: Story,
    played: u64,
    found: BTreeMap<Headline, Found>,
}

impl Search {
    /// A search of the stories of this seed on these backends.
    pub fn new(seed: u64, backends: Backends) -> Self {
        Self {
            generator: Generator::new(seed).with_backends(backends),
            backends,
            story: Story::default(),
            played: 0,
            found: BTreeMap::new(),
        }
    }

    /// Generates and plays stories until `goes_on`, asked after each of them, says that it is enough.
    pub fn run(&mut self, runner: &mut Runner, mut goes_on: impl FnMut(&Step<'_>) -> bool) {
        loop {
            self.generator.next(&mut self.story);
            let finding = runner.play(&self.story, self.backends);
            let new = finding.and_then(|finding| self.keep(finding));
            self.played += 1;
            let headlines = self.found.len();
            let new = new.as_ref().and_then(|headline| self.found.get(headline));
            if !goes_on(&Step { played: self.played, new, headlines }) {
                return;
            }
        }
    }

    /// Keeps a finding; gives its headline if it is new.
    fn keep(&mut self, finding: Finding) -> Option<Headline> {
        let headline = finding.headline.clone();
        if let Some(known) = self.found.get_mut(&headline) {
            known.times += 1;
            if self.story.events.len() < known.story.events.len() {
                known.story.clone_from(&self.story);
                (known.finding, known.number) = (finding, self.played);
            }
            return None;
        }
        let found = Found { story: self.story.clone(), finding, number: self.played, times: 1 };
        self.found.insert(headline.clone(), found);
        Some(headline)
    }

    /// How many stories were played.
    pub fn played(&self) -> u64 {
        self.played
    }

    /// What was found, by headline.
    pub fn found(&self) -> impl Iterator<Item = &Found> {
        self.found.values()
    }
}
