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
        /// What to flush after that.
        flush: UpdateFlush,
    },
    /// `mmuext_op`.
    MmuExt(MmuExt),
}

impl Hypervisor {
    /// Performs all calls in their order, even after one is refused. Tells `refused` of each refusal, with the place of the
    /// call.
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
