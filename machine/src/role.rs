//! What frames are used for.

/// What a frame is used for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// In no use.
    Free,
    /// A page of data.
    Data,
    /// A page table of this level, 1 to 4.
    Table(u8),
    /// A page table of this level that no entry leads to any more, and that waits to be freed. A walk under way may still go
    /// through it. It is the same use of the frame as before.
    Queued(u8),
    /// Given away to another owner.
    Foreign,
}
