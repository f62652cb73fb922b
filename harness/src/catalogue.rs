//! The catalogue of known bugs: each a row of data, and with it a witness, a story written by hand that is as short as
//! can be (`corpus/witnesses/NAME.story`).
//!
//! A bug is what is changed in kernels that are right by default: designs chosen, safety steps left out, a quirk of the
//! hardware. Variants of one incident bear its name and a letter.

use core::fmt;
use std::rc::Rc;

use impls::protocol::UnknownDesign;
use impls::{Designs, Protocol, Step};

use crate::story::{Backends, Under};
use crate::subject::Setup;

/// A known bug.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// Its name, with the letter of the variant.
    pub name: &'static str,
    /// What goes wrong.
    pub about: &'static str,
    /// Where it was seen or argued over.
    pub source: &'static str,
    /// The designs chosen: points and variants.
    pub designs: &'static [(&'static str, &'static str)],
    /// The safety steps left out.
    pub omitted: &'static [Step],
    /// The quirk of the hardware.
    pub invlpg_spares_globals: bool,
    /// The backends on which it shows.
    pub shows_on: Backends,
    /// How many events its witness has.
    pub length: usize,
    /// What its witness finds, without the backend and the CPU.
    pub finds: &'static str,
}

/// No bug: what every row begins with.
const NONE: Bug = Bug {
    name: "",
    about: "",
    source: "",
    designs: &[],
    omitted: &[],
    invlpg_spares_globals: false,
    shows_on: Backends::all(),
    length: 0,
    finds: "",
};

/// Every known bug.
pub const BUGS: &[Bug] = &[
    Bug {
        name: "canary",
        about: "A page that is freed is not given back. Its only purpose is to prove that findings are reported.",
        source: "none: planted",
        omitted: &[Step::Canary],
        length: 1,
        finds: "rule 10 (rest): teardown: pages were not given back",
        ..NONE
    },
    Bug {
        name: "va-reuse-unflushed.a",
        about: "A drain clears the entries and gives the ranges back without a flush, because its caller is concerned \
                with tables only; the next vmap hands out a range that another CPU still has translations of.",
        source: "seed 000: the proposal to let callers inhibit the flush, and the objection to it",
        designs: &[("drain", "inhibit")],
        length: 4,
        finds: "rule 4 (kernel range reuse): vmap: a CPU holds a translation from before",
        ..NONE
    },
    Bug {
        name: "va-reuse-unflushed.b",
        about: "Ranges are flushed when they are mapped again and not when they are unmapped, but only on the CPU that \
                maps them.",
        source: "seed 000: flush on map instead of on unmap",
        designs: &[("drain", "on-map-local")],
        length: 4,
        finds: "rule 4 (kernel range reuse): vmap: a CPU holds a translation from before",
        ..NONE
    },
    Bug {
        name: "drain-irqs-off.a",
        about: "A drain asked for with interrupts off shoots down as ever and waits for the answers: two CPUs that do so \
                wait for each other for ever.",
        source: "seed 000: buffers for DMA are made with interrupts off, and draining aliases there deadlocks",
        designs: &[("irqs_off_drain", "shootdown")],
        length: 3,
        finds: "rule 9 (progress): drain-aliases: waits with interrupts off",
        ..NONE
    },
    Bug {
        name: "drain-irqs-off.b",
        about: "A drain asked for with interrupts off flushes the CPU that it runs on, and no other.",
        source: "seed 000: the tempting repair of the deadlock",
        designs: &[("irqs_off_drain", "flush-local")],
        length: 3,
        finds: "rule 5 (drain): drain-aliases: an alias is left in a TLB",
        ..NONE
    },
    Bug {
        name: "lazy-alias-pins.a",
        about: "vunmap leaves the entries to the purge, and nobody drains before a page becomes a page table: the \
                hypervisor still counts a writable mapping of it, and refuses.",
        source: "seed 004: why Xen has to drain aliases for each page that it makes a page table of",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "never")],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 7 (hypervisor): make-table: the hypervisor refused",
        ..NONE
    },
    Bug {
        name: "lazy-alias-pins.b",
        about: "As before, but aliases are drained before a page above the direct map becomes a page table, and not \
                before one within it, which may have been mapped as well.",
        source: "seeds 000 and 004: draining where it is thought to be needed only",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "high-only")],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 7 (hypervisor): make-table: the hypervisor refused",
        ..NONE
    },
    Bug {
        name: "vb-full-missed",
        about: "A drain looks for unflushed slots on the lists of blocks with room: a block whose slots were all handed \
                out is on none, and one that was freed in it stays unflushed.",
        source: "Linux commit fc1e0d980037: flush the dirty slots of full vmap blocks too",
        omitted: &[Step::DrainWalksAllBlocks],
        length: 4,
        finds: "rule 5 (drain): drain-aliases: an alias is left in a TLB",
        ..NONE
    },
    Bug {
        name: "vb-dirty-order",
        about: "The slots of a small mapping count as dirty before their entries are cleared: a drain in between flushes \
                them and calls them clean, and a walker brings the translation back.",
        source: "derived from the order that seed 004's blocks rely on, since a drain resets what it flushed (Linux \
                 commit a09fad96ffb1)",
        omitted: &[Step::ClearBeforeDirty],
        length: 4,
        finds: "rule 5 (drain): drain-aliases: an alias is left in a TLB",
        ..NONE
    },
    Bug {
        name: "drain-skips-inflight-purge.a",
        about: "A drain that finds another CPU purging does not wait for it: what that one has collected and not flushed \
                yet is still in TLBs when the drain returns.",
        source: "seed 004: a purge for space may give way to another, a drain may not",
        omitted: &[Step::DrainWaitsForPurge],
        length: 4,
        finds: "rule 5 (drain): drain-aliases: an alias is left in a TLB",
        ..NONE
    },
    Bug {
        name: "drain-skips-inflight-purge.b",
        about: "A purge counts off what it collected before it has flushed it: a drain sees nothing outstanding and \
                returns.",
        source: "seed 004: the drain that costs nothing when nothing is outstanding",
        omitted: &[Step::CountAfterFlush],
        length: 4,
        finds: "rule 5 (drain): drain-aliases: an alias is left in a TLB",
        ..NONE
    },
    Bug {
        name: "ipi-overtakes-stores",
        about: "The request to flush still sits in the sender's store buffer when its interrupt is taken: the target \
                flushes something else.",
        source: "Intel SDM volume 3A: a write to the x2APIC's interrupt command register does not serialise",
        omitted: &[Step::FenceBeforeIpi],
        shows_on: Backends::NATIVE,
        length: 4,
        finds: "rule 5 (drain): drain-aliases: an alias is left in a TLB",
        ..NONE
    },
    Bug {
        name: "exchange-alias.a",
        about: "vunmap leaves the entries to the purge, and nobody clears them before the frames beneath a buffer for DMA \
                are exchanged: the hypervisor takes no frame that something still refers to.",
        source: "seed 000: no other aliases of the old pages before they are released to Xen",
        designs: &[("pte_clear", "at-purge"), ("dma_drain", "never")],
        shows_on: Backends::XEN,
        length: 3,
        finds: "rule 7 (hypervisor): dma-alloc: the hypervisor refused",
        ..NONE
    },
    Bug {
        name: "exchange-alias.b",
        about: "An exchange comes to an end before all frames are exchanged, and the guest takes the whole list for frames \
                that it was given: the rest of it says something else.",
        source: "seed 000: the physical pages beneath pseudo-physical memory are replaced; derived from the number that \
                 an exchange returns",
        omitted: &[Step::RestoreRemainder],
        shows_on: Backends::XEN,
        length: 1,
        finds: "rule 7 (hypervisor): dma-alloc: the hypervisor refused",
        ..NONE
    },
    Bug {
        name: "exchange-alias.c",
        about: "The entries of a buffer lead to its new frames, and no flush goes with the last of them: another CPU goes \
                on writing to the old ones.",
        source: "seed 000: the old mappings are replaced by new ones",
        omitted: &[Step::FlushAfterExchange],
        shows_on: Backends::XEN,
        length: 1,
        finds: "rule 4 (kernel range reuse): dma-alloc: a CPU holds a translation from before",
        ..NONE
    },
    Bug {
        name: "given-away-unflushed",
        about: "The hypervisor gives a frame to another domain while a CPU of the guest's remembers it: the guest clears \
                entries, and flushes when it pleases.",
        source: "seed 000: Xen flushes stale entries before it gives pages out to any other domain",
        omitted: &[Step::FlushBeforeGivingAway],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): touch: a CPU can reach memory of another domain",
        ..NONE
    },
    Bug {
        name: "alias-bit-lost-update",
        about: "The vmap layer marks pages with an alias bit in their flags, which their owner changes by a load and a \
                store: the owner stores an old copy back, the page looks as if it had no alias, and is not drained for \
                before it becomes a page table.",
        source: "seed 004: why a page flag for aliases was refused, \"we don't own the page flags\"",
        designs: &[("pte_clear", "at-purge"), ("table_drain", "page-flag"), ("page_flags", "plain")],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): make-table: the hypervisor refused",
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
        finds: "rule 7 (hypervisor): make-table: the hypervisor refused",
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
        finds: "rule 7 (hypervisor): make-table: the hypervisor refused",
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
        finds: "rule 7 (hypervisor): make-table: the hypervisor refused",
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
        finds: "rule 7 (hypervisor): make-table: the hypervisor refused",
        ..NONE
    },
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
        finds: "rule 7 (hypervisor): hv-exchange: an entry leads to memory of another domain",
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
        finds: "rule 7 (hypervisor): make-table: a CPU can write a page table",
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
        finds: "rule 7 (hypervisor): make-table: a CPU can write a page table",
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
        finds: "rule 7 (hypervisor): make-table: a CPU can write a page table",
        ..NONE
    },
    Bug {
        name: "type-conflict",
        about: "The hypervisor does not ask what a frame is in use as already: a guest maps its own page table writable.",
        source: "derived from the types that Xen keeps of frames; a guest gone astray in seed 004",
        omitted: &[Step::RefuseTypeConflict],
        shows_on: Backends::XEN,
        length: 2,
        finds: "rule 7 (hypervisor): hv-update: an entry lets a page table be written",
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
        finds: "rule 10 (rest): teardown: a frame of a guest that is gone cannot be taken back",
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
        finds: "rule 7 (hypervisor): map-ram: the hypervisor refused",
        ..NONE
    },
    Bug {
        name: "dma-not-contiguous",
        about: "Each page of a buffer is looked at for itself: all lie where the device reaches, and a segment of them has frames \
                that do not follow each other. The device reads and writes somebody else's.",
        source: "derived from what coherent memory for devices promises (seed 000)",
        omitted: &[Step::BufferIsContiguous],
        length: 4,
        finds: "rule 1 (outcome): dma-alloc: a buffer that its device cannot reach",
        ..NONE
    },
    Bug {
        name: "large-leaf-unvalidated",
        about: "Of an upper entry whose flags alone change nothing is validated, and the flag that makes it a large leaf is one: \
                the guest can write everything that lies beside its table.",
        source: "Xen XSA-148 (CVE-2015-7835): the validation of level-2 entries could be bypassed",
        omitted: &[Step::ValidateLargeLeaves],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 7 (hypervisor): hv-update: an entry leads to memory of another domain",
        ..NONE
    },
    Bug {
        name: "drop-before-store",
        about: "The reference of an entry is dropped before the entry is replaced: the page becomes a table, and a walker \
                caches it as writable once more.",
        source: "derived from the order in which Xen moves references with an entry",
        omitted: &[Step::DropAfterStore],
        shows_on: Backends::XEN,
        length: 5,
        finds: "rule 7 (hypervisor): hv-update: a CPU can write a page table",
        ..NONE
    },
    Bug {
        name: "linear-table-stale.a",
        about: "The hypervisor changes an upper entry of a guest's tables and keeps what it has cached of its own linear mapping \
                of them: the next update by address goes to the table that was there before, which may be freed.",
        source: "Xen advisory XSA-286 (commit 16a20963b3): flush the linear mapping after changes of paging structures",
        omitted: &[Step::FlushLinearMap],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 6 (frames): vmap: a stale translation was used",
        ..NONE
    },
    Bug {
        name: "linear-table-stale.b",
        about: "The hypervisor flushes its linear mapping only on the CPU that changed the upper entry: an update by address on \
                another goes to the table that was there before.",
        source: "derived from Xen commit 16a20963b3, which flushes on every CPU that runs the guest",
        omitted: &[Step::FlushLinearMapEverywhere],
        shows_on: Backends::XEN,
        length: 4,
        finds: "rule 6 (frames): vmap: a stale translation was used",
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
        finds: "rule 6 (frames): hv-exchange: a walk went through a freed table",
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
        finds: "rule 6 (frames): hv-exchange: a frame was freed twice",
        ..NONE
    },
    Bug {
        name: "vfree-dmap-flush.b",
        about: "Memory that was executable is freed: its direct map is made writable again before the flush, while another \
                CPU can still execute it.",
        source: "derived from the order of Linux commit 868b104d7379: invalid, one flush, then the default",
        omitted: &[Step::DefaultAfterFlush],
        length: 4,
        finds: "rule 12 (permissions and memory types): drain-aliases: a page can be written and executed",
        ..NONE
    },
    Bug {
        name: "vfree-dmap-flush.d",
        about: "The direct map of the pages whose permissions change is flushed as one range from the first of them on, \
                though they need not be neighbours: another CPU can still write the others.",
        source: "derived from Linux commit 868b104d7379, which flushes the direct map of every page",
        omitted: &[Step::FlushEveryDirectAlias],
        length: 2,
        finds: "rule 12 (permissions and memory types): set-memory-ro: a page that was made read-only can be written",
        ..NONE
    },
    Bug {
        name: "protect-lazy-alias",
        about: "Permissions are restricted without draining aliases first: the area that had the page before was freed \
                lazily, and another CPU can still write through it.",
        source: "derived from seed 004: XEN and PAT and such do not like deferred TLB flushing",
        omitted: &[Step::DrainBeforeProtect],
        length: 4,
        finds: "rule 12 (permissions and memory types): set-memory-ro: a page that was made read-only can be written",
        ..NONE
    },
    Bug {
        name: "huge-over-table",
        about: "Tables whose areas are gone stay for the next ones, and a large page is mapped where one of them is: it is \
                freed without a flush, while another CPU remembers the way to it and walks whatever its page is by then.",
        source: "Linux commit 5e0fb5df2ee8: free the tables beneath a huge mapping only after a flush",
        designs: &[("kernel_tables", "kept")],
        omitted: &[Step::FlushBeforeTableGoes],
        shows_on: Backends::NATIVE,
        length: 4,
        finds: "rule 6 (frames): write: a walk went through a freed table",
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
        finds: "rule 6 (frames): fill: a walk went through a freed table",
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
        finds: "rule 7 (hypervisor): vmap: the hypervisor refused",
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.c",
        about: "A new upper entry is brought into no other address space, and nobody repairs it when they fault.",
        source: "what both designs of kernel_sync are there to prevent",
        omitted: &[Step::AddToEveryMm],
        length: 3,
        finds: "rule 4 (kernel range reuse): vmap: the tables lead elsewhere",
        ..NONE
    },
    Bug {
        name: "kernel-table-sync.d",
        about: "An upper entry that goes is cleared in the copies of other address spaces only after the flush: a CPU that \
                walks its copy in between remembers the way to the table, which is then freed.",
        source: "the order that suggests itself to whoever adds the copies to a purge that is there",
        omitted: &[Step::RemoveBeforeFlush],
        length: 6,
        finds: "rule 6 (frames): fill: a walk went through a freed table",
        ..NONE
    },
    Bug {
        name: "new-mm-unlisted",
        about: "The upper levels are copied for a new address space, and it is put on the list of those that are kept in \
                step later: what is added or removed in between it never learns of.",
        source: "why a kernel copies its upper levels under the lock of the list (pgd_lock)",
        omitted: &[Step::CopyAndListAtOnce],
        length: 3,
        finds: "rule 4 (kernel range reuse): vmap: the tables lead elsewhere",
        ..NONE
    },
    Bug {
        name: "drop-mm-listed",
        about: "The tables of an address space are given back while it is still on the list of those that are kept in \
                step, and somebody who adds an entry takes a freed page for a table.",
        source: "why a kernel takes an address space off the list before it frees its upper levels (pgd_dtor)",
        omitted: &[Step::UnlistBeforeFree],
        length: 3,
        finds: "rule 6 (frames): vmap: a walk went through a freed table",
        ..NONE
    },
    Bug {
        name: "drop-mm-loaded",
        about: "A CPU counts as being out of an address space before it has loaded another root, and its tables are freed \
                under it.",
        source: "the order in which a kernel changes the mask of CPUs and CR3",
        omitted: &[Step::LoadBeforeLeaving],
        length: 5,
        finds: "rule 4 (kernel range reuse): vmap: the tables lead elsewhere",
        ..NONE
    },
    Bug {
        name: "pat-alias-undrained",
        about: "The memory type of an area is changed without draining aliases first: the area that had the page before was \
                freed lazily, and another CPU still has it under the old type.",
        source: "seed 004: XEN and PAT and such do not like deferred TLB flushing",
        omitted: &[Step::DrainBeforeRetype],
        length: 4,
        finds: "rule 12 (permissions and memory types): set-memory-wc: a page has two memory types",
        ..NONE
    },
    Bug {
        name: "pat-alias-direct-map",
        about: "The memory type of an area is changed, and the direct map of its pages keeps the usual one.",
        source: "derived from seed 004: a page has aliases, and PAT wants them of one type",
        omitted: &[Step::RetypeDirectMap],
        length: 2,
        finds: "rule 12 (permissions and memory types): set-memory-wc: a page has two memory types",
        ..NONE
    },
    Bug {
        name: "pat-alias-unflushed.a",
        about: "The memory type of an area is changed in the tables, and nobody flushes: another CPU goes on with the usual one.",
        source: "derived from seed 004 and Intel SDM volume 3A, section 11.12.4",
        omitted: &[Step::FlushAfterRetype],
        length: 2,
        finds: "rule 12 (permissions and memory types): set-memory-wc: a page has two memory types",
        ..NONE
    },
    Bug {
        name: "pat-alias-unflushed.b",
        about: "The memory type of an area goes back to the usual one in the tables, and nobody flushes: another CPU goes on with \
                the other.",
        source: "derived from seed 004 and Intel SDM volume 3A, section 11.12.4",
        omitted: &[Step::FlushAfterTypeReturns],
        length: 3,
        finds: "rule 12 (permissions and memory types): set-memory-wb: a page has two memory types",
        ..NONE
    },
    Bug {
        name: "pat-alias-freed",
        about: "Memory is freed with the memory type that it was given: its next owner maps it with the usual one, and the direct \
                map still has the other.",
        source: "derived from seed 004: a page has aliases, and PAT wants them of one type",
        omitted: &[Step::ResetTypeAtFree],
        length: 4,
        finds: "rule 12 (permissions and memory types): vmalloc: a page has two memory types",
        ..NONE
    },
    Bug {
        name: "pat-alias-refilled",
        about: "Memory is freed with the memory type that it was given, and the direct map keeps its entry while everybody \
                flushes: a walker caches the other type after that.",
        source: "derived from seed 004: a page has aliases, and PAT wants them of one type",
        omitted: &[Step::NoEntryWhileFlushed],
        length: 3,
        finds: "rule 12 (permissions and memory types): vfree: a page has two memory types",
        ..NONE
    },
];

impl Bug {
    /// Its name without the letter.
    pub fn group(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((group, letter)) if letter.len() == 1 => group,
            _ => self.name,
        }
    }

    /// What is changed, in the words of designs, steps and quirks.
    pub fn changes(&self) -> Vec<String> {
        let designs = self.designs.iter().map(|(point, variant)| format!("design {point}={variant}"));
        let steps = self.omitted.iter().map(|step| format!("without {}", step.name()));
        let quirk = self.invlpg_spares_globals.then(|| "quirk invlpg-spares-globals".to_owned());
        designs.chain(steps).chain(quirk).collect()
    }
}

/// The bug of this name; without its letter, every variant in turn.
pub fn named(name: &str) -> Result<Vec<&'static Bug>, Unknown> {
    let found: Vec<_> = BUGS.iter().filter(|bug| bug.name == name || bug.group() == name).collect();
    if found.is_empty() { Err(Unknown::Bug(name.to_owned())) } else { Ok(found) }
}

/// What stories are played under.
#[derive(Clone, Default, Debug)]
pub struct Selection {
    /// A known bug.
    pub bug: Option<&'static Bug>,
    /// Designs chosen on top of it.
    pub designs: Vec<(String, String)>,
}

impl Selection {
    /// What a file or a command line asks for: one selection for each variant of the bug. The error names what is
    /// known instead.
    pub fn all(under: &Under) -> Result<Vec<Self>, Unknown> {
        let bugs = match &under.bug {
            None => vec![None],
            Some(name) => named(name)?.into_iter().map(Some).collect(),
        };
        let all = bugs.into_iter().map(|bug| Self { bug, designs: under.designs.clone() });
        all.map(|selection| selection.designs().map(|_| selection)).collect()
    }

    fn designs(&self) -> Result<Designs, Unknown> {
        let mut designs = Designs::default();
        for (point, variant) in self.bug.map_or(&[][..], |bug| bug.designs) {
            designs.choose(point, variant)?;
        }
        for (point, variant) in &self.designs {
            designs.choose(point, variant)?;
        }
        Ok(designs)
    }

    /// The kernels and the machine as this wants them.
    ///
    /// # Panics
    /// If a design does not exist: [`Selection::all`] has made sure of that.
    pub fn setup(&self) -> Setup {
        let designs = self.designs().expect("designs that were looked up before");
        let omitted = self.bug.map_or(&[][..], |bug| bug.omitted);
        let of_bug = self.bug.map_or(&[][..], |bug| bug.designs).iter();
        let of_bug = of_bug.map(|(point, variant)| ((*point).to_owned(), (*variant).to_owned()));
        Setup {
            protocol: Rc::new(Protocol::new(designs, omitted)),
            insists_on: of_bug.chain(self.designs.iter().cloned()).collect(),
            invlpg_spares_globals: self.bug.is_some_and(|bug| bug.invlpg_spares_globals),
        }
    }

    /// What a file that was found under this remembers.
    pub fn under(&self) -> Under {
        Under { bug: self.bug.map(|bug| bug.name.to_owned()), designs: self.designs.clone() }
    }
}

/// A bug or a design that does not exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// No bug has this name.
    Bug(String),
    /// No design point or variant has this name.
    Design(UnknownDesign),
}

impl From<UnknownDesign> for Unknown {
    fn from(unknown: UnknownDesign) -> Self {
        Self::Design(unknown)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bug(name) => {
                let known: Vec<_> = BUGS.iter().map(|bug| bug.name).collect();
                write!(f, "no known bug \"{name}\"; expected one of {}", known.join(", "))
            }
            Self::Design(unknown) => unknown.fmt(f),
        }
    }
}

impl std::error::Error for Unknown {}

#[cfg(test)]
mod tests {
    use super::*;
    use impls::protocol::Drain;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_without_its_letter_stands_for_every_variant() {
        let names = |name| named(name).map(|bugs| bugs.iter().map(|bug| bug.name).collect::<Vec<_>>());
        assert_eq!(names("va-reuse-unflushed"), Ok(vec!["va-reuse-unflushed.a", "va-reuse-unflushed.b"]));
        assert_eq!(names("va-reuse-unflushed.b"), Ok(vec!["va-reuse-unflushed.b"]));
        assert_eq!(names("canary"), Ok(vec!["canary"]));
        let wrong = named("va-reuse").expect_err("no such bug").to_string();
        assert!(wrong.contains("expected one of canary, va-reuse-unflushed.a"), "{wrong}");
    }

    #[test]
    fn every_row_changes_something_that_exists_and_has_a_name_of_its_own() {
        let names: BTreeSet<_> = BUGS.iter().map(|bug| bug.name).collect();
        assert_eq!(names.len(), BUGS.len());
        for bug in BUGS {
            assert!(!bug.changes().is_empty(), "{}", bug.name);
            assert!(!bug.shows_on.is_empty() && bug.length > 0 && !bug.about.is_empty(), "{}", bug.name);
            let under = Under { bug: Some(bug.name.to_owned()), designs: Vec::new() };
            assert_eq!(Selection::all(&under).expect("it exists").len(), 1, "{}", bug.name);
        }
    }

    #[test]
    fn every_safety_step_is_left_out_by_some_bug() {
        for step in Step::ALL {
            assert!(BUGS.iter().any(|bug| bug.omitted.contains(step)), "{}", step.name());
        }
    }

    #[test]
    fn designs_are_chosen_on_top_of_the_bug() {
        let design = |variant: &str| ("drain".to_owned(), variant.to_owned());
        let mut under = Under { bug: Some("va-reuse-unflushed.a".to_owned()), designs: Vec::new() };
        let drain = |under: &Under| Selection::all(under).map(|all| all[0].setup().protocol.designs.drain);
        assert_eq!(drain(&under), Ok(Drain::Inhibit));
        under.designs.push(design("flush"));
        assert_eq!(drain(&under), Ok(Drain::Flush));
        assert_eq!(Selection::all(&under).expect("they exist")[0].under(), under);
        under.designs.push(design("maybe"));
        assert!(drain(&under).is_err());
    }
}
