//! Mappings move to other addresses of their address space (`mremap`): the pages stay, and the entries that lead to them move.
//!
//! Two locked tables are in play. The entry goes from the one and comes into the other, and every CPU forgets the old address
//! before either lock is let go of:
//!
//! ```text
//!   c0 mremap, which flushes at the end   c1 reclaim                     c2, in user mode
//!   moves the entry; lets the locks go
//!                                         finds the entry, at the new
//!                                         address; clears it, flushes
//!                                         that address, frees the page
//!                                                                        writes by the old address, from
//!                                                                        its TLB: into a page that is free
//!   flushes the old address
//! ```
//!
//! (Linux eb66ae030829, CVE-2018-18281.)
//!
//! Where nothing else is mapped in the addresses of a lowest-level table, the table moves as a whole. A walker without a lock
//! may have found it by its old address. So it looks again whether the upper entry is as it was (`gup.rs`):
//!
//! ```text
//!   c0 gup-fast at the old address        c1, by the new address
//!   loads the upper entry: the table
//!                                         mremap moves the table
//!                                         dontneed, and a store: another page behind the entry
//!   loads the entry: that page, which was never at the address
//! ```

use super::Mm;
use super::fault::Failed;
use super::gather::MmuGather;
use super::mmap::{forget_mappings, link, unlink};
use super::vma::{Backing, Vma, Vmas};
use super::zap::entries_of;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::protocol::{MoveTables, Step};
use crate::vpn::{PageRange, Vpn};
use machine::paging::index;
use machine::{Cpu, Word};
use std::rc::Rc;

/// Pages that lie in one lowest-level table before they move, and in one afterwards.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: PageRange,
    to: Vpn,
}

impl Piece {
    /// The pieces of a range that moves.
    fn of(from: PageRange, to: Vpn) -> impl Iterator<Item = Self> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let piece = Self { from: PageRange { first: from.first + done, ..from }, to: to + done };
            let room = |page: Vpn| table_of(page).first + table_of(page).pages - page;
            let pages = (from.pages - done).min(room(piece.from.first)).min(room(piece.to));
            done += pages;
            (pages > 0).then_some(Self { from: PageRange { pages, ..piece.from }, ..piece })
        })
    }

    /// Whether its pages have the same places in the table as before.
    fn keeps_places(self) -> bool {
        self.from.first - table_of(self.from.first).first == self.to - table_of(self.to).first
    }
}

/// The pages that the lowest-level table of a page maps.
fn table_of(page: Vpn) -> PageRange {
    let pages = Vpn::first_of_table(1, 1).0;
    PageRange { first: Vpn::first_of_table(1, page.table(1)), pages }
}

impl<P: PvMmu> Kernel<P> {
    /// Moves what is mapped of a range to other addresses, which do not overlap it, in the place of whatever was mapped there
    /// (`MREMAP_FIXED`). Where there is no memory for tables nothing moves.
    pub(crate) fn mremap(&self, cpu: &Cpu<'_>, mm: &Rc<Mm>, from: PageRange, to: Vpn) -> Result<(), Failed> {
        let mut vmas = mm.mmap_lock.write(cpu);
        let replaced = vmas.remove(PageRange { first: to, ..from });
        self.unmap_region(cpu, mm, &vmas, &replaced);
        let old = vmas.remove(from);
        let moved_to = |page: Vpn| to + (page - from.first);
        let new =
            old.iter().map(|vma| Vma { start: moved_to(vma.start), end: moved_to(vma.end), ..vma.clone() });
        let new: Vec<_> = new.collect();
        let made = self.move_mappings(cpu, mm, &vmas, (&old, &new));
        // The tables that became empty go: those that the mappings left, or those that were made for nothing.
        let (stand, left) = if made.is_ok() { (new, from) } else { (old, PageRange { first: to, ..from }) };
        for vma in stand {
            vmas.insert(vma);
        }
        let mut gather = MmuGather::new(mm);
        self.free_pgtables(cpu, &mut gather, &vmas, left);
        self.tlb_finish_mmu(cpu, gather);
        drop(vmas);
        forget_mappings(self, cpu, replaced);
        made
    }

    /// Moves the entries of mappings; the reverse map finds them by both addresses meanwhile (`move_vma`). The other mappings stay.
    fn move_mappings(
        &self,
        cpu: &Cpu<'_>,
        mm: &Rc<Mm>,
        stay: &Vmas,
        (old, new): (&[Vma], &[Vma]),
    ) -> Result<(), Failed> {
        let pieces = || {
            let mappings = old.iter().zip(new);
            mappings.flat_map(|(vma, new)| Piece::of(vma.range(), new.start).map(move |piece| (vma, piece)))
        };
        let whole = |piece| self.moves_as_table(old, stay, piece);
        pieces().try_for_each(|(_, piece)| self.make_room(cpu, mm, piece, whole(piece)))?;
        for vma in new {
            link(cpu, mm, vma);
        }
        let mut late = MmuGather::new(mm);
        for (vma, piece) in pieces() {
            if self.move_piece(cpu, mm, vma, piece, whole(piece)) {
                late.flush_range(piece.from);
            }
        }
        self.tlb_finish_mmu(cpu, late);
        for vma in old {
            unlink(cpu, mm, vma);
        }
        Ok(())
    }

    /// Whether the whole table moves that the pages of a piece lie in: nothing but one mapping is mapped in the addresses that it
    /// has and gets.
    fn moves_as_table(&self, moving: &[Vma], stay: &Vmas, piece: Piece) -> bool {
        let table = table_of(piece.from.first);
        let there = |vma: &&Vma| vma.start < table.first + table.pages && table.first < vma.end;
        self.protocol.designs.move_tables == MoveTables::Tables
            && piece.keeps_places()
            && moving.iter().filter(there).count() == 1
            && [piece.from.first, piece.to].into_iter().all(|page| stay.are_none_in(table_of(page)))
    }

    /// Makes the tables that a piece moves to.
    fn make_room(&self, cpu: &Cpu<'_>, mm: &Mm, piece: Piece, whole: bool) -> Result<(), Failed> {
        if self.upper_entry(cpu, mm, piece.from.first).is_none() {
            Ok(())
        } else if whole {
            self.alloc_upper_tables(cpu, mm, piece.to).map(|_| ())
        } else {
            self.alloc_tables(cpu, mm, piece.to).map(|_| ())
        }
    }

    /// Moves the entries of a piece. Returns whether the flush is still to come.
    ///
    /// No CPU walks the reverse map of the mapping meanwhile (`take_rmap_locks`):
    ///
    /// ```text
    ///   c0 mremap                             c1 reclaim
    ///                                         finds the table by the old address, locks it
    ///   moves the table
    ///                                         clears an entry; flushes the old address
    ///                                         frees the page; by the new address CPUs reach it
    /// ```
    ///
    /// (Linux 97113eb39fa7.)
    fn move_piece(&self, cpu: &Cpu<'_>, mm: &Mm, vma: &Vma, piece: Piece, whole: bool) -> bool {
        let object = match &vma.backing {
            Backing::Object { object, .. } if self.protocol.does(Step::HoldRmapLocks) => Some(object),
            Backing::Object { .. } | Backing::Anonymous => None,
        };
        let _held = object.map(|object| object.mappings.write(cpu));
        let (Some(old), Some(new)) =
            (self.upper_entry(cpu, mm, piece.from.first), self.upper_entry(cpu, mm, piece.to))
        else {
            return false;
        };
        if whole && !cpu.load_entry(new, 2).present() {
            self.move_table(cpu, mm, (old, new), table_of(piece.from.first));
            return false;
        }
        self.move_entries(cpu, mm, (old, new), piece)
    }

    /// Moves a whole table (`move_normal_pmd`).
    fn move_table(&self, cpu: &Cpu<'_>, mm: &Mm, (old, new): (Word, Word), range: PageRange) {
        let _lock = mm.page_table_lock.lock(cpu);
        if !cpu.load_entry(old, 2).present() {
            return;
        }
        let entry = self.clear_upper_entry(cpu, mm, old, 2);
        if self.pv.set_entry(cpu, new, 2, entry).is_err() {
            cpu.bug("the platform refused a table that it had accepted");
        }
        self.flush_tlb_mm_range(cpu, mm, range);
    }

    /// Moves the entries of one table into another, or elsewhere in the same (`move_ptes`). Returns whether the flush is still to
    /// come.
    fn move_entries(&self, cpu: &Cpu<'_>, mm: &Mm, (old, new): (Word, Word), piece: Piece) -> bool {
        let Some(source) = self.lock_table(cpu, old) else { return false };
        let second = if old == new { None } else { self.lock_second_table(cpu, new) };
        let target = second.as_ref().map_or(source.table, |second| second.table);
        let mut moved = false;
        self.pv.enter_lazy_mmu(cpu);
        for (page, word) in entries_of(cpu, &source, piece.from) {
            if !cpu.load_entry(word, 1).present() {
                continue;
            }
            let entry = self.clear_user_entry(cpu, mm, word, 1);
            let to = piece.to + (page - piece.from.first);
            self.set_user_entry(cpu, Word::new(target, index(to.address(), 1)), entry);
            moved = true;
        }
        self.leave_lazy(cpu);
        let flushes_now = self.protocol.does(Step::FlushBeforeUnlock);
        if moved && flushes_now {
            self.flush_tlb_mm_range(cpu, mm, piece.from);
        }
        drop(second);
        drop(source);
        moved && !flushes_now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_moves_in_pieces_that_lie_in_one_table_before_and_after() {
        let pieces = |first, pages, to| {
            let range = PageRange { first: Vpn(first), pages };
            let pieces = Piece::of(range, Vpn(to));
            pieces.map(|piece| (piece.from.first.0, piece.from.pages, piece.to.0)).collect::<Vec<_>>()
        };
        assert_eq!(pieces(0, 4, 512), [(0, 4, 512)]);
        assert_eq!(pieces(510, 4, 1022), [(510, 2, 1022), (512, 2, 1024)]);
        assert_eq!(pieces(510, 4, 1023), [(510, 1, 1023), (511, 1, 1024), (512, 2, 1025)]);
    }

    #[test]
    fn a_piece_keeps_its_places_where_both_addresses_are_as_far_from_their_tables() {
        let keeps =
            |from, to| Piece { from: PageRange { first: Vpn(from), pages: 1 }, to: Vpn(to) }.keeps_places();
        assert!(keeps(511, 1023) && keeps(0, 1024) && !keeps(511, 1024) && !keeps(3, 514));
    }
}
