//! Coherent memory for devices (`dma_alloc_coherent`), got by drivers with interrupts off as often as not (seed 000).
//!
//! A device reaches memory by machine addresses, in segments of contiguous frames: a narrow device below a limit, a wide one
//! everywhere. Bare metal takes such pages from the page allocator. A paravirtual kernel has no say over its frames: it exchanges those beneath its pages
//! for others. The old ones go to another domain, so nothing of the kernel's may lead to them any more: not the
//! mapping of the buffer, which is cleared before and set again afterwards, and no alias that was unmapped lazily.
//!
//! With interrupts off a CPU may not wait for the answers of others. It is enough to clear the entries of aliases:
//! their ranges stay reserved until a flush, and before the hypervisor gives a frame away it flushes by itself.
//! This file must never send an interrupt, nor sleep where its caller has interrupts off.

use crate::base::WouldSleep;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu, Wanted};
use crate::pgtable::PAGE_KERNEL;
use crate::protocol::{DmaDrain, Step};
use crate::table_pages::MapError;
use crate::vpn::{PageRange, Vpn};
use machine::Cpu;
use oracle::vocabulary::SEGMENT;

/// What a buffer is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// A device that reaches no frame from a limit on.
    Narrow,
    /// A device that reaches all memory.
    Wide,
}

impl<P: PvMmu> Kernel<P> {
    /// Makes a buffer of these pages, which nothing maps: zeroed, in segments that the device reaches, and mapped. Returns the
    /// first page of the mapping. A platform that cannot change the frames beneath pages puts others
    /// in their place. When it fails the pages are still there, zeroed or not.
    pub fn dma_alloc_coherent(
        &self,
        cpu: &Cpu<'_>,
        pages: &mut [Pfn],
        device: Device,
    ) -> Result<Vpn, MapError> {
        let limit = self.limit(device);
        if !cpu.interrupts_on() && self.flushes_on_map() {
            return Err(MapError::WouldSleep);
        }
        if P::EXCHANGES_FRAMES {
            self.drain_before_exchange(cpu)?;
        }
        let area = self.get_vm_area(cpu, pages.len() as u64)?;
        let made = self.get_coherent_pages(cpu, pages, limit).and_then(|reached| {
            self.map_pages(cpu, area, pages)?;
            if reached { Ok(()) } else { self.create_contiguous_region(cpu, area, pages, limit) }
        });
        if let Err(error) = made {
            self.free_dma_area(cpu, area, pages.len() as u64);
            return Err(error);
        }
        Ok(area)
    }

    /// Takes a buffer apart (`dma_free_coherent`). Its pages are ordinary ones again, zeroed, and frames that narrow devices
    /// reach go back to where they are needed more, if that can be done here and now. A buffer that has none of those keeps what
    /// it has: it was made of its pages as they were, or of whatever frames there were.
    pub fn dma_free_coherent(&self, cpu: &Cpu<'_>, first: Vpn, pages: &[Pfn]) {
        self.free_dma_area(cpu, first, pages.len() as u64);
        let mut exchanged = 0;
        let is_low = |pfn: &Pfn| self.pv.frame_of(*pfn).0 < P::dma_limit(self.sizes);
        let gives_back = P::EXCHANGES_FRAMES && pages.iter().any(is_low);
        if gives_back && self.drain_before_exchange(cpu).is_ok() {
            // A refusal changes nothing: the frames stay.
            exchanged = self.pv.exchange_frames(cpu, pages, Wanted::Any).unwrap_or(0);
        }
        self.clear_pages(cpu, &pages[exchanged..]);
    }

    /// The first frame that a device does not reach.
    fn limit(&self, device: Device) -> u32 {
        match device {
            Device::Narrow => P::dma_limit(self.sizes),
            Device::Wide => u32::MAX,
        }
    }

    /// Gets the pages of a buffer: these if the device reaches them, or else others in their place. Where a kernel has no say over
    /// its frames they stay, and it answers that the device does not reach them yet.
    fn get_coherent_pages(&self, cpu: &Cpu<'_>, pages: &mut [Pfn], limit: u32) -> Result<bool, MapError> {
        if self.device_reaches(pages, limit) {
            self.clear_pages(cpu, pages);
            return Ok(true);
        }
        if !P::EXCHANGES_FRAMES {
            self.replace_pages(cpu, pages, limit)?;
        }
        Ok(!P::EXCHANGES_FRAMES)
    }

    /// Whether a device with this limit reaches these pages as they are.
    fn device_reaches(&self, pages: &[Pfn], limit: u32) -> bool {
        pages.chunks(SEGMENT).all(|segment| {
            let first = self.pv.frame_of(segment[0]).0;
            let contiguous = self.protocol.does(Step::BufferIsContiguous);
            (first..).zip(segment).all(|(next, pfn)| {
                let frame = self.pv.frame_of(*pfn).0;
                frame < limit && (frame == next || !contiguous)
            })
        })
    }

    fn clear_pages(&self, cpu: &Cpu<'_>, pages: &[Pfn]) {
        for pfn in pages {
            self.clear_page(cpu, *pfn);
        }
    }

    /// No entry may lead to the frames that are offered, for the hypervisor takes none that is still referred to.
    fn drain_before_exchange(&self, cpu: &Cpu<'_>) -> Result<(), WouldSleep> {
        match self.protocol.designs.dma_drain {
            DmaDrain::TablesOnly => self.clear_aliases(cpu),
            DmaDrain::Flush => self.vm_unmap_aliases(cpu),
            DmaDrain::Never => Ok(()),
        }
    }

    /// The frames beneath the pages of a mapping change under their addresses (`xen_create_contiguous_region`): its entries are
    /// zapped, the frames offered, and the entries set again, to the new frames or, where there were none, to the old.
    fn create_contiguous_region(
        &self,
        cpu: &Cpu<'_>,
        first: Vpn,
        pages: &[Pfn],
        limit: u32,
    ) -> Result<(), MapError> {
        self.unmap_pages(cpu, PageRange { first, pages: pages.len() as u64 });
        let wanted = Wanted::Reachable { segment: SEGMENT, limit };
        let exchanged = self.pv.exchange_frames(cpu, pages, wanted);
        self.remap(cpu, first, pages)?;
        if exchanged? == pages.len() { Ok(()) } else { Err(MapError::NoMemory) }
    }

    /// Sets the entries again. The last update makes every CPU forget what it knew of the addresses, by hypercall: it
    /// works with interrupts off.
    ///
    /// ```text
    ///   c0                                    c1
    ///   V -> old frame                        caches V, by speculation
    ///   zap V, exchange, V -> new frame
    ///   without a flush: returns
    ///                                         writes through V: into the old frame, and lost
    /// ```
    ///
    /// The hypervisor flushes only when it gives the old frame away: for its own safety, and not for the guest's.
    fn remap(&self, cpu: &Cpu<'_>, first: Vpn, pages: &[Pfn]) -> Result<(), MapError> {
        let Some((last, before)) = pages.split_last() else { return Ok(()) };
        self.map_pages(cpu, first, before)?;
        if self.protocol.does(Step::FlushAfterExchange) {
            let va = (first + before.len() as u64).address();
            let flags = PAGE_KERNEL | self.table_pages.note_aliases(self, cpu, std::slice::from_ref(last));
            let entry = self.pv.make_entry(*last, flags);
            self.pv.set_pte_and_flush(cpu, va, entry, !before.is_empty())?;
        } else {
            self.map_pages(cpu, first + before.len() as u64, std::slice::from_ref(last))?;
        }
        Ok(())
    }

    /// Puts pages that a device with this limit reaches in the place of these, segment by segment; either all or none.
    fn replace_pages(&self, cpu: &Cpu<'_>, pages: &mut [Pfn], limit: u32) -> Result<(), MapError> {
        let mut got = Vec::with_capacity(pages.len());
        for segment in pages.chunks(SEGMENT) {
            let Some(first) = self.pages.alloc_contiguous(&self.pv, cpu, segment.len() as u32, limit) else {
                self.free_pages(cpu, got);
                return Err(MapError::NoMemory);
            };
            got.extend((first.0..).take(segment.len()).map(Pfn));
        }
        for (old, new) in pages.iter_mut().zip(got) {
            self.free_page(cpu, std::mem::replace(old, new));
        }
        Ok(())
    }
}
