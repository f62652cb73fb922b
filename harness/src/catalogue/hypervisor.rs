//! Known bugs of the hypervisor itself; most of them take a guest gone astray.

use impls::Step;

use super::{Bug, NONE};
use crate::story::Backends;

/// What a frame is in use as, which references it has, and which CPUs may have it in a TLB.
pub(super) const FRAME_TYPES: &[Bug] = &[
    Bug {
        name: "steal-transient-state",
        about: "The hypervisor takes a frame from a guest in two steps: it looks whether anything else refers to the \
                frame, then drops all references. A reference taken in between is lost, and an entry leads to a \
                frame that is no longer the guest's.",
        source: "Xen advisory XSA-287 (commit 3d4868a481): states of a page that must not exist while it is taken from a \
                 domain",
        omitted: &[Step::StealInOneStep],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/steal-transient-state"),
        effects: &[
            corpus!("effects/steal-transient-state/frame-not-taken-back"),
            corpus!("effects/steal-transient-state/walk-of-freed"),
        ],
        ..NONE
    },
    Bug {
        name: "tlb-clock-stamp.a",
        about: "The hypervisor reads the time for a page's last reference before it clears the entry, and stores \
                that time. The clock has ticked since. A CPU that flushed at that tick and then cached the entry \
                once more counts as having flushed.",
        source: "derived from Xen advisory XSA-241 (commit 23a183607a), where the clock ticks between reading and storing a \
                 page's time; here it is read before the entry goes",
        designs: &[("table_drain", "never")],
        omitted: &[Step::StampAfterStore],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/tlb-clock-stamp.a"),
        effects: &[corpus!("effects/tlb-clock-stamp.a/walk-of-freed")],
        ..NONE
    },
    Bug {
        name: "tlb-clock-stamp.b",
        about: "A CPU flushes and lets the TLB clock tick afterwards. A translation that a walker brings back in \
                between, and that is unmapped before the tick, counts as flushed.",
        source: "derived from the order that Xen's TLB clock relies on: tick, flush, then keep the time",
        designs: &[("table_drain", "never")],
        omitted: &[Step::TickBeforeFlush],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/tlb-clock-stamp.b"),
        ..NONE
    },
    Bug {
        name: "tlb-clock-stamp.c",
        about: "The TLB clock wraps and the hypervisor makes no CPU flush: a CPU whose last flush has a time from \
                before the wrap counts as having flushed for ever.",
        source: "derived from the small clock that Xen keeps beside each page, which has to wrap",
        designs: &[("table_drain", "never")],
        omitted: &[Step::FlushAtWrap],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/tlb-clock-stamp.c"),
        effects: &[corpus!("effects/tlb-clock-stamp.c/walk-of-freed")],
        ..NONE
    },
    Bug {
        name: "type-change-unflushed",
        about: "The hypervisor gives a frame another type, and no CPU forgets what it remembers of the old one: a CPU can write to \
                what is a page table by now.",
        source: "Xen's get_page_type: the flush on a change of type, which also hides tables that a guest frees too early",
        omitted: &[Step::FlushOnTypeChange],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/type-change-unflushed"),
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
        witness: corpus!("witnesses/type-after-flush"),
        ..NONE
    },
    Bug {
        name: "type-conflict",
        about: "The hypervisor does not ask what a frame is in use as: a guest maps its own page table writable.",
        source: "derived from the types that Xen keeps of frames; a guest gone astray in seed 004",
        omitted: &[Step::RefuseTypeConflict],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/type-conflict"),
        effects: &[
            corpus!("effects/type-conflict/executable"),
            corpus!("effects/type-conflict/type-miscounted"),
        ],
        ..NONE
    },
    Bug {
        name: "failed-promotion",
        about: "The hypervisor refuses to pin a page because of one of its entries, and keeps the references of the \
                entries before it: the frames that they lead to are never free again.",
        source: "derived: what the hypervisor has to take back; a guest gone astray in seed 004",
        omitted: &[Step::UndoFailedPromotion],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/failed-promotion"),
        ..NONE
    },
    Bug {
        name: "entries-kept",
        about: "The last reference to a table goes, but those of its entries stay: the frames that they lead to can \
                never become anything else.",
        source: "derived: what the hypervisor has to give up with a table; a guest gone astray in seed 004",
        omitted: &[Step::GiveUpEntries],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/entries-kept"),
        ..NONE
    },
];

/// Entries of guests' tables, and of the hypervisor's own tables.
pub(super) const ENTRIES: &[Bug] = &[
    Bug {
        name: "large-leaf-unvalidated",
        about: "The hypervisor validates nothing when only the flags of an upper entry change, and the large-leaf \
                bit is such a flag: the guest can write everything that lies beside its table.",
        source: "Xen XSA-148 (CVE-2015-7835): the validation of level-2 entries could be bypassed",
        omitted: &[Step::ValidateLargeLeaves],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/large-leaf-unvalidated"),
        effects: &[
            corpus!("effects/large-leaf-unvalidated/executable"),
            corpus!("effects/large-leaf-unvalidated/walk-of-freed"),
        ],
        ..NONE
    },
    Bug {
        name: "drop-before-store",
        about: "The hypervisor drops the reference of an entry before it replaces the entry: the page becomes a \
                table, and a walker caches it as writable once more.",
        source: "derived from the order in which Xen moves references with an entry",
        omitted: &[Step::DropAfterStore],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/drop-before-store"),
        ..NONE
    },
    Bug {
        name: "linear-table-stale.a",
        about: "The hypervisor changes an upper entry of a guest's tables and keeps what it has cached of its own \
                linear mapping of them: the next update by address goes to the table that was there before, which \
                may be freed.",
        source: "Xen advisory XSA-286 (commit 16a20963b3): flush the linear mapping after changes of paging structures",
        omitted: &[Step::FlushLinearMap],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/linear-table-stale.a"),
        effects: &[corpus!("effects/linear-table-stale.a/reference-not-held")],
        ..NONE
    },
    Bug {
        name: "linear-table-stale.b",
        about: "The hypervisor flushes its linear mapping only on the CPU that changed the upper entry: an update by \
                address on another CPU goes to the table that was there before.",
        source: "derived from Xen commit 16a20963b3, which flushes on every CPU that runs the guest",
        omitted: &[Step::FlushLinearMapEverywhere],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/linear-table-stale.b"),
        effects: &[corpus!("effects/linear-table-stale.b/reference-not-held")],
        ..NONE
    },
    Bug {
        name: "linear-table-kept",
        about: "A CPU loads another root, and the hypervisor keeps what this CPU has cached of the linear mapping of \
                the old root's tables: the next update by address walks through tables that may be freed by then.",
        source: "derived from Xen commit 16a20963b3: why the linear mapping is flushed with the tables that it leads through",
        omitted: &[Step::FlushLinearMapAtLoad],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/linear-table-kept"),
        effects: &[corpus!("effects/linear-table-kept/refused")],
        ..NONE
    },
    Bug {
        name: "root-not-held",
        about: "The hypervisor loads a root that a guest names and neither validates it nor holds it as a table: the CPU \
                walks through whatever the guest has put there.",
        source: "derived from Xen's new_guest_cr3, which takes the type of the new root before it loads it",
        omitted: &[Step::HoldLoadedRoot],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/root-not-held"),
        ..NONE
    },
    Bug {
        name: "superpage-race.a",
        about: "The hypervisor walks to an entry of its own mapping of memory before it takes the lock. Another CPU \
                merges the table into a large leaf meanwhile and frees it, and the entry is written all the same.",
        source: "Xen advisory XSA-345 (commit 1ce75e99d7): the walk to a mapping and its change under one lock",
        omitted: &[Step::WalkUnderMapLock],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/superpage-race.a"),
        ..NONE
    },
    Bug {
        name: "superpage-race.b",
        about: "The hypervisor sets an entry of its own mapping of memory under the lock, and decides afterwards \
                whether to merge the table: two CPUs do so at once, and both free it.",
        source: "Xen advisory XSA-345 (commit 1ce75e99d7): the decision to merge under the lock of the change",
        omitted: &[Step::MergeUnderMapLock],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/superpage-race.b"),
        ..NONE
    },
];
