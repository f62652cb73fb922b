//! Writing files: whole or not at all, and never over a different one.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::complaint::{Complaint, Done};
use crate::input::{self, Kind};

/// Files on their way are hidden, so that no command takes them for stories.
const PREFIX: &str = ".shootdown-";

/// What became of a file that was to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// It is new.
    Written,
    /// One with this very content was there.
    WasThere,
}

/// Writes a file. Where one with another content is in the way, it stays as it is, and that is the complaint.
pub(crate) fn keep(path: &Path, content: &[u8]) -> Done<Kept> {
    let folder = folder_of(path);
    let complain = |error: io::Error| Complaint::at(path, format!("cannot be written: {error}"));
    let mut file = temporary(folder).map_err(complain)?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(complain)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(Kept::Written),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
            match there(path, content.len())? {
                Some(there) if there == content => Ok(Kept::WasThere),
                Some(_) => Err(another_content(path)),
                None => Err(complain(failed.error)),
            }
        }
        Err(failed) => Err(complain(failed.error)),
    }
}

/// Writes a file over the one that is there, which the caller has named for that. Its permissions stay as they are.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Done<()> {
    let complain = |error: io::Error| Complaint::at(path, format!("cannot be written: {error}"));
    let permissions = fs::metadata(path).map_err(complain)?.permissions();
    let mut file = temporary(folder_of(path)).map_err(complain)?;
    file.write_all(content)
        .and_then(|()| file.as_file().set_permissions(permissions))
        .and_then(|()| file.as_file().sync_all())
        .map_err(complain)?;
    file.persist(path).map(drop).map_err(|failed| complain(failed.error))
}

/// Complains if no file can be written here: what is there, if anything, must be one that may be there. Of a file with
/// more than `most` bytes no more is looked at.
pub(crate) fn must_be_free(path: &Path, most: usize, may_be_there: impl FnOnce(&[u8]) -> bool) -> Done<()> {
    if there(path, most)?.is_some_and(|there| !may_be_there(&there)) {
        return Err(another_content(path));
    }
    must_be_writable(path)
}

/// Complains if no file can be written beside this one.
pub(crate) fn must_be_writable(path: &Path) -> Done<()> {
    let folder = folder_of(path);
    let complain = |error| Complaint::at(path, format!("cannot be written: {error}"));
    temporary(folder).map(drop).map_err(complain)
}

/// The file that is here, up to one byte more than `most`; a complaint if it is none, and nothing if the place is free.
fn there(path: &Path, most: usize) -> Done<Option<Vec<u8>>> {
    const EXPECTED: &str = "a file, or a name that is free";
    let found = |found| Complaint::at(path, format!("expected {EXPECTED}, found {found}"));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.as_os_str().as_encoded_bytes();
            if name.is_empty() || name.ends_with(b"/") {
                return Err(Complaint::at(path, "expected the name of a file to write to"));
            }
            Ok(None)
        }
        Err(error) => Err(Complaint::at(path, format!("cannot be written: {error}"))),
        Ok(link) if link.is_symlink() && !path.exists() => Err(found("a link that leads nowhere")),
        Ok(_) => match input::look_up(path, EXPECTED)? {
            Kind::File => Ok(Some(input::read(path, EXPECTED, most)?.content)),
            other => Err(found(other.name())),
        },
    }
}

fn another_content(path: &Path) -> Complaint {
    Complaint::at(path, "is there already with another content, and is not overwritten")
}

/// A folder for output. Until the first file it need not be there; that it can be there is known from the start.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A folder that can be written to; a complaint if it cannot.
    pub(crate) fn new(path: &Path) -> Done<Self> {
        let complain =
            |error| Complaint::at(path, format!("expected a folder that can be written to: {error}"));
        // What is made to find out has a name of its own, so that runs beside this one are not disturbed, and nothing is
        // left of a run that finds nothing.
        let there = path.ancestors().find(|folder| is_there(folder)).unwrap_or(path);
        let here = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        let tried = if there == path {
            temporary(here).map(drop)
        } else {
            tempfile::Builder::new().prefix(PREFIX).tempdir_in(here).map(drop)
        };
        tried.map_err(complain)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Writes a file into it whose name tells its content: the name, a digest of the content, an extension.
    pub(crate) fn keep(&self, name: &str, content: &[u8], extension: &str) -> Done<(PathBuf, Kept)> {
        // Where the path is empty, that is the folder that we are in.
        fs::create_dir_all(&self.path).map_err(|error| Complaint::at(&self.path, error))?;
        let path = self.path.join(format!("{name}-{:08x}.{extension}", digest(content)));
        let kept = keep(&path, content)?;
        Ok((path, kept))
    }
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn is_there(folder: &Path) -> bool {
    folder.as_os_str().is_empty() || fs::symlink_metadata(folder).is_ok()
}

/// A hidden file in this folder, as public as any other file.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(permissions);
    builder.tempfile_in(folder)
}

/// FNV-1a, folded to 32 bits: the same everywhere and for ever, for it is part of the names of files.
fn digest(content: &[u8]) -> u32 {
    let hash = content.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash ^ hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Folder, Kept, digest, keep, must_be_free};

    #[test]
    fn a_different_file_is_never_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.story");
        assert_eq!(keep(&path, b"one").expect("nothing is in the way"), Kept::Written);
        assert_eq!(keep(&path, b"one").expect("the same"), Kept::WasThere);
        let complaint = keep(&path, b"two").expect_err("another content").to_string();
        assert!(complaint.contains("a.story: is there already"), "{complaint}");
        assert_eq!(fs::read(&path).expect("it is there"), b"one");
    }

    #[test]
    fn what_is_in_the_way_is_read_no_further_than_it_could_be_the_same() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.story");
        let file = fs::File::create(&path).expect("a file");
        file.set_len(1 << 40).expect("a file without blocks");
        let complaint = keep(&path, b"one").expect_err("another content").to_string();
        assert!(complaint.contains("a.story: is there already"), "{complaint}");
        let looked_at = |there: &[u8]| {
            assert_eq!(there.len(), 101);
            false
        };
        must_be_free(&path, 100, looked_at).expect_err("another content");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_no_file_that_was_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.story");
        std::os::unix::fs::symlink("nowhere", &path).expect("a link");
        let complaint = keep(&path, b"one").expect_err("nothing was written").to_string();
        assert!(complaint.contains("found a link that leads nowhere"), "{complaint}");
        fs::write(folder.path().join("nowhere"), "one").expect("a file");
        assert_eq!(keep(&path, b"one").expect("the same"), Kept::WasThere);
    }

    #[test]
    fn nothing_half_written_is_left() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.story");
        keep(&path, b"one").expect("nothing is in the way");
        keep(&path, b"two").expect_err("another content");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_folder_is_made_only_for_a_file() {
        let outside = tempfile::tempdir().expect("a temporary folder");
        let path = outside.path().join("deep/findings");
        let folder = Folder::new(&path).expect("it can be made");
        assert!(!outside.path().join("deep").exists());
        let (file, _) = folder.keep("rule-4", b"one", "story").expect("it is made");
        assert_eq!(fs::read(file).expect("it is there"), b"one");
    }

    #[test]
    fn runs_beside_one_another_may_share_a_folder_that_is_not_there_yet() {
        let outside = tempfile::tempdir().expect("a temporary folder");
        let path = outside.path().join("findings");
        std::thread::scope(|scope| {
            for run in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..20 {
                        let folder = Folder::new(path).expect("it can be made");
                        if number == run {
                            folder.keep("rule-4", &[run], "story").expect("it is made");
                        }
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&path).expect("a folder").count(), 8);
    }

    #[test]
    fn digests_stay_what_they_are() {
        assert_eq!((digest(b""), digest(b"story 1")), (0x4fd0_bfc1, 0x2c40_a3c2));
    }
}
