//! The books, closed: are the references that are counted those that the tables, pins and base pointers stand for, and
//! is anything held that should not be? Reads memory while no CPU runs, and changes nothing.

use super::Hypervisor;
use super::domain::{HEAP, HYPERVISOR_FRAMES, present_entries};
use super::type_info::{CountInfo, PageType};
use super::validation::held_type;
use machine::{Bus, Frame};

/// References to one frame.
#[derive(Clone, Copy, Default)]
struct Held {
    total: u32,
    typed: u32,
}

impl Hypervisor {
    /// Where the counts differ from what is there to be counted; empty if nowhere.
    pub fn audit(&self, bus: &Bus) -> Vec<String> {
        let frames = || (HYPERVISOR_FRAMES..bus.memory.frames()).map(Frame);
        let mut expected = vec![Held::default(); bus.memory.frames() as usize];
        let mut hold = |frame: Frame, page_type: PageType| {
            expected[frame.index()].total += 1;
            expected[frame.index()].typed += u32::from(page_type != PageType::None);
        };
        for frame in frames() {
            let info = self.frames.type_now(bus, frame);
            let PageType::Table(level) = info.page_type() else { continue };
            if info.pinned() {
                hold(frame, info.page_type());
            }
            if info.count() > 0 && info.validated() {
                for entry in present_entries(bus, frame) {
                    if let Some(page_type) = held_type(entry, level) {
                        hold(entry.frame(), page_type);
                    }
                }
            }
        }
        if self.boot_root.get().is_some() {
            (0..bus.cpus()).for_each(|cpu| hold(bus.core(cpu).cr3().root, PageType::Table(4)));
        }
        let mut wrong = Vec::new();
        for frame in frames() {
            let Held { total, typed } = expected[frame.index()];
            let count = self.frames.count_now(bus, frame).count();
            let info = self.frames.type_now(bus, frame);
            if count != total + allocations(bus, frame) {
                wrong.push(format!(
                    "the references to a frame are miscounted: {frame} has {count}, with its allocation, and is held {total} times"
                ));
            }
            if info.count() != typed {
                let (counted, page_type) = (info.count(), info.page_type());
                wrong.push(format!(
                    "the type of a frame is miscounted: {frame} is counted {counted} times as {page_type}, and held {typed} times"
                ));
            }
            if info.count() > 0 && !info.validated() {
                wrong.push(format!(
                    "a table is neither validated nor given up: {frame} as {}",
                    info.page_type()
                ));
            }
        }
        wrong
    }

    /// What is still held when the guest has torn everything down: the root that it started on may be, and what its first
    /// tables lead to, by them alone. Nothing else.
    pub fn leftovers(&self, bus: &Bus) -> Vec<String> {
        let mut left = self.audit(bus);
        let mut at_boot = vec![0; bus.memory.frames() as usize];
        self.held_at_boot.borrow().iter().for_each(|frame| at_boot[frame.index()] += 1);
        for frame in (HYPERVISOR_FRAMES..bus.memory.frames()).map(Frame) {
            let (info, total) = (self.type_info(bus, frame), self.count_info(bus, frame).count());
            if self.boot_root.get() == Some(frame) {
                continue;
            }
            let by_boot: u32 = at_boot[frame.index()];
            if info.count() > by_boot {
                left.push(format!(
                    "the type of a frame is still held: {frame} {} times as {}",
                    info.count(),
                    info.page_type()
                ));
            }
            if info.pinned() {
                left.push(format!("a table is still pinned: {frame}"));
            }
            if total > allocations(bus, frame) + by_boot {
                left.push(format!(
                    "a frame is still referred to: {frame} {total} times, with its allocation"
                ));
            }
        }
        left
    }
}

/// References that allocation stands for: one, but for a frame of the heap.
fn allocations(bus: &Bus, frame: Frame) -> u32 {
    if bus.memory.owner(frame) == HEAP { 0 } else { CountInfo::ALLOCATED.count() }
}
