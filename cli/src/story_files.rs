//! Story files: which ones a path stands for, and what they hold. Nothing here writes.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use harness::story::{Document, ReadError};

use crate::complaint::{Complaint, Done};

/// More than this is never read of a file: the story in it is refused long before.
const MOST: u64 = 4 << 20;

/// A story and where it was read.
#[derive(Debug)]
pub(crate) struct StoryFile {
    /// Where.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) document: Document,
    /// Whether it is text; otherwise it is bytes.
    pub(crate) is_text: bool,
}

/// Reads one file.
pub(crate) fn read(path: &Path) -> Done<StoryFile> {
    let metadata = look_up(path, "a story file")?;
    if metadata.is_dir() {
        return Err(Complaint::at(path, "expected a story file, found a folder"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST).read_to_end(&mut bytes))
        .map_err(|error| Complaint::at(path, error))?;
    let document = Document::read(&bytes).map_err(|error| match error {
        // Of a large file only the beginning was read.
        ReadError::TooLarge { size, cap } => {
            let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX).max(size);
            Complaint::unreadable(path, &bytes, &ReadError::TooLarge { size, cap })
        }
        error => Complaint::unreadable(path, &bytes, &error),
    })?;
    Ok(StoryFile { path: path.to_owned(), document, is_text: bytes.starts_with(b"story ") })
}

/// Reads every file that these paths stand for: a file for itself, a folder for the stories in it and below it, in
/// the order of their names. Each folder must hold one.
pub(crate) fn read_all(paths: &[PathBuf]) -> Done<Vec<StoryFile>> {
    let mut files = Vec::new();
    for path in paths {
        let metadata = look_up(path, "a story file or a folder of them")?;
        if metadata.is_dir() {
            let before = files.len();
            find(path, &mut files)?;
            if files.len() == before {
                return Err(Complaint::at(path, "expected stories in this folder, found none"));
            }
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|path| read(path)).collect()
}

fn look_up(path: &Path, expected: &str) -> Done<fs::Metadata> {
    fs::metadata(path).map_err(|error| Complaint::at(path, format!("expected {expected}: {error}")))
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
        } else if fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
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
