//! What a caller can ask of a kernel, and what the kernel may answer.
//!
//! Operands are *slots*: a caller's names for what a kernel gave it. A story, the reference and a kernel speak of the same
//! thing by its slot and in no other way. Addresses and frame numbers differ from backend to backend and are never
//! compared.
//!
//! The operations stand in a table, one row each (`operations`). No other code here knows a single operation.

mod access;
mod astray;
mod call;
mod mm;
mod modes;
mod operations;
mod outcome;
mod pages;
mod places;
mod slots;
mod stage;
mod user;

pub use access::{Access, MemoryType};
pub use astray::{Level, RawAccess, RawEntry, RawFrame, TableEntry};
pub use call::Call;
pub use mm::Root;
pub use modes::{Mode, Named, Role, Use};
pub use operations::{Names, Operation, ROWS, Row};
pub use outcome::{Coherent, Outcome, Pinned, Range, SEGMENT, Token};
pub use pages::{Count, MAX_PAGES, PageList, PageRun};
pub use places::{BufferPage, Mapping, OwnPage, Place};
pub use slots::{
    AreaSlot, BufferSlot, MmSlot, ObjectSlot, PageSlot, PinSlot, RamSlot, SLOTS, Sort, TreeSlot,
};
pub use stage::{Bound, Operand, Stage, Told, Unnamed};
pub use user::{
    Backing, Destination, MAX_RANGE, ObjectPage, PinnedPage, USER_PAGES, UserAccess, UserPage, UserRange,
};
