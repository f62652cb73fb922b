//! How large a kernel is built: tiny while fuzzing, so that "full" states are common, and real when asked.

use crate::vpn::Vpn;

/// The page with which x86-64 Linux begins its vmalloc space.
const VMALLOC_START: Vpn = Vpn::of(0xffff_c900_0000_0000);

/// Pages below the end of the address space.
const fn from_the_top(pages: u64) -> Vpn {
    Vpn(Vpn::of(u64::MAX).0 + 1 - pages)
}

/// A set of sizes, by name. The discriminants are written in stories.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Sizes {
    /// Blocks of four slots, a handful of frames, a range that three mappings exhaust.
    #[default]
    Tiny = 0,
    /// Room for some dozen mappings.
    Small = 1,
    /// What a kernel on a small server has.
    Real = 2,
}

impl Sizes {
    /// Every size, in the order of the tags.
    pub const ALL: [Self; 3] = [Self::Tiny, Self::Small, Self::Real];

    /// The word that the text of a story holds.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Real => "real",
        }
    }

    /// Pages that the callers hold when a story begins: slots `p0` to `p3`.
    pub const INITIAL_PAGES: u8 = 4;

    /// Pages of low memory, which the direct map holds: few, so that they soon go round.
    pub const LOW_PAGES: u32 = 6;

    /// Frames of low memory: its pages, the three tables of the direct map, and three more that are in no use.
    pub const LOW_FRAMES: u32 = 2 * 3 + Self::LOW_PAGES;

    /// Frames of physical memory, tables and the kernel's own included.
    pub const fn frames(self) -> u32 {
        self.first_low_frame() + Self::LOW_FRAMES
    }

    /// From here on frames are low memory, whose pages `vmalloc` takes; all others are the page allocator's.
    pub const fn first_low_frame(self) -> u32 {
        match self {
            Self::Tiny => 48,
            Self::Small => 128,
            Self::Real => 16_384,
        }
    }

    /// Frames from here on have no place in the direct map: the kernel would have to map them to touch them.
    pub const fn first_high_frame(self) -> u32 {
        self.first_low_frame() / 2
    }

    /// Pages of address space that vmap and the blocks share.
    pub const fn vmalloc_pages(self) -> u64 {
        match self {
            Self::Tiny => 24,
            Self::Small => 64,
            Self::Real => 1 << 23,
        }
    }

    /// The first page of that space: across a border between two lowest-level tables, at the very top of the address
    /// space, or where x86-64 Linux has it.
    pub const fn vmalloc_first(self) -> Vpn {
        match self {
            Self::Tiny => Vpn(VMALLOC_START.0 + 512 - self.vmalloc_pages() / 2),
            Self::Small => from_the_top(self.vmalloc_pages()),
            Self::Real => VMALLOC_START,
        }
    }

    /// Pages of 2 MiB, where the platform has any: memory of its own, from which large areas are made.
    pub const LARGE_PAGES: u32 = 1;

    /// The first page of the 2 MiB of addresses that a large area may take, or `None` where it may be any 2 MiB.
    ///
    /// Small mappings are confined to the pages of the vmalloc space. An area that has all of those that lie in these 2 MiB
    /// has the 2 MiB, since nothing else is ever mapped in the rest of it.
    pub const fn large_run(self) -> Option<Vpn> {
        match self {
            Self::Tiny => Some(VMALLOC_START),
            Self::Small => Some(from_the_top(512)),
            Self::Real => None,
        }
    }

    /// Pages above which a flush of single pages costs more than one of everything
    /// (`tlb_single_page_flush_ceiling`).
    pub const fn flush_ceiling(self) -> u64 {
        match self {
            Self::Tiny => 4,
            Self::Small => 8,
            Self::Real => 33,
        }
    }

    /// Slots (pages) of a per-CPU vmap block (`VMAP_BBMAP_BITS`). Where addresses are plenty a block is 4 MiB, two whole
    /// lowest-level tables, so that no two blocks have one in common.
    pub const fn block_slots(self) -> u32 {
        match self {
            Self::Tiny | Self::Small => 4,
            Self::Real => 1024,
        }
    }

    /// The most pages of a mapping that takes slots of a block (`VMAP_MAX_ALLOC`).
    pub const fn block_max_alloc(self) -> u64 {
        match self {
            Self::Tiny | Self::Small => 4,
            Self::Real => 64,
        }
    }

    /// Table pages that are cleared of aliases together.
    pub const fn quicklist_batch(self) -> usize {
        match self {
            Self::Tiny => 2,
            Self::Small => 4,
            Self::Real => 16,
        }
    }

    /// Lazily unmapped pages above which a purge is scheduled, for this many CPUs (`lazy_max_pages`: 32 MiB times
    /// the bits of the number of CPUs).
    pub const fn lazy_max_pages(self, cpus: u8) -> u64 {
        match self {
            Self::Tiny => 4,
            Self::Small => 8,
            Self::Real => (u8::BITS - cpus.leading_zeros()) as u64 * (32 << 20 >> 12),
        }
    }

    /// Pages from the start of the vmalloc space on whose tables stay once they were made: as many as may be unmapped lazily,
    /// and two blocks for each CPU, which are in use meanwhile. First fit comes back to them after each purge.
    ///
    /// Small kernels have no such reserve: their tables are to come and go, in reach of short stories.
    pub const fn table_reserve(self, cpus: u8) -> u64 {
        match self {
            Self::Tiny | Self::Small => 0,
            Self::Real => self.lazy_max_pages(cpus) + 2 * cpus as u64 * self.block_slots() as u64,
        }
    }
}
