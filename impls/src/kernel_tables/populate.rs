//! Tables for areas: made before an area is mapped, and given back in the flush that frees the ranges of the last areas that
//! used them.

use super::{Lacking, Unhooked, start_of};
use crate::base::DrainAliases;
use crate::direct_map::DirectMap;
use crate::flush_request::FlushRequest;
use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use crate::pgtable::non_zero;
use crate::protocol::TableDrain;
use crate::table_pages::MapError;
use crate::vpn::PageRange;
use machine::paging::{LEVELS, span};
use machine::{Cpu, Frame, Word};

impl<P: PvMmu> Kernel<P> {
    /// Makes sure that the tables for a range exist, and counts its area as a user of them.
    ///
    /// Pages for tables are got with the mutex released, since getting one may mean a drain of aliases (seed 004), and a
    /// drain frees tables. Another CPU may have made the table meanwhile; then the page goes back.
    pub(crate) fn populate(
        &self,
        cpu: &Cpu<'_>,
        range: PageRange,
        drain: DrainAliases<'_>,
    ) -> Result<(), MapError> {
        let mut spare = Vec::new();
        let mut drained = false;
        let populated = loop {
            match self.try_populate(cpu, range, &mut spare) {
                Ok(()) => break Ok(()),
                // The refusal says that an alias is left. What is spare is not mapped again, so one drain is enough.
                Err(Lacking::Other(MapError::Refused))
                    if self.table_drain_is(TableDrain::FixUp) && !drained =>
                {
                    if let Err(would_sleep) = drain() {
                        break Err(would_sleep.into());
                    }
                    drained = true;
                }
                Err(Lacking::Other(error)) => break Err(error),
                Err(Lacking::Pages(wanted)) => {
                    drained = false;
                    if let Err(error) = self.table_pages.alloc(self, cpu, wanted.into(), &mut spare, drain) {
                        break Err(error);
                    }
                }
            }
        };
        for pfn in spare {
            self.table_pages.free(self, cpu, pfn);
        }
        populated
    }

    fn try_populate(&self, cpu: &Cpu<'_>, range: PageRange, spare: &mut Vec<Pfn>) -> Result<(), Lacking> {
        let users = &self.tables.users;
        let mut users = if cpu.interrupts_on() {
            users.lock(cpu)
        } else {
            users.try_lock(cpu).ok_or(Lacking::Other(MapError::WouldSleep))?
        };
        for table in range.tables(1) {
            let count = users.0.entry(table).or_default();
            if *count == 0
                && let Err(lacking) = self.tables.make(self, cpu, start_of(table), 1, spare)
            {
                users.0.remove(&table);
                for done in *range.tables(1).start()..table {
                    *users.0.get_mut(&done).expect("counted above") -= 1;
                }
                return Err(lacking);
            }
            *count += 1;
        }
        Ok(())
    }

    /// Makes every CPU forget what is asked for, and frees the tables that were unhooked before.
    pub(crate) fn flush_and_free(
        &self,
        cpu: &Cpu<'_>,
        request: FlushRequest,
        unhooked: Option<Unhooked<'_>>,
    ) {
        self.tlb.flush(self, cpu, request);
        let Some(Unhooked { tables, to_remove, users }) = unhooked else { return };
        for va in to_remove {
            self.tables.remove_from_copies(self, cpu, va);
        }
        for pfn in tables {
            self.pv.release_table(cpu, pfn, 1);
            self.table_pages.free(self, cpu, pfn);
        }
        drop(users);
    }

    /// Nothing is mapped any more: frees all tables but the root and those of the direct map.
    pub(crate) fn free_all_tables(&self, cpu: &Cpu<'_>) {
        let users = &self.tables.users;
        if self.protocol.designs.frees_tables() && !users.lock(cpu).0.is_empty() {
            cpu.bug("a table counts users after the last purge");
        }
        let mut freed = Vec::new();
        for level in 2..=LEVELS {
            self.unhook_below(cpu, self.tables.root(), LEVELS, 0, level, &mut freed);
        }
        self.tlb.flush(self, cpu, FlushRequest::EVERYTHING);
        for (pfn, level) in freed {
            self.pv.release_table(cpu, pfn, level);
            self.free_page(cpu, pfn);
        }
        users.lock(cpu).0.clear();
    }

    /// Clears all entries of one level below a table, which begins at an address.
    fn unhook_below(
        &self,
        cpu: &Cpu<'_>,
        table: Frame,
        level: u8,
        start: u64,
        wanted: u8,
        freed: &mut Vec<(Pfn, u8)>,
    ) {
        for index in non_zero(cpu, table) {
            let entry = cpu.load_entry(Word::new(table, index), level);
            let va = start + index as u64 * span(level);
            if !entry.present() || (level == LEVELS && index == DirectMap::index_in_root()) {
                continue;
            }
            if level == wanted {
                freed.extend(self.tables.unhook(self, cpu, va, level).map(|pfn| (pfn, level - 1)));
            } else {
                self.unhook_below(cpu, entry.frame(), level - 1, va, wanted, freed);
            }
        }
    }
}
