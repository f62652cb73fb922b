//! Pages as operands: those of a mapping or of a tree, and how many pages of its own an area has.

use core::fmt;

use super::PageSlot;

/// Pages as a story tells them: a number of live pages, from a slot on (`p0+2`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PageRun {
    /// The first page.
    pub first: PageSlot,
    /// How many, 1 to [`MAX_PAGES`].
    pub count: u8,
}

impl fmt::Display for PageRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.first, self.count)
    }
}

/// How many pages an area has of its own, 1 to [`MAX_PAGES`] (`+2`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Count(pub u8);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// The most pages that one operation maps, or that one tree of tables has.
pub const MAX_PAGES: usize = 8;

/// The pages that a mapping is made of, in order and each once (`p0+2`: two pages, from slot 0 on).
///
/// A resolved list holds exactly the slots that are mapped: the live ones found from the first slot on, wrapping.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageList {
    slots: [PageSlot; MAX_PAGES],
    len: u8,
}

impl PageList {
    /// No pages.
    pub const EMPTY: Self = Self { slots: [PageSlot::new(0); MAX_PAGES], len: 0 };

    /// A list of these pages: the first [`MAX_PAGES`] of them.
    pub fn new(pages: impl IntoIterator<Item = PageSlot>) -> Self {
        let mut list = Self::EMPTY;
        for page in pages.into_iter().take(MAX_PAGES) {
            list.slots[usize::from(list.len)] = page;
            list.len += 1;
        }
        list
    }

    /// How many pages.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pages in the order of their addresses.
    #[inline]
    pub fn as_slice(&self) -> &[PageSlot] {
        &self.slots[..self.len()]
    }
}

impl fmt::Display for PageList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, page) in self.as_slice().iter().enumerate() {
            write!(f, "{}{page}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for PageList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}
