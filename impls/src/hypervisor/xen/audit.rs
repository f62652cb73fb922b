//! The books, closed: are the references that are counted those that the tables, pins and base pointers stand for, and
//! is anything held that should not be? Reads memory while no CPU runs, and changes nothing.

use super::Hypervisor;
use super::domain::{HEAP, HYPERVISOR_FRAMES, present_entries};
use super::type_info::{CountInfo, PageType, TypeInfo};
use super::validation::held_type;
use machine::{Bus, Frame};

/// Room for the frames that are in use at the end of most stories.
const MOST_IN_USE: usize = 64;

/// What holds one frame.
#[derive(Clone, Copy)]
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
}

/// What holds each frame that is in use, in the order of the frames. The hypervisor's own are not in the books.
struct Books(Vec<Held>);

impl Books {
    fn of(&mut self, frame: Frame) -> &mut Held {
        let place = self.0.binary_search_by_key(&frame, |held| held.frame);
        let place = place.unwrap_or_else(|place| {
            self.0.insert(place, Held::by_nothing(frame));
            place
        });
        &mut self.0[place]
    }

    /// A reference is found.
    fn hold(&mut self, frame: Frame, page_type: PageType) {
        if frame.0 >= HYPERVISOR_FRAMES {
            let held = self.of(frame);
            held.total += 1;
            held.typed += u32::from(page_type != PageType::None);
        }
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

    /// What is miscounted comes before what is left: it may be left for that.
    fn closed_books(&self, bus: &Bus, torn_down: bool) -> Vec<String> {
        let (mut wrong, mut still_held) = (Vec::new(), Vec::new());
        for held in self.held(bus).0 {
            let frame = held.frame;
            let (info, count) = (self.frames.type_now(bus, frame), self.frames.count_now(bus, frame).count());
            miscounted(&mut wrong, info, count, &held);
            if torn_down && self.boot_root.get() != Some(frame) {
                left(&mut still_held, info, count, &held);
            }
        }
        wrong.append(&mut still_held);
        wrong
    }

    /// What the tables, pins and base pointers hold, what is in the heap, and whatever else is in use.
    fn held(&self, bus: &Bus) -> Books {
        let mut in_use = Vec::with_capacity(MOST_IN_USE);
        in_use.extend(self.frames.in_use_now(bus, HYPERVISOR_FRAMES));
        let mut books = Books(in_use.iter().map(|(frame, _)| Held::by_nothing(*frame)).collect());
        for (frame, info) in in_use {
            let PageType::Table(level) = info.page_type() else { continue };
            if info.pinned() {
                books.hold(frame, info.page_type());
            }
            if info.count() > 0 && info.validated() {
                for entry in present_entries(bus, frame) {
                    if let Some(page_type) = held_type(entry, level) {
                        books.hold(entry.frame(), page_type);
                    }
                }
            }
        }
        if self.boot_root.get().is_some() {
            (0..bus.cpus()).for_each(|cpu| books.hold(bus.core(cpu).cr3().root, PageType::Table(4)));
        }
        self.held_at_boot.borrow().iter().for_each(|frame| books.of(*frame).at_boot += 1);
        // Who has an owner was touched.
        for frame in bus.memory.touched().iter().filter(|frame| bus.memory.owner(**frame) == HEAP) {
            books.of(*frame).in_heap = true;
        }
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
