//! Shootdown: making every CPU forget its translations of kernel addresses, and waiting until it has.
//!
//! The request travels in plain variables of the sender's, one range at a time; each CPU answers by counting up a
//! variable that only it writes (`smp.rs`). So nothing but the fence before the interrupt orders the request:
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

use crate::base::Base;
use crate::family;
use crate::flush_request::FlushRequest;
use crate::paravirt::PvMmu;
use crate::protocol::Step;
use crate::smp::{self, Answers};
use crate::vpn::{PageRange, Vpn};
use machine::{Bus, Cpu, Interrupt, Var, VarArray};

/// The vector of a flush request.
pub const FLUSH_VECTOR: u8 = 1;

/// Instead of a number of pages: everything.
const EVERYTHING: u64 = u64::MAX;

/// The requests and answers of all CPUs.
#[derive(Debug)]
pub struct TlbFlush {
    /// First page and number of pages of each CPU's request.
    info: VarArray,
    answers: Answers,
}

impl TlbFlush {
    /// No request was made yet.
    pub fn new(bus: &Bus) -> Self {
        Self {
            info: bus.memory.vars(family::FLUSH_INFO, 2 * usize::from(bus.cpus())),
            answers: Answers::new(bus, family::CALL_ACK),
        }
    }

    /// Variables needed for this many CPUs.
    pub fn vars(cpus: u8) -> u32 {
        2 * u32::from(cpus) + Answers::vars(cpus)
    }

    fn info(&self, cpu: u8) -> [Var; 2] {
        let at = 2 * usize::from(cpu);
        [self.info.at(at), self.info.at(at + 1)]
    }

    /// Makes every CPU forget what is asked for, and waits until all have (`flush_tlb_kernel_range`). More pages than the
    /// ceiling cost a full flush instead.
    ///
    /// Interrupts must be on: two CPUs that flush with interrupts off wait for each other for ever.
    pub fn flush<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, request: FlushRequest) {
        let request = request.with_ceiling(base.sizes.flush_ceiling());
        if base.pv.flush_everywhere(cpu, request) {
            return;
        }
        let me = cpu.id();
        self.post(cpu, request);
        let call = smp::Call {
            targets: smp::all_others(cpu),
            interrupt: |target| {
                self.answers.ask(me, target);
                base.pv.send_ipi(cpu, target, FLUSH_VECTOR);
            },
            answer: |target| self.answers.awaited(me, target),
        };
        call.send(cpu, base.protocol.does(Step::FenceBeforeIpi));
        self.flush_local(base, cpu, request);
        call.wait(cpu);
    }

    /// Makes this CPU alone forget what is asked for.
    pub fn flush_local<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, request: FlushRequest) {
        let FlushRequest { range, full } = request.with_ceiling(base.sizes.flush_ceiling());
        if full {
            base.pv.flush_local(cpu);
        } else {
            range.addresses().for_each(|va| base.pv.flush_one(cpu, va));
        }
    }

    /// Writes a request where its targets read it.
    fn post(&self, cpu: &Cpu<'_>, FlushRequest { range, full }: FlushRequest) {
        let [first, pages] = self.info(cpu.id());
        cpu.store(first, range.first.0);
        cpu.store(pages, if full { EVERYTHING } else { range.pages });
    }

    /// The target's side: does what the sender asked for, and says so.
    pub(crate) fn handle<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, interrupt: Interrupt) {
        let [first, pages] = self.info(interrupt.from).map(|var| cpu.load(var));
        let range = PageRange { first: Vpn(first), pages };
        self.flush_local(base, cpu, FlushRequest { range, full: pages == EVERYTHING });
        self.answers.answer(cpu, interrupt.from);
    }
}
