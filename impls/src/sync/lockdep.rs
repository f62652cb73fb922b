//! Lock order and context, checked as Linux's lockdep does (Documentation/locking/lockdep-design.rst): on every
//! acquisition, and not only when a deadlock happens. It must never let a potential cycle pass because this run was
//! lucky.

use machine::{AlarmKind, Cpu, Family, MAX_CPUS};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A class of locks: all that are taken for the same reason stand in the same order to the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LockClass {
    /// The family of the lock words.
    pub family: Family,
    /// The name for people.
    pub name: &'static str,
}

const CLASSES: usize = 32;

/// The rules learnt so far, and who holds what.
#[derive(Debug)]
pub struct Lockdep {
    classes: RefCell<Vec<LockClass>>,
    /// For each class, those taken while it was held, a bit each.
    after: [Cell<u32>; CLASSES],
    taken_in_handlers: Cell<u32>,
    taken_interruptibly: Cell<u32>,
    held: [RefCell<Vec<Held>>; MAX_CPUS as usize],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Held {
    class: u8,
    sleeping: bool,
    in_handler: bool,
}

/// How a lock is about to be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acquire {
    /// By spinning.
    Spin,
    /// By sleeping, if need be.
    Sleep,
    /// Only if it is free: it cannot wait, so it cannot close a cycle.
    Try {
        /// The lock is one of those that sleep.
        sleeping: bool,
    },
}

impl Lockdep {
    /// Knows no rule yet.
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            classes: RefCell::default(),
            after: [const { Cell::new(0) }; CLASSES],
            taken_in_handlers: Cell::new(0),
            taken_interruptibly: Cell::new(0),
            held: Default::default(),
        })
    }

    pub(super) fn register(&self, class: LockClass) -> u8 {
        let mut classes = self.classes.borrow_mut();
        let known = classes.iter().position(|known| *known == class);
        known.unwrap_or_else(|| {
            assert!(classes.len() < CLASSES, "room for {CLASSES} classes of locks");
            classes.push(class);
            classes.len() - 1
        }) as u8
    }

    fn names(&self, classes: &[u8]) -> Vec<&'static str> {
        classes.iter().map(|class| self.classes.borrow()[usize::from(*class)].name).collect()
    }

    /// Whether `to` was ever taken, directly or through others, while `from` was held.
    fn reaches(&self, from: u8, to: u8) -> bool {
        let mut seen = 1u32 << from;
        let mut front = seen;
        while front != 0 {
            let class = front.trailing_zeros();
            front &= front - 1;
            let new = self.after[class as usize].get() & !seen;
            if new & 1 << to != 0 {
                return true;
            }
            seen |= new;
            front |= new;
        }
        false
    }

    #[track_caller]
    fn complain(cpu: &Cpu<'_>, text: &'static str, locks: Vec<&'static str>) {
        cpu.alarm(AlarmKind::Locking { text, locks });
    }

    /// Before a lock is taken.
    #[track_caller]
    pub(super) fn before(&self, cpu: &Cpu<'_>, class: u8, how: Acquire) {
        let held = self.held[usize::from(cpu.id())].borrow();
        let in_handler = cpu.in_interrupt();
        let bit = 1u32 << class;
        let sleeps = matches!(how, Acquire::Sleep);
        if sleeps && (in_handler || !cpu.interrupts_on() || held.iter().any(|held| !held.sleeping)) {
            Self::complain(cpu, "a lock that sleeps is taken in atomic context", self.names(&[class]));
        }
        if in_handler {
            self.taken_in_handlers.set(self.taken_in_handlers.get() | bit);
        } else if cpu.interrupts_on() {
            self.taken_interruptibly.set(self.taken_interruptibly.get() | bit);
        }
        if self.taken_in_handlers.get() & self.taken_interruptibly.get() & bit != 0 {
            let text = "a lock that handlers take is taken with interrupts on";
            Self::complain(cpu, text, self.names(&[class]));
        }
        if matches!(how, Acquire::Try { .. }) {
            return;
        }
        for held in held.iter().filter(|held| held.in_handler == in_handler) {
            if held.class == class {
                Self::complain(cpu, "a lock is taken while one of its class is held", self.names(&[class]));
                continue;
            }
            if self.reaches(class, held.class) {
                let locks = self.names(&[held.class, class]);
                Self::complain(cpu, "locks are taken in both orders", locks);
                continue;
            }
            let after = &self.after[usize::from(held.class)];
            after.set(after.get() | bit);
        }
    }

    pub(super) fn taken(&self, cpu: &Cpu<'_>, class: u8, how: Acquire) {
        let sleeping = matches!(how, Acquire::Sleep | Acquire::Try { sleeping: true });
        let in_handler = cpu.in_interrupt();
        self.held[usize::from(cpu.id())].borrow_mut().push(Held { class, sleeping, in_handler });
    }

    pub(super) fn released(&self, cpu: &Cpu<'_>, class: u8) {
        let mut held = self.held[usize::from(cpu.id())].borrow_mut();
        if let Some(last) = held.iter().rposition(|held| held.class == class) {
            held.remove(last);
        }
    }

    /// Whether anything at all is held on a CPU.
    pub fn holds_any(&self, cpu: u8) -> bool {
        !self.held[usize::from(cpu)].borrow().is_empty()
    }

    /// Whether a CPU holds a lock that spins.
    pub fn spins(&self, cpu: u8) -> bool {
        self.held[usize::from(cpu)].borrow().iter().any(|held| !held.sleeping)
    }
}
