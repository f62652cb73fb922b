//! The safety steps, one line each.

macro_rules! steps {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// Something done only for safety, which can be left out by name.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Step {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Step {
            /// Every step.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name for people.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it does.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

steps! {
    /// No step for safety but a canary: a page that a caller frees is given back.
    Canary = "canary",
    /// A full fence before an interrupt is sent: the request and the entries it is about are visible first.
    FenceBeforeIpi = "fence-before-ipi",
    /// A drain waits for a purge in progress, including its flush.
    DrainWaitsForPurge = "drain-waits-for-purge",
    /// What is outstanding is counted off only after the flush.
    CountAfterFlush = "count-after-flush",
    /// A drain looks at every live block, and not only at those on the free and purge lists.
    DrainWalksAllBlocks = "drain-walks-all-blocks",
    /// The entries of a block's slots are cleared before the slots count as dirty.
    ClearBeforeDirty = "clear-before-dirty",
    /// After an exchange of frames the last update of the mapping makes every CPU forget it.
    FlushAfterExchange = "flush-after-exchange",
    /// Pages are taken for a buffer as they are only if the frames of a segment follow each other.
    BufferIsContiguous = "buffer-is-contiguous",
    /// A buffer gives back the frames that it has, each for itself, and not as many as it has pages from the first frame on.
    GiveBackEachFrame = "give-back-each-frame",
    /// What an exchange did not complete is put back as it was.
    RestoreRemainder = "restore-remainder",
    /// The references of a frame that is taken from a guest go in one step, and only if there are no others.
    StealInOneStep = "steal-in-one-step",
    /// An upper entry that is to become a large leaf is validated as a new one, though nothing else of it changes.
    ValidateLargeLeaves = "validate-large-leaves",
    /// Before the hypervisor gives a frame to anybody, every CPU that may remember it flushes.
    FlushBeforeGivingAway = "flush-before-giving-away",
    /// An entry is cleared, and that is done and not only put off, before its alias is counted off in the side table.
    ClearBeforeCountingOff = "clear-before-counting-off",
    /// Once the side table is switched on, a page counts as having aliases until it was drained for.
    UnknownUntilDrained = "unknown-until-drained",
    /// All pages of a batch for the cache of table pages are owned before the drain for them starts.
    OwnBeforeDrain = "own-before-drain",
    /// A table page that was mapped for a look is drained for before it goes into the cache.
    DrainAfterLook = "drain-after-look",
    /// The TLB clock of the hypervisor ticks before a flush, and not after it.
    TickBeforeFlush = "tick-before-flush",
    /// The time at which the reference of an entry goes is read after the entry has gone.
    StampAfterStore = "stamp-after-store",
    /// Every CPU flushes while the TLB clock wraps.
    FlushAtWrap = "flush-at-wrap",
    /// The new type of a frame is taken before every CPU forgets the old one, and not after that.
    TypeBeforeFlush = "type-before-flush",
    /// A frame that is in use as one type is refused as another.
    RefuseTypeConflict = "refuse-type-conflict",
    /// The references that a refused table has taken so far are given back.
    UndoFailedPromotion = "undo-failed-promotion",
    /// With the last reference to a table go those of its entries.
    GiveUpEntries = "give-up-entries",
    /// The reference of an old entry is dropped after the new one is stored.
    DropAfterStore = "drop-after-store",
    /// After an upper entry changed, the hypervisor forgets where its linear mapping led.
    FlushLinearMap = "flush-linear-map",
    /// It does so on every CPU, and not only on that which changed the entry.
    FlushLinearMapEverywhere = "flush-linear-map-everywhere",
    /// A CPU that loads another root forgets where the hypervisor's linear mapping led.
    FlushLinearMapAtLoad = "flush-linear-map-at-load",
    /// A root is validated and held as a table for as long as a CPU has it loaded.
    HoldLoadedRoot = "hold-loaded-root",
    /// The hypervisor walks to an entry of its own mapping of memory under the lock that it writes it under.
    WalkUnderMapLock = "walk-under-map-lock",
    /// Whether a table of that mapping is to be merged is decided under the lock that its entry was written under.
    MergeUnderMapLock = "merge-under-map-lock",
    /// Lazy aliases are drained before a page is to have restricted permissions.
    DrainBeforeProtect = "drain-before-protect",
    /// A change of permissions is flushed for the direct map of every page, and not only for as many from the first on.
    FlushEveryDirectAlias = "flush-every-direct-alias",
    /// The direct map of pages whose permissions are reset becomes writable only after the flush.
    DefaultAfterFlush = "default-after-flush",
    /// The direct map of pages takes the permissions that their area is to have.
    ProtectDirectMap = "protect-direct-map",
    /// A change of permissions is flushed.
    FlushAfterProtect = "flush-after-protect",
    /// Memory whose permissions or memory type were changed is flushed when it is given back.
    FlushAtReset = "flush-at-reset",
    /// A table that a large entry takes the place of is freed after every CPU has forgotten the way to it.
    FlushBeforeTableGoes = "flush-before-table-goes",
    /// A new upper entry of the kernel's goes into the copies of every address space before an address behind it is handed
    /// out.
    AddToEveryMm = "add-to-every-mm",
    /// An upper entry of the kernel's that goes is cleared in the copies of every address space too.
    RemoveFromEveryMm = "remove-from-every-mm",
    /// That is done before the flush, and not only before the table is freed.
    RemoveBeforeFlush = "remove-before-flush",
    /// The upper levels are copied for a new address space, and it is put on the list of those that are kept in step, with
    /// nothing added or removed in between.
    CopyAndListAtOnce = "copy-and-list-at-once",
    /// An address space is taken off that list before its tables are given back.
    UnlistBeforeFree = "unlist-before-free",
    /// A CPU counts as being in an address space until it has loaded another root.
    LoadBeforeLeaving = "load-before-leaving",
    /// A CPU that is asked to leave an address space looks whether it is in that still.
    CheckBeforeLeaving = "check-before-leaving",
    /// Whoever drops an address space waits until each CPU that was asked to leave it has done so.
    AwaitLeaving = "await-leaving",
    /// A large leaf that changes is changed in the copies of every address space too.
    ChangeLeafInEveryMm = "change-leaf-in-every-mm",
    /// Lazy aliases are drained before a page is to have another memory type than usual.
    DrainBeforeRetype = "drain-before-retype",
    /// The direct map of a page takes the memory type that its area is to have.
    RetypeDirectMap = "retype-direct-map",
    /// A change to another memory type than usual is flushed.
    FlushAfterRetype = "flush-after-retype",
    /// A change back to the usual memory type is flushed.
    FlushAfterTypeReturns = "flush-after-type-returns",
    /// Memory whose type was changed has the usual one again before it is given back, and is flushed.
    ResetTypeAtFree = "reset-type-at-free",
    /// While memory that is given back is flushed, its direct map has no entry.
    NoEntryWhileFlushed = "no-entry-while-flushed",
    /// Before a full batch of tables is handed to a grace period, every CPU forgets the way to them.
    InvalidateBeforeFullBatch = "invalidate-before-full-batch",
    /// A CPU that reads an entry of a lowest-level table without its lock is a reader for that long.
    ReadEntryUnderRcu = "read-entry-under-rcu",
    /// Entries of user addresses that were cleared are visible before the CPUs are looked for that may remember them.
    FenceBeforeUserFlush = "fence-before-user-flush",
    /// The host learns whether a CPU is to flush in the same operation by which it says that the CPU runs again.
    ExchangeStatus = "exchange-status",
    /// A CPU that has locked a lowest-level table looks whether the upper entry leads to it still.
    RecheckUpperAfterLock = "recheck-upper-after-lock",
    /// Entries that moved are flushed at their old addresses before the locks of their tables are let go of.
    FlushBeforeUnlock = "flush-before-unlock",
    /// While entries of a mapping move no CPU walks the reverse map that leads to them.
    HoldRmapLocks = "hold-rmap-locks",
    /// A page that is got at by faults to be written by force is looked for as one to be written also after the fault.
    RetryKeepsWriteIntent = "retry-keeps-write-intent",
    /// Before a frame of one type becomes one of another, every CPU forgets what it may remember of it.
    FlushOnTypeChange = "flush-on-type-change",
}
