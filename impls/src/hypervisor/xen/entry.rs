//! Changing one entry of a table: the references move with it (`mod_l1_entry` and upwards).
//!
//! The new entry's are taken before it is stored, the old entry's dropped after: at every moment what the tables lead
//! to is held. In the other order somebody makes a table of what can still be written to:
//!
//! ```text
//!   c0 clears an entry                    c1 pins the page that it leads to
//!   drops the page's last reference
//!                                         type: L1, all have flushed, validated
//!   (a walker comes by the entry once more)
//!   store
//!                                         whoever cached it can write the table
//! ```
//!
//! Nor is the time at which the reference goes read before the store, although it is needed only then:
//!
//! ```text
//!   c0 clears an entry                    c1
//!   clock: 5
//!                                         flushes, at 6
//!                                         (a walker brings the entry back)
//!   store
//!   the last reference goes: stamp 5
//!                                         flushed later than 5: still has it, and is not asked
//! ```

use super::Hypervisor;
use super::linear::LinearMap;
use super::refusal::Refusal;
use super::table_lock::LockedTable;
use super::validation::held_type;
use crate::protocol::Step;
use machine::{Cpu, Entry, Family, Flags, Word};

/// What the hardware sets by itself.
const HARDWARE: u64 = Flags::ACCESSED.bits() | Flags::DIRTY.bits();

/// What becomes of the accessed and dirty bits that the hardware has set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessedDirty {
    /// The new entry says it (`MMU_NORMAL_PT_UPDATE`).
    AsGiven,
    /// What was set stays set (`MMU_PT_UPDATE_PRESERVE_AD`).
    Preserve,
}

/// How an entry of a table is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// By the frame of the table, and the place within it.
    Frame(u16),
    /// By the linear mapping: the lowest-level entry of this address. The mapping is kept as it is meanwhile.
    LinearMap(u64),
}

impl Hypervisor {
    /// Changes an entry of a locked table.
    #[track_caller]
    pub(super) fn change_entry(
        &self,
        cpu: &Cpu<'_>,
        table: &LockedTable<'_>,
        by: By,
        new: Entry,
        bits: AccessedDirty,
    ) -> Result<(), Refusal> {
        let level = table.level;
        let old = load(cpu, table, by)?;
        // The bit that makes a leaf of an upper entry is a flag too. Changed by itself it would be looked at by nobody, and
        // the guest would have a mapping of everything beside its table (XSA-148).
        let large = level > 1 && new.has(Flags::HUGE_PAGE) && self.protocol.does(Step::ValidateLargeLeaves);
        if old.frame() == new.frame() && held_type(old, level) == held_type(new, level) && !large {
            // The same references, under other flags.
            return self.exchange(cpu, table, by, old, new, bits);
        }
        self.get_entry(cpu, new, level)?;
        let drops_last = self.protocol.does(Step::DropAfterStore);
        if !drops_last {
            self.put_entry_at(cpu, old, level, table.since);
        }
        let exchanged = self.exchange(cpu, table, by, old, new, bits);
        if exchanged.is_err() {
            self.put_entry(cpu, new, level);
        } else if drops_last {
            self.put_entry_at(cpu, old, level, table.since);
        }
        exchanged
    }

    /// Replaces an entry under the lock of its table; if it is an upper one, for the linear mapping too.
    #[track_caller]
    fn exchange(
        &self,
        cpu: &Cpu<'_>,
        table: &LockedTable<'_>,
        by: By,
        old: Entry,
        new: Entry,
        bits: AccessedDirty,
    ) -> Result<(), Refusal> {
        // What was not present is cached nowhere.
        if table.level > 1 && old.present() {
            self.change_upper(cpu, || exchange(cpu, table, by, old, new, bits))
        } else {
            exchange(cpu, table, by, old, new, bits)
        }
    }
}

fn load(cpu: &Cpu<'_>, table: &LockedTable<'_>, by: By) -> Result<Entry, Refusal> {
    match by {
        By::Frame(index) => {
            let word = Word { frame: table.frame, index };
            Ok(Entry(cpu.load_word(word, Family::of_level(table.level))))
        }
        By::LinearMap(va) => LinearMap::load(cpu, va).map_err(|_| Refusal::NoLowestTable { va }),
    }
}

/// Replaces an entry. Nobody but the hardware can change it meanwhile, and that sets two bits at most:
///
/// ```text
///   c0 replaces an entry, bits preserved  c1's walker
///   load: present
///                                         sets D, caches the leaf, writes through it
///   plain store: D is lost, and with it the news that the page was written
/// ```
#[track_caller]
fn exchange(
    cpu: &Cpu<'_>,
    table: &LockedTable<'_>,
    by: By,
    old: Entry,
    new: Entry,
    bits: AccessedDirty,
) -> Result<(), Refusal> {
    let mut expected = old.0;
    loop {
        let kept = match bits {
            AccessedDirty::Preserve if new.present() => expected & HARDWARE,
            _ => 0,
        };
        let wanted = new.0 | kept;
        let change = |now| (now == expected).then_some(wanted);
        let found = match by {
            By::Frame(index) => {
                let word = Word { frame: table.frame, index };
                cpu.update_word(word, Family::of_level(table.level), change)
            }
            By::LinearMap(va) => {
                LinearMap::update(cpu, va, change).map_err(|_| Refusal::NoLowestTable { va })?
            }
        };
        if found == expected {
            return Ok(());
        }
        if (found ^ expected) & !HARDWARE != 0 {
            cpu.bug("an entry changed under the lock of its table");
        }
        expected = found;
    }
}
