//! Validation: what a page must hold to become a page table, and the references that its entries stand for.
//!
//! No other CPU can change the entries meanwhile. The guest has no writable mapping of the frame. An update by hypercall
//! needs a validated type, and holds a reference to it while it runs:
//!
//! ```text
//!   c0 pins a table                       c1 mmu_update of an entry of it
//!   type: L1, held once, not validated
//!   entry 0 was checked
//!                                         locks the table: not validated, so no table to it, and not to be
//!                                         had as writable data: refused. Else it could put a foreign frame
//!                                         into entry 0, behind c0's back
//!   entry 1 is checked
//!   type: L1, validated
//! ```

use super::Hypervisor;
use super::refusal::Refusal;
use super::tlb_clock::Time;
use super::type_info::PageType;
use crate::pgtable::non_zero;
use crate::protocol::Step;
use machine::{Cpu, Entry, Family, Flags, Frame, Word};

impl Hypervisor {
    /// Takes the references that every present entry stands for, or none at all.
    pub(super) fn validate(&self, cpu: &Cpu<'_>, table: Frame, level: u8) -> Result<(), Refusal> {
        for index in non_zero(cpu, table) {
            if let Err(refusal) = self.get_entry(cpu, load(cpu, table, index, level), level) {
                // As if nothing had happened: the guest may never ask again.
                if self.protocol.does(Step::UndoFailedPromotion) {
                    self.put_entries(cpu, table, level, index);
                }
                return Err(refusal);
            }
        }
        Ok(())
    }

    /// Drops the references that every present entry stands for.
    pub(super) fn devalidate(&self, cpu: &Cpu<'_>, table: Frame, level: u8) {
        self.put_entries(cpu, table, level, machine::paging::WORDS);
    }

    fn put_entries(&self, cpu: &Cpu<'_>, table: Frame, level: u8, end: usize) {
        for index in non_zero(cpu, table).take_while(|index| *index < end) {
            self.put_entry(cpu, load(cpu, table, index, level), level);
        }
    }

    /// Takes the references that an entry of a table of this level stands for (`get_page_from_l1e` and upwards).
    pub(super) fn get_entry(&self, cpu: &Cpu<'_>, entry: Entry, level: u8) -> Result<(), Refusal> {
        let frame = entry.frame();
        match held_type(entry, level) {
            None => Ok(()),
            Some(_) if level > 1 && entry.has(Flags::HUGE_PAGE) => Err(Refusal::LargeLeaf { frame }),
            Some(PageType::None) => self.frames.get_page(cpu, frame),
            Some(wanted) => self.get_page_and_type(cpu, frame, wanted),
        }
    }

    /// Drops the references that an entry of a table of this level stands for.
    pub(super) fn put_entry(&self, cpu: &Cpu<'_>, entry: Entry, level: u8) {
        self.put_entry_at(cpu, entry, level, None);
    }

    /// The same, for an entry that went at this time; `None` means now.
    pub(super) fn put_entry_at(&self, cpu: &Cpu<'_>, entry: Entry, level: u8, went: Option<Time>) {
        match held_type(entry, level) {
            None => {}
            Some(PageType::None) => self.frames.put_page(cpu, entry.frame()),
            Some(_) => self.put_page_and_type_at(cpu, entry.frame(), went),
        }
    }
}

/// The type as which an entry of a table of this level holds the frame that it leads to. A mapping that cannot write holds
/// the frame as nothing in particular.
pub(super) fn held_type(entry: Entry, level: u8) -> Option<PageType> {
    if !entry.present() {
        None
    } else if level > 1 {
        Some(PageType::Table(level - 1))
    } else if entry.has(Flags::WRITABLE) {
        Some(PageType::Writable)
    } else {
        Some(PageType::None)
    }
}

fn load(cpu: &Cpu<'_>, table: Frame, index: usize, level: u8) -> Entry {
    Entry(cpu.load_word(Word::new(table, index), Family::of_level(level)))
}
