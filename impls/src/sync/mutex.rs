//! Mutexes: a CPU that finds one taken sleeps, so it must have interrupts on and hold no spinlock.

use super::lockdep::{Acquire, LockClass, Lockdep};
use machine::{Bus, Cpu, Holder, Until, Var, Wait, WaitKind};
use std::cell::{RefCell, RefMut};
use std::rc::Rc;

/// A lock that CPUs sleep on. Its word holds the holder's number plus one.
#[derive(Debug)]
pub struct Mutex<T> {
    word: Var,
    class: u8,
    lockdep: Rc<Lockdep>,
    data: RefCell<T>,
}

/// The mutex is held as long as this lives.
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    data: Option<RefMut<'a, T>>,
    mutex: &'a Mutex<T>,
    cpu: &'a Cpu<'a>,
}

impl<T> Mutex<T> {
    /// A free mutex around `data`.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, class: LockClass, data: T) -> Self {
        let lockdep = Rc::clone(lockdep);
        Self {
            word: bus.memory.var(class.family),
            class: lockdep.register(class),
            lockdep,
            data: RefCell::new(data),
        }
    }

    /// Takes the mutex, sleeping until it is free.
    #[track_caller]
    pub fn lock<'a>(&'a self, cpu: &'a Cpu<'_>) -> MutexGuard<'a, T> {
        self.lockdep.before(cpu, self.class, Acquire::Sleep);
        while let Err(holder) = self.take(cpu) {
            let holder = Holder::Cpu(holder as u8 - 1);
            cpu.wait(Wait { var: self.word, until: Until::Is(0), holder, kind: WaitKind::Sleep });
        }
        self.lockdep.taken(cpu, self.class, Acquire::Sleep);
        MutexGuard { data: Some(self.data.borrow_mut()), mutex: self, cpu }
    }

    /// Takes the mutex if it is free.
    #[track_caller]
    pub fn try_lock<'a>(&'a self, cpu: &'a Cpu<'_>) -> Option<MutexGuard<'a, T>> {
        let how = Acquire::Try { sleeping: true };
        self.lockdep.before(cpu, self.class, how);
        self.take(cpu).ok()?;
        self.lockdep.taken(cpu, self.class, how);
        Some(MutexGuard { data: Some(self.data.borrow_mut()), mutex: self, cpu })
    }

    fn take(&self, cpu: &Cpu<'_>) -> Result<(), u64> {
        cpu.compare_exchange(self.word, 0, u64::from(cpu.id()) + 1)
    }

    /// Looks at what it protects while no CPU runs.
    pub fn peek<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.data.borrow())
    }
}

super::guards!(mut MutexGuard);

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.data = None;
        if self.cpu.abandoned() {
            return;
        }
        self.mutex.lockdep.released(self.cpu, self.mutex.class);
        // A locked exchange: it has to see whether another CPU sleeps on it.
        self.cpu.swap(self.mutex.word, 0);
    }
}
