//! What a story is played under: the bug that is planted and the designs that are chosen, by flags or by the `under`
//! lines of its file. Every name is checked here, before anything is played.

use std::path::Path;

use clap::Args;
use harness::catalogue::{self, Selection};
use harness::checks::Checks;
use harness::protocol::Designs;
use harness::runner::Runner;
use harness::story::Under;
use serde::Serialize;

use crate::complaint::{Complaint, Done};

/// The word for no bug at all, where a file remembers one.
const NO_BUG: &str = "none";

/// The flags that change the kernels.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Flags {
    /// Plant a known bug; without its letter, each of its variants in turn (see `shootdown bugs`)
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,
    /// Choose a variant of a design point; may be given for several points (see `shootdown designs`)
    #[arg(long = "design", value_name = "POINT=VARIANT", value_parser = design)]
    designs: Vec<(String, String)>,
}

fn design(text: &str) -> Result<(String, String), String> {
    let (point, variant) = text
        .split_once('=')
        .filter(|(point, variant)| !point.is_empty() && !variant.is_empty())
        .ok_or("expected POINT=VARIANT, like drain=flush")?;
    Designs::default().choose(point, variant).map_err(|error| error.to_string())?;
    Ok((point.to_owned(), variant.to_owned()))
}

impl Flags {
    /// Whether they change nothing: a story is played under what its file says.
    pub(crate) const fn are_none(&self) -> bool {
        self.bug.is_none() && self.designs.is_empty()
    }

    /// What the flags alone ask for: one, or one for each variant of the bug.
    pub(crate) fn alone(&self) -> Done<Vec<Under>> {
        let bugs = match self.bug.as_deref() {
            None | Some(NO_BUG) => vec![None],
            Some(name) => variants(name)
                .map_err(|error| Complaint::new(format!("--bug {name}: {error}")))?
                .into_iter()
                .map(Some)
                .collect(),
        };
        let with = |bug| {
            let mut under = Under { bug, designs: Vec::new() };
            choose(&mut under.designs, &self.designs);
            under
        };
        Ok(bugs.into_iter().map(with).collect())
    }

    /// What a file is played under: what it remembers, and over that what the flags say.
    pub(crate) fn over(&self, path: &Path, remembered: &Under) -> Done<Vec<Under>> {
        let bad = |line: String, error: String| Complaint::at(path, format!("\"under {line}\": {error}"));
        if let Some(name) = &remembered.bug {
            variants(name).map_err(|error| bad(format!("bug {name}"), error))?;
        }
        for (point, variant) in &remembered.designs {
            Designs::default()
                .choose(point, variant)
                .map_err(|error| bad(format!("design {point}={variant}"), error.to_string()))?;
        }
        let mut designs = Vec::new();
        choose(&mut designs, &remembered.designs);
        choose(&mut designs, &self.designs);
        let mut bugs = self.alone()?;
        for under in &mut bugs {
            under.designs.clone_from(&designs);
        }
        match (&self.bug, &remembered.bug) {
            (None, Some(name)) => {
                let designs = bugs.remove(0).designs;
                let variants = variants(name).map_err(|error| bad(format!("bug {name}"), error))?;
                Ok(variants
                    .into_iter()
                    .map(|bug| Under { bug: Some(bug), designs: designs.clone() })
                    .collect())
            }
            _ => Ok(bugs),
        }
    }
}

/// Takes over choices; the last one for a point counts.
fn choose(designs: &mut Vec<(String, String)>, chosen: &[(String, String)]) {
    for (point, variant) in chosen {
        match designs.iter_mut().find(|(known, _)| known == point) {
            Some(design) => design.1.clone_from(variant),
            None => designs.push((point.clone(), variant.clone())),
        }
    }
}

/// The variants that a name stands for.
fn variants(name: &str) -> Result<Vec<String>, String> {
    match catalogue::named(name) {
        Ok(bugs) => Ok(bugs.into_iter().map(|bug| bug.name.to_owned()).collect()),
        Err(unknown) => Err(unknown.to_string()),
    }
}

/// What plays stories under this, whose names were checked.
pub(crate) fn runner(under: &Under) -> Runner {
    Runner::new(selection(under).setup(), Checks::default())
}

fn selection(under: &Under) -> Selection {
    let all = Selection::all(under).expect("names are checked where they are read");
    all.into_iter().next().expect("a name stands for one variant at least")
}

/// In a line, for people: nothing if nothing is changed.
pub(crate) fn describe(under: &Under) -> String {
    let bug = under.bug.iter().map(|bug| format!("bug {bug}"));
    let designs = under.designs.iter().map(|(point, variant)| format!("design {point}={variant}"));
    bug.chain(designs).collect::<Vec<_>>().join(", ")
}

/// As flags of the command line, each with a blank before it.
pub(crate) fn as_flags(under: &Under) -> String {
    let bug = under.bug.as_deref().unwrap_or(NO_BUG);
    let designs = under.designs.iter().map(|(point, variant)| format!(" --design {point}={variant}"));
    std::iter::once(format!(" --bug {bug}")).chain(designs).collect()
}

/// For machines.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UnderJson {
    bug: Option<String>,
    designs: Vec<DesignJson>,
}

#[derive(Clone, Debug, Serialize)]
struct DesignJson {
    point: String,
    variant: String,
}

impl From<&Under> for UnderJson {
    fn from(under: &Under) -> Self {
        let design = |(point, variant): &(String, String)| DesignJson {
            point: point.clone(),
            variant: variant.clone(),
        };
        Self { bug: under.bug.clone(), designs: under.designs.iter().map(design).collect() }
    }
}
