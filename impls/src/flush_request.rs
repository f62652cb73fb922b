//! What CPUs are to forget, as a value: the code that changes entries says it, and the code that flushes carries it out.

use crate::vpn::{PageRange, Vpn};

/// Kernel addresses whose translations are to go. A flush of a page drops the upper entries on the way to it too, so that
/// what was unhooked there goes with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlushRequest {
    /// The pages.
    pub range: PageRange,
    /// Everything goes, global entries too, and not these pages alone.
    pub full: bool,
}

impl FlushRequest {
    /// Everything.
    pub const EVERYTHING: Self = Self { range: PageRange { first: Vpn(0), pages: u64::MAX }, full: true };

    /// Each page of a run.
    pub const fn pages(range: PageRange) -> Self {
        Self { range, full: false }
    }

    /// A large leaf that begins with a page: a translation of 2 MiB goes as a whole, by any one of its addresses.
    pub const fn large_leaf(first: Vpn) -> Self {
        Self::pages(PageRange { first, pages: 1 })
    }

    /// The way to the table that maps a page. Any address of the table will do, where no translation by it is cached.
    pub const fn way_to(first: Vpn) -> Self {
        Self::pages(PageRange { first, pages: 1 })
    }

    /// The same, but everything where more pages than a ceiling cost more than that.
    #[must_use]
    pub const fn with_ceiling(self, pages: u64) -> Self {
        Self { full: self.full || self.range.pages > pages, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_more_pages_than_the_ceiling_is_one_for_everything() {
        let full = |request: FlushRequest| request.with_ceiling(4).full;
        let pages = |pages| FlushRequest::pages(PageRange { first: Vpn(7), pages });
        assert_eq!([1, 4, 5, u64::MAX].map(|count| full(pages(count))), [false, false, true, true]);
        assert!(full(FlushRequest::EVERYTHING));
        assert_eq!(pages(4).with_ceiling(4), pages(4));
    }
}
