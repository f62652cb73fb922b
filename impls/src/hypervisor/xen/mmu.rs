//! The hypercalls that change entries: `mmu_update` by machine address, `update_va_mapping` by virtual one.

use super::Hypervisor;
use super::entry::{AccessedDirty, By};
use super::flush::Scope;
use super::refusal::Refusal;
use super::type_info::PageType;
use crate::pgtable::{NoTable, Walk};
use machine::{Cpu, Entry, Family, Flags, Frame, Word};

/// One change of an entry, by the word that holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MmuUpdate {
    /// The word.
    pub word: Word,
    /// The new entry.
    pub entry: Entry,
    /// What happens to the accessed and dirty bits.
    pub bits: AccessedDirty,
}

/// On which CPUs to flush after an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// The CPU that asks.
    Local,
    /// These, a bit each.
    Multi(u8),
    /// All.
    All,
}

/// What to flush after an update (`UVMF_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateFlush {
    /// Nothing.
    None,
    /// The page that was updated.
    Invlpg(Reach),
    /// Everything.
    Tlb(Reach),
}

impl Hypervisor {
    /// Changes an entry of a table, or a word of a page that the guest could write to itself.
    pub fn mmu_update(&self, cpu: &Cpu<'_>, update: MmuUpdate) -> Result<(), Refusal> {
        cpu.hypercall("mmu_update", |cpu| self.do_mmu_update(cpu, update))
    }

    /// Changes the lowest-level entry of an address under the root that this CPU runs on, and flushes.
    pub fn update_va_mapping(
        &self,
        cpu: &Cpu<'_>,
        va: u64,
        entry: Entry,
        flush: UpdateFlush,
    ) -> Result<(), Refusal> {
        cpu.hypercall("update_va_mapping", |cpu| self.do_update_va_mapping(cpu, va, entry, flush))
    }

    /// The guest's own mapping of one of its frames, which allowed no writing while the frame was a page table, becomes writable:
    /// the frame changes its type. Here the guest has no such mapping, and the reference goes at once.
    pub fn make_writable(&self, cpu: &Cpu<'_>, frame: Frame) -> Result<(), Refusal> {
        cpu.hypercall("update_va_mapping", |cpu| {
            self.get_page_and_type(cpu, frame, PageType::Writable)?;
            self.put_page_and_type(cpu, frame);
            Ok(())
        })
    }

    pub(super) fn do_mmu_update(&self, cpu: &Cpu<'_>, update: MmuUpdate) -> Result<(), Refusal> {
        let MmuUpdate { word, entry, bits } = update;
        let word = Word::new(word.frame, usize::from(word.index));
        self.frames.get_page(cpu, word.frame)?;
        let result = match self.lock_table(cpu, word.frame) {
            Some(table) => {
                let result = self.change_entry(cpu, &table, By::Frame(word.index), entry, bits);
                self.unlock_table(cpu, table);
                result
            }
            // The page is no table: the hypervisor stores as the guest could itself, if the page may be
            // written to.
            None => self.get_page_type(cpu, word.frame, PageType::Writable).map(|()| {
                cpu.update_word(word, Family::DATA, |_| Some(entry.0));
                self.put_page_type(cpu, word.frame);
            }),
        };
        self.frames.put_page(cpu, word.frame);
        result
    }

    pub(super) fn do_update_va_mapping(
        &self,
        cpu: &Cpu<'_>,
        va: u64,
        entry: Entry,
        flush: UpdateFlush,
    ) -> Result<(), Refusal> {
        let result = loop {
            let Some(word) = lowest_entry(cpu, va) else { break Err(Refusal::NoLowestTable { va }) };
            if let Some(result) = self.change_lowest(cpu, va, word, entry) {
                break result;
            }
        };
        // The flush happens even if the update was refused: the caller wants nothing old after the call.
        match flush {
            UpdateFlush::None => {}
            UpdateFlush::Invlpg(reach) => self.flush.on(cpu, self.reached(cpu, reach), Scope::Page(va)),
            UpdateFlush::Tlb(reach) => self.flush.on(cpu, self.reached(cpu, reach), Scope::Everything),
        }
        result
    }

    /// Changes the lowest-level entry of an address, which the caller found here. `None` if the tables have changed since.
    fn change_lowest(
        &self,
        cpu: &Cpu<'_>,
        va: u64,
        found: Word,
        entry: Entry,
    ) -> Option<Result<(), Refusal>> {
        let still_there = || lowest_entry(cpu, va) == Some(found);
        if let Err(refusal) = self.frames.get_page(cpu, found.frame) {
            return still_there().then_some(Err(refusal));
        }
        let result = match self.lock_table(cpu, found.frame) {
            None => still_there().then_some(Err(Refusal::NoLowestTable { va })),
            Some(table) => {
                let kept = self.linear.keep(cpu);
                let result = still_there().then(|| {
                    if table.level == 1 {
                        self.change_entry(cpu, &table, By::LinearMap(va), entry, AccessedDirty::AsGiven)
                    } else {
                        Err(Refusal::NoLowestTable { va })
                    }
                });
                drop(kept);
                self.unlock_table(cpu, table);
                result
            }
        };
        self.frames.put_page(cpu, found.frame);
        result
    }

    pub(super) fn reached(&self, cpu: &Cpu<'_>, reach: Reach) -> u8 {
        match reach {
            Reach::Local => 1 << cpu.id(),
            Reach::Multi(cpus) => cpus & self.flush.all_cpus(),
            Reach::All => self.flush.all_cpus(),
        }
    }
}

/// Where the lowest-level entry of an address stands, by the tables that this CPU runs on.
///
/// This is only a hint: another CPU of the guest may take the tables apart meanwhile, and what is read here may be
/// anything. The caller relies on it only after it has referenced and locked the frame and found that it is still the
/// table.
///
/// An upper entry that does not allow writing is no way there: the linear mapping grants only what the upper entries grant.
fn lowest_entry(cpu: &Cpu<'_>, va: u64) -> Option<Word> {
    let found = Walk::from(cpu.cr3().root).descend(va, 1, |word, level| {
        let entry = Entry(cpu.load_word(word, Family::of_level(level)));
        let exists = entry.frame().0 < cpu.bus().memory.frames();
        if !entry.has(Flags::PRESENT.union(Flags::WRITABLE)) || entry.has(Flags::HUGE_PAGE) || !exists {
            return Err(NoTable);
        }
        Ok(entry.frame())
    });
    found.ok()
}
