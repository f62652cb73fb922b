//! What was stored in tables of the lowest level, for checks that ask what was mapped at any moment of a call.

use crate::bus::Bus;
use crate::memory::{Role, Word};
use crate::paging::Entry;
use std::cell::Ref;

/// An entry that was stored in a table of the lowest level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredLeaf {
    /// Where.
    pub word: Word,
    /// What.
    pub entry: Entry,
    /// Which use of the frame that it leads to it was.
    pub incarnation: u32,
}

impl Bus {
    /// From now on, until the next reset or [`Bus::stop_watching_leaves`], the machine remembers every entry that is stored in a
    /// table of the lowest level. It forgets those from before.
    pub fn watch_leaves(&self) {
        self.leaves_stored.borrow_mut().clear();
        self.watches_leaves.set(true);
    }

    /// The machine remembers no more of them.
    pub fn stop_watching_leaves(&self) {
        self.watches_leaves.set(false);
        self.leaves_stored.borrow_mut().clear();
    }

    /// The entries that were stored in tables of the lowest level since [`Bus::watch_leaves`], in that order.
    pub fn leaves_stored(&self) -> Ref<'_, [StoredLeaf]> {
        Ref::map(self.leaves_stored.borrow(), Vec::as_slice)
    }

    #[cold]
    pub(crate) fn note_leaf(&self, word: Word, entry: Entry) {
        if self.memory.role(word.frame) == Role::Table(1) && entry.present() {
            let incarnation = self.incarnation(entry.frame());
            self.leaves_stored.borrow_mut().push(StoredLeaf { word, entry, incarnation });
        }
    }
}
