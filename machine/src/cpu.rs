//! The handle through which code on a CPU does everything that others can see. Each of its accesses is a point.

use crate::alarm::AlarmKind;
use crate::bus::{Bus, Intent, PageFault, permits};
use crate::core::{BufferedStore, Core, Cr3, Interrupt, Level, Mode};
use crate::memory::{Role, Target, Var, Word};
use crate::paging::{Entry, Flags, Frame, PAGE_SIZE, canonical};
use crate::point::{Family, Pause, Point, PointKind, Temperament};
use crate::trace::TraceEvent;
use crate::wait::{Wait, WaitKind};
use corosensei::Yielder;
use std::fmt;
use std::panic::Location;

/// Points between two looks at the step budget.
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
    /// The step budget is used up, or the software found itself broken: nothing more will run.
    Dead,
}

/// A handler for interrupts, as the software gives it.
pub(crate) type Isr<'c> = &'c dyn Fn(&Cpu<'_>, Interrupt);

/// A CPU, as the code that runs on it sees it.
pub struct Cpu<'c> {
    id: u8,
    core: &'c Core,
    bus: &'c Bus,
    yielder: &'c Yielder<Wake, Stop>,
    isr: Isr<'c>,
}

impl fmt::Debug for Cpu<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.id)
    }
}

/// What INVPCID invalidates (SDM volume 2A, INVPCID).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invpcid {
    /// Type 0: one page of one identifier.
    Page {
        /// The identifier.
        pcid: u16,
        /// The page.
        va: u64,
    },
    /// Type 1: one identifier.
    Single {
        /// The identifier.
        pcid: u16,
    },
    /// Type 2: everything, global entries too.
    All,
    /// Type 3: everything but global entries.
    AllNonGlobal,
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
}

impl<'c> Cpu<'c> {
    pub(crate) fn new(id: u8, bus: &'c Bus, yielder: &'c Yielder<Wake, Stop>, isr: Isr<'c>) -> Self {
        Self { id, core: bus.core(id), bus, yielder, isr }
    }

    /// Its number.
    #[inline]
    pub fn id(&self) -> u8 {
        self.id
    }

    /// The machine that it belongs to, to be read by checks and booting code.
    #[inline]
    pub fn bus(&self) -> &'c Bus {
        self.bus
    }

    /// Whether the story was given up: the stack is being unwound and nothing may be touched any more. Guards look
    /// here first when they are dropped.
    #[inline]
    pub fn abandoned(&self) -> bool {
        self.bus.abandoned.get()
    }

    /// How deep handlers are nested here; 0 outside of any.
    #[inline]
    pub fn in_interrupt(&self) -> bool {
        self.core.handlers.get() != 0
    }

    // --- points ---

    #[inline(always)]
    #[track_caller]
    fn point(&self, kind: PointKind, family: Family) {
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
            Some((waiter, wait, helper)) if helper == self.id => Some(self.bus.holds(waiter, &wait)),
            _ => None,
        };
        if stop {
            self.core.pause.set(None);
        }
        if helping.unwrap_or(stop) {
            self.trace(TraceEvent::Paused { point }, at);
            self.suspend(Stop::Paused(point));
        }
        self.rearm();
        if self.bus.steps_left.get() == 0 {
            self.bus.alarm(self.id, AlarmKind::Livelock, Some(at));
            self.die();
        }
    }

    /// Takes the points passed since the last time off the step budget.
    fn pay(&self) {
        let passed = self.core.passed.get();
        let owed = passed - self.core.paid.replace(passed);
        self.bus.steps_left.set(self.bus.steps_left.get().saturating_sub(owed));
    }

    /// Sets the number of points from which on the slow path is taken again.
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

    /// Begins a context of its own count of points: an operation or a handler.
    pub(crate) fn begin_context(&self) {
        self.core.passed.set(0);
        self.core.paid.set(0);
        self.core.occurrences.set(0);
        self.core.pause.set(self.core.next_pause.take());
        self.rearm();
    }

    /// An operation has returned.
    pub(crate) fn end_of_operation(&self, drain: bool) {
        if drain {
            self.bus.drain(self.id, usize::MAX);
        }
        self.pay();
        self.core.pause.set(None);
        self.core.stop_at.set(u32::MAX);
    }

    fn suspend(&self, why: Stop) {
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
        };
        self.bus.drain(self.id, usize::MAX);
        core.level.set(interrupt.level);
        core.mode.set(Mode::Kernel);
        flag.set(false);
        core.handlers.set(core.handlers.get() + 1);
        if self.bus.tracing() {
            let event = TraceEvent::InterruptTaken { from: interrupt.from, level: interrupt.level };
            self.bus.record(self.id, event, None);
        }
        self.begin_context();
        (self.isr)(self, interrupt);
        self.bus.drain(self.id, usize::MAX);
        if self.bus.tracing() {
            self.bus.record(self.id, TraceEvent::InterruptDone, None);
        }
        self.pay();
        core.handlers.set(core.handlers.get() - 1);
        flag.set(saved.interrupts_on);
        core.mode.set(saved.mode);
        core.level.set(saved.level);
        core.occurrences.set(saved.occurrences);
        core.pause.set(saved.pause);
        core.passed.set(saved.passed);
        core.paid.set(saved.paid);
        core.stop_at.set(saved.stop_at);
    }

    #[inline]
    fn trace(&self, event: TraceEvent, at: &'static Location<'static>) {
        if self.bus.tracing() {
            self.bus.record(self.id, event, Some(at));
        }
    }

    /// Writes a line into the trace: what the software is about to do, or left out.
    #[inline]
    #[track_caller]
    pub fn note(&self, text: &'static str, value: u64) {
        self.trace(TraceEvent::Note { text, value }, Location::caller());
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

    // --- variables ---

    /// A plain load.
    #[inline]
    #[track_caller]
    pub fn load(&self, var: Var) -> u64 {
        self.load_from(Target::Var(var), var.family)
    }

    /// A plain store. It may wait in the store buffer until something serialises.
    #[inline]
    #[track_caller]
    pub fn store(&self, var: Var, value: u64) {
        self.store_to(Target::Var(var), var.family, value);
    }

    /// A locked read-modify-write: `change` gives the new value, or none to leave the old. Returns the old value.
    #[inline]
    #[track_caller]
    pub fn update(&self, var: Var, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        self.locked(Target::Var(var), var.family, change)
    }

    /// A locked exchange. Returns the old value.
    #[inline]
    #[track_caller]
    pub fn swap(&self, var: Var, value: u64) -> u64 {
        self.update(var, |_| Some(value))
    }

    /// A locked addition, wrapping. Returns the old value.
    #[inline]
    #[track_caller]
    pub fn fetch_add(&self, var: Var, more: u64) -> u64 {
        self.update(var, |old| Some(old.wrapping_add(more)))
    }

    /// A locked subtraction, wrapping. Returns the old value.
    #[inline]
    #[track_caller]
    pub fn fetch_sub(&self, var: Var, less: u64) -> u64 {
        self.update(var, |old| Some(old.wrapping_sub(less)))
    }

    /// A locked compare-and-exchange: `Ok(())` if the value was `old` and is `new` now, else what it was.
    #[inline]
    #[track_caller]
    pub fn compare_exchange(&self, var: Var, old: u64, new: u64) -> Result<(), u64> {
        let found = self.update(var, |value| (value == old).then_some(new));
        if found == old { Ok(()) } else { Err(found) }
    }

    /// A full fence.
    #[inline]
    #[track_caller]
    pub fn fence(&self) {
        self.point(PointKind::Fence, Family::NONE);
        self.bus.drain(self.id, usize::MAX);
        self.trace(TraceEvent::Fence, Location::caller());
    }

    // --- physical memory ---

    /// A plain load of a word of a frame.
    #[inline]
    #[track_caller]
    pub fn load_word(&self, word: Word, family: Family) -> u64 {
        self.load_from(Target::Word(word), family)
    }

    /// A plain store to a word of a frame.
    #[inline]
    #[track_caller]
    pub fn store_word(&self, word: Word, family: Family, value: u64) {
        self.store_to(Target::Word(word), family, value);
    }

    /// A locked read-modify-write of a word of a frame, as [`Cpu::update`].
    #[inline]
    #[track_caller]
    pub fn update_word(&self, word: Word, family: Family, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        self.locked(Target::Word(word), family, change)
    }

    /// Loads an entry of a table. Walking a frame that is not a table of this level is caught at once.
    #[inline]
    #[track_caller]
    pub fn load_entry(&self, word: Word, level: u8) -> Entry {
        let entry = Entry(self.load_from(Target::Word(word), Family::of_level(level)));
        if self.bus.memory.role(word.frame) != Role::Table(level) {
            self.alarm(AlarmKind::FreedTableWalked { frame: word.frame, level, va: 0 });
        }
        entry
    }

    /// All words of a frame become 0 (one point; the stores do not linger).
    #[inline]
    #[track_caller]
    pub fn clear_frame(&self, frame: Frame) {
        self.point(PointKind::Store, Family::DATA);
        self.bus.drain(self.id, usize::MAX);
        self.bus.memory.clear(frame);
        self.trace(TraceEvent::Cleared { frame }, Location::caller());
    }

    /// A frame changes its role.
    #[inline]
    #[track_caller]
    pub fn set_role(&self, frame: Frame, role: Role) {
        self.point(PointKind::Role, Family::NONE);
        let old = self.bus.memory.role(frame);
        self.bus.memory.set_role(frame, role);
        self.trace(TraceEvent::Role { frame, old, new: role }, Location::caller());
    }

    #[inline(always)]
    #[track_caller]
    fn load_from(&self, target: Target, family: Family) -> u64 {
        self.point(PointKind::Load, family);
        let value = self.bus.seen_by(self.id, target);
        self.trace(TraceEvent::Load { target, value }, Location::caller());
        value
    }

    #[inline(always)]
    #[track_caller]
    fn store_to(&self, target: Target, family: Family, value: u64) {
        self.point(PointKind::Store, family);
        let buffered = self.bus.temperament().contains(Temperament::LAZY_STORES);
        if self.bus.tracing() {
            let old = self.bus.in_memory(target);
            self.trace(TraceEvent::Store { target, old, value, buffered }, Location::caller());
        }
        if buffered {
            self.buffer(target, value);
        } else {
            self.bus.commit(target, value);
        }
    }

    fn buffer(&self, target: Target, value: u64) {
        let incarnation = match target {
            Target::Var(_) => 0,
            Target::Word(word) => self.bus.memory.incarnation(word.frame),
        };
        self.core.buffer.borrow_mut().push(BufferedStore { target, value, incarnation });
        self.core.buffered.set(self.core.buffered.get() + 1);
        if self.core.buffered.get() > STORE_BUFFER {
            self.bus.drain(self.id, 1);
        }
    }

    #[inline(always)]
    #[track_caller]
    fn locked(&self, target: Target, family: Family, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        self.point(PointKind::Locked, family);
        if self.core.buffered.get() != 0 {
            self.bus.drain(self.id, usize::MAX);
        }
        let old = self.bus.in_memory(target);
        let new = change(old);
        self.trace(TraceEvent::Locked { target, old, new: new.unwrap_or(old) }, Location::caller());
        if let Some(new) = new {
            self.bus.commit(target, new);
        }
        old
    }

    // --- the MMU ---

    /// User or supervisor mode, for the accesses that follow.
    pub fn set_mode(&self, mode: Mode) {
        self.core.mode.set(mode);
    }

    /// Reads the word at an address.
    #[track_caller]
    pub fn read(&self, va: u64) -> Result<u64, PageFault> {
        self.point(PointKind::Read, Family::DATA);
        let at = Location::caller();
        let found = self.translate(va, Intent::Read, at);
        let value = found.map(|word| self.bus.seen_by(self.id, Target::Word(word)));
        if self.bus.tracing() {
            let frame = found.ok().map(|word| word.frame);
            self.trace(TraceEvent::Read { va, frame, value: value.unwrap_or(0) }, at);
        }
        value
    }

    /// Writes the word at an address.
    #[track_caller]
    pub fn write(&self, va: u64, value: u64) -> Result<(), PageFault> {
        self.point(PointKind::Write, Family::DATA);
        let at = Location::caller();
        let found = self.translate(va, Intent::Write, at);
        if self.bus.tracing() {
            self.trace(TraceEvent::Write { va, frame: found.ok().map(|word| word.frame), value }, at);
        }
        let target = Target::Word(found?);
        if self.bus.temperament().contains(Temperament::LAZY_STORES) {
            self.buffer(target, value);
        } else {
            self.bus.commit(target, value);
        }
        Ok(())
    }

    /// Fetches an instruction at an address.
    #[track_caller]
    pub fn fetch(&self, va: u64) -> Result<(), PageFault> {
        self.point(PointKind::Fetch, Family::DATA);
        self.translate(va, Intent::Fetch, Location::caller()).map(|_| ())
    }

    fn translate(&self, va: u64, intent: Intent, at: &'static Location<'static>) -> Result<Word, PageFault> {
        if !canonical(va) {
            return Err(PageFault { va, protection: false });
        }
        let pcid = self.core.cr3.get().pcid;
        let cached = self.core.tlb.borrow().leaf(va, pcid);
        let leaf = match cached {
            Some(leaf) if !permits(leaf.flags, intent, self.core) => {
                // A fault drops what was cached for the address (SDM volume 3A, 4.10.4.1), so that it is spurious
                // at most once.
                self.core.tlb.borrow_mut().invlpg(va, pcid, false);
                return Err(PageFault { va, protection: true });
            }
            // The dirty bit must be set in memory before a write goes through: walk again.
            Some(leaf) if intent != Intent::Write || leaf.flags.contains(Flags::DIRTY) => leaf,
            _ => self.bus.walk(self.id, va, intent, Some(at))?,
        };
        let frame = leaf.frame_of(va);
        if frame.0 >= self.bus.memory.frames() {
            return Err(PageFault { va, protection: false });
        }
        if leaf.level == 1 && self.bus.memory.incarnation(frame) != leaf.incarnation {
            self.bus.alarm(self.id, AlarmKind::StaleTranslationUsed { frame, va }, Some(at));
        }
        Ok(Word::new(frame, (va % PAGE_SIZE / 8) as usize))
    }

    /// INVLPG: the page's translations under the current identifier and its global ones, and all upper entries of the
    /// current identifier. Serialises.
    #[track_caller]
    pub fn invlpg(&self, va: u64) {
        self.point(PointKind::Invlpg, Family::NONE);
        self.bus.drain(self.id, usize::MAX);
        let pcid = self.core.cr3.get().pcid;
        let spare = self.bus.config().invlpg_spares_globals;
        let leaves = self.core.tlb.borrow_mut().invlpg(va, pcid, spare);
        self.trace(TraceEvent::Invalidated { scope: "invlpg", va: Some(va), leaves }, Location::caller());
    }

    /// INVPCID. Serialises.
    #[track_caller]
    pub fn invpcid(&self, what: Invpcid) {
        self.point(PointKind::Invpcid, Family::NONE);
        self.bus.drain(self.id, usize::MAX);
        let mut tlb = self.core.tlb.borrow_mut();
        let (va, leaves) = match what {
            Invpcid::Page { pcid, va } => (Some(va), tlb.invalidate_page_of(va, pcid)),
            Invpcid::Single { pcid } => (None, tlb.invalidate_pcid(pcid)),
            Invpcid::All => (None, tlb.invalidate_all()),
            Invpcid::AllNonGlobal => (None, tlb.invalidate_non_global()),
        };
        drop(tlb);
        self.trace(TraceEvent::Invalidated { scope: "invpcid", va, leaves }, Location::caller());
    }

    /// Loads CR3. Unless `keep` is asked for (bit 63), everything of the new identifier but global entries goes.
    /// Serialises.
    #[track_caller]
    pub fn load_cr3(&self, cr3: Cr3, keep: bool) {
        self.point(PointKind::Cr3, Family::NONE);
        self.bus.drain(self.id, usize::MAX);
        self.core.cr3.set(cr3);
        if !keep {
            self.core.tlb.borrow_mut().invalidate_pcid(cr3.pcid);
        }
        self.trace(TraceEvent::Cr3 { root: cr3.root, pcid: cr3.pcid }, Location::caller());
    }

    /// What CR3 holds.
    pub fn cr3(&self) -> Cr3 {
        self.core.cr3.get()
    }

    /// Flushes everything, global entries too, by toggling CR4.PGE. Serialises.
    #[track_caller]
    pub fn flush_all(&self) {
        self.point(PointKind::FlushAll, Family::NONE);
        self.bus.drain(self.id, usize::MAX);
        let leaves = self.core.tlb.borrow_mut().invalidate_all();
        self.trace(TraceEvent::Invalidated { scope: "cr4.pge", va: None, leaves }, Location::caller());
    }

    // --- interrupts and privilege ---

    /// Whether interrupts are on, at the level of privilege at which this runs.
    #[inline]
    pub fn interrupts_on(&self) -> bool {
        self.core.interrupts_on[self.core.level.get() as usize].get()
    }

    /// CLI, at the level of privilege at which this runs. Returns whether they were on.
    #[track_caller]
    pub fn irq_save(&self) -> bool {
        self.point(PointKind::IrqOff, Family::NONE);
        self.trace(TraceEvent::IrqOff, Location::caller());
        self.core.interrupts_on[self.core.level.get() as usize].replace(false)
    }

    /// Back to what [`Cpu::irq_save`] found.
    #[track_caller]
    pub fn irq_restore(&self, on: bool) {
        self.point(PointKind::IrqOn, Family::NONE);
        if on {
            self.trace(TraceEvent::IrqOn, Location::caller());
        }
        self.core.interrupts_on[self.core.level.get() as usize].set(on);
    }

    /// Sends an interrupt to a CPU. The store buffer is *not* drained (SDM volume 3A, 10.12.3: an x2APIC write does
    /// not serialise).
    #[track_caller]
    pub fn send_ipi(&self, to: u8, vector: u8) {
        self.point(PointKind::Ipi, Family::NONE);
        let level = self.core.level.get();
        self.trace(TraceEvent::IpiSent { to, level }, Location::caller());
        self.bus.post(to, Interrupt { from: self.id, vector, level });
    }

    /// Waits until a condition holds. The only way to wait.
    #[track_caller]
    pub fn wait(&self, wait: Wait) {
        self.point(PointKind::Wait, wait.var.family);
        if wait.kind != WaitKind::Spin && !self.interrupts_on() {
            self.alarm(AlarmKind::WaitWithInterruptsOff { wait });
        }
        while !self.bus.holds(self.id, &wait) {
            self.trace(TraceEvent::Waits { wait }, Location::caller());
            self.suspend(Stop::Waiting(wait));
        }
    }

    /// The level of privilege at which this runs.
    pub fn level(&self) -> Level {
        self.core.level.get()
    }

    /// Traps into the hypervisor, runs `body` there, and returns.
    #[track_caller]
    pub fn hypercall<R>(&self, name: &'static str, body: impl FnOnce(&Self) -> R) -> R {
        self.point(PointKind::Hypercall, Family::NONE);
        self.trace(TraceEvent::Hypercall { name }, Location::caller());
        let before = self.core.level.replace(Level::Hypervisor);
        let result = body(self);
        self.point(PointKind::Return, Family::NONE);
        self.trace(TraceEvent::Returned, Location::caller());
        self.core.level.set(before);
        result
    }
}

/// Stores that a buffer holds before the oldest is pushed out.
pub(crate) const STORE_BUFFER: u32 = 8;
