//! What the begin and the end of each operation do to its operands. Whether the answer was legal is no concern of this file:
//! what it was is done all the same.

use crate::vocabulary::{Mapping, Operation, Outcome, PageSlot};

use super::accesses::place_in;
use super::{Flight, Page, Reference, Tree};

impl Reference {
    /// What the begin of an operation does to its operands.
    pub(super) fn take_operands(&mut self, cpu: usize, operation: &Operation, void: bool) {
        match *operation {
            Operation::AllocPage { page } => self.pages[page.index()].handle.come(page),
            Operation::FreePage { page } => {
                self.must_be_idle(page);
                self.pages[page.index()].handle.go(page);
            }
            Operation::Vmap { pages, area } => self.begin_map(Mapping::Area(area), pages),
            Operation::MapRam { pages, ram } => self.begin_map(Mapping::Ram(ram), pages),
            Operation::Vunmap { area } => self.begin_unmap(Mapping::Area(area)),
            Operation::UnmapRam { ram } => self.begin_unmap(Mapping::Ram(ram)),
            Operation::DrainAliases | Operation::TrackAliases => {}
            Operation::SetPageFlag { page } => {
                let state = &mut self.pages[page.index()];
                state.handle.must_be_present(page);
                assert!(!state.table.is_held(), "the story sets a flag of {page}, which is a table");
                state.flagging += 1;
            }
            Operation::PinTree { pages, tree } => self.begin_tree(tree, pages),
            Operation::UnpinTree { tree } => {
                let Tree { handle, pages } = &mut self.trees[tree.index()];
                handle.go(tree);
                for &page in pages.as_slice() {
                    self.pages[page.index()].table.go(format_args!("{page} as a table"));
                    if void {
                        self.contents.skip(page);
                    }
                }
            }
            Operation::Read { place } => self.begin_read(cpu, place, void),
            Operation::Write { place, token } => self.begin_write(cpu, place, token, void),
            Operation::DmaAlloc { pages, buffer, .. } => {
                pages.as_slice().iter().for_each(|page| self.must_be_idle(*page));
                self.begin_map(Mapping::Buffer(buffer), pages);
                if void {
                    self.skip_all(&pages);
                }
            }
            Operation::DmaFree { buffer } => {
                self.begin_unmap(Mapping::Buffer(buffer));
                let pages = self.mappings.get(Mapping::Buffer(buffer)).pages;
                if void {
                    self.skip_all(&pages);
                } else {
                    let only = |page: &PageSlot| self.pages[page.index()].users == 1;
                    assert!(pages.as_slice().iter().all(only), "the story frees {buffer}, mapped elsewhere");
                }
            }
            Operation::DeviceRead { buffer, page } => self.begin_read(cpu, place_in(buffer, page), void),
            Operation::DeviceWrite { buffer, page, token } => {
                self.begin_write(cpu, place_in(buffer, page), token, void);
            }
            Operation::MakeTable { page } => {
                self.must_be_idle(page);
                let state = &mut self.pages[page.index()];
                state.handle.must_be_present(page);
                state.table.come(format_args!("{page} as a table"));
            }
            Operation::UnmakeTable { page } => {
                self.pages[page.index()].table.go(format_args!("{page} as a table"));
                if void {
                    self.contents.skip(page);
                }
            }
            // What it holds from now on is nobody's concern.
            Operation::Raw(call) => {
                for page in call.pages() {
                    self.must_be_idle(page);
                    self.pages[page.index()].handle.must_be_present(page);
                    self.contents.vanish(page);
                }
            }
            Operation::Owned(owned) => self.take_owned(cpu, owned, void),
            Operation::Mm(call) => self.spaces.begin(call),
        }
    }

    /// What the end of an operation does to its operands.
    pub(super) fn release_operands(
        &mut self,
        cpu: usize,
        flight: &Flight,
        operation: &Operation,
        outcome: Outcome,
    ) {
        match *operation {
            Operation::AllocPage { page } => {
                let obtained = outcome == Outcome::Done;
                self.pages[page.index()].handle.arrive(obtained);
                if obtained {
                    self.contents.zero(page);
                }
            }
            Operation::FreePage { page } => {
                self.pages[page.index()] = Page::default();
                self.contents.vanish(page);
            }
            Operation::Vmap { area, .. } => self.end_map(Mapping::Area(area), outcome),
            Operation::MapRam { ram, .. } => self.end_map(Mapping::Ram(ram), outcome),
            Operation::Vunmap { area } => self.end_unmap(Mapping::Area(area)),
            Operation::UnmapRam { ram } => self.end_unmap(Mapping::Ram(ram)),
            Operation::DrainAliases | Operation::TrackAliases | Operation::Raw(_) => {}
            Operation::SetPageFlag { page } => self.pages[page.index()].flagging -= 1,
            Operation::PinTree { pages, tree } => {
                let obtained = outcome == Outcome::Done;
                self.trees[tree.index()].handle.arrive(obtained);
                for &page in pages.as_slice() {
                    self.end_table(page, obtained, flight.void);
                }
            }
            Operation::UnpinTree { tree } => {
                let Tree { pages, .. } = core::mem::replace(&mut self.trees[tree.index()], Tree::NONE);
                for &page in pages.as_slice() {
                    self.end_unmake(page, flight.void);
                }
            }
            Operation::Read { place } => self.end_read(cpu, flight, place.mapping),
            Operation::Write { place, .. } => self.end_write(cpu, flight, place.mapping, outcome),
            Operation::DeviceRead { buffer, .. } => self.end_read(cpu, flight, Mapping::Buffer(buffer)),
            Operation::DeviceWrite { buffer, .. } => {
                self.end_write(cpu, flight, Mapping::Buffer(buffer), outcome);
            }
            Operation::DmaAlloc { pages, buffer, .. } => {
                self.end_map(Mapping::Buffer(buffer), outcome);
                for &page in pages.as_slice() {
                    if matches!(outcome, Outcome::Buffer(_)) {
                        self.contents.zero(page);
                    } else if !flight.void {
                        self.contents.perhaps_zero(page);
                    }
                }
            }
            Operation::DmaFree { buffer } => {
                self.end_unmap(Mapping::Buffer(buffer));
                let pages = self.mappings.get(Mapping::Buffer(buffer)).pages;
                if !flight.void {
                    pages.as_slice().iter().for_each(|page| self.contents.zero(*page));
                }
            }
            Operation::MakeTable { page } => self.end_table(page, outcome == Outcome::Done, flight.void),
            Operation::UnmakeTable { page } => self.end_unmake(page, flight.void),
            Operation::Owned(owned) => self.release_owned(cpu, flight, owned, outcome),
            Operation::Mm(call) => self.spaces.end(call, outcome),
        }
    }
}
