//! The store buffer of one CPU: stores that have left the program and not yet reached memory, in the order in which the
//! program made them. The caller that takes a store out must perform it.

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
        (0..self.len.get()).map(|age| self.stores[self.index(age)].get())
    }

    /// The value of the newest store to here. Every load looks through the buffer, so this compares no more than it must.
    #[inline]
    pub(crate) fn newest(&self, target: Target) -> Option<u64> {
        match target {
            Target::Var(var) => self.newest_that(|to| matches!(to, Target::Var(to) if to.index == var.index)),
            Target::Word(word) => self.newest_that(|to| matches!(to, Target::Word(to) if to == word)),
        }
    }

    #[inline]
    fn newest_that(&self, is_it: impl Fn(Target) -> bool) -> Option<u64> {
        let mut newest_first = (0..self.len.get()).rev().map(|age| &self.stores[self.index(age)]);
        newest_first.find(|store| is_it(store.get().target)).map(|store| store.get().value)
    }

    #[inline]
    fn index(&self, age: usize) -> usize {
        (self.first.get() + age) % CAPACITY
    }

    /// A store enters. If the buffer is full, the oldest store leaves.
    #[inline]
    #[must_use = "the oldest store reaches memory when it leaves"]
    pub(crate) fn push(&self, store: BufferedStore) -> Option<BufferedStore> {
        let len = self.len.get();
        if len < CAPACITY {
            self.stores[self.index(len)].set(store);
            self.len.set(len + 1);
            return None;
        }
        let first = self.index(0);
        self.first.set((first + 1) % CAPACITY);
        Some(self.stores[first].replace(store))
    }

    /// The oldest store leaves.
    #[inline]
    pub(crate) fn pop(&self) -> Option<BufferedStore> {
        let rest = self.len.get().checked_sub(1)?;
        let oldest = self.stores[self.index(0)].get();
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
    use crate::memory::Var;
    use crate::point::Family;

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

    #[test]
    fn a_load_sees_the_newest_store_to_its_own_place() {
        let buffer = StoreBuffer::new();
        let word = |frame, index| Target::Word(Word::new(Frame(frame), index));
        let var = |index| Target::Var(Var { index, family: Family::DATA });
        let places = [word(1, 0), word(0, 1), var(0), var(512), word(1, 511), var(1)];
        for (value, target) in places.into_iter().enumerate() {
            assert_eq!(buffer.newest(target), None);
            assert_eq!(buffer.push(BufferedStore { target, value: value as u64, incarnation: 0 }), None);
        }
        for (value, target) in places.into_iter().enumerate() {
            assert_eq!(buffer.newest(target), Some(value as u64));
        }
        for value in 6..12 {
            let left = buffer.push(BufferedStore { target: var(0), value, incarnation: 0 });
            assert_eq!(left.is_some(), value >= CAPACITY as u64);
        }
        assert_eq!((buffer.newest(var(0)), buffer.newest(word(1, 511))), (Some(11), Some(4)));
        assert_eq!(buffer.newest(word(1, 0)), None, "it has left");
        buffer.clear();
        assert_eq!(buffer.newest(var(0)), None);
    }
}
