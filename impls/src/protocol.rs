//! Designs and defects as data.
//!
//! A *design point* is a place where the seeds argue over how it should be done: an enum, every proposal a variant,
//! the default the best known correct choice. A *safety step* is something that is done only for safety, marked where
//! it stands, so that it can be left out by name: `if protocol.does(Step::FenceBeforeIpi) { .. }`. A known bug is
//! then a row of data, and every step can be proved needed by a story that fails without it.

mod steps;

pub use steps::Step;

use std::cell::Cell;

/// A design point and its variants, for `shootdown designs`.
#[derive(Clone, Copy, Debug)]
pub struct DesignPoint {
    /// The name of the point.
    pub name: &'static str,
    /// What is decided.
    pub about: &'static str,
    /// The seed that argues over it.
    pub seed: &'static str,
    /// The names of the variants and what each means; the first is the default.
    pub variants: &'static [(&'static str, &'static str)],
}

macro_rules! designs {
    ($(
        $(#[doc = $about:literal])+
        $field:ident: $type:ident from $seed:literal {
            $($(#[doc = $meaning:literal])+ $variant:ident = $text:literal,)+
        }
    )+) => {
        $(
            $(#[doc = $about])+
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
            pub enum $type {
                $($(#[doc = $meaning])+ $variant,)+
            }

            impl $type {
                /// Every variant, the default first.
                pub const ALL: &[Self] = &[$(Self::$variant),+];
            }

            impl Default for $type {
                fn default() -> Self {
                    Self::ALL[0]
                }
            }
        )+

        /// The design chosen at every point.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct Designs {
            $($(#[doc = $about])+ pub $field: $type,)+
        }

        impl Designs {
            /// Every point and variant.
            pub const POINTS: &[DesignPoint] = &[$(DesignPoint {
                name: stringify!($field),
                about: concat!($($about),+),
                seed: $seed,
                variants: &[$(($text, concat!($($meaning),+))),+],
            }),+];

            /// Chooses a variant by name. The error names what is known instead.
            pub fn choose(&mut self, point: &str, variant: &str) -> Result<(), UnknownDesign> {
                match point {
                    $(stringify!($field) => match variant {
                        $($text => self.$field = $type::$variant,)+
                        _ => return Err(UnknownDesign::variant(point, variant)),
                    },)+
                    _ => return Err(UnknownDesign::point(point)),
                }
                Ok(())
            }

            /// The choices that differ from the default, by name, in the order of [`Self::POINTS`].
            pub fn changed(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
                let choices = [$((
                    stringify!($field),
                    match self.$field { $($type::$variant => $text,)+ },
                    self.$field != $type::default(),
                ),)+];
                choices.into_iter().filter_map(|(point, text, changed)| changed.then_some((point, text)))
            }
        }
    };
}

designs! {
    /// When the entries of an unmapped area are cleared.
    pte_clear: PteClear from "000, 004" {
        /// At once, in vunmap; only the flush is put off.
        AtVunmap = "at-vunmap",
        /// When the area is purged, as in the first version of the rewrite.
        AtPurge = "at-purge",
    }
    /// What a drain of aliases does about the TLB, and when a range may be used again.
    drain: Drain from "000" {
        /// Flush everywhere, then give the ranges back.
        Flush = "flush",
        /// Clear the entries only; the ranges stay reserved until a later flush.
        TablesOnly = "tables-only",
        /// Clear the entries and give the ranges back with no flush: the caller asked for none.
        Inhibit = "inhibit",
        /// No flush when a range is freed; the CPU that maps it again flushes it, on itself.
        OnMapLocal = "on-map-local",
        /// No flush when a range is freed; whoever maps it again flushes it everywhere.
        OnMapEverywhere = "on-map-everywhere",
    }
    /// What a drain does when its caller has interrupts off.
    irqs_off_drain: IrqsOffDrain from "000" {
        /// It answers that it would have to sleep.
        WouldSleep = "would-sleep",
        /// It shoots down as ever, and waits for the answers.
        Shootdown = "shootdown",
        /// It flushes the CPU that it runs on.
        FlushLocal = "flush-local",
        /// It clears the entries and flushes nothing; the ranges stay reserved until a later flush.
        TablesOnly = "tables-only",
    }
    /// When aliases are drained before a page becomes a page table (under Xen).
    table_drain: TableDrain from "004" {
        /// Always, before each page becomes a table, at once.
        Always = "always",
        /// Only for a page that the kernel maps on demand (above the direct map).
        HighOnly = "high-only",
        /// Never.
        Never = "never",
        /// Once at the first pin: for the tables of a process under construction together, just before the one call that
        /// pins them. On a live process at once, as ever.
        FirstPin = "first-pin",
        /// If the alias bit in the page's flags is set. The vmap layer sets it on every page that it maps; it is cleared
        /// only here, after a drain.
        PageFlag = "page-flag",
        /// If a side table says that the page has aliases: a word of its own for each page, in which the vmap layer
        /// counts them.
        SideTable = "side-table",
        /// The same, switched on at run time (track-aliases), when aliases may exist already that nobody counted. While
        /// it is off, always.
        SideTableOnRequest = "side-table-on-request",
        /// Never for a page of a cache of table pages known to have no alias (a quicklist). It is filled several pages at
        /// a time by one drain for all, and with the tables that come back.
        CleanCache = "clean-cache",
        /// Not beforehand: the hypervisor refuses by the writable references that it counts, and the kernel drains then
        /// and asks again.
        FixUp = "fix-up",
    }
    /// How the flags word of a page is changed by the page's owner.
    page_flags: PageFlags from "004" {
        /// With locked operations everywhere.
        Atomic = "atomic",
        /// By a load and a store, as owners do who hold the page for themselves.
        Plain = "plain",
    }
    /// Whether an unmapped range is flushed at once, as before the rewrite, or with many others later.
    unmap_flush: UnmapFlush from "004" {
        /// Later: the range goes onto the lazy list, and small mappings take slots of per-CPU blocks.
        Lazy = "lazy",
        /// At once: vunmap clears the entries, flushes everywhere and gives the range back. There are no blocks.
        Eager = "eager",
    }
    /// How a flush of kernel addresses reaches the other CPUs under Xen.
    kernel_flush: KernelFlush from "000" {
        /// By interrupts from the guest, each CPU flushing itself by hypercall.
        Interrupts = "interrupts",
        /// By one hypercall; the hypervisor interrupts the CPUs.
        Hypercall = "hypercall",
    }
    /// How entries that were added to the upper levels of the kernel's tables get into the copies of them that each address
    /// space has.
    kernel_sync: KernelSync from "004" {
        /// Each address space has them before an address behind them is handed out.
        Eager = "eager",
        /// When an access through an address space faults for lack of one, it is copied and the access tried again
        /// (`vmalloc_fault`). Removals are no different: nobody faults on an entry that is too many.
        OnFault = "on-fault",
    }
    /// What is done about aliases before the frames beneath a buffer for DMA are exchanged (under Xen).
    dma_drain: DmaDrain from "000" {
        /// Their entries are cleared, and nothing is flushed: the hypervisor does that. Works with interrupts off.
        TablesOnly = "tables-only",
        /// A drain like any other: with interrupts off it does what the design for that says.
        Flush = "flush",
        /// Nothing.
        Never = "never",
    }
    /// What becomes of a lowest-level table of the kernel's when the last area that used it is purged.
    kernel_tables: KernelTables from "004" {
        /// It is freed, in the flush of that purge; but one of the reserve stays, the lowest addresses, to which the kernel
        /// comes back after each purge. Only real sizes have a reserve.
        Freed = "freed",
        /// It stays for the next area there.
        Kept = "kept",
        /// It is freed, in the flush of that purge, wherever it is.
        FreedAtOnce = "freed-at-once",
    }
    /// How a large page is mapped where a table stands that no area uses any more.
    huge_over_table: HugeOverTable from "004" {
        /// The entry that leads to the table is cleared, every CPU flushes, the table is freed, the large entry is set.
        Replace = "replace",
        /// It is not: small pages are mapped elsewhere instead.
        SmallPages = "small-pages",
    }
    /// How a page table of an address space is freed that no entry leads to any more.
    table_free: TableFree from "001" {
        /// With others in a batch, after a flush and a grace period: on every platform, as today.
        RcuBatch = "rcu-batch",
        /// With the pages, after the flush: as native did before 2017.
        WithPages = "with-pages",
        /// As a hook of the platform chooses: with the pages where a flush interrupts, after a grace period where it does not.
        Hook = "hook",
        /// With the pages, although the machinery for grace periods is there.
        ConfiguredUnused = "configured-unused",
        /// Each by itself, after a flush and a grace period.
        OneDeferred = "one-deferred",
        /// At once after a flush and a wait for walkers (`walker_wait`).
        SyncThenFree = "sync-then-free",
        /// After a grace period, which begins before the flush.
        RcuNoInvalidate = "rcu-no-invalidate",
        /// At once, before any flush.
        AtOnce = "at-once",
    }
    /// How a kernel that frees tables at once waits until no walker is in them.
    walker_wait: WalkerWait from "001" {
        /// For a grace period.
        SyncRcu = "sync-rcu",
        /// By interrupting every other CPU.
        SyncIpi = "sync-ipi",
        /// Not at all: the flush has interrupted every CPU that could walk.
        Implied = "implied",
        /// Not at all.
        None = "none",
    }
    /// How a flush of user addresses reaches the other CPUs.
    flush_reach: FlushReach from "001" {
        /// In the way of the platform: by interrupts on native, by one hypercall under Xen.
        Platform = "platform",
        /// By interrupts of the kernel's own.
        Ipi = "ipi",
        /// By invalidations that the CPU broadcasts (INVLPGB, TLBSYNC). No CPU is interrupted.
        Broadcast = "broadcast",
        /// By interrupts, which a CPU answers before it flushes.
        EarlyAck = "early-ack",
    }
    /// How the fast path of pinning makes sure of the page that it found.
    gup_reference: GupReference from "001" {
        /// It takes a reference if there is one, and looks whether the leaf and the upper entry are as they were.
        RecheckUpper = "recheck-upper",
        /// It takes a reference if there is one, and looks whether the leaf is as it was.
        RecheckLeaf = "recheck-leaf",
        /// It takes a reference if there is one.
        NotZero = "not-zero",
        /// It takes a reference.
        Plain = "plain",
    }
    /// How mappings move to other addresses.
    move_tables: MoveTables from "001" {
        /// A lowest-level table that maps nothing else moves as a whole.
        Tables = "tables",
        /// Entry by entry.
        Entries = "entries",
    }
    /// What keeps tables while the fast path of pinning walks them.
    walk_guard: WalkGuard from "001" {
        /// Interrupts are off.
        IrqsOff = "irqs-off",
        /// It is a read-side section, with interrupts on.
        RcuRead = "rcu-read",
        /// There is no fast path: each page is got under the locks.
        SlowOnly = "slow-only",
        /// Nothing.
        None = "none",
    }
}

impl Designs {
    /// Whether every purge takes back the tables that are no longer in use. The purge needs a flush for them, and that
    /// is the flush that other designs put off, or do on one CPU alone.
    pub fn frees_tables(&self) -> bool {
        matches!(self.drain, Drain::Flush | Drain::TablesOnly)
            && matches!(self.irqs_off_drain, IrqsOffDrain::WouldSleep | IrqsOffDrain::TablesOnly)
    }
}

/// A design or variant that does not exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownDesign {
    what: String,
    known: Vec<&'static str>,
}

impl UnknownDesign {
    fn point(point: &str) -> Self {
        let known = Designs::POINTS.iter().map(|known| known.name).collect();
        Self { what: format!("no design point \"{point}\""), known }
    }

    fn variant(point: &str, variant: &str) -> Self {
        let known = Designs::POINTS.iter().find(|known| known.name == point).map(|known| known.variants);
        let known = known.unwrap_or_default().iter().map(|(name, _)| *name).collect();
        Self { what: format!("design {point} has no variant \"{variant}\""), known }
    }

    /// What is known instead.
    pub fn expected(&self) -> String {
        format!("one of {}", self.known.join(", "))
    }
}

impl std::fmt::Display for UnknownDesign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; expected {}", self.what, self.expected())
    }
}

impl std::error::Error for UnknownDesign {}

/// How many steps there are.
pub const STEPS: usize = Step::ALL.len();

/// What a kernel does, for the length of a story.
#[derive(Debug)]
pub struct Protocol {
    /// The design chosen at every point.
    pub designs: Designs,
    omitted: u128,
    met: [Cell<u32>; STEPS],
}

impl Default for Protocol {
    /// The best known correct choice everywhere, and nothing left out.
    fn default() -> Self {
        Self::new(Designs::default(), &[])
    }
}

impl Protocol {
    /// These designs, with these steps left out.
    pub fn new(designs: Designs, omitted: &[Step]) -> Self {
        let omitted = omitted.iter().fold(0, |all, step| all | 1_u128 << *step as u32);
        Self { designs, omitted, met: [const { Cell::new(0) }; STEPS] }
    }

    /// The same steps left out, with other designs.
    #[must_use]
    pub fn with_designs(&self, designs: Designs) -> Self {
        Self { designs, omitted: self.omitted, met: [const { Cell::new(0) }; STEPS] }
    }

    /// Whether a safety step is taken. Asked exactly where the step stands.
    #[inline]
    pub fn does(&self, step: Step) -> bool {
        let met = &self.met[step as usize];
        met.set(met.get() + 1);
        self.omitted & 1 << step as u32 == 0
    }

    /// Does two things whose order is a safety step: in this order if the step is taken, and in the other if it is left out.
    /// Gives what the two gave, that of the first before that of the second.
    #[inline]
    pub fn in_order<A, B>(
        &self,
        step: Step,
        first: impl FnOnce() -> A,
        second: impl FnOnce() -> B,
    ) -> (A, B) {
        if self.does(step) {
            let given = first();
            (given, second())
        } else {
            let given = second();
            (first(), given)
        }
    }

    /// How often a step was met, taken or not, since the last time this was asked.
    pub fn take_met(&self, step: Step) -> u32 {
        self.met[step as usize].take()
    }
}

#[cfg(test)]
mod tests {
    use super::{Designs, Drain, Protocol, Step};
    use std::cell::RefCell;

    #[test]
    fn a_step_left_out_is_not_done_and_the_others_are() {
        let protocol = Protocol::new(Designs::default(), &[Step::FenceBeforeIpi]);
        assert!(!protocol.does(Step::FenceBeforeIpi));
        assert!(protocol.does(Step::ClearBeforeDirty));
        assert_eq!(protocol.take_met(Step::FenceBeforeIpi), 1);
        assert_eq!(protocol.take_met(Step::FenceBeforeIpi), 0);
    }

    #[test]
    fn an_order_that_is_left_out_is_the_other_one_and_gives_the_same() {
        for (omitted, order) in
            [(&[][..], ["flush", "count"]), (&[Step::CountAfterFlush], ["count", "flush"])]
        {
            let protocol = Protocol::new(Designs::default(), omitted);
            let done = RefCell::new(Vec::new());
            let does = |what, gives| {
                done.borrow_mut().push(what);
                gives
            };
            let gave = protocol.in_order(Step::CountAfterFlush, || does("flush", 1), || does("count", 2));
            assert_eq!((gave, done.into_inner()), ((1, 2), order.to_vec()));
            assert_eq!(protocol.take_met(Step::CountAfterFlush), 1);
        }
    }

    #[test]
    fn designs_are_chosen_by_name_and_unknown_ones_say_what_is_known() {
        let mut designs = Designs::default();
        designs.choose("drain", "inhibit").expect("a known variant");
        assert_eq!(designs.drain, Drain::Inhibit);
        assert!(designs.changed().eq([("drain", "inhibit")]));
        let wrong = designs.choose("drain", "maybe").expect_err("no such variant").to_string();
        assert!(wrong.contains("expected one of flush, tables-only"), "{wrong}");
        let wrong = designs.choose("drian", "flush").expect_err("no such point").to_string();
        assert!(wrong.contains("expected one of pte_clear, drain"), "{wrong}");
    }
}
