//! Known bugs about pages with two memory types at once.

use impls::Step;

use super::{Bug, NONE};

/// All of them.
pub(super) const ROWS: &[Bug] = &[
    Bug {
        name: "pat-alias-undrained",
        about: "The memory type of an area is changed without draining aliases first: the area that had the page before was \
                freed lazily, and another CPU still has it under the old type.",
        source: "seed 004: XEN and PAT and such do not like deferred TLB flushing",
        omitted: &[Step::DrainBeforeRetype],
        length: 4,
        finds: "rule 12 (permissions and memory types): a page has two memory types",
        met_by: "set-memory-wc",
        ..NONE
    },
    Bug {
        name: "pat-alias-direct-map",
        about: "The memory type of an area is changed, and the direct map of its pages keeps the usual one.",
        source: "derived from seed 004: a page has aliases, and PAT wants them of one type",
        omitted: &[Step::RetypeDirectMap],
        length: 2,
        finds: "rule 12 (permissions and memory types): a page has two memory types",
        met_by: "set-memory-wc",
        ..NONE
    },
    Bug {
        name: "pat-alias-unflushed.a",
        about: "The memory type of an area is changed in the tables, and nobody flushes: another CPU goes on with the usual one.",
        source: "derived from seed 004 and Intel SDM volume 3A, section 11.12.4",
        omitted: &[Step::FlushAfterRetype],
        length: 2,
        finds: "rule 12 (permissions and memory types): a page has two memory types",
        met_by: "set-memory-wc",
        ..NONE
    },
    Bug {
        name: "pat-alias-unflushed.b",
        about: "The memory type of an area goes back to the usual one in the tables, and nobody flushes: another CPU goes on with \
                the other.",
        source: "derived from seed 004 and Intel SDM volume 3A, section 11.12.4",
        omitted: &[Step::FlushAfterTypeReturns],
        length: 3,
        finds: "rule 12 (permissions and memory types): a page has two memory types",
        met_by: "set-memory-wb",
        ..NONE
    },
    Bug {
        name: "pat-alias-freed",
        about: "Memory is freed with the memory type that it was given: its next owner maps it with the usual one, and the direct \
                map still has the other.",
        source: "derived from seed 004: a page has aliases, and PAT wants them of one type",
        omitted: &[Step::ResetTypeAtFree],
        length: 4,
        finds: "rule 12 (permissions and memory types): a page has two memory types",
        met_by: "vmalloc",
        ..NONE
    },
    Bug {
        name: "pat-alias-refilled",
        about: "Memory is freed with the memory type that it was given, and the direct map keeps its entry while everybody \
                flushes: a walker caches the other type after that.",
        source: "derived from seed 004: a page has aliases, and PAT wants them of one type",
        omitted: &[Step::NoEntryWhileFlushed],
        length: 3,
        finds: "rule 12 (permissions and memory types): a page has two memory types",
        met_by: "vfree",
        ..NONE
    },
];
