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
    held_interruptibly: Cell<u32>,
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
            held_interruptibly: Cell::new(0),
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

    /// The classes that were ever taken, directly or through others, while this one was held, a bit each.
    fn follow(&self, from: u8) -> u32 {
        let (mut seen, mut front) = (0u32, 1u32 << from);
        while front != 0 {
            let class = front.trailing_zeros();
            front &= front - 1;
            let new = self.after[class as usize].get() & !seen;
            seen |= new;
            front |= new;
        }
        seen
    }

    #[track_caller]
    fn complain(cpu: &Cpu<'_>, text: &'static str, locks: Vec<&'static str>) {
        cpu.alarm(AlarmKind::Locking { text, locks });
    }

    /// A lock is taken or held here and now: by a handler, or where a handler could come in.
    #[track_caller]
    fn usage(&self, cpu: &Cpu<'_>, class: u8) {
        let bit = 1u32 << class;
        let (seen, other) = if cpu.in_interrupt() {
            (&self.taken_in_handlers, &self.held_interruptibly)
        } else if cpu.interrupts_on() {
            (&self.held_interruptibly, &self.taken_in_handlers)
        } else {
            return;
        };
        let known = seen.replace(seen.get() | bit);
        if known & bit == 0 && other.get() & bit != 0 {
            let text = "a lock that handlers take is held with interrupts on";
            Self::complain(cpu, text, self.names(&[class]));
        }
        if known & bit == 0 {
            self.inversion(cpu);
        }
    }

    /// A rule was learnt: it may be the last that was lacking to
    ///
    /// ```text
    ///   c0 holds U, interrupts on             c1 holds H, interrupts off
    ///                                         waits for U
    ///   an interrupt: the handler waits for H
    /// ```
    #[track_caller]
    fn inversion(&self, cpu: &Cpu<'_>) {
        let (handlers, interruptible) = (self.taken_in_handlers.get(), self.held_interruptibly.get());
        for safe in (0..CLASSES as u8).filter(|class| handlers & 1 << class != 0) {
            let unsafe_after = self.follow(safe) & interruptible & !(1 << safe);
            if unsafe_after != 0 {
                let text = "under a lock that handlers take, one is taken that is held with interrupts on";
                Self::complain(cpu, text, self.names(&[safe, unsafe_after.trailing_zeros() as u8]));
            }
        }
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
        self.usage(cpu, class);
        if matches!(how, Acquire::Try { .. }) {
            return;
        }
        for held in held.iter().filter(|held| held.in_handler == in_handler) {
            if held.class == class {
                Self::complain(cpu, "a lock is taken while one of its class is held", self.names(&[class]));
                continue;
            }
            if self.follow(class) & 1 << held.class != 0 {
                let locks = self.names(&[held.class, class]);
                Self::complain(cpu, "locks are taken in both orders", locks);
                continue;
            }
            let after = &self.after[usize::from(held.class)];
            if after.replace(after.get() | bit) & bit == 0 {
                self.inversion(cpu);
            }
        }
    }

    #[track_caller]
    pub(super) fn taken(&self, cpu: &Cpu<'_>, class: u8, how: Acquire) {
        if cpu.bus().tracing() {
            cpu.took_lock(self.classes.borrow()[usize::from(class)].name);
        }
        let sleeping = matches!(how, Acquire::Sleep | Acquire::Try { sleeping: true });
        let in_handler = cpu.in_interrupt();
        self.held[usize::from(cpu.id())].borrow_mut().push(Held { class, sleeping, in_handler });
    }

    /// Before a lock is given back. Where interrupts are on by now, they were switched on while it was held.
    #[track_caller]
    pub(super) fn released(&self, cpu: &Cpu<'_>, class: u8) {
        self.usage(cpu, class);
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
