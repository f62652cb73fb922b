//! The two stages of an operation: as a story tells it, and bound to what callers hold.

use core::fmt;
use core::hash::Hash;

use super::{
    AreaSlot, Backing, BufferPage, BufferSlot, Count, Destination, Level, Mapping, MmSlot, Named, ObjectSlot,
    OwnPage, PageList, PageRun, PageSlot, PinSlot, PinnedPage, Place, RamSlot, RawEntry, RawFrame, Root,
    Sort, TableEntry, Token, TreeSlot, UserAccess, UserPage, UserRange,
};

/// What differs between the two stages of an operation.
pub trait Stage: Copy + Eq + Hash + fmt::Debug + 'static {
    /// The type of a list of pages.
    type Pages: Operand;
    /// The type of the word that a write leaves behind.
    type Token: Operand;
}

/// As a story tells it: where a slot is not live, another slot stands in for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Told {}

/// Bound to handles, the same on every backend.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bound {}

impl Stage for Told {
    type Pages = PageRun;
    type Token = Unnamed;
}

impl Stage for Bound {
    type Pages = PageList;
    type Token = Token;
}

/// A story does not write the token: the place of the event names the write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Unnamed;

impl fmt::Display for Unnamed {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// An operand of an operation.
pub trait Operand: Copy + Eq + Hash + fmt::Debug + fmt::Display + 'static {
    /// What separates it from the word before it in the text form.
    const BEFORE: &'static str = " ";

    /// The sorts of things that it may name.
    const SORTS: &'static [Sort];

    /// Which thing of a caller's it names.
    fn named(&self) -> Named;
}

macro_rules! operands {
    ($($kind:ty: [$($sort:ident)*] $operand:pat => $named:expr $(, $before:literal)?;)*) => {
        $(
            impl Operand for $kind {
                $(const BEFORE: &'static str = $before;)?
                const SORTS: &'static [Sort] = &[$(Sort::$sort),*];

                #[inline]
                fn named(&self) -> Named {
                    let $operand = *self;
                    $named
                }
            }
        )*
    };
}

operands! {
    PageSlot: [Page] page => Named::Thing(Self::SORT, page.number());
    AreaSlot: [Area] area => Named::Thing(Self::SORT, area.number());
    RamSlot: [Ram] ram => Named::Thing(Self::SORT, ram.number());
    BufferSlot: [Buffer] buffer => Named::Thing(Self::SORT, buffer.number());
    TreeSlot: [Tree] tree => Named::Thing(Self::SORT, tree.number());
    MmSlot: [Mm] mm => Named::Thing(Self::SORT, mm.number());
    ObjectSlot: [Object] object => Named::Thing(Self::SORT, object.number());
    PinSlot: [Pins] pins => Named::Thing(Self::SORT, pins.number());
    PageRun: [Page] run => Named::Thing(Sort::Page, run.first.number());
    PageList: [Page] pages => Named::Pages(pages);
    Count: [] count => Named::Length(count.0);
    Place: [Area Ram Buffer] place => place.mapping.named();
    OwnPage: [Area] page => page.area.named();
    BufferPage: [Buffer] page => page.buffer.named();
    TableEntry: [Page] entry => entry.table.named();
    Level: [] _ => Named::Nothing;
    RawEntry: [Page] entry => match entry {
        RawEntry::Leads { to: RawFrame::Page(page), .. } => page.named(),
        RawEntry::Leads { to: RawFrame::Foreign, .. } | RawEntry::Empty => Named::Nothing,
    };
    Root: [Mm] root => root.mm().map_or(Named::Nothing, |mm| mm.named());
    UserPage: [Mm] at => at.mm.named();
    UserRange: [Mm] at => at.mm.named();
    Backing: [Object] what => what.object().map_or(Named::Nothing, |from| from.object.named());
    UserAccess: [] _ => Named::Nothing;
    Destination: [] _ => Named::Nothing;
    PinnedPage: [Pins] at => at.pins.named();
    Unnamed: [] _ => Named::Nothing, "";
    Token: [] _ => Named::Nothing, " = ";
}

impl Mapping {
    /// Itself, as an operand that names it.
    #[inline]
    pub fn named(self) -> Named {
        match self {
            Self::Area(area) => area.named(),
            Self::Ram(ram) => ram.named(),
            Self::Buffer(buffer) => buffer.named(),
        }
    }
}
