//! What code on a CPU does beyond plain memory: accesses through the MMU, invalidation, CR3, interrupts, hypercalls and
//! waiting.

use crate::alarm::AlarmKind;
use crate::core::{Cr3, Interrupt, Level, Mode};
use crate::cpu::{Cpu, Stop};
use crate::memory::{Target, Word};
use crate::paging::{Entry, Flags, Frame, PAGE_SIZE, canonical};
use crate::point::{Family, PointKind, Temperament};
use crate::tlb::{Lost, TlbEntry};
use crate::trace::{Flushed, TraceEvent};
use crate::wait::{Wait, WaitKind};
use crate::walker::{Intent, PageFault, permits};
use std::panic::Location;

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

/// The word at an address within a page, in the frame that the page leads to.
#[inline]
fn word_of(frame: Frame, va: u64) -> Word {
    Word::new(frame, (va % PAGE_SIZE / 8) as usize)
}

impl Cpu<'_> {
    // --- the MMU ---

    /// User or supervisor mode, for the accesses that follow. Operations and handlers begin in supervisor mode.
    pub fn set_mode(&self, mode: Mode) {
        self.core.mode.set(mode);
    }

    /// Reads the word at an address. A fault comes to the software's handler first.
    #[track_caller]
    pub fn read(&self, va: u64) -> Result<u64, PageFault> {
        let (mut found, mut resolved) = (self.read_once(va), None);
        while let Err(fault) = found
            && self.is_resolved(fault, &mut resolved)
        {
            found = self.read_once(va);
        }
        found
    }

    #[inline(always)]
    #[track_caller]
    fn read_once(&self, va: u64) -> Result<u64, PageFault> {
        self.point(PointKind::Read, Family::DATA);
        let at = Location::caller();
        let found = self.translate(va, Intent::Read, at);
        let value = found.map(|word| self.seen(Target::Word(word)));
        if self.bus.tracing() {
            let frame = found.ok().map(|word| word.frame);
            self.trace(|| TraceEvent::Read { va, frame, value: value.unwrap_or(0) }, at);
        }
        value
    }

    /// Writes the word at an address. A fault comes to the software's handler first.
    #[track_caller]
    pub fn write(&self, va: u64, value: u64) -> Result<(), PageFault> {
        let (mut done, mut resolved) = (self.write_once(va, value), None);
        while let Err(fault) = done
            && self.is_resolved(fault, &mut resolved)
        {
            done = self.write_once(va, value);
        }
        done
    }

    #[inline(always)]
    #[track_caller]
    fn write_once(&self, va: u64, value: u64) -> Result<(), PageFault> {
        self.point(PointKind::Write, Family::DATA);
        let at = Location::caller();
        let found = self.translate(va, Intent::Write, at);
        if self.bus.tracing() {
            self.trace(|| TraceEvent::Write { va, frame: found.ok().map(|word| word.frame), value }, at);
        }
        let target = Target::Word(found?);
        if self.bus.temperament().contains(Temperament::LAZY_STORES) {
            self.bus.buffer(self.id, target, value);
        } else {
            self.bus.commit(target, value);
        }
        Ok(())
    }

    /// Loads the word at an address under another process-context identifier, as code does that switches to that identifier
    /// and back with interrupts off. A hypervisor uses it that keeps translations of its own under the guest's root. The
    /// word must be an entry of a table of the lowest level; if it is not, stale tables led the walk astray, and that
    /// raises an alarm.
    #[track_caller]
    pub fn load_entry_at(&self, pcid: u16, va: u64) -> Result<Entry, PageFault> {
        self.point(PointKind::Load, Family::PTE);
        let at = Location::caller();
        let target = Target::Word(self.entry_at(pcid, va, Intent::Read, at)?);
        let value = self.seen(target);
        self.trace(|| TraceEvent::Load { target, value }, at);
        Ok(Entry(value))
    }

    /// A locked read-modify-write of such a word, as [`Cpu::update_word`].
    #[track_caller]
    pub fn update_entry_at(
        &self,
        pcid: u16,
        va: u64,
        change: impl FnOnce(u64) -> Option<u64>,
    ) -> Result<u64, PageFault> {
        self.point(PointKind::Locked, Family::PTE);
        let word = self.entry_at(pcid, va, Intent::Write, Location::caller())?;
        Ok(self.perform_locked(Target::Word(word), change))
    }

    /// Where the MMU finds such a word.
    fn entry_at(
        &self,
        pcid: u16,
        va: u64,
        intent: Intent,
        at: &'static Location<'static>,
    ) -> Result<Word, PageFault> {
        let cr3 = &self.core.cr3;
        let before = cr3.get();
        cr3.set(Cr3 { pcid, ..before });
        let found = self.translate(va, intent, at);
        cr3.set(before);
        let word = found?;
        if !self.bus.memory.is_table(word.frame, 1) {
            self.bus.alarm(
                self.id,
                AlarmKind::FreedTableWalked { frame: word.frame, level: 1, va },
                Some(at),
            );
        }
        Ok(word)
    }

    /// Fetches an instruction at an address. A fault comes to the software's handler first.
    #[track_caller]
    pub fn fetch(&self, va: u64) -> Result<(), PageFault> {
        let (mut done, mut resolved) = (self.fetch_once(va), None);
        while let Err(fault) = done
            && self.is_resolved(fault, &mut resolved)
        {
            done = self.fetch_once(va);
        }
        done
    }

    #[inline(always)]
    #[track_caller]
    fn fetch_once(&self, va: u64) -> Result<(), PageFault> {
        self.point(PointKind::Fetch, Family::DATA);
        self.translate(va, Intent::Fetch, Location::caller()).map(|_| ())
    }

    /// Where an address leads, by the TLB if it has a leaf that permits the access.
    #[inline(always)]
    fn translate(&self, va: u64, intent: Intent, at: &'static Location<'static>) -> Result<Word, PageFault> {
        let tlb = self.core.tlb.borrow();
        let cached = tlb.leaf(va, self.core.cr3.get().pcid);
        if let Some(leaf) = cached
            && self.goes_through(leaf, intent)
        {
            let frame = leaf.frame_of(va);
            // Frames that exist have an incarnation; no others do.
            if self.bus.memory.has(frame) && self.bus.memory.incarnation(leaf.frame) == leaf.incarnation {
                return Ok(word_of(frame, va));
            }
        }
        let cached = cached.copied();
        drop(tlb);
        self.translate_slowly(va, intent, cached, at)
    }

    /// Whether an access needs no walk. A write also needs the dirty bit set in memory.
    #[inline(always)]
    fn goes_through(&self, leaf: &TlbEntry, intent: Intent) -> bool {
        permits(leaf.flags, intent, self.core)
            && (intent != Intent::Write || leaf.flags.contains(Flags::DIRTY))
    }

    /// The rare cases: a walk, a fault, or a leaf that leads to another use of its frame, or to no memory.
    #[inline(never)]
    fn translate_slowly(
        &self,
        va: u64,
        intent: Intent,
        cached: Option<TlbEntry>,
        at: &'static Location<'static>,
    ) -> Result<Word, PageFault> {
        if let Some(leaf) = cached.filter(|leaf| self.goes_through(leaf, intent)) {
            return self.reach(&leaf, va, intent, at);
        }
        if !canonical(va) {
            return Err(intent.fault(va, false));
        }
        let found = match cached {
            Some(leaf) if !permits(leaf.flags, intent, self.core) => Err(intent.fault(va, true)),
            _ => self.bus.walk(self.id, va, intent, Some(at)),
        };
        let leaf = found.inspect_err(|_| {
            // A fault drops what the CPU cached for the address, path and leaf (SDM volume 3A, 4.10.4.1), so
            // it is spurious at most once.
            self.core.tlb.borrow_mut().fault(va, self.core.cr3.get().pcid);
        })?;
        self.reach(&leaf, va, intent, at)
    }

    /// The word at an address that this leaf covers.
    fn reach(
        &self,
        leaf: &TlbEntry,
        va: u64,
        intent: Intent,
        at: &'static Location<'static>,
    ) -> Result<Word, PageFault> {
        let frame = leaf.frame_of(va);
        if !self.bus.memory.has(frame) {
            return Err(intent.fault(va, false));
        }
        if self.bus.memory.incarnation(leaf.frame) != leaf.incarnation
            && !self.bus.would_translate(self.core.cr3.get().root, va, leaf)
        {
            self.bus.alarm(self.id, AlarmKind::StaleTranslationUsed { frame, va }, Some(at));
        }
        Ok(word_of(frame, va))
    }

    /// INVLPG: drops the page's translations under the current identifier, its global ones, and all upper entries of the
    /// current identifier. Serialises.
    #[track_caller]
    pub fn invlpg(&self, va: u64) {
        self.point(PointKind::Invlpg, Family::NONE);
        self.drain();
        let pcid = self.core.cr3.get().pcid;
        let spare = self.bus.config().invlpg_spares_globals;
        // For an address that is not canonical it does nothing (SDM volume 2A, INVLPG).
        let lost =
            if canonical(va) { self.core.tlb.borrow_mut().invlpg(va, pcid, spare) } else { Lost::default() };
        self.invalidated("invlpg", Flushed::Page, Some(va), lost, Location::caller());
    }

    /// INVPCID. Serialises.
    #[track_caller]
    pub fn invpcid(&self, what: Invpcid) {
        self.point(PointKind::Invpcid, Family::NONE);
        self.drain();
        let mut tlb = self.core.tlb.borrow_mut();
        let (flushed, va, lost) = match what {
            Invpcid::Page { pcid, va } => (Flushed::Page, Some(va), tlb.invalidate_page_of(va, pcid)),
            Invpcid::Single { pcid } => (Flushed::Full, None, tlb.invalidate_pcid(pcid)),
            Invpcid::All => (Flushed::FullWithGlobals, None, tlb.invalidate_all()),
            Invpcid::AllNonGlobal => (Flushed::Full, None, tlb.invalidate_non_global()),
        };
        drop(tlb);
        self.invalidated("invpcid", flushed, va, lost, Location::caller());
    }

    /// Loads CR3. Drops everything of the new identifier but global entries, unless the caller sets `keep` (bit 63).
    /// Serialises.
    #[track_caller]
    pub fn load_cr3(&self, cr3: Cr3, keep: bool) {
        self.point(PointKind::Cr3, Family::NONE);
        self.drain();
        self.bus.set_cr3(self.id, cr3);
        let lost = (!keep).then(|| self.core.tlb.borrow_mut().invalidate_pcid(cr3.pcid));
        self.trace(|| TraceEvent::Cr3 { root: cr3.root, pcid: cr3.pcid, lost }, Location::caller());
    }

    /// What CR3 holds.
    pub fn cr3(&self) -> Cr3 {
        self.core.cr3.get()
    }

    /// Flushes everything, global entries too, by toggling CR4.PGE. Serialises.
    #[track_caller]
    pub fn flush_all(&self) {
        self.point(PointKind::FlushAll, Family::NONE);
        self.drain();
        let lost = self.core.tlb.borrow_mut().invalidate_all();
        self.invalidated("cr4.pge", Flushed::FullWithGlobals, None, lost, Location::caller());
    }

    #[inline]
    fn invalidated(
        &self,
        scope: &'static str,
        flushed: Flushed,
        va: Option<u64>,
        lost: Lost,
        at: &'static Location<'static>,
    ) {
        self.trace(|| TraceEvent::Invalidated { scope, flushed, va, lost }, at);
    }

    // --- interrupts and privilege ---

    /// Whether interrupts are on, at the level of privilege at which this code runs.
    #[inline]
    pub fn interrupts_on(&self) -> bool {
        self.core.interrupts_on[self.core.level.get() as usize].get()
    }

    /// CLI, at the level of privilege at which this code runs. Returns whether interrupts were on.
    #[track_caller]
    pub fn irq_save(&self) -> bool {
        self.point(PointKind::IrqOff, Family::NONE);
        self.trace(|| TraceEvent::IrqOff, Location::caller());
        self.core.interrupts_on[self.core.level.get() as usize].replace(false)
    }

    /// Restores what [`Cpu::irq_save`] found.
    #[track_caller]
    pub fn irq_restore(&self, on: bool) {
        self.point(PointKind::IrqOn, Family::NONE);
        if on {
            self.trace(|| TraceEvent::IrqOn, Location::caller());
        }
        self.core.interrupts_on[self.core.level.get() as usize].set(on);
    }

    /// Sends an interrupt to a CPU. The store buffer is *not* drained (SDM volume 3A, 10.12.3: an x2APIC write does
    /// not serialise).
    #[track_caller]
    pub fn send_ipi(&self, to: u8, vector: u8) {
        self.send_ipi_at(self.core.level.get(), to, vector);
    }

    /// Sends an interrupt to a CPU that takes it at the given level of privilege: a hypervisor posts interrupts to its
    /// guest this way.
    #[track_caller]
    pub fn send_ipi_at(&self, level: Level, to: u8, vector: u8) {
        self.point(PointKind::Ipi, Family::NONE);
        self.trace(|| TraceEvent::IpiSent { to, level }, Location::caller());
        self.bus.post(to, Interrupt { from: self.id, vector, level });
    }

    /// Waits until a condition holds. Code on a CPU has no other way to wait.
    #[track_caller]
    pub fn wait(&self, wait: Wait) {
        self.point(PointKind::Wait, wait.var.family);
        if wait.kind != WaitKind::Spin && !self.interrupts_on() && !self.abandoned() {
            self.alarm(AlarmKind::WaitWithInterruptsOff { wait });
        }
        self.core.last_wait.set(Some(wait));
        while !self.abandoned() && !self.bus.holds(self.id, &wait) {
            self.trace(|| TraceEvent::Waits { wait }, Location::caller());
            self.suspend(Stop::Waiting(wait));
            self.trace(|| TraceEvent::Waited { wait }, Location::caller());
        }
    }

    /// Says in the trace that a lock was taken.
    #[inline]
    #[track_caller]
    pub fn took_lock(&self, name: &'static str) {
        self.trace(|| TraceEvent::Locks { name }, Location::caller());
    }

    /// The level of privilege at which this code runs.
    pub fn level(&self) -> Level {
        self.core.level.get()
    }

    /// What lies beneath flushes another CPU, whatever that is at: its stores are visible, and it forgets everything.
    #[track_caller]
    pub fn flush_other(&self, target: u8) {
        self.point(PointKind::FlushAll, Family::NONE);
        self.bus.flush_from_outside(target);
    }

    /// The host takes this CPU away, or gives it back; for code of the host. What the CPU stored is visible when it is taken away.
    #[track_caller]
    pub fn set_descheduled(&self, taken_away: bool) {
        self.point(PointKind::Return, Family::NONE);
        self.drain();
        self.core.descheduled.set(taken_away);
    }

    /// Traps into the hypervisor, runs `body` there, and returns.
    #[track_caller]
    pub fn hypercall<R>(&self, name: &'static str, body: impl FnOnce(&Self) -> R) -> R {
        self.point(PointKind::Hypercall, Family::NONE);
        self.trace(|| TraceEvent::Hypercall { name }, Location::caller());
        let before = self.core.level.replace(Level::Hypervisor);
        let result = body(self);
        self.point(PointKind::Return, Family::NONE);
        self.trace(|| TraceEvent::Returned, Location::caller());
        self.core.level.set(before);
        result
    }
}
