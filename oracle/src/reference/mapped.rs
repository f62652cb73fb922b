//! Mappings that come and go, and the pages that they hold meanwhile.

use crate::handle::Handle;
use crate::mappings::bit;
use crate::vocabulary::{Access, Mapping, Outcome, PageList};

use super::Reference;

impl Reference {
    pub(super) fn begin_map(&mut self, mapping: Mapping, pages: PageList) {
        assert!(!pages.is_empty(), "the story maps no pages into {mapping}");
        for &page in pages.as_slice() {
            let state = &mut self.pages[page.index()];
            state.handle.must_be_present(page);
            assert!(!state.table.is_held(), "the story maps {page}, which is a table");
            state.users += 1;
        }
        let entry = self.mappings.get_mut(mapping);
        entry.handle.come(mapping);
        (entry.pages, entry.owned, entry.allowed) = (pages, 0, bit(Access::ReadWrite));
    }

    pub(super) fn begin_unmap(&mut self, mapping: Mapping) {
        let entry = self.mappings.get_mut(mapping);
        assert!(entry.accesses == 0, "the story unmaps {mapping} during an access to it");
        entry.handle.go(mapping);
    }

    pub(super) fn end_map(&mut self, mapping: Mapping, outcome: Outcome) {
        let entry = self.mappings.get_mut(mapping);
        if let Some(range) = outcome.range() {
            entry.handle.arrive(true);
            entry.range = range;
        } else {
            entry.handle.arrive(false);
            let pages = entry.pages;
            self.unuse(&pages);
        }
    }

    pub(super) fn end_unmap(&mut self, mapping: Mapping) {
        let entry = self.mappings.get_mut(mapping);
        let (held, pages) = (entry.handle.is_obtained(), entry.pages);
        entry.handle = Handle::default();
        if held {
            self.unuse(&pages);
        }
    }

    fn unuse(&mut self, pages: &PageList) {
        for page in pages.as_slice() {
            self.pages[page.index()].users -= 1;
        }
    }
}
