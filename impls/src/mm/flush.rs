//! Making CPUs forget translations of user addresses (`flush_tlb_mm_range`): those CPUs that are in the mask of the address space.
//!
//! ```text
//!   c0 munmap                             c1 loads the address space
//!   clear the entry (buffered)
//!   -- locked operation --                into the mask, locked
//!   read the mask                         load the root; walk
//! ```
//!
//! Whichever comes first at the mask: either c0 finds c1 there, or c1 finds the entry cleared.
//!
//! How a request reaches a CPU is the platform's affair where it has a way of its own. An interrupt does more than the request
//! asks for: a CPU that has answered has left every section in which it had interrupts off, and a hypercall proves no such thing.

use super::Mm;
use crate::base::Base;
use crate::family;
use crate::flush_request::FlushRequest;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::{FlushReach, Step};
use crate::smp::{self, Answers, CpuMask};
use crate::vpn::{PageRange, Vpn};
use machine::{Broadcast, Bus, Cpu, Interrupt, Var, VarArray};

/// The vector of a request to flush user addresses.
pub const USER_FLUSH_VECTOR: u8 = 3;

/// Instead of a number of pages: every user address.
const EVERYTHING: u64 = u64::MAX;

/// The requests and answers of all CPUs.
#[derive(Debug)]
pub(super) struct MmFlush {
    /// First page and number of pages of each CPU's request (`flush_tlb_info`).
    info: VarArray,
    answers: Answers,
}

impl MmFlush {
    /// No request was made yet.
    pub(super) fn new(bus: &Bus) -> Self {
        Self {
            info: bus.memory.vars(family::USER_FLUSH, 2 * usize::from(bus.cpus())),
            answers: Answers::new(bus, family::USER_ACK),
        }
    }

    /// Variables needed for this many CPUs.
    pub(super) fn vars(cpus: u8) -> u32 {
        2 * u32::from(cpus) + Answers::vars(cpus)
    }

    fn info(&self, cpu: u8) -> [Var; 2] {
        let at = 2 * usize::from(cpu);
        [self.info.at(at), self.info.at(at + 1)]
    }

    /// Interrupts these CPUs with a request, flushes here, and waits for the answers.
    fn ask<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, targets: CpuMask, request: FlushRequest) {
        let me = cpu.id();
        let [first, pages] = self.info(me);
        cpu.store(first, request.range.first.0);
        cpu.store(pages, if request.full { EVERYTHING } else { request.range.pages });
        let call = smp::Call {
            targets,
            interrupt: |target| {
                self.answers.ask(me, target);
                base.pv.send_ipi(cpu, target, USER_FLUSH_VECTOR);
            },
            answer: |target| self.answers.awaited(me, target),
        };
        call.send(cpu, base.protocol.does(Step::FenceBeforeIpi));
        call.wait(cpu);
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Makes every CPU that may have translations of an address space forget these, and the ways to them; returns when all have.
    /// Interrupts must be on.
    pub(super) fn flush_tlb_mm_range(&self, cpu: &Cpu<'_>, mm: &Mm, range: PageRange) {
        let request = FlushRequest::pages(range).with_ceiling(self.sizes.flush_ceiling());
        // In place of the locked operation that advances the generation of the address space.
        if self.protocol.does(Step::FenceBeforeUserFlush) {
            cpu.fence();
        }
        if P::BROADCASTS && self.protocol.designs.flush_reach == FlushReach::Broadcast {
            return broadcast(cpu, request);
        }
        let mask = cpu.load(mm.cpumask) as CpuMask;
        let (me, mut others) = (1 << cpu.id(), mask & smp::all_others(cpu));
        if mask & me != 0 {
            self.flush_user_here(cpu, request);
        }
        if others != 0
            && matches!(self.protocol.designs.flush_reach, FlushReach::Platform | FlushReach::Broadcast)
        {
            others = self.pv.flush_user_others(cpu, others, request);
        }
        if others != 0 {
            self.mms.flush.ask(self, cpu, others, request);
        }
    }

    /// Interrupts every other CPU, and waits until all have answered: each has left the section that it was in with interrupts off.
    pub(super) fn interrupt_all(&self, cpu: &Cpu<'_>) {
        let nothing = FlushRequest::pages(PageRange { first: Vpn(0), pages: 0 });
        self.mms.flush.ask(self, cpu, smp::all_others(cpu), nothing);
    }

    /// Makes this CPU forget user addresses.
    fn flush_user_here(&self, cpu: &Cpu<'_>, FlushRequest { range, full }: FlushRequest) {
        if full {
            self.pv.flush_user_local(cpu);
        } else {
            range.addresses().for_each(|va| self.pv.flush_one(cpu, va));
        }
    }

    /// The target's side.
    pub(crate) fn user_flush_handler(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        let [first, pages] = self.mms.flush.info(interrupt.from).map(|var| cpu.load(var));
        let range = PageRange { first: Vpn(first), pages };
        let flush = || self.flush_user_here(cpu, FlushRequest { range, full: pages == EVERYTHING });
        let answer = || self.mms.flush.answers.answer(cpu, interrupt.from);
        // A handler that answers on arrival keeps the sender waiting for less, and has proved nothing yet.
        if self.protocol.designs.flush_reach == FlushReach::EarlyAck {
            answer();
            cpu.fence();
            flush();
        } else {
            flush();
            answer();
        }
    }
}

/// Broadcasts the request, and waits until every CPU has carried it out. No CPU is interrupted for it. The entries that it is
/// about must be visible first: a CPU that has carried the request out may walk again at once.
fn broadcast(cpu: &Cpu<'_>, FlushRequest { range, full }: FlushRequest) {
    if full {
        cpu.invlpgb(Broadcast::AllNonGlobal);
    } else {
        range.addresses().for_each(|va| cpu.invlpgb(Broadcast::Page { va }));
    }
    cpu.tlbsync();
}
