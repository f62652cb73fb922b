//! The flags word of each page (`page->flags`), and in it the bit by which seed 004 would have the vmap layer mark pages
//! that have aliases.
//!
//! The word belongs to the owner of the page, and an owner that holds its page for itself changes it by a load and a
//! store. Another CPU that puts a bit into it loses that bit:
//!
//! ```text
//!   c0, the owner                 c1 vmap
//!   load flags: no alias bit
//!                                 flags |= alias, locked
//!                                 sets the entry; vunmap leaves it for the purge
//!   store flags: no alias bit
//!   the page becomes a table: no drain, and the hypervisor refuses; or an entry is left that can write to it
//! ```
//!
//! So the bit is right only if *every* CPU changes flags by locked operations, for the sake of one user in a corner: "we
//! don't own the page flags" (seed 004).

use crate::base::Base;
use crate::family;
use crate::paravirt::{Pfn, PvMmu};
use crate::protocol;
use machine::{Bus, Cpu, Var, VarArray};

/// A flag of the owner's (`PG_owner_priv_1`).
const OWNER: u64 = 1;

/// The vmap layer has mapped the page since it was last drained for.
const ALIAS: u64 = 2;

/// The flags of all pages.
#[derive(Debug)]
pub struct PageFlags(VarArray);

impl PageFlags {
    /// No flag is set.
    pub fn new(bus: &Bus, pages: u32) -> Self {
        Self(bus.memory.vars(family::PAGE_FLAGS, pages as usize))
    }

    fn of(&self, pfn: Pfn) -> Var {
        self.0.at(pfn.index())
    }

    /// The owner of a page sets a flag of its own (`SetPageOwnerPriv1`, or the plain `__SetPageOwnerPriv1`).
    pub(crate) fn set_owner<P: PvMmu>(&self, base: &Base<P>, cpu: &Cpu<'_>, pfn: Pfn) {
        let flags = self.of(pfn);
        match base.protocol.designs.page_flags {
            protocol::PageFlags::Atomic => {
                cpu.update(flags, |flags| Some(flags | OWNER));
            }
            protocol::PageFlags::Plain => cpu.store(flags, cpu.load(flags) | OWNER),
        }
    }

    /// The vmap layer is about to map the page.
    pub(crate) fn set_alias(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        cpu.update(self.of(pfn), |flags| Some(flags | ALIAS));
    }

    /// A drain for the page is over, and no caller can have mapped it since.
    pub(crate) fn clear_alias(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        cpu.update(self.of(pfn), |flags| Some(flags & !ALIAS));
    }

    /// Whether the vmap layer has mapped the page since it was last drained for.
    pub(crate) fn has_alias(&self, cpu: &Cpu<'_>, pfn: Pfn) -> bool {
        cpu.load(self.of(pfn)) & ALIAS != 0
    }
}
