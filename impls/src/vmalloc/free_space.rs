//! Address space that is not in use: the holes between the areas of the vmap layer.
//!
//! Holes are ordered by address, and each node knows the largest hole below it, as `free_vmap_area_root` does with
//! `subtree_max_size`: so first fit takes O(log n). Plain data under the lock of the vmap layer. It must never hold two
//! holes that touch or overlap, and never knows why a range is free: before the layer above gives a range back, it
//! must rule out that a CPU may still have a translation to it.
//!
//! The unit is the page: page numbers and counts of pages, never bytes.

use std::collections::VecDeque;
use std::ops::Range;

use crate::rbtree::{Augment, Broken, NodeId, RbTree, Shape};

#[cfg(test)]
mod tests;

/// How many freed ranges [`Reuse::LastFreed`] remembers.
const REMEMBERED: usize = 16;

/// Which of the ranges that fit is given out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Reuse {
    /// The lowest address, as the kernel does.
    #[default]
    FirstFit,
    /// The range freed last, if all of it is free now and it is large enough, else the one freed before it, and so
    /// on through the last few; the lowest address when none of them fits. Legal, and the shortest way from an unmapping to the
    /// reuse of its addresses.
    LastFreed,
}

/// The size of the largest hole of a subtree.
#[derive(Debug)]
struct LargestHole;

impl Augment<u64, u64> for LargestHole {
    type Summary = u64;

    fn summarize(start: u64, end: &u64, left: Option<u64>, right: Option<u64>) -> u64 {
        (end - start).max(left.unwrap_or(0)).max(right.unwrap_or(0))
    }
}

/// The free part of an address space.
#[derive(Debug)]
pub struct FreeSpace {
    /// From the first page of a hole to its end.
    holes: RbTree<u64, u64, LargestHole>,
    bounds: Range<u64>,
    total: u64,
    /// Ranges as they were freed, the last one at the back. They may have been given out since: what is remembered is
    /// held against the holes before it is used.
    freed: VecDeque<Range<u64>>,
}

impl FreeSpace {
    /// An address space of the pages from `start` up to `end`, all free. Panics if that is none.
    pub fn new(start: u64, end: u64) -> Self {
        assert!(start < end, "vmalloc: an address space from page {start:#x} to {end:#x}");
        let freed = VecDeque::with_capacity(REMEMBERED);
        let mut space = Self { holes: RbTree::new(), bounds: start..end, total: 0, freed };
        space.reset();
        space
    }

    /// Makes everything free and forgets what was freed; keeps the memory.
    pub fn reset(&mut self) {
        self.holes.clear();
        self.freed.clear();
        self.add_hole(self.bounds.clone());
        self.total = self.bounds.end - self.bounds.start;
    }

    /// Takes `pages` pages whose first page is a multiple of `align_pages`, and returns the first. `None` if no hole
    /// has room for them. Panics if `pages` is zero or `align_pages` is no power of two.
    pub fn alloc(&mut self, pages: u64, align_pages: u64, policy: Reuse) -> Option<u64> {
        assert!(pages > 0, "vmalloc: an allocation of no pages");
        assert!(align_pages.is_power_of_two(), "vmalloc: an alignment to {align_pages} pages");
        let last_freed = match policy {
            Reuse::FirstFit => None,
            Reuse::LastFreed => self.last_freed_fit(pages, align_pages),
        };
        let (hole, start) = last_freed.or_else(|| self.first_fit(pages, align_pages))?;
        self.carve(hole, start..start + pages);
        self.total -= pages;
        Some(start)
    }

    /// Takes what lies of a run of pages within the space, if it is free to the last page, and returns whether it did.
    pub fn take_within(&mut self, start: u64, pages: u64) -> bool {
        let taken = self.within(start, pages);
        let hole = self.holes.floor(taken.start).filter(|&hole| taken.end <= *self.holes.value(hole));
        let Some(hole) = hole.filter(|_| !taken.is_empty()) else { return false };
        self.total -= taken.end - taken.start;
        self.carve(hole, taken);
        true
    }

    /// Gives back what lies of a run of pages within the space. Panics as [`Self::free`].
    pub fn free_within(&mut self, start: u64, pages: u64) {
        let freed = self.within(start, pages);
        self.free(freed.start, freed.end - freed.start);
    }

    fn within(&self, start: u64, pages: u64) -> Range<u64> {
        start.max(self.bounds.start)..(start + pages).min(self.bounds.end)
    }

    /// Gives a range back, and joins it with the holes beside it. Panics if it is empty, lies outside or is free
    /// already, even in part: a range is freed by the one who took it, once.
    pub fn free(&mut self, start: u64, pages: u64) {
        let end = start
            .checked_add(pages)
            .filter(|&end| start < end && self.bounds.start <= start && end <= self.bounds.end);
        let Some(end) = end else {
            let Range { start: low, end: high } = self.bounds;
            panic!("vmalloc: {pages} pages freed at {start:#x}, which are not within {low:#x}..{high:#x}");
        };
        let before = self.holes.floor(start);
        let after = match before {
            Some(hole) => self.holes.next(hole),
            None => self.holes.first(),
        };
        for hole in before.into_iter().chain(after).map(|node| self.hole(node)) {
            assert!(
                hole.end <= start || end <= hole.start,
                "vmalloc: {start:#x}..{end:#x} is freed, but {:#x}..{:#x} is free already",
                hole.start,
                hole.end,
            );
        }
        let before = before.filter(|&node| self.hole(node).end == start);
        let after = after.filter(|&node| self.hole(node).start == end);
        match (before, after) {
            (Some(before), Some(after)) => {
                let (_, end) = self.holes.remove(after);
                self.reshape(before, self.holes.key(before)..end);
            }
            (Some(before), None) => self.reshape(before, self.holes.key(before)..end),
            (None, Some(after)) => self.reshape(after, start..self.hole(after).end),
            (None, None) => self.add_hole(start..end),
        }
        self.total += pages;
        if self.freed.len() == REMEMBERED {
            self.freed.pop_front();
        }
        self.freed.push_back(start..end);
    }

    /// The size of the largest hole, in pages.
    pub fn largest(&self) -> u64 {
        self.holes.root().map_or(0, |root| self.holes.summary(root))
    }

    /// How many pages are free.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Whether everything is free: what a teardown must leave.
    pub const fn is_whole(&self) -> bool {
        self.total == self.bounds.end - self.bounds.start
    }

    /// The holes by growing address.
    pub fn holes(&self) -> impl Iterator<Item = Range<u64>> {
        self.holes.iter().map(|(start, end)| start..*end)
    }

    /// Checks the rules of the tree beneath, for tests.
    pub fn check(&self) -> Result<Shape, Broken<u64>> {
        self.holes.check()
    }

    fn hole(&self, node: NodeId) -> Range<u64> {
        self.holes.key(node)..*self.holes.value(node)
    }

    fn add_hole(&mut self, hole: Range<u64>) {
        self.holes.insert(hole.start, hole.end).expect("holes do not overlap");
    }

    /// Moves the edges of a hole. It keeps its place between its neighbours, so the tree keeps its form.
    fn reshape(&mut self, node: NodeId, hole: Range<u64>) {
        self.holes.replace(node, hole.start, hole.end);
    }

    /// Takes a range out of the hole that holds it.
    fn carve(&mut self, node: NodeId, taken: Range<u64>) {
        let hole = self.hole(node);
        match (hole.start == taken.start, hole.end == taken.end) {
            (true, true) => {
                self.holes.remove(node);
            }
            (true, false) => self.reshape(node, taken.end..hole.end),
            (false, true) => self.reshape(node, hole.start..taken.start),
            (false, false) => {
                self.reshape(node, hole.start..taken.start);
                self.add_hole(taken.end..hole.end);
            }
        }
    }

    /// The lowest place, and its hole.
    ///
    /// A walk in address order that skips each subtree whose largest hole is too small. Without alignment, a subtree
    /// that is entered holds a place, so it is one way down. With alignment, a hole that is large enough may still
    /// have no place, and then a whole subtree may have none: then the walk goes on to the right of it, as it
    /// must, for the place is not necessarily where the first large hole was. It never looks at a node twice.
    fn first_fit(&self, pages: u64, align: u64) -> Option<(NodeId, u64)> {
        let holes = &self.holes;
        let promising = |node: &NodeId| holes.summary(*node) >= pages;
        let mut node = holes.root().filter(promising)?;
        loop {
            while let Some(left) = holes.left(node).filter(promising) {
                node = left;
            }
            // Everything below `node` on its left is done with.
            loop {
                if let Some(start) = place_in(&self.hole(node), pages, align) {
                    return Some((node, start));
                }
                if let Some(right) = holes.right(node).filter(promising) {
                    node = right;
                    break;
                }
                node = self.first_above_on_the_right(node)?;
            }
        }
    }

    /// The nearest node above that has this one on its left: the next in order that is not below.
    fn first_above_on_the_right(&self, mut node: NodeId) -> Option<NodeId> {
        loop {
            let parent = self.holes.parent(node)?;
            if self.holes.left(parent) == Some(node) {
                return Some(parent);
            }
            node = parent;
        }
    }

    /// The lowest place in the range freed last that is free and has one, and the hole around it. The range is
    /// remembered from the end of that place on: what comes next is taken there.
    fn last_freed_fit(&mut self, pages: u64, align: u64) -> Option<(NodeId, u64)> {
        let holes = &self.holes;
        let (index, hole, start) = self.freed.iter().enumerate().rev().find_map(|(index, freed)| {
            let hole = holes.floor(freed.start).filter(|&node| freed.end <= *holes.value(node))?;
            Some((index, hole, place_in(freed, pages, align)?))
        })?;
        let freed = &mut self.freed[index];
        freed.start = start + pages;
        if freed.is_empty() {
            self.freed.remove(index);
        }
        Some((hole, start))
    }
}

/// The lowest multiple of `align` in a range that has `pages` pages of the range behind it.
fn place_in(range: &Range<u64>, pages: u64, align: u64) -> Option<u64> {
    let start = range.start.checked_next_multiple_of(align)?;
    (range.end.checked_sub(start)? >= pages).then_some(start)
}
