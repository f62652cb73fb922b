//! The Xen backend: the kernel as a paravirtual guest. It numbers its frames otherwise than the machine does, and changes
//! page tables by hypercall only.

mod multicalls;
mod p2m;
mod raw_calls;

use crate::flush_request::FlushRequest;
use crate::hypervisor::xen::{
    self, AccessedDirty, Call, DEVICE_LIMIT, Exchange, Hypervisor, MmuExt, MmuUpdate, Reach, Refusal,
    UpdateFlush,
};
use crate::paravirt::{Pfn, PvExchange, PvFlush, PvMmu, PvSwitch, PvTables, RawCalls, Refused, Wanted};
use crate::protocol::{KernelFlush, Protocol, Step};
use crate::sizes::Sizes;
use crate::smp::CpuMask;
use crate::sync::Lockdep;
use machine::paging::LEVELS;
use machine::{Bus, Cpu, Entry, Family, Frame, Interrupt, Level, Role, Word};
use multicalls::Multicalls;
use p2m::P2m;
use std::rc::Rc;

/// A paravirtual guest and the hypervisor beneath it.
#[derive(Debug)]
pub struct Xen {
    hypervisor: Hypervisor,
    p2m: P2m,
    multicalls: Multicalls,
    protocol: Rc<Protocol>,
}

impl Xen {
    /// The hypervisor, for checks.
    pub fn hypervisor(&self) -> &Hypervisor {
        &self.hypervisor
    }

    /// Issues first what this CPU put off: all that follows may rely on it.
    #[track_caller]
    fn issue(&self, cpu: &Cpu<'_>) {
        self.multicalls.issue(cpu, &self.hypervisor);
    }

    /// Makes an update: puts it off in lazy mode, else makes it at once.
    #[track_caller]
    fn update(&self, cpu: &Cpu<'_>, call: Call) -> Result<(), Refused> {
        if self.multicalls.lazy(cpu) {
            self.multicalls.collect(cpu, &self.hypervisor, call);
            return Ok(());
        }
        self.issue(cpu);
        let result = match call {
            Call::MmuUpdate(update) => self.hypervisor.mmu_update(cpu, update),
            Call::UpdateVaMapping { va, entry, flush } => {
                self.hypervisor.update_va_mapping(cpu, va, entry, flush)
            }
            Call::MmuExt(op) => self.hypervisor.mmuext_op(cpu, op),
        };
        result.map_err(|refusal| refused(cpu, refusal))
    }

    #[track_caller]
    fn extended(&self, cpu: &Cpu<'_>, op: MmuExt) -> Result<(), Refused> {
        self.issue(cpu);
        self.hypervisor.mmuext_op(cpu, op).map_err(|refusal| refused(cpu, refusal))
    }

    /// Makes a flush, which the hypervisor never refuses.
    #[track_caller]
    fn flush(&self, cpu: &Cpu<'_>, op: MmuExt) {
        if self.extended(cpu, op).is_err() {
            cpu.bug("the hypervisor refused a flush");
        }
    }
}

/// Writes into the trace why the hypervisor refused.
#[track_caller]
fn refused(cpu: &Cpu<'_>, refusal: Refusal) -> Refused {
    cpu.note(refusal.reason(), refusal.subject());
    Refused
}

impl PvTables for Xen {
    const TABLES_ALLOW_NO_ALIAS: bool = true;
    /// The hypervisor refuses them: 2 MiB of a guest's pages are not 2 MiB of the machine's memory.
    const LARGE_LEAVES: bool = false;

    fn frame_of(&self, pfn: Pfn) -> Frame {
        self.p2m.frame_of(pfn)
    }

    fn pfn_of(&self, frame: Frame) -> Pfn {
        self.p2m.pfn_of(frame).unwrap_or_else(|| panic!("{frame} is none of the kernel's"))
    }

    /// Pins lowest-level tables (`xen_alloc_pte` for a pinned address space). Upper ones become tables when they are
    /// linked.
    fn alloc_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8) -> Result<(), Refused> {
        if level == 1 { self.pin_table(cpu, pfn) } else { Ok(()) }
    }

    /// The kernel made sure that nothing leads to the table and no CPU remembers a way to it. The hypervisor does not take
    /// its word for it, and flushes before the frame can be mapped writable.
    fn release_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8) {
        if level == 1 && self.extended(cpu, MmuExt::UnpinTable { frame: self.frame_of(pfn) }).is_err() {
            cpu.bug("a lowest-level table of the kernel's was not pinned");
        }
        self.issue(cpu);
        self.end_table(cpu, pfn);
    }

    fn pin_table(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Result<(), Refused> {
        self.extended(cpu, MmuExt::PinTable { frame: self.frame_of(pfn), level: 1 })
    }

    fn unpin_table(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        self.release_table(cpu, pfn, 1);
    }

    /// The page is ordinary memory until it is pinned; the guest may write to it.
    fn begin_table(&self, _cpu: &Cpu<'_>, _pfn: Pfn, _level: u8) {}

    #[track_caller]
    fn link_table(&self, cpu: &Cpu<'_>, word: Word, level: u8, entry: Entry) {
        cpu.store_word(word, Family::of_level(level), entry.0);
    }

    fn pin_tree(&self, cpu: &Cpu<'_>, root: Pfn) -> Result<(), Refused> {
        self.extended(cpu, MmuExt::PinTable { frame: self.frame_of(root), level: LEVELS })
    }

    fn unpin_tree(&self, cpu: &Cpu<'_>, root: Pfn) {
        if self.extended(cpu, MmuExt::UnpinTable { frame: self.frame_of(root) }).is_err() {
            cpu.bug("a root of the kernel's was not pinned");
        }
    }

    /// If the hypervisor refused a tree half way, the tables that it had accepted still have that role.
    fn end_table(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        let frame = self.frame_of(pfn);
        if matches!(cpu.bus().memory.role(frame), Role::Table(_)) {
            cpu.set_role(frame, Role::Data);
        }
    }

    /// The hypervisor holds the table no more, and the guest may write to the page again: its own mapping of it becomes writable
    /// (`xen_release_pte`). The page stays as it is until it goes to the allocator.
    fn retire_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8, pinned: bool) {
        if pinned {
            self.let_go_of_table(cpu, pfn, level);
        }
    }

    fn let_go_of_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8) {
        let frame = self.frame_of(pfn);
        cpu.set_role(frame, Role::Queued(level));
        if level == 1 && self.extended(cpu, MmuExt::UnpinTable { frame }).is_err() {
            cpu.bug("a lowest-level table of an address space was not pinned");
        }
        self.issue(cpu);
        if self.hypervisor.make_writable(cpu, frame).is_err() {
            cpu.bug("the hypervisor holds a table that nothing leads to");
        }
    }

    /// The two halves are not one access here: the guest reads the entry, and the hypervisor clears it. It keeps the accessed and
    /// dirty bits that the hardware has set in between to itself.
    fn clear_entry(&self, cpu: &Cpu<'_>, word: Word, level: u8) -> Entry {
        let entry = cpu.load_entry(word, level);
        if self.set_entry(cpu, word, level, Entry::EMPTY).is_err() {
            cpu.bug("the hypervisor does not let go of an entry");
        }
        entry
    }

    fn set_entry(&self, cpu: &Cpu<'_>, word: Word, _level: u8, entry: Entry) -> Result<(), Refused> {
        self.update(cpu, Call::MmuUpdate(MmuUpdate { word, entry, bits: AccessedDirty::AsGiven }))
    }

    fn set_pte_at(&self, cpu: &Cpu<'_>, va: u64, _word: Word, entry: Entry) -> Result<(), Refused> {
        self.update(cpu, Call::UpdateVaMapping { va, entry, flush: UpdateFlush::None })
    }

    fn enter_lazy_mmu(&self, cpu: &Cpu<'_>) {
        self.multicalls.enter(cpu);
    }

    fn leave_lazy_mmu(&self, cpu: &Cpu<'_>) -> Result<(), Refused> {
        if self.multicalls.leave(cpu, &self.hypervisor) { Ok(()) } else { Err(Refused) }
    }
}

impl PvFlush for Xen {
    fn flush_local(&self, cpu: &Cpu<'_>) {
        self.flush(cpu, MmuExt::TlbFlushLocal);
    }

    fn flush_one(&self, cpu: &Cpu<'_>, va: u64) {
        self.flush(cpu, MmuExt::InvlpgLocal { va });
    }

    fn flush_everywhere(&self, cpu: &Cpu<'_>, FlushRequest { range, full }: FlushRequest) -> bool {
        if self.protocol.designs.kernel_flush != KernelFlush::Hypercall {
            return false;
        }
        if full {
            self.flush(cpu, MmuExt::TlbFlushAll);
        } else {
            range.addresses().for_each(|va| self.flush(cpu, MmuExt::InvlpgAll { va }));
        }
        true
    }

    const FLUSHES_BY_INTERRUPT: bool = false;
    const BROADCASTS: bool = false;

    fn flush_user_local(&self, cpu: &Cpu<'_>) {
        self.flush(cpu, MmuExt::TlbFlushLocal);
    }

    /// The hypervisor interrupts the CPUs, whatever the guest's interrupt flags say, and returns at once when all have flushed
    /// (`xen_flush_tlb_multi`). It tells the guest nothing of what those CPUs were at.
    fn flush_user_others(
        &self,
        cpu: &Cpu<'_>,
        cpus: CpuMask,
        FlushRequest { range, full }: FlushRequest,
    ) -> CpuMask {
        if full {
            self.flush(cpu, MmuExt::TlbFlushMulti { cpus });
        } else {
            range.addresses().for_each(|va| self.flush(cpu, MmuExt::InvlpgMulti { cpus, va }));
        }
        0
    }

    fn send_ipi(&self, cpu: &Cpu<'_>, to: u8, vector: u8) {
        self.issue(cpu);
        self.hypervisor.event_channel_send(cpu, to, vector);
    }

    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        debug_assert_eq!(interrupt.level, Level::Hypervisor, "the guest's own interrupts are the kernel's");
        self.hypervisor.interrupt(cpu, interrupt);
    }
}

impl PvSwitch for Xen {
    /// The hypervisor holds a root for as long as it is some CPU's base pointer.
    #[track_caller]
    fn load_root(&self, cpu: &Cpu<'_>, root: Pfn) {
        if self.extended(cpu, MmuExt::NewBaseptr { frame: self.frame_of(root) }).is_err() {
            cpu.bug("the hypervisor refused a root");
        }
    }
}

impl PvExchange for Xen {
    const EXCHANGES_FRAMES: bool = true;

    fn dma_limit(_sizes: Sizes) -> u32 {
        DEVICE_LIMIT
    }

    fn set_pte_and_flush(&self, cpu: &Cpu<'_>, va: u64, entry: Entry, full: bool) -> Result<(), Refused> {
        self.issue(cpu);
        let flush = if full { UpdateFlush::Tlb(Reach::All) } else { UpdateFlush::Invlpg(Reach::All) };
        self.hypervisor.update_va_mapping(cpu, va, entry, flush).map_err(|refusal| refused(cpu, refusal))
    }

    /// A page has no frame from the moment of the offer until the kernel knows what became of it. What was not exchanged
    /// gets its own frame back: the hypervisor's list holds nothing beyond the number of frames that it exchanged.
    ///
    /// Each page offers its own frame. The frames of a segment follow each other. Those of the next segment lie anywhere, and it is
    /// luck if they come next:
    ///
    /// ```text
    ///   a buffer of p1 to p3                  p7, of another caller's
    ///   f10  f11 | f40                        f12
    ///   as a region it is f10 to f12: the hypervisor takes f12, or p3 gets it back
    ///                                         has a frame that is not the guest's, or is p3's too
    /// ```
    fn exchange_frames(&self, cpu: &Cpu<'_>, pages: &[Pfn], wanted: Wanted) -> Result<usize, Refused> {
        self.issue(cpu);
        let mut offered: Vec<_> = pages.iter().map(|pfn| self.p2m.zap(*pfn)).collect();
        if wanted == Wanted::Any && !self.protocol.does(Step::GiveBackEachFrame) {
            let first = offered[0].0;
            (first..).map(Frame).zip(&mut offered).for_each(|(next, frame)| *frame = next);
        }
        // By the hypercall's convention the list first says which pages the frames are for.
        let mut given: Vec<_> = pages.iter().map(|pfn| Frame(pfn.0)).collect();
        let (segment, below) = match wanted {
            Wanted::Reachable { segment, limit } => (segment, Some(limit)),
            Wanted::Any => (1, None),
        };
        let exchange = Exchange { offered: &offered, segment, below, for_good: false };
        let exchanged = self.hypervisor.memory_exchange(cpu, exchange, &mut given);
        let frames = if self.protocol.does(Step::RestoreRemainder) { exchanged.frames } else { pages.len() };
        for (index, pfn) in pages.iter().enumerate() {
            self.p2m.set(*pfn, if index < frames { given[index] } else { offered[index] });
        }
        match exchanged.refusal {
            Some(refusal) => Err(refused(cpu, refusal)),
            None => Ok(frames),
        }
    }

    fn other_domain_takes(&self, bus: &Bus) {
        self.hypervisor.other_guest_takes(bus);
    }
}

impl PvMmu for Xen {
    const NAME: &'static str = "xen";

    fn machine_frames(sizes: Sizes) -> u32 {
        xen::machine_frames(sizes)
    }

    fn machine_vars(sizes: Sizes) -> u32 {
        Hypervisor::vars(sizes)
    }

    fn boot(bus: &Rc<Bus>, sizes: Sizes, protocol: &Rc<Protocol>, _lockdep: &Rc<Lockdep>) -> Self {
        Self {
            hypervisor: Hypervisor::boot(bus, sizes, protocol),
            p2m: P2m::new(xen::frame_list(sizes), bus.memory.frames()),
            multicalls: Multicalls::new(bus, sizes),
            protocol: Rc::clone(protocol),
        }
    }

    fn adopt_boot_tables(&self, bus: &Bus, root: Pfn, tables: &[(Pfn, u8)]) {
        let tables = tables.iter().map(|(pfn, level)| (self.frame_of(*pfn), *level));
        self.hypervisor.adopt_tables(bus, self.frame_of(root), tables);
    }

    fn leftovers(&self, bus: &Bus) -> Vec<String> {
        // Before what the hypervisor has to say: with a frame of another's everything else goes wrong too.
        let mut left = self.p2m.leftovers(bus);
        left.extend(self.hypervisor.leftovers(bus));
        match self.multicalls.outstanding() {
            0 => {}
            calls => left.push(format!("{calls} hypercalls were put off and never issued")),
        }
        left
    }

    fn raw_calls(&self) -> Option<&dyn RawCalls> {
        Some(self)
    }
}
