//! The findings of a run: one for each headline, the lowest story that has it, in a file as soon as it is found.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use harness::headline::Headline;
use harness::story::{Document, Under};

use crate::complaint::{Complaint, Done};
use crate::keep::{Folder, Kept};

use super::jobs::Hit;

/// The names of files hold so much of a headline.
const LONGEST_NAME: usize = 72;

/// A finding and its file.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) hit: Hit,
    /// The operations that met it, in this story or in another.
    pub(crate) met_by: BTreeSet<&'static str>,
    pub(crate) file: PathBuf,
    kept: Kept,
}

/// What was found so far.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    folder: &'a Folder,
    under: &'a Under,
    found: BTreeMap<Headline, Written>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(folder: &'a Folder, under: &'a Under) -> Self {
        Self { folder, under, found: BTreeMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// In the order of the stories.
    pub(crate) fn into_sorted(self) -> Vec<Written> {
        let mut found: Vec<_> = self.found.into_values().collect();
        found.sort_by_key(|written| written.hit.number);
        found
    }

    /// Writes a finding, if it is new or its story comes before the one that is known. What to say of it: nothing if
    /// the headline is known.
    pub(crate) fn add(&mut self, hit: Hit) -> Done<Option<String>> {
        match self.found.entry(hit.finding.headline.clone()) {
            Entry::Vacant(entry) => {
                let written = write(self.folder, self.under, hit)?;
                let line = format!("{}\n  {}", written.hit.finding.headline, written.file.display());
                entry.insert(written);
                Ok(Some(line))
            }
            Entry::Occupied(mut entry) if hit.number < entry.get().hit.number => {
                let mut before = entry.insert(write(self.folder, self.under, hit)?);
                entry.get_mut().met_by.append(&mut before.met_by);
                // Another thread was ahead: the files of a run must not depend on that.
                if before.kept == Kept::Written && before.file != entry.get().file {
                    fs::remove_file(&before.file).map_err(|error| Complaint::at(&before.file, error))?;
                }
                Ok(None)
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().met_by.insert(hit.finding.headline.operation);
                Ok(None)
            }
        }
    }
}

fn write(folder: &Folder, under: &Under, hit: Hit) -> Done<Written> {
    let document = Document { story: hit.story.clone(), under: under.clone(), finds: None };
    let name = slug(&hit.finding.headline.signature());
    let (file, kept) = folder.keep(&name, document.to_string().as_bytes(), "story")?;
    let met_by = BTreeSet::from([hit.finding.headline.operation]);
    Ok(Written { hit, met_by, file, kept })
}

/// A headline as part of the name of a file: small letters, digits and dashes.
fn slug(headline: &str) -> String {
    let mut slug = String::new();
    for c in headline.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    // A name that is too long ends with a whole word, if it has one.
    if slug.len() > LONGEST_NAME {
        let end = slug[..=LONGEST_NAME].rfind('-').unwrap_or(LONGEST_NAME);
        slug.truncate(end);
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_headline_becomes_a_name_that_any_shell_takes_as_it_is() {
        assert_eq!(
            slug("rule 4: vmap on native: it's  stale (again)"),
            "rule-4-vmap-on-native-it-s-stale-again"
        );
        assert_eq!(slug("// ../etc"), "etc");
        assert_eq!(slug(&"x".repeat(300)).len(), 72);
        assert_eq!(slug(&"word ".repeat(60)), "word-".repeat(14).trim_end_matches('-'));
    }
}
