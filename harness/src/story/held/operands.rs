//! The handles that an operation acts on: those that it names, and the pages behind them.

use oracle::vocabulary::{Mapping, MmCall, Operation, Owned, PageList, Root};

use super::Held;
use crate::story::slots::{Operands, SlotSet};

impl Held {
    /// What an operation acts on. It is under way.
    pub(in crate::story) fn operands(&self, operation: &Operation) -> Operands {
        let mut on = Operands::default();
        let mapping = match *operation {
            Operation::Vmap { area, .. }
            | Operation::Vunmap { area }
            | Operation::Owned(
                Owned::Vmalloc { area, .. }
                | Owned::SetMemory { area, .. }
                | Owned::SetMemoryType { area, .. }
                | Owned::Vfree { area },
            ) => Some(Mapping::Area(area)),
            Operation::MapRam { ram, .. } | Operation::UnmapRam { ram } => Some(Mapping::Ram(ram)),
            Operation::DmaAlloc { buffer, .. }
            | Operation::DmaFree { buffer }
            | Operation::DeviceRead { buffer, .. }
            | Operation::DeviceWrite { buffer, .. } => Some(Mapping::Buffer(buffer)),
            Operation::Read { place }
            | Operation::Write { place, .. }
            | Operation::Owned(
                Owned::Exec { place } | Owned::ReadDirect { place } | Owned::WriteDirect { place, .. },
            ) => Some(place.mapping),
            Operation::AllocPage { page }
            | Operation::FreePage { page }
            | Operation::MakeTable { page }
            | Operation::UnmakeTable { page }
            | Operation::SetPageFlag { page } => {
                on.pages.set(page.number(), true);
                None
            }
            Operation::PinTree { tree, .. } | Operation::UnpinTree { tree } => {
                on.add_pages(&self.tree_pages[tree.index()]);
                None
            }
            Operation::Raw(call) => {
                call.pages().for_each(|page| on.pages.set(page.number(), true));
                None
            }
            Operation::Mm(MmCall::New { mm } | MmCall::Drop { mm } | MmCall::Switch { to: Root::Mm(mm) }) => {
                on.mms.set(mm.number(), true);
                None
            }
            Operation::DrainAliases
            | Operation::TrackAliases
            | Operation::Mm(MmCall::Switch { to: Root::Init }) => None,
        };
        if let Some(mapping) = mapping {
            let (maps, slot) = self.maps(mapping);
            on.of(mapping).set(slot, true);
            on.add_pages(&maps.pages[usize::from(slot)]);
        }
        on
    }
}

impl Operands {
    fn add_pages(&mut self, pages: &PageList) {
        pages.as_slice().iter().for_each(|page| self.pages.set(page.number(), true));
    }

    fn of(&mut self, mapping: Mapping) -> &mut SlotSet {
        match mapping {
            Mapping::Area(_) => &mut self.areas,
            Mapping::Ram(_) => &mut self.rams,
            Mapping::Buffer(_) => &mut self.buffers,
        }
    }
}
