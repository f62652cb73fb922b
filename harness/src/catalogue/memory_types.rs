//! Known bugs about pages with two memory types at once.

use impls::Step;

use super::{Bug, NONE};

/// All of them.
pub(super) const ROWS: &[Bug] = &[
    Bug {
        name: "pat-alias-undrained",
        about: "The kernel changes the memory type of an area without draining aliases first. The area that had the \
                page before was freed lazily, and another CPU still has the page under the old type.",
        source: "seed 004: XEN and PAT and such do not like deferred TLB flushing",
        omitted: &[Step::DrainBeforeRetype],
        witness: corpus!("witnesses/pat-alias-undrained"),
        ..NONE
    },
    Bug {
        name: "pat-alias-direct-map",
        about: "The kernel changes the memory type of an area, and leaves the direct map of its pages with the usual \
                one.",
        source: "derived from seed 004: a page has aliases, and PAT wants them of one type",
        omitted: &[Step::RetypeDirectMap],
        witness: corpus!("witnesses/pat-alias-direct-map"),
        ..NONE
    },
    Bug {
        name: "pat-alias-unflushed.a",
        about: "The kernel changes the memory type of an area in the tables without a flush: another CPU goes on \
                with the usual one.",
        source: "derived from seed 004 and Intel SDM volume 3A, section 11.12.4",
        omitted: &[Step::FlushAfterRetype],
        witness: corpus!("witnesses/pat-alias-unflushed.a"),
        ..NONE
    },
    Bug {
        name: "pat-alias-unflushed.b",
        about: "The kernel sets the memory type of an area back to the usual one in the tables without a flush: \
                another CPU goes on with the other.",
        source: "derived from seed 004 and Intel SDM volume 3A, section 11.12.4",
        omitted: &[Step::FlushAfterTypeReturns],
        witness: corpus!("witnesses/pat-alias-unflushed.b"),
        ..NONE
    },
    Bug {
        name: "pat-alias-freed",
        about: "The kernel frees memory without taking back its memory type: the next owner maps it with the usual \
                type, and the direct map still has the other.",
        source: "derived from seed 004: a page has aliases, and PAT wants them of one type",
        omitted: &[Step::ResetTypeAtFree],
        witness: corpus!("witnesses/pat-alias-freed"),
        ..NONE
    },
    Bug {
        name: "pat-alias-refilled",
        about: "The kernel frees memory with a memory type of its own, and the direct map keeps its entry while \
                every CPU flushes: a walker caches the other type after that.",
        source: "derived from seed 004: a page has aliases, and PAT wants them of one type",
        omitted: &[Step::NoEntryWhileFlushed],
        witness: corpus!("witnesses/pat-alias-refilled"),
        ..NONE
    },
];
