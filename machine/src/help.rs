//! Help: when a running context must wait, the executor runs a CPU that can release it, lowest CPU first, and only until
//! the release.
//!
//! It tries in this order: an interrupt that the waiter itself takes; a store buffer that holds the release; the CPU that
//! holds what the waiter waits for, and the CPU that this holder waits for in turn. Only when none of these can move does
//! it ask every other CPU: a wait names the holder of the moment when it began, and that holder may have passed the lock on
//! since. If no CPU can move, it reports a deadlock with its cycle. Help never pauses where the story did not ask for it,
//! and never runs on once the wait is over.

use crate::alarm::AlarmKind;
use crate::cpu::{Stop, Wake};
use crate::machine::{Background, Machine, Observer, Software};
use crate::memory::Var;
use crate::wait::{Holder, Wait, WaitKind};

/// Which CPUs the executor asks to end a wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// The holder that the wait names.
    Holder,
    /// Every CPU: the holder may have changed.
    Everybody,
}

/// One search for a CPU that can move.
struct Search {
    ask: Ask,
    /// The CPUs that were asked, a bit each: to meet one again is a cycle.
    asked: u8,
}

impl<S: Software> Machine<S> {
    /// Runs CPUs that can release the context at this depth of a CPU, only until its wait is over. Returns false, with an
    /// alarm raised, if none can.
    pub(crate) fn release(
        &mut self,
        cpu: u8,
        depth: usize,
        wait: &Wait,
        observer: &mut dyn Observer<S::Outcome>,
    ) -> bool {
        loop {
            if self.failed {
                return false;
            }
            if self.depth(cpu) == depth && self.bus().holds(cpu, wait) {
                return true;
            }
            let moved = [Ask::Holder, Ask::Everybody].into_iter().any(|ask| {
                let mut search = Search { ask, asked: 1 << cpu };
                !self.failed
                    && if self.depth(cpu) > depth {
                        // A handler stands on top of the waiter and must leave first.
                        self.advance(cpu, None, &mut search, observer)
                    } else {
                        self.unblock(cpu, wait, &mut search, observer)
                    }
            });
            if !moved {
                if !self.failed {
                    self.report_deadlock(cpu);
                }
                return false;
            }
            // Help without end is a livelock, even if each turn passes few points.
            let left = self.bus().steps_left.get();
            self.bus().steps_left.set(left.saturating_sub(1));
            if left == 0 {
                self.bus().livelock(cpu, None);
                return false;
            }
        }
    }

    /// Takes one step that may bring a wait nearer to its end.
    fn unblock(
        &mut self,
        cpu: u8,
        wait: &Wait,
        search: &mut Search,
        observer: &mut dyn Observer<S::Outcome>,
    ) -> bool {
        // A spinner with interrupts on takes them.
        if self.take_one(cpu, observer) {
            return true;
        }
        if self.drain_for(wait.var) {
            return true;
        }
        let everybody = ((1u16 << self.bus().cpus()) - 1) as u8;
        let mut candidates = match wait.holder {
            // A holder that does not exist stands for no CPU: the word that named it made no sense.
            Holder::Cpu(holder) => 1u8.checked_shl(holder.into()).unwrap_or(0),
            Holder::Anyone => everybody,
            Holder::Background => match self.software().clone().background(&self.standing(), wait) {
                Background::Moved => return true,
                Background::HeldBy(cpus) => cpus,
                Background::Nothing => 0,
            },
        };
        if search.ask == Ask::Everybody {
            candidates = everybody;
        }
        if wait.kind == WaitKind::Acknowledge {
            // A CPU that can answer at once does so, before any operation runs on.
            for candidate in (0..self.bus().cpus()).filter(|cpu| candidates & 1 << cpu != 0) {
                if self.take_one(candidate, observer) {
                    return true;
                }
            }
            let answering = |cpu: u8| {
                let core = self.bus().core(cpu);
                core.handlers.iter().any(|depth| depth.get() != 0) || !core.pending().is_empty()
            };
            let first =
                (0..self.bus().cpus()).filter(|cpu| answering(*cpu)).fold(0, |set, cpu| set | 1 << cpu);
            if self.ask(cpu, wait, candidates & first, search, observer) {
                return true;
            }
        }
        if self.ask(cpu, wait, candidates, search, observer) {
            return true;
        }
        // A plain store that releases the lock may sit in any buffer.
        search.ask == Ask::Everybody
            && !self.failed
            && (0..self.bus().cpus()).any(|cpu| self.bus().drain(cpu, usize::MAX) != 0)
    }

    /// Gets one of these CPUs to move, lowest first.
    fn ask(
        &mut self,
        waiter: u8,
        wait: &Wait,
        candidates: u8,
        search: &mut Search,
        observer: &mut dyn Observer<S::Outcome>,
    ) -> bool {
        for candidate in 0..self.bus().cpus() {
            if candidates & !search.asked & 1 << candidate != 0 {
                search.asked |= 1 << candidate;
                if self.advance(candidate, Some((waiter, wait)), search, observer) {
                    return true;
                }
            }
        }
        false
    }

    /// Moves one CPU: runs its innermost context until the wait is over.
    fn advance(
        &mut self,
        cpu: u8,
        wanted: Option<(u8, &Wait)>,
        search: &mut Search,
        observer: &mut dyn Observer<S::Outcome>,
    ) -> bool {
        // A CPU that the host took away is given back first; a handler of the host's that stands there does that by itself.
        if !self.is_with_host(cpu) && self.give_back(cpu, observer) {
            return true;
        }
        match self.seats[usize::from(cpu)].standing.last().copied() {
            None => self.take_one(cpu, observer),
            Some(Stop::Waiting(other)) if !self.bus().holds(cpu, &other) => {
                self.unblock(cpu, &other, search, observer)
            }
            Some(Stop::Paused(_) | Stop::Waiting(_)) => {
                if let Some((waiter, wait)) = wanted {
                    self.bus().watch.set(Some((waiter, *wait, cpu)));
                    self.bus().core(cpu).stop_at.set(0);
                }
                let stop = self.step(cpu, Wake::Go, observer);
                self.bus().watch.set(None);
                self.failed |= stop == Stop::Dead;
                !self.failed
            }
            Some(Stop::Dead | Stop::Ended | Stop::Taken) => false,
        }
    }

    /// Delivers one pending interrupt to a CPU that takes it, as help: no pause of the story applies to it.
    fn take_one(&mut self, cpu: u8, observer: &mut dyn Observer<S::Outcome>) -> bool {
        if self.failed {
            return false;
        }
        let Some(interrupt) = self.bus().next_interrupt(cpu, None) else { return false };
        self.bus().core(cpu).next_pause.set(None);
        let stop = self.step(cpu, Wake::Interrupt(interrupt), observer);
        self.failed |= stop == Stop::Dead;
        !self.failed
    }

    /// Drains the buffer of the lowest CPU that holds a store to this variable: up to that store, and none behind it.
    fn drain_for(&mut self, var: Var) -> bool {
        (0..self.bus().cpus()).any(|cpu| {
            let most = self.bus().buffered_before(cpu, var);
            self.bus().drain(cpu, most) != 0
        })
    }

    /// Follows which CPU waits for which, from the innermost wait that no CPU can end.
    fn report_deadlock(&self, cpu: u8) {
        let mut cycle: Vec<(u8, Wait)> = Vec::new();
        let mut next = Some(cpu);
        while let Some(cpu) = next
            && !cycle.iter().any(|(seen, _)| *seen == cpu)
            && let Some(Stop::Waiting(wait)) = self.seats[usize::from(cpu)].standing.last()
        {
            cycle.push((cpu, *wait));
            let holders = match wait.holder {
                Holder::Cpu(holder) => 1u8.checked_shl(holder.into()).unwrap_or(0),
                Holder::Anyone => self.standing().busy & !(1 << cpu),
                Holder::Background => match self.software().background(&self.standing(), wait) {
                    Background::HeldBy(cpus) => cpus,
                    Background::Moved | Background::Nothing => 0,
                },
            };
            next = (0..self.bus().cpus()).find(|cpu| holders & 1 << cpu != 0);
        }
        self.bus().alarm(cpu, AlarmKind::Deadlock { cycle }, None);
    }
}
