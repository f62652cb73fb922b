//! Changing one entry of a table: the references move with it (`mod_l1_entry` and upwards).
//!
//! The hypervisor takes the references of the new entry before the store and drops those of the old one after it. So it
//! holds what the tables lead to at every moment. In the other order another CPU makes a table of a page that can still be
//! written to:
//!
//! ```text
//!   c0 clears an entry                    c1 pins the page that it leads to
//!   drops the page's last reference
//!                                         type: L1, all have flushed, validated
//!   (a walker comes by the entry once more)
//!   store
//!                                         a CPU that cached it can write the table
//! ```
//!
//! The hypervisor also reads the clock for the dropped reference after the store, because a time from before it is too
//! early:
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

/// The bits that the hardware sets by itself.
const HARDWARE: u64 = Flags::ACCESSED.bits() | Flags::DIRTY.bits();

/// What happens to accessed and dirty bits that the hardware has set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessedDirty {
    /// They become what the new entry says (`MMU_NORMAL_PT_UPDATE`).
    AsGiven,
    /// Those that the hardware set stay set (`MMU_PT_UPDATE_PRESERVE_AD`).
    Preserve,
}

/// How the hypervisor reaches an entry of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// By the frame of the table, and the place within it.
    Frame(u16),
    /// By the linear mapping: the lowest-level entry of this address. The caller keeps the mapping as it is meanwhile.
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
        // The bit that makes an upper entry a large leaf is a flag too. If a change of that bit alone passed
        // unchecked, the guest would map everything beside its table (XSA-148).
        let large = level > 1 && new.has(Flags::HUGE_PAGE) && self.protocol.does(Step::ValidateLargeLeaves);
        if old.frame() == new.frame() && held_type(old, level) == held_type(new, level) && !large {
            // The same references, with other flags.
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

    /// Replaces an entry under the lock of its table. For an upper entry, makes every CPU forget the linear mapping too.
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
        // No CPU has cached an entry that was not present.
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

/// Replaces an entry. Only the hardware can change it meanwhile, and it sets two bits at most:
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
