//! `shootdown encode`: stories as the bytes that fuzzing engines work on.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use harness::story::Under;
use serde::Serialize;

use crate::complaint::{Complaint, Done};
use crate::keep::{Folder, Kept};
use crate::output::{Answer, count, remark};
use crate::story_files::{Reading, StoryFile};

const EXAMPLES: &str = "\
Examples:
  shootdown encode corpus/seeds -o fuzz/corpus/differential    a corpus for libFuzzer
  shootdown encode my.story                                    one story, beside its text";

/// Write stories as the bytes that fuzzing engines work on
///
/// Each becomes a file NAME-DIGEST.bytes, named for the story file and what is in it, so that a story that was edited
/// is added beside its older self. Bytes hold no comments and no `under` lines. Files are written whole or not at
/// all, and never over a different one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Encode {
    /// The stories: files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The folder to write to, made if it is not there; without it each goes beside its story
    #[arg(short, long = "out", value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
struct Encoded {
    files: Vec<EncodedFile>,
}

#[derive(Serialize)]
struct EncodedFile {
    from: String,
    to: String,
    bytes: usize,
    written: bool,
    under_left_off: bool,
    finds_left_off: bool,
}

impl Encode {
    pub(crate) fn run(&self) -> Done<()> {
        let stories = self.reading.read_all(&self.paths)?;
        let out = self.out.as_deref().map(Folder::new).transpose()?;
        if let Some(story) = stories.iter().find(|story| out.is_none() && !story.is_file) {
            return Err(Complaint::at(
                &story.path,
                "expected --out DIR, as nothing is written beside a pipe",
            ));
        }
        let mut files = Vec::new();
        for story in &stories {
            files.push(match &out {
                Some(out) => encode(story, out)?,
                None => encode(story, &Folder::new(story.path.parent().unwrap_or(Path::new("")))?)?,
            });
        }
        let under = files.iter().filter(|file| file.under_left_off).count() as u64;
        if under > 0 {
            let stories = count(under, "story", "stories");
            remark(format_args!(
                "shootdown: the `under` lines of {stories} were left off: say --bug or --design to replay"
            ));
        }
        let finds = files.iter().filter(|file| file.finds_left_off).count() as u64;
        if finds > 0 {
            let stories = count(finds, "story", "stories");
            remark(format_args!("shootdown: the `finds` lines of {stories} were left off"));
        }
        let encoded = Encoded { files };
        self.answer.give(&encoded, |text| {
            encoded.files.iter().try_for_each(|file| writeln!(text, "{} -> {}", file.from, file.to))
        })
    }
}

fn encode(file: &StoryFile, out: &Folder) -> Done<EncodedFile> {
    let bytes = file.document.story.encode();
    let name = file.path.file_stem().unwrap_or_default().to_string_lossy();
    let (to, kept) = out.keep(&name, &bytes, "bytes")?;
    Ok(EncodedFile {
        from: file.path.display().to_string(),
        to: to.display().to_string(),
        bytes: bytes.len(),
        written: kept == Kept::Written,
        under_left_off: file.document.under != Under::default(),
        finds_left_off: file.document.finds.is_some(),
    })
}
