//! What a kernel synchronises with, on the machine: locks whose words other CPUs see, per-CPU data, grace periods, deferred
//! work. Data that a CPU may touch without the lock is a machine variable, and not in the lock's data.

/// A guard gives access to what its lock protects, for as long as it lives. When it is dropped, it lets its `data` go
/// before it stores the lock word.
macro_rules! guards {
    (mut $guard:ident) => {
        super::guards!($guard);

        impl<T> std::ops::DerefMut for $guard<'_, T> {
            fn deref_mut(&mut self) -> &mut T {
                self.data.as_mut().expect("there until the guard is dropped")
            }
        }
    };
    ($guard:ident) => {
        impl<T> std::ops::Deref for $guard<'_, T> {
            type Target = T;
            fn deref(&self) -> &T {
                self.data.as_ref().expect("there until the guard is dropped")
            }
        }
    };
}
use guards;

mod lockdep;
mod mutex;
mod percpu;
mod rcu;
mod rwlock;
mod rwsem;
mod spinlock;
mod workqueue;

pub use lockdep::{LockClass, Lockdep};
pub use mutex::{Mutex, MutexGuard};
pub use percpu::{PerCpu, PerCpuVar};
pub use rcu::{Rcu, RcuReadGuard};
pub use rwlock::{RwGuard, RwLock};
pub use rwsem::{ReadGuard, RwSemaphore, WriteGuard};
pub use spinlock::{SpinGuard, SpinLock};
pub use workqueue::{Work, Workqueue};
