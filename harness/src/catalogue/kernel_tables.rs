//! Known bugs of the kernel's own tables: large entries in the place of tables, and the copies in address spaces.

use impls::Step;

use super::{Bug, NONE};
use crate::story::Backends;

/// All of them.
pub(super) const ROWS: &[Bug] = &[
    Bug {
        name: "huge-over-table",
        about: "The kernel keeps tables whose areas are gone for the next ones, and maps a large page where one of \
                them is. It frees that table without a flush, while another CPU remembers the way to it and walks \
                whatever its page is by then.",
        source: "Linux commit 5e0fb5df2ee8: free the tables beneath a huge mapping only after a flush",
        designs: &[("kernel_tables", "kept")],
        omitted: &[Step::FlushBeforeTableGoes],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/huge-over-table"),
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.a",
        about: "An unmap that removes an upper entry clears it in the kernel's own tables only. A CPU in another \
                address space walks its own copy of the entry, to a table that was freed.",
        source: "Linux commits 3f8fd02b1bf1 and 763802b53a42: upper entries are copied into each address space, and \
                 unmappings were not brought there",
        omitted: &[Step::RemoveFromEveryMm],
        witness: corpus!("witnesses/kernel-table-sync.a"),
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.b",
        about: "A new mapping exists only in the kernel's own tables, and in the tables of another address space \
                once an access there has faulted on it. The guest passes the address to a hypercall while another \
                address space is loaded. No fault can repair that: the hypervisor does not find the lowest entry.",
        source: "Linux commit 461ae488ecb1: a grant was mapped into fresh vmalloc space",
        designs: &[("kernel_sync", "on-fault")],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/kernel-table-sync.b"),
        effects: &[corpus!("effects/kernel-table-sync.b/attributes-kept")],
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.c",
        about: "The kernel copies a new upper entry into no other address space, and its fault handler does not \
                repair that either.",
        source: "what both designs of kernel_sync are there to prevent",
        omitted: &[Step::AddToEveryMm],
        witness: corpus!("witnesses/kernel-table-sync.c"),
        effects: &[
            corpus!("effects/kernel-table-sync.c/attributes-kept"),
            corpus!("effects/kernel-table-sync.c/fault"),
        ],
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.d",
        about: "The kernel clears an upper entry that goes in the copies of other address spaces only after the \
                flush: a CPU that walks its copy in between remembers the way to the table, which is then freed.",
        source: "the obvious order when copies are added to an existing purge",
        omitted: &[Step::RemoveBeforeFlush],
        witness: corpus!("witnesses/kernel-table-sync.d"),
        ..NONE
    },
    Bug {
        name: "new-mm-unlisted",
        about: "The kernel copies the upper levels for a new address space, and later puts it on the list of those \
                that it keeps in step: the address space never learns of entries added or removed in between.",
        source: "why a kernel copies its upper levels under the lock of the list (pgd_lock)",
        omitted: &[Step::CopyAndListAtOnce],
        witness: corpus!("witnesses/new-mm-unlisted"),
        effects: &[
            corpus!("effects/new-mm-unlisted/attributes-kept"),
            corpus!("effects/new-mm-unlisted/fault-on-xen"),
            corpus!("effects/new-mm-unlisted/read-only-written"),
            corpus!("effects/new-mm-unlisted/refused"),
            corpus!("effects/new-mm-unlisted/walk-of-freed"),
        ],
        ..NONE
    },
    Bug {
        name: "drop-mm-listed",
        about: "The kernel frees the tables of an address space while it is still on the list of those kept in step. \
                A CPU that adds an entry takes a freed page for a table.",
        source: "why a kernel takes an address space off the list before it frees its upper levels (pgd_dtor)",
        omitted: &[Step::UnlistBeforeFree],
        witness: corpus!("witnesses/drop-mm-listed"),
        effects: &[corpus!("effects/drop-mm-listed/tables-elsewhere")],
        ..NONE
    },
    Bug {
        name: "drop-mm-loaded",
        about: "A CPU counts as being out of an address space before it has loaded another root, and the kernel \
                frees the tables under it.",
        source: "the order in which a kernel changes the mask of CPUs and CR3",
        omitted: &[Step::LoadBeforeLeaving],
        witness: corpus!("witnesses/drop-mm-loaded"),
        effects: &[corpus!("effects/drop-mm-loaded/walk-of-freed")],
        ..NONE
    },
    Bug {
        name: "leave-mm-late",
        about: "The kernel asks a CPU to leave an address space. The CPU has switched to another one before the \
                interrupt comes, and leaves that one, which no caller drops.",
        source: "Linux commit 7899891c7d16: a CPU that is asked to leave may have left by itself",
        omitted: &[Step::CheckBeforeLeaving],
        witness: corpus!("witnesses/leave-mm-late"),
        ..NONE
    },
    Bug {
        name: "drop-mm-not-awaited",
        about: "The kernel asks CPUs to leave an address space, and frees its tables before they have: a CPU that \
                takes the interrupt later walks frames that are no tables any more.",
        source: "why a kernel waits for the CPUs that it interrupts before it frees what they use",
        omitted: &[Step::AwaitLeaving],
        witness: corpus!("witnesses/drop-mm-not-awaited"),
        effects: &[
            corpus!("effects/drop-mm-not-awaited/refused"),
            corpus!("effects/drop-mm-not-awaited/tables-elsewhere-on-xen"),
            corpus!("effects/drop-mm-not-awaited/walk-of-freed-on-xen"),
        ],
        ..NONE
    },
    Bug {
        name: "large-leaf-in-one-mm",
        about: "The kernel changes a large leaf in its own tables only: a CPU in another address space follows its \
                copy of the leaf, which allows what was forbidden.",
        source: "why a kernel changes upper entries in every copy of them",
        omitted: &[Step::ChangeLeafInEveryMm],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/large-leaf-in-one-mm"),
        effects: &[
            corpus!("effects/large-leaf-in-one-mm/alias-in-tables"),
            corpus!("effects/large-leaf-in-one-mm/fault"),
            corpus!("effects/large-leaf-in-one-mm/stale-range"),
        ],
        ..NONE
    },
];
