//! Reader-writer spinlocks: many readers or one writer; each side spins for the other.
//!
//! Each CPU has a word of its own. A reader takes that word alone, so readers do not fight for a cache line. A writer takes
//! all words in the order of the CPUs, so two writers never each hold what the other wants.

use super::lockdep::{Acquire, LockClass, Lockdep};
use machine::{Bus, Cpu, Holder, Until, VarArray, Wait, WaitKind};
use std::rc::Rc;

/// Set while a writer holds it, above the writer's number. The bits below count the readers.
const WRITER: u64 = 1 << 32;

/// A reader-writer spinlock. It holds no data itself.
#[derive(Debug)]
pub struct RwLock {
    words: VarArray,
    cpus: u8,
    class: u8,
    lockdep: Rc<Lockdep>,
}

/// Held, for reading or for writing, as long as this lives.
#[derive(Debug)]
pub struct RwGuard<'a> {
    lock: &'a RwLock,
    cpu: &'a Cpu<'a>,
    writes: bool,
}

impl RwLock {
    /// A free lock.
    pub fn new(bus: &Bus, lockdep: &Rc<Lockdep>, class: LockClass) -> Self {
        let lockdep = Rc::clone(lockdep);
        let cpus = bus.cpus();
        let words = bus.memory.vars(class.family, cpus.into());
        Self { words, cpus, class: lockdep.register(class), lockdep }
    }

    /// Takes it for reading (`read_lock`).
    #[track_caller]
    pub fn read<'a>(&'a self, cpu: &'a Cpu<'_>) -> RwGuard<'a> {
        self.lockdep.before(cpu, self.class, Acquire::Spin);
        let var = self.words.at(cpu.id().into());
        loop {
            let found = cpu.update(var, |word| (word < WRITER).then_some(word + 1));
            if found < WRITER {
                break;
            }
            let (until, holder) = (Until::IsNot(found), Holder::Cpu((found - WRITER) as u8));
            cpu.wait(Wait { var, until, holder, kind: WaitKind::Spin });
        }
        self.lockdep.taken(cpu, self.class, Acquire::Spin);
        RwGuard { lock: self, cpu, writes: false }
    }

    /// Takes it for writing (`write_lock`).
    #[track_caller]
    pub fn write<'a>(&'a self, cpu: &'a Cpu<'_>) -> RwGuard<'a> {
        self.lockdep.before(cpu, self.class, Acquire::Spin);
        for reader in 0..self.cpus {
            let var = self.words.at(reader.into());
            while let Err(found) = cpu.compare_exchange(var, 0, WRITER + u64::from(cpu.id())) {
                let holder = Holder::Cpu(if found < WRITER { reader } else { (found - WRITER) as u8 });
                cpu.wait(Wait { var, until: Until::Is(0), holder, kind: WaitKind::Spin });
            }
        }
        self.lockdep.taken(cpu, self.class, Acquire::Spin);
        RwGuard { lock: self, cpu, writes: true }
    }
}

impl Drop for RwGuard<'_> {
    fn drop(&mut self) {
        if self.cpu.abandoned() {
            return;
        }
        self.lock.lockdep.released(self.cpu, self.lock.class);
        if self.writes {
            for reader in 0..self.lock.cpus {
                self.cpu.swap(self.lock.words.at(reader.into()), 0);
            }
        } else {
            self.cpu.fetch_sub(self.lock.words.at(self.cpu.id().into()), 1);
        }
    }
}
