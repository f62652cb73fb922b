//! The catalogue of known bugs: each is a row of data with a witness, a story written by hand and as short as possible
//! (`corpus/witnesses/NAME.story`).
//!
//! A bug changes kernels that are correct by default: it chooses designs, leaves safety steps out, or turns on a quirk of
//! the hardware. Variants of one incident bear its name and a letter. The rows stand in files beneath, a group each. No
//! check may know a row: the checks catch every bug by what it does.

/// The text of a story of the corpus.
macro_rules! corpus {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus/", $name, ".story"))
    };
}

mod dma;
mod drains;
mod hypervisor;
mod kernel_tables;
mod memory_types;
mod page_tables;
mod permissions;
mod user_memory;

use core::fmt;
use std::rc::Rc;

use impls::protocol::UnknownDesign;
use impls::{Designs, Protocol, Step};

use crate::story::{BACKENDS, Backends, Document, Under};
use crate::subject::Setup;

/// A known bug.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// Its name, with the letter of the variant.
    pub name: &'static str,
    /// What goes wrong.
    pub about: &'static str,
    /// Where it was seen or discussed.
    pub source: &'static str,
    /// The designs that it chooses: points and variants.
    pub designs: &'static [(&'static str, &'static str)],
    /// Choices beside these designs that make everything correct again, and the backends on which they do.
    pub unless: &'static [(&'static str, &'static str, Backends)],
    /// The safety steps that it leaves out.
    pub omitted: &'static [Step],
    /// The quirk of the hardware.
    pub invlpg_spares_globals: bool,
    /// The backends on which it shows.
    pub shows_on: Backends,
    /// The text of its witness, which says what it finds.
    witness: &'static str,
    /// The texts of stories that break a rule which its witness does not break: the damage is met later, or by another
    /// operation.
    effects: &'static [&'static str],
}

/// No bug: the defaults of every row.
const NONE: Bug = Bug {
    name: "",
    about: "",
    source: "",
    designs: &[],
    unless: &[],
    omitted: &[],
    invlpg_spares_globals: false,
    shows_on: Backends::all(),
    witness: "",
    effects: &[],
};

/// What looks like a bug and is none, because the architecture allows it: a variant of an incident that the catalogue
/// leaves out.
#[derive(Clone, Copy, Debug)]
pub struct Legal {
    /// The name that its row would have.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    /// Why that breaks no rule.
    pub why: &'static str,
    /// Where it was seen, and which document allows it.
    pub source: &'static str,
}

/// All legal variants. No bug has one of these names, and none of them can be planted.
pub const LEGAL: &[Legal] = permissions::LEGAL;

/// The bug that every search must find.
const CANARY: Bug = Bug {
    name: "canary",
    about: "A page that is freed is not given back. Its only purpose is to prove that findings are reported.",
    source: "none: planted",
    omitted: &[Step::Canary],
    witness: corpus!("witnesses/canary"),
    ..NONE
};

/// The groups, in the order in which they are listed.
const GROUPS: &[&[Bug]] = &[
    &[CANARY],
    drains::DESIGNS,
    page_tables::LAZY_ALIASES,
    drains::BLOCKS_AND_PURGES,
    dma::EXCHANGES,
    page_tables::TRACKED_ALIASES,
    hypervisor::FRAME_TYPES,
    dma::SEGMENTS,
    hypervisor::ENTRIES,
    permissions::ROWS,
    kernel_tables::ROWS,
    memory_types::ROWS,
    user_memory::TABLES,
    user_memory::WALKS,
    user_memory::FLUSHES,
];

const COUNT: usize = {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

/// Every known bug.
pub const BUGS: &[Bug] = &{
    let mut bugs = [NONE; COUNT];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut row = 0;
        while row < GROUPS[group].len() {
            bugs[at] = GROUPS[group][row];
            (at, row) = (at + 1, row + 1);
        }
        group += 1;
    }
    bugs
};

impl Bug {
    /// The story that shows it, written by hand, as short as possible.
    ///
    /// If the text is no story that says what it finds; a test rules that out.
    pub fn witness(&self) -> Document {
        read(self.witness)
    }

    /// What its witness finds: a [`breach`](crate::headline::Headline::breach).
    pub fn finds(&self) -> String {
        finds(self.witness())
    }

    /// What longer stories find under it besides, a breach of another rule each.
    pub fn effects(&self) -> impl Iterator<Item = String> {
        self.effects.iter().map(|text| finds(read(text)))
    }

    /// Its name without the letter.
    pub fn group(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((group, letter)) if letter.len() == 1 => group,
            _ => self.name,
        }
    }

    /// What it changes, in the words of designs, steps and quirks.
    pub fn changes(&self) -> Vec<String> {
        let designs = self.designs.iter().map(|(point, variant)| format!("design {point}={variant}"));
        let steps = self.omitted.iter().map(|step| format!("without {}", step.name()));
        let quirk = self.invlpg_spares_globals.then(|| "quirk invlpg-spares-globals".to_owned());
        designs.chain(steps).chain(quirk).collect()
    }

    /// The designs beside which everything is correct, with the backends where that is not so on all.
    pub fn exceptions(&self) -> Vec<String> {
        let exception = |(point, variant, on): &(&str, &str, Backends)| {
            let places: Vec<_> =
                BACKENDS.iter().filter(|(backend, _)| on.contains(*backend)).map(|(_, name)| *name).collect();
            let everywhere = places.len() == BACKENDS.len();
            let places = if everywhere { String::new() } else { format!(" on {}", places.join(" and ")) };
            format!("design {point}={variant}{places}")
        };
        self.unless.iter().map(exception).collect()
    }
}

fn read(text: &str) -> Document {
    text.parse().expect("a story of the corpus")
}

fn finds(document: Document) -> String {
    document.finds.expect("a line that says what it finds")
}

/// The bug of this name. Without its letter: every variant, in order.
pub fn named(name: &str) -> Result<Vec<&'static Bug>, Unknown> {
    let found: Vec<_> = BUGS.iter().filter(|bug| bug.name == name || bug.group() == name).collect();
    if found.is_empty() { Err(Unknown::Bug(name.to_owned())) } else { Ok(found) }
}

/// The bug and the designs that a story is played under.
#[derive(Clone, Default, Debug)]
pub struct Selection {
    /// A known bug.
    pub bug: Option<&'static Bug>,
    /// Designs chosen on top of it.
    pub designs: Vec<(String, String)>,
}

impl Selection {
    /// The selections that a file or a command line asks for, one for each variant of the bug. An error names what is known
    /// instead.
    pub fn all(under: &Under) -> Result<Vec<Self>, Unknown> {
        let bugs = match &under.bug {
            None => vec![None],
            Some(name) => named(name)?.into_iter().map(Some).collect(),
        };
        let all = bugs.into_iter().map(|bug| Self { bug, designs: under.designs.clone() });
        all.map(|selection| selection.designs().map(|_| selection)).collect()
    }

    fn designs(&self) -> Result<Designs, Unknown> {
        let mut designs = Designs::default();
        for (point, variant) in self.bug.map_or(&[][..], |bug| bug.designs) {
            designs.choose(point, variant)?;
        }
        for (point, variant) in &self.designs {
            designs.choose(point, variant)?;
        }
        Ok(designs)
    }

    /// The kernels and the machine for this selection.
    ///
    /// If a design does not exist; [`Selection::all`] rules that out.
    pub fn setup(&self) -> Setup {
        let designs = self.designs().expect("designs that were looked up before");
        let omitted = self.bug.map_or(&[][..], |bug| bug.omitted);
        Setup {
            protocol: Rc::new(Protocol::new(designs, omitted)),
            of_bug: self.bug.map_or(&[][..], |bug| bug.designs),
            asked_for: self.designs.iter().cloned().collect(),
            invlpg_spares_globals: self.bug.is_some_and(|bug| bug.invlpg_spares_globals),
        }
    }

    /// The `under` lines of a file that was found under this selection.
    pub fn under(&self) -> Under {
        Under { bug: self.bug.map(|bug| bug.name.to_owned()), designs: self.designs.clone() }
    }
}

/// A bug or a design that does not exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// No bug has this name.
    Bug(String),
    /// No design point or variant has this name.
    Design(UnknownDesign),
}

impl From<UnknownDesign> for Unknown {
    fn from(unknown: UnknownDesign) -> Self {
        Self::Design(unknown)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bug(name) => {
                let known: Vec<_> = BUGS.iter().map(|bug| bug.name).collect();
                write!(f, "no known bug \"{name}\"; expected one of {}", known.join(", "))
            }
            Self::Design(unknown) => unknown.fmt(f),
        }
    }
}

impl std::error::Error for Unknown {}

#[cfg(test)]
mod tests {
    use super::*;
    use impls::protocol::Drain;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_without_its_letter_stands_for_every_variant() {
        let names = |name| named(name).map(|bugs| bugs.iter().map(|bug| bug.name).collect::<Vec<_>>());
        assert_eq!(names("va-reuse-unflushed"), Ok(vec!["va-reuse-unflushed.a", "va-reuse-unflushed.b"]));
        assert_eq!(names("va-reuse-unflushed.b"), Ok(vec!["va-reuse-unflushed.b"]));
        assert_eq!(names("canary"), Ok(vec!["canary"]));
        let wrong = named("va-reuse").expect_err("no such bug").to_string();
        assert!(wrong.contains("expected one of canary, va-reuse-unflushed.a"), "{wrong}");
    }

    #[test]
    fn every_row_changes_something_that_exists_and_has_a_name_of_its_own() {
        let names: BTreeSet<_> = BUGS.iter().map(|bug| bug.name).collect();
        assert_eq!(names.len(), BUGS.len());
        for bug in BUGS {
            assert!(!bug.changes().is_empty(), "{}", bug.name);
            assert!(!bug.shows_on.is_empty() && !bug.about.is_empty(), "{}", bug.name);
            assert_eq!(bug.witness().under.bug.as_deref(), Some(bug.name));
            let under = Under { bug: Some(bug.name.to_owned()), designs: Vec::new() };
            assert_eq!(Selection::all(&under).expect("it exists").len(), 1, "{}", bug.name);
        }
    }

    #[test]
    fn what_is_legal_is_no_row_and_belongs_to_an_incident_that_has_some() {
        for legal in LEGAL {
            assert!(named(legal.name).is_err(), "{}", legal.name);
            let (group, letter) = legal.name.rsplit_once('.').expect("a letter");
            assert!(letter.len() == 1 && named(group).is_ok(), "{}", legal.name);
            assert!(legal.source.contains("SDM volume 3A, 4.10.4.3"), "{}", legal.name);
        }
    }

    #[test]
    fn every_safety_step_is_left_out_by_some_bug() {
        for step in Step::ALL {
            assert!(BUGS.iter().any(|bug| bug.omitted.contains(step)), "{}", step.name());
        }
    }

    #[test]
    fn designs_are_chosen_on_top_of_the_bug() {
        let design = |variant: &str| ("drain".to_owned(), variant.to_owned());
        let mut under = Under { bug: Some("va-reuse-unflushed.a".to_owned()), designs: Vec::new() };
        let drain = |under: &Under| Selection::all(under).map(|all| all[0].setup().protocol.designs.drain);
        assert_eq!(drain(&under), Ok(Drain::Inhibit));
        under.designs.push(design("flush"));
        assert_eq!(drain(&under), Ok(Drain::Flush));
        assert_eq!(Selection::all(&under).expect("they exist")[0].under(), under);
        under.designs.push(design("maybe"));
        assert!(drain(&under).is_err());
    }
}
