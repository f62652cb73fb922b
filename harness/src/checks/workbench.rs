//! For the tests of the checks: a bare machine whose state is built by hand.

use machine::paging::{LEVELS, index};
use machine::{
    Bus, Config, Cpu, Cr3, Entry, Flags, Frame, Holder, Interrupt, Machine, Observer, Role, Software,
    Temperament, Until, Wait, WaitKind, Word,
};
use oracle::vocabulary::{Call, Operation};

/// An address whose tables are there.
pub(crate) const VA: u64 = 0xffff_c900_0000_0000;

/// What the software of the workbench does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Do {
    Read(u64),
    Write(u64),
    /// Gives a frame back.
    Free(Frame),
    /// Again and again.
    Spin,
    Send(u8),
    Wait {
        acknowledge: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Hands;

impl Software for Hands {
    type Operation = Do;
    type Outcome = ();

    fn run(&self, cpu: &Cpu<'_>, what: Do) {
        match what {
            // Whether it faults is of no interest here.
            Do::Read(va) => drop(cpu.read(va)),
            Do::Write(va) => drop(cpu.write(va, 1)),
            Do::Free(frame) => cpu.free_frame(frame),
            Do::Spin => {
                let var = cpu.bus().memory.var(impls::family::AREA_LOCK);
                loop {
                    cpu.wait(Wait { var, until: Until::Is(0), holder: Holder::Cpu(1), kind: WaitKind::Spin });
                }
            }
            Do::Send(to) => cpu.send_ipi(to, 1),
            Do::Wait { acknowledge } => {
                let kind = if acknowledge { WaitKind::Acknowledge } else { WaitKind::Spin };
                if acknowledge {
                    cpu.irq_save();
                }
                let var = cpu.bus().memory.var(impls::family::CALL_ACK);
                cpu.wait(Wait { var, until: Until::Is(1), holder: Holder::Cpu(1), kind });
            }
        }
    }

    fn interrupt(&self, _: &Cpu<'_>, _: Interrupt) {}

    fn drains_at_end(&self, what: &Do) -> bool {
        !matches!(what, Do::Write(_))
    }
}

struct Nobody;

impl Observer<()> for Nobody {
    fn ended(&mut self, _: &Bus, _: u8, (): ()) {}
}

/// A machine of this many CPUs, with empty tables around [`VA`].
pub(crate) fn machine(cpus: u8) -> Machine<Hands> {
    machine_with(cpus, Temperament::empty())
}

pub(crate) fn machine_with(cpus: u8, temperament: Temperament) -> Machine<Hands> {
    let config =
        Config { cpus, frames: 32, large_pages: 1, vars: 8, steps: 1000, temperament, ..Config::default() };
    Machine::new(config, |bus| {
        for level in 1..=LEVELS {
            bus.memory.set_role(table(level), Role::Table(level));
        }
        for level in 2..=LEVELS {
            let flags = Flags::PRESENT | Flags::WRITABLE;
            bus.boot_word(Word::new(table(level), index(VA, level)), Entry::new(table(level - 1), flags).0);
        }
        for cpu in 0..cpus {
            bus.boot_cr3(cpu, Cr3 { root: table(LEVELS), pcid: 0 });
        }
        Hands
    })
}

/// The table of this level.
pub(crate) fn table(level: u8) -> Frame {
    Frame(u32::from(level))
}

pub(crate) fn frame(number: u32) -> Frame {
    Frame(number)
}

/// Puts a frame to use as a page of data.
pub(crate) fn page(machine: &Machine<Hands>, number: u32) -> Frame {
    let frame = Frame(number);
    machine.bus().memory.set_role(frame, Role::Data);
    frame
}

/// The first frame of the large page.
pub(crate) const LARGE: Frame = Frame(machine::paging::LARGE_MEMORY);

/// Maps the large page at an address, by one entry in the place of the lowest table.
pub(crate) fn map_large(machine: &Machine<Hands>, va: u64, flags: Flags) {
    let entry = Entry::new(LARGE, flags | Flags::PRESENT | Flags::HUGE_PAGE);
    machine.bus().boot_word(Word::new(table(2), index(va, 2)), entry.0);
}

pub(crate) fn map(machine: &Machine<Hands>, va: u64, frame: Frame) {
    map_with(machine, va, frame, Flags::PRESENT | Flags::WRITABLE | Flags::GLOBAL);
}

pub(crate) fn map_with(machine: &Machine<Hands>, va: u64, frame: Frame, flags: Flags) {
    machine.bus().boot_word(Word::new(table(1), index(va, 1)), Entry::new(frame, flags).0);
}

/// Clears the entry and flushes nothing.
pub(crate) fn unmap(machine: &Machine<Hands>, va: u64) {
    machine.bus().boot_word(Word::new(table(1), index(va, 1)), 0);
}

fn run(machine: &mut Machine<Hands>, cpu: u8, what: Do) {
    let _told = machine.begin(cpu, what, None, &mut Nobody);
}

pub(crate) fn touch(machine: &mut Machine<Hands>, cpu: u8, va: u64) {
    run(machine, cpu, Do::Read(va));
}

pub(crate) fn write(machine: &mut Machine<Hands>, cpu: u8, va: u64) {
    run(machine, cpu, Do::Write(va));
}

pub(crate) fn free(machine: &mut Machine<Hands>, cpu: u8, frame: Frame) {
    run(machine, cpu, Do::Free(frame));
}

/// From now on the CPU executes under this identifier; its TLB stays as it is.
pub(crate) fn switch_pcid(machine: &Machine<Hands>, cpu: u8, pcid: u16) {
    machine.bus().boot_cr3(cpu, Cr3 { root: table(LEVELS), pcid });
}

pub(crate) fn send(machine: &mut Machine<Hands>, from: u8, to: u8) {
    run(machine, from, Do::Send(to));
}

pub(crate) fn wait_for_nobody(machine: &mut Machine<Hands>, cpu: u8, acknowledge: bool) {
    run(machine, cpu, Do::Wait { acknowledge });
}

/// Goes round until the steps of the story are used up.
pub(crate) fn spin(machine: &mut Machine<Hands>, cpu: u8) {
    run(machine, cpu, Do::Spin);
}

pub(crate) fn call(operation: Operation) -> Call {
    Call { operation, irqs_off: false }
}
