//! What the runner sees of a kernel, and our kernels behind it. The runner hands tasks in and gets outcomes, and can look
//! at the machine beneath. A kernel of another author that implements [`Subject`] is fuzzed like ours.
//!
//! Nothing here may tell the checks what the kernel believes: the checks read the machine. The runner asks the kernel few
//! questions, and a caller could answer each of them: where its mapping lies, which frame is behind its page.
//!
//! The compiler instantiates our generic kernels in this crate and in no other, and the harness reaches them through `dyn`
//! alone. So the fuzzing engines can count the edges of the kernels and of nothing else: they instrument this crate and
//! `impls` (`fuzz/rustc-wrapper`).

mod ours;
mod setup;

use core::fmt;

use impls::Task;
use machine::{Bus, Frame, Observer, Pause, Told};
use oracle::vocabulary::{Mapping, Operation, Outcome, PageSlot, Range};

pub use ours::{hyperv, kvm, native, xen};
pub use setup::{Build, Setup};

/// Hears of every task that ends, at the moment when it ends.
pub type Watcher<'w> = dyn Observer<Outcome> + 'w;

/// A kernel on a machine.
pub trait Subject: fmt::Debug {
    /// The name for people and stories.
    fn name(&self) -> &'static str;

    /// Whether a page table may have no alias that could write to it.
    fn tables_allow_no_alias(&self) -> bool;

    /// Boots again, on a machine of this build. An earlier story must leave no trace.
    fn reset(&mut self, build: Build, setup: &Setup);

    /// The machine.
    fn bus(&self) -> &Bus;

    /// How many tasks and handlers are under way on a CPU, one within the other.
    fn depth(&self, cpu: u8) -> usize;

    /// Starts a task on an idle CPU and runs it to its pause or its end.
    fn begin(&mut self, cpu: u8, task: Task, pause: Option<Pause>, watcher: &mut Watcher<'_>) -> Told;

    /// Lets the innermost task or handler of a CPU go on, to its pause or its end.
    fn resume(&mut self, cpu: u8, pause: Option<Pause>, watcher: &mut Watcher<'_>) -> Told;

    /// Delivers a pending interrupt to a CPU, if it takes one.
    fn deliver(&mut self, cpu: u8, from: Option<u8>, pause: Option<Pause>, watcher: &mut Watcher<'_>)
    -> Told;

    /// The host beneath takes a CPU away, or gives it back, if there is one that does so.
    fn host(
        &mut self,
        _cpu: u8,
        _takes_away: bool,
        _pause: Option<Pause>,
        _watcher: &mut Watcher<'_>,
    ) -> Told {
        Told::Nothing
    }

    /// Moves the oldest stores of a CPU to memory. Returns how many moved.
    fn drain_stores(&mut self, cpu: u8, most: usize) -> usize;

    /// Lets a grace period pass if no CPU holds it up. Returns whether it passed.
    fn grace_period(&mut self) -> bool;

    /// Whether something waits for a grace period.
    fn grace_period_wanted(&self) -> bool;

    /// Whether deferred work is queued.
    fn work_pending(&self) -> bool;

    /// The machine frame behind a page that a caller holds. Its first word is what `read` and `write` access.
    fn frame_of(&self, page: PageSlot) -> Option<Frame>;

    /// Where a mapping lies, or lay last.
    fn last_range(&self, mapping: Mapping) -> Option<Range>;

    /// Where the page of this number lies in an address space, in bytes; none where a kernel has no user memory.
    fn user_address(&self, _page: u8) -> Option<u64> {
        None
    }

    /// A device reads or writes by the bus address that its driver was given.
    fn device(&mut self, _operation: Operation) -> Outcome {
        Outcome::Void
    }

    /// The page numbers from which it takes areas and no others; none where a kernel does not say.
    ///
    /// A kernel that names them promises that `vmap` succeeds while other areas stand, if interrupts are on, nothing overlaps it, and
    /// two pages more than it maps lie free there side by side: it purges what it freed lazily, and has memory for the tables.
    fn room(&self) -> core::ops::Range<u64> {
        0..0
    }

    /// The first frame that no narrow device reaches, if there is one.
    fn device_limit(&self) -> Option<u32> {
        None
    }

    /// Another domain, if there is one, takes the frames that the guest gave away.
    fn other_domain_takes(&mut self) {}

    /// What is left after [`Task::Teardown`] and a grace period, although the kernel gave everything back.
    fn leftovers(&self) -> Vec<String>;
}
