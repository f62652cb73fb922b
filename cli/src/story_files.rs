//! Story files: which ones a path stands for, and what they hold. Nothing here writes.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use harness::story::{Document, Form, MAX_TEXT};

use crate::complaint::{Complaint, Done};
use crate::input::{self, Kind, look_up};

/// How the files are read that a command is given.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Reading {
    /// Read every file as bytes, even where it looks like text
    ///
    /// Without it, a file whose first byte is 1 is bytes. Any other is text if `story` stands near its beginning, in any
    /// case, or if nine of ten of its bytes are printable; the rest is bytes. Text that is no story is refused.
    #[arg(long)]
    pub(crate) bytes: bool,
}

/// A story and where it was read.
#[derive(Debug)]
pub(crate) struct StoryFile {
    /// Where.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) document: Document,
    /// The form that it was read in.
    pub(crate) form: Form,
    /// Whether it lies in a folder, and is not what a pipe gave.
    pub(crate) is_file: bool,
}

impl Reading {
    /// Reads one file.
    pub(crate) fn read(self, path: &Path) -> Done<StoryFile> {
        let input = input::read(path, "a story file", MAX_TEXT)?;
        let form = if self.bytes { Form::Bytes } else { Form::of(&input.content) };
        let document = Document::read_as(form, &input.content)
            .map_err(|error| Complaint::unreadable(path, &input.content, &error))?;
        Ok(StoryFile { path: path.to_owned(), document, form, is_file: input.is_file })
    }

    /// Reads every file that these paths stand for: a file for itself, a folder for the stories in it and below it, in
    /// the order of their names. Each folder must hold one.
    pub(crate) fn read_all(self, paths: &[PathBuf]) -> Done<Vec<StoryFile>> {
        let mut files = Vec::new();
        for path in paths {
            if look_up(path, "a story file or a folder of them")? == Kind::Folder {
                let before = files.len();
                find(path, &mut files)?;
                if files.len() == before {
                    return Err(Complaint::at(path, "expected stories in this folder, found none"));
                }
            } else {
                files.push(path.clone());
            }
        }
        files.iter().map(|path| self.read(path)).collect()
    }
}

/// Folders behind symbolic links are not entered: they may lead back.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Done<()> {
    let complain = |error| Complaint::at(folder, error);
    let mut entries =
        fs::read_dir(folder).map_err(complain)?.collect::<Result<Vec<_>, _>>().map_err(complain)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if is_no_story(&path) {
            continue;
        }
        if entry.file_type().map_err(|error| Complaint::at(&path, error))?.is_dir() {
            find(&path, files)?;
        } else if look_up(&path, "a story file")? == Kind::File {
            files.push(path);
        }
    }
    Ok(())
}

/// Any bytes are a story, so in a folder a name has to tell what is none: hidden files, and the README that people
/// and AFL++ put beside their stories.
fn is_no_story(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.starts_with("README")
}
