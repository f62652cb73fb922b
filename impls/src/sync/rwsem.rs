//! Reader-writer semaphores: many readers or one writer; each side sleeps for the other.

use super::lockdep::{Acquire, LockClass, Lockdep};
use machine::{Bus, Cpu, Holder, Until, Var, Wait, WaitKind};
use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

/// Set while a writer holds it, above the writer's number. The bits below count the readers.
const WRITER: u64 = 1 << 32;

/// A reader-writer semaphore.
#[derive(Debug)]
pub struct RwSemaphore<T> {
    word: Var,
    class: u8,
    lockdep: Rc<Lockdep>,
    data: RefCell<T>,
}

/// Held for reading as long as this lives.
#[derive(Debug)]
pub struct ReadGuard<'a, T> {
    data: Option<Ref<'a, T>>,
    semaphore: &'a RwSemaphore<T>,
    cpu: &'a Cpu<'a>,
}

/// Held for writing as long as this lives.
#[derive(Debug)]
pub struct WriteGuard<'a, T> {
    data: Option<RefMut<'a, T>>,
    semaphore: &'a RwSemaphore<T>,
    cpu: &'a Cpu<'a>,
}

impl<T> RwSemaphore<T> {
    /// A free semaphore around `data`.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, class: LockClass, data: T) -> Self {
        Self::over(bus.memory.var(class.family), lockdep, class, data)
    }

    /// A semaphore around `data` whose word is this variable, which holds 0.
    pub fn over(word: Var, lockdep: &Rc<Lockdep>, class: LockClass, data: T) -> Self {
        let lockdep = Rc::clone(lockdep);
        Self { word, class: lockdep.register(class), lockdep, data: RefCell::new(data) }
    }

    /// Takes it for reading (`down_read`).
    #[track_caller]
    pub fn read<'a>(&'a self, cpu: &'a Cpu<'_>) -> ReadGuard<'a, T> {
        self.lockdep.before(cpu, self.class, Acquire::Sleep);
        loop {
            let found = cpu.update(self.word, |word| (word < WRITER).then_some(word + 1));
            if found < WRITER {
                break;
            }
            let (until, holder) = (Until::IsNot(found), Holder::Cpu((found - WRITER) as u8));
            cpu.wait(Wait { var: self.word, until, holder, kind: WaitKind::Sleep });
        }
        self.lockdep.taken(cpu, self.class, Acquire::Sleep);
        ReadGuard { data: Some(self.data.borrow()), semaphore: self, cpu }
    }

    /// Takes it for writing (`down_write`).
    #[track_caller]
    pub fn write<'a>(&'a self, cpu: &'a Cpu<'_>) -> WriteGuard<'a, T> {
        self.lockdep.before(cpu, self.class, Acquire::Sleep);
        while let Err(found) = cpu.compare_exchange(self.word, 0, WRITER + u64::from(cpu.id())) {
            let holder = if found < WRITER { Holder::Anyone } else { Holder::Cpu((found - WRITER) as u8) };
            cpu.wait(Wait { var: self.word, until: Until::Is(0), holder, kind: WaitKind::Sleep });
        }
        self.lockdep.taken(cpu, self.class, Acquire::Sleep);
        WriteGuard { data: Some(self.data.borrow_mut()), semaphore: self, cpu }
    }
}

super::guards!(ReadGuard);
super::guards!(mut WriteGuard);

impl<T> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        self.data = None;
        if self.cpu.abandoned() {
            return;
        }
        self.semaphore.lockdep.released(self.cpu, self.semaphore.class);
        self.cpu.fetch_sub(self.semaphore.word, 1);
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        self.data = None;
        if self.cpu.abandoned() {
            return;
        }
        self.semaphore.lockdep.released(self.cpu, self.semaphore.class);
        self.cpu.swap(self.semaphore.word, 0);
    }
}
