//! Ctrl-C: the first one asks what runs to come to its end, the second one ends the program.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::complaint::{Complaint, Done};

static ASKED: AtomicBool = AtomicBool::new(false);

/// What a shell says of a program that was ended by Ctrl-C.
const ENDED: i32 = 130;

/// From now on Ctrl-C, and being asked to terminate, only sets what [`asked`] tells.
pub(crate) fn catch() -> Done<()> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            process::exit(ENDED);
        }
    })
    .map_err(|error| Complaint::new(format!("Ctrl-C cannot be caught: {error}")))
}

/// Whether the user asked for the end.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
