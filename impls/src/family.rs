//! Families of kernel variables: the names by which stories pause before an access to them.
//!
//! Tags are written in stories: never renumbered, never reused. Those of the kernels count from 16, those of the
//! hypervisors from 128.

use machine::Family;

macro_rules! families {
    ($($(#[$doc:meta])* $name:ident = $tag:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Family = Family($tag);)*

        /// Every family of the kernels and hypervisors, with its name.
        pub const ALL: &[(Family, &str)] = &[$(($name, $text)),*];
    };
}

families! {
    /// Pages unmapped lazily and not yet flushed (`vmap_lazy_nr`).
    LAZY_PAGES = 16, "lazy_pages";
    /// The lock of the page allocator.
    ZONE_LOCK = 17, "zone_lock";
    /// The lock of the free address space (`free_vmap_area_lock`).
    FREE_AREA_LOCK = 18, "free_area_lock";
    /// The lock of the index of areas in use (`vmap_area_lock`).
    AREA_LOCK = 19, "area_lock";
    /// The lock of the list of lazily freed areas.
    LAZY_LOCK = 20, "lazy_lock";
    /// The mutex of purging (`vmap_purge_lock`).
    PURGE_LOCK = 21, "purge_lock";
    /// The lock of one vmap block.
    BLOCK_LOCK = 22, "block_lock";
    /// The lock of one CPU's queue of vmap blocks.
    BLOCK_QUEUE_LOCK = 23, "block_queue_lock";
    /// Free slots of a vmap block, read without its lock first.
    BLOCK_FREE = 24, "block_free";
    /// Vmap blocks with unmapped and unflushed slots.
    DIRTY_BLOCKS = 25, "dirty_blocks";
    /// The mutex over the kernel's own tables.
    KERNEL_TABLES = 26, "kernel_tables";
    /// The range of a flush request, written by its sender.
    FLUSH_INFO = 27, "flush_info";
    /// How many requests of one CPU another has answered.
    CALL_ACK = 28, "call_ack";
    /// How many grace periods have passed.
    GRACE_PERIODS = 29, "grace_periods";
    /// Whether a work item is queued.
    WORK_PENDING = 30, "work_pending";
    /// The flags word of a page (`page->flags`): its owner's business, and all the same shared.
    PAGE_FLAGS = 31, "page_flags";
    /// How many aliases a page has, in the side table of aliases.
    ALIAS_COUNT = 32, "alias_count";
    /// Whether the side table of aliases is kept.
    TRACK_ALIASES = 33, "track_aliases";
    /// The lock of the cache of table pages without aliases.
    QUICKLIST_LOCK = 34, "quicklist_lock";
    /// The lock of low memory, which the direct map holds.
    LOW_ZONE_LOCK = 45, "low_zone_lock";
    /// The lock of the pages of 2 MiB.
    LARGE_ZONE_LOCK = 46, "large_zone_lock";
    /// Which address space a CPU has loaded (`cpu_tlbstate.loaded_mm`), by its root.
    LOADED_MM = 55, "loaded_mm";
    /// The lock of the list of address spaces (`pgd_lock`).
    PGD_LOCK = 56, "pgd_lock";
    /// Which address space a CPU wants others to leave (the `info` of `on_each_cpu_mask`), by its root.
    LEAVE_MM = 57, "leave_mm";
    /// The semaphore over the mappings of an address space (`mmap_lock`).
    MMAP_LOCK = 58, "mmap_lock";
    /// The lock over the upper entries of an address space (`page_table_lock`).
    PAGE_TABLE_LOCK = 59, "page_table_lock";
    /// The lock of a lowest-level table of an address space (`ptlock_ptr`).
    PTE_LOCK = 60, "pte_lock";
    /// The CPUs that may have translations of an address space (`mm_cpumask`), a bit each.
    MM_CPUMASK = 61, "mm_cpumask";
    /// The threads of an address space, and its owner (`mm_users`).
    MM_USERS = 62, "mm_users";
    /// References to a page (`page->_refcount`).
    PAGE_REF = 63, "page_ref";
    /// Entries of address spaces that lead to a page (`page->_mapcount`).
    MAP_COUNT = 64, "map_count";
    /// How often a page is pinned (`FOLL_PIN`).
    PIN_COUNT = 65, "pin_count";
    /// The range of a flush of user addresses, written by its sender (`flush_tlb_info`).
    USER_FLUSH = 66, "user_flush";
    /// How many of these flushes of one CPU another has answered.
    USER_ACK = 67, "user_ack";
    /// What host and guest tell each other of a CPU (`kvm_steal_time.preempted`).
    STEAL_TIME = 68, "steal_time";
    /// The lock over the pages of an object that are in memory (`i_pages`).
    I_PAGES = 69, "i_pages";
    /// The semaphore over where an object is mapped (`i_mmap_rwsem`).
    I_MMAP = 70, "i_mmap";
    /// The lock of the hypervisor's domain (`page_alloc_lock` and `p2m` lock in one).
    DOMAIN_LOCK = 128, "domain_lock";
    /// References to a frame, as the hypervisor counts them (`count_info`).
    COUNT_INFO = 129, "count_info";
    /// The type of a frame and how many hold it (`type_info`).
    TYPE_INFO = 130, "type_info";
    /// The lock of one page table of the guest (`PGT_locked`).
    TABLE_LOCK = 131, "table_lock";
    /// How many flush requests of one physical CPU another has answered.
    HYPERVISOR_ACK = 132, "hypervisor_ack";
    /// The range of a flush request of the hypervisor.
    HYPERVISOR_FLUSH = 133, "hypervisor_flush";
    /// The lock under which the hypervisor lets one flush through at a time (`flush_lock`).
    FLUSH_LOCK = 134, "flush_lock";
    /// The lock of the hypervisor's event channels.
    EVENT_LOCK = 135, "event_lock";
    /// The lock of the hypervisor's heap (`heap_lock`).
    HEAP_LOCK = 136, "heap_lock";
    /// The hypervisor's TLB clock (`tlbflush_clock`).
    TLB_CLOCK = 144, "tlb_clock";
    /// When a CPU flushed last, by that clock (`tlbflush_time`).
    TLB_TIME = 145, "tlb_time";
    /// The lock of the hypervisor's linear mapping of the guest's tables.
    LINEAR_LOCK = 146, "linear_lock";
    /// The lock of the hypervisor's own mapping of memory (`map_pgdir_lock`).
    MAP_LOCK = 147, "map_lock";
    /// An entry of that mapping for one frame.
    XEN_PTE = 148, "xen_pte";
    /// An entry of it for 2 MiB: a large leaf, or a table.
    XEN_PMD = 149, "xen_pmd";
}

/// The name of a family, the machine's own included.
pub fn name(family: Family) -> Option<&'static str> {
    Family::OWN.iter().chain(ALL).find(|(known, _)| *known == family).map(|(_, name)| *name)
}

/// The family of this name, the machine's own included.
pub fn by_name(name: &str) -> Option<Family> {
    Family::OWN.iter().chain(ALL).find(|(_, known)| *known == name).map(|(family, _)| *family)
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use machine::Family;
    use std::collections::BTreeSet;

    #[test]
    fn no_tag_and_no_name_is_used_twice() {
        let known: Vec<_> = Family::OWN.iter().chain(ALL).collect();
        let tags: BTreeSet<_> = known.iter().map(|(family, _)| family.0).collect();
        let names: BTreeSet<_> = known.iter().map(|(_, name)| *name).collect();
        assert_eq!((tags.len(), names.len()), (known.len(), known.len()));
        assert!(ALL.iter().all(|(family, _)| family.0 >= 16), "0 to 15 are the machine's own");
    }

    /// What is written in stories must go on meaning the same.
    #[test]
    fn tags_keep_their_meaning() {
        let pinned =
            [(1, "pte"), (5, "data"), (16, "lazy_pages"), (30, "work_pending"), (133, "hypervisor_flush")];
        for (tag, name) in pinned {
            assert_eq!(super::name(Family(tag)), Some(name));
            assert_eq!(super::by_name(name), Some(Family(tag)));
        }
    }
}
