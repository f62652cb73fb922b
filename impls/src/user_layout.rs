//! Where the pages of an address space lie that stories name by numbers. Their addresses grow with the numbers.
//!
//! ```text
//!   0  1 |  2  3     the edge of a lowest-level table (2 MiB)
//!   4  5 |  6  7     the edge of a table of level 2 (1 GiB)
//!   8  9 | 10 11     the edge of a table of level 3 (512 GiB)
//!  12 13   14 15     the first pages of a 2 MiB window that one large page could map
//! ```
//!
//! So a range of two pages makes tables of every level come and go, and the root has entries of several windows.

use crate::vpn::{PageRange, Vpn};
use oracle::vocabulary::{USER_PAGES, UserRange};

/// Pages that a table of level 1, 2 or 3 maps.
const fn pages_of_table(level: u8) -> u64 {
    Vpn::first_of_table(level, 1).0
}

/// The first page of each window of four.
const WINDOWS: [Vpn; 4] = [
    Vpn(pages_of_table(1) - 2),
    Vpn(2 * pages_of_table(2) - 2),
    Vpn(2 * pages_of_table(3) - 2),
    Vpn(3 * pages_of_table(3) + pages_of_table(1)),
];

/// Pages of a window.
const IN_WINDOW: u8 = USER_PAGES / WINDOWS.len() as u8;

/// The first page that is none of user space: x86-64 leaves user code the lower half.
pub const USER_END: Vpn = Vpn(1 << 35);

/// The page of this number.
pub const fn page(number: u8) -> Vpn {
    let window = WINDOWS[(number / IN_WINDOW) as usize % WINDOWS.len()];
    Vpn(window.0 + (number % IN_WINDOW) as u64)
}

/// The pages from the first of a range to its last, with the gaps between windows.
pub fn range(range: UserRange) -> PageRange {
    let pages = range.pages();
    let (first, last) = (page(pages.start), page(pages.end - 1));
    PageRange { first, pages: last - first + 1 }
}

/// The parts of a range between whose pages no gap lies.
pub fn runs(range: UserRange) -> impl Iterator<Item = UserRange> {
    let UserRange { mm, .. } = range;
    let (mut next, end) = (range.pages().start, range.pages().end);
    std::iter::from_fn(move || {
        let page = next;
        next = (page / IN_WINDOW + 1).saturating_mul(IN_WINDOW).min(end);
        (page < end).then(|| UserRange { mm, page, count: next - page })
    })
}

/// Whether an address is one of user space.
pub const fn is_user(va: u64) -> bool {
    Vpn::of(va).0 < USER_END.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use oracle::vocabulary::MmSlot;

    #[test]
    fn pages_lie_in_the_order_of_their_numbers_and_straddle_the_edge_of_a_table_of_each_level() {
        let all: Vec<_> = (0..USER_PAGES).map(page).collect();
        assert!(all.is_sorted() && all.iter().all(|page| *page < USER_END));
        for (level, window) in (1..=3).zip(0_u8..) {
            let [before, after] = [1, 2].map(|at| page(window * 4 + at));
            assert_eq!(after - before, 1);
            for below in 1..=3 {
                assert_eq!(before.table(below) != after.table(below), below <= level, "level {below}");
            }
        }
        assert_eq!(page(12).0 % pages_of_table(1), 0, "a large page could begin there");
        assert_eq!(page(15) - page(12), 3);
    }

    #[test]
    fn a_range_reaches_from_its_first_page_to_its_last() {
        let at = |page, count| range(UserRange { mm: MmSlot::new(0), page, count });
        assert_eq!(at(5, 2), PageRange { first: page(5), pages: 2 });
        assert_eq!(at(3, 2).pages, page(4) - page(3) + 1, "with the gap");
        assert_eq!(at(15, 8), PageRange { first: page(15), pages: 1 }, "none is beyond the last");
    }

    #[test]
    fn the_runs_of_a_range_end_where_gaps_begin() {
        let at = |page, count| {
            let range = UserRange { mm: MmSlot::new(0), page, count };
            runs(range).map(|run| (run.page, run.count)).collect::<Vec<_>>()
        };
        assert_eq!(at(5, 2), [(5, 2)]);
        assert_eq!(at(3, 6), [(3, 1), (4, 4), (8, 1)]);
        assert_eq!(at(14, 8), [(14, 2)]);
    }
}
