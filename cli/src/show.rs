//! `shootdown show`: a story as text, without playing it.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::complaint::Done;
use crate::output::Answer;
use crate::story_files::Reading;
use crate::under::UnderJson;

const EXAMPLES: &str = "\
Examples:
  shootdown show fuzz/artifacts/differential/crash-0f3a    what libFuzzer left
  shootdown show crash-0f3a > crash.story                  the same, to edit and replay";

/// Show a story as text, without playing it
///
/// What looks like text is text; any other bytes up to the cap are a story too, as fuzzing engines write them. Text comes
/// back in its canonical form, without comments.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
    /// The story: a file, text or bytes
    file: PathBuf,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
struct Shown {
    file: String,
    form: &'static str,
    story: String,
    under: UnderJson,
    finds: Option<String>,
    events: usize,
    void: usize,
}

impl Show {
    pub(crate) fn run(&self) -> Done<()> {
        let file = self.reading.read(&self.file)?;
        let story = &file.document.story;
        let shown = Shown {
            file: file.path.display().to_string(),
            form: file.form.name(),
            story: file.document.to_string(),
            under: (&file.document.under).into(),
            finds: file.document.finds.clone(),
            events: story.events.len(),
            void: story.resolve().void,
        };
        self.answer.give(&shown, |text| text.write_str(&shown.story))
    }
}
