//! Which owner has which memory, and how the guest finds the world when it starts (the domain builder).

use super::Hypervisor;
use super::type_info::{PageType, TypeInfo};
use super::validation::held_type;
use crate::sizes::Sizes;
use machine::paging::LEVELS;
use machine::{Bus, Entry, Frame, Role};

/// Owner of the frames of the guest under test.
pub const GUEST: u8 = 0;
/// Owner of the frames of another guest, which runs on a processor of its own.
pub const OTHER_GUEST: u8 = 1;
/// Owner of the hypervisor's own frames.
pub const HYPERVISOR: u8 = 255;

/// Owner of the frames of the heap, which belong to no domain.
pub const HEAP: u8 = 254;

/// Frames that the hypervisor keeps for itself: the first of the machine.
pub const HYPERVISOR_FRAMES: u32 = 4;
/// Frames of the other guest, which come next.
pub const OTHER_FRAMES: u32 = 5;

/// The first frame of the heap when the machine starts, and the number of its frames: few, so that buffers run out of them.
pub(super) const FIRST_LOW: u32 = HYPERVISOR_FRAMES + OTHER_FRAMES;
const LOW_FRAMES: u32 = 3;

/// The first machine frame of the guest, and the first that devices do not reach.
pub const DEVICE_LIMIT: u32 = FIRST_LOW + LOW_FRAMES;
const FIRST: u32 = DEVICE_LIMIT;

/// How far apart the machine frames of neighbours are; it has no factor in common with any size.
const STRIDE: u32 = 29;

/// Frames of a machine with a guest of this size on it.
pub const fn machine_frames(sizes: Sizes) -> u32 {
    FIRST + sizes.frames()
}

/// The machine frame of each of the guest's frames, in their order. The two numbers always differ, so a kernel that takes
/// one for the other reaches the memory of another page.
pub fn frame_list(sizes: Sizes) -> impl Iterator<Item = Frame> {
    let frames = sizes.frames();
    let mut place = 1;
    (0..frames).map(move |_| {
        let frame = Frame(FIRST + place);
        place += STRIDE;
        if place >= frames {
            place -= frames;
        }
        frame
    })
}

impl Hypervisor {
    /// Hands out all memory.
    pub(super) fn hand_out_memory(&self, bus: &Bus) {
        for number in 0..FIRST {
            let owner = match number {
                0..HYPERVISOR_FRAMES => HYPERVISOR,
                HYPERVISOR_FRAMES..FIRST_LOW => OTHER_GUEST,
                _ => HEAP,
            };
            bus.memory.set_owner(Frame(number), owner);
            bus.memory.set_role(Frame(number), Role::Foreign);
        }
        self.frames.allocate_at_boot(bus, HYPERVISOR_FRAMES..FIRST_LOW);
        self.frames.allocate_at_boot(bus, FIRST..bus.memory.frames());
    }

    /// Takes the tables that the guest starts on as they are: the root is pinned, and the base pointer of every CPU.
    pub fn adopt_tables(&self, bus: &Bus, root: Frame, tables: impl Iterator<Item = (Frame, u8)>) {
        for (frame, level) in tables {
            bus.memory.set_role(frame, Role::Table(level));
            let base_pointers = if frame == root { u32::from(bus.cpus()) + 1 } else { 0 };
            for _ in 0..base_pointers {
                self.hold_at_boot(bus, frame, PageType::Table(LEVELS));
            }
            for entry in present_entries(bus, frame) {
                if let Some(page_type) = held_type(entry, level) {
                    self.hold_at_boot(bus, entry.frame(), page_type);
                }
            }
        }
        let var = self.frames.type_info(root);
        bus.memory.set_value(var, TypeInfo(bus.memory.value(var)).with_pin(true).0);
        self.boot_root.set(Some(root));
    }

    fn hold_at_boot(&self, bus: &Bus, frame: Frame, page_type: PageType) {
        assert_eq!(
            bus.memory.owner(frame),
            GUEST,
            "{frame} is none of the guest's, but its first tables lead to it"
        );
        self.held_at_boot.borrow_mut().push(frame);
        let count = self.frames.count_info(frame);
        bus.memory.set_value(count, bus.memory.value(count) + 1);
        if page_type == PageType::None {
            return;
        }
        let var = self.frames.type_info(frame);
        let info = TypeInfo(bus.memory.value(var));
        let held = match info.count() {
            0 => TypeInfo::unvalidated(page_type, 0).with_validation(),
            _ => info.taken(),
        };
        assert_eq!(held.page_type(), page_type, "{frame} in the guest's first tables");
        bus.memory.set_value(var, held.0);
    }
}

/// The present entries of a table, as they stand in memory.
pub(super) fn present_entries(bus: &Bus, table: Frame) -> impl Iterator<Item = Entry> {
    bus.memory.non_zero(table).map(|(_, value)| Entry(value)).filter(|entry| entry.present())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_frame_of_the_guest_is_what_it_seems_and_none_is_given_out_twice() {
        for sizes in Sizes::ALL {
            let frames: Vec<_> = frame_list(sizes).collect();
            assert_eq!(
                frames.iter().collect::<BTreeSet<_>>().len(),
                sizes.frames() as usize,
                "{}",
                sizes.name()
            );
            assert!(frames.iter().all(|frame| (FIRST..machine_frames(sizes)).contains(&frame.0)));
            let same = frames.iter().enumerate().find(|(pfn, frame)| *pfn == frame.index());
            assert_eq!(same, None, "{}", sizes.name());
        }
    }
}
