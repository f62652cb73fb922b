//! The architectural format of page tables: entries, levels, and how an address splits into indices.
//!
//! Flags and their meanings: Intel SDM volume 3A, section 4.5 (4-level paging); AMD APM volume 2, section 5.3.

use core::fmt;

pub use x86_64::structures::paging::PageTableFlags as Flags;

/// Bits of an address below a page.
pub const PAGE_SHIFT: u32 = 12;
/// Bytes of a page.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;
/// Entries of a table, and words of a frame.
pub const WORDS: usize = 512;
/// Levels of the tables; the root is of level 4.
pub const LEVELS: u8 = 4;

/// The number of the first frame of large memory: whole pages of 2 MiB, the first at 4 GiB.
pub const LARGE_MEMORY: u32 = 1 << 20;

/// A physical frame, by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame(pub u32);

impl Frame {
    /// The frame's number as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The first frame of the 2 MiB that it lies in.
    #[inline]
    #[must_use]
    pub const fn large(self) -> Self {
        Self(self.0 & !(WORDS as u32 - 1))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// A page-table entry, at any level.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry(pub u64);

impl Entry {
    /// The entry that maps nothing.
    pub const EMPTY: Self = Self(0);

    /// An entry that leads to this frame.
    #[inline]
    pub const fn new(frame: Frame, flags: Flags) -> Self {
        Self(((frame.0 as u64) << PAGE_SHIFT) | flags.bits())
    }

    /// The frame that it leads to. An address too large for a frame number leads to the last frame, which no machine has.
    #[inline]
    pub const fn frame(self) -> Frame {
        let number = (self.0 & ADDRESS) >> PAGE_SHIFT;
        Frame(if number > u32::MAX as u64 { u32::MAX } else { number as u32 })
    }

    /// The frame of the page at an address, if the entry is a leaf of this level for it. Bit 12 of a large leaf selects
    /// the memory type and is no part of the address.
    #[inline]
    pub const fn frame_at(self, va: u64, level: u8) -> Frame {
        if level == 1 { self.frame() } else { Frame(self.frame().large().0 + index(va, 1) as u32) }
    }

    /// Its flags.
    #[inline]
    pub const fn flags(self) -> Flags {
        Flags::from_bits_truncate(self.0 & !ADDRESS)
    }

    /// Whether a walk goes on through it.
    #[inline]
    pub const fn present(self) -> bool {
        self.0 & Flags::PRESENT.bits() != 0
    }

    /// Whether all of these flags are set.
    #[inline]
    pub const fn has(self, flags: Flags) -> bool {
        self.0 & flags.bits() == flags.bits()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.present() {
            return if self.0 == 0 { f.write_str("empty") } else { write!(f, "{:#x}", self.0) };
        }
        write!(f, "{} ", self.frame())?;
        for (flag, letter) in [
            (Flags::WRITABLE, 'W'),
            (Flags::USER_ACCESSIBLE, 'U'),
            (Flags::ACCESSED, 'A'),
            (Flags::DIRTY, 'D'),
            (Flags::HUGE_PAGE, 'S'),
            (Flags::GLOBAL, 'G'),
        ] {
            if self.has(flag) {
                write!(f, "{letter}")?;
            }
        }
        f.write_str(if self.has(Flags::NO_EXECUTE) { "" } else { "X" })
    }
}

/// The index into the table of this level (1 to 4) for an address.
#[inline]
pub const fn index(va: u64, level: u8) -> usize {
    (va >> (PAGE_SHIFT + 9 * (level as u32 - 1))) as usize & (WORDS - 1)
}

/// Bytes that one entry of a table of this level covers.
#[inline]
pub const fn span(level: u8) -> u64 {
    1 << (PAGE_SHIFT + 9 * (level as u32 - 1))
}

/// Whether bits 47 to 63 of an address are equal (SDM volume 1, section 3.3.7.1).
#[inline]
pub const fn canonical(va: u64) -> bool {
    let top = va >> 47;
    top == 0 || top == 0x1_ffff
}
