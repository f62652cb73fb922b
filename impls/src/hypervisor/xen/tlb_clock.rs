//! The TLB clock: which CPUs still have to forget a frame, and which have done so by another flush already.
//!
//! A small clock ticks with every full flush. Each CPU keeps the time of its last one, and each frame the time at which its
//! last typed reference went. A CPU that flushed later than that has forgotten the frame: its entries in the TLB, and the
//! upper entries by which a walk would still reach it. It has also emptied its store buffer, so none of its stores to the
//! frame is on the way.
//!
//! A CPU ticks *before* it flushes, and keeps that time afterwards:
//!
//! ```text
//!   c1 flushes, and ticks too late        c0 unmaps a page
//!   flush
//!   (a walker brings the entry back)
//!                                         clear PTE
//!                                         the last reference goes: stamp 5
//!   tick: 6, and that is c1's time        c1 flushed later than 5: not interrupted, and still has it
//! ```
//!
//! Between tick and note no other flush comes in on this CPU, because interrupts are off. Otherwise the outer flush would
//! overwrite the time of the inner one; across a wrap the older of the two is the greater number.
//!
//! The clock wraps, because each frame has only a few bits for it beside its type. It stands at 0 while every CPU is made
//! to flush. Then a new round begins, with times from this round only:
//!
//! ```text
//!   c0 ticks from 15                      c1, whose last flush was at 15
//!   clock: 0
//!   flush everywhere                      time: 0
//!   clock: 1
//!                                         maps a page, touches it, unmaps it: stamp 1
//!                                         flushed at 0, so it has to; at 15, as it was, it would not
//! ```
//!
//! While the clock stands at 0, words hold times of both rounds, and every CPU has to flush. A stamp in the future is from
//! an earlier round. All CPUs have flushed since then, but the stamp may become the present again; it is not worth finding
//! out.

use crate::family;
use crate::protocol::{Protocol, Step};
use crate::sizes::Sizes;
use machine::{Bus, Cpu, MAX_CPUS, Var, VarArray};
use std::rc::Rc;

/// A time of the clock. 0 is during a wrap.
pub(super) type Time = u16;

/// The clock, and when each CPU last flushed.
#[derive(Debug)]
pub(super) struct TlbClock {
    pub(super) protocol: Rc<Protocol>,
    now: Var,
    flushed: VarArray,
    /// The greatest time.
    last: Time,
    cpus: u8,
}

impl TlbClock {
    /// The variables that it needs.
    pub(super) const VARS: u32 = 1 + MAX_CPUS as u32;

    /// No CPU has flushed yet. The first wrap is near, because stories should try often what happens seldom. At real sizes
    /// the second is far: a wrap interrupts every CPU, and should not dominate the count of flushes.
    pub(super) fn new(bus: &Bus, sizes: Sizes, protocol: &Rc<Protocol>) -> Self {
        let last = match sizes {
            Sizes::Tiny => 0xf,
            Sizes::Small => 0xff,
            Sizes::Real => Time::MAX,
        };
        let cpus = bus.cpus();
        let now = bus.memory.var(family::TLB_CLOCK);
        bus.memory.set_value(now, u64::from(last - 3));
        let flushed = bus.memory.vars(family::TLB_TIME, cpus.into());
        Self { protocol: Rc::clone(protocol), now, flushed, last, cpus }
    }

    /// What the clock shows.
    pub(super) fn now(&self, cpu: &Cpu<'_>) -> Time {
        cpu.load(self.now) as Time
    }

    /// Flushes everything on this CPU, and notes when.
    pub(super) fn flush_here(&self, cpu: &Cpu<'_>) {
        let interrupts = cpu.irq_save();
        let (time, ()) = self.protocol.in_order(Step::TickBeforeFlush, || self.tick(cpu), || cpu.flush_all());
        cpu.store(self.flushed.at(cpu.id().into()), u64::from(time));
        cpu.irq_restore(interrupts);
    }

    /// Advances the clock, unless it is wrapping at this moment. Returns what it shows then.
    fn tick(&self, cpu: &Cpu<'_>) -> Time {
        let next = |now: u64| if now == u64::from(self.last) { 0 } else { now + 1 };
        let before = cpu.update(self.now, |now| (now != 0).then(|| next(now)));
        if before == 0 { 0 } else { next(before) as Time }
    }

    /// Whether the clock is wrapping: every CPU has to flush before it goes on.
    pub(super) fn wraps(&self, cpu: &Cpu<'_>) -> bool {
        self.now(cpu) == 0
    }

    /// Every CPU has flushed since the clock stood still. No other CPU moves it now.
    pub(super) fn begin_round(&self, cpu: &Cpu<'_>) {
        cpu.store(self.now, 1);
    }

    /// As [`TlbClock::not_flushed_since`], for a caller that runs on no CPU. It misses a time that is still in a store
    /// buffer: that CPU flushes once more.
    pub(super) fn stale_as_memory_says(&self, bus: &Bus, stamp: Time) -> u8 {
        let now = bus.memory.value(self.now) as Time;
        let flushed = |cpu: u8| bus.memory.value(self.flushed.at(cpu.into())) as Time;
        let stale = |cpu: &u8| now == 0 || stamp > now || flushed(*cpu) <= stamp;
        (0..self.cpus).filter(stale).fold(0, |mask, cpu| mask | 1 << cpu)
    }

    /// The CPUs, a bit each, that may remember a frame whose last reference went at this time.
    pub(super) fn not_flushed_since(&self, cpu: &Cpu<'_>, stamp: Time) -> u8 {
        let now = self.now(cpu);
        let all = now == 0 || stamp > now;
        (0..self.cpus)
            .filter(|other| all || cpu.load(self.flushed.at((*other).into())) <= u64::from(stamp))
            .fold(0, |mask, other| mask | 1 << other)
    }
}
