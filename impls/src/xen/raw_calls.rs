//! Hypercalls of callers gone astray: straight to the hypervisor, and past everything that the guest puts off or remembers, but
//! for which frame is beneath which page.

use super::Xen;
use crate::hypervisor::xen::{
    self, AccessedDirty, Exchange, HYPERVISOR_FRAMES, MmuExt, MmuUpdate, UpdateFlush,
};
use crate::paravirt::{Pfn, PvTables, RawCalls, Refusal};
use machine::{Bus, Cpu, Entry, Frame, Word};

impl From<xen::Refusal> for Refusal {
    fn from(refusal: xen::Refusal) -> Self {
        Self {
            reason: refusal.reason(),
            subject: refusal.subject(),
            no_lowest_table: matches!(refusal, xen::Refusal::NoLowestTable { .. }),
        }
    }
}

impl RawCalls for Xen {
    /// The first that is not the hypervisor's own.
    fn foreign_frame(&self) -> Frame {
        Frame(HYPERVISOR_FRAMES)
    }

    fn update(&self, cpu: &Cpu<'_>, word: Word, entry: Entry) -> Result<(), Refusal> {
        let update = MmuUpdate { word, entry, bits: AccessedDirty::AsGiven };
        Ok(self.hypervisor.mmu_update(cpu, update)?)
    }

    fn update_va(&self, cpu: &Cpu<'_>, va: u64, entry: Entry) -> Result<(), Refusal> {
        Ok(self.hypervisor.update_va_mapping(cpu, va, entry, UpdateFlush::None)?)
    }

    fn pin(&self, cpu: &Cpu<'_>, frame: Frame, level: u8) -> Result<(), Refusal> {
        Ok(self.hypervisor.mmuext_op(cpu, MmuExt::PinTable { frame, level })?)
    }

    fn unpin(&self, cpu: &Cpu<'_>, frame: Frame) -> Result<(), Refusal> {
        Ok(self.hypervisor.mmuext_op(cpu, MmuExt::UnpinTable { frame })?)
    }

    fn is_pinned(&self, bus: &Bus, frame: Frame) -> bool {
        self.hypervisor.type_info(bus, frame).pinned()
    }

    fn load_root(&self, cpu: &Cpu<'_>, root: Frame) -> Result<(), Refusal> {
        Ok(self.hypervisor.mmuext_op(cpu, MmuExt::NewBaseptr { frame: root })?)
    }

    fn flush_all(&self, cpu: &Cpu<'_>) -> Result<(), Refusal> {
        Ok(self.hypervisor.mmuext_op(cpu, MmuExt::TlbFlushAll)?)
    }

    fn exchange(&self, cpu: &Cpu<'_>, pfn: Pfn, limit: u32) -> Result<bool, Refusal> {
        let (offered, mut given) = ([self.frame_of(pfn)], [Frame(0)]);
        let exchange = Exchange { offered: &offered, segment: 1, below: Some(limit), for_good: true };
        let exchanged = self.hypervisor.memory_exchange(cpu, exchange, &mut given);
        if let Some(refusal) = exchanged.refusal {
            return Err(refusal.into());
        }
        let had_one = exchanged.frames != 0;
        if had_one {
            self.p2m.zap(pfn);
            self.p2m.set(pfn, given[0]);
        }
        Ok(had_one)
    }

    fn give_up(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Result<(), Refusal> {
        self.hypervisor.decrease_reservation(cpu, self.frame_of(pfn))?;
        self.p2m.zap(pfn);
        Ok(())
    }
}
