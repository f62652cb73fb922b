//! Slots: a caller's names for what it holds.

use core::fmt;

/// How many slots of each sort there are.
pub const SLOTS: u8 = 16;

/// The sorts of things that slots name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Sort {
    /// Pages.
    Page,
    /// Areas of vmap and vmalloc.
    Area,
    /// Small mappings of `vm_map_ram`.
    Ram,
    /// Buffers for DMA.
    Buffer,
    /// Trees of page tables.
    Tree,
    /// Address spaces.
    Mm,
    /// Objects.
    Object,
    /// Pages that are pinned together.
    Pins,
}

impl Sort {
    /// Every sort, in the order of its declaration.
    pub const ALL: [Self; 8] =
        [Self::Page, Self::Area, Self::Ram, Self::Buffer, Self::Tree, Self::Mm, Self::Object, Self::Pins];
}

macro_rules! slots {
    ($($(#[$doc:meta])* $sort:ident $name:ident $letter:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(u8);

            impl $name {
                /// The sort of what it names.
                pub const SORT: Sort = Sort::$sort;

                /// The letter that the text form writes before the number.
                pub const LETTER: char = $letter;

                /// The slot of this number, which wraps at [`SLOTS`].
                #[inline]
                pub const fn new(number: u8) -> Self {
                    Self(number % SLOTS)
                }

                /// The number, from 0 to [`SLOTS`] - 1.
                #[inline]
                pub const fn number(self) -> u8 {
                    self.0
                }

                /// The number as an index.
                #[inline]
                pub const fn index(self) -> usize {
                    self.0 as usize
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{}{}", Self::LETTER, self.0)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }
        )*

        impl Sort {
            /// The letter that the text form writes before the number of a slot.
            pub const fn letter(self) -> char {
                match self {
                    $(Self::$sort => $letter,)*
                }
            }
        }
    };
}

slots! {
    /// A page that a caller allocated (`p3`).
    Page PageSlot 'p';
    /// An area that vmap or vmalloc returned (`a5`).
    Area AreaSlot 'a';
    /// A small mapping that `vm_map_ram` returned (`r2`).
    Ram RamSlot 'r';
    /// A buffer for DMA (`b1`).
    Buffer BufferSlot 'b';
    /// A tree of page tables that `pin-tree` made (`t0`).
    Tree TreeSlot 't';
    /// An address space that `new-mm` made (`m0`).
    Mm MmSlot 'm';
    /// An object that `new-object` made (`o0`).
    Object ObjectSlot 'o';
    /// Pages that `gup-fast` pinned (`g0`).
    Pins PinSlot 'g';
}
