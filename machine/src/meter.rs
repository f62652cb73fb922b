//! What costs time, counted and priced: a clock for each CPU, driven by what the CPU does.
//!
//! The meter listens to what the trace would say. So it costs nothing while it is off, and it changes nothing. Its prices
//! come from outside, in any unit; the machine knows no nanoseconds.
//!
//! Three rules bind the clocks of different CPUs, and they are the whole model of time:
//!
//! 1. No CPU sees a value before it was written: a load, a locked operation or the end of a wait comes no earlier than the
//!    store that it sees.
//! 2. No CPU takes an interrupt before it was sent and delivered.
//! 3. A variable that another CPU touched since comes from that CPU's cache, at the price of a transfer.
//!
//! They hold in whatever order the CPUs run. But the times are only as good as that order is near to the order of the
//! clocks: a caller that wants times always runs the CPU that is furthest behind, a point at a time.

use crate::core::Level;
use crate::memory::{Target, Var};
use crate::trace::{Flushed, TraceEvent};
use crate::wait::WaitKind;
use std::collections::BTreeMap;
use std::ops::{Add, Sub};

macro_rules! counted {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// What the meter counts.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Counted {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Counted {
            /// Everything that the meter counts.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name for people and machines.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

counted! {
    /// Plain loads.
    Load = "loads",
    /// Plain stores.
    Store = "stores",
    /// Locked read-modify-writes.
    Locked = "locked",
    /// Full fences.
    Fence = "fences",
    /// Variables that came from another CPU's cache.
    Transfer = "transfers",
    /// Pages zeroed.
    Cleared = "pages_cleared",
    /// Accesses through the MMU.
    Access = "accesses",
    /// Of these, those that ended in a fault.
    Fault = "faults",
    /// Walks because no cached leaf permitted an access: TLB misses.
    Walk = "walks",
    /// Table entries read by them.
    WalkLevel = "walk_levels",
    /// Walks that no access asked for.
    SpeculativeWalk = "speculative_walks",
    /// Single pages invalidated.
    FlushPage = "flushes_page",
    /// Flushes of everything but global entries, flushing loads of CR3 among them.
    FlushFull = "flushes_full",
    /// Flushes of everything, global entries too.
    FlushGlobal = "flushes_global",
    /// Cached leaves lost to flushes.
    LeavesLost = "leaves_lost",
    /// Cached upper entries lost to flushes.
    PathsLost = "paths_lost",
    /// Loads of CR3 that flush nothing.
    Cr3 = "cr3_loads",
    /// Interrupts sent to CPUs that run something.
    IpiBusy = "ipis_to_busy",
    /// Interrupts sent to CPUs that have nothing to do.
    IpiIdle = "ipis_to_idle",
    /// Interrupts taken.
    Interrupt = "interrupts",
    /// Of these, those that woke an idle CPU.
    Wakeup = "wakeups",
    /// The interrupt flag set or cleared.
    InterruptFlag = "interrupt_flag",
    /// Traps into the hypervisor.
    Hypercall = "hypercalls",
    /// Locks taken.
    Lock = "locks",
    /// Waits for locks. A CPU that finds the lock taken again when it was free waits again.
    LockWait = "lock_waits",
    /// Waits for other CPUs to answer an interrupt.
    AnswerWait = "answer_waits",
    /// Waits for a grace period.
    GraceWait = "grace_waits",
}

/// How many kinds of things the meter counts.
const KINDS: usize = Counted::ALL.len();

/// How often each thing happened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    of: [u64; KINDS],
    hypercalls: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// How often this happened.
    pub fn of(&self, what: Counted) -> u64 {
        self.of[what as usize]
    }

    /// Interrupts sent, to busy and to idle CPUs.
    pub fn ipis(&self) -> u64 {
        self.of(Counted::IpiBusy) + self.of(Counted::IpiIdle)
    }

    /// Accesses that the TLB answered.
    pub fn tlb_hits(&self) -> u64 {
        self.of(Counted::Access).saturating_sub(self.of(Counted::Walk))
    }

    /// Hypercalls by name.
    pub fn hypercalls(&self) -> &BTreeMap<&'static str, u64> {
        &self.hypercalls
    }

    fn merge(mut self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        for (mine, other) in self.of.iter_mut().zip(&other.of) {
            *mine = with(*mine, *other);
        }
        for (name, other) in &other.hypercalls {
            let mine = self.hypercalls.entry(name).or_default();
            *mine = with(*mine, *other);
        }
        self.hypercalls.retain(|_, count| *count != 0);
        self
    }
}

impl Add<&Self> for Counts {
    type Output = Self;
    fn add(self, other: &Self) -> Self {
        self.merge(other, |mine, other| mine + other)
    }
}

/// What happened since an earlier count.
impl Sub<&Self> for Counts {
    type Output = Self;
    fn sub(self, earlier: &Self) -> Self {
        self.merge(earlier, |now, then| now - then)
    }
}

/// What each thing costs the CPU that does it, in a unit of the caller's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prices {
    of: [u64; KINDS],
    /// How long an interrupt is on its way. Only a CPU that waits for the interrupt loses this time.
    pub delivery: u64,
}

impl Prices {
    /// These prices.
    pub fn new(delivery: u64, price: impl Fn(Counted) -> u64) -> Self {
        let mut of = [0; KINDS];
        for what in Counted::ALL {
            of[*what as usize] = price(*what);
        }
        Self { of, delivery }
    }
}

/// An interrupt on its way.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    from: u8,
    level: Level,
    at: u64,
}

/// One CPU's clock and counts.
#[derive(Clone, Debug, Default)]
struct Account {
    counts: Counts,
    clock: u64,
    waited: u64,
    /// Time spent in handlers.
    stolen: u64,
    handlers: u32,
    /// When the outermost handler began.
    entered: u64,
    arrivals: Vec<Arrival>,
    /// Waits that are not over, one within the other.
    waits: u32,
    idle: bool,
}

/// A variable as caches see it.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// When it was last written, by the clock of the CPU that wrote it.
    written: u64,
    /// The CPUs whose caches hold it, a bit each.
    holders: u8,
}

/// Counts and clocks of all CPUs.
#[derive(Debug)]
pub struct Meter {
    prices: Prices,
    accounts: Vec<Account>,
    lines: Vec<Line>,
}

impl Meter {
    pub(crate) fn new(prices: Prices, cpus: u8, vars: u32) -> Self {
        Self {
            prices,
            accounts: vec![Account::default(); usize::from(cpus)],
            lines: vec![Line::default(); vars as usize],
        }
    }

    fn account(&self, cpu: u8) -> &Account {
        &self.accounts[usize::from(cpu)]
    }

    fn account_mut(&mut self, cpu: u8) -> &mut Account {
        &mut self.accounts[usize::from(cpu)]
    }

    /// The clock of a CPU.
    pub fn clock(&self, cpu: u8) -> u64 {
        self.account(cpu).clock
    }

    /// How much of its time a CPU has waited: for locks, for answers, for values.
    pub fn waited(&self, cpu: u8) -> u64 {
        self.account(cpu).waited
    }

    /// How much of its time a CPU spent in handlers, entry and return included: they took it from what ran there.
    pub fn stolen(&self, cpu: u8) -> u64 {
        self.account(cpu).stolen
    }

    /// What a CPU has done.
    pub fn counts(&self, cpu: u8) -> &Counts {
        &self.account(cpu).counts
    }

    /// What all CPUs have done.
    pub fn total(&self) -> Counts {
        self.accounts.iter().fold(Counts::default(), |all, account| all + &account.counts)
    }

    /// Says whether a CPU has nothing to run. Only the caller that gives the CPUs their work knows; no CPU is idle to begin
    /// with.
    pub fn set_idle(&mut self, cpu: u8, idle: bool) {
        self.account_mut(cpu).idle = idle;
    }

    /// Lets time pass on a CPU until this moment.
    pub fn pass(&mut self, cpu: u8, until: u64) {
        let account = self.account_mut(cpu);
        account.clock = account.clock.max(until);
    }

    /// When the first interrupt reaches a CPU, of those for the levels of privilege that the CPU takes now.
    pub fn arrival(&self, cpu: u8, takes: impl Fn(Level) -> bool) -> Option<u64> {
        self.account(cpu).arrivals.iter().filter(|one| takes(one.level)).map(|one| one.at).min()
    }

    /// When a variable was last written.
    pub fn written(&self, var: Var) -> u64 {
        self.lines[var.index as usize].written
    }

    fn count(&mut self, cpu: u8, what: Counted, times: u64) {
        let price = self.prices.of[what as usize];
        let account = self.account_mut(cpu);
        account.counts.of[what as usize] += times;
        account.clock += times * price;
    }

    fn wait_until(&mut self, cpu: u8, moment: u64) {
        let account = self.account_mut(cpu);
        account.waited += moment.saturating_sub(account.clock);
        account.clock = account.clock.max(moment);
    }

    /// A CPU reaches for a variable. The meter does not follow words of frames from cache to cache: locks protect page
    /// tables, and data belongs to the callers.
    fn reach(&mut self, cpu: u8, target: Target, exclusive: bool) {
        let Target::Var(var) = target else { return };
        let (me, line) = (1 << cpu, &mut self.lines[var.index as usize]);
        let mine = if exclusive { line.holders == me } else { line.holders & me != 0 };
        let transferred = !mine && line.holders & !me != 0;
        line.holders = if exclusive { me } else { line.holders | me };
        if transferred {
            self.count(cpu, Counted::Transfer, 1);
        }
    }

    fn see(&mut self, cpu: u8, target: Target) {
        if let Target::Var(var) = target {
            self.wait_until(cpu, self.written(var));
        }
    }

    fn publish(&mut self, cpu: u8, target: Target) {
        if let Target::Var(var) = target {
            self.lines[var.index as usize].written = self.clock(cpu);
        }
    }

    /// Hears that something happened.
    pub(crate) fn hear(&mut self, cpu: u8, event: &TraceEvent) {
        match *event {
            TraceEvent::Load { target, .. } => {
                self.reach(cpu, target, false);
                self.see(cpu, target);
                self.count(cpu, Counted::Load, 1);
            }
            TraceEvent::Store { target, buffered, .. } => {
                self.reach(cpu, target, true);
                self.count(cpu, Counted::Store, 1);
                if !buffered {
                    self.publish(cpu, target);
                }
            }
            TraceEvent::Drained { target, .. } => self.publish(cpu, target),
            TraceEvent::Locked { target, old, new } => {
                self.reach(cpu, target, true);
                self.see(cpu, target);
                self.count(cpu, Counted::Locked, 1);
                if old != new {
                    self.publish(cpu, target);
                }
            }
            TraceEvent::Fence => self.count(cpu, Counted::Fence, 1),
            TraceEvent::Cleared { .. } => self.count(cpu, Counted::Cleared, 1),
            TraceEvent::Walked { speculative: true, .. } => self.count(cpu, Counted::SpeculativeWalk, 1),
            TraceEvent::Walked { levels, speculative: false, .. } => {
                self.count(cpu, Counted::Walk, 1);
                self.count(cpu, Counted::WalkLevel, levels.into());
            }
            TraceEvent::Read { frame, .. } | TraceEvent::Write { frame, .. } => {
                self.count(cpu, Counted::Access, 1);
                self.count(cpu, Counted::Fault, frame.is_none().into());
            }
            TraceEvent::Invalidated { .. } | TraceEvent::Cr3 { .. } => self.hear_flush(cpu, event),
            TraceEvent::IpiSent { to, level } => self.sent(cpu, to, level),
            TraceEvent::InterruptTaken { from, level } => self.taken(cpu, from, level),
            TraceEvent::InterruptDone => self.returned(cpu),
            TraceEvent::Waits { wait } => {
                let what = match wait.kind {
                    WaitKind::Spin | WaitKind::Sleep => Counted::LockWait,
                    WaitKind::Acknowledge => Counted::AnswerWait,
                    WaitKind::GracePeriod => Counted::GraceWait,
                };
                self.count(cpu, what, 1);
                self.account_mut(cpu).waits += 1;
            }
            TraceEvent::Waited { wait } => {
                self.wait_until(cpu, self.written(wait.var));
                let account = self.account_mut(cpu);
                account.waits = account.waits.saturating_sub(1);
            }
            TraceEvent::Locks { .. } => self.count(cpu, Counted::Lock, 1),
            TraceEvent::IrqOff | TraceEvent::IrqOn => self.count(cpu, Counted::InterruptFlag, 1),
            TraceEvent::Hypercall { name } => {
                self.count(cpu, Counted::Hypercall, 1);
                *self.account_mut(cpu).counts.hypercalls.entry(name).or_default() += 1;
            }
            TraceEvent::Filled { .. }
            | TraceEvent::Paused { .. }
            | TraceEvent::Role { .. }
            | TraceEvent::Returned
            | TraceEvent::Note { .. } => {}
        }
    }

    fn hear_flush(&mut self, cpu: u8, event: &TraceEvent) {
        let (what, lost) = match *event {
            TraceEvent::Invalidated { flushed: Flushed::Page, lost, .. } => (Counted::FlushPage, lost),
            TraceEvent::Invalidated { flushed: Flushed::Full, lost, .. }
            | TraceEvent::Cr3 { lost: Some(lost), .. } => (Counted::FlushFull, lost),
            TraceEvent::Invalidated { flushed: Flushed::FullWithGlobals, lost, .. } => {
                (Counted::FlushGlobal, lost)
            }
            _ => return self.count(cpu, Counted::Cr3, 1),
        };
        self.count(cpu, what, 1);
        self.count(cpu, Counted::LeavesLost, lost.leaves as u64);
        self.count(cpu, Counted::PathsLost, lost.paths as u64);
    }

    /// An interrupt was sent. One for a CPU that does not exist is lost.
    fn sent(&mut self, cpu: u8, to: u8, level: Level) {
        let Some(target) = self.accounts.get(usize::from(to)) else { return };
        let what = if target.idle { Counted::IpiIdle } else { Counted::IpiBusy };
        self.count(cpu, what, 1);
        let at = self.clock(cpu) + self.prices.delivery;
        self.account_mut(to).arrivals.push(Arrival { from: cpu, level, at });
    }

    fn taken(&mut self, cpu: u8, from: u8, level: Level) {
        let account = self.account_mut(cpu);
        let found = account.arrivals.iter().position(|one| one.from == from && one.level == level);
        // An interrupt that was sent before metering began has arrived already.
        let at = found.map_or(0, |found| account.arrivals.remove(found).at);
        let woken = account.idle && account.handlers == 0;
        if account.waits != 0 {
            account.waited += at.saturating_sub(account.clock);
        }
        account.clock = account.clock.max(at);
        if account.handlers == 0 {
            account.entered = account.clock;
        }
        account.handlers += 1;
        self.count(cpu, Counted::Interrupt, 1);
        self.count(cpu, Counted::Wakeup, woken.into());
    }

    fn returned(&mut self, cpu: u8) {
        let account = self.account_mut(cpu);
        // This handler began before metering did.
        account.handlers = account.handlers.saturating_sub(1);
        if account.handlers == 0 {
            account.stolen += account.clock - account.entered;
        }
    }
}
