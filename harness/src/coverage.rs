//! What was really played: the counts by which a vacuous run is seen.
//!
//! Counting must cost next to nothing, for it is always on: plain arrays, no formatting before a caller asks.

use core::fmt::{self, Write as _};
use std::collections::BTreeMap;

use impls::protocol::STEPS;
use impls::{Designs, Step};
use machine::{Family, Point, PointKind};
use oracle::vocabulary::{Operation, ROWS, Row};

use crate::catalogue::{BUGS, Bug};
use crate::story::{BACKENDS, Backends, Tag};
use crate::tactics::astray::is_hypercall;

/// How many operations there are.
const OPERATIONS: usize = ROWS.len();

/// The counts of a run. Runs are added up with [`Coverage::merge`].
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Stories played, on any number of backends.
    pub stories: u64,
    /// Events told.
    pub events: u64,
    /// Events that were void on every backend.
    pub void: u64,
    /// Stories that chose their designs themselves, by combination.
    combinations: BTreeMap<Designs, u64>,
    backends: [OnBackend; BACKENDS.len()],
}

/// The counts of one backend.
#[derive(Clone, Debug)]
pub struct OnBackend {
    /// Stories played.
    pub stories: u64,
    /// Calls made, by operation.
    pub called: [u64; OPERATIONS],
    /// Calls that took effect, by operation.
    pub effects: [u64; OPERATIONS],
    /// For each two operations, how often one began while the other was under way.
    overlaps: Vec<[u64; OPERATIONS]>,
    /// How often each safety step was met.
    pub met: [u64; STEPS],
    /// How often a story paused at each kind of point, by family.
    paused: Vec<[u64; 256]>,
    /// The points that there are, a bit for each family, as far as the machine has seen.
    known: [[u64; 4]; PointKind::ALL.len()],
}

impl Default for OnBackend {
    fn default() -> Self {
        Self {
            stories: 0,
            called: [0; OPERATIONS],
            effects: [0; OPERATIONS],
            overlaps: vec![[0; OPERATIONS]; OPERATIONS],
            met: [0; STEPS],
            paused: vec![[0; 256]; PointKind::ALL.len()],
            known: [[0; 4]; PointKind::ALL.len()],
        }
    }
}

impl OnBackend {
    pub(crate) fn paused_at(&mut self, point: Point) {
        self.paused[point.kind as usize][usize::from(point.family.0)] += 1;
    }

    pub(crate) fn know(&mut self, point: Point) {
        self.known[point.kind as usize][usize::from(point.family.0 >> 6)] |= 1 << (point.family.0 & 63);
    }

    pub(crate) fn overlapped(&mut self, one: &Operation, other: &Operation) {
        let (low, high) = (one.index().min(other.index()), one.index().max(other.index()));
        self.overlaps[low][high] += 1;
    }

    /// How often one of two operations, given by their places in [`oracle::vocabulary::ROWS`], began during the other.
    pub fn overlaps(&self, one: usize, other: usize) -> u64 {
        self.overlaps[one.min(other)][one.max(other)]
    }

    /// Every point that there is, as far as the machine has seen, and how often a story paused there.
    pub fn points(&self) -> impl Iterator<Item = (Point, u64)> {
        PointKind::ALL.into_iter().flat_map(move |kind| {
            (0..=u8::MAX).filter_map(move |family| {
                let count = self.paused[kind as usize][usize::from(family)];
                let known = self.known[kind as usize][usize::from(family >> 6)] & 1 << (family & 63) != 0;
                (known || count > 0).then_some((Point { kind, family: Family(family) }, count))
            })
        })
    }

    /// How often a story paused at this kind of point, whatever the family.
    pub fn paused(&self, kind: PointKind) -> u64 {
        self.paused[kind as usize].iter().sum()
    }

    fn merge(&mut self, other: &Self) {
        self.stories += other.stories;
        add(&mut self.called, &other.called);
        add(&mut self.effects, &other.effects);
        add(&mut self.met, &other.met);
        self.overlaps.iter_mut().zip(&other.overlaps).for_each(|(mine, theirs)| add(mine, theirs));
        self.paused.iter_mut().zip(&other.paused).for_each(|(mine, theirs)| add(mine, theirs));
        for (mine, theirs) in self.known.iter_mut().flatten().zip(other.known.iter().flatten()) {
            *mine |= theirs;
        }
    }
}

fn add(mine: &mut [u64], theirs: &[u64]) {
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
}

impl Coverage {
    /// The counts of one backend.
    ///
    /// # Panics
    /// If it is not exactly one.
    pub fn on(&self, backend: Backends) -> &OnBackend {
        &self.backends[place(backend)]
    }

    pub(crate) fn on_mut(&mut self, backend: Backends) -> &mut OnBackend {
        &mut self.backends[place(backend)]
    }

    /// A story is played with designs of its own, or with the defaults.
    pub(crate) fn played_with(&mut self, designs: Designs) {
        if designs != Designs::default() {
            *self.combinations.entry(designs).or_default() += 1;
        }
    }

    /// How many combinations of designs were played because stories chose them, the defaults not counted.
    pub fn combinations(&self) -> usize {
        self.combinations.len()
    }

    /// For each variant of each design point that stories chose, how many did.
    fn chosen(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        let mut chosen = BTreeMap::new();
        for (designs, count) in &self.combinations {
            designs.changed().for_each(|choice| *chosen.entry(choice).or_default() += count);
        }
        chosen
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        self.stories += other.stories;
        self.events += other.events;
        self.void += other.void;
        for (designs, count) in &other.combinations {
            *self.combinations.entry(*designs).or_default() += count;
        }
        self.backends.iter_mut().zip(&other.backends).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    /// The share of events that were void, in percent.
    pub fn void_percent(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let (void, events) = (self.void as f64, self.events.max(1) as f64);
        void / events * 100.0
    }

    /// What came up less often than this: the words of a complaint each. Only backends that played are looked at.
    ///
    /// Points are those that there are on the backend, as far as the machine has seen.
    pub fn thin(&self, least: u64) -> Vec<String> {
        let mut thin = Vec::new();
        for (backend, name) in BACKENDS {
            let on = self.on(backend);
            if on.stories == 0 {
                continue;
            }
            for (index, row) in ROWS.iter().enumerate() {
                let operation = row.word;
                if on.effects[index] < least {
                    thin.push(format!("{name}: {operation} took effect {} times", on.effects[index]));
                }
                for (other, with) in ROWS.iter().enumerate().skip(index) {
                    if takes_no_time(row, backend) && takes_no_time(with, backend) {
                        continue;
                    }
                    let (count, with) = (on.overlaps(index, other), with.word);
                    if count < least {
                        thin.push(format!("{name}: {operation} and {with} overlapped {count} times"));
                    }
                }
            }
            let chosen = self.combinations() > 0;
            for step in Step::ALL.iter().filter(|step| shows_on(**step, backend, chosen)) {
                let count = on.met[*step as usize];
                if count < least {
                    thin.push(format!("{name}: the step {} was met {count} times", step.name()));
                }
            }
            for (point, count) in on.points().filter(|(_, count)| *count < least) {
                thin.push(format!("{name}: {} was paused at {count} times", point_name(point)));
            }
        }
        thin
    }

    /// The counts in one line.
    ///
    /// Put together by hand and not with iterators: engines that measure coverage meet this code now and then, whatever
    /// they play, so it should have few branches.
    pub fn line(&self) -> String {
        // Writing to a string never fails.
        let mut line = String::with_capacity(512);
        let _ = write!(line, "{} stories (", self.stories);
        let mut before = "";
        for (backend, name) in BACKENDS {
            let stories = self.on(backend).stories;
            if stories != 0 {
                let _ = write!(line, "{before}{stories} on {name}");
                before = ", ";
            }
        }
        let _ = write!(line, "), {:.1}% of events void; took effect: ", self.void_percent());
        before = "";
        for (index, row) in ROWS.iter().enumerate() {
            let name = row.word;
            let mut effects = 0;
            for on in &self.backends {
                effects += on.effects[index];
            }
            let _ = write!(line, "{before}{name} {effects}");
            before = ", ";
        }
        line
    }
}

/// Whether nothing can begin while an operation is under way: what a device does, and hypercalls where no
/// hypervisor takes them.
fn takes_no_time(row: &Row, backend: Backends) -> bool {
    row.device || backend != Backends::XEN && Tag::of_word(row.word).is_some_and(is_hypercall)
}

/// Whether a step matters on a backend: some bug shows there that leaves it out, under the default designs or under
/// whichever stories chose.
fn shows_on(step: Step, backend: Backends, chosen: bool) -> bool {
    let leaves_it_out = |bug: &Bug| bug.shows_on.contains(backend) && bug.omitted.contains(&step);
    BUGS.iter().any(|bug| leaves_it_out(bug) && (chosen || bug.designs.is_empty()))
}

fn place(backend: Backends) -> usize {
    BACKENDS.iter().position(|(known, _)| *known == backend).expect("one backend")
}

/// The words by which stories name a point.
pub fn point_name(point: Point) -> String {
    let family = impls::family::name(point.family).unwrap_or("");
    format!("{} {family}", point.kind.name()).trim_end().to_owned()
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} stories, {} events, {:.1}% void", self.stories, self.events, self.void_percent())?;
        if !self.combinations.is_empty() {
            writeln!(f, "\ncombinations of designs beside the default: {}", self.combinations())?;
            for ((point, variant), count) in self.chosen() {
                writeln!(f, "  {:<28} {count:>12}", format!("{point}={variant}"))?;
            }
        }
        for (backend, name) in BACKENDS {
            let on = self.on(backend);
            if on.stories == 0 {
                continue;
            }
            writeln!(f, "\n{name}: {} stories", on.stories)?;
            writeln!(f, "  operations                     called    took effect")?;
            for (index, operation) in ROWS.iter().map(|row| row.word).enumerate() {
                writeln!(f, "    {operation:<22} {:>12} {:>14}", on.called[index], on.effects[index])?;
            }
            writeln!(f, "  pairs that overlapped")?;
            for (index, operation) in ROWS.iter().map(|row| row.word).enumerate() {
                write!(f, "    {operation:<15}")?;
                for other in 0..=index {
                    write!(f, " {:>8}", on.overlaps(index, other))?;
                }
                writeln!(f)?;
            }
            writeln!(f, "  safety steps met")?;
            for step in Step::ALL {
                writeln!(f, "    {:<26} {:>8}", step.name(), on.met[*step as usize])?;
            }
            writeln!(f, "  points paused at")?;
            for (point, count) in on.points() {
                writeln!(f, "    {:<26} {count:>8}", point_name(point))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_add_up() {
        let mut one = Coverage { stories: 1, events: 4, void: 1, ..Coverage::default() };
        let point = Point { kind: PointKind::Store, family: Family::PTE };
        one.on_mut(Backends::NATIVE).paused_at(point);
        let never = Point { kind: PointKind::Wait, family: Family(200) };
        one.on_mut(Backends::NATIVE).know(never);
        let drain = Operation::DrainAliases {};
        one.on_mut(Backends::NATIVE).overlapped(&drain, &drain);
        let mut designs = Designs::default();
        one.played_with(designs);
        assert_eq!(one.combinations(), 0, "the defaults are no choice");
        designs.choose("drain", "tables-only").expect("a known variant");
        one.played_with(designs);
        let mut both = one.clone();
        both.merge(&one);
        assert_eq!((both.combinations(), both.chosen()[&("drain", "tables-only")]), (1, 2));
        assert_eq!((both.stories, both.events, both.void), (2, 8, 2));
        assert_eq!(both.on(Backends::NATIVE).points().collect::<Vec<_>>(), [(point, 2), (never, 0)]);
        assert_eq!(both.on(Backends::NATIVE).overlaps(6, 6), 2);
        assert!((both.void_percent() - 25.0).abs() < 1e-9);
    }

    #[test]
    fn what_a_backend_that_played_never_did_is_thin() {
        let mut coverage = Coverage::default();
        assert!(coverage.thin(1).is_empty(), "nothing played");
        coverage.on_mut(Backends::NATIVE).stories = 1;
        let thin = coverage.thin(1);
        assert!(thin.contains(&"native: vmap took effect 0 times".to_owned()), "{thin:?}");
        assert!(thin.iter().all(|line| line.starts_with("native")), "{thin:?}");
        let met = |thin: &[String], step: Step| thin.iter().any(|line| line.contains(step.name()));
        assert!(met(&thin, Step::ClearBeforeDirty));
        let on_native_alone = Step::FenceBeforeIpi;
        assert!(met(&thin, on_native_alone));
        coverage.on_mut(Backends::XEN).stories = 1;
        let mut thin = coverage.thin(1);
        thin.retain(|line| line.starts_with("xen"));
        assert!(met(&thin, Step::ClearBeforeDirty) && !met(&thin, on_native_alone), "{thin:?}");
        let about = |pair: &str| thin.iter().any(|line| line.starts_with(pair));
        assert!(
            !about("xen: device-read and device-write") && about("xen: read and device-write"),
            "{thin:?}"
        );
        assert!(about("xen: hv-update and hv-pin"), "{thin:?}");
        let mut natives = coverage.thin(1);
        natives.retain(|line| line.starts_with("native"));
        assert!(!natives.iter().any(|line| line.contains("hv-update and hv-pin")), "{natives:?}");
    }
}
