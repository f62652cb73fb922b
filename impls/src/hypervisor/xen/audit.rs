//! The books, closed: are the references that are counted those that the tables, pins and base pointers stand for, and
//! is anything held that should not be? Reads memory while no CPU runs, and changes nothing.

use super::Hypervisor;
use super::domain::{HEAP, HYPERVISOR_FRAMES, present_entries};
use super::type_info::{CountInfo, PageType, TypeInfo};
use super::validation::held_type;
use machine::{Bus, Frame};

/// What holds one frame.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Held {
    frame: Frame,
    total: u32,
    typed: u32,
    /// By the tables that the guest started on, which stay.
    at_boot: u32,
    /// It is in the heap, allocated to nobody.
    in_heap: bool,
}

impl Held {
    /// Allocated, and held by nothing.
    const fn by_nothing(frame: Frame) -> Self {
        Self { frame, total: 0, typed: 0, at_boot: 0, in_heap: false }
    }

    /// References that allocation stands for: one, but for a frame of the heap.
    const fn allocations(&self) -> u32 {
        if self.in_heap { 0 } else { CountInfo::ALLOCATED.count() }
    }

    fn add(&mut self, more: &Self) {
        self.total += more.total;
        self.typed += more.typed;
        self.at_boot += more.at_boot;
        self.in_heap |= more.in_heap;
    }
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
        let books = self.held(bus);
        let mut books = books.iter();
        let mut next = books.next();
        let mut wrong = Vec::new();
        for (frame, info, count) in self.frames.all_now(bus, HYPERVISOR_FRAMES) {
            let held = next.filter(|held| held.frame == frame);
            // The usual case: the guest has it, and uses it for nothing.
            if held.is_none() && info == TypeInfo::NONE && count == CountInfo::ALLOCATED {
                continue;
            }
            if held.is_some() {
                next = books.next();
            }
            let held = held.copied().unwrap_or(Held::by_nothing(frame));
            miscounted(&mut wrong, info, count.count(), &held);
            if torn_down && self.boot_root.get() != Some(frame) {
                left(&mut wrong, info, count.count(), &held);
            }
        }
        wrong
    }

    /// What the tables, pins and base pointers hold, and what is in the heap, in the order of the frames. The hypervisor's
    /// own frames are not in the books.
    fn held(&self, bus: &Bus) -> Vec<Held> {
        let mut books = Vec::new();
        let mut enter = |held: Held| {
            if held.frame.0 >= HYPERVISOR_FRAMES {
                books.push(held);
            }
        };
        let by = |frame, page_type| {
            let typed = u32::from(page_type != PageType::None);
            Held { total: 1, typed, ..Held::by_nothing(frame) }
        };
        for (frame, info, _) in self.frames.all_now(bus, HYPERVISOR_FRAMES) {
            if info == TypeInfo::NONE {
                continue;
            }
            let PageType::Table(level) = info.page_type() else { continue };
            if info.pinned() {
                enter(by(frame, info.page_type()));
            }
            if info.count() > 0 && info.validated() {
                for entry in present_entries(bus, frame) {
                    if let Some(page_type) = held_type(entry, level) {
                        enter(by(entry.frame(), page_type));
                    }
                }
            }
        }
        if self.boot_root.get().is_some() {
            (0..bus.cpus()).for_each(|cpu| enter(by(bus.core(cpu).cr3().root, PageType::Table(4))));
        }
        let at_boot = |frame: &Frame| Held { at_boot: 1, ..Held::by_nothing(*frame) };
        self.held_at_boot.borrow().iter().map(at_boot).for_each(&mut enter);
        let in_heap = |frame: &Frame| Held { in_heap: true, ..Held::by_nothing(*frame) };
        let touched = bus.memory.touched();
        touched.iter().filter(|frame| bus.memory.owner(**frame) == HEAP).map(in_heap).for_each(&mut enter);
        books.sort_unstable_by_key(|held| held.frame);
        books.dedup_by(|more, held| {
            let same = more.frame == held.frame;
            if same {
                held.add(more);
            }
            same
        });
        books
    }
}

/// Where the words of a frame say something else than what holds it.
fn miscounted(wrong: &mut Vec<String>, info: TypeInfo, count: u32, held: &Held) {
    let Held { frame, total, typed, .. } = *held;
    if count != total + held.allocations() {
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
fn left(wrong: &mut Vec<String>, info: TypeInfo, count: u32, held: &Held) {
    let frame = held.frame;
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
    if count > held.allocations() + held.at_boot {
        wrong.push(format!("a frame is still referred to: {frame} {count} times, with its allocation"));
    }
}
