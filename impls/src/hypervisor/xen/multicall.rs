//! The hypercall `multicall`: several calls for the price of one trap.

use super::Hypervisor;
use super::mmu::{MmuUpdate, UpdateFlush};
use super::mmuext::MmuExt;
use super::refusal::Refusal;
use machine::{Cpu, Entry};

/// One of several calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// `mmu_update`.
    MmuUpdate(MmuUpdate),
    /// `update_va_mapping`.
    UpdateVaMapping {
        /// The address.
        va: u64,
        /// What its entry is to hold.
        entry: Entry,
        /// What is flushed then.
        flush: UpdateFlush,
    },
    /// `mmuext_op`.
    MmuExt(MmuExt),
}

impl Hypervisor {
    /// Does all calls in their order, whatever becomes of those before. Each that is refused is told to `refused`, by
    /// its place.
    pub fn multicall(&self, cpu: &Cpu<'_>, calls: &[Call], mut refused: impl FnMut(usize, Refusal)) {
        cpu.hypercall("multicall", |cpu| {
            for (place, call) in calls.iter().enumerate() {
                let result = match *call {
                    Call::MmuUpdate(update) => self.do_mmu_update(cpu, update),
                    Call::UpdateVaMapping { va, entry, flush } => {
                        self.do_update_va_mapping(cpu, va, entry, flush)
                    }
                    Call::MmuExt(op) => self.do_mmuext_op(cpu, op),
                };
                if let Err(refusal) = result {
                    refused(place, refusal);
                }
            }
        });
    }
}
