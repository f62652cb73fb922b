//! What a kernel synchronises with, on the machine: locks that others can be seen to hold, per-CPU data, grace
//! periods, deferred work. Whatever may be touched without its lock is a machine variable and not in a lock's data.

mod lockdep;
mod mutex;
mod percpu;
mod rcu;
mod rwsem;
mod spinlock;
mod workqueue;

pub use lockdep::{LockClass, Lockdep};
pub use mutex::{Mutex, MutexGuard};
pub use percpu::{PerCpu, PerCpuVar};
pub use rcu::{Rcu, RcuReadGuard};
pub use rwsem::{ReadGuard, RwSemaphore, WriteGuard};
pub use spinlock::{SpinGuard, SpinLock};
pub use workqueue::{Work, Workqueue};
