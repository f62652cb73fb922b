//! Words of user memory: the kernel takes them as a story goes on, and copies one into another when a private page is written.
//!
//! The kernel fills a private copy at most once, before any CPU writes there, and with what the object's page holds at one moment
//! of the operation that copies. So the copy may hold every token that was possible in the object's page at some moment of that
//! operation, and a write to the copy that went through leaves none of them.

use super::{Contents, Home, Kind, Word};
use crate::vocabulary::Token;

/// An operation in flight on a CPU that may copy one word into another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Copying {
    cpu: usize,
    from: Home,
    to: Home,
}

impl Contents {
    /// A word that no page had in this story. It holds nothing yet.
    pub(crate) fn take(&mut self) -> Home {
        let index = Home::FIXED + self.taken;
        if index == self.words.len() {
            self.words.push(Word::default());
        }
        self.taken += 1;
        Home(u16::try_from(index).expect("a story has few pages"))
    }

    /// A word as [`Self::take`] gives it, of a zeroed page.
    pub(crate) fn take_zeroed(&mut self) -> Home {
        let home = self.take();
        self.zero(home);
        home
    }

    /// Writes to user memory were void on this backend, and nothing says where others made them.
    pub(crate) fn skip_taken(&mut self) {
        for word in &mut self.words[Home::FIXED..Home::FIXED + self.taken] {
            (word.forced, word.skipped) = (false, true);
        }
    }

    /// From now on until [`Self::end_copies`] the operation on this CPU may copy one word into another.
    pub(crate) fn begin_copy(&mut self, cpu: usize, from: Home, to: Home) {
        let copying = Copying { cpu, from, to };
        if self.copies.contains(&copying) {
            return;
        }
        let word = &self.words[to.index()];
        let first = word.possible.0.is_empty() && !word.skipped;
        let forced = first && self.words[from.index()].forced;
        let tokens = std::mem::take(&mut self.words[from.index()].possible);
        tokens.0.iter().for_each(|token| self.show(to, *token));
        self.words[from.index()].possible = tokens;
        let word = &mut self.words[to.index()];
        (word.writers, word.forced) = (word.writers + 1, forced);
        self.copies.push(copying);
    }

    /// The operation on this CPU copies nothing any more.
    pub(crate) fn end_copies(&mut self, cpu: usize) {
        let words = &mut self.words;
        self.copies.retain(|copying| {
            let over = copying.cpu == cpu;
            words[copying.to.index()].writers -= u8::from(over);
            !over
        });
    }

    /// The word may hold this token from now on, so every copy of it that is being made may too.
    pub(super) fn copy_on(&mut self, from: Home, token: Token) {
        for n in 0..self.copies.len() {
            if self.copies[n].from == from {
                self.show(self.copies[n].to, token);
            }
        }
    }

    /// The word drops out of the comparison between backends, and so does every copy of it that is being made.
    pub(super) fn skip_copies(&mut self, from: Home) {
        for copying in self.copies.iter().filter(|copying| copying.from == from) {
            let word = &mut self.words[copying.to.index()];
            (word.forced, word.skipped) = (false, true);
        }
    }

    /// A copy may bring this token, and reads in flight may find it.
    fn show(&mut self, to: Home, token: Token) {
        let word = &mut self.words[to.index()];
        word.possible.insert(token);
        word.forced = false;
        for access in &mut self.accesses {
            if access.what == Some(Kind::Read) && access.homes.contains(&to) {
                access.met.insert(token);
                access.disturbed = true;
            }
        }
    }
}
