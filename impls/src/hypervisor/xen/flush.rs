//! Flushes translations on other CPUs by interrupts of the hypervisor's own, which a guest takes even with its interrupts
//! off.
//!
//! The request is a plain variable, and each target counts up an answer that only it writes (`smp.rs`). One flush is under
//! way at a time; a CPU that spins for its turn has the hypervisor's interrupts on, and so answers the one before it:
//!
//! ```text
//!   c0 flushes                            c1 wants to flush
//!   flush_lock taken
//!   request, fence, IPI to c1
//!                                         spins for flush_lock
//!   waits for c1's answer                 <- with interrupts off here, for ever
//! ```

use super::linear::LINEAR_PCID;
use super::tlb_clock::{Time, TlbClock};
use crate::family;
use crate::protocol::{Protocol, Step};
use crate::sizes::Sizes;
use crate::smp::{self, Answers, Call, CpuMask};
use crate::sync::{LockClass, Lockdep, SpinGuard, SpinLock};
use machine::{Bus, Cpu, Invpcid, MAX_CPUS, Var};
use std::rc::Rc;

const FLUSH_LOCK: LockClass = LockClass { family: family::FLUSH_LOCK, name: "flush_lock" };

/// The vector of the hypervisor's flush requests.
pub(super) const FLUSH_VECTOR: u8 = 1;

/// In the request instead of an address: everything. No page begins at this address.
const EVERYTHING: u64 = u64::MAX;

/// In the request instead of an address: the hypervisor's own translations.
const LINEAR_MAP: u64 = u64::MAX - 1;

/// What the target CPUs forget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The translations of one page, and the upper entries on the way to it.
    Page(u64),
    /// Everything, global entries too.
    Everything,
    /// The hypervisor's own translations of the linear mapping, and no other.
    LinearMap,
}

/// The request, and the answers.
#[derive(Debug)]
pub(super) struct Flush {
    lock: SpinLock<()>,
    clock: TlbClock,
    request: Var,
    answers: Answers,
    cpus: u8,
}

impl Flush {
    /// Variables needed.
    pub(super) const VARS: u32 = 2 + Answers::vars(MAX_CPUS) + TlbClock::VARS;

    /// No CPU has asked for a flush yet.
    pub(super) fn new(bus: &Bus, sizes: Sizes, protocol: &Rc<Protocol>, lockdep: &Rc<Lockdep>) -> Self {
        let cpus = bus.cpus();
        Self {
            lock: SpinLock::new(bus, lockdep, FLUSH_LOCK, ()),
            request: bus.memory.var(family::HYPERVISOR_FLUSH),
            answers: Answers::new(bus, family::HYPERVISOR_ACK),
            clock: TlbClock::new(bus, sizes, protocol),
            cpus,
        }
    }

    /// The time to keep with a frame whose last reference has gone.
    pub(super) fn time(&self, cpu: &Cpu<'_>) -> Time {
        self.clock.now(cpu)
    }

    /// Makes every CPU that may remember a frame forget everything. The frame's last reference went at this time.
    pub(super) fn forget(&self, cpu: &Cpu<'_>, stamp: Time) {
        let stale = self.clock.not_flushed_since(cpu, stamp);
        if stale != 0 {
            self.on(cpu, stale, Scope::Everything);
        }
    }

    /// The CPUs that may remember a frame which came to the heap at this time, as memory says: for a caller that runs on no
    /// CPU.
    pub(super) fn stale_since(&self, bus: &Bus, stamp: Time) -> impl Iterator<Item = u8> {
        let stale = self.clock.stale_as_memory_says(bus, stamp);
        (0..self.cpus).filter(move |cpu| stale & 1 << cpu != 0)
    }

    /// All CPUs, a bit each.
    pub(super) fn all_cpus(&self) -> CpuMask {
        ((1u16 << self.cpus) - 1) as u8
    }

    /// Flushes on these CPUs, a bit each, and returns when all have (`flush_area_mask`).
    pub(super) fn on(&self, cpu: &Cpu<'_>, mask: CpuMask, scope: Scope) {
        let me = 1 << cpu.id();
        if mask & me != 0 {
            self.here(cpu, scope);
        }
        if mask & self.all_cpus() & !me != 0 {
            self.ask_others(cpu, &self.lock.lock(cpu), mask, scope);
        }
        if scope == Scope::Everything && self.clock.wraps(cpu) {
            self.wrap(cpu);
        }
    }

    /// The clock has wrapped, by a tick of this CPU or of one that it asked: has every CPU flush.
    fn wrap(&self, cpu: &Cpu<'_>) {
        let turn = self.lock.lock(cpu);
        // Another CPU may have been first, and have done it.
        if self.clock.wraps(cpu) {
            if self.clock.protocol.does(Step::FlushAtWrap) {
                self.here(cpu, Scope::Everything);
                self.ask_others(cpu, &turn, self.all_cpus(), Scope::Everything);
            }
            self.clock.begin_round(cpu);
        }
    }

    /// Has the others of these CPUs flush, and waits until all have. It is this CPU's turn.
    fn ask_others(&self, cpu: &Cpu<'_>, _turn: &SpinGuard<'_, ()>, mask: CpuMask, scope: Scope) {
        let me = cpu.id();
        let request = match scope {
            Scope::Page(va) => va & !0xfff,
            Scope::Everything => EVERYTHING,
            Scope::LinearMap => LINEAR_MAP,
        };
        cpu.store(self.request, request);
        let call = Call {
            targets: mask & smp::all_others(cpu),
            interrupt: |target| {
                self.answers.ask(me, target);
                cpu.send_ipi(target, FLUSH_VECTOR);
            },
            answer: |target| self.answers.awaited(me, target),
        };
        // An interrupt may overtake what waits in the store buffer: the request, and the entries that it is about.
        call.send(cpu, true);
        call.wait(cpu);
    }

    /// The target's side: flushes what the request says, and answers.
    pub(super) fn handle(&self, cpu: &Cpu<'_>, from: u8) {
        match cpu.load(self.request) {
            EVERYTHING => self.here(cpu, Scope::Everything),
            LINEAR_MAP => self.here(cpu, Scope::LinearMap),
            va => self.here(cpu, Scope::Page(va)),
        }
        self.answers.answer(cpu, from);
    }

    /// Flushes on this CPU.
    fn here(&self, cpu: &Cpu<'_>, scope: Scope) {
        match scope {
            Scope::Page(va) => cpu.invlpg(va),
            Scope::Everything => self.clock.flush_here(cpu),
            Scope::LinearMap => cpu.invpcid(Invpcid::Single { pcid: LINEAR_PCID }),
        }
    }
}
