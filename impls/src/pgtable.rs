//! Page tables as software reads them: the walk from a root to an entry, and the flags of the kernel's own entries.
//!
//! A walk here is a row of loads, each of them a point. It trusts nothing but what it is told to: the caller says which entry leads
//! further down, so that the hypervisor can walk a guest's tables by rules of its own.

use machine::paging::{LEVELS, index};
use machine::{Cpu, Flags, Frame, Word};

/// Flags of an entry that leads to a table (`_KERNPG_TABLE`).
pub const TABLE_FLAGS: Flags =
    Flags::PRESENT.union(Flags::WRITABLE).union(Flags::ACCESSED).union(Flags::DIRTY);

/// Flags of a page of the kernel's own (`PAGE_KERNEL`).
pub const PAGE_KERNEL: Flags = TABLE_FLAGS.union(Flags::GLOBAL).union(Flags::NO_EXECUTE);

/// An entry above leads to no table: it is not present, or a large leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoTable;

/// Page tables: where a walk of them begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Walk {
    /// The table that every walk begins with.
    pub root: Frame,
    /// Its level, 1 to 4.
    pub level: u8,
}

impl Walk {
    /// The tables under a root of the highest level.
    #[inline]
    pub const fn from(root: Frame) -> Self {
        Self { root, level: LEVELS }
    }

    /// Where the entry of this level for an address stands, if the tables reach down so far. Loads the entries above by the
    /// machine's own families.
    #[inline]
    #[track_caller]
    pub fn entry(&self, cpu: &Cpu<'_>, va: u64, level: u8) -> Option<Word> {
        // Not by `descend`: a finding names who walks, and a closure does not know it.
        let mut table = self.root;
        for above in (level + 1..=self.level).rev() {
            let entry = cpu.load_entry(Word::new(table, index(va, above)), above);
            if !entry.present() || entry.has(Flags::HUGE_PAGE) {
                return None;
            }
            table = entry.frame();
        }
        Some(Word::new(table, index(va, level)))
    }

    /// The same walk, where `down` looks at each entry above, by its word and level, and says which table comes next, or why the
    /// walk ends.
    #[inline]
    pub fn descend<E>(
        &self,
        va: u64,
        level: u8,
        mut down: impl FnMut(Word, u8) -> Result<Frame, E>,
    ) -> Result<Word, E> {
        let mut table = self.root;
        for above in (level + 1..=self.level).rev() {
            table = down(Word::new(table, index(va, above)), above)?;
        }
        Ok(Word::new(table, index(va, level)))
    }
}

/// The places of a table whose words are not 0, by growing index. Each is looked for when the caller asks for it, in memory as it
/// stands then: the look is no point, and the load of the entry that follows it is one.
pub fn non_zero(cpu: &Cpu<'_>, table: Frame) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let index = cpu.bus().memory.next_non_zero(table, from)?;
        from = index + 1;
        Some(index)
    })
}
