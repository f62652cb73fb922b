//! A kernel with page tables of its own: frames are what they seem, entries are stores, flushes are instructions. It runs on the
//! hardware itself ([`crate::native`]), or in a virtual machine whose hardware translates once more beneath it ([`crate::kvm`],
//! [`crate::hyperv`]). These differ in how other CPUs are flushed, and in who may take a CPU away.

use crate::flush_request::FlushRequest;
use crate::paravirt::{Pfn, PvExchange, PvFlush, PvMmu, PvSwitch, PvTables, Refused, Wanted};
use crate::protocol::Protocol;
use crate::sizes::Sizes;
use crate::smp::CpuMask;
use crate::sync::Lockdep;
use machine::{Bus, Cpu, Cr3, Entry, Family, Frame, Interrupt, Role, Word};
use std::fmt;
use std::rc::Rc;

/// What lies beneath a kernel with page tables of its own.
pub trait Beneath: Sized + fmt::Debug + 'static {
    /// The name for people and stories.
    const NAME: &'static str;

    /// Whether user addresses are flushed on other CPUs by interrupts alone.
    const FLUSHES_BY_INTERRUPT: bool;

    /// Whether CPUs have instructions that broadcast invalidations to others.
    const BROADCASTS: bool = false;

    /// Machine variables needed.
    const VARS: u32;

    /// At boot, before any CPU runs.
    fn boot(bus: &Bus, protocol: &Rc<Protocol>) -> Self;

    /// Flushes user addresses on these other CPUs, a bit each, or sees to it that they flush before they execute anything. Returns
    /// those that the kernel is to interrupt.
    #[track_caller]
    fn flush_others(&self, cpu: &Cpu<'_>, cpus: CpuMask, request: FlushRequest) -> CpuMask;

    /// An interrupt for what lies beneath.
    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt);

    /// The handler by which a CPU is given back that was taken away; none where none is.
    fn give_back(&self) -> Option<Interrupt> {
        None
    }

    /// The handler by which a CPU is taken away; none where none is.
    fn take_away(&self) -> Option<Interrupt> {
        None
    }
}

/// The platform of such a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Hardware<B>(B);

impl<B: Beneath> PvTables for Hardware<B> {
    const TABLES_ALLOW_NO_ALIAS: bool = false;
    const LARGE_LEAVES: bool = true;

    fn frame_of(&self, pfn: Pfn) -> Frame {
        Frame(pfn.0)
    }

    fn pfn_of(&self, frame: Frame) -> Pfn {
        Pfn(frame.0)
    }

    #[track_caller]
    fn alloc_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8) -> Result<(), Refused> {
        cpu.set_role(self.frame_of(pfn), Role::Table(level));
        Ok(())
    }

    #[track_caller]
    fn release_table(&self, cpu: &Cpu<'_>, pfn: Pfn, _level: u8) {
        cpu.set_role(self.frame_of(pfn), Role::Data);
    }

    fn pin_table(&self, cpu: &Cpu<'_>, pfn: Pfn) -> Result<(), Refused> {
        self.alloc_table(cpu, pfn, 1)
    }

    fn unpin_table(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        self.release_table(cpu, pfn, 1);
    }

    #[track_caller]
    fn begin_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8) {
        cpu.set_role(self.frame_of(pfn), Role::Table(level));
    }

    #[track_caller]
    fn link_table(&self, cpu: &Cpu<'_>, word: Word, level: u8, entry: Entry) {
        cpu.store_word(word, Family::of_level(level), entry.0);
    }

    fn pin_tree(&self, _cpu: &Cpu<'_>, _root: Pfn) -> Result<(), Refused> {
        Ok(())
    }

    fn unpin_tree(&self, _cpu: &Cpu<'_>, _root: Pfn) {}

    #[track_caller]
    fn end_table(&self, cpu: &Cpu<'_>, pfn: Pfn) {
        cpu.set_role(self.frame_of(pfn), Role::Data);
    }

    #[track_caller]
    fn retire_table(&self, cpu: &Cpu<'_>, pfn: Pfn, level: u8, _pinned: bool) {
        cpu.set_role(self.frame_of(pfn), Role::Queued(level));
    }

    fn let_go_of_table(&self, _cpu: &Cpu<'_>, _pfn: Pfn, _level: u8) {}

    #[track_caller]
    fn clear_entry(&self, cpu: &Cpu<'_>, word: Word, level: u8) -> Entry {
        Entry(cpu.update_word(word, Family::of_level(level), |_| Some(0)))
    }

    #[track_caller]
    fn set_entry(&self, cpu: &Cpu<'_>, word: Word, level: u8, entry: Entry) -> Result<(), Refused> {
        cpu.store_word(word, Family::of_level(level), entry.0);
        Ok(())
    }

    #[track_caller]
    fn set_pte_at(&self, cpu: &Cpu<'_>, _va: u64, word: Word, entry: Entry) -> Result<(), Refused> {
        self.set_entry(cpu, word, 1, entry)
    }

    fn enter_lazy_mmu(&self, _cpu: &Cpu<'_>) {}

    fn leave_lazy_mmu(&self, _cpu: &Cpu<'_>) -> Result<(), Refused> {
        Ok(())
    }
}

impl<B: Beneath> PvFlush for Hardware<B> {
    #[track_caller]
    fn flush_local(&self, cpu: &Cpu<'_>) {
        cpu.flush_all();
    }

    #[track_caller]
    fn flush_one(&self, cpu: &Cpu<'_>, va: u64) {
        cpu.invlpg(va);
    }

    fn flush_everywhere(&self, _cpu: &Cpu<'_>, _request: FlushRequest) -> bool {
        false
    }

    const FLUSHES_BY_INTERRUPT: bool = B::FLUSHES_BY_INTERRUPT;
    const BROADCASTS: bool = B::BROADCASTS;

    #[track_caller]
    fn flush_user_local(&self, cpu: &Cpu<'_>) {
        cpu.load_cr3(cpu.cr3(), false);
    }

    #[track_caller]
    fn flush_user_others(&self, cpu: &Cpu<'_>, cpus: CpuMask, request: FlushRequest) -> CpuMask {
        self.0.flush_others(cpu, cpus, request)
    }

    #[track_caller]
    fn send_ipi(&self, cpu: &Cpu<'_>, to: u8, vector: u8) {
        cpu.send_ipi(to, vector);
    }

    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        self.0.interrupt(cpu, interrupt);
    }

    fn give_back(&self) -> Option<Interrupt> {
        self.0.give_back()
    }

    fn take_away(&self) -> Option<Interrupt> {
        self.0.take_away()
    }
}

impl<B: Beneath> PvSwitch for Hardware<B> {
    #[track_caller]
    fn load_root(&self, cpu: &Cpu<'_>, root: Pfn) {
        cpu.load_cr3(Cr3 { root: self.frame_of(root), pcid: 0 }, false);
    }
}

impl<B: Beneath> PvExchange for Hardware<B> {
    const EXCHANGES_FRAMES: bool = false;

    fn dma_limit(sizes: Sizes) -> u32 {
        sizes.first_high_frame()
    }

    #[track_caller]
    fn set_pte_and_flush(&self, cpu: &Cpu<'_>, _va: u64, _entry: Entry, _full: bool) -> Result<(), Refused> {
        cpu.bug("a kernel with tables of its own flushes by itself")
    }

    #[track_caller]
    fn exchange_frames(&self, cpu: &Cpu<'_>, _pages: &[Pfn], _wanted: Wanted) -> Result<usize, Refused> {
        cpu.bug("no frames are exchanged beneath a kernel with tables of its own")
    }
}

impl<B: Beneath> PvMmu for Hardware<B> {
    const NAME: &'static str = B::NAME;

    fn machine_frames(sizes: Sizes) -> u32 {
        sizes.frames()
    }

    fn machine_vars(_sizes: Sizes) -> u32 {
        B::VARS
    }

    fn boot(bus: &Rc<Bus>, _sizes: Sizes, protocol: &Rc<Protocol>, _lockdep: &Rc<Lockdep>) -> Self {
        Self(B::boot(bus, protocol))
    }

    fn adopt_boot_tables(&self, _bus: &Bus, _root: Pfn, _tables: &[(Pfn, u8)]) {}

    fn leftovers(&self, _bus: &Bus) -> Vec<String> {
        Vec::new()
    }
}
