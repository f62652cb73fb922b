//! The page walkers: how one CPU translates an address, for an access or speculatively.
//!
//! A walk reads memory only, never a store buffer, and changes nothing in it but accessed and dirty bits (SDM volume
//! 3A, sections 4.5, 4.8 and 4.10; AMD APM volume 2, sections 5.3 and 5.5). Nothing here is a point.

use crate::alarm::AlarmKind;
use crate::bus::Bus;
use crate::core::{Core, Cr3, Mode};
use crate::fault::Access;
use crate::memory::{Role, Word};
use crate::paging::{Entry, Flags, Frame, LEVELS, canonical, index, span};
use crate::tlb::{TlbEntry, WalkCacheEntry, memory_type};
use crate::trace::TraceEvent;
use std::panic::Location;

/// Why an access faulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageFault {
    /// The address.
    pub va: u64,
    /// A translation exists but does not allow the access; otherwise there is none.
    pub protection: bool,
    /// What was asked for.
    pub access: Access,
}

/// What an access through the MMU asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intent {
    Read,
    Write,
    Fetch,
    Speculate,
}

/// Flags of the entry of a root that leads to the root itself.
const RECURSIVE_FLAGS: Flags =
    Flags::PRESENT.union(Flags::WRITABLE).union(Flags::ACCESSED).union(Flags::DIRTY).union(Flags::NO_EXECUTE);

/// Where the tables lead for an address, read without disturbing anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapped {
    /// The leaf.
    pub entry: Entry,
    /// Its level: 1, or 2 for a large one.
    pub level: u8,
    /// Where it stands.
    pub word: Word,
    /// Writable, user and no-execute, combined over the levels.
    pub flags: Flags,
}

impl Mapped {
    /// The frame of the page at an address that the leaf covers.
    pub const fn frame_of(&self, va: u64) -> Frame {
        self.entry.frame_at(va, self.level)
    }
}

impl Bus {
    /// Where the tables lead for an address from this root, changing nothing.
    pub fn mapped(&self, root: Frame, va: u64) -> Option<Mapped> {
        if !canonical(va) {
            return None;
        }
        let mut table = root;
        let mut flags = Flags::WRITABLE | Flags::USER_ACCESSIBLE;
        for level in (1..=LEVELS).rev() {
            if table.0 >= self.memory.frames() {
                return None;
            }
            let word = Word::new(table, index(va, level));
            let entry = self.entry(word, level, va);
            if !entry.present() || reserved(entry, level) {
                return None;
            }
            flags = combine(flags, entry.flags());
            if leaf(entry, level) {
                return Some(Mapped { entry, level, word, flags });
            }
            table = entry.frame();
        }
        unreachable!("an entry of level 1 is a leaf")
    }

    /// The entry that a walk for an address reads here. Memory does not hold the root's recursive entry.
    #[inline]
    fn entry(&self, word: Word, level: u8, va: u64) -> Entry {
        if level == LEVELS && self.is_recursive(va) {
            return Entry::new(word.frame, RECURSIVE_FLAGS);
        }
        Entry(self.memory.peek(word))
    }

    /// Whether the tables under a root still say what a cached leaf says. Then the leaf is not stale, for whatever its
    /// frame was used since the walk: a mapping that never changes, as those of a direct map, outlives the uses of its
    /// frames.
    ///
    /// For a page of data the tables may allow less by now. Software may narrow its permissions at any time, and a CPU may
    /// keep the older ones until it is flushed, whichever use of the frame it walked for. For a table, or a page that was
    /// given away, a cached leaf must never allow more than the tables do.
    #[cold]
    pub(crate) fn would_translate(&self, root: Frame, va: u64, cached: &TlbEntry) -> bool {
        self.mapped(root, va).is_some_and(|now| {
            let grants = Flags::WRITABLE | Flags::USER_ACCESSIBLE;
            now.level == cached.level
                && now.frame_of(va) == cached.frame_of(va)
                && (self.memory.role(cached.frame_of(va)) == Role::Data
                    || (now.flags & grants).contains(cached.flags & grants)
                        && cached.flags.contains(now.flags & Flags::NO_EXECUTE))
        })
    }

    /// A walk by the hardware of one CPU, as the SDM describes it (volume 3A, 4.5, 4.8 and 4.10.3). It starts at the lowest
    /// cached upper entry or at the root, sets accessed bits, and caches the path and the leaf.
    pub(crate) fn walk(
        &self,
        cpu: u8,
        va: u64,
        intent: Intent,
        at: Option<&'static Location<'static>>,
    ) -> Result<TlbEntry, PageFault> {
        let mut levels = 0;
        let found = self.walk_counting(cpu, va, intent, at, &mut levels);
        if self.tracing() {
            let speculative = intent == Intent::Speculate;
            self.record(cpu, TraceEvent::Walked { va, levels, speculative }, at);
        }
        found
    }

    /// As [`Bus::walk`]; counts the entries read.
    fn walk_counting(
        &self,
        cpu: u8,
        va: u64,
        intent: Intent,
        at: Option<&'static Location<'static>>,
        levels: &mut u8,
    ) -> Result<TlbEntry, PageFault> {
        let core = self.core(cpu);
        let Cr3 { root, pcid } = core.cr3.get();
        let mut level = LEVELS;
        let mut table = root;
        let mut incarnation = core.root_incarnation.get();
        let mut flags = Flags::WRITABLE | Flags::USER_ACCESSIBLE;
        if let Some(path) = core.tlb.borrow().path(va, pcid) {
            (level, table, incarnation, flags) = (path.level - 1, path.table, path.incarnation, path.flags);
        }
        // Below the recursive entry the walk reads each table as one of the level below its own.
        let skipped = u8::from(self.is_recursive(va));
        loop {
            let read_as = if level == LEVELS { LEVELS } else { level + skipped };
            if table.0 >= self.memory.frames()
                || !self.memory.is_table(table, read_as)
                || self.memory.incarnation(table) != incarnation
            {
                self.alarm(cpu, AlarmKind::FreedTableWalked { frame: table, level, va }, at);
                return Err(intent.fault(va, false));
            }
            let word = Word::new(table, index(va, level));
            let entry = self.entry(word, level, va);
            *levels += 1;
            if !entry.present() {
                return Err(intent.fault(va, false));
            }
            if reserved(entry, level) {
                return Err(intent.fault(va, true));
            }
            flags = combine(flags, entry.flags());
            if leaf(entry, level) {
                return self.cache_leaf(cpu, va, intent, word, level, flags);
            }
            if !entry.has(Flags::ACCESSED) {
                self.memory.poke(word, entry.0 | Flags::ACCESSED.bits());
            }
            table = entry.frame();
            incarnation = self.incarnation(table);
            let va = va & !(span(level) - 1);
            core.tlb.borrow_mut().insert_path(WalkCacheEntry { va, level, pcid, table, incarnation, flags });
            level -= 1;
        }
    }

    fn cache_leaf(
        &self,
        cpu: u8,
        va: u64,
        intent: Intent,
        word: Word,
        level: u8,
        flags: Flags,
    ) -> Result<TlbEntry, PageFault> {
        let core = self.core(cpu);
        let mut entry = Entry(self.memory.peek(word));
        if !permits(flags, intent, core) {
            return Err(intent.fault(va, true));
        }
        let pcid = core.cr3.get().pcid;
        if intent == Intent::Speculate
            && let Some(cached) = core.tlb.borrow().leaf(va, pcid).copied()
        {
            // The CPU keeps the leaf that it has: the older one is the dangerous one.
            return Ok(cached);
        }
        let mut set = Flags::ACCESSED;
        if intent == Intent::Write {
            set |= Flags::DIRTY;
        }
        if !entry.has(set) {
            entry.0 |= set.bits();
            self.memory.poke(word, entry.0);
        }
        // Bit 12 of a large leaf selects the memory type and is no part of the address.
        let frame = if level == 1 { entry.frame() } else { entry.frame().large() };
        let leaf = TlbEntry {
            va: va & !(span(level) - 1),
            level,
            pcid,
            frame,
            incarnation: self.incarnation(frame),
            flags: flags | (entry.flags() & (Flags::DIRTY | Flags::GLOBAL)),
            memory_type: memory_type(entry, level),
        };
        core.tlb.borrow_mut().insert_leaf(leaf);
        if self.tracing() {
            let speculative = intent == Intent::Speculate;
            self.record(cpu, TraceEvent::Filled { va, frame: leaf.frame_of(va), speculative }, None);
        }
        Ok(leaf)
    }

    /// A speculative walk by one CPU. It caches what an ordinary walk would, sets accessed bits and never dirty ones, and
    /// faults silently. Returns whether it cached a leaf.
    pub fn fill(&self, cpu: u8, va: u64) -> bool {
        let pcid = self.core(cpu).cr3.get().pcid;
        canonical(va)
            && !self.core(cpu).is_descheduled()
            && self.core(cpu).tlb.borrow().leaf(va, pcid).is_none()
            && self.walk(cpu, va, Intent::Speculate, None).is_ok()
    }

    /// Every CPU whose root reaches this entry walks it, before a store changes it.
    #[cold]
    pub(crate) fn walk_eagerly(&self, word: Word, level: u8) {
        if !Entry(self.memory.peek(word)).present() {
            return;
        }
        let Some(first) = self.address_of(word, level) else { return };
        let va = self.first_mapped(word, level, first);
        for cpu in 0..self.cpus() {
            let root = self.core(cpu).cr3.get().root;
            if !self.core(cpu).is_descheduled() && self.reaches(root, va, word) {
                // The walk matters even where the CPU has cached the leaf: it caches the path.
                let _ = self.walk(cpu, va, Intent::Speculate, None);
            }
        }
    }

    /// The first address whose translation goes through an entry. The table may be linked in several ways: this takes the
    /// first link that still leads there; if none does, the last that did.
    fn address_of(&self, word: Word, level: u8) -> Option<u64> {
        let mut va = u64::from(word.index) * span(level);
        let mut frame = word.frame;
        for above in level + 1..=LEVELS {
            let (parent, index) = self.memory.linked_from(frame)?;
            va += u64::from(index) * span(above);
            frame = parent;
        }
        Some(if va & (1 << 47) != 0 { va | 0xffff << 48 } else { va })
    }

    /// The first address below an entry that has a leaf; if none has, an address as far down as the tables lead. A walk for
    /// it caches most.
    fn first_mapped(&self, word: Word, level: u8, mut va: u64) -> u64 {
        let mut entry = Entry(self.memory.peek(word));
        for below in (1..level).rev() {
            let table = entry.frame();
            if leaf(entry, below + 1)
                || table.0 >= self.memory.frames()
                || self.memory.role(table) != Role::Table(below)
            {
                break;
            }
            let mut from = 0;
            let present = loop {
                let Some(index) = self.memory.next_non_zero(table, from) else { return va };
                entry = Entry(self.memory.peek(Word::new(table, index)));
                if entry.present() {
                    break index;
                }
                from = index + 1;
            };
            va += present as u64 * span(below);
        }
        va
    }

    fn reaches(&self, root: Frame, va: u64, wanted: Word) -> bool {
        let mut table = root;
        for level in (1..=LEVELS).rev() {
            if table.0 >= self.memory.frames() {
                return false;
            }
            let word = Word::new(table, index(va, level));
            if word == wanted {
                return true;
            }
            let entry = Entry(self.memory.peek(word));
            if !entry.present() || reserved(entry, level) || leaf(entry, level) {
                return false;
            }
            table = entry.frame();
        }
        false
    }
}

/// Whether a walk ends at this entry. At level 1 the page-size bit selects a memory type.
fn leaf(entry: Entry, level: u8) -> bool {
    level == 1 || (level == 2 && entry.has(Flags::HUGE_PAGE))
}

/// Whether the entry has a bit set that must be 0: this machine has no pages of 1 GiB, and no processor has larger ones.
fn reserved(entry: Entry, level: u8) -> bool {
    level > 2 && entry.has(Flags::HUGE_PAGE)
}

/// Whether a leaf with these flags lets a CPU do this. Supervisor writes obey the writable bit (CR0.WP is set).
#[inline]
pub(crate) fn permits(flags: Flags, intent: Intent, core: &Core) -> bool {
    // Speculation asks for no permission: a CPU in user mode may have translated a supervisor address by the
    // time it traps.
    if intent == Intent::Speculate {
        return true;
    }
    (core.mode.get() == Mode::Kernel || flags.contains(Flags::USER_ACCESSIBLE))
        && match intent {
            Intent::Read | Intent::Speculate => true,
            Intent::Write => flags.contains(Flags::WRITABLE),
            Intent::Fetch => !flags.contains(Flags::NO_EXECUTE),
        }
}

fn combine(above: Flags, entry: Flags) -> Flags {
    let both = Flags::WRITABLE | Flags::USER_ACCESSIBLE;
    (above & entry & both) | ((above | entry) & Flags::NO_EXECUTE)
}
