//! Flushing translations on other CPUs, by interrupts of the hypervisor's own: a guest that has interrupts off is
//! interrupted all the same.
//!
//! The request is a plain variable, and each target counts up an answer that only it writes. One flush is under way at
//! a time; whoever spins for its turn has the hypervisor's interrupts on, and so answers the one before it:
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
use crate::sync::{LockClass, Lockdep, SpinGuard, SpinLock};
use machine::{Bus, Cpu, Holder, Invpcid, MAX_CPUS, Until, Var, VarArray, Wait, WaitKind};
use std::rc::Rc;

const FLUSH_LOCK: LockClass = LockClass { family: family::FLUSH_LOCK, name: "flush_lock" };

/// The vector of the hypervisor's flush requests.
pub(super) const FLUSH_VECTOR: u8 = 1;

/// In the request instead of an address: everything. No page begins there.
const EVERYTHING: u64 = u64::MAX;

/// In the request instead of an address: the hypervisor's own translations.
const LINEAR_MAP: u64 = u64::MAX - 1;

/// What is to be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The translations of one page, and the upper entries on the way to it.
    Page(u64),
    /// Everything, global entries too.
    Everything,
    /// The hypervisor's own translations of the linear mapping, and no other.
    LinearMap,
}

/// For each pair of CPUs, how often one asked the other.
type Asked = [[u64; MAX_CPUS as usize]; MAX_CPUS as usize];

/// The request, the answers, and how many were asked for.
#[derive(Debug)]
pub(super) struct Flush {
    asked: SpinLock<Asked>,
    clock: TlbClock,
    request: Var,
    answers: VarArray,
    cpus: u8,
}

impl Flush {
    /// Variables needed.
    pub(super) const VARS: u32 = 2 + MAX_CPUS as u32 * MAX_CPUS as u32 + TlbClock::VARS;

    /// Nothing was asked for yet.
    pub(super) fn new(bus: &Bus, sizes: Sizes, protocol: &Rc<Protocol>, lockdep: &Rc<Lockdep>) -> Self {
        let cpus = bus.cpus();
        Self {
            asked: SpinLock::new(bus, lockdep, FLUSH_LOCK, Default::default()),
            request: bus.memory.var(family::HYPERVISOR_FLUSH),
            answers: bus.memory.vars(family::HYPERVISOR_ACK, usize::from(cpus) * usize::from(cpus)),
            clock: TlbClock::new(bus, sizes, protocol),
            cpus,
        }
    }

    /// The time, to be kept with a frame that nobody refers to any more.
    pub(super) fn time(&self, cpu: &Cpu<'_>) -> Time {
        self.clock.now(cpu)
    }

    /// Everybody who may remember a frame forgets everything: its last reference went at this time.
    pub(super) fn forget(&self, cpu: &Cpu<'_>, stamp: Time) {
        let stale = self.clock.not_flushed_since(cpu, stamp);
        if stale != 0 {
            self.on(cpu, stale, Scope::Everything);
        }
    }

    /// The CPUs that may remember a frame which came to the heap at this time, as memory says: for who runs on none.
    pub(super) fn stale_since(&self, bus: &Bus, stamp: Time) -> impl Iterator<Item = u8> {
        let stale = self.clock.stale_as_memory_says(bus, stamp);
        (0..self.cpus).filter(move |cpu| stale & 1 << cpu != 0)
    }

    /// All CPUs, a bit each.
    pub(super) fn everybody(&self) -> u8 {
        ((1u16 << self.cpus) - 1) as u8
    }

    fn answer(&self, from: u8, to: u8) -> Var {
        self.answers.at(usize::from(from) * usize::from(self.cpus) + usize::from(to))
    }

    /// Flushes on these CPUs, a bit each, and returns when all have (`flush_area_mask`).
    pub(super) fn on(&self, cpu: &Cpu<'_>, mask: u8, scope: Scope) {
        let me = 1 << cpu.id();
        if mask & me != 0 {
            self.here(cpu, scope);
        }
        if mask & self.everybody() & !me != 0 {
            self.ask_others(cpu, &mut self.asked.lock(cpu), mask, scope);
        }
        if scope == Scope::Everything && self.clock.wraps(cpu) {
            self.wrap(cpu);
        }
    }

    /// The clock has wrapped, by a tick of this CPU or of one that it asked: has everybody flush.
    fn wrap(&self, cpu: &Cpu<'_>) {
        let mut asked = self.asked.lock(cpu);
        // Whoever was first has done it.
        if self.clock.wraps(cpu) {
            if self.clock.protocol.does(Step::FlushAtWrap) {
                self.here(cpu, Scope::Everything);
                self.ask_others(cpu, &mut asked, self.everybody(), Scope::Everything);
            }
            self.clock.begin_round(cpu);
        }
    }

    /// Has the others of these CPUs flush, and waits until all have.
    fn ask_others(&self, cpu: &Cpu<'_>, asked: &mut SpinGuard<'_, Asked>, mask: u8, scope: Scope) {
        let me = cpu.id();
        let targets = || (0..self.cpus).filter(|other| *other != me && mask & 1 << other != 0);
        let request = match scope {
            Scope::Page(va) => va & !0xfff,
            Scope::Everything => EVERYTHING,
            Scope::LinearMap => LINEAR_MAP,
        };
        cpu.store(self.request, request);
        // An interrupt may overtake what waits in the store buffer: the request, and the entries that it is about.
        cpu.fence();
        for to in targets() {
            asked[usize::from(me)][usize::from(to)] += 1;
            cpu.send_ipi(to, FLUSH_VECTOR);
        }
        for to in targets() {
            let until = Until::AtLeast(asked[usize::from(me)][usize::from(to)]);
            let (var, holder) = (self.answer(me, to), Holder::Cpu(to));
            cpu.wait(Wait { var, until, holder, kind: WaitKind::Acknowledge });
        }
    }

    /// The target's side: does what was asked for, and says so.
    pub(super) fn handle(&self, cpu: &Cpu<'_>, from: u8) {
        match cpu.load(self.request) {
            EVERYTHING => self.here(cpu, Scope::Everything),
            LINEAR_MAP => self.here(cpu, Scope::LinearMap),
            va => self.here(cpu, Scope::Page(va)),
        }
        let answer = self.answer(from, cpu.id());
        cpu.store(answer, cpu.load(answer) + 1);
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
