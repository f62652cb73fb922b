//! Known bugs about aliases of pages that become page tables, which Xen refuses.

use impls::Step;

use super::drains::EAGER;
use super::{Bug, NONE};
use crate::story::Backends;

/// Lazy aliases that nobody looks for.
pub(super) const LAZY_ALIASES: &[Bug] = &[
    Bug {
        name: "lazy-alias-pins.a",
        about: "vunmap leaves the entries to the purge, and nobody drains before a page becomes a page table: the \
                hypervisor still counts a writable mapping of it, and refuses.",
        source: "seed 004: why Xen has to drain aliases for each page that it makes a page table of",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "never")],
        unless: &[EAGER],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 7 (hypervisor): the hypervisor refused",
        met_by: "make-table",
        ..NONE
    },
    Bug {
        name: "lazy-alias-pins.b",
        about: "As before, but aliases are drained before a page above the direct map becomes a page table, and not \
                before one within it, which may have been mapped as well.",
        source: "seeds 000 and 004: draining where it is thought to be needed only",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "high-only")],
        unless: &[EAGER],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 7 (hypervisor): the hypervisor refused",
        met_by: "make-table",
        ..NONE
    },
];

/// Books on which pages have aliases, so that only those are drained for.
pub(super) const TRACKED_ALIASES: &[Bug] = &[
    Bug {
        name: "alias-bit-lost-update",
        about: "The vmap layer marks pages with an alias bit in their flags, which their owner changes by a load and a \
                store: the owner stores an old copy back, the page looks as if it had no alias, and is not drained for \
                before it becomes a page table.",
        source: "seed 004: why a page flag for aliases was refused, \"we don't own the page flags\"",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "page-flag"), ("page_flags", "plain")],
        unless: &[EAGER],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): the hypervisor refused",
        met_by: "make-table",
        ..NONE
    },
    Bug {
        name: "clean-cache-tainted.a",
        about: "A cache of table pages without aliases is filled after the drain, and not before: a page that was unmapped \
                and freed meanwhile is filed as clean.",
        source: "seed 004: the proposal to keep a cache of unaliased page table pages, filled by one drain for several",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "clean-cache")],
        omitted: &[Step::OwnBeforeDrain],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): the hypervisor refused",
        met_by: "make-table",
        ..NONE
    },
    Bug {
        name: "clean-cache-tainted.b",
        about: "A table that comes back is mapped for a look, and filed in the cache of pages without aliases all the same.",
        source: "derived from seed 004's cache of unaliased page table pages",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "clean-cache")],
        omitted: &[Step::DrainAfterLook],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 7 (hypervisor): the hypervisor refused",
        met_by: "make-table",
        ..NONE
    },
    Bug {
        name: "alias-count-early",
        about: "A purge counts aliases off in the side table before their entries are cleared: a page becomes a page table \
                in between, without a drain.",
        source: "derived from the side table of aliases that seed 004 proposes",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "side-table")],
        omitted: &[Step::ClearBeforeCountingOff],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): the hypervisor refused",
        met_by: "make-table",
        ..NONE
    },
    Bug {
        name: "alias-table-switched-on",
        about: "The side table of aliases is switched on at run time, and trusted for pages with aliases from before.",
        source: "seed 004: aliases could be tracked only where Xen runs, switched on at run time",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "side-table-on-request")],
        omitted: &[Step::UnknownUntilDrained],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): the hypervisor refused",
        met_by: "make-table",
        ..NONE
    },
];
