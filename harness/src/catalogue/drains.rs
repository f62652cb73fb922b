//! Known bugs of lazy unmapping: ranges that come back too early, drains that leave something behind, requests that are overtaken.

use impls::Step;

use super::{Bug, NONE};
use crate::story::Backends;

/// Areas are not unmapped lazily, and nothing of theirs is ever left to a drain.
pub(super) const EAGER: (&str, &str, Backends) = ("unmap_flush", "eager", Backends::all());

/// A drain that flushes nothing itself waits for nobody and owes nobody: what is mapped next is flushed for by whoever maps.
const NO_FLUSH: [(&str, &str, Backends); 2] =
    [("drain", "tables-only", Backends::all()), ("drain", "on-map-everywhere", Backends::all())];

/// The hypervisor flushes, and needs no interrupt of the guest's for it.
const HYPERCALL: (&str, &str, Backends) = ("kernel_flush", "hypercall", Backends::XEN);

/// Proposals for what a drain may leave out.
pub(super) const DESIGNS: &[Bug] = &[
    Bug {
        name: "va-reuse-unflushed.a",
        about: "A drain clears the entries and gives the ranges back without a flush, because its caller is concerned \
                with tables only; the next vmap hands out a range that another CPU still has translations of.",
        source: "seed 000: the proposal to let callers inhibit the flush, and the objection to it",
        designs: &[("drain", "inhibit")],
        unless: &[EAGER],
        length: 4,
        finds: "rule 4 (kernel range reuse): a CPU holds a translation from before",
        met_by: "vmap",
        ..NONE
    },
    Bug {
        name: "va-reuse-unflushed.b",
        about: "Ranges are flushed when they are mapped again and not when they are unmapped, but only on the CPU that \
                maps them.",
        source: "seed 000: flush on map instead of on unmap",
        designs: &[("drain", "on-map-local")],
        unless: &[EAGER],
        length: 4,
        finds: "rule 4 (kernel range reuse): a CPU holds a translation from before",
        met_by: "vmap",
        ..NONE
    },
    Bug {
        name: "drain-irqs-off.a",
        about: "A drain asked for with interrupts off shoots down as ever and waits for the answers: two CPUs that do so \
                wait for each other for ever.",
        source: "seed 000: buffers for DMA are made with interrupts off, and draining aliases there deadlocks",
        designs: &[("irqs_off_drain", "shootdown")],
        unless: &[EAGER, NO_FLUSH[0], NO_FLUSH[1], HYPERCALL],
        length: 3,
        finds: "rule 9 (progress): waits with interrupts off",
        met_by: "drain-aliases",
        ..NONE
    },
    Bug {
        name: "drain-irqs-off.b",
        about: "A drain asked for with interrupts off flushes the CPU that it runs on, and no other.",
        source: "seed 000: the tempting repair of the deadlock",
        designs: &[("irqs_off_drain", "flush-local")],
        unless: &[EAGER, NO_FLUSH[0], NO_FLUSH[1]],
        length: 3,
        finds: "rule 5 (drain): an alias is left in a TLB",
        met_by: "drain-aliases",
        ..NONE
    },
    Bug {
        name: "buffer-reuse-unflushed.a",
        about: "Areas are flushed as they are unmapped, but buffers for DMA are given back with interrupts off and wait for a \
                drain, which gives their ranges back without a flush.",
        source: "seed 000: the same proposal, for the callers that it was made for",
        designs: &[("drain", "inhibit"), ("unmap_flush", "eager")],
        length: 4,
        finds: "rule 4 (kernel range reuse): a CPU holds a translation from before",
        met_by: "vmap",
        ..NONE
    },
    Bug {
        name: "buffer-reuse-unflushed.b",
        about: "The same where ranges are flushed when they are mapped again, on the CPU that maps them alone.",
        source: "seed 000: flush on map instead of on unmap",
        designs: &[("drain", "on-map-local"), ("unmap_flush", "eager")],
        length: 4,
        finds: "rule 4 (kernel range reuse): a CPU holds a translation from before",
        met_by: "vmap",
        ..NONE
    },
    Bug {
        name: "buffer-drain-irqs-off.a",
        about: "Areas are flushed as they are unmapped, but a buffer for DMA was given back since: a drain asked for with \
                interrupts off has something to shoot down, and waits for the answers.",
        source: "seed 000: buffers for DMA are made with interrupts off, and draining aliases there deadlocks",
        designs: &[("irqs_off_drain", "shootdown"), ("unmap_flush", "eager")],
        unless: &[NO_FLUSH[0], NO_FLUSH[1], HYPERCALL],
        length: 3,
        finds: "rule 9 (progress): waits with interrupts off",
        met_by: "drain-aliases",
        ..NONE
    },
    Bug {
        name: "buffer-drain-irqs-off.b",
        about: "The same where the drain flushes the CPU that it runs on, and no other.",
        source: "seed 000: the tempting repair of the deadlock",
        designs: &[("irqs_off_drain", "flush-local"), ("unmap_flush", "eager")],
        unless: &NO_FLUSH,
        length: 3,
        finds: "rule 5 (drain): an alias is left in a TLB",
        met_by: "drain-aliases",
        ..NONE
    },
];

/// What drains, blocks, purges and requests to flush owe each other.
pub(super) const BLOCKS_AND_PURGES: &[Bug] = &[
    Bug {
        name: "vb-full-missed",
        about: "A drain looks for unflushed slots on the lists of blocks with room: a block whose slots were all handed \
                out is on none, and one that was freed in it stays unflushed.",
        source: "Linux commit fc1e0d980037: flush the dirty slots of full vmap blocks too",
        omitted: &[Step::DrainWalksAllBlocks],
        length: 4,
        finds: "rule 5 (drain): an alias is left in a TLB",
        met_by: "drain-aliases",
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
        finds: "rule 5 (drain): an alias is left in a TLB",
        met_by: "drain-aliases",
        ..NONE
    },
    Bug {
        name: "drain-skips-inflight-purge.a",
        about: "A drain that finds another CPU purging does not wait for it: what that one has collected and not flushed \
                yet is still in TLBs when the drain returns.",
        source: "seed 004: a purge for space may give way to another, a drain may not",
        omitted: &[Step::DrainWaitsForPurge],
        length: 4,
        finds: "rule 5 (drain): an alias is left in a TLB",
        met_by: "drain-aliases",
        ..NONE
    },
    Bug {
        name: "drain-skips-inflight-purge.b",
        about: "A purge counts off what it collected before it has flushed it: a drain sees nothing outstanding and \
                returns.",
        source: "seed 004: the drain that costs nothing when nothing is outstanding",
        omitted: &[Step::CountAfterFlush],
        length: 4,
        finds: "rule 5 (drain): an alias is left in a TLB",
        met_by: "drain-aliases",
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
        finds: "rule 5 (drain): an alias is left in a TLB",
        met_by: "drain-aliases",
        ..NONE
    },
];
