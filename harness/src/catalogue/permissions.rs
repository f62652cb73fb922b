//! Known bugs about permissions of areas that own their pages, and of their direct map.

use impls::Step;

use super::{Bug, Legal, NONE};

/// All of them.
pub(super) const ROWS: &[Bug] = &[
    Bug {
        name: "vfree-dmap-flush.b",
        about: "The kernel frees memory that was executable and makes its direct map writable again before the \
                flush, while another CPU can still execute it.",
        source: "derived from the order of Linux commit 868b104d7379: invalid, one flush, then the default",
        omitted: &[Step::DefaultAfterFlush],
        witness: corpus!("witnesses/vfree-dmap-flush.b"),
        ..NONE
    },
    Bug {
        name: "vfree-dmap-flush.d",
        about: "The kernel flushes the direct map of the pages whose permissions change as one range from the first \
                page on, but the pages need not be neighbours: another CPU can still write the others.",
        source: "derived from Linux commit 868b104d7379, which flushes the direct map of every page",
        omitted: &[Step::FlushEveryDirectAlias],
        witness: corpus!("witnesses/vfree-dmap-flush.d"),
        ..NONE
    },
    Bug {
        name: "set-memory-direct-map",
        about: "The kernel restricts the permissions of an area, and the direct map of its pages keeps its own: \
                every CPU can write them that way.",
        source: "why a kernel changes the direct map of pages together with their area",
        omitted: &[Step::ProtectDirectMap],
        witness: corpus!("witnesses/set-memory-direct-map"),
        ..NONE
    },
    Bug {
        name: "set-memory-unflushed",
        about: "The kernel restricts the permissions of an area and of the direct map of its pages in the tables \
                without a flush: another CPU goes on by those that it has cached.",
        source: "why a kernel flushes a change before it relies on it",
        omitted: &[Step::FlushAfterProtect],
        witness: corpus!("witnesses/set-memory-unflushed"),
        ..NONE
    },
    Bug {
        name: "vfree-unflushed",
        about: "The kernel unmaps memory that was executable and makes its direct map writable again, without any \
                flush: one CPU can still execute what another writes.",
        source: "derived from the order of Linux commit 868b104d7379: invalid, one flush, then the default",
        omitted: &[Step::FlushAtReset],
        witness: corpus!("witnesses/vfree-unflushed"),
        ..NONE
    },
    Bug {
        name: "protect-lazy-alias",
        about: "The kernel restricts permissions without draining aliases first. The area that had the page before \
                was freed lazily, and another CPU can still write through it.",
        source: "derived from seed 004: XEN and PAT and such do not like deferred TLB flushing",
        omitted: &[Step::DrainBeforeProtect],
        witness: corpus!("witnesses/protect-lazy-alias"),
        ..NONE
    },
];

/// The letters that `vfree-dmap-flush` has no bug for.
pub(super) const LEGAL: &[Legal] = &[
    Legal {
        name: "vfree-dmap-flush.a",
        about: "The kernel frees memory that was read-only and makes its direct map writable again without a flush: \
                CPUs still hold it as read-only.",
        why: "A translation with fewer permissions than the tables give grants nothing that it should not. A write \
              through it walks again or faults once for nothing, and then the kernel tries again.",
        source: "Linux commit 8e41f8726dcf; Intel SDM volume 3A, 4.10.4.3: an invalidation is optional where permissions are widened",
    },
    Legal {
        name: "vfree-dmap-flush.c",
        about: "The same with a flush of an empty range, because another purge has taken the area meanwhile.",
        why: "What remains is the read-only translation of `.a`. Where the area could be executed, the order of \
              flush and default matters, and that is `.b`.",
        source: "Linux commit 31e67340cc65; Intel SDM volume 3A, 4.10.4.3",
    },
];
