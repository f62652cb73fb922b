//! What was judged, as it is said to machines, and whether it is what the catalogue of known bugs says.

use harness::combinations;
use harness::judge::{Broken, Verdict};
use harness::protocol::Designs;
use harness::story::{Backends, Document, Under};
use serde::Serialize;

use crate::complaint::Done;
use crate::finding::FindingJson;
use crate::keep::Folder;

use super::judge::Choice;

/// What was judged.
#[derive(Debug, Serialize)]
pub(super) struct Judged {
    /// The choices that are the same in every row.
    pub(super) beside: Vec<ChoiceJson>,
    pub(super) tables: Vec<Table>,
    /// How many cells are not what the catalogue says.
    pub(super) differ: usize,
    /// Not all cells were judged.
    pub(super) interrupted: bool,
}

/// The combinations of the variants of some points.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) points: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

/// One combination.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) designs: Vec<ChoiceJson>,
    pub(super) cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ChoiceJson {
    pub(super) point: &'static str,
    pub(super) variant: &'static str,
}

/// One combination on one backend.
#[derive(Debug, Serialize)]
pub(super) struct Cell {
    pub(super) backend: &'static str,
    /// Whether it holds; `null` if it was not judged to its end.
    pub(super) holds: Option<bool>,
    pub(super) schedules: u64,
    pub(super) broken: Option<BrokenJson>,
    /// The known bug that says it is broken, if there is one.
    pub(super) catalogue: Option<&'static str>,
    /// The catalogue says otherwise.
    pub(super) differs: bool,
}

/// How it breaks.
#[derive(Debug, Serialize)]
pub(super) struct BrokenJson {
    pub(super) protocol: &'static str,
    pub(super) pauses: usize,
    pub(super) finding: FindingJson,
    /// The story, without what it is played under.
    pub(super) story: String,
    pub(super) file: Option<String>,
    #[serde(skip)]
    pub(super) breach: String,
}

impl From<&Choice> for ChoiceJson {
    fn from((point, variant): &Choice) -> Self {
        Self { point, variant }
    }
}

impl Judged {
    /// Nothing yet, beside these choices.
    pub(super) fn new(fixed: &[Choice]) -> Self {
        let beside = fixed.iter().map(ChoiceJson::from).collect();
        Self { beside, tables: Vec::new(), differ: 0, interrupted: false }
    }

    pub(super) fn add(&mut self, table: Table) {
        let cells = || table.rows.iter().flat_map(|row| &row.cells);
        self.differ += cells().filter(|cell| cell.differs).count();
        self.interrupted |= cells().any(|cell| cell.holds.is_none());
        self.tables.push(table);
    }

    /// Whether the catalogue and the verdicts are not known to agree.
    pub(super) const fn is_doubtful(&self) -> bool {
        self.differ > 0 || self.interrupted
    }
}

impl Table {
    pub(super) fn new(points: &[&'static str]) -> Self {
        Self { points: points.to_vec(), rows: Vec::new() }
    }
}

impl Row {
    pub(super) fn new(designs: &[Choice], cells: Vec<Cell>) -> Self {
        Self { designs: designs.iter().map(ChoiceJson::from).collect(), cells }
    }
}

impl Cell {
    /// What a combination comes to on a backend. The story by which it breaks goes to the folder.
    pub(super) fn new(
        designs: Designs,
        (backend, name): (Backends, &'static str),
        verdict: Option<Verdict>,
        folder: Option<&Folder>,
    ) -> Done<Self> {
        let catalogue = combinations::flaw(designs, backend).map(|bug| bug.name);
        let holds = verdict.as_ref().map(|verdict| verdict.broken.is_none());
        let differs = holds.is_some_and(|holds| holds == catalogue.is_some());
        let (schedules, broken) = verdict.map_or((0, None), |verdict| (verdict.schedules, verdict.broken));
        let broken =
            broken.map(|broken| BrokenJson::new(broken, designs, (backend, name), folder)).transpose()?;
        Ok(Self { backend: name, holds, schedules, broken, catalogue, differs })
    }
}

impl BrokenJson {
    fn new(
        Broken { protocol, mut story, finding }: Broken,
        designs: Designs,
        (backend, name): (Backends, &str),
        folder: Option<&Folder>,
    ) -> Done<Self> {
        // On another it may find something else, or nothing.
        story.header.backends = backend;
        let breach = finding.headline.breach();
        let file = folder.map(|folder| {
            let chosen: Vec<_> = designs.changed().collect();
            let under = chosen.iter().map(|(point, variant)| ((*point).to_owned(), (*variant).to_owned()));
            let under = Under { bug: None, designs: under.collect() };
            let variants: Vec<_> = chosen.iter().map(|(_, variant)| *variant).chain([name]).collect();
            let document = Document { story: story.clone(), under, finds: Some(breach.clone()) };
            folder.keep(&variants.join("-"), document.to_string().as_bytes(), "story")
        });
        let file = file.transpose()?.map(|(path, _)| path.display().to_string());
        Ok(Self {
            protocol,
            pauses: story.events.iter().filter(|event| event.pause.is_some()).count(),
            finding: FindingJson::from(&finding),
            story: story.to_string(),
            file,
            breach,
        })
    }
}

#[cfg(test)]
mod tests {
    use harness::judge::Verdict;
    use harness::protocol::Designs;
    use harness::story::BACKENDS;

    use super::{Cell, Judged, Row, Table};

    /// A table of one row, for a combination that holds on native and breaks elsewhere, as the catalogue says.
    fn judged(verdict: Option<&Verdict>) -> Judged {
        let mut designs = Designs::default();
        designs.choose("table_free", "with-pages").expect("a known variant");
        let cell = |backend| Cell::new(designs, backend, verdict.cloned(), None).expect("nothing is written");
        let mut table = Table::new(&["table_free"]);
        table.rows.push(Row::new(&[("table_free", "with-pages")], BACKENDS.map(cell).into()));
        let mut judged = Judged::new(&[]);
        judged.add(table);
        judged
    }

    #[test]
    fn what_holds_although_a_known_bug_says_that_it_breaks_is_doubtful() {
        let differs = judged(Some(&Verdict { schedules: 7, broken: None }));
        assert!(differs.is_doubtful() && differs.differ == 3);
        let mut text = String::new();
        super::super::table::write(&mut text, &differs).expect("a string takes any text");
        assert!(text.contains("with-pages  holds (7)  holds (7) !  holds (7) !  holds (7) !\n"), "{text}");
        let said = "! table_free=with-pages on xen: holds, and gup-table-uaf.a says that it breaks\n";
        assert!(text.contains(said) && !text.contains("on native:"), "{text}");
        assert!(text.ends_with("\n4 verdicts; 3 differ from the catalogue\n"), "{text}");
    }

    #[test]
    fn what_was_not_judged_to_its_end_is_doubtful_and_differs_from_nothing() {
        let judged = judged(None);
        assert!(judged.is_doubtful() && judged.interrupted && judged.differ == 0);
    }
}
