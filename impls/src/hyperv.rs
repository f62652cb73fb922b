//! Hyper-V: a virtual machine with tables of its own, which has the hypervisor flush other CPUs (`hyperv_flush_tlb_multi`).
//!
//! The hypervisor reaches a CPU whatever it is at, interrupts off or not, and the call returns when every CPU of the set has
//! forgotten. As with Xen that proves nothing about what those CPUs were at in software. Between two CPUs of the set others go on.

use crate::flush_request::FlushRequest;
use crate::hardware::{Beneath, Hardware};
use crate::protocol::Protocol;
use crate::smp::CpuMask;
use machine::{Bus, Cpu, Interrupt};
use std::rc::Rc;

/// A virtual machine on Hyper-V.
pub type HyperV = Hardware<HyperVHost>;

/// The hypervisor.
#[derive(Clone, Copy, Debug)]
pub struct HyperVHost;

impl Beneath for HyperVHost {
    const NAME: &'static str = "hyperv";
    const FLUSHES_BY_INTERRUPT: bool = false;
    const VARS: u32 = 0;

    fn boot(_bus: &Bus, _protocol: &Rc<Protocol>) -> Self {
        Self
    }

    /// The request is a set of CPUs, with a list of ranges or all addresses; the hypervisor may flush more than it is asked for, and
    /// here flushes everything.
    #[track_caller]
    fn flush_others(&self, cpu: &Cpu<'_>, cpus: CpuMask, _request: FlushRequest) -> CpuMask {
        cpu.hypercall("flush_virtual_address_space", |cpu| {
            for target in (0..cpu.bus().cpus()).filter(|target| cpus & 1 << target != 0) {
                cpu.flush_other(target);
            }
        });
        0
    }

    fn interrupt(&self, cpu: &Cpu<'_>, _interrupt: Interrupt) {
        cpu.bug("an interrupt of the hypervisor's that nothing sends");
    }
}
