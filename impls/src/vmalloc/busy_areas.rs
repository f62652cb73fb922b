//! Which address space is taken, and by which area: the index behind `find_vmap_area`.
//!
//! Plain data under the lock of the vmap layer. It must never hold two areas that share a page.

use crate::rbtree::RbTree;
use std::num::NonZeroU64;

#[derive(Clone, Copy, Debug)]
struct Busy {
    /// Never 0, as no area is empty: so a node of the tree, which may have no value, takes 40 bytes and not 48. Beside a
    /// million areas that is time.
    end: NonZeroU64,
    area: u32,
}

impl Busy {
    const fn end(&self) -> u64 {
        self.end.get()
    }
}

/// The areas in use, ordered by their first page. An area is whatever number its owner gave it.
#[derive(Debug, Default)]
pub struct BusyAreas {
    areas: RbTree<u64, Busy>,
}

impl BusyAreas {
    /// No area.
    pub const fn new() -> Self {
        Self { areas: RbTree::new() }
    }

    /// Adds an area of `pages` pages from page `start`. Panics if it is empty or a page of it is busy: then the free
    /// space gave out a range twice.
    pub fn insert(&mut self, start: u64, pages: u64, area: u32) {
        let end = start.checked_add(pages).filter(|&end| end > start).and_then(NonZeroU64::new);
        let end = end.unwrap_or_else(|| panic!("vmalloc: area {area} of {pages} pages from {start:#x}"));
        // Of the areas that start before `end`, the last one ends last.
        if let Some(other) = self.areas.floor(end.get() - 1) {
            let (first, Busy { end: last, area: owner }) = (self.areas.key(other), *self.areas.value(other));
            assert!(
                last.get() <= start,
                "vmalloc: area {area} at {start:#x}..{end:#x} overlaps area {owner} at {first:#x}..{last:#x}",
            );
        }
        self.areas.insert(start, Busy { end, area }).expect("an area that overlaps none starts elsewhere");
    }

    /// The area that starts at this page.
    pub fn find(&self, start: u64) -> Option<u32> {
        self.areas.find(start).map(|node| self.areas.value(node).area)
    }

    /// The area that this page belongs to.
    pub fn containing(&self, page: u64) -> Option<u32> {
        let busy = self.areas.value(self.areas.floor(page)?);
        (page < busy.end()).then_some(busy.area)
    }

    /// Removes the area that starts at this page. Returns its number and how many pages it had.
    pub fn remove(&mut self, start: u64) -> Option<(u32, u64)> {
        let node = self.areas.find(start)?;
        let (first, busy) = self.areas.remove(node);
        Some((busy.area, busy.end() - first))
    }

    /// First page, end and number of each area, by growing address.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64, u32)> {
        self.areas.iter().map(|(start, busy)| (start, busy.end(), busy.area))
    }

    /// How many areas there are.
    pub const fn len(&self) -> usize {
        self.areas.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// Forgets every area and keeps the memory.
    pub fn clear(&mut self) {
        self.areas.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_areas() -> BusyAreas {
        let mut busy = BusyAreas::new();
        busy.insert(20, 4, 2);
        busy.insert(10, 2, 1);
        busy.insert(24, 1, 3);
        busy
    }

    #[test]
    fn an_area_is_found_by_its_start_alone_and_contains_its_pages_alone() {
        let busy = three_areas();
        let found: Vec<_> = (8..27).filter_map(|page| Some((page, busy.find(page)?))).collect();
        assert_eq!(found, [(10, 1), (20, 2), (24, 3)]);
        let contained: Vec<_> = (8..27).filter_map(|page| Some((page, busy.containing(page)?))).collect();
        assert_eq!(contained, [(10, 1), (11, 1), (20, 2), (21, 2), (22, 2), (23, 2), (24, 3)]);
    }

    #[test]
    fn a_removed_area_is_gone_and_its_pages_can_be_taken_again() {
        let mut busy = three_areas();
        assert_eq!(busy.remove(21), None);
        assert_eq!(busy.remove(20), Some((2, 4)));
        assert_eq!((busy.remove(20), busy.containing(22)), (None, None));
        busy.insert(12, 12, 4);
        assert_eq!(busy.iter().collect::<Vec<_>>(), [(10, 12, 1), (12, 24, 4), (24, 25, 3)]);
        busy.clear();
        assert_eq!((busy.len(), busy.containing(10)), (0, None));
    }

    #[test]
    fn an_overlap_on_any_side_is_noticed() {
        for (start, pages) in [(9, 2), (11, 3), (10, 2), (18, 8), (21, 1), (12, 9)] {
            let panic = std::panic::catch_unwind(|| three_areas().insert(start, pages, 9)).unwrap_err();
            let message = panic.downcast_ref::<String>().expect("a formatted message");
            assert!(message.contains("overlaps area"), "{message}");
        }
        three_areas().insert(12, 8, 9);
    }
}
