//! Known bugs of the kernel's own tables: large entries in the place of tables, and the copies in address spaces.

use impls::Step;

use super::{Bug, NONE};
use crate::story::Backends;

/// All of them.
pub(super) const ROWS: &[Bug] = &[
    Bug {
        name: "huge-over-table",
        about: "Tables whose areas are gone stay for the next ones, and a large page is mapped where one of them is: it is \
                freed without a flush, while another CPU remembers the way to it and walks whatever its page is by then.",
        source: "Linux commit 5e0fb5df2ee8: free the tables beneath a huge mapping only after a flush",
        designs: &[("kernel_tables", "kept")],
        omitted: &[Step::FlushBeforeTableGoes],
        shows_on: Backends::NATIVE,
        length: 3,
        finds: "rule 6 (frames): a walk went through a freed table",
        met_by: "teardown",
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.a",
        about: "An unmap that removes an upper entry clears it in the kernel's own tables only; a CPU in another address \
                space walks its copy of it, to a table that was freed.",
        source: "Linux commits 3f8fd02b1bf1 and 763802b53a42: upper entries are copied into each address space, and \
                unmappings were not brought there",
        omitted: &[Step::RemoveFromEveryMm],
        length: 6,
        finds: "rule 6 (frames): a walk went through a freed table",
        met_by: "fill",
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.b",
        about: "A new mapping exists only in the kernel's own tables, and in those of others once somebody has faulted on \
                it; the guest passes its address to a hypercall while another address space is loaded. No fault can repair \
                that: the hypervisor does not find the lowest entry.",
        source: "Linux commit 461ae488ecb1: a grant was mapped into fresh vmalloc space",
        designs: &[("kernel_sync", "on-fault")],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 7 (hypervisor): the hypervisor refused",
        met_by: "vmap",
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.c",
        about: "A new upper entry is brought into no other address space, and nobody repairs it when they fault.",
        source: "what both designs of kernel_sync are there to prevent",
        omitted: &[Step::AddToEveryMm],
        length: 3,
        finds: "rule 4 (kernel range reuse): the tables lead elsewhere",
        met_by: "vmap",
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.d",
        about: "An upper entry that goes is cleared in the copies of other address spaces only after the flush: a CPU that \
                walks its copy in between remembers the way to the table, which is then freed.",
        source: "the order that suggests itself to whoever adds the copies to a purge that is there",
        omitted: &[Step::RemoveBeforeFlush],
        length: 6,
        finds: "rule 6 (frames): a walk went through a freed table",
        met_by: "fill",
        ..NONE
    },
    Bug {
        name: "new-mm-unlisted",
        about: "The upper levels are copied for a new address space, and it is put on the list of those that are kept in \
                step later: what is added or removed in between it never learns of.",
        source: "why a kernel copies its upper levels under the lock of the list (pgd_lock)",
        omitted: &[Step::CopyAndListAtOnce],
        length: 3,
        finds: "rule 4 (kernel range reuse): the tables lead elsewhere",
        met_by: "vmap",
        ..NONE
    },
    Bug {
        name: "drop-mm-listed",
        about: "The tables of an address space are given back while it is still on the list of those that are kept in \
                step, and somebody who adds an entry takes a freed page for a table.",
        source: "why a kernel takes an address space off the list before it frees its upper levels (pgd_dtor)",
        omitted: &[Step::UnlistBeforeFree],
        length: 3,
        finds: "rule 6 (frames): a walk went through a freed table",
        met_by: "vmap",
        ..NONE
    },
    Bug {
        name: "drop-mm-loaded",
        about: "A CPU counts as being out of an address space before it has loaded another root, and its tables are freed \
                under it.",
        source: "the order in which a kernel changes the mask of CPUs and CR3",
        omitted: &[Step::LoadBeforeLeaving],
        length: 5,
        finds: "rule 4 (kernel range reuse): the tables lead elsewhere",
        met_by: "vmap",
        ..NONE
    },
    Bug {
        name: "leave-mm-late",
        about: "A CPU is asked to leave an address space, has gone over to another before the interrupt comes, and leaves that, \
                which nobody drops.",
        source: "Linux commit 7899891c7d16: whoever is asked to leave may have left by itself",
        omitted: &[Step::CheckBeforeLeaving],
        length: 5,
        finds: "rule 1 (outcome): a CPU is not in the address space that it loaded",
        met_by: "the end",
        ..NONE
    },
    Bug {
        name: "drop-mm-not-awaited",
        about: "CPUs are asked to leave an address space, and its tables are freed before they have: one that takes the \
                interrupt later walks what is no table any more.",
        source: "why a kernel waits for the CPUs that it interrupts before it frees what they use",
        omitted: &[Step::AwaitLeaving],
        length: 3,
        finds: "rule 1 (outcome): a CPU is not in the address space that it loaded",
        met_by: "drop-mm",
        ..NONE
    },
    Bug {
        name: "large-leaf-in-one-mm",
        about: "A large leaf is changed in the kernel's own tables only: a CPU in another address space goes by its copy of it, \
                which allows what was forbidden.",
        source: "why a kernel changes upper entries in every copy of them",
        omitted: &[Step::ChangeLeafInEveryMm],
        shows_on: Backends::NATIVE,
        length: 4,
        finds: "rule 12 (permissions and memory types): a page that was made read-only can be written",
        met_by: "set-memory-ro",
        ..NONE
    },
];
