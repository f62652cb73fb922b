//! Invalidations that a CPU broadcasts (AMD APM volume 3, INVLPGB and TLBSYNC): no CPU is interrupted for them, whatever its
//! interrupt flag says.
//!
//! INVLPGB sends a request to every CPU. Each CPU carries it out at a moment of its own, before the TLBSYNC of the CPU that sent it
//! is over: at the end of a walk, with its earlier stores visible. Here that moment is told, or comes with the TLBSYNC. The sender's
//! own stores are not ordered before the request, so software fences first:
//!
//! ```text
//!   c0                                    c1
//!   clears the entry (buffered)
//!   INVLPGB
//!                                         forgets the page
//!                                         walks again: the entry is as it was
//!   TLBSYNC
//!   (the store drains)                    holds what is cleared
//! ```

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::paging::canonical;
use crate::point::{Family, PointKind};
use crate::tlb::Tlb;
use crate::trace::{Flushed, TraceEvent};
use std::panic::Location;

/// What CPUs are to forget, under every identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broadcast {
    /// A page, and every upper entry. Global entries stay.
    Page {
        /// Its address.
        va: u64,
    },
    /// Everything but global entries.
    AllNonGlobal,
}

impl Bus {
    /// A CPU carries out the oldest request that was broadcast to it, if there is one. Returns whether there was.
    pub fn apply_broadcast(&self, cpu: u8) -> bool {
        let core = self.core(cpu);
        let oldest = {
            let mut requests = core.broadcasts.borrow_mut();
            if requests.is_empty() { None } else { Some(requests.remove(0)) }
        };
        let Some((_, what)) = oldest else { return false };
        self.drain(cpu, usize::MAX);
        self.forget(cpu, what, None);
        true
    }

    /// How many requests a CPU has not carried out.
    pub fn broadcasts_pending(&self, cpu: u8) -> usize {
        self.core(cpu).broadcasts.borrow().len()
    }

    fn forget(&self, cpu: u8, what: Broadcast, at: Option<&'static Location<'static>>) {
        let mut tlb = self.core(cpu).tlb.borrow_mut();
        let (flushed, va, lost) = match what {
            Broadcast::Page { va } => (Flushed::Page, Some(va), tlb.invalidate_page_of_all(va)),
            Broadcast::AllNonGlobal => (Flushed::Full, None, tlb.invalidate_non_global()),
        };
        drop(tlb);
        if self.tracing() {
            self.record(cpu, TraceEvent::Invalidated { scope: "invlpgb", flushed, va, lost }, at);
        }
    }
}

impl Cpu<'_> {
    /// INVLPGB: this CPU forgets what is asked for, and asks every other CPU to. The store buffer is not drained.
    #[track_caller]
    pub fn invlpgb(&self, what: Broadcast) {
        self.point(PointKind::Invlpgb, Family::NONE);
        // For an address that is not canonical it does nothing.
        if let Broadcast::Page { va } = what
            && !canonical(va)
        {
            return;
        }
        for other in (0..self.bus.cpus()).filter(|other| *other != self.id) {
            self.bus.core(other).broadcasts.borrow_mut().push((self.id, what));
        }
        self.bus.forget(self.id, what, Some(Location::caller()));
    }

    /// TLBSYNC: every other CPU has carried out what this CPU asked for when it is over. Serialises then.
    #[track_caller]
    pub fn tlbsync(&self) {
        self.point(PointKind::Tlbsync, Family::NONE);
        for other in (0..self.bus.cpus()).filter(|other| *other != self.id) {
            // A CPU carries requests out in the order in which they came, those of other CPUs among them.
            while self.bus.core(other).broadcasts.borrow().iter().any(|(from, _)| *from == self.id) {
                self.bus.apply_broadcast(other);
            }
        }
        self.drain();
    }
}

impl Tlb {
    /// Drops a page's leaves of every identifier, and every upper entry. Global leaves stay.
    fn invalidate_page_of_all(&mut self, va: u64) -> crate::tlb::Lost {
        self.invalidate_where(|leaf| leaf.covers(va) && !leaf.global())
    }
}
