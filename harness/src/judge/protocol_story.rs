//! The stories that designs are judged by: ordinary stories of the corpus, told without pauses. How many events at the beginning are
//! set-up, and never paused, says a comment of each.

use crate::story::Story;

/// A story that designs are judged by.
#[derive(Clone, Debug)]
pub struct ProtocolStory {
    /// Its name, which is that of its file.
    pub name: &'static str,
    /// The story, without a pause, for every backend.
    pub story: Story,
    /// So many events at its beginning are never paused.
    pub setup: usize,
}

/// The comment before the number of events that are set-up.
const SETUP: &str = "// setup ";

macro_rules! protocols {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus/protocols/", $name, ".story")))),+]
    };
}

/// Names and texts, in the order in which they are played.
const TEXTS: &[(&str, &str)] = protocols![
    "walk-and-free",
    "pin-and-reuse",
    "pin-and-move",
    "cached-way",
    "answered-flush",
    "fault-and-free"
];

impl ProtocolStory {
    /// Every story that designs are judged by.
    pub fn all() -> Vec<Self> {
        TEXTS.iter().map(|(name, text)| Self::new(name, text)).collect()
    }

    /// The story in a text.
    ///
    /// # Panics
    /// If the text is no story, or does not say how many events are set-up.
    pub fn new(name: &'static str, text: &str) -> Self {
        let story: Story = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let setup = text.lines().find_map(|line| line.strip_prefix(SETUP)?.trim().parse().ok());
        let setup = setup.unwrap_or_else(|| panic!("{name} does not say how many events are set-up"));
        Self { name, story, setup }
    }
}

#[cfg(test)]
mod tests {
    use super::ProtocolStory;
    use crate::story::Backends;

    #[test]
    fn each_story_is_told_without_pauses_for_every_backend_and_has_events_after_its_set_up() {
        for ProtocolStory { name, story, setup } in ProtocolStory::all() {
            assert_eq!(story.header.backends, Backends::all(), "{name}");
            assert!(story.events.iter().all(|event| event.pause.is_none()), "{name}");
            assert!((1..story.events.len()).contains(&setup), "{name}");
        }
    }
}
