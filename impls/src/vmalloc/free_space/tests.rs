//! The free space against a bitmap that is searched page by page.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;

use super::{FreeSpace, REMEMBERED, Reuse};

/// Not aligned to anything, so that the first hole is not either.
const START: u64 = 0x1_0003;
const PAGES: u64 = 90;

/// One flag a page and the freed ranges, newest last, without any index.
struct Bitmap {
    free: Vec<bool>,
    freed: Vec<Range<u64>>,
}

impl Bitmap {
    fn new() -> Self {
        Self { free: vec![true; PAGES as usize], freed: Vec::new() }
    }

    fn is_free(&self, range: Range<u64>) -> bool {
        self.flags(range).iter().all(|&free| free)
    }

    fn flags(&self, range: Range<u64>) -> &[bool] {
        &self.free[(range.start - START) as usize..(range.end - START) as usize]
    }

    fn set(&mut self, range: Range<u64>, free: bool) {
        self.free[(range.start - START) as usize..(range.end - START) as usize].fill(free);
    }

    fn lowest_in(&self, range: &Range<u64>, pages: u64, align: u64) -> Option<u64> {
        range
            .clone()
            .filter(|start| start.is_multiple_of(align) && start + pages <= range.end)
            .find(|&start| self.is_free(start..start + pages))
    }

    fn alloc(&mut self, pages: u64, align: u64, policy: Reuse) -> Option<u64> {
        let mut start = None;
        if policy == Reuse::LastFreed {
            for range in self.freed.clone().into_iter().rev().filter(|range| self.is_free(range.clone())) {
                start = self.lowest_in(&range, pages, align);
                if let Some(start) = start {
                    let newest = self.freed.iter_mut().rfind(|freed| **freed == range).expect("it was there");
                    newest.start = start + pages;
                    break;
                }
            }
            self.freed.retain(|range| !range.is_empty());
        }
        let start = start.or_else(|| self.lowest_in(&(START..START + PAGES), pages, align))?;
        self.set(start..start + pages, false);
        Some(start)
    }

    fn free(&mut self, start: u64, pages: u64) {
        self.set(start..start + pages, true);
        self.freed.push(start..start + pages);
        if self.freed.len() > REMEMBERED {
            self.freed.remove(0);
        }
    }

    fn holes(&self) -> Vec<Range<u64>> {
        let mut holes: Vec<Range<u64>> = Vec::new();
        for page in START..START + PAGES {
            match holes.last_mut() {
                _ if !self.is_free(page..page + 1) => {}
                Some(hole) if hole.end == page => hole.end += 1,
                _ => holes.push(page..page + 1),
            }
        }
        holes
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Alloc {
        pages: u64,
        align: u64,
        policy: Reuse,
    },
    /// Frees the live range of this index, counted around.
    Free(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let policy = prop_oneof![3 => Just(Reuse::FirstFit), 1 => Just(Reuse::LastFreed)];
    let pages = prop_oneof![8 => 1..6u64, 2 => 6..30u64, 1 => Just(PAGES), 1 => Just(u64::MAX)];
    let align = prop_oneof![2 => Just(0), 3 => 1..7u32, 1 => Just(63)].prop_map(|order| 1 << order);
    let alloc =
        (pages, align, policy).prop_map(|(pages, align, policy)| Step::Alloc { pages, align, policy });
    prop::collection::vec(prop_oneof![5 => alloc, 4 => any::<usize>().prop_map(Step::Free)], 0..250)
}

fn assert_same(space: &FreeSpace, bitmap: &Bitmap) {
    space.check().unwrap_or_else(|broken| panic!("{broken}"));
    let holes = bitmap.holes();
    assert!(space.holes().eq(holes.iter().cloned()), "{space:?} should have the holes {holes:?}");
    let sizes = || holes.iter().map(|hole| hole.end - hole.start);
    assert_eq!(space.largest(), sizes().max().unwrap_or(0));
    assert_eq!(space.total(), sizes().sum::<u64>());
    assert_eq!(space.is_whole(), space.total() == PAGES);
}

proptest! {
    #[test]
    fn gives_out_what_a_search_page_by_page_finds(steps in steps()) {
        let mut space = FreeSpace::new(START, START + PAGES);
        let mut bitmap = Bitmap::new();
        let mut live: Vec<(u64, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Alloc { pages, align, policy } => {
                    let start = space.alloc(pages, align, policy);
                    let expected = if pages > PAGES { None } else { bitmap.alloc(pages, align, policy) };
                    prop_assert_eq!(start, expected, "{:?}", step);
                    live.extend(start.map(|start| (start, pages)));
                }
                Step::Free(_) if live.is_empty() => {}
                Step::Free(index) => {
                    let (start, pages) = live.swap_remove(index % live.len());
                    space.free(start, pages);
                    bitmap.free(start, pages);
                }
            }
            assert_same(&space, &bitmap);
        }
        for (start, pages) in live {
            space.free(start, pages);
        }
        prop_assert!(space.is_whole());
        prop_assert!(space.holes().eq(std::iter::once(START..START + PAGES)));
    }
}

/// Holes of these ranges in a space from page 1 to 64.
fn with_holes(holes: &[Range<u64>]) -> FreeSpace {
    let mut space = FreeSpace::new(1, 64);
    assert_eq!(space.alloc(63, 1, Reuse::FirstFit), Some(1));
    for hole in holes {
        space.free(hole.start, hole.end - hole.start);
    }
    space
}

#[test]
fn first_fit_passes_over_large_holes_where_no_aligned_place_is() {
    // Both misaligned holes are larger than what is asked for, one on each side of the place.
    let mut space = with_holes(&[1..8, 17..24, 40..44, 49..56]);
    assert_eq!(space.alloc(4, 8, Reuse::FirstFit), Some(40));
    assert_eq!(space.alloc(4, 8, Reuse::FirstFit), None);
    assert_eq!(space.alloc(4, 4, Reuse::FirstFit), Some(4));
    space.check().unwrap();
}

#[test]
fn a_hole_is_split_at_either_edge_in_the_middle_or_taken_whole() {
    let cases = [(2, 1, vec![(9, 14)]), (6, 8, vec![(7, 8)]), (4, 8, vec![(7, 8), (12, 14)]), (7, 1, vec![])];
    for (pages, align, left) in cases {
        let mut space = with_holes(std::slice::from_ref(&(7..14)));
        space.alloc(pages, align, Reuse::FirstFit).unwrap();
        let holes: Vec<_> = space.holes().map(|hole| (hole.start, hole.end)).collect();
        assert_eq!(holes, left, "{pages} pages aligned to {align}");
    }
}

#[test]
fn exhaustion_is_an_answer_and_freeing_any_range_ends_it() {
    let mut space = FreeSpace::new(5, 25);
    for start in (5..25).step_by(4) {
        assert_eq!(space.alloc(4, 1, Reuse::FirstFit), Some(start));
    }
    assert_eq!((space.total(), space.largest()), (0, 0));
    assert_eq!(space.alloc(1, 1, Reuse::FirstFit), None);
    assert_eq!(space.alloc(1, 1, Reuse::LastFreed), None);
    space.free(13, 4);
    assert_eq!(space.alloc(5, 1, Reuse::FirstFit), None);
    assert_eq!(space.alloc(4, 1, Reuse::FirstFit), Some(13));
}

#[test]
fn a_reset_makes_whole_and_forgets_what_was_freed() {
    let mut space = FreeSpace::new(5, 25);
    assert_eq!(space.alloc(10, 1, Reuse::FirstFit), Some(5));
    space.free(9, 3);
    space.reset();
    assert!(space.is_whole());
    assert_eq!(space.alloc(2, 1, Reuse::LastFreed), Some(5));
}

#[test]
fn the_very_top_of_the_numbers_can_be_given_out() {
    let mut space = FreeSpace::new(u64::MAX - 5, u64::MAX);
    assert_eq!(space.alloc(1, 1 << 63, Reuse::FirstFit), None);
    assert_eq!(space.alloc(u64::MAX, 1, Reuse::FirstFit), None);
    assert_eq!(space.alloc(3, 4, Reuse::FirstFit), Some(u64::MAX - 3));
    space.free(u64::MAX - 3, 3);
    assert!(space.is_whole());
}

#[test]
fn last_freed_comes_back_first_while_it_is_free_and_fits() {
    let mut space = FreeSpace::new(0, 64);
    for _ in 0..16 {
        space.alloc(4, 1, Reuse::FirstFit).unwrap();
    }
    for start in [8, 40, 20] {
        space.free(start, 4);
    }
    assert_eq!(space.alloc(4, 1, Reuse::LastFreed), Some(20));
    assert_eq!(space.alloc(2, 1, Reuse::LastFreed), Some(40));
    assert_eq!(space.alloc(3, 1, Reuse::LastFreed), Some(8), "two pages are left at 42");
    assert_eq!(space.alloc(2, 1, Reuse::LastFreed), Some(42));
    // First fit took part of what was freed last: that is no longer to be had as a whole.
    space.free(52, 4);
    space.free(28, 4);
    assert_eq!(space.alloc(2, 4, Reuse::FirstFit), Some(28));
    assert_eq!(space.alloc(1, 1, Reuse::LastFreed), Some(52));
}

#[test]
fn freeing_what_is_not_taken_is_noticed() {
    let freed = |start, pages| {
        // 10..20 and 30..40 are free.
        let mut space = with_holes(&[10..20, 30..40]);
        let result = catch_unwind(AssertUnwindSafe(|| space.free(start, pages)));
        result.map_err(|panic| *panic.downcast::<String>().expect("a formatted message"))
    };
    for (start, pages) in [(10, 10), (9, 2), (19, 2), (12, 3), (5, 20), (20, 11), (38, 20), (39, 1)] {
        let message = freed(start, pages).unwrap_err();
        assert!(message.contains("is free already"), "{message}");
    }
    for (start, pages) in [(20, 0), (60, 5), (64, 1), (0, 2), (3, u64::MAX)] {
        let message = freed(start, pages).unwrap_err();
        assert!(message.contains("not within 0x1..0x40"), "{message}");
    }
    freed(20, 10).expect("20..30 is taken");
}

#[test]
fn a_run_is_taken_as_far_as_it_lies_within_and_only_if_all_of_that_is_free() {
    let mut space = FreeSpace::new(START, START + PAGES);
    assert!(!space.take_within(START + PAGES, 4), "nothing of it lies within");
    assert_eq!(space.alloc(1, 1, Reuse::FirstFit), Some(START));
    assert!(!space.take_within(START - 8, 12), "its first page is in use");
    assert!(space.take_within(START + PAGES - 4, 500));
    assert!(!space.take_within(START + PAGES - 4, 2), "it is in use");
    let mut holes = space.holes();
    assert_eq!((holes.next(), holes.next()), (Some(START + 1..START + PAGES - 4), None));
    drop(holes);
    space.free(START, 1);
    assert!(space.take_within(START - 8, 12));
    assert_eq!(space.total(), PAGES - 8);
    space.free_within(START + PAGES - 4, 500);
    space.free_within(START - 8, 12);
    assert!(space.is_whole());
    space.check().expect("a sound tree");
}
