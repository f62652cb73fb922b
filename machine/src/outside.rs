//! What others than the CPUs of this machine do: devices, and processors of other machines.

use crate::bus::Bus;
use crate::memory::{Target, Word};
use crate::trace::{Flushed, TraceEvent};

impl Bus {
    /// A device reads a word of physical memory. It sees the stores that have reached memory, and none that is still in a
    /// buffer.
    pub fn device_read(&self, word: Word) -> u64 {
        self.memory.peek(word)
    }

    /// A device writes a word of physical memory. Every CPU sees it at once: caches are snooped.
    pub fn device_write(&self, word: Word, value: u64) {
        self.commit(Target::Word(word), value);
    }

    /// A processor outside this machine interrupts a CPU. The CPU drains its buffer as it takes the interrupt, flushes
    /// everything, global entries too, and goes on with what it did.
    pub fn flush_from_outside(&self, cpu: u8) {
        self.drain(cpu, usize::MAX);
        let lost = self.core(cpu).tlb.borrow_mut().invalidate_all();
        if self.tracing() {
            let (scope, flushed) = ("from outside", Flushed::FullWithGlobals);
            self.record(cpu, TraceEvent::Invalidated { scope, flushed, va: None, lost }, None);
        }
    }
}
