//! Lock order and context, checked as Linux's lockdep does (Documentation/locking/lockdep-design.rst): at every
//! acquisition, and not only when a deadlock happens. It must never let a potential cycle pass because this run was lucky.

use machine::{AlarmKind, Cpu, Family, MAX_CPUS};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A class of locks. All locks of a class are taken for the same reason, and stand in the same order to the other classes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LockClass {
    /// The family of the lock words.
    pub family: Family,
    /// The name for people.
    pub name: &'static str,
}

const CLASSES: usize = 32;

/// The rules learnt so far, and which CPU holds which locks.
#[derive(Debug)]
pub struct Lockdep {
    classes: RefCell<Vec<LockClass>>,
    /// For each class, the classes that a CPU ever took while it held this one, directly or through others, a bit each.
    after: [Cell<u32>; CLASSES],
    /// The reverse: for each class, the classes that a CPU ever held while it took this one.
    under: [Cell<u32>; CLASSES],
    taken_in_handlers: Cell<u32>,
    held_interruptibly: Cell<u32>,
    held: [Stack; MAX_CPUS as usize],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Held {
    class: u8,
    sleeping: bool,
    in_handler: bool,
}

/// The most locks that one CPU holds, those of its handlers included.
const DEPTH: usize = 32;

/// The locks that one CPU holds, in the order in which it took them.
#[derive(Debug)]
struct Stack {
    depth: Cell<usize>,
    /// The classes held, a bit each: those taken outside handlers, and those taken in them.
    classes: [Cell<u32>; 2],
    locks: [Cell<Held>; DEPTH],
}

impl Stack {
    const NOTHING: Held = Held { class: 0, sleeping: false, in_handler: false };

    const fn new() -> Self {
        Self {
            depth: Cell::new(0),
            classes: [const { Cell::new(0) }; 2],
            locks: [const { Cell::new(Self::NOTHING) }; DEPTH],
        }
    }

    fn classes(&self, in_handler: bool) -> &Cell<u32> {
        &self.classes[usize::from(in_handler)]
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = Held> + ExactSizeIterator {
        self.locks[..self.depth.get()].iter().map(Cell::get)
    }

    fn push(&self, held: Held) {
        let depth = self.depth.get();
        assert!(depth < DEPTH, "room for {DEPTH} locks that one CPU holds");
        self.locks[depth].set(held);
        self.depth.set(depth + 1);
        add(self.classes(held.in_handler), 1 << held.class);
    }

    /// Removes the lock of a class that was taken last.
    #[inline]
    fn remove(&self, class: u8) {
        let Some(last) = self.iter().rposition(|held| held.class == class) else { return };
        let in_handler = self.locks[last].get().in_handler;
        let depth = self.depth.get() - 1;
        (last..depth).for_each(|at| self.locks[at].set(self.locks[at + 1].get()));
        self.depth.set(depth);
        if !self.iter().any(|held| held.class == class && held.in_handler == in_handler) {
            let classes = self.classes(in_handler);
            classes.set(classes.get() & !(1 << class));
        }
    }
}

/// How a CPU is about to take a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acquire {
    /// By spinning.
    Spin,
    /// By sleeping, if it must.
    Sleep,
    /// Only if it is free: it cannot wait, so it cannot close a cycle.
    Try {
        /// The lock is of the kind that CPUs sleep on.
        sleeping: bool,
    },
}

/// The classes of a set, the lowest first.
fn bits(mut set: u32) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as u8);
        set &= set.wrapping_sub(1);
        lowest
    })
}

fn add(set: &Cell<u32>, more: u32) {
    set.set(set.get() | more);
}

impl Lockdep {
    /// Knows no rule yet.
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            classes: RefCell::new(Vec::with_capacity(CLASSES)),
            after: [const { Cell::new(0) }; CLASSES],
            under: [const { Cell::new(0) }; CLASSES],
            taken_in_handlers: Cell::new(0),
            held_interruptibly: Cell::new(0),
            held: [const { Stack::new() }; MAX_CPUS as usize],
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

    /// A CPU takes a lock of `class` while it holds one of `held`. So `class`, and all that was ever taken under it, comes
    /// after `held`, and after all that `held` was ever taken under. Returns whether that is new.
    fn learn(&self, held: u8, class: u8) -> bool {
        if self.after[usize::from(held)].get() & 1 << class != 0 {
            return false;
        }
        let follow = self.after[usize::from(class)].get() | 1 << class;
        let lead = self.under[usize::from(held)].get() | 1 << held;
        bits(lead).for_each(|lead| add(&self.after[usize::from(lead)], follow));
        bits(follow).for_each(|follow| add(&self.under[usize::from(follow)], lead));
        true
    }

    #[track_caller]
    fn complain(cpu: &Cpu<'_>, text: &'static str, locks: Vec<&'static str>) {
        cpu.alarm(AlarmKind::Locking { text, locks });
    }

    /// Whether this use of a lock is new: taken by a handler for the first time, or held for the first time where a handler
    /// can come in.
    #[inline]
    fn is_first_usage(&self, cpu: &Cpu<'_>, class: u8) -> bool {
        let in_handler = cpu.in_interrupt();
        let seen = if in_handler { &self.taken_in_handlers } else { &self.held_interruptibly };
        seen.get() & 1 << class == 0 && (in_handler || cpu.interrupts_on())
    }

    #[cold]
    #[track_caller]
    fn first_usage(&self, cpu: &Cpu<'_>, class: u8) {
        let in_handler = cpu.in_interrupt();
        let (mut seen, mut other) = (&self.held_interruptibly, &self.taken_in_handlers);
        if in_handler {
            core::mem::swap(&mut seen, &mut other);
        }
        seen.set(seen.get() | 1 << class);
        if other.get() & 1 << class != 0 {
            let text = "a lock that handlers take is held with interrupts on";
            Self::complain(cpu, text, self.names(&[class]));
        }
        self.inversion(cpu);
    }

    /// A new rule may complete this deadlock:
    ///
    /// ```text
    ///   c0 holds U, interrupts on             c1 holds H, interrupts off
    ///                                         waits for U
    ///   an interrupt: the handler waits for H
    /// ```
    #[track_caller]
    fn inversion(&self, cpu: &Cpu<'_>) {
        let (handlers, interruptible) = (self.taken_in_handlers.get(), self.held_interruptibly.get());
        for safe in bits(handlers) {
            let unsafe_after = self.after[usize::from(safe)].get() & interruptible & !(1 << safe);
            if unsafe_after != 0 {
                let text = "under a lock that handlers take, one is taken that is held with interrupts on";
                Self::complain(cpu, text, self.names(&[safe, unsafe_after.trailing_zeros() as u8]));
            }
        }
    }

    /// Whether the order is new: the lock was not yet taken under every lock that is held, or one of these was taken under
    /// it.
    #[inline]
    fn is_new_order(&self, cpu: &Cpu<'_>, class: u8) -> bool {
        let (after, under) = (self.after[usize::from(class)].get(), self.under[usize::from(class)].get());
        let held = self.held[usize::from(cpu.id())].classes(cpu.in_interrupt()).get();
        held & !(under & !after & !(1 << class)) != 0
    }

    /// Checks a lock that a CPU is about to take.
    #[inline]
    #[track_caller]
    pub(super) fn before(&self, cpu: &Cpu<'_>, class: u8, how: Acquire) {
        // The usual case: it spins, and has been seen like this before.
        if how != Acquire::Spin || self.is_first_usage(cpu, class) || self.is_new_order(cpu, class) {
            self.look_closely(cpu, class, how);
        }
    }

    #[inline(never)]
    #[track_caller]
    fn look_closely(&self, cpu: &Cpu<'_>, class: u8, how: Acquire) {
        let held = &self.held[usize::from(cpu.id())];
        let in_handler = cpu.in_interrupt();
        let sleeps = matches!(how, Acquire::Sleep);
        if sleeps && (in_handler || !cpu.interrupts_on() || held.iter().any(|held| !held.sleeping)) {
            Self::complain(cpu, "a lock that sleeps is taken in atomic context", self.names(&[class]));
        }
        if self.is_first_usage(cpu, class) {
            self.first_usage(cpu, class);
        }
        if !matches!(how, Acquire::Try { .. }) && self.is_new_order(cpu, class) {
            self.new_order(cpu, class, held, in_handler);
        }
    }

    /// Checks the order to each lock that is held; at least one of them is new.
    #[cold]
    #[track_caller]
    fn new_order(&self, cpu: &Cpu<'_>, class: u8, held: &Stack, in_handler: bool) {
        for held in held.iter().filter(|held| held.in_handler == in_handler) {
            if held.class == class {
                Self::complain(cpu, "a lock is taken while one of its class is held", self.names(&[class]));
                continue;
            }
            if self.after[usize::from(class)].get() & 1 << held.class != 0 {
                let locks = self.names(&[held.class, class]);
                Self::complain(cpu, "locks are taken in both orders", locks);
                continue;
            }
            if self.learn(held.class, class) {
                self.inversion(cpu);
            }
        }
    }

    #[inline]
    #[track_caller]
    pub(super) fn taken(&self, cpu: &Cpu<'_>, class: u8, how: Acquire) {
        let sleeping = matches!(how, Acquire::Sleep | Acquire::Try { sleeping: true });
        let in_handler = cpu.in_interrupt();
        self.held[usize::from(cpu.id())].push(Held { class, sleeping, in_handler });
        if cpu.bus().tracing() {
            self.tell_taken(cpu, class);
        }
    }

    #[cold]
    #[track_caller]
    fn tell_taken(&self, cpu: &Cpu<'_>, class: u8) {
        cpu.took_lock(self.classes.borrow()[usize::from(class)].name);
    }

    /// A CPU is about to release a lock. If interrupts are on now, it switched them on while it held the lock.
    #[inline]
    #[track_caller]
    pub(super) fn released(&self, cpu: &Cpu<'_>, class: u8) {
        self.held[usize::from(cpu.id())].remove(class);
        if self.is_first_usage(cpu, class) {
            self.first_usage(cpu, class);
        }
    }

    /// Whether a CPU holds any lock.
    pub fn holds_any(&self, cpu: u8) -> bool {
        self.held[usize::from(cpu)].depth.get() != 0
    }

    /// Whether a CPU holds a spinning lock.
    pub fn spins(&self, cpu: u8) -> bool {
        self.held[usize::from(cpu)].iter().any(|held| !held.sleeping)
    }
}
