//! The registers and queues of one CPU.

use crate::broadcast::Broadcast;
use crate::paging::Frame;
use crate::point::Pause;
use crate::store_buffer::StoreBuffer;
use crate::tlb::Tlb;
use crate::wait::Wait;
use std::cell::{Cell, RefCell};

/// Levels of privilege at which code runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Level {
    /// The kernel under test, and the code above it.
    Guest = 0,
    /// The hypervisor beneath it. It interrupts the guest whatever the guest's interrupt flag says.
    Hypervisor = 1,
}

/// User or supervisor mode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Supervisor: needs no user bit.
    Kernel,
    /// User: every level must have the user bit set.
    User,
}

/// What CR3 holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cr3 {
    /// The root table.
    pub root: Frame,
    /// The process-context identifier.
    pub pcid: u16,
}

/// An interrupt on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Interrupt {
    /// The CPU that sent it.
    pub from: u8,
    /// The software's number for it.
    pub vector: u8,
    /// Which level takes it.
    pub level: Level,
}

/// One CPU's own state.
#[derive(Debug)]
pub struct Core {
    /// Points passed by the running operation or handler.
    pub(crate) passed: Cell<u32>,
    /// The point from which on every point takes the slow path.
    pub(crate) stop_at: Cell<u32>,
    /// Points already charged to the step budget.
    pub(crate) paid: Cell<u32>,
    pub(crate) pause: Cell<Option<Pause>>,
    pub(crate) occurrences: Cell<u8>,
    /// The pause for the next operation or handler that starts here.
    pub(crate) next_pause: Cell<Option<Pause>>,
    pub(crate) level: Cell<Level>,
    pub(crate) mode: Cell<Mode>,
    pub(crate) interrupts_on: [Cell<bool>; 2],
    /// How deep handlers are nested, at each level of privilege.
    pub(crate) handlers: [Cell<u8>; 2],
    pub(crate) pending: RefCell<Vec<Interrupt>>,
    pub(crate) buffer: StoreBuffer,
    pub(crate) cr3: Cell<Cr3>,
    /// The incarnation that the root frame had when CR3 was loaded.
    pub(crate) root_incarnation: Cell<u32>,
    /// What the running operation or handler waited for last.
    pub(crate) last_wait: Cell<Option<Wait>>,
    pub(crate) tlb: RefCell<Tlb>,
    /// Invalidations that were broadcast to the CPU and that it has not carried out, oldest first, with the CPU that asked.
    pub(crate) broadcasts: RefCell<Vec<(u8, Broadcast)>>,
    /// A host beneath the machine has taken the CPU away: it executes nothing.
    pub(crate) descheduled: Cell<bool>,
}

impl Core {
    pub(crate) fn new() -> Self {
        Self {
            passed: Cell::new(0),
            stop_at: Cell::new(u32::MAX),
            paid: Cell::new(0),
            pause: Cell::new(None),
            occurrences: Cell::new(0),
            next_pause: Cell::new(None),
            level: Cell::new(Level::Guest),
            mode: Cell::new(Mode::Kernel),
            interrupts_on: [Cell::new(true), Cell::new(true)],
            handlers: [Cell::new(0), Cell::new(0)],
            pending: RefCell::default(),
            buffer: StoreBuffer::new(),
            cr3: Cell::new(Cr3 { root: Frame(0), pcid: 0 }),
            root_incarnation: Cell::new(0),
            last_wait: Cell::new(None),
            tlb: RefCell::default(),
            broadcasts: RefCell::default(),
            descheduled: Cell::new(false),
        }
    }

    pub(crate) fn reset(&self) {
        self.passed.set(0);
        self.stop_at.set(u32::MAX);
        self.paid.set(0);
        self.pause.set(None);
        self.occurrences.set(0);
        self.next_pause.set(None);
        self.level.set(Level::Guest);
        self.mode.set(Mode::Kernel);
        self.interrupts_on.iter().for_each(|on| on.set(true));
        self.handlers.iter().for_each(|depth| depth.set(0));
        self.pending.borrow_mut().clear();
        self.buffer.clear();
        self.cr3.set(Cr3 { root: Frame(0), pcid: 0 });
        self.root_incarnation.set(0);
        self.last_wait.set(None);
        self.tlb.borrow_mut().invalidate_all();
        self.broadcasts.borrow_mut().clear();
        self.descheduled.set(false);
    }

    /// Whether the CPU takes interrupts for a level of privilege now.
    ///
    /// It takes the hypervisor's whatever the guest's flag says. The guest's wait while the hypervisor runs.
    pub fn takes(&self, level: Level) -> bool {
        if self.descheduled.get() {
            return false;
        }
        match level {
            Level::Hypervisor => {
                self.level.get() == Level::Guest || self.interrupts_on[Level::Hypervisor as usize].get()
            }
            Level::Guest => {
                self.level.get() == Level::Guest && self.interrupts_on[Level::Guest as usize].get()
            }
        }
    }

    /// Whether a host has taken the CPU away: it executes nothing, and what it has cached nothing uses.
    pub fn is_descheduled(&self) -> bool {
        self.descheduled.get()
    }

    /// What CR3 holds.
    pub fn cr3(&self) -> Cr3 {
        self.cr3.get()
    }

    /// User or supervisor mode.
    pub fn mode(&self) -> Mode {
        self.mode.get()
    }

    /// The level of privilege at which the CPU runs.
    pub fn level(&self) -> Level {
        self.level.get()
    }

    /// Whether the guest's interrupt flag is set.
    pub fn guest_interrupts_on(&self) -> bool {
        self.interrupts_on[Level::Guest as usize].get()
    }

    /// The stores that have not reached memory, oldest first.
    pub fn buffer(&self) -> &StoreBuffer {
        &self.buffer
    }

    /// The interrupts that have arrived and that the CPU has not taken, oldest first.
    pub fn pending(&self) -> std::cell::Ref<'_, Vec<Interrupt>> {
        self.pending.borrow()
    }

    /// The cached translations.
    pub fn tlb(&self) -> std::cell::Ref<'_, Tlb> {
        self.tlb.borrow()
    }
}
