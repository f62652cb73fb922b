//! Closes the books: do the counts match the references of tables, pins and base pointers, and is any frame held that
//! should not be? Reads memory while no CPU runs, and changes nothing.

use super::Hypervisor;
use super::domain::{HEAP, HYPERVISOR_FRAMES, present_entries};
use super::type_info::{CountInfo, PageType, TypeInfo};
use super::validation::held_type;
use machine::{Bus, Frame};

/// Room for the frames that are in use at the end of most stories.
const MOST_IN_USE: usize = 64;

/// The references to one frame.
#[derive(Clone, Copy)]
struct Held {
    frame: Frame,
    total: u32,
    typed: u32,
    /// References of the tables that the guest started on; those stay.
    at_boot: u32,
    /// It lies in the heap, without an owner.
    in_heap: bool,
}

impl Held {
    /// Allocated, and held by nothing else.
    const fn by_nothing(frame: Frame) -> Self {
        Self { frame, total: 0, typed: 0, at_boot: 0, in_heap: false }
    }

    /// The references for its allocation: one, or none for a frame of the heap.
    const fn allocations(&self) -> u32 {
        if self.in_heap { 0 } else { CountInfo::ALLOCATED.count() }
    }
}

/// The references to each frame in use, in the order of the frames. The hypervisor's own frames are not in the books.
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

    /// Enters one reference.
    fn hold(&mut self, frame: Frame, page_type: PageType) {
        if frame.0 >= HYPERVISOR_FRAMES {
            let held = self.of(frame);
            held.total += 1;
            held.typed += u32::from(page_type != PageType::None);
        }
    }
}

impl Hypervisor {
    /// Where the counts differ from the references that exist; empty if they agree.
    pub fn audit(&self, bus: &Bus) -> Vec<String> {
        self.closed_books(bus, false)
    }

    /// The same after the guest has torn everything down, and what is still held then. The root that the guest started on
    /// may be held, and so may the frames that its first tables lead to, by those tables alone.
    pub fn leftovers(&self, bus: &Bus) -> Vec<String> {
        let mut left = self.closed_books(bus, true);
        if self.direct.tables_in_use() != 0 {
            left.push("the hypervisor's own mapping of memory is still split".to_owned());
        }
        left
    }

    /// Miscounts come first: what is left over may follow from them.
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

    /// What the tables, pins and base pointers hold, what lies in the heap, and which other frames are in use.
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
        // A frame with an owner was touched.
        for frame in bus.memory.touched().iter().filter(|frame| bus.memory.owner(**frame) == HEAP) {
            books.of(*frame).in_heap = true;
        }
        books
    }
}

/// Where the words of a frame contradict what holds it.
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

/// The references to a frame that should have none.
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
