//! Pages that callers hold: whether one may be taken away, and how it becomes a table and an ordinary page again.

use crate::handle::Handle;
use crate::vocabulary::{PageList, PageSlot, TreeSlot};

use super::Reference;

impl Reference {
    pub(super) fn begin_tree(&mut self, tree: TreeSlot, pages: PageList) {
        assert!(!pages.is_empty(), "the story makes {tree} of no pages");
        let entry = &mut self.trees[tree.index()];
        entry.handle.come(tree);
        entry.pages = pages;
        for &page in pages.as_slice() {
            self.must_be_idle(page);
            let state = &mut self.pages[page.index()];
            state.handle.must_be_present(page);
            state.table.come(format_args!("{page} as a table"));
        }
    }

    pub(super) fn must_be_idle(&self, page: PageSlot) {
        let state = &self.pages[page.index()];
        assert!(state.flagging == 0, "the story takes {page} away, whose flags its owner is changing");
        assert!(state.users == 0, "the story takes {page} away, which is mapped");
        assert!(!state.table.is_held(), "the story takes {page} away, which is a table");
    }

    /// A page was to become a table, and did or did not.
    pub(super) fn end_table(&mut self, page: PageSlot, obtained: bool, void: bool) {
        self.pages[page.index()].table.arrive(obtained);
        if obtained {
            self.contents.vanish(page);
        } else if !void {
            self.contents.perhaps_zero(page);
        }
    }

    /// A table is an ordinary page again.
    pub(super) fn end_unmake(&mut self, page: PageSlot, void: bool) {
        self.pages[page.index()].table = Handle::default();
        if !void {
            self.contents.zero(page);
        }
    }

    pub(super) fn skip_all(&mut self, pages: &PageList) {
        pages.as_slice().iter().for_each(|page| self.contents.skip(*page));
    }
}
