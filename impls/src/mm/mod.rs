//! Address spaces and their kernel half: each has a root of its own, and copies of the kernel's upper levels down to the
//! one whose entries lead to tables of the lowest level. The kernel's tables keep the copies in step
//! (`kernel_tables/copies.rs`); here address spaces are made and dropped (`lifetime.rs`), and loaded and left (`switch.rs`).

mod lifetime;
mod switch;

use crate::family;
use crate::paravirt::Pfn;
use crate::sync::PerCpuVar;
use machine::Bus;

/// The vector by which a CPU is taken off an address space.
pub const LEAVE_MM_VECTOR: u8 = 2;

/// An address space.
#[derive(Debug)]
pub struct Mm {
    /// Its root, then the tables of the levels below it, from the upper to the lower.
    pages: Vec<Pfn>,
}

impl Mm {
    fn root(&self) -> Pfn {
        self.pages[0]
    }
}

/// Instead of a root: a CPU wants no other to leave anything.
const NONE: u64 = u64::MAX;

/// Which address spaces are loaded where, beside the kernel's own.
#[derive(Debug)]
pub struct Mms {
    /// Which each CPU has loaded (`cpu_tlbstate.loaded_mm`), by its root.
    loaded: PerCpuVar,
    /// Which each CPU wants others to leave, by its root.
    leave: PerCpuVar,
    init: Pfn,
}

impl Mms {
    /// Every CPU begins in the kernel's own, which has this root.
    pub fn new(bus: &Bus, init: Pfn) -> Self {
        let mms = Self {
            loaded: PerCpuVar::new(bus, family::LOADED_MM),
            leave: PerCpuVar::new(bus, family::LEAVE_MM),
            init,
        };
        for cpu in 0..bus.cpus() {
            bus.memory.set_value(mms.loaded.of(cpu), init.0.into());
            bus.memory.set_value(mms.leave.of(cpu), NONE);
        }
        mms
    }

    /// Variables needed for this many CPUs.
    pub fn vars(cpus: u8) -> u32 {
        2 * u32::from(cpus)
    }
}
