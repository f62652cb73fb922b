//! Native: the kernel runs on the hardware itself, and interrupts the CPUs that are to flush.

use crate::flush_request::FlushRequest;
use crate::hardware::{Beneath, Hardware};
use crate::protocol::Protocol;
use crate::smp::CpuMask;
use machine::{Bus, Cpu, Interrupt};
use std::rc::Rc;

/// Bare metal.
pub type Native = Hardware<Bare>;

/// Nothing lies beneath.
#[derive(Clone, Copy, Debug)]
pub struct Bare;

impl Beneath for Bare {
    const NAME: &'static str = "native";
    const FLUSHES_BY_INTERRUPT: bool = true;
    const BROADCASTS: bool = true;
    const VARS: u32 = 0;

    fn boot(_bus: &Bus, _protocol: &Rc<Protocol>) -> Self {
        Self
    }

    fn flush_others(&self, _cpu: &Cpu<'_>, cpus: CpuMask, _request: FlushRequest) -> CpuMask {
        cpus
    }

    fn interrupt(&self, cpu: &Cpu<'_>, _interrupt: Interrupt) {
        cpu.bug("an interrupt for a hypervisor, and there is none");
    }
}
