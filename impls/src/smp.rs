//! Calling a function on other CPUs (`smp_call_function_many`): the sender writes a request into variables of its own, interrupts
//! the targets, and waits until each of them has answered.
//!
//! A target answers by a variable that the sender can watch. Mostly that is a count which the target alone writes
//! ([`Answers`]); a CPU that was asked to leave an address space answers by leaving it.
//!
//! The sender must not hold back its own answers meanwhile: with interrupts off, two CPUs that call each other wait for ever.

use machine::{Bus, Cpu, Family, Holder, MAX_CPUS, Until, Var, VarArray, Wait, WaitKind};
use std::cell::Cell;

/// CPUs, a bit each.
pub type CpuMask = u8;

/// The CPUs of a machine but the one that asks.
pub fn all_others(cpu: &Cpu<'_>) -> CpuMask {
    let all = (1u16 << cpu.bus().cpus()) - 1;
    all as u8 & !(1 << cpu.id())
}

/// One call of a function on other CPUs. The request stands in variables of the sender's already.
#[derive(Clone, Copy, Debug)]
pub struct Call<I, A> {
    /// The CPUs that are called, a bit each; the sender is none of them.
    pub targets: CpuMask,
    /// Interrupts a CPU, and makes its answer due.
    pub interrupt: I,
    /// By which variable the sender sees the answer of a CPU, and by what value of it.
    pub answer: A,
}

impl<I: Fn(u8), A: Fn(u8) -> (Var, Until)> Call<I, A> {
    fn each(&self) -> impl Iterator<Item = u8> {
        let targets = self.targets;
        (0..MAX_CPUS).filter(move |cpu| targets & 1 << cpu != 0)
    }

    /// Interrupts the targets, the lowest first. A fence before that makes the request visible to them, unless the sender wrote it
    /// by a locked operation: an interrupt overtakes what waits in the store buffer.
    #[track_caller]
    pub fn send(&self, cpu: &Cpu<'_>, fence: bool) {
        if fence {
            cpu.fence();
        }
        self.each().for_each(&self.interrupt);
    }

    /// Waits until every target has answered, for the lowest first.
    #[track_caller]
    pub fn wait(&self, cpu: &Cpu<'_>) {
        for target in self.each() {
            let (var, until) = (self.answer)(target);
            cpu.wait(Wait { var, until, holder: Holder::Cpu(target), kind: WaitKind::Acknowledge });
        }
    }
}

/// For each sender and target, how many calls were made and how many of them were answered.
///
/// The target alone writes the count of its answers. A flag that the sender sets and the target clears would itself need the fence
/// whose absence is to be seen.
#[derive(Debug)]
pub struct Answers {
    counts: VarArray,
    /// How many answers are due; the sender's own business.
    due: [[Cell<u64>; MAX_CPUS as usize]; MAX_CPUS as usize],
    cpus: u8,
}

impl Answers {
    /// No call was made yet. The counts are of this family.
    pub fn new(bus: &Bus, family: Family) -> Self {
        let cpus = bus.cpus();
        Self {
            counts: bus.memory.vars(family, usize::from(cpus) * usize::from(cpus)),
            due: [const { [const { Cell::new(0) }; MAX_CPUS as usize] }; MAX_CPUS as usize],
            cpus,
        }
    }

    /// Variables needed for this many CPUs.
    pub const fn vars(cpus: u8) -> u32 {
        cpus as u32 * cpus as u32
    }

    fn count(&self, from: u8, to: u8) -> Var {
        self.counts.at(usize::from(from) * usize::from(self.cpus) + usize::from(to))
    }

    /// A CPU calls another: one more answer is due.
    pub fn ask(&self, from: u8, to: u8) {
        let due = &self.due[usize::from(from)][usize::from(to)];
        due.set(due.get() + 1);
    }

    /// By which variable a sender sees that a target has answered all calls, and by what value of it.
    pub fn awaited(&self, from: u8, to: u8) -> (Var, Until) {
        (self.count(from, to), Until::AtLeast(self.due[usize::from(from)][usize::from(to)].get()))
    }

    /// The target has done what a sender called it for.
    #[track_caller]
    pub fn answer(&self, cpu: &Cpu<'_>, from: u8) {
        let count = self.count(from, cpu.id());
        cpu.store(count, cpu.load(count) + 1);
    }
}
