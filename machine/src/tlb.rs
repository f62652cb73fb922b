//! Cached translations of one CPU: the TLB, and the paging-structure caches beside it.
//!
//! Nothing is evicted unless the story says so. The scopes of invalidation follow the SDM, volume 3A, sections 4.10.2 to
//! 4.10.4.

use crate::paging::{Entry, Flags, Frame, PAGE_SHIFT, span};

/// A cached leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlbEntry {
    /// First address that it covers.
    pub va: u64,
    /// 1 for 4 KiB, 2 for 2 MiB.
    pub level: u8,
    /// The process-context identifier under which it was made; meaningless for a global entry.
    pub pcid: u16,
    /// The frame (the first of 512 for a large leaf).
    pub frame: Frame,
    /// The frame's incarnation when the entry was made.
    pub incarnation: u32,
    /// Flags: writable, user and no-execute are combined over all levels; dirty, global and the memory type are the
    /// leaf's.
    pub flags: Flags,
    /// The memory type that the leaf selects, as an index into the page-attribute table.
    pub memory_type: u8,
}

impl TlbEntry {
    /// Whether it covers an address, under any identifier.
    #[inline]
    pub const fn covers(&self, va: u64) -> bool {
        va & !(span(self.level) - 1) == self.va
    }

    /// Whether it is global.
    #[inline]
    pub const fn global(&self) -> bool {
        self.flags.contains(Flags::GLOBAL)
    }

    /// The frame of the page at an address that the entry covers.
    #[inline]
    pub const fn frame_of(&self, va: u64) -> Frame {
        Frame(self.frame.0 + ((va & (span(self.level) - 1)) >> PAGE_SHIFT) as u32)
    }
}

/// A cached upper entry: where the walk for these addresses can begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WalkCacheEntry {
    /// First address that it covers.
    pub va: u64,
    /// The level of the entry cached: 2 leads to a lowest table, 4 is an entry of the root.
    pub level: u8,
    /// The process-context identifier under which it was made.
    pub pcid: u16,
    /// The table that it leads to, of the level below.
    pub table: Frame,
    /// That table's incarnation when the entry was cached.
    pub incarnation: u32,
    /// Writable, user and no-execute, combined over the levels walked.
    pub flags: Flags,
}

impl WalkCacheEntry {
    /// Whether it covers an address, under any identifier.
    #[inline]
    pub const fn covers(&self, va: u64) -> bool {
        va & !(span(self.level) - 1) == self.va
    }
}

/// What an invalidation dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Cached leaves.
    pub leaves: usize,
    /// Cached upper entries.
    pub paths: usize,
}

/// The translations that one CPU has cached.
#[derive(Debug, Default)]
pub struct Tlb {
    leaves: Vec<TlbEntry>,
    paths: Vec<WalkCacheEntry>,
}

impl Tlb {
    /// The cached leaves, in no meaningful order.
    pub fn leaves(&self) -> &[TlbEntry] {
        &self.leaves
    }

    /// The cached upper entries, in no meaningful order.
    pub fn paths(&self) -> &[WalkCacheEntry] {
        &self.paths
    }

    /// The leaf that an access under this identifier would use.
    #[inline]
    pub fn leaf(&self, va: u64, pcid: u16) -> Option<&TlbEntry> {
        self.leaves.iter().find(|entry| entry.covers(va) && (entry.global() || entry.pcid == pcid))
    }

    /// The lowest upper entry from which a walk under this identifier would begin.
    #[inline]
    pub fn path(&self, va: u64, pcid: u16) -> Option<WalkCacheEntry> {
        self.paths
            .iter()
            .filter(|entry| entry.pcid == pcid && entry.covers(va))
            .min_by_key(|entry| entry.level)
            .copied()
    }

    pub(crate) fn insert_leaf(&mut self, new: TlbEntry) {
        self.leaves.retain(|old| {
            old.va != new.va || old.level != new.level || !(old.global() || old.pcid == new.pcid)
        });
        self.leaves.push(new);
    }

    pub(crate) fn insert_path(&mut self, new: WalkCacheEntry) {
        match self
            .paths
            .iter_mut()
            .find(|old| old.va == new.va && old.level == new.level && old.pcid == new.pcid)
        {
            Some(old) => *old = new,
            None => self.paths.push(new),
        }
    }

    fn sizes(&self) -> Lost {
        Lost { leaves: self.leaves.len(), paths: self.paths.len() }
    }

    fn lost_since(&self, before: Lost) -> Lost {
        Lost { leaves: before.leaves - self.leaves.len(), paths: before.paths - self.paths.len() }
    }

    /// INVLPG: drops the page's leaves of this identifier, its global leaves, and *every* upper entry of this identifier.
    /// Returns what it dropped.
    pub(crate) fn invlpg(&mut self, va: u64, pcid: u16, spare_globals: bool) -> Lost {
        let before = self.sizes();
        self.leaves.retain(|entry| {
            !entry.covers(va) || if entry.global() { spare_globals } else { entry.pcid != pcid }
        });
        self.paths.retain(|entry| entry.pcid != pcid);
        self.lost_since(before)
    }

    /// INVPCID type 0: drops what would translate one address under one identifier, path and leaf. Global entries stay, and
    /// so do upper entries for other addresses, which INVLPG would drop.
    pub(crate) fn invalidate_page_of(&mut self, va: u64, pcid: u16) -> Lost {
        let before = self.sizes();
        self.leaves.retain(|entry| !entry.covers(va) || entry.global() || entry.pcid != pcid);
        self.paths.retain(|entry| !entry.covers(va) || entry.pcid != pcid);
        self.lost_since(before)
    }

    /// A page fault at an address: drops what translated it, path and leaf, so that the fault comes again only if the
    /// tables say so. Other upper entries stay.
    pub(crate) fn fault(&mut self, va: u64, pcid: u16) {
        self.leaves.retain(|entry| !entry.covers(va) || !(entry.global() || entry.pcid == pcid));
        self.paths.retain(|entry| !entry.covers(va) || entry.pcid != pcid);
    }

    /// A flushing CR3 load or INVPCID type 1: drops everything of one identifier but global entries.
    pub(crate) fn invalidate_pcid(&mut self, pcid: u16) -> Lost {
        let before = self.sizes();
        self.leaves.retain(|entry| entry.global() || entry.pcid != pcid);
        self.paths.retain(|entry| entry.pcid != pcid);
        self.lost_since(before)
    }

    /// Drops the leaves of which this holds, and every upper entry.
    pub(crate) fn invalidate_where(&mut self, goes: impl Fn(&TlbEntry) -> bool) -> Lost {
        let before = self.sizes();
        self.leaves.retain(|leaf| !goes(leaf));
        self.paths.clear();
        self.lost_since(before)
    }

    /// INVPCID type 3: drops everything but global entries.
    pub(crate) fn invalidate_non_global(&mut self) -> Lost {
        let before = self.sizes();
        self.leaves.retain(TlbEntry::global);
        self.paths.clear();
        self.lost_since(before)
    }

    /// INVPCID type 2, or CR4.PGE toggled: drops everything.
    pub(crate) fn invalidate_all(&mut self) -> Lost {
        let before = self.sizes();
        self.leaves.clear();
        self.paths.clear();
        before
    }
}

/// The memory type that an entry selects: PAT, PCD and PWT as an index into the page-attribute table (SDM volume 3A,
/// section 11.12.3).
pub fn memory_type(entry: Entry, level: u8) -> u8 {
    let pat = if level == 1 { entry.has(Flags::HUGE_PAGE) } else { entry.0 & (1 << 12) != 0 };
    u8::from(entry.has(Flags::WRITE_THROUGH)) | u8::from(entry.has(Flags::NO_CACHE)) << 1 | u8::from(pat) << 2
}
