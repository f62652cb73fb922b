//! Known bugs of user memory: tables and pages that are freed while a walker in software or in hardware is in them, and flushes that
//! do not reach a CPU.
//!
//! Whether freeing a table is safe is a property of a pair: how tables are freed, and how far a flush reaches.

use impls::Step;

use super::{Bug, NONE};
use crate::story::Backends;

/// Those that flush user addresses on other CPUs by a call of the platform's, or by a request that it carries out later.
const BY_CALL: Backends = Backends::XEN.union(Backends::KVM).union(Backends::HYPERV);

/// Tables that are freed too early.
pub(super) const TABLES: &[Bug] = &[
    Bug {
        name: "gup-table-uaf.a",
        about: "Tables are freed with the pages after the flush, which the hypervisor does without interrupting the guest: the fast path of pinning, with interrupts off, walks on through a table that is free.",
        source: "seed 001; Linux 9e52fc2b50de, RCU table freeing on x86 because of hypercall flushes",
        designs: &[("table_free", "with-pages")],
        unless: &[
            ("flush_reach", "ipi", BY_CALL),
            ("flush_reach", "early-ack", BY_CALL),
            ("walk_guard", "slow-only", Backends::all()),
        ],
        shows_on: BY_CALL,
        witness: corpus!("witnesses/gup-table-uaf.a"),
        ..NONE
    },
    Bug {
        name: "gup-table-uaf.b",
        about: "The machinery for freeing tables after a grace period is configured, and no table ever goes through it.",
        source: "seed 001, its first question; Hyper-V in 2017",
        designs: &[("table_free", "configured-unused")],
        unless: &[
            ("flush_reach", "ipi", BY_CALL),
            ("flush_reach", "early-ack", BY_CALL),
            ("walk_guard", "slow-only", Backends::all()),
        ],
        shows_on: BY_CALL,
        witness: corpus!("witnesses/gup-table-uaf.b"),
        ..NONE
    },
    Bug {
        name: "gup-table-uaf.c",
        about: "Tables are freed with the pages after a flush that is broadcast and interrupts no CPU.",
        source: "seed 001, on the hardware of 2025: INVLPGB",
        designs: &[("table_free", "with-pages"), ("flush_reach", "broadcast")],
        unless: &[("walk_guard", "slow-only", Backends::all())],
        witness: corpus!("witnesses/gup-table-uaf.c"),
        ..NONE
    },
    Bug {
        name: "gup-table-uaf.d",
        about: "The same where the machinery for grace periods is configured and unused.",
        source: "seed 001, its first question, on the hardware of 2025",
        designs: &[("table_free", "configured-unused"), ("flush_reach", "broadcast")],
        unless: &[("walk_guard", "slow-only", Backends::all())],
        witness: corpus!("witnesses/gup-table-uaf.d"),
        ..NONE
    },
    Bug {
        name: "gup-table-uaf.e",
        about: "The hook of the platform still frees tables with the pages on bare metal, whose flush interrupts no CPU any more.",
        source: "seed 001, its second question, on the hardware of 2025; Linux f2c5c2105827 and a37259732a7d took the hook away",
        designs: &[("table_free", "hook"), ("flush_reach", "broadcast")],
        unless: &[("walk_guard", "slow-only", Backends::all())],
        shows_on: Backends::NATIVE,
        witness: corpus!("witnesses/gup-table-uaf.e"),
        ..NONE
    },
    Bug {
        name: "walker-not-awaited.a",
        about: "The kernel frees a table at once after the flush, which it takes to have interrupted every CPU that could walk it.",
        source: "the series to skip redundant sync IPIs, December 2025 to April 2026",
        designs: &[("table_free", "sync-then-free"), ("walker_wait", "implied")],
        unless: &[
            ("flush_reach", "ipi", BY_CALL),
            ("flush_reach", "early-ack", BY_CALL),
            ("walk_guard", "slow-only", Backends::all()),
        ],
        shows_on: BY_CALL,
        witness: corpus!("witnesses/walker-not-awaited.a"),
        ..NONE
    },
    Bug {
        name: "walker-not-awaited.b",
        about: "The kernel frees a table at once after the flush.",
        source: "the series to skip redundant sync IPIs, December 2025 to April 2026",
        designs: &[("table_free", "sync-then-free"), ("walker_wait", "none")],
        unless: &[
            ("flush_reach", "ipi", BY_CALL),
            ("flush_reach", "early-ack", BY_CALL),
            ("walk_guard", "slow-only", Backends::all()),
        ],
        shows_on: BY_CALL,
        witness: corpus!("witnesses/walker-not-awaited.b"),
        ..NONE
    },
    Bug {
        name: "walker-not-awaited.c",
        about: "The same where the flush is broadcast.",
        source: "the series to skip redundant sync IPIs, December 2025 to April 2026",
        designs: &[
            ("table_free", "sync-then-free"),
            ("walker_wait", "implied"),
            ("flush_reach", "broadcast"),
        ],
        unless: &[("walk_guard", "slow-only", Backends::all())],
        witness: corpus!("witnesses/walker-not-awaited.c"),
        ..NONE
    },
    Bug {
        name: "walker-not-awaited.d",
        about: "The same, with no reason given.",
        source: "the series to skip redundant sync IPIs, December 2025 to April 2026",
        designs: &[("table_free", "sync-then-free"), ("walker_wait", "none"), ("flush_reach", "broadcast")],
        unless: &[("walk_guard", "slow-only", Backends::all())],
        witness: corpus!("witnesses/walker-not-awaited.d"),
        ..NONE
    },
    Bug {
        name: "table-freed-at-once.a",
        about: "A table is freed the moment that its upper entry is cleared, before any CPU has forgotten the way to it.",
        source: "Linux db7ddef30128 (2018) and its like",
        designs: &[("table_free", "at-once")],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/table-freed-at-once.a"),
        ..NONE
    },
    Bug {
        name: "table-freed-at-once.b",
        about: "The same, met by the fast path of pinning: under Xen too, where the hypervisor has every CPU forget the table when it is writable again.",
        source: "Linux db7ddef30128 (2018) and its like",
        designs: &[("table_free", "at-once")],
        unless: &[("walk_guard", "slow-only", Backends::all())],
        witness: corpus!("witnesses/table-freed-at-once.b"),
        ..NONE
    },
    Bug {
        name: "table-free-no-psc-flush",
        about: "Tables are handed to a grace period before the flush. That keeps walkers in software away, and not those in hardware.",
        source: "Linux d86564a2f085 (2018)",
        designs: &[("table_free", "rcu-no-invalidate")],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/table-free-no-psc-flush"),
        ..NONE
    },
    Bug {
        name: "table-free-before-flush",
        about: "When the batch of tables is full, they are handed to a grace period before the flush.",
        source: "Linux db7ddef30128, move tlb_table_flush to tlb_flush_mmu_free (2018)",
        omitted: &[Step::InvalidateBeforeFullBatch],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/table-free-before-flush"),
        ..NONE
    },
    Bug {
        name: "early-ack.a",
        about: "A CPU answers a flush before it flushes, and tables are freed with the pages once all have answered: its walk cache still leads to one.",
        source: "early acknowledgement, EuroSys 2020; never merged for tables",
        designs: &[("flush_reach", "early-ack"), ("table_free", "with-pages")],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/early-ack.a"),
        ..NONE
    },
    Bug {
        name: "early-ack.b",
        about: "The same where the machinery for grace periods is configured and unused.",
        source: "early acknowledgement, EuroSys 2020; never merged for tables",
        designs: &[("flush_reach", "early-ack"), ("table_free", "configured-unused")],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/early-ack.b"),
        ..NONE
    },
    Bug {
        name: "early-ack.c",
        about: "The same by the hook of bare metal.",
        source: "early acknowledgement, EuroSys 2020; never merged for tables",
        designs: &[("flush_reach", "early-ack"), ("table_free", "hook")],
        shows_on: Backends::NATIVE,
        witness: corpus!("witnesses/early-ack.c"),
        ..NONE
    },
    Bug {
        name: "early-ack.d",
        about: "The same for a kernel that frees a table at once, since the flush was answered.",
        source: "early acknowledgement, EuroSys 2020; never merged for tables",
        designs: &[
            ("flush_reach", "early-ack"),
            ("table_free", "sync-then-free"),
            ("walker_wait", "implied"),
        ],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/early-ack.d"),
        ..NONE
    },
    Bug {
        name: "early-ack.e",
        about: "The same, with no reason given.",
        source: "early acknowledgement, EuroSys 2020; never merged for tables",
        designs: &[("flush_reach", "early-ack"), ("table_free", "sync-then-free"), ("walker_wait", "none")],
        shows_on: Backends::OWN_TABLES,
        witness: corpus!("witnesses/early-ack.e"),
        ..NONE
    },
];

/// Walks without a lock that nothing holds up.
pub(super) const WALKS: &[Bug] = &[
    Bug {
        name: "walk-unguarded",
        about: "The fast path of pinning walks with interrupts on, and as no reader: nothing keeps a table that it is in.",
        source: "seed 001: what interrupts off are for",
        designs: &[("walk_guard", "none")],
        witness: corpus!("witnesses/walk-unguarded"),
        ..NONE
    },
    Bug {
        name: "walk-by-rcu.a",
        about: "The fast path of pinning is a reader with interrupts on, which keeps away a grace period and not a flush by interrupts; and tables are freed after that.",
        source: "a maintainer's word of July 2026 that plain read sections suffice, and since when",
        designs: &[("walk_guard", "rcu-read"), ("table_free", "with-pages")],
        witness: corpus!("witnesses/walk-by-rcu.a"),
        ..NONE
    },
    Bug {
        name: "walk-by-rcu.b",
        about: "The same where the machinery for grace periods is configured and unused.",
        source: "a maintainer's word of July 2026 that plain read sections suffice, and since when",
        designs: &[("walk_guard", "rcu-read"), ("table_free", "configured-unused")],
        witness: corpus!("witnesses/walk-by-rcu.b"),
        ..NONE
    },
    Bug {
        name: "walk-by-rcu.c",
        about: "The same by the hook of bare metal.",
        source: "a maintainer's word of July 2026 that plain read sections suffice, and since when",
        designs: &[("walk_guard", "rcu-read"), ("table_free", "hook")],
        shows_on: Backends::NATIVE,
        witness: corpus!("witnesses/walk-by-rcu.c"),
        ..NONE
    },
    Bug {
        name: "walk-by-rcu.d",
        about: "The same for a kernel that interrupts every CPU before it frees a table: the walker answers in the middle of its walk.",
        source: "a maintainer's word of July 2026 that plain read sections suffice, and since when",
        designs: &[("walk_guard", "rcu-read"), ("table_free", "sync-then-free"), ("walker_wait", "sync-ipi")],
        witness: corpus!("witnesses/walk-by-rcu.d"),
        ..NONE
    },
    Bug {
        name: "walk-by-rcu.e",
        about: "The same for one that takes the flush to have done so.",
        source: "a maintainer's word of July 2026 that plain read sections suffice, and since when",
        designs: &[("walk_guard", "rcu-read"), ("table_free", "sync-then-free"), ("walker_wait", "implied")],
        witness: corpus!("witnesses/walk-by-rcu.e"),
        ..NONE
    },
    Bug {
        name: "walk-by-rcu.f",
        about: "The same, with no reason given.",
        source: "a maintainer's word of July 2026 that plain read sections suffice, and since when",
        designs: &[("walk_guard", "rcu-read"), ("table_free", "sync-then-free"), ("walker_wait", "none")],
        witness: corpus!("witnesses/walk-by-rcu.f"),
        ..NONE
    },
    Bug {
        name: "gup-leaf-no-recheck.a",
        about: "The fast path of pinning takes a reference to the page that it found, whatever has become of it.",
        source: "a stable patch of 2019 for old x86, reproduced in production on Xen",
        designs: &[("gup_reference", "plain")],
        unless: &[
            ("flush_reach", "ipi", BY_CALL),
            ("flush_reach", "early-ack", BY_CALL),
            ("walk_guard", "slow-only", Backends::all()),
        ],
        shows_on: BY_CALL,
        witness: corpus!("witnesses/gup-leaf-no-recheck.a"),
        ..NONE
    },
    Bug {
        name: "gup-leaf-no-recheck.b",
        about: "It takes one if there is any, and does not look at the entry again: the page may be another's by now.",
        source: "a stable patch of 2019 for old x86, reproduced in production on Xen",
        designs: &[("gup_reference", "not-zero")],
        unless: &[
            ("flush_reach", "ipi", BY_CALL),
            ("flush_reach", "early-ack", BY_CALL),
            ("walk_guard", "slow-only", Backends::all()),
        ],
        shows_on: BY_CALL,
        witness: corpus!("witnesses/gup-leaf-no-recheck.b"),
        ..NONE
    },
    Bug {
        name: "gup-leaf-no-recheck.c",
        about: "The same where the flush is broadcast.",
        source: "a stable patch of 2019 for old x86, reproduced in production on Xen",
        designs: &[("gup_reference", "plain"), ("flush_reach", "broadcast")],
        unless: &[("walk_guard", "slow-only", Backends::all())],
        witness: corpus!("witnesses/gup-leaf-no-recheck.c"),
        ..NONE
    },
    Bug {
        name: "gup-leaf-no-recheck.d",
        about: "The same where the flush is broadcast.",
        source: "a stable patch of 2019 for old x86, reproduced in production on Xen",
        designs: &[("gup_reference", "not-zero"), ("flush_reach", "broadcast")],
        unless: &[("walk_guard", "slow-only", Backends::all())],
        witness: corpus!("witnesses/gup-leaf-no-recheck.d"),
        ..NONE
    },
    Bug {
        name: "gup-leaf-no-recheck.e",
        about: "The same for a walk with interrupts on, which a flush by interrupts does not wait for.",
        source: "a stable patch of 2019 for old x86, reproduced in production on Xen",
        designs: &[("gup_reference", "plain"), ("walk_guard", "rcu-read")],
        witness: corpus!("witnesses/gup-leaf-no-recheck.e"),
        ..NONE
    },
    Bug {
        name: "gup-leaf-no-recheck.f",
        about: "The same for a walk with interrupts on.",
        source: "a stable patch of 2019 for old x86, reproduced in production on Xen",
        designs: &[("gup_reference", "not-zero"), ("walk_guard", "rcu-read")],
        witness: corpus!("witnesses/gup-leaf-no-recheck.f"),
        ..NONE
    },
    Bug {
        name: "gup-upper-no-recheck.a",
        about: "The fast path of pinning looks at the leaf again and not at the entry above it: the table that it is in may have moved with its entries to another address.",
        source: "Linux 70cbc3cc78a9 (2022), there for a table that is collapsed; move_normal_pmd moves one",
        designs: &[("gup_reference", "recheck-leaf")],
        unless: &[
            ("move_tables", "entries", Backends::all()),
            ("flush_reach", "ipi", BY_CALL),
            ("flush_reach", "early-ack", BY_CALL),
            ("walk_guard", "slow-only", Backends::all()),
        ],
        shows_on: BY_CALL,
        witness: corpus!("witnesses/gup-upper-no-recheck.a"),
        ..NONE
    },
    Bug {
        name: "gup-upper-no-recheck.b",
        about: "The same where the flush is broadcast.",
        source: "Linux 70cbc3cc78a9 (2022), on the hardware of 2025",
        designs: &[("gup_reference", "recheck-leaf"), ("flush_reach", "broadcast")],
        unless: &[("move_tables", "entries", Backends::all()), ("walk_guard", "slow-only", Backends::all())],
        witness: corpus!("witnesses/gup-upper-no-recheck.b"),
        ..NONE
    },
    Bug {
        name: "gup-upper-no-recheck.c",
        about: "The same for a walk with interrupts on.",
        source: "Linux 70cbc3cc78a9 (2022), and a maintainer's word of July 2026 that plain read sections suffice",
        designs: &[("gup_reference", "recheck-leaf"), ("walk_guard", "rcu-read")],
        unless: &[("move_tables", "entries", Backends::all())],
        witness: corpus!("witnesses/gup-upper-no-recheck.c"),
        ..NONE
    },
    Bug {
        name: "dirty-cow",
        about: "A page that may only be read is pinned to be written by force. After the fault that copied it the kernel looks for it as if to read: the copy may be gone by then, and the object's own page is pinned and written.",
        source: "Linux 19be0eaffa3a, CVE-2016-5195",
        omitted: &[Step::RetryKeepsWriteIntent],
        witness: corpus!("witnesses/dirty-cow"),
        ..NONE
    },
    Bug {
        name: "late-flush-after-unlock",
        about: "Entries move to other addresses, and the old ones are flushed after the locks of the tables are let go of: reclaim finds a page by its new address and frees it, while a CPU still writes to it by the old one.",
        source: "Linux eb66ae030829, CVE-2018-18281",
        omitted: &[Step::FlushBeforeUnlock],
        witness: corpus!("witnesses/late-flush-after-unlock"),
        ..NONE
    },
    Bug {
        name: "table-moves-under-rmap",
        about: "A table moves to other addresses while reclaim, which found it by the reverse map, clears an entry of it: reclaim flushes the old address, and CPUs have the page by the new one.",
        source: "Linux 97113eb39fa7 (2021)",
        omitted: &[Step::HoldRmapLocks],
        witness: corpus!("witnesses/table-moves-under-rmap"),
        ..NONE
    },
    Bug {
        name: "fault-reads-freed-table",
        about: "A CPU that takes a fault reads an entry without the lock of its table, and as no reader: the table is empty, and freed under it.",
        source: "the rework of pte_offset_map, Linux 6.5 (2023)",
        omitted: &[Step::ReadEntryUnderRcu],
        witness: corpus!("witnesses/fault-reads-freed-table"),
        ..NONE
    },
    Bug {
        name: "fault-locks-freed-table",
        about: "A CPU that takes a fault locks the table that it found, and does not look whether it is one still.",
        source: "the rework of pte_offset_map_lock, Linux 6.5 (2023)",
        omitted: &[Step::RecheckUpperAfterLock],
        witness: corpus!("witnesses/fault-locks-freed-table"),
        ..NONE
    },
];

/// Flushes that a CPU never carries out.
pub(super) const FLUSHES: &[Bug] = &[
    Bug {
        name: "preempted-flag-copyback",
        about: "The host gives a CPU back by a copy of what it shares with the guest: a request to flush that the guest leaves meanwhile is overwritten, and the CPU runs without a flush.",
        source: "Linux b043138246a4, CVE-2019-3016",
        omitted: &[Step::ExchangeStatus],
        shows_on: Backends::KVM,
        witness: corpus!("witnesses/preempted-flag-copyback"),
        ..NONE
    },
    Bug {
        name: "broadcast-overtakes-stores",
        about: "A CPU broadcasts a flush before the entries that it is about are visible: another one walks again, and remembers what is cleared.",
        source: "Linux d80bf8d8ac06 and its kin (2025): the fence before INVLPGB",
        designs: &[("flush_reach", "broadcast")],
        omitted: &[Step::FenceBeforeUserFlush],
        shows_on: Backends::NATIVE,
        witness: corpus!("witnesses/broadcast-overtakes-stores"),
        ..NONE
    },
];
