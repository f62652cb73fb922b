//! Reading files: never beyond a cap, and nothing that has no end of its own, as devices and pipes without a writer.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::complaint::{Complaint, Done};

/// What was read of a file.
#[derive(Debug)]
pub(crate) struct Input {
    /// Its content: all of it, or one byte more than the cap.
    pub(crate) content: Vec<u8>,
    /// Whether it is a file in a folder. A pipe has no place beside which anything could be written.
    pub(crate) is_file: bool,
}

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A pipe, with or without a name.
    Pipe,
    /// The terminal that our standard input comes from. The person who types there ends it.
    Terminal,
    /// What is never read nor written over, by its name.
    Other(&'static str),
}

impl Kind {
    /// With its article, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Pipe => "a pipe",
            Self::Terminal => "a terminal",
            Self::Other(name) => name,
        }
    }
}

/// What is at this path; a complaint if nothing is.
pub(crate) fn look_up(path: &Path, expected: &str) -> Done<Kind> {
    let metadata = fs::metadata(path)
        .map_err(|error| Complaint::at(path, format_args!("expected {expected}: {error}")))?;
    Ok(os::kind(&metadata))
}

/// Reads what has an end: a file, a pipe that is written to, the terminal that we were given. Of what has more than
/// `most` bytes one more is read, which tells.
pub(crate) fn read(path: &Path, expected: &str, most: usize) -> Done<Input> {
    let refuse = |kind: Kind| Complaint::at(path, format_args!("expected {expected}, found {}", kind.name()));
    let complain = |error: io::Error| Complaint::at(path, error);
    let readable = |kind| match kind {
        Kind::Folder | Kind::Other(_) => Err(refuse(kind)),
        kind => Ok(kind),
    };
    // To open a device may do something, so it is looked at before; what was opened may be something else by then.
    readable(look_up(path, expected)?)?;
    let file = os::open(path).map_err(complain)?;
    let kind = readable(os::kind(&file.metadata().map_err(complain)?))?;
    let content = match kind {
        Kind::File => beginning(&file, most + 1),
        _ => os::drain(&file, most + 1),
    };
    Ok(Input { content: content.map_err(complain)?, is_file: kind == Kind::File })
}

/// Reads a text; a complaint if it is none or is longer than the cap.
pub(crate) fn read_text(path: &Path, expected: &str, most: usize) -> Done<String> {
    let content = read(path, expected, most)?.content;
    if content.len() > most {
        return Err(Complaint::at(
            path,
            format_args!("expected {expected} of at most {most} bytes, found more"),
        ));
    }
    String::from_utf8(content)
        .map_err(|error| Complaint::at(path, format_args!("expected text in UTF-8: {}", error.utf8_error())))
}

fn beginning(file: &File, most: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(most as u64).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(unix)]
mod os {
    use std::fs::{File, Metadata};
    use std::io::{self, ErrorKind, IsTerminal, Read};
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use std::path::Path;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    use super::Kind;

    /// So long a pipe may be without a writer: a shell does not start both sides at once.
    const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

    pub(super) fn kind(metadata: &Metadata) -> Kind {
        let file_type = metadata.file_type();
        if file_type.is_dir() {
            Kind::Folder
        } else if file_type.is_fifo() {
            Kind::Pipe
        } else if file_type.is_char_device() {
            if is_our_terminal(metadata) { Kind::Terminal } else { Kind::Other("a character device") }
        } else if file_type.is_block_device() {
            Kind::Other("a block device")
        } else if file_type.is_socket() {
            Kind::Other("a socket")
        } else {
            Kind::File
        }
    }

    fn is_our_terminal(metadata: &Metadata) -> bool {
        let stdin = io::stdin();
        let ours = || File::from(stdin.as_fd().try_clone_to_owned()?).metadata();
        stdin.is_terminal() && ours().is_ok_and(|ours| ours.rdev() == metadata.rdev())
    }

    /// To open a pipe would block until there is a writer, which may be never.
    pub(super) fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
    }

    /// What comes until the last writer is gone, however long a writer takes; at most this many bytes.
    pub(super) fn drain(mut file: &File, most: usize) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut chunk = [0; 1 << 14];
        while content.len() < most {
            let something = wait(file)?;
            match file.read(&mut chunk) {
                Ok(0) if something => break,
                Ok(0) => {
                    let said = format!("nothing was written to this pipe in {} s", PATIENCE.tv_sec);
                    return Err(io::Error::other(said));
                }
                Ok(length) => content.extend_from_slice(&chunk[..length]),
                // A writer has it open and has written nothing yet.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        content.truncate(most);
        Ok(content)
    }

    /// Whether something can be read or the last writer went away, while our patience lasted.
    fn wait(file: &File) -> io::Result<bool> {
        loop {
            match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&PATIENCE)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Without the pipes and devices of Unix there are files and folders.
#[cfg(not(unix))]
mod os {
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;

    use super::Kind;

    pub(super) fn kind(metadata: &Metadata) -> Kind {
        if metadata.is_dir() { Kind::Folder } else { Kind::File }
    }

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn drain(file: &File, most: usize) -> io::Result<Vec<u8>> {
        super::beginning(file, most)
    }
}
