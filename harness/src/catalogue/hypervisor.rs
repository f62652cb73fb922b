//! Known bugs of the hypervisor itself, mostly met by guests gone astray.

use impls::Step;

use super::{Bug, NONE};
use crate::story::Backends;

/// What a frame is in use as, who refers to it, and who may have it in a TLB.
pub(super) const FRAME_TYPES: &[Bug] = &[
    Bug {
        name: "steal-transient-state",
        about: "The hypervisor takes a frame from a guest in two steps: it looks whether anybody refers to it, and drops \
                the references that there are then. One that was taken in between is lost, and an entry leads to what is \
                the guest's no more.",
        source: "Xen advisory XSA-287 (commit 3d4868a481): states of a page that must not exist while it is taken from a \
                 domain",
        omitted: &[Step::StealInOneStep],
        shows_on: Backends::XEN,
        length: 2,
        finds: "rule 7 (hypervisor): an entry leads to memory of another domain",
        met_by: "hv-exchange",
        ..NONE
    },
    Bug {
        name: "tlb-clock-stamp.a",
        about: "The time at which a page's last reference goes is read, and an older one is stored than that at which the \
                entry went: the clock has ticked in between, and who flushed then and cached the entry once more \
                counts as having flushed.",
        source: "derived from Xen advisory XSA-241 (commit 23a183607a), where the clock ticks between reading and storing a \
                 page's time; here it is read before the entry goes",
        designs: &[("table_drain", "never")],
        omitted: &[Step::StampAfterStore],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): a CPU can write a page table",
        met_by: "make-table",
        ..NONE
    },
    Bug {
        name: "tlb-clock-stamp.b",
        about: "A CPU flushes and lets the TLB clock tick afterwards: what a walker brings back in between, and is unmapped \
                before the tick, counts as flushed.",
        source: "derived from the order that Xen's TLB clock relies on: tick, flush, then keep the time",
        designs: &[("table_drain", "never")],
        omitted: &[Step::TickBeforeFlush],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): a CPU can write a page table",
        met_by: "make-table",
        ..NONE
    },
    Bug {
        name: "tlb-clock-stamp.c",
        about: "The TLB clock wraps and nobody is made to flush: a CPU whose last flush has a time from before the wrap \
                counts as having flushed for ever.",
        source: "derived from the small clock that Xen keeps beside each page, which has to wrap",
        designs: &[("table_drain", "never")],
        omitted: &[Step::FlushAtWrap],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): a CPU can write a page table",
        met_by: "make-table",
        ..NONE
    },
    Bug {
        name: "type-after-flush",
        about: "The hypervisor has every CPU forget a page before it takes the page's new type. In between the guest maps the page \
                writable once more, writes to it and unmaps it, and the exchange of type and count sees nothing of that.",
        source: "Xen advisory XSA-401 (CVE-2022-26362, commit 8cc5036bc3): a race in taking a reference of a type, whose flush \
                 comes too early",
        omitted: &[Step::TypeBeforeFlush],
        shows_on: Backends::XEN,
        length: 5,
        finds: "rule 7 (hypervisor): a CPU can write a page table",
        met_by: "hv-pin",
        ..NONE
    },
    Bug {
        name: "type-conflict",
        about: "The hypervisor does not ask what a frame is in use as already: a guest maps its own page table writable.",
        source: "derived from the types that Xen keeps of frames; a guest gone astray in seed 004",
        omitted: &[Step::RefuseTypeConflict],
        shows_on: Backends::XEN,
        length: 2,
        finds: "rule 7 (hypervisor): an entry lets a page table be written",
        met_by: "hv-update",
        ..NONE
    },
    Bug {
        name: "failed-promotion",
        about: "A page that a guest pins is refused for one of its entries, and the references of those before it are kept: \
                the frames that they lead to are never free again.",
        source: "derived: what the hypervisor has to take back; a guest gone astray in seed 004",
        omitted: &[Step::UndoFailedPromotion],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 10 (rest): a frame of a guest that is gone cannot be taken back",
        met_by: "teardown",
        ..NONE
    },
    Bug {
        name: "entries-kept",
        about: "The last reference to a table goes and those of its entries stay: what they lead to is never anything else \
                again.",
        source: "derived: what the hypervisor has to give up with a table; a guest gone astray in seed 004",
        omitted: &[Step::GiveUpEntries],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 7 (hypervisor): the hypervisor refused",
        met_by: "map-ram",
        ..NONE
    },
];

/// Entries of guests' tables, and of the hypervisor's own.
pub(super) const ENTRIES: &[Bug] = &[
    Bug {
        name: "large-leaf-unvalidated",
        about: "Of an upper entry whose flags alone change nothing is validated, and the flag that makes it a large leaf is one: \
                the guest can write everything that lies beside its table.",
        source: "Xen XSA-148 (CVE-2015-7835): the validation of level-2 entries could be bypassed",
        omitted: &[Step::ValidateLargeLeaves],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 7 (hypervisor): an entry leads to memory of another domain",
        met_by: "hv-update",
        ..NONE
    },
    Bug {
        name: "drop-before-store",
        about: "The reference of an entry is dropped before the entry is replaced: the page becomes a table, and a walker \
                caches it as writable once more.",
        source: "derived from the order in which Xen moves references with an entry",
        omitted: &[Step::DropAfterStore],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): a CPU can write a page table",
        met_by: "hv-update",
        ..NONE
    },
    Bug {
        name: "linear-table-stale.a",
        about: "The hypervisor changes an upper entry of a guest's tables and keeps what it has cached of its own linear mapping \
                of them: the next update by address goes to the table that was there before, which may be freed.",
        source: "Xen advisory XSA-286 (commit 16a20963b3): flush the linear mapping after changes of paging structures",
        omitted: &[Step::FlushLinearMap],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 6 (frames): a stale translation was used",
        met_by: "teardown",
        ..NONE
    },
    Bug {
        name: "linear-table-stale.b",
        about: "The hypervisor flushes its linear mapping only on the CPU that changed the upper entry: an update by address on \
                another goes to the table that was there before.",
        source: "derived from Xen commit 16a20963b3, which flushes on every CPU that runs the guest",
        omitted: &[Step::FlushLinearMapEverywhere],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 6 (frames): a stale translation was used",
        met_by: "teardown",
        ..NONE
    },
    Bug {
        name: "linear-table-kept",
        about: "A CPU loads another root, and the hypervisor keeps there what it has cached of its linear mapping of the tables \
                beneath the old one: the next update by address walks through what may be freed by then.",
        source: "derived from Xen commit 16a20963b3: why the linear mapping is flushed with the tables that it leads through",
        omitted: &[Step::FlushLinearMapAtLoad],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 6 (frames): a walk went through a freed table",
        met_by: "teardown",
        ..NONE
    },
    Bug {
        name: "superpage-race.a",
        about: "The hypervisor walks to an entry of its own mapping of memory before it takes the lock: somebody merges the \
                table into a large leaf meanwhile and frees it, and the entry is written all the same.",
        source: "Xen advisory XSA-345 (commit 1ce75e99d7): the walk to a mapping and its change under one lock",
        omitted: &[Step::WalkUnderMapLock],
        shows_on: Backends::XEN,
        length: 2,
        finds: "rule 6 (frames): a walk went through a freed table",
        met_by: "hv-exchange",
        ..NONE
    },
    Bug {
        name: "superpage-race.b",
        about: "The hypervisor sets an entry of its own mapping of memory under the lock, and decides afterwards whether the \
                table is to be merged: two do so at once, and both free it.",
        source: "Xen advisory XSA-345 (commit 1ce75e99d7): the decision to merge under the lock of the change",
        omitted: &[Step::MergeUnderMapLock],
        shows_on: Backends::XEN,
        length: 2,
        finds: "rule 6 (frames): a frame was freed twice",
        met_by: "hv-exchange",
        ..NONE
    },
];
