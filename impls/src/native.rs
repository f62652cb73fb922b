//! Native: the kernel runs on the hardware itself. Frames are what they seem, entries are stores, flushes are
//! instructions.

use crate::flush_request::FlushRequest;
use crate::paravirt::{Pfn, PvExchange, PvFlush, PvMmu, PvSwitch, PvTables, Refused, Wanted};
use crate::protocol::Protocol;
use crate::sizes::Sizes;
use crate::sync::Lockdep;
use machine::{Bus, Cpu, Cr3, Entry, Family, Frame, Interrupt, Role, Word};
use std::rc::Rc;

/// Bare metal.
#[derive(Clone, Copy, Debug)]
pub struct Native;

impl PvTables for Native {
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

impl PvFlush for Native {
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

    #[track_caller]
    fn send_ipi(&self, cpu: &Cpu<'_>, to: u8, vector: u8) {
        cpu.send_ipi(to, vector);
    }

    fn interrupt(&self, cpu: &Cpu<'_>, _interrupt: Interrupt) {
        cpu.bug("an interrupt for a hypervisor, and there is none");
    }
}

impl PvSwitch for Native {
    #[track_caller]
    fn load_root(&self, cpu: &Cpu<'_>, root: Pfn) {
        cpu.load_cr3(Cr3 { root: self.frame_of(root), pcid: 0 }, false);
    }
}

impl PvExchange for Native {
    const EXCHANGES_FRAMES: bool = false;

    fn dma_limit(sizes: Sizes) -> u32 {
        sizes.first_high_frame()
    }

    #[track_caller]
    fn set_pte_and_flush(&self, cpu: &Cpu<'_>, _va: u64, _entry: Entry, _full: bool) -> Result<(), Refused> {
        cpu.bug("on bare metal the kernel flushes by itself")
    }

    #[track_caller]
    fn exchange_frames(&self, cpu: &Cpu<'_>, _pages: &[Pfn], _wanted: Wanted) -> Result<usize, Refused> {
        cpu.bug("on bare metal no frames are exchanged")
    }
}

impl PvMmu for Native {
    const NAME: &'static str = "native";

    fn machine_frames(sizes: Sizes) -> u32 {
        sizes.frames()
    }

    fn machine_vars(_sizes: Sizes) -> u32 {
        0
    }

    fn boot(_bus: &Rc<Bus>, _sizes: Sizes, _protocol: &Rc<Protocol>, _lockdep: &Rc<Lockdep>) -> Self {
        Self
    }

    fn adopt_boot_tables(&self, _bus: &Bus, _root: Pfn, _tables: &[(Pfn, u8)]) {}

    fn leftovers(&self, _bus: &Bus) -> Vec<String> {
        Vec::new()
    }
}
