//! Spinlocks, with and without saving the interrupt flag.

use super::lockdep::{Acquire, LockClass, Lockdep};
use machine::{Bus, Cpu, Holder, Until, Var, Wait, WaitKind};
use std::cell::{RefCell, RefMut};
use std::rc::Rc;

/// The word of a spinlock: the holder's number plus one (`raw_spinlock_t`). It does not know what it protects, so all locks
/// share one piece of code, which stays in the instruction cache.
#[derive(Debug)]
struct RawSpinLock {
    word: Var,
    class: u8,
    lockdep: Rc<Lockdep>,
}

impl RawSpinLock {
    #[inline(never)]
    #[track_caller]
    fn lock(&self, cpu: &Cpu<'_>) {
        self.lockdep.before(cpu, self.class, Acquire::Spin);
        while let Err(holder) = self.take(cpu) {
            let holder = Holder::Cpu(holder as u8 - 1);
            cpu.wait(Wait { var: self.word, until: Until::Is(0), holder, kind: WaitKind::Spin });
        }
        self.lockdep.taken(cpu, self.class, Acquire::Spin);
    }

    #[track_caller]
    fn try_lock(&self, cpu: &Cpu<'_>) -> bool {
        self.lockdep.before(cpu, self.class, Acquire::Try { sleeping: false });
        let taken = self.take(cpu).is_ok();
        if taken {
            self.lockdep.taken(cpu, self.class, Acquire::Spin);
        }
        taken
    }

    fn take(&self, cpu: &Cpu<'_>) -> Result<(), u64> {
        cpu.compare_exchange(self.word, 0, u64::from(cpu.id()) + 1)
    }

    #[inline(never)]
    fn unlock(&self, cpu: &Cpu<'_>, interrupts: Option<bool>) {
        self.lockdep.released(cpu, self.class);
        // A plain store, as on x86: TSO orders it after everything the holder did.
        cpu.store(self.word, 0);
        if let Some(on) = interrupts {
            cpu.irq_restore(on);
        }
    }
}

/// A lock that CPUs spin on.
#[derive(Debug)]
pub struct SpinLock<T> {
    raw: RawSpinLock,
    data: RefCell<T>,
}

/// The lock is held as long as this lives.
#[derive(Debug)]
pub struct SpinGuard<'a, T> {
    /// Let go before the lock word is stored: the next holder then borrows the data.
    data: Option<RefMut<'a, T>>,
    raw: &'a RawSpinLock,
    cpu: &'a Cpu<'a>,
    /// The interrupt flag to restore.
    interrupts: Option<bool>,
}

impl<T> SpinLock<T> {
    /// A free lock around `data`.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, class: LockClass, data: T) -> Self {
        Self::over(bus.memory.var(class.family), lockdep, class, data)
    }

    /// A lock around `data` whose word is this variable, which holds 0.
    pub fn over(word: Var, lockdep: &Rc<Lockdep>, class: LockClass, data: T) -> Self {
        let lockdep = Rc::clone(lockdep);
        let raw = RawSpinLock { word, class: lockdep.register(class), lockdep };
        Self { raw, data: RefCell::new(data) }
    }

    /// This many free locks, each around `data`.
    pub fn several(bus: &Bus, lockdep: &Rc<Lockdep>, class: LockClass, count: usize, data: T) -> Vec<Self>
    where
        T: Clone,
    {
        let (words, class) = (bus.memory.vars(class.family, count), lockdep.register(class));
        let lock = |index| Self {
            raw: RawSpinLock { word: words.at(index), class, lockdep: Rc::clone(lockdep) },
            data: RefCell::new(data.clone()),
        };
        (0..count).map(lock).collect()
    }

    /// Takes the lock (`spin_lock`).
    #[track_caller]
    pub fn lock<'a>(&'a self, cpu: &'a Cpu<'_>) -> SpinGuard<'a, T> {
        self.raw.lock(cpu);
        self.guard(cpu, None)
    }

    /// Disables interrupts and takes the lock (`spin_lock_irqsave`).
    #[track_caller]
    pub fn lock_irqsave<'a>(&'a self, cpu: &'a Cpu<'_>) -> SpinGuard<'a, T> {
        let interrupts = cpu.irq_save();
        self.raw.lock(cpu);
        self.guard(cpu, Some(interrupts))
    }

    /// Takes the lock if it is free (`spin_trylock`).
    #[track_caller]
    pub fn try_lock<'a>(&'a self, cpu: &'a Cpu<'_>) -> Option<SpinGuard<'a, T>> {
        self.raw.try_lock(cpu).then(|| self.guard(cpu, None))
    }

    fn guard<'a>(&'a self, cpu: &'a Cpu<'_>, interrupts: Option<bool>) -> SpinGuard<'a, T> {
        SpinGuard { data: Some(self.data.borrow_mut()), raw: &self.raw, cpu, interrupts }
    }

    /// The data, while booting or tearing down: no CPU runs.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// The data, for a caller that runs on no CPU; `None` while a CPU holds the lock.
    pub fn from_outside(&self) -> Option<RefMut<'_, T>> {
        self.data.try_borrow_mut().ok()
    }

    /// Looks at the data while no CPU runs.
    pub fn peek<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.data.borrow())
    }
}

super::guards!(mut SpinGuard);

impl<T> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        self.data = None;
        if self.cpu.abandoned() {
            return;
        }
        self.raw.unlock(self.cpu, self.interrupts);
    }
}
