//! What each operation does to contents, and to what a mapping allows. This file does not ask whether the answer was legal:
//! it follows the answer either way. The modes say what happens to handles.

use crate::contents::Home;
use crate::mappings::{bit, mapping};
use crate::vocabulary::{
    Access, AreaSlot, Bound, Mapping, Mode, Named, Operation, Outcome, PageList, Place, Sort, Use,
};

use super::{Flight, Reference};

/// The page that an operation accesses.
pub(super) fn accessed(operation: &Operation) -> Option<Place> {
    match *operation {
        Operation::Read { place } | Operation::Write { place, .. } | Operation::Exec { place } => Some(place),
        Operation::ReadDirect { page } | Operation::WriteDirect { page, .. } => Some(page.place()),
        Operation::DeviceRead { at } | Operation::DeviceWrite { at, .. } => Some(at.place()),
        _ => None,
    }
}

impl Reference {
    pub(super) fn begin_effect(&mut self, cpu: usize, operation: &Operation, void: bool) {
        operation.each_use(|Use { named, mode }| match (named, mode) {
            // No caller cares what the page holds from now on.
            (Named::Thing(Sort::Page, slot), Mode::GivesUp) => {
                self.contents.vanish(crate::vocabulary::PageSlot::new(slot));
            }
            (_, Mode::New(_)) => {
                if let Some(made) = mapping(named) {
                    self.mappings.get_mut(made).allowed = bit(Access::ReadWrite);
                }
            }
            _ => {}
        });
        if let Some((area, access)) = operation.allows() {
            self.begin_allowing(area, access);
        }
        match *operation {
            Operation::Read { place } => self.begin_read(cpu, place, void),
            Operation::ReadDirect { page } => self.begin_read(cpu, page.place(), void),
            Operation::DeviceRead { at } => self.begin_read(cpu, at.place(), void),
            Operation::Write { place, token } => self.begin_write(cpu, place, token, void),
            Operation::WriteDirect { page, token } => self.begin_write(cpu, page.place(), token, void),
            Operation::DeviceWrite { at, token } => self.begin_write(cpu, at.place(), token, void),
            // It is void here; on other backends the pages become zero.
            Operation::UnmakeTable { page } if void => self.contents.skip(page),
            Operation::DmaAlloc { pages, .. } | Operation::DmaAllocWide { pages, .. } if void => {
                self.skip(&pages);
            }
            Operation::UnpinTree { .. } | Operation::DmaFree { .. } if void => {
                self.skip(&self.pages_of(operation));
            }
            _ => self.begin_user(cpu, operation, void),
        }
    }

    pub(super) fn end_effect(
        &mut self,
        cpu: usize,
        flight: &Flight,
        operation: &Operation,
        outcome: Outcome,
    ) {
        let (gave, tried) = (outcome.gives(), !flight.void);
        if let Some(range) = outcome.range()
            && let Some(made) = made(operation)
        {
            self.mappings.get_mut(made).range = range;
        }
        if let Some((area, access)) = operation.allows() {
            self.mappings.get_mut(Mapping::Area(area)).allowed = bit(access);
        }
        match *operation {
            Operation::Read { .. } | Operation::ReadDirect { .. } | Operation::DeviceRead { .. } => {
                self.end_read(cpu, flight);
            }
            Operation::Write { .. } | Operation::WriteDirect { .. } | Operation::DeviceWrite { .. } => {
                self.end_write(cpu, flight, outcome);
            }
            Operation::AllocPage { page } if gave => self.contents.zero(page),
            Operation::FreePage { page } => self.contents.vanish(page),
            Operation::MakeTable { page } => self.end_table(&PageList::new([page]), gave, tried),
            Operation::PinTree { pages, .. } => self.end_table(&pages, gave, tried),
            Operation::UnmakeTable { page } if tried => self.contents.zero(page),
            Operation::UnpinTree { .. } | Operation::DmaFree { .. } if tried => {
                let pages = self.pages_of(operation);
                pages.as_slice().iter().for_each(|page| self.contents.zero(*page));
            }
            Operation::DmaAlloc { pages, .. } | Operation::DmaAllocWide { pages, .. } => {
                for &page in pages.as_slice() {
                    if gave {
                        self.contents.zero(page);
                    } else if tried {
                        self.contents.perhaps_zero(page);
                    }
                }
            }
            Operation::Vmalloc { count, area } | Operation::VmallocHuge { count, area } if gave => {
                (0..count.0).for_each(|page| self.contents.zero(Home::owned(area, page)));
            }
            Operation::Vfree { area } => {
                let count = self.things.get(Sort::Area, area.number()).own_pages();
                (0..count).for_each(|page| self.contents.vanish(Home::owned(area, page)));
            }
            _ => self.end_user(cpu, flight, operation, outcome),
        }
    }

    /// An access meanwhile may meet the old permission or the new one.
    fn begin_allowing(&mut self, area: AreaSlot, access: Access) {
        let mapping = Mapping::Area(area);
        self.mappings.get_mut(mapping).allowed |= bit(access);
        for flight in &mut self.flights {
            let at = flight.call.and_then(|call| accessed(&call.operation));
            if at.is_some_and(|at| at.mapping == mapping) {
                flight.allowed |= bit(access);
            }
        }
    }

    /// The pages were to become tables, and did or did not.
    fn end_table(&mut self, pages: &PageList, gave: bool, tried: bool) {
        for &page in pages.as_slice() {
            if gave {
                self.contents.vanish(page);
            } else if tried {
                self.contents.perhaps_zero(page);
            }
        }
    }

    /// The pages of the thing that an operation takes apart.
    fn pages_of(&self, operation: &Operation) -> PageList {
        let mut pages = PageList::EMPTY;
        operation.each_use(|Use { named, .. }| {
            if let Named::Thing(sort, slot) = named {
                pages = *self.things.get(sort, slot).pages();
            }
        });
        pages
    }

    fn skip(&mut self, pages: &PageList) {
        pages.as_slice().iter().for_each(|page| self.contents.skip(*page));
    }
}

/// The mapping that an operation makes.
pub(super) fn made(operation: &Operation<Bound>) -> Option<Mapping> {
    let mut made = None;
    operation.each_use(|Use { named, mode }| {
        if matches!(mode, Mode::New(_)) {
            made = mapping(named);
        }
    });
    made
}
