//! The books, closed: are the references that are counted those that the tables, pins and base pointers stand for, and
//! is anything held that should not be? Reads memory while no CPU runs, and changes nothing.

use super::Hypervisor;
use super::domain::{HEAP, HYPERVISOR_FRAMES, present_entries};
use super::type_info::{CountInfo, PageType, TypeInfo};
use super::validation::held_type;
use machine::{Bus, Frame};

/// References to one frame.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Held {
    total: u32,
    typed: u32,
    /// By the tables that the guest started on, which stay.
    at_boot: u32,
}

impl Hypervisor {
    /// Where the counts differ from what is there to be counted; empty if nowhere.
    pub fn audit(&self, bus: &Bus) -> Vec<String> {
        self.closed_books(bus, false)
    }

    /// The same when the guest has torn everything down, and what is still held then: the root that it started on may be,
    /// and what its first tables lead to, by them alone. Nothing else.
    pub fn leftovers(&self, bus: &Bus) -> Vec<String> {
        let mut left = self.closed_books(bus, true);
        if self.direct.tables_in_use() != 0 {
            left.push("the hypervisor's own mapping of memory is still split".to_owned());
        }
        left
    }

    fn closed_books(&self, bus: &Bus, torn_down: bool) -> Vec<String> {
        let held = self.held(bus);
        let mut wrong = Vec::new();
        for frame in frames(bus) {
            let held = held[frame.index()];
            let (info, count) = (self.frames.type_now(bus, frame), self.frames.count_now(bus, frame).count());
            let allocations = allocations(bus, frame);
            if held == Held::default() && info == TypeInfo::NONE && count == allocations {
                continue;
            }
            miscounted(&mut wrong, frame, info, (count, allocations), held);
            if torn_down && self.boot_root.get() != Some(frame) {
                left(&mut wrong, frame, info, (count, allocations), held);
            }
        }
        wrong
    }

    /// What the tables, pins and base pointers hold.
    fn held(&self, bus: &Bus) -> Vec<Held> {
        let mut books = vec![Held::default(); bus.memory.frames() as usize];
        let mut hold = |frame: Frame, page_type: PageType| {
            books[frame.index()].total += 1;
            books[frame.index()].typed += u32::from(page_type != PageType::None);
        };
        for frame in frames(bus) {
            let info = self.frames.type_now(bus, frame);
            if info == TypeInfo::NONE {
                continue;
            }
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
        self.held_at_boot.borrow().iter().for_each(|frame| books[frame.index()].at_boot += 1);
        books
    }
}

fn frames(bus: &Bus) -> impl Iterator<Item = Frame> + use<> {
    (HYPERVISOR_FRAMES..bus.memory.frames()).map(Frame)
}

/// Where the words of a frame say something else than what holds it.
fn miscounted(
    wrong: &mut Vec<String>,
    frame: Frame,
    info: TypeInfo,
    (count, allocations): (u32, u32),
    held: Held,
) {
    let Held { total, typed, .. } = held;
    if count != total + allocations {
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
        wrong.push(format!("a table is neither validated nor given up: {frame} as {}", info.page_type()));
    }
}

/// What holds a frame although nothing should.
fn left(wrong: &mut Vec<String>, frame: Frame, info: TypeInfo, (count, allocations): (u32, u32), held: Held) {
    if info.count() > held.at_boot {
        wrong.push(format!(
            "the type of a frame is still held: {frame} {} times as {}",
            info.count(),
            info.page_type()
        ));
    }
    if info.pinned() {
        wrong.push(format!("a table is still pinned: {frame}"));
    }
    if count > allocations + held.at_boot {
        wrong.push(format!("a frame is still referred to: {frame} {count} times, with its allocation"));
    }
}

/// References that allocation stands for: one, but for a frame of the heap.
fn allocations(bus: &Bus, frame: Frame) -> u32 {
    if bus.memory.owner(frame) == HEAP { 0 } else { CountInfo::ALLOCATED.count() }
}
