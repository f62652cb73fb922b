//! The ways to a page: every translation that a CPU may use, or may make at any time. For the checks that hold all of them
//! against each other.
//!
//! Whose addresses they are for does not matter here, nor that an alias was unmapped.

use machine::paging::WORDS;
use machine::tlb::memory_type;
use machine::{Bus, Flags, Frame};

use super::translations::{Seen, below, frames_behind, roots, usable};

/// A translation: in the TLB of a CPU, or in the tables, at an address.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The CPU that may use it.
    pub cpu: u8,
    /// The address.
    pub va: u64,
    /// Whether it is in a TLB.
    pub cached: bool,
    /// Writable and no-execute, combined over the levels.
    pub flags: Flags,
    /// The memory type, as an index into the page-attribute table.
    pub memory_type: u8,
}

impl Way {
    /// Words for people.
    pub fn describe(&self) -> String {
        let Self { cpu, va, .. } = self;
        if self.cached {
            format!("the TLB of c{cpu} leads there from {va:#x}")
        } else {
            format!("the tables lead there from {va:#x}")
        }
    }
}

/// What a translation leads to, and what it allows.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    first: Frame,
    pages: u32,
    /// Writable and no-execute, combined over the levels.
    pub flags: Flags,
}

impl Reach {
    fn of(frame: Frame, level: u8, flags: Flags) -> Self {
        let (first, pages) = if level == 1 { (frame, 1) } else { (frame.large(), WORDS as u32) };
        Self { first, pages, flags }
    }

    /// Whether it leads to a frame too.
    #[inline]
    pub fn has(&self, frame: Frame) -> bool {
        frame.0.wrapping_sub(self.first.0) < self.pages
    }
}

/// Whether this holds of any translation that a CPU may use or make: every way that [`each`] tells of is among them, whatever
/// frame it is asked for.
pub fn any(bus: &Bus, mut holds: impl FnMut(Reach) -> bool) -> bool {
    let cached = (0..bus.cpus()).any(|cpu| {
        let (core, tlb) = (bus.core(cpu), bus.core(cpu).tlb());
        let mut leaves = tlb.leaves().iter().filter(|leaf| usable(core, leaf));
        leaves.any(|leaf| holds(Reach::of(leaf.frame, leaf.level, leaf.flags)))
    });
    let mut made = |seen: &Seen| {
        let reach = Reach::of(seen.entry.frame(), seen.level, seen.flags);
        (seen.is_leaf() && holds(reach)).then_some(())
    };
    cached || roots(bus).any(|(_, root)| below(bus, root, &mut made).is_some())
}

/// Tells of every way to a frame, those by TLBs before those by tables.
pub fn each(bus: &Bus, frame: Frame, mut tell: impl FnMut(Way)) {
    let offset = |first: Frame| u64::from(frame.0.wrapping_sub(first.0)) << 12;
    for cpu in 0..bus.cpus() {
        let core = bus.core(cpu);
        for leaf in core.tlb().leaves().iter().filter(|leaf| usable(core, leaf)) {
            if frames_behind(bus, leaf.frame, leaf.level).any(|behind| behind == frame) {
                let (va, memory_type) = (leaf.va + offset(leaf.frame), leaf.memory_type);
                tell(Way { cpu, va, cached: true, flags: leaf.flags, memory_type });
            }
        }
    }
    for (cpu, root) in roots(bus) {
        below(bus, root, |seen| {
            if seen.is_leaf() && seen.entry.frame_at(u64::from(frame.0) << 12, seen.level) == frame {
                let va = seen.va + offset(seen.entry.frame_at(0, seen.level));
                let memory_type = memory_type(seen.entry, seen.level);
                tell(Way { cpu, va, cached: false, flags: seen.flags, memory_type });
            }
            None::<()>
        });
    }
}
