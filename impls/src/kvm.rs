//! KVM: a virtual machine with tables of its own, whose CPUs are threads of a host. The host takes one away and gives it back when it
//! likes, and says so in a word that guest and host share (`kvm_steal_time`, `preempted`).
//!
//! A guest that flushes need not wait for a CPU that does not run: it leaves a request in that word, and the host flushes before the
//! CPU executes anything again (`kvm_flush_tlb_multi`). All others it interrupts. So the end of a flush proves nothing about a CPU
//! that was taken away, which may be in the middle of a walk with interrupts off.
//!
//! Guest and host change the word at the same time, and each by one locked operation on the word itself:
//!
//! ```text
//!   the host gives c1 back, by a copy     c0 flushes
//!   copy: preempted, nothing to flush
//!                                         the word: preempted, so a request goes into it; no interrupt
//!   the word: not preempted, from the copy
//!   c1 runs, and never flushes
//! ```

use crate::family;
use crate::flush_request::FlushRequest;
use crate::hardware::{Beneath, Hardware};
use crate::protocol::{Protocol, Step};
use crate::smp::CpuMask;
use machine::{Bus, Cpu, Interrupt, Level, MAX_CPUS, VarArray};
use std::rc::Rc;

/// A virtual machine on KVM.
pub type Kvm = Hardware<KvmHost>;

/// In the shared word: the CPU does not run (`KVM_VCPU_PREEMPTED`).
const PREEMPTED: u64 = 1;

/// In the shared word: it is to flush before it runs again (`KVM_VCPU_FLUSH_TLB`).
const FLUSH: u64 = 2;

/// The handler by which the host takes a CPU away, and that by which it gives one back.
const TAKE_AWAY: u8 = 1;
const GIVE_BACK: u8 = 2;

/// The host, and the words that it shares with the guest, one for each CPU.
#[derive(Clone, Debug)]
pub struct KvmHost {
    status: VarArray,
    protocol: Rc<Protocol>,
}

/// A handler of the host's, on a CPU.
const fn handler(vector: u8) -> Interrupt {
    Interrupt { from: 0, vector, level: Level::Hypervisor }
}

impl Beneath for KvmHost {
    const NAME: &'static str = "kvm";
    const FLUSHES_BY_INTERRUPT: bool = false;
    const VARS: u32 = MAX_CPUS as u32;

    fn boot(bus: &Bus, protocol: &Rc<Protocol>) -> Self {
        let status = bus.memory.vars(family::STEAL_TIME, MAX_CPUS.into());
        Self { status, protocol: Rc::clone(protocol) }
    }

    #[track_caller]
    fn flush_others(&self, cpu: &Cpu<'_>, cpus: CpuMask, _request: FlushRequest) -> CpuMask {
        let mut rest = cpus;
        for target in (0..cpu.bus().cpus()).filter(|target| cpus & 1 << target != 0) {
            let status = self.status.at(target.into());
            let seen = cpu.load(status);
            if seen & PREEMPTED != 0 && cpu.compare_exchange(status, seen, seen | FLUSH).is_ok() {
                rest &= !(1 << target);
            }
        }
        rest
    }

    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        let status = self.status.at(cpu.id().into());
        match interrupt.vector {
            TAKE_AWAY if cpu.bus().core(cpu.id()).is_descheduled() => {}
            TAKE_AWAY => {
                cpu.store(status, PREEMPTED);
                cpu.set_descheduled(true);
            }
            GIVE_BACK => {
                let told = if self.protocol.does(Step::ExchangeStatus) {
                    cpu.swap(status, 0)
                } else {
                    let copy = cpu.load(status);
                    cpu.store(status, 0);
                    copy
                };
                if told & FLUSH != 0 {
                    cpu.flush_all();
                }
                cpu.set_descheduled(false);
            }
            _ => cpu.bug("an interrupt that the host never sends"),
        }
    }

    fn give_back(&self) -> Option<Interrupt> {
        Some(handler(GIVE_BACK))
    }

    fn take_away(&self) -> Option<Interrupt> {
        Some(handler(TAKE_AWAY))
    }
}
