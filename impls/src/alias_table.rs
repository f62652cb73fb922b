//! A side table from frames to aliases (seed 004): how many kernel mappings each page has, in words of its own, so that
//! no owner's flags are touched.
//!
//! An alias counts from before its entry is set until after its entry is cleared. Entries are cleared by the batch
//! (`paravirt.rs`, lazy MMU mode), and what was put off is not cleared yet:
//!
//! ```text
//!   c0 purge                              c1
//!   put off: entry := empty
//!   count off: no alias left
//!                                         the page becomes a table: no drain; but the hypervisor still counts
//!                                         the writable entry, and refuses
//!   issue the batch
//! ```
//!
//! Where the table is switched on at run time, aliases may exist that were never counted, and a count of 0 says nothing.
//!
//! ```text
//!   c0                                    c1
//!   vmap: the table is off, not counted
//!                                         switches it on
//!   vunmap leaves the entry for the purge
//!                                         the page becomes a table: it has 0 aliases, so no drain
//! ```
//!
//! So a page is *unknown* until it was drained for while the table was on: at that moment no caller maps it, and every
//! later mapping counts. Nor is such an old alias counted off when it goes, which is not for safety: the count would be below
//! nothing from then on, and the table of no use for this page. So a bit that the hardware leaves to software marks the
//! entries that were counted.

use crate::base::Base;
use crate::family;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol::{Step, TableDrain};
use machine::{Bus, Cpu, Entry, Flags, Var, VarArray};

/// In an entry: its alias was counted when it was made.
pub(crate) const COUNTED: Flags = Flags::BIT_9;

/// In a word: all aliases of the page are counted. As long as it is not set, the page may have others.
const KNOWN: u64 = 1 << 63;

/// In a word: how many aliases are counted.
const COUNT: u64 = KNOWN - 1;

/// The table. It has no words where the design has none.
#[derive(Debug)]
pub struct AliasTable {
    words: VarArray,
    on: Var,
}

impl AliasTable {
    /// Variables needed for this number of pages.
    pub const fn vars(pages: u32) -> u32 {
        pages + 1
    }

    /// Nothing is mapped.
    pub fn new(bus: &Bus, pages: u32, design: TableDrain) -> Self {
        let kept = matches!(design, TableDrain::SideTable | TableDrain::SideTableOnRequest);
        let pages = if kept { pages as usize } else { 0 };
        let table = Self {
            words: bus.memory.vars(family::ALIAS_COUNT, pages),
            on: bus.memory.var(family::TRACK_ALIASES),
        };
        if design == TableDrain::SideTable {
            bus.memory.set_value(table.on, 1);
            (0..pages).for_each(|page| bus.memory.set_value(table.words.at(page), KNOWN));
        }
        table
    }

    fn of(&self, pfn: Pfn) -> Var {
        self.words.at(pfn.index())
    }

    /// Whether a kernel on this platform may keep the table at all.
    pub(crate) fn may_be_kept<P: PvMmu>(&self) -> bool {
        P::TABLES_ALLOW_NO_ALIAS && !self.words.is_empty()
    }

    /// Whether the kernel keeps the table at this moment.
    fn is_kept<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>) -> bool {
        self.may_be_kept::<P>()
            && (base.protocol.designs.table_drain == TableDrain::SideTable || cpu.load(self.on) != 0)
    }

    /// Keeps the table from now on. The switch is there on every kernel; one that keeps no table does not look at it.
    pub(crate) fn switch_on(&self, cpu: &Cpu<'_>) {
        cpu.swap(self.on, 1);
    }

    /// The vmap layer is about to map these pages: counts them. Returns what marks their entries.
    pub(crate) fn count<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pages: &[Pfn]) -> Flags {
        if !self.is_kept(base, cpu) {
            return Flags::empty();
        }
        for pfn in pages {
            cpu.fetch_add(self.of(*pfn), 1);
        }
        COUNTED
    }

    /// An entry was cleared that led to the page, and was counted.
    pub(crate) fn count_off(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        if cpu.fetch_sub(self.of(pfn), 1) & COUNT == 0 {
            cpu.bug("an alias is counted off that was never counted");
        }
    }

    /// Whether a page that no caller maps any more may have an alias left, as far as the table says.
    pub(crate) fn may_have_aliases<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pfn: Pfn) -> bool {
        if !self.is_kept(base, cpu) {
            return true;
        }
        let word = cpu.load(self.of(pfn));
        let unknown = base.protocol.does(Step::UnknownUntilDrained) && word & KNOWN == 0;
        unknown || word & COUNT != 0
    }

    /// The page was drained for, and no caller can have mapped it since. While the table is off that says nothing about
    /// later.
    pub(crate) fn are_known<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pfn: Pfn) {
        if self.is_kept(base, cpu) {
            cpu.update(self.of(pfn), |word| (word & KNOWN == 0).then_some(word | KNOWN));
        }
    }
}

/// The page whose alias goes with an entry, if that is to be counted off.
pub(crate) fn counted_by<P: PvMmu>(base: &Base<P>, entry: Entry) -> Option<Pfn> {
    (entry.present() && entry.has(COUNTED)).then(|| base.pv.pfn_of(entry.frame()))
}
