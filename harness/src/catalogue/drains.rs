//! Known bugs of lazy unmapping: ranges handed out too early, drains that leave something behind, requests that interrupts
//! overtake.

use impls::Step;

use super::{Bug, NONE};
use crate::story::Backends;

/// Areas are not unmapped lazily, so no drain ever has to do with them.
pub(super) const EAGER: (&str, &str, Backends) = ("unmap_flush", "eager", Backends::all());

/// A drain that flushes nothing waits for no CPU. A CPU that maps a range later flushes for it.
const NO_FLUSH: [(&str, &str, Backends); 2] =
    [("drain", "tables-only", Backends::all()), ("drain", "on-map-everywhere", Backends::all())];

/// The hypervisor flushes, and needs no interrupt of the guest for it.
const HYPERCALL: (&str, &str, Backends) = ("kernel_flush", "hypercall", Backends::XEN);

/// Proposals for leaving out part of a drain.
pub(super) const DESIGNS: &[Bug] = &[
    Bug {
        name: "va-reuse-unflushed.a",
        about: "A drain clears the entries and gives the ranges back without a flush, because its caller cares for \
                tables only. The next vmap hands out a range that another CPU still has translations of.",
        source: "seed 000: the proposal to let callers inhibit the flush, and the objection to it",
        designs: &[("drain", "inhibit")],
        unless: &[EAGER],
        witness: corpus!("witnesses/va-reuse-unflushed.a"),
        ..NONE
    },
    Bug {
        name: "va-reuse-unflushed.b",
        about: "The kernel flushes a range when it maps it again and not when it unmaps it, but only on the CPU that \
                maps it.",
        source: "seed 000: flush on map instead of on unmap",
        designs: &[("drain", "on-map-local")],
        unless: &[EAGER],
        witness: corpus!("witnesses/va-reuse-unflushed.b"),
        ..NONE
    },
    Bug {
        name: "drain-irqs-off.a",
        about: "A drain asked for with interrupts off interrupts the other CPUs as ever and waits for their answers: \
                two CPUs that do so wait for each other for ever.",
        source: "seed 000: buffers for DMA are made with interrupts off, and draining aliases there deadlocks",
        designs: &[("irqs_off_drain", "shootdown")],
        unless: &[EAGER, NO_FLUSH[0], NO_FLUSH[1], HYPERCALL],
        witness: corpus!("witnesses/drain-irqs-off.a"),
        ..NONE
    },
    Bug {
        name: "drain-irqs-off.b",
        about: "A drain asked for with interrupts off flushes the CPU that it runs on, and no other.",
        source: "seed 000: the tempting repair of the deadlock",
        designs: &[("irqs_off_drain", "flush-local")],
        unless: &[EAGER, NO_FLUSH[0], NO_FLUSH[1]],
        witness: corpus!("witnesses/drain-irqs-off.b"),
        effects: &[
            corpus!("effects/drain-irqs-off.b/read-only-written"),
            corpus!("effects/drain-irqs-off.b/stale-range"),
        ],
        ..NONE
    },
    Bug {
        name: "buffer-reuse-unflushed.a",
        about: "The kernel flushes areas as it unmaps them. But callers give buffers for DMA back with interrupts \
                off, and those wait for a drain, which gives their ranges back without a flush.",
        source: "seed 000: the same proposal, for the callers that it was made for",
        designs: &[("drain", "inhibit"), ("unmap_flush", "eager")],
        witness: corpus!("witnesses/buffer-reuse-unflushed.a"),
        ..NONE
    },
    Bug {
        name: "buffer-reuse-unflushed.b",
        about: "The same where the kernel flushes a range when it maps it again, on the CPU that maps it alone.",
        source: "seed 000: flush on map instead of on unmap",
        designs: &[("drain", "on-map-local"), ("unmap_flush", "eager")],
        witness: corpus!("witnesses/buffer-reuse-unflushed.b"),
        ..NONE
    },
    Bug {
        name: "buffer-drain-irqs-off.a",
        about: "The kernel flushes areas as it unmaps them. But a caller gave a buffer for DMA back: a drain asked \
                for with interrupts off has something to flush everywhere, and waits for the answers.",
        source: "seed 000: buffers for DMA are made with interrupts off, and draining aliases there deadlocks",
        designs: &[("irqs_off_drain", "shootdown"), ("unmap_flush", "eager")],
        unless: &[NO_FLUSH[0], NO_FLUSH[1], HYPERCALL],
        witness: corpus!("witnesses/buffer-drain-irqs-off.a"),
        ..NONE
    },
    Bug {
        name: "buffer-drain-irqs-off.b",
        about: "The same where the drain flushes the CPU that it runs on, and no other.",
        source: "seed 000: the tempting repair of the deadlock",
        designs: &[("irqs_off_drain", "flush-local"), ("unmap_flush", "eager")],
        unless: &NO_FLUSH,
        witness: corpus!("witnesses/buffer-drain-irqs-off.b"),
        effects: &[corpus!("effects/buffer-drain-irqs-off.b/stale-range")],
        ..NONE
    },
];

/// What drains, blocks, purges and flush requests owe each other.
pub(super) const BLOCKS_AND_PURGES: &[Bug] = &[
    Bug {
        name: "vb-full-missed",
        about: "A drain looks for unflushed slots on the lists of blocks with room. A block whose slots were all \
                handed out is on none of them, so a slot that was freed in it stays unflushed.",
        source: "Linux commit fc1e0d980037: flush the dirty slots of full vmap blocks too",
        omitted: &[Step::DrainWalksAllBlocks],
        witness: corpus!("witnesses/vb-full-missed"),
        ..NONE
    },
    Bug {
        name: "vb-dirty-order",
        about: "The kernel marks the slots of a small mapping dirty before it clears their entries. A drain in \
                between flushes them and calls them clean, and then a walker brings the translation back.",
        source: "derived from the order that seed 004's blocks rely on, since a drain resets what it flushed (Linux \
                 commit a09fad96ffb1)",
        omitted: &[Step::ClearBeforeDirty],
        witness: corpus!("witnesses/vb-dirty-order"),
        effects: &[
            corpus!("effects/vb-dirty-order/area-over-another"),
            corpus!("effects/vb-dirty-order/fault"),
            corpus!("effects/vb-dirty-order/stale-range"),
        ],
        ..NONE
    },
    Bug {
        name: "drain-skips-inflight-purge.a",
        about: "A drain that finds another CPU purging does not wait for it. What that CPU has collected and not yet \
                flushed is still in TLBs when the drain returns.",
        source: "seed 004: a purge for space may give way to another purge, a drain may not",
        omitted: &[Step::DrainWaitsForPurge],
        witness: corpus!("witnesses/drain-skips-inflight-purge.a"),
        effects: &[corpus!("effects/drain-skips-inflight-purge.a/read-only-written")],
        ..NONE
    },
    Bug {
        name: "drain-skips-inflight-purge.b",
        about: "A purge subtracts what it collected from the count of lazy pages before it has flushed: a drain sees \
                nothing outstanding and returns.",
        source: "seed 004: the drain that costs nothing when nothing is outstanding",
        omitted: &[Step::CountAfterFlush],
        witness: corpus!("witnesses/drain-skips-inflight-purge.b"),
        effects: &[corpus!("effects/drain-skips-inflight-purge.b/read-only-written")],
        ..NONE
    },
    Bug {
        name: "ipi-overtakes-stores",
        about: "The flush request still sits in the sender's store buffer when the target takes the interrupt: the \
                target flushes something else.",
        source: "Intel SDM volume 3A: a write to the x2APIC's interrupt command register does not serialise",
        omitted: &[Step::FenceBeforeIpi],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/ipi-overtakes-stores"),
        ..NONE
    },
];
