//! Known bugs about aliases of pages that become page tables, which Xen refuses.

use impls::Step;

use super::drains::EAGER;
use super::{Bug, NONE};
use crate::story::Backends;

/// Lazy aliases that no kernel looks for.
pub(super) const LAZY_ALIASES: &[Bug] = &[
    Bug {
        name: "lazy-alias-pins.a",
        about: "vunmap leaves the entries to the purge, and the kernel does not drain before a page becomes a page \
                table: the hypervisor still counts a writable mapping of it, and refuses.",
        source: "seed 004: why Xen has to drain aliases for each page that becomes a page table",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "never")],
        unless: &[EAGER],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/lazy-alias-pins.a"),
        ..NONE
    },
    Bug {
        name: "lazy-alias-pins.b",
        about: "As before, but the kernel drains before a page above the direct map becomes a page table. It does \
                not drain for a page within the direct map, which may have been mapped as well.",
        source: "seeds 000 and 004: draining only where it seems to be needed",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "high-only")],
        unless: &[EAGER],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/lazy-alias-pins.b"),
        ..NONE
    },
];

/// Records of which pages have aliases, so that the kernel drains for those pages only.
pub(super) const TRACKED_ALIASES: &[Bug] = &[
    Bug {
        name: "alias-bit-lost-update",
        about: "The vmap layer marks pages with an alias bit in their flags, which their owner changes by a load and \
                a store. The owner stores an old copy back, the page looks as if it had no alias, and the kernel \
                does not drain before it becomes a page table.",
        source: "seed 004: why a page flag for aliases was refused, \"we don't own the page flags\"",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "page-flag"), ("page_flags", "plain")],
        unless: &[EAGER],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/alias-bit-lost-update"),
        ..NONE
    },
    Bug {
        name: "clean-cache-tainted.a",
        about: "The kernel collects pages for its cache of table pages without aliases after the drain, and not \
                before: it files a page as clean that was unmapped and freed meanwhile.",
        source: "seed 004: the proposal to keep a cache of unaliased page table pages, filled by one drain for several",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "clean-cache")],
        omitted: &[Step::OwnBeforeDrain],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/clean-cache-tainted.a"),
        ..NONE
    },
    Bug {
        name: "clean-cache-tainted.b",
        about: "The kernel maps a table that comes back for a look, and files it in the cache of pages without \
                aliases all the same.",
        source: "derived from seed 004's cache of unaliased page table pages",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "clean-cache")],
        omitted: &[Step::DrainAfterLook],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/clean-cache-tainted.b"),
        ..NONE
    },
    Bug {
        name: "alias-count-early",
        about: "A purge subtracts aliases from the side table before it clears their entries: a page becomes a page \
                table in between, without a drain.",
        source: "derived from the side table of aliases that seed 004 proposes",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "side-table")],
        omitted: &[Step::ClearBeforeCountingOff],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/alias-count-early"),
        ..NONE
    },
    Bug {
        name: "alias-table-switched-on",
        about: "The kernel switches the side table of aliases on at run time, and trusts it for pages that had \
                aliases before.",
        source: "seed 004: aliases could be tracked only where Xen runs, switched on at run time",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "side-table-on-request")],
        omitted: &[Step::UnknownUntilDrained],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/alias-table-switched-on"),
        ..NONE
    },
];
