//! Callers map pages and unmap them.

use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::table_pages::MapError;
use crate::vpn::Vpn;
use oracle::vocabulary::{MAX_PAGES, Mapping, Outcome, PageList, Range};

use super::failed;

impl<P: PvMmu> Kernel<P> {
    /// Maps the pages of a list, and holds the range that begins with the page that it gets.
    pub(super) fn map(
        &self,
        list: &PageList,
        mapping: Mapping,
        map: impl FnOnce(&[Pfn]) -> Result<Vpn, MapError>,
    ) -> Option<Outcome> {
        let mut buffer = [Pfn(0); MAX_PAGES];
        let pages = self.callers.pages(list, &mut buffer)?;
        Some(match map(pages) {
            Ok(first) => {
                let range = Range { start: first.address(), pages: pages.len() as u8 };
                self.callers.hold(mapping, range);
                Outcome::Mapped(range)
            }
            Err(error) => failed(error),
        })
    }

    /// Lets go of a mapping, and unmaps it.
    pub(super) fn unmap(&self, mapping: Mapping, unmap: impl FnOnce(Range)) -> Option<Outcome> {
        let range = self.callers.range(mapping)?;
        self.callers.let_go(mapping);
        unmap(range);
        Some(Outcome::Done)
    }
}
