//! Known bugs of memory that devices reach, and of frames that go to other domains.

use impls::Step;

use super::drains::EAGER;
use super::{Bug, NONE};
use crate::story::Backends;

/// Frames that go elsewhere: exchanged beneath a buffer, or given away.
pub(super) const EXCHANGES: &[Bug] = &[
    Bug {
        name: "exchange-alias.a",
        about: "vunmap leaves the entries to the purge, and the kernel does not clear them before it exchanges the \
                frames beneath a buffer for DMA: the hypervisor takes no frame that something still refers to.",
        source: "seed 000: no other aliases of the old pages before they are released to Xen",
        designs: &[("pte_clear", "at-purge"), ("dma_drain", "never")],
        unless: &[EAGER],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/exchange-alias.a"),
        ..NONE
    },
    Bug {
        name: "exchange-alias.b",
        about: "The hypervisor ends an exchange before it has exchanged all frames, and the guest takes the whole \
                list for frames that it was given. The rest of the list does not say that.",
        source: "seed 000: the physical pages beneath pseudo-physical memory are replaced; derived from the number that \
                 an exchange returns",
        omitted: &[Step::RestoreRemainder],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/exchange-alias.b"),
        effects: &[
            corpus!("effects/exchange-alias.b/out-of-reach"),
            corpus!("effects/exchange-alias.b/walk-of-freed"),
        ],
        ..NONE
    },
    Bug {
        name: "exchange-alias.c",
        about: "The entries of a buffer lead to its new frames, but the last update flushes nothing: another CPU \
                goes on writing to the old frames.",
        source: "seed 000: the old mappings are replaced by new ones",
        omitted: &[Step::FlushAfterExchange],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/exchange-alias.c"),
        ..NONE
    },
    Bug {
        name: "given-away-unflushed",
        about: "The hypervisor gives a frame to another domain while a CPU of the guest remembers it: the guest \
                clears its entries, and flushes when it likes.",
        source: "seed 000: Xen flushes stale entries before it gives pages out to any other domain",
        omitted: &[Step::FlushBeforeGivingAway],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/given-away-unflushed"),
        ..NONE
    },
];

/// What a device is told of a buffer, and what becomes of its frames.
pub(super) const SEGMENTS: &[Bug] = &[
    Bug {
        name: "dma-not-contiguous",
        about: "Each page of a buffer is looked at for itself: all lie where the device reaches, and a segment of them has frames \
                that do not follow each other. The device reads and writes those of other owners.",
        source: "derived from what coherent memory for devices promises (seed 000)",
        omitted: &[Step::BufferIsContiguous],
        witness: corpus!("witnesses/dma-not-contiguous"),
        ..NONE
    },
    Bug {
        name: "freed-as-region",
        about: "A buffer gives its frames back as one region, from its first frame on. Its segments follow each other only by \
                luck. Where they do not, the kernel offers frames of other pages to the hypervisor, and a frame that comes back is \
                that of two pages.",
        source: "Linux commit 50f6393f9654: a region that is not contiguous is destroyed as one when a coherent buffer is \
                 freed under Xen, and several pages have one machine frame",
        omitted: &[Step::GiveBackEachFrame],
        shows_on: Backends::XEN,
        witness: corpus!("witnesses/freed-as-region"),
        effects: &[
            corpus!("effects/freed-as-region/fault"),
            corpus!("effects/freed-as-region/refused"),
            corpus!("effects/freed-as-region/walk-of-freed"),
        ],
        ..NONE
    },
];
