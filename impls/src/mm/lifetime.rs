//! Address spaces are made and dropped. From the moment its root is on the list of the tables' copies until it is taken off, an
//! address space is kept in step.

use super::Mm;
use super::mmap::hide_from_reverse_maps;
use crate::base::DrainAliases;
use crate::direct_map::DirectMap;
use crate::kernel::Kernel;
use crate::kernel_tables::COPIED;
use crate::paravirt::{Pfn, PvMmu, Refused};
use crate::pgtable::{TABLE_FLAGS, non_zero};
use crate::protocol::{Step, TableDrain};
use crate::sizes::Sizes;
use crate::table_pages::MapError;
use crate::vpn::{PageRange, Vpn};
use machine::paging::{LEVELS, index};
use machine::{Cpu, Word};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// The tables of this level that lead to all areas there can be, by their numbers.
fn tables_of_level(sizes: Sizes, level: u8) -> RangeInclusive<u64> {
    PageRange { first: sizes.vmalloc_first(), pages: sizes.vmalloc_pages() }.tables(level)
}

/// The first address that a table of this level and number maps.
fn start_of(level: u8, number: u64) -> u64 {
    Vpn::first_of_table(level, number).address()
}

/// The levels between the root and the shared tables, from the upper to the lower.
fn levels_below_root() -> impl Iterator<Item = u8> {
    (COPIED..LEVELS).rev()
}

impl<P: PvMmu> Kernel<P> {
    /// Makes an address space whose user half is empty (`mm_alloc`). The tables of all levels that are copied are there from
    /// the beginning, so that an entry can be added to it at any time, without memory.
    pub(crate) fn new_mm(&self, cpu: &Cpu<'_>) -> Result<Rc<Mm>, MapError> {
        let drain: DrainAliases<'_> = &|| self.drain_for_kernel_tables(cpu);
        let tables = levels_below_root().map(|level| tables_of_level(self.sizes, level).count());
        let wanted = 1 + tables.sum::<usize>();
        let mut pages = Vec::with_capacity(wanted);
        let made = self
            .table_pages
            .alloc(self, cpu, wanted, &mut pages, drain)
            .and_then(|()| self.make_mm_of(cpu, pages.clone(), drain));
        if made.is_err() {
            for pfn in pages {
                self.table_pages.free(self, cpu, pfn);
            }
        }
        made
    }

    /// By the design that does not drain beforehand, a refusal says that an alias is left.
    fn make_mm_of(
        &self,
        cpu: &Cpu<'_>,
        pages: Vec<Pfn>,
        drain: DrainAliases<'_>,
    ) -> Result<Rc<Mm>, MapError> {
        let mm = Rc::new(self.mms.make(pages).ok_or(MapError::NoMemory)?);
        let mut made = self.try_make_mm(cpu, &mm);
        if made.is_err() && self.table_drain_is(TableDrain::FixUp) {
            if let Err(would_sleep) = drain() {
                self.mms.end(&mm);
                return Err(would_sleep.into());
            }
            made = self.try_make_mm(cpu, &mm);
        }
        if made.is_err() {
            self.mms.end(&mm);
            return Err(MapError::Refused);
        }
        mm.pinned.set(true);
        cpu.store(mm.users, 1);
        Ok(mm)
    }

    /// From the copy until it is on the list nothing may be added or removed, for it would be neither in what was copied
    /// nor brought up to date:
    ///
    /// ```text
    ///   c0 new-mm                             c1 purge
    ///   copy the entry
    ///                                         clear it in init_mm, and in every mm on the list; free the table
    ///   onto the list, with the old entry
    /// ```
    fn try_make_mm(&self, cpu: &Cpu<'_>, mm: &Rc<Mm>) -> Result<(), Refused> {
        self.link_upper_levels(cpu, mm);
        let (still, ()) = self.protocol.in_order(
            Step::CopyAndListAtOnce,
            || self.tables.hold_still(cpu),
            || self.copy_from_init(cpu, mm),
        );
        let pinned = self.pv.pin_tree(cpu, mm.root());
        match pinned {
            Ok(()) => self.tables.list(&still, mm.root()),
            Err(Refused) => self.end_tables(cpu, mm),
        }
        pinned
    }

    /// Links the tables of an address space, which lead nowhere yet but to the direct map. No CPU has its root.
    fn link_upper_levels(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let mut pages = mm.pages.iter();
        let mut begin = |level| {
            let pfn = *pages.next().expect("one for each table");
            self.pv.begin_table(cpu, pfn, level);
            pfn
        };
        let root = self.pv.frame_of(begin(LEVELS));
        let direct = DirectMap::index_in_root();
        let entry = cpu.load_entry(Word::new(self.tables.root(), direct), LEVELS);
        self.pv.link_table(cpu, Word::new(root, direct), LEVELS, entry);
        // The tables one level higher, and the number of the first.
        let (mut above, mut first) = (vec![root], *tables_of_level(self.sizes, LEVELS).start());
        for level in levels_below_root() {
            let numbers = tables_of_level(self.sizes, level);
            let start = *numbers.start();
            let mut tables = Vec::new();
            for number in numbers {
                let pfn = begin(level);
                let parent = above[(Vpn::first_of_table(level, number).table(level + 1) - first) as usize];
                let word = Word::new(parent, index(start_of(level, number), level + 1));
                self.pv.link_table(cpu, word, level + 1, self.pv.make_entry(pfn, TABLE_FLAGS));
                tables.push(self.pv.frame_of(pfn));
            }
            (above, first) = (tables, start);
        }
    }

    /// Copies what leads to the shared tables.
    fn copy_from_init(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let numbers = tables_of_level(self.sizes, COPIED);
        let copies = &mm.pages[mm.pages.len() - numbers.clone().count()..];
        for (number, copy) in numbers.zip(copies) {
            let Some(first) = self.tables.entry(cpu, start_of(COPIED, number), COPIED) else { continue };
            for index in non_zero(cpu, first.frame) {
                let entry = cpu.load_entry(Word::new(first.frame, index), COPIED);
                if entry.present() {
                    self.pv.link_table(cpu, Word::new(self.pv.frame_of(*copy), index), COPIED, entry);
                }
            }
        }
    }

    /// Takes an address space apart (`mmput`, `exit_mmap`). CPUs that are in it are taken off it, and its threads end; no CPU is on
    /// the way into it. The platform lets go of its tables first, so that the user half is taken apart by plain stores
    /// (`xen_exit_mmap`).
    pub(crate) fn drop_mm(&self, cpu: &Cpu<'_>, mm: &Rc<Mm>) {
        self.evict(cpu, mm);
        hide_from_reverse_maps(cpu, mm);
        // A CPU that keeps the copies in step must not find it on the list when its tables are tables no more: what that CPU
        // sets would end up in another user's page.
        let unlisted_first = self.protocol.does(Step::UnlistBeforeFree);
        if unlisted_first {
            self.unlist_and_unpin(cpu, mm);
        } else {
            self.unpin(cpu, mm);
        }
        self.exit_mmap(cpu, mm);
        self.end_tables(cpu, mm);
        for pfn in &mm.pages {
            self.table_pages.free(self, cpu, *pfn);
        }
        cpu.fetch_sub(mm.users, 1);
        if !unlisted_first {
            self.tables.unlist(cpu, &self.tables.hold(cpu), mm.root());
        }
        self.mms.end(mm);
    }

    /// The platform lets go of the tables of an address space (`xen_pgd_unpin`): of the whole tree, and of those of the user half
    /// that it holds singly.
    fn unpin(&self, cpu: &Cpu<'_>, mm: &Mm) {
        self.pv.unpin_tree(cpu, mm.root());
        for (table, level) in self.user_tables(cpu, mm) {
            self.pv.let_go_of_table(cpu, table, level);
        }
        mm.pinned.set(false);
    }

    /// Takes an address space off the list, and with the same hold of the mutex its tables from the hypervisor. Otherwise:
    ///
    /// ```text
    ///   c0 drops an address space             c1 frees a kernel table
    ///   takes it off the list
    ///                                         clears the kernel's entry for it, and
    ///                                         those of all copies on the list
    ///                                         gives its page back: by the entry of the
    ///                                         copy it is held as a table all the same
    ///   unpins the copy
    /// ```
    fn unlist_and_unpin(&self, cpu: &Cpu<'_>, mm: &Mm) {
        let held = self.tables.hold(cpu);
        self.tables.unlist(cpu, &held, mm.root());
        self.unpin(cpu, mm);
    }

    /// The tables of an address space are ordinary zeroed pages from now on.
    fn end_tables(&self, cpu: &Cpu<'_>, mm: &Mm) {
        for pfn in &mm.pages {
            self.pv.end_table(cpu, *pfn);
            self.clear_page(cpu, *pfn);
        }
    }
}
