//! Modes: what an operation does with a thing that a slot names. The caller's side of the contract follows from the modes
//! alone: which things a slot may stand for, which operations may run beside each other, and what the caller holds
//! afterwards.
//!
//! Two interpreters read them, each with code of its own. The one that resolves stories (`harness`) makes an operation void
//! if it would break the contract. The reference takes such a breach for a defect of the harness.

use super::{PageList, Sort};

/// In which role a caller holds a thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// The default of its sort: a page of data, an area of pages that its caller brought.
    Plain,
    /// A page that is a page table by itself.
    Table,
    /// A page that is a page table of a tree: it becomes a plain page again with the tree.
    Member,
    /// An area that owns its pages.
    Own,
    /// A page that a caller gave up to raw hypercalls.
    Astray,
}

/// What an operation does with a thing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Makes it: the slot is free before, and holds the thing in this role afterwards.
    New(Role),
    /// Uses it, in this role or in any. Other operations may use it meanwhile; none may end it or turn it into something
    /// else.
    Uses(Option<Role>),
    /// Changes it: a use during which no other operation changes it.
    Changes(Role),
    /// Ends it: no operation uses it, and the slot is free afterwards. The pages that it was made of are released, each in
    /// the way in which it was taken.
    Ends(Role),
    /// Turns it from one role into the other; no operation uses it. Pages that become members belong to the thing that the
    /// operation makes, and are plain again when that thing has ended.
    Becomes(Role, Role),
    /// Takes pages for the thing that the operation makes. The thing uses them for as long as it exists.
    Maps,
    /// The same, of pages that no operation uses. None may use them while the thing is being made, nor while it is being
    /// ended.
    Lends,
    /// Says how many pages of its own the made thing has.
    Sizes,
    /// Gives pages up to raw hypercalls for ever, unless a caller did so before. No operation uses them.
    GivesUp,
}

/// What an operand names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Named {
    /// Nothing that a caller holds.
    Nothing,
    /// A thing, by its sort and the number of its slot.
    Thing(Sort, u8),
    /// Pages, each once.
    Pages(PageList),
    /// How many pages of its own a thing has that the operation makes.
    Length(u8),
}

/// One operand of an operation, and what the operation does with what it names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Use {
    /// What it names.
    pub named: Named,
    /// What the operation does with it.
    pub mode: Mode,
}
