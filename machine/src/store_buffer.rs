//! The store buffer of one CPU: stores that have left the program and not yet reached memory, in the order in which they
//! were made. What becomes of them is the business of whoever takes them out.

use crate::memory::{Target, Word};
use crate::paging::Frame;
use std::cell::Cell;

/// Stores that a buffer holds before the oldest is pushed out.
const CAPACITY: usize = 8;

/// A store that has left the program and not yet reached memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BufferedStore {
    /// Where it goes.
    pub target: Target,
    /// What it stores.
    pub value: u64,
    /// For a word, the frame's incarnation when the store was made.
    pub incarnation: u32,
}

impl BufferedStore {
    const NONE: Self = Self { target: Target::Word(Word::new(Frame(0), 0)), value: 0, incarnation: 0 };
}

/// The stores of one CPU: a ring.
#[derive(Debug)]
pub struct StoreBuffer {
    stores: [Cell<BufferedStore>; CAPACITY],
    /// Where the oldest is.
    first: Cell<usize>,
    len: Cell<usize>,
}

impl StoreBuffer {
    pub(crate) const fn new() -> Self {
        Self {
            stores: [const { Cell::new(BufferedStore::NONE) }; CAPACITY],
            first: Cell::new(0),
            len: Cell::new(0),
        }
    }

    /// How many stores it holds.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Whether it holds none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len.get() == 0
    }

    /// The stores, the oldest first.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = BufferedStore> + ExactSizeIterator {
        (0..self.len.get()).map(|age| self.place(age).get())
    }

    #[inline]
    fn place(&self, age: usize) -> &Cell<BufferedStore> {
        &self.stores[(self.first.get() + age) % CAPACITY]
    }

    /// A store enters. If there is no room for it, the oldest leaves.
    #[inline]
    #[must_use = "the oldest store reaches memory when it leaves"]
    pub(crate) fn push(&self, store: BufferedStore) -> Option<BufferedStore> {
        let len = self.len.get();
        if len < CAPACITY {
            self.place(len).set(store);
            self.len.set(len + 1);
            return None;
        }
        let oldest = self.place(0).replace(store);
        self.first.set((self.first.get() + 1) % CAPACITY);
        Some(oldest)
    }

    /// The oldest store leaves.
    #[inline]
    pub(crate) fn pop(&self) -> Option<BufferedStore> {
        let rest = self.len.get().checked_sub(1)?;
        let oldest = self.place(0).get();
        self.first.set((self.first.get() + 1) % CAPACITY);
        self.len.set(rest);
        Some(oldest)
    }

    pub(crate) fn clear(&self) {
        self.len.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(value: u64) -> BufferedStore {
        BufferedStore { value, ..BufferedStore::NONE }
    }

    fn held(buffer: &StoreBuffer) -> Vec<u64> {
        buffer.iter().map(|store| store.value).collect()
    }

    #[test]
    fn stores_leave_in_the_order_in_which_they_came_and_the_oldest_makes_room() {
        let buffer = StoreBuffer::new();
        for value in 0..CAPACITY as u64 {
            assert_eq!(buffer.push(store(value)), None);
        }
        assert_eq!(buffer.push(store(8)), Some(store(0)));
        assert_eq!(held(&buffer), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((buffer.pop(), buffer.pop()), (Some(store(1)), Some(store(2))));
        assert_eq!(buffer.push(store(9)), None);
        assert_eq!((held(&buffer), buffer.len()), (vec![3, 4, 5, 6, 7, 8, 9], 7));
        buffer.clear();
        assert!(buffer.is_empty() && buffer.pop().is_none());
        assert_eq!(buffer.push(store(10)), None);
        assert_eq!(held(&buffer), [10]);
    }
}
