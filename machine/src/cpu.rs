//! The handle through which code on a CPU touches everything that other CPUs can see. Each of its accesses is a point.
//!
//! This file has points, pauses, operations and handlers. `access.rs` (memory) and `instructions.rs` (translation,
//! interrupts, waiting) have what code does at a point.

use crate::alarm::AlarmKind;
use crate::bus::Bus;
use crate::core::{Core, Interrupt, Level, Mode};
use crate::fault::Resolution;
use crate::machine::Software;
use crate::memory::Target;
use crate::point::{Family, Pause, Point, PointKind};
use crate::trace::TraceEvent;
use crate::wait::{Holder, Wait, WaitKind};
use crate::walker::PageFault;
use corosensei::Yielder;
use std::fmt;
use std::panic::Location;

/// Points between two charges to the step budget.
const CHUNK: u32 = 4096;

/// Why a CPU's coroutine is resumed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wake {
    /// Start the operation in the mailbox, or go on.
    Go,
    /// Take this interrupt on top of whatever runs.
    Interrupt(Interrupt),
    /// Return.
    Quit,
}

/// Why a CPU's coroutine stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// The operation ended.
    Ended,
    /// A handler ended.
    Taken,
    /// Before a point.
    Paused(Point),
    /// For a condition.
    Waiting(Wait),
    /// The step budget is used up, or the software found itself broken: nothing runs any more.
    Dead,
}

/// What the hardware enters of the software by itself.
pub(crate) trait Handlers {
    /// As [`Software::interrupt`].
    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt);

    /// As [`Software::page_fault`].
    fn page_fault(&self, cpu: &Cpu<'_>, fault: PageFault, again: bool) -> Resolution;
}

impl<S: Software> Handlers for S {
    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        Software::interrupt(self, cpu, interrupt);
    }

    fn page_fault(&self, cpu: &Cpu<'_>, fault: PageFault, again: bool) -> Resolution {
        Software::page_fault(self, cpu, fault, again)
    }
}

/// A CPU, as the code that runs on it sees it.
pub struct Cpu<'c> {
    pub(crate) id: u8,
    pub(crate) core: &'c Core,
    pub(crate) bus: &'c Bus,
    yielder: &'c Yielder<Wake, Stop>,
    pub(crate) handlers: &'c dyn Handlers,
}

impl fmt::Debug for Cpu<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.id)
    }
}

/// What a handler interrupted, kept on the interrupted stack.
struct Interrupted {
    passed: u32,
    paid: u32,
    stop_at: u32,
    pause: Option<Pause>,
    occurrences: u8,
    level: Level,
    mode: Mode,
    interrupts_on: bool,
    last_wait: Option<Wait>,
}

impl<'c> Cpu<'c> {
    pub(crate) fn new(
        id: u8,
        bus: &'c Bus,
        yielder: &'c Yielder<Wake, Stop>,
        handlers: &'c dyn Handlers,
    ) -> Self {
        Self { id, core: bus.core(id), bus, yielder, handlers }
    }

    /// Its number.
    #[inline]
    pub fn id(&self) -> u8 {
        self.id
    }

    /// The machine that it belongs to. Checks and booting code read it.
    #[inline]
    pub fn bus(&self) -> &'c Bus {
        self.bus
    }

    /// Whether the machine gave the story up and unwinds this stack: nothing may touch shared state any more. A guard asks
    /// this first when it is dropped.
    #[inline]
    pub fn abandoned(&self) -> bool {
        self.bus.abandoned.get()
    }

    /// Whether this code runs in a handler of its own level of privilege. A hypercall from a guest's handler does not run
    /// in a handler of the hypervisor's.
    #[inline]
    pub fn in_interrupt(&self) -> bool {
        self.core.handlers[self.core.level.get() as usize].get() != 0
    }

    // --- points ---

    #[inline(always)]
    #[track_caller]
    pub(crate) fn point(&self, kind: PointKind, family: Family) {
        let passed = self.core.passed.get() + 1;
        self.core.passed.set(passed);
        if passed >= self.core.stop_at.get() {
            self.slow_point(Point { kind, family });
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn slow_point(&self, point: Point) {
        let at = Location::caller();
        self.bus.know(point);
        let passed = self.core.passed.get();
        let stop = match self.core.pause.get() {
            Some(Pause::At(number)) => u32::from(number) <= passed,
            Some(Pause::Before { point: wanted, occurrence }) if wanted == point => {
                let met = self.core.occurrences.get() + 1;
                self.core.occurrences.set(met);
                met >= occurrence
            }
            Some(Pause::Before { .. }) | None => false,
        };
        let helping = match self.bus.watch.get() {
            Some((waiter, wait, helper)) if helper == self.id => Some(self.helped(waiter, &wait)),
            _ => None,
        };
        if stop {
            self.core.pause.set(None);
        }
        if helping.unwrap_or(stop) {
            self.trace(|| TraceEvent::Paused { point }, at);
            self.suspend(Stop::Paused(point));
        }
        self.rearm();
        if self.bus.steps_left.get() == 0 && !self.abandoned() {
            self.bus.livelock(self.id, Some(at));
            self.die();
        }
    }

    /// Whether this CPU has helped enough: the waiter's wait is over, or will be once a store in this CPU's buffer drains,
    /// or this CPU could take now the interrupt that the waiter waits for. Only the software knows whether the background
    /// can move on: it is asked before each point.
    fn helped(&self, waiter: u8, wait: &Wait) -> bool {
        self.bus.holds(waiter, wait)
            || self.bus.buffers_release(self.id, wait)
            || (wait.kind == WaitKind::Acknowledge && self.bus.interruptible(self.id))
            || wait.holder == Holder::Background
    }

    /// Charges the points passed since the last time to the step budget.
    fn pay(&self) {
        let passed = self.core.passed.get();
        let owed = passed - self.core.paid.replace(passed);
        self.bus.steps_left.set(self.bus.steps_left.get().saturating_sub(owed));
    }

    /// Sets the point from which on the slow path is taken again.
    fn rearm(&self) {
        let passed = self.core.passed.get();
        let every = self.bus.watch.get().is_some_and(|(.., helper)| helper == self.id)
            || matches!(self.core.pause.get(), Some(Pause::Before { .. }));
        let next = match self.core.pause.get() {
            _ if every => 1,
            Some(Pause::At(number)) => u32::from(number).saturating_sub(passed).clamp(1, CHUNK),
            _ => CHUNK,
        };
        self.core.stop_at.set(passed + next);
        self.pay();
    }

    /// Begins a context with its own count of points: an operation or a handler.
    pub(crate) fn begin_context(&self) {
        self.core.passed.set(0);
        self.core.paid.set(0);
        self.core.occurrences.set(0);
        self.core.pause.set(self.core.next_pause.take());
        self.rearm();
    }

    /// An operation begins. It came in through a gate, so nothing is left of the mode of the last one.
    pub(crate) fn begin_operation(&self) {
        self.core.mode.set(Mode::Kernel);
        self.core.last_wait.set(None);
        self.begin_context();
    }

    /// An operation has returned. An idle CPU is a context with interrupts on, so software that leaves them off has a
    /// defect.
    pub(crate) fn end_of_operation(&self, drain: bool) {
        for (on, text) in self.core.interrupts_on.iter().zip([
            "an operation ended with interrupts off",
            "an operation ended with the hypervisor's interrupts off",
        ]) {
            if !on.replace(true) {
                self.bus.alarm(self.id, AlarmKind::Bug { text }, None);
            }
        }
        if drain {
            self.drain();
        }
        self.pay();
        self.core.pause.set(None);
        self.core.last_wait.set(None);
        self.core.stop_at.set(u32::MAX);
    }

    /// Stands still until the executor resumes the CPU. While the stack is unwound the executor never will, so a dropped
    /// guard does not stop here.
    pub(crate) fn suspend(&self, why: Stop) {
        if self.abandoned() {
            return;
        }
        let mut wake = self.yielder.suspend(why);
        while let Wake::Interrupt(interrupt) = wake {
            self.take(interrupt);
            wake = self.yielder.suspend(Stop::Taken);
        }
    }

    /// Runs a handler on top of what it interrupts. Entry and return serialise (SDM volume 3A, 8.3).
    pub(crate) fn take(&self, interrupt: Interrupt) {
        let core = self.core;
        let flag = &core.interrupts_on[interrupt.level as usize];
        let saved = Interrupted {
            passed: core.passed.get(),
            paid: core.paid.get(),
            stop_at: core.stop_at.get(),
            pause: core.pause.get(),
            occurrences: core.occurrences.get(),
            level: core.level.get(),
            mode: core.mode.get(),
            interrupts_on: flag.get(),
            last_wait: core.last_wait.get(),
        };
        self.drain();
        core.level.set(interrupt.level);
        core.mode.set(Mode::Kernel);
        flag.set(false);
        let handlers = &core.handlers[interrupt.level as usize];
        handlers.set(handlers.get() + 1);
        if self.bus.tracing() {
            let event = TraceEvent::InterruptTaken { from: interrupt.from, level: interrupt.level };
            self.bus.record(self.id, event, None);
        }
        self.begin_context();
        self.handlers.interrupt(self, interrupt);
        self.drain();
        if self.bus.tracing() {
            self.bus.record(self.id, TraceEvent::InterruptDone, None);
        }
        self.pay();
        handlers.set(handlers.get() - 1);
        flag.set(saved.interrupts_on);
        core.mode.set(saved.mode);
        core.level.set(saved.level);
        core.last_wait.set(saved.last_wait);
        core.occurrences.set(saved.occurrences);
        core.pause.set(saved.pause);
        core.passed.set(saved.passed);
        core.paid.set(saved.paid);
        core.stop_at.set(saved.stop_at);
    }

    /// Tells the trace and the meter. Makes the event only if one of them listens.
    #[inline(always)]
    pub(crate) fn trace(&self, event: impl FnOnce() -> TraceEvent, at: &'static Location<'static>) {
        if self.bus.tracing() {
            self.bus.record(self.id, event(), Some(at));
        }
    }

    /// What this CPU would load from here: its own newest buffered store, else memory.
    #[inline(always)]
    pub(crate) fn seen(&self, target: Target) -> u64 {
        if self.core.buffer.is_empty() {
            self.bus.in_memory(target)
        } else {
            self.bus.seen_by(self.id, target)
        }
    }

    /// All its stores reach memory.
    #[inline(always)]
    pub(crate) fn drain(&self) {
        if !self.core.buffer.is_empty() {
            self.bus.drain(self.id, usize::MAX);
        }
    }

    /// Writes a line into the trace: what the software is about to do, or what it left out.
    #[inline]
    #[track_caller]
    pub fn note(&self, text: &'static str, value: u64) {
        self.trace(|| TraceEvent::Note { text, value }, Location::caller());
    }

    /// The software found its own state broken (`BUG()`): the story ends here.
    #[cold]
    #[track_caller]
    pub fn bug(&self, text: &'static str) -> ! {
        self.bus.alarm(self.id, AlarmKind::Bug { text }, Some(Location::caller()));
        self.die()
    }

    fn die(&self) -> ! {
        loop {
            self.yielder.suspend(Stop::Dead);
        }
    }

    /// Raises an alarm of the software's own.
    #[track_caller]
    pub fn alarm(&self, kind: AlarmKind) {
        self.bus.alarm(self.id, kind, Some(Location::caller()));
    }
}
