//! How the checks hear of a story: each is told when a call begins and when it ends, and when all stands still. Each holds its own
//! state and knows the operations that its rule is about; the one who tells them knows none.

use core::fmt;

use impls::protocol::Designs;
use machine::{Bus, Frame};
use oracle::Reference;
use oracle::vocabulary::{Call, MAX_PAGES, Mode, Named, Outcome, Use};

use super::{
    Breach, acknowledged, drain, hypervisor, loaded, memory_types, permissions, pins, range_reuse,
    user_memory,
};

/// What can be seen of a backend at one moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The machine.
    pub bus: &'a Bus,
    /// The root that the CPUs begin on, under which the kernel's own tables are.
    pub boot_root: Frame,
    /// How the kernel is built.
    pub designs: &'a Designs,
    /// Whether a page table may have no alias that could write to it.
    pub no_alias: bool,
    /// The first frame that no narrow device reaches, if there is one.
    pub device_limit: Option<u32>,
    /// What callers may find, as the story and the answers so far have it.
    pub reference: &'a Reference,
    /// Where the pages lie in an address space that stories name by numbers; none where the kernel has no user memory.
    pub user_pages: &'a [u64],
    /// The other calls under way.
    pub under_way: &'a [Option<Flight>],
    /// Something else ran beside the call that began last.
    pub overlapped: bool,
}

impl View<'_> {
    /// Whether no call is under way.
    pub fn is_still(&self) -> bool {
        self.under_way.iter().all(Option::is_none)
    }
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
pub struct Flight {
    /// The event that it is told in.
    pub event: u16,
    /// What was asked.
    pub call: Call,
    /// On which CPU; or the device.
    pub cpu: u8,
    /// When it began, and when it ended: each begin and end is later than all before.
    pub began: u32,
    /// 0 while it is under way.
    pub ended: u32,
    /// The frames behind what it names: behind pages, those of lists in their order; behind a mapping, those that it was made of.
    /// At the end of a call that made a mapping, the frames behind that.
    frames: [Frame; MAX_PAGES],
    known: u8,
}

impl Flight {
    /// A call that begins, with nothing behind what it names.
    pub fn new(event: u16, call: Call, cpu: u8, began: u32) -> Self {
        Self { event, call, cpu, began, ended: 0, frames: [Frame(0); MAX_PAGES], known: 0 }
    }

    /// The frames behind what it names.
    pub fn frames(&self) -> &[Frame] {
        &self.frames[..usize::from(self.known)]
    }

    /// This frame is behind what it names too. More than it may have are left off.
    pub fn has_frame(&mut self, frame: Frame) {
        if let Some(place) = self.frames.get_mut(usize::from(self.known)) {
            *place = frame;
            self.known += 1;
        }
    }

    /// These are the frames behind what it names, and no others.
    pub fn has_frames(&mut self, frames: impl IntoIterator<Item = Frame>) {
        self.known = 0;
        frames.into_iter().for_each(|frame| self.has_frame(frame));
    }

    /// The thing that it makes.
    pub fn makes(&self) -> Option<Named> {
        let mut made = None;
        self.call.operation.each_use(|Use { named, mode }| {
            if matches!(mode, Mode::New(_)) {
                made = Some(named);
            }
        });
        made
    }
}

/// A check that hears of a story.
pub trait Check: fmt::Debug {
    /// A story begins on a backend: all of before is forgotten.
    fn clear(&mut self) {}

    /// A call begins, before its first effect.
    fn begins(&mut self, _view: &View<'_>, _flight: &Flight) {}

    /// A call returned this. It is under way no more.
    fn ends(&mut self, view: &View<'_>, flight: &Flight, outcome: Outcome) -> Option<Breach>;

    /// The story is over, and nothing is under way.
    fn rest(&mut self, _view: &View<'_>) -> Option<Breach> {
        None
    }
}

/// Every check that hears of stories, in the order in which they are asked.
pub fn all() -> Vec<Box<dyn Check>> {
    vec![
        Box::<drain::Drains>::default(),
        Box::new(range_reuse::Ranges),
        Box::new(hypervisor::Entries),
        Box::new(acknowledged::Updates),
        Box::<loaded::LoadedMms>::default(),
        Box::<permissions::Promises>::default(),
        Box::<memory_types::MemoryTypes>::default(),
        Box::<user_memory::UserMemory>::default(),
        Box::<pins::Pins>::default(),
        Box::new(hypervisor::Translations),
    ]
}
