//! Headlines: what went wrong, in one line that is the same for the same bug; and findings, which add where in the
//! story it happened and what exactly was seen.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::borrow::Cow;

use machine::{Frame, Var};
use oracle::{Reference, Rule};

/// One line that names rule, operation, backend and CPU.
///
/// Two headlines are equal if they name the same bug: who met it, the operation and the CPU, is shown and does not
/// count, as addresses, frames and tokens do not, which are only in [`Finding::detail`]. So the same race told with the
/// CPUs swapped, or met by another operation that maps what is stale, is found once.
#[derive(Clone, Debug)]
pub struct Headline {
    /// The rule of the contract that is broken.
    pub rule: Rule,
    /// The operation that was under way, in the words of stories; or `teardown`.
    pub operation: &'static str,
    /// The backend, by name.
    pub backend: &'static str,
    /// The CPU; [`Reference::DEVICE`] where none took part.
    pub cpu: u8,
    /// What is wrong; never with a number in it.
    pub what: Cow<'static, str>,
}

impl Headline {
    fn identity(&self) -> (Rule, &'static str, &str) {
        (self.rule, self.backend, &self.what)
    }
}

impl PartialEq for Headline {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Headline {}

impl PartialOrd for Headline {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Headline {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl Hash for Headline {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl fmt::Display for Headline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, operation, backend, cpu, what } = self;
        if *cpu == Reference::DEVICE {
            return write!(f, "{rule}: {operation} on {backend}: {what}");
        }
        write!(f, "{rule}: {operation} on {backend}, c{cpu}: {what}")
    }
}

/// The words of a kernel's own complaint that are the same for the same bug: up to the colon after which it says what
/// exactly, and without numbers, which differ from story to story.
pub(crate) fn without_numbers(complaint: &str) -> String {
    words_only(complaint.split_once(": ").map_or(complaint, |(general, _)| general))
}

/// The words of a message in which there is no number.
pub(crate) fn words_only(message: &str) -> String {
    let words = message.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

impl Headline {
    /// The headline without who met it, which is the same, letter by letter, for the same bug.
    pub fn signature(&self) -> String {
        let Self { rule, backend, what, .. } = self;
        format!("{rule} on {backend}: {what}")
    }

    /// The signature without the backend: what is wrong, wherever it is.
    pub fn breach(&self) -> String {
        let Self { rule, what, .. } = self;
        format!("{rule}: {what}")
    }
}

/// A breach of the contract, found by playing a story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What went wrong.
    pub headline: Headline,
    /// The event of the story during which it was seen; none if it was seen after the last one.
    pub event: Option<u16>,
    /// What exactly was seen: addresses, frames, values.
    pub detail: String,
    /// What it is about.
    pub about: About,
}

/// What a finding is about: what a report has to follow through the story.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct About {
    /// Pages, by the address of their first byte.
    pub pages: Vec<u64>,
    /// Frames.
    pub frames: Vec<Frame>,
    /// Variables that are waited for.
    pub vars: Vec<Var>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.headline, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use oracle::Rule;

    use super::{Headline, without_numbers, words_only};

    fn headline() -> Headline {
        let what = "it is stale".into();
        Headline { rule: Rule::RangeReuse, operation: "vmap", backend: "native", cpu: 0, what }
    }

    #[test]
    fn who_met_it_does_not_make_another_bug_of_it() {
        let met = Headline { operation: "map-ram", cpu: 3, ..headline() };
        assert_eq!(met, headline());
        assert_eq!(met.signature(), headline().signature());
        assert_ne!(met.to_string(), headline().to_string());
    }

    #[test]
    fn another_rule_or_backend_or_breach_is_another_bug() {
        let others = [
            Headline { rule: Rule::Rest, ..headline() },
            Headline { backend: "xen", ..headline() },
            Headline { what: "it is gone".into(), ..headline() },
        ];
        for other in others {
            assert_ne!(other, headline());
            assert_ne!(other.signature(), headline().signature());
        }
        assert_eq!(Headline { backend: "xen", ..headline() }.breach(), headline().breach());
    }

    #[test]
    fn a_complaint_is_the_same_whatever_its_numbers() {
        assert_eq!(without_numbers("3 pages were not given back"), "pages were not given back");
        assert_eq!(without_numbers("a type is miscounted: f12 has 3, held 1 times"), "a type is miscounted");
        assert_eq!(words_only("vmalloc: area 3 overlaps area 4"), "vmalloc: area overlaps area");
    }
}
