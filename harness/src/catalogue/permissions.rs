//! Known bugs about permissions of areas that own their pages, and of their direct map.

use impls::Step;

use super::{Bug, Legal, NONE};

/// All of them.
pub(super) const ROWS: &[Bug] = &[
    Bug {
        name: "vfree-dmap-flush.b",
        about: "Memory that was executable is freed: its direct map is made writable again before the flush, while another \
                CPU can still execute it.",
        source: "derived from the order of Linux commit 868b104d7379: invalid, one flush, then the default",
        omitted: &[Step::DefaultAfterFlush],
        length: 4,
        finds: "rule 12 (permissions and memory types): a page can be written and executed",
        met_by: "drain-aliases",
        ..NONE
    },
    Bug {
        name: "vfree-dmap-flush.d",
        about: "The direct map of the pages whose permissions change is flushed as one range from the first of them on, \
                though they need not be neighbours: another CPU can still write the others.",
        source: "derived from Linux commit 868b104d7379, which flushes the direct map of every page",
        omitted: &[Step::FlushEveryDirectAlias],
        length: 2,
        finds: "rule 12 (permissions and memory types): a page that was made read-only can be written",
        met_by: "set-memory-ro",
        ..NONE
    },
    Bug {
        name: "set-memory-direct-map",
        about: "The permissions of an area are restricted, and the direct map of its pages keeps what it had: everybody can \
                write them that way.",
        source: "why a kernel changes the direct map of pages together with their area",
        omitted: &[Step::ProtectDirectMap],
        length: 2,
        finds: "rule 12 (permissions and memory types): a page that was made read-only can be written",
        met_by: "set-memory-ro",
        ..NONE
    },
    Bug {
        name: "set-memory-unflushed",
        about: "The permissions of an area and of the direct map of its pages are restricted in the tables, and nobody \
                flushes: another CPU goes on by those that it has cached.",
        source: "why a kernel flushes what it has changed before it relies on the change",
        omitted: &[Step::FlushAfterProtect],
        length: 2,
        finds: "rule 12 (permissions and memory types): a page that was made read-only can be written",
        met_by: "set-memory-ro",
        ..NONE
    },
    Bug {
        name: "vfree-unflushed",
        about: "Memory that was executable is unmapped, and its direct map made writable again, without any flush: \
                another CPU can still execute what somebody else writes.",
        source: "derived from the order of Linux commit 868b104d7379: invalid, one flush, then the default",
        omitted: &[Step::FlushAtReset],
        length: 3,
        finds: "rule 12 (permissions and memory types): a page can be written and executed",
        met_by: "vfree",
        ..NONE
    },
    Bug {
        name: "protect-lazy-alias",
        about: "Permissions are restricted without draining aliases first: the area that had the page before was freed \
                lazily, and another CPU can still write through it.",
        source: "derived from seed 004: XEN and PAT and such do not like deferred TLB flushing",
        omitted: &[Step::DrainBeforeProtect],
        length: 4,
        finds: "rule 12 (permissions and memory types): a page that was made read-only can be written",
        met_by: "set-memory-ro",
        ..NONE
    },
];

/// What is missing among the letters of `vfree-dmap-flush`.
pub(super) const LEGAL: &[Legal] = &[
    Legal {
        name: "vfree-dmap-flush.a",
        about: "Memory that was read-only is freed, and its direct map made writable again without a flush: CPUs still hold it \
                as read-only.",
        why: "A translation with fewer permissions than the tables give grants nothing that it should not. A write by it walks \
              again or faults once for nothing, after which the kernel tries again.",
        source: "Linux commit 8e41f8726dcf; Intel SDM volume 3A, 4.10.4.3: an invalidation is optional where permissions are widened",
    },
    Legal {
        name: "vfree-dmap-flush.c",
        about: "The same with a flush of an empty range, as another purge has taken the area on the way.",
        why: "What is left is the read-only translation of `.a`. Where the area could be executed the order of flush and default \
              matters, and that is `.b`.",
        source: "Linux commit 31e67340cc65; Intel SDM volume 3A, 4.10.4.3",
    },
];
