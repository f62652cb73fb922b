//! Drivers get buffers for DMA, and their devices use them.

use crate::callers::failed;
use crate::dma::Device;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::vpn::Vpn;
use machine::{Bus, Cpu, Frame, Word};
use oracle::vocabulary::{
    BufferPage, BufferSlot, Coherent, MAX_PAGES, Mapping, Operation, Outcome, PageList, Range, SEGMENT, Token,
};

use super::{HeldBuffer, HeldPage};

impl<P: PvMmu> Kernel<P> {
    pub(super) fn dma_alloc(
        &self,
        cpu: &Cpu<'_>,
        list: &PageList,
        buffer: BufferSlot,
        device: Device,
    ) -> Option<Outcome> {
        let mut storage = [Pfn(0); MAX_PAGES];
        let len = self.callers.pages(list, &mut storage)?.len();
        let pages = &mut storage[..len];
        let made = self.dma_alloc_coherent(cpu, pages, device);
        for (slot, pfn) in list.as_slice().iter().zip(&*pages) {
            self.callers.pages[slot.index()].set(Some(HeldPage { pfn: *pfn, table: false }));
        }
        Some(match made {
            Ok(first) => {
                let range = Range { start: first.address(), pages: len as u8 };
                let mut told = Coherent { range, segments: Default::default() };
                for (segment, bus) in pages.chunks(SEGMENT).zip(&mut told.segments) {
                    *bus = self.pv.frame_of(segment[0]).0;
                }
                self.callers.hold(Mapping::Buffer(buffer), range);
                self.callers.held_buffers[buffer.index()].set(Some(HeldBuffer { pages: *list, told }));
                Outcome::Buffer(told)
            }
            Err(error) => failed(error),
        })
    }

    pub(super) fn dma_free(&self, cpu: &Cpu<'_>, buffer: BufferSlot) -> Option<Outcome> {
        let range = self.callers.range(Mapping::Buffer(buffer))?;
        let held = self.callers.held_buffers[buffer.index()].take()?;
        self.callers.let_go(Mapping::Buffer(buffer));
        let mut storage = [Pfn(0); MAX_PAGES];
        let pages = self.callers.pages(&held.pages, &mut storage)?;
        self.dma_free_coherent(cpu, Vpn::of(range.start), pages);
        Some(Outcome::Done)
    }

    /// A device does something, by the bus address that its driver gave it. No CPU takes part.
    pub fn device(&self, bus: &Bus, operation: Operation) -> Outcome {
        let word = |buffer: BufferSlot, page: u8| {
            self.callers.range(Mapping::Buffer(buffer))?;
            let held = self.callers.held_buffers[buffer.index()].get()?;
            let frame = held.told.bus().nth(page.into()).map(Frame)?;
            bus.memory.has(frame).then(|| Word::new(frame, 0))
        };
        match operation {
            Operation::DeviceRead { at: BufferPage { buffer, page } } => word(buffer, page)
                .map_or(Outcome::Void, |word| Outcome::Value(Token(bus.device_read(word) as u32))),
            Operation::DeviceWrite { at: BufferPage { buffer, page }, token } => {
                word(buffer, page).map_or(Outcome::Void, |word| {
                    bus.device_write(word, u64::from(token.0));
                    Outcome::Done
                })
            }
            _ => Outcome::Void,
        }
    }
}
