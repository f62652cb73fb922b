//! A simulated x86-64 multiprocessor, on which kernels run as ordinary straight-line code.
//!
//! Code on a CPU reaches shared state through [`Cpu`] alone. Each such access is a [`Point`]: a story may pause the CPU
//! there. A stackful coroutine carries what runs on a CPU. So a point costs one counter unless the story pauses there, and
//! an interrupt runs nested on the stack that it interrupts.
//!
//! The machine knows no kernel: [`Software`] is what runs on it. `docs/machine.md` states its memory and translation model
//! with the sections of the manuals that it follows; the tests in `tests/litmus` prove it.

#![expect(clippy::inline_always, reason = "a point not paused at must cost a counter")]

mod access;
pub mod alarm;
mod broadcast;
pub mod bus;
pub mod core;
mod cpu;
mod fault;
mod help;
mod instructions;
mod leaves;
mod machine;
pub mod memory;
pub mod meter;
mod outside;
pub mod paging;
pub mod point;
mod role;
pub mod store_buffer;
pub mod tlb;
pub mod trace;
pub mod wait;
pub mod walker;

pub use alarm::{Alarm, AlarmKind};
pub use broadcast::Broadcast;
pub use bus::{Bus, Config, MAX_CPUS};
pub use core::{Core, Cr3, Interrupt, Level, Mode};
pub use cpu::Cpu;
pub use fault::{Access, Resolution};
pub use instructions::Invpcid;
pub use leaves::Led;
pub use machine::{Background, Machine, Observer, Software, Standing, Told};
pub use memory::{Memory, Role, Target, Var, VarArray, Word};
pub use meter::{Counted, Counts, Meter, Prices};
pub use paging::{Entry, Flags, Frame};
pub use point::{Family, Pause, Point, PointKind, Temperament};
pub use trace::{Flushed, TraceEvent, TraceLine};
pub use wait::{Holder, Until, Wait, WaitKind};
pub use walker::{Mapped, PageFault};
