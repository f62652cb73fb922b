//! Virtual page numbers, and runs of pages. Here alone addresses become page numbers and page numbers addresses.
//!
//! The end of a run may be one past the last page that there is, which has a number but no address.

use std::fmt;
use std::ops::{Add, RangeInclusive, Sub};

/// Bits of a page number that one level of page tables takes.
const INDEX_BITS: u32 = machine::paging::WORDS.trailing_zeros();

/// The number of a page of the kernel's address space: the address of its first byte without the lowest 12 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vpn(pub u64);

impl Vpn {
    /// The page that an address lies in.
    #[inline]
    pub const fn of(va: u64) -> Self {
        Self(va >> machine::paging::PAGE_SHIFT)
    }

    /// The address of its first byte.
    #[inline]
    pub const fn address(self) -> u64 {
        self.0 << machine::paging::PAGE_SHIFT
    }

    /// The number of the table of this level, 1 to 4, that the way to the page goes through: all such tables of an address
    /// space are counted in the order of the addresses that they map.
    #[inline]
    pub const fn table(self, level: u8) -> u64 {
        self.0 >> (INDEX_BITS * level as u32)
    }

    /// The first page that a table of this level and number maps.
    #[inline]
    pub const fn first_of_table(level: u8, number: u64) -> Self {
        Self(number << (INDEX_BITS * level as u32))
    }
}

/// The page that lies this many pages further up.
impl Add<u64> for Vpn {
    type Output = Self;

    #[inline]
    fn add(self, pages: u64) -> Self {
        Self(self.0 + pages)
    }
}

/// How many pages lie between two, from the lower one on.
impl Sub for Vpn {
    type Output = u64;

    #[inline]
    fn sub(self, lower: Self) -> u64 {
        self.0 - lower.0
    }
}

impl fmt::Debug for Vpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vpn {:#x}", self.0)
    }
}

/// A run of pages of the kernel's address space. It is counted in pages and never in bytes: the last page of the space has no
/// end address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageRange {
    /// The first page.
    pub first: Vpn,
    /// How many there are.
    pub pages: u64,
}

impl PageRange {
    /// The address of the page at an index.
    #[inline]
    pub fn address(&self, index: u64) -> u64 {
        (self.first + index).address()
    }

    /// The address of each page, by growing address.
    #[inline]
    pub fn addresses(self) -> impl Iterator<Item = u64> {
        (0..self.pages).map(move |index| self.address(index))
    }

    /// The numbers of the tables of this level through which the ways to its pages go. The run is not empty.
    #[inline]
    pub fn tables(&self, level: u8) -> RangeInclusive<u64> {
        self.first.table(level)..=(self.first + (self.pages - 1)).table(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_and_its_address_lead_to_each_other() {
        let va = 0xffff_c900_0000_3abc;
        assert_eq!(Vpn::of(va), Vpn(0xf_fffc_9000_0003));
        assert_eq!(Vpn::of(va).address(), va & !0xfff);
        assert_eq!((Vpn::of(va) + 2).address(), (va & !0xfff) + 0x2000);
        assert_eq!(Vpn::of(va + 0x2000) - Vpn::of(va), 2);
    }

    #[test]
    fn the_last_page_of_the_space_has_an_address_and_the_run_up_to_it_no_end() {
        let range = PageRange { first: Vpn::of(u64::MAX), pages: 1 };
        assert_eq!(range.addresses().collect::<Vec<_>>(), [!0xfff]);
        assert_eq!(range.tables(1), 0x7ff_ffff_ffff..=0x7ff_ffff_ffff);
    }

    #[test]
    fn a_run_goes_through_the_tables_of_its_first_and_last_page_and_all_between() {
        for (first, pages, tables) in [(511, 1, 0..=0), (511, 2, 0..=1), (512, 512, 1..=1), (512, 513, 1..=2)]
        {
            let range = PageRange { first: Vpn(first), pages };
            assert_eq!(range.tables(1), tables, "{range:?}");
        }
        assert_eq!(Vpn::first_of_table(1, 3), Vpn(3 * 512));
        assert_eq!(Vpn::first_of_table(2, 3).table(2), 3);
    }
}
