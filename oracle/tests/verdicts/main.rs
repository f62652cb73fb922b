//! Each verdict of the reference, firing and not firing: a file for each subject, and [`told`] for the words that they share.
#![cfg(feature = "reference")]

mod answers;
mod buffers;
mod callers;
mod compared;
mod contents;
mod memory;
mod moves;
mod owned;
mod pins;
mod ranges;
mod tables;
mod told;
mod user;
mod words;
