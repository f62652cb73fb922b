//! Shootdown: making every CPU forget its translations of kernel addresses, and waiting until it has.
//!
//! The request travels in plain variables of the sender's, one range at a time; each CPU answers by counting up a
//! variable that only it writes. So nothing but the fence before the interrupt orders the request:
//!
//! ```text
//!   sender                                target
//!   clear PTE          (buffered)
//!   write flush_info   (buffered)
//!   -- fence --        without it:
//!   send IPI                              take it
//!                                         read flush_info: the one before
//!                                         invalidate the wrong pages
//!   (stores drain)                        count up call_ack
//!   see call_ack: done                    still holds the old translation
//! ```
//!
//! which breaks rules 4 and 5 of the contract. An interrupt-command write to the x2APIC does not serialise.

use crate::family;
use crate::kernel::Kernel;
use crate::paravirt::{PageRange, PvMmu};
use crate::protocol::Step;
use crate::sync::PerCpu;
use machine::{Bus, Cpu, Holder, Interrupt, Until, Var, VarArray, Wait, WaitKind};
use std::cell::Cell;

/// The vector of a flush request.
pub const FLUSH_VECTOR: u8 = 1;

/// Instead of a number of pages: everything.
const EVERYTHING: u64 = u64::MAX;

/// The requests and answers of all CPUs.
#[derive(Debug)]
pub struct TlbFlush {
    /// First page and number of pages of each CPU's request.
    info: VarArray,
    /// For each sender and target, how many requests were answered.
    acks: VarArray,
    /// How many requests each CPU has sent; its own business.
    sent: PerCpu<Cell<u64>>,
    cpus: u8,
}

impl TlbFlush {
    /// No request was made yet.
    pub fn new(bus: &Bus) -> Self {
        let cpus = bus.cpus();
        let square = usize::from(cpus) * usize::from(cpus);
        Self {
            info: bus.memory.vars(family::FLUSH_INFO, 2 * usize::from(cpus)),
            acks: bus.memory.vars(family::CALL_ACK, square),
            sent: PerCpu::new(bus, |_| Cell::new(0)),
            cpus,
        }
    }

    /// Variables needed for this many CPUs.
    pub fn vars(cpus: u8) -> u32 {
        let cpus = u32::from(cpus);
        2 * cpus + cpus * cpus
    }

    fn first(&self, cpu: u8) -> Var {
        self.info.at(2 * usize::from(cpu))
    }

    fn pages(&self, cpu: u8) -> Var {
        self.info.at(2 * usize::from(cpu) + 1)
    }

    fn ack(&self, from: u8, to: u8) -> Var {
        self.acks.at(usize::from(from) * usize::from(self.cpus) + usize::from(to))
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Makes every CPU forget its translations of these pages, and the upper entries on the way to them, and waits
    /// until all have (`flush_tlb_kernel_range`). More pages than the ceiling cost a full flush instead.
    ///
    /// Interrupts must be on: two CPUs that flush with interrupts off wait for each other for ever.
    pub fn flush_tlb_kernel_range(&self, cpu: &Cpu<'_>, range: PageRange) {
        let full = range.pages > self.sizes.flush_ceiling();
        if self.pv.flush_everywhere(cpu, range, full) {
            return;
        }
        let flush = &self.tlb;
        let me = cpu.id();
        cpu.store(flush.first(me), range.first);
        cpu.store(flush.pages(me), if full { EVERYTHING } else { range.pages });
        let sent = flush.sent.this(cpu);
        sent.set(sent.get() + 1);
        if self.protocol.does(Step::FenceBeforeIpi) {
            cpu.fence();
        }
        for other in (0..flush.cpus).filter(|other| *other != me) {
            self.pv.send_ipi(cpu, other, FLUSH_VECTOR);
        }
        self.flush_tlb_local(cpu, range, full);
        for other in (0..flush.cpus).filter(|other| *other != me) {
            let until = Until::AtLeast(sent.get());
            let holder = Holder::Cpu(other);
            cpu.wait(Wait { var: flush.ack(me, other), until, holder, kind: WaitKind::Acknowledge });
        }
    }

    /// Makes this CPU alone forget its translations of these pages.
    pub fn flush_tlb_local(&self, cpu: &Cpu<'_>, range: PageRange, full: bool) {
        if full {
            self.pv.flush_local(cpu);
        } else {
            for page in 0..range.pages {
                self.pv.flush_one(cpu, range.address(page));
            }
        }
    }

    /// The target's side: does what the sender asked for, and says so.
    pub(crate) fn flush_tlb_handler(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        let flush = &self.tlb;
        let first = cpu.load(flush.first(interrupt.from));
        let pages = cpu.load(flush.pages(interrupt.from));
        self.flush_tlb_local(cpu, PageRange { first, pages }, pages == EVERYTHING);
        let ack = flush.ack(interrupt.from, cpu.id());
        cpu.store(ack, cpu.load(ack) + 1);
    }
}
