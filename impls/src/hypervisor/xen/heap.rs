//! The heap: frames without an owner, and the other guest, which takes them.
//!
//! A frame comes to the heap when nothing refers to it any more; a CPU may still remember a way to it. It keeps the time at
//! which it came. Before it gets a new owner, every CPU flushes that has not flushed since then. No frame may leave the
//! heap in any other way.

use super::domain::{DEVICE_LIMIT, FIRST_LOW, HEAP, OTHER_GUEST};
use super::tlb_clock::Time;
use super::type_info::{CountInfo, TypeInfo};
use super::{Flush, Hypervisor};
use crate::family;
use crate::protocol::{Protocol, Step};
use crate::sync::{LockClass, Lockdep, SpinLock};
use machine::{Bus, Cpu, Frame, Role};
use std::rc::Rc;

const HEAP_LOCK: LockClass = LockClass { family: family::HEAP_LOCK, name: "heap_lock" };

/// A frame of the heap, and the time at which it came; `None` if no CPU of the guest ever had it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FreeFrame {
    pub(super) frame: Frame,
    pub(super) since: Option<Time>,
    /// The guest never gets it again (see [`super::Exchange::for_good`]).
    pub(super) for_good: bool,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<FreeFrame>,
    /// The frames that the other guest took and may give back, the last one at the end.
    taken: Vec<Frame>,
}

/// The heap.
#[derive(Debug)]
pub(super) struct Heap {
    state: SpinLock<State>,
}

impl Heap {
    /// The variables that it needs.
    pub(super) const VARS: u32 = 1;

    /// The heap at boot. It holds the frames that devices reach, and keeps them for callers that need such frames.
    pub(super) fn new(bus: &Bus, lockdep: &Rc<Lockdep>) -> Self {
        let low = (FIRST_LOW..DEVICE_LIMIT).map(|number| FreeFrame {
            frame: Frame(number),
            since: None,
            for_good: false,
        });
        let state = State { free: low.collect(), taken: Vec::new() };
        Self { state: SpinLock::new(bus, lockdep, HEAP_LOCK, state) }
    }

    /// Takes contiguous frames below a limit. Where the limit admits high frames it takes the highest, and leaves the low ones to
    /// devices that reach no others.
    pub(super) fn take_run(&self, cpu: &Cpu<'_>, frames: usize, limit: u32) -> Option<Vec<FreeFrame>> {
        let mut state = self.state.lock(cpu);
        let fits = |free: &FreeFrame| free.frame.0 < limit && !free.for_good;
        let mut below: Vec<_> = state.free.iter().copied().filter(fits).collect();
        below.sort_unstable_by_key(|free| free.frame);
        let length = frames as u32 - 1;
        let mut runs = below.windows(frames).filter(|run| run[frames - 1].frame.0 - run[0].frame.0 == length);
        let run = if limit > DEVICE_LIMIT { runs.next_back() } else { runs.next() }?.to_vec();
        state.free.retain(|free| !run.contains(free));
        Some(run)
    }

    /// Takes any frame but those that devices reach. If there is none, the other guest gives one back.
    pub(super) fn take_any(&self, hypervisor: &Hypervisor, cpu: &Cpu<'_>) -> Option<FreeFrame> {
        let mut state = self.state.lock(cpu);
        let fits = |free: &FreeFrame| free.frame.0 >= DEVICE_LIMIT && !free.for_good;
        if let Some(place) = state.free.iter().rposition(fits) {
            return Some(state.free.remove(place));
        }
        let frame = *state.taken.last()?;
        // Another CPU may be looking up the owner of this frame, and hold a reference for that moment.
        let count = hypervisor.frames.count_info(frame);
        cpu.compare_exchange(count, CountInfo::ALLOCATED.0, 0).ok()?;
        cpu.bus().memory.set_owner(frame, HEAP);
        state.taken.pop();
        Some(FreeFrame { frame, since: None, for_good: false })
    }

    /// Takes in a frame that nothing refers to any more.
    pub(super) fn give(&self, cpu: &Cpu<'_>, frame: Frame, since: Time, for_good: bool) {
        self.state.lock(cpu).free.push(FreeFrame { frame, since: Some(since), for_good });
    }
}

impl Hypervisor {
    /// The other guest takes what was given away. It runs on a processor of its own outside this machine: the CPUs here
    /// take its interrupts at once, and have no other part in it. It takes nothing while another CPU holds the heap's lock.
    ///
    /// A guest's CPU may remember a frame long after its entries are gone, and the guest need not flush:
    ///
    /// ```text
    ///   c0 of the guest               c1 of the guest                 the other guest
    ///                                 caches V -> frame
    ///   unmaps V, flushes nothing
    ///   exchanges the frame
    ///                                                                 gets it, writes
    ///                                 reads and writes through V
    /// ```
    ///
    /// So every CPU that has not flushed since the frame came to the heap flushes first (seed 000).
    pub fn other_guest_takes(&self, bus: &Bus) {
        let Some(mut state) = self.heap.state.from_outside() else { return };
        let State { free, taken } = &mut *state;
        free.retain(|free| {
            let keep = free.frame.0 < DEVICE_LIMIT;
            if !keep {
                flush_from_outside(&self.protocol, &self.flush, bus, *free);
                bus.memory.set_value(self.frames.type_info(free.frame), TypeInfo::NONE.0);
                bus.memory.set_role(free.frame, Role::Foreign);
                bus.memory.clear(free.frame);
                bus.memory.set_owner(free.frame, OTHER_GUEST);
                bus.memory.set_value(self.frames.count_info(free.frame), CountInfo::ALLOCATED.0);
                if !free.for_good {
                    taken.push(free.frame);
                }
            }
            keep
        });
    }
}

fn flush_from_outside(protocol: &Protocol, flush: &Flush, bus: &Bus, free: FreeFrame) {
    let Some(since) = free.since else { return };
    if protocol.does(Step::FlushBeforeGivingAway) {
        flush.stale_since(bus, since).for_each(|cpu| bus.flush_from_outside(cpu));
    }
}
