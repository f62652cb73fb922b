//! A set of slots of a block, by their numbers (`DECLARE_BITMAP(.., VMAP_BBMAP_BITS)`). Plain data: a CPU that changes
//! it holds the block's lock.

use std::ops::Range;

const BITS: u32 = u64::BITS;

/// Some of the slots of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct SlotMap {
    words: [u64; (Self::MOST / BITS) as usize],
    len: u32,
}

impl SlotMap {
    /// The most slots that a block may have.
    pub(super) const MOST: u32 = 1024;

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// These slots are in it now.
    pub(super) fn insert(&mut self, slots: Range<u32>) {
        self.change(slots, |word, mask| word | mask);
    }

    /// These slots are not in it any more.
    pub(super) fn remove(&mut self, slots: Range<u32>) {
        self.change(slots, |word, mask| word & !mask);
    }

    fn change(&mut self, mut slots: Range<u32>, with: impl Fn(u64, u64) -> u64) {
        while slots.start < slots.end {
            let (at, first) = ((slots.start / BITS) as usize, slots.start % BITS);
            let len = (BITS - first).min(slots.end - slots.start);
            let word = &mut self.words[at];
            let before = word.count_ones();
            *word = with(*word, u64::MAX >> (BITS - len) << first);
            self.len = self.len + word.count_ones() - before;
            slots.start += len;
        }
    }

    /// The run from the first to the last of them, if there is any.
    pub(super) fn hull(&self) -> Option<Range<u32>> {
        let low = self.words.iter().position(|word| *word != 0)?;
        let high = self.words.iter().rposition(|word| *word != 0)?;
        let start = low as u32 * BITS + self.words[low].trailing_zeros();
        Some(start..(high as u32 + 1) * BITS - self.words[high].leading_zeros())
    }

    /// All of them, the lowest first.
    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        let all = self.hull().unwrap_or_default();
        all.filter(move |slot| self.words[(slot / BITS) as usize] >> (slot % BITS) & 1 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::SlotMap;

    #[test]
    fn runs_come_and_go_across_words_and_the_rest_stays() {
        let mut map = SlotMap::default();
        assert!(map.is_empty() && map.hull().is_none() && map.iter().next().is_none());
        map.insert(60..132);
        map.insert(1020..SlotMap::MOST);
        map.insert(61..62);
        map.remove(64..130);
        let expected: Vec<_> = (60..64).chain(130..132).chain(1020..1024).collect();
        assert_eq!((map.iter().collect::<Vec<_>>(), map.hull()), (expected, Some(60..1024)));
        map.remove(0..SlotMap::MOST);
        assert_eq!((map.is_empty(), map), (true, SlotMap::default()));
        map.insert(0..SlotMap::MOST);
        assert_eq!((map.iter().count(), map.hull()), (1024, Some(0..1024)));
    }
}
