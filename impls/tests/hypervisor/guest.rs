//! A guest that is nothing but its tables: it asks for whatever it is told to.

use impls::Sizes;
use impls::hypervisor::xen::LINEAR_PCID;
use impls::hypervisor::xen::{
    AccessedDirty, Call, DEVICE_LIMIT, Exchange, Hypervisor, MmuExt, MmuUpdate, PageType, Refusal,
    UpdateFlush, frame_list, machine_frames,
};
use machine::paging::span;
use machine::tlb::TlbEntry;
use machine::{
    Bus, Config, Cpu, Cr3, Entry, Flags, Frame, Interrupt, Machine, Observer, Pause, Role, Software,
    Temperament, Told, Word,
};
use std::rc::Rc;

/// What the guest can be told to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Pin(Frame, u8),
    Unpin(Frame),
    /// Sets an entry, by `mmu_update`.
    Set(Frame, u16, Entry),
    /// The same, with the bits kept that the hardware set.
    SetPreserving(Frame, u16, Entry),
    /// Sets an entry, by `update_va_mapping`.
    SetVa(u64, Entry, UpdateFlush),
    Base(Frame),
    Extended(MmuExt),
    /// Two calls for one.
    Both(Call, Call),
    /// Offers frames for contiguous ones that a device reaches, in segments of two.
    Exchange([Frame; 4]),
    /// Offers a frame for any other.
    ExchangeBack(Frame),
    Write(u64, u64),
    /// Reads with the guest's interrupts off, and goes on with them on.
    ReadMasked(u64),
}

/// How that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Done,
    Refused(Refusal),
    Faulted,
    /// So many of several calls were refused.
    RefusedOf(usize),
    /// So many frames were exchanged, for these, and why not more.
    Exchanged(usize, [Frame; 4], Option<Refusal>),
}

#[derive(Debug)]
pub(crate) struct Guest {
    hypervisor: Hypervisor,
}

impl Guest {
    fn exchange(&self, cpu: &Cpu<'_>, offered: &[Frame], below: Option<u32>) -> Answer {
        let mut given = [Frame(u32::MAX); 4];
        let exchanged = self.hypervisor.memory_exchange(
            cpu,
            Exchange { offered, segment: 2, below, for_good: false },
            &mut given,
        );
        Answer::Exchanged(exchanged.frames, given, exchanged.refusal)
    }
}

impl Software for Guest {
    type Operation = Ask;
    type Outcome = Answer;

    fn run(&self, cpu: &Cpu<'_>, ask: Ask) -> Answer {
        let update = |frame, index, entry, bits| {
            self.hypervisor.mmu_update(cpu, MmuUpdate { word: Word { frame, index }, entry, bits })
        };
        let result = match ask {
            Ask::Pin(frame, level) => self.hypervisor.mmuext_op(cpu, MmuExt::PinTable { frame, level }),
            Ask::Unpin(frame) => self.hypervisor.mmuext_op(cpu, MmuExt::UnpinTable { frame }),
            Ask::Set(frame, index, entry) => update(frame, index, entry, AccessedDirty::AsGiven),
            Ask::SetPreserving(frame, index, entry) => update(frame, index, entry, AccessedDirty::Preserve),
            Ask::SetVa(va, entry, flush) => self.hypervisor.update_va_mapping(cpu, va, entry, flush),
            Ask::Base(frame) => self.hypervisor.mmuext_op(cpu, MmuExt::NewBaseptr { frame }),
            Ask::Extended(op) => self.hypervisor.mmuext_op(cpu, op),
            Ask::Both(first, second) => {
                let mut refused = 0;
                self.hypervisor.multicall(cpu, &[first, second], |_, _| refused += 1);
                return Answer::RefusedOf(refused);
            }
            Ask::Exchange(offered) => return self.exchange(cpu, &offered, Some(DEVICE_LIMIT)),
            Ask::ExchangeBack(frame) => return self.exchange(cpu, &[frame], None),
            Ask::Write(va, value) => {
                return if cpu.write(va, value).is_ok() { Answer::Done } else { Answer::Faulted };
            }
            Ask::ReadMasked(va) => {
                let interrupts = cpu.irq_save();
                let read = cpu.read(va);
                cpu.irq_restore(interrupts);
                return if read.is_ok() { Answer::Done } else { Answer::Faulted };
            }
        };
        result.map_or_else(Answer::Refused, |()| Answer::Done)
    }

    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        self.hypervisor.interrupt(cpu, interrupt);
    }
}

#[derive(Default)]
pub(crate) struct Answers(pub(crate) Vec<(u8, Answer)>);

impl Observer<Answer> for Answers {
    fn ended(&mut self, _: &Bus, cpu: u8, answer: Answer) {
        self.0.push((cpu, answer));
    }
}

/// A machine with a guest on it, which starts on one table of each level.
pub(crate) struct Bench {
    pub(crate) machine: Machine<Guest>,
    /// The tables that it starts on, by level; the lowest covers the first 2 MiB.
    pub(crate) tables: [Frame; 5],
    /// Pages that it has, zeroed.
    pub(crate) pages: Vec<Frame>,
}

pub(crate) const TABLE: Flags = Flags::PRESENT.union(Flags::WRITABLE);

/// An entry that maps a page for reading and writing.
pub(crate) fn writable(frame: Frame) -> Entry {
    Entry::new(frame, TABLE)
}

/// An entry that maps a page for reading.
pub(crate) fn read_only(frame: Frame) -> Entry {
    Entry::new(frame, Flags::PRESENT)
}

/// The address of a page of the first 2 MiB.
pub(crate) fn page(index: u64) -> u64 {
    index * span(1)
}

impl Bench {
    pub(crate) fn new(cpus: u8, temperament: Temperament) -> Self {
        let sizes = Sizes::Tiny;
        let config = Config {
            cpus,
            frames: machine_frames(sizes),
            vars: Hypervisor::vars(sizes),
            temperament,
            ..Config::default()
        };
        let mut pages: Vec<_> = frame_list(sizes).collect();
        let tables: [Frame; 4] = pages.split_off(pages.len() - 4).try_into().expect("four tables");
        let tables = [Frame(0), tables[0], tables[1], tables[2], tables[3]];
        let machine = Machine::new(config, |bus| {
            for level in (1..=4).rev() {
                bus.memory.set_role(tables[level], Role::Table(level as u8));
                if level < 4 {
                    bus.boot_word(Word::new(tables[level + 1], 0), Entry::new(tables[level], TABLE).0);
                }
            }
            for page in &pages {
                bus.memory.set_role(*page, Role::Data);
            }
            (0..cpus).for_each(|cpu| bus.boot_cr3(cpu, Cr3 { root: tables[4], pcid: 0 }));
            let hypervisor = Hypervisor::boot(bus, sizes, &Rc::default());
            hypervisor.adopt_tables(bus, tables[4], (1..=4).map(|level| (tables[level], level as u8)));
            Guest { hypervisor }
        });
        Self { machine, tables, pages }
    }

    pub(crate) fn hypervisor(&self) -> &Hypervisor {
        &self.machine.software().hypervisor
    }

    pub(crate) fn bus(&self) -> &Bus {
        self.machine.bus()
    }

    /// Asks on a CPU, from the beginning to the end.
    pub(crate) fn ask(&mut self, cpu: u8, ask: Ask) -> Answer {
        let mut answers = Answers::default();
        let told = self.machine.begin(cpu, ask, None, &mut answers);
        assert_eq!(told, Told::Ended, "{ask:?}: {:?}", self.bus().alarms());
        answers.0.iter().find(|(from, _)| *from == cpu).expect("it ended").1
    }

    /// Asks on a CPU, up to a point.
    pub(crate) fn begin(&mut self, cpu: u8, ask: Ask, pause: Pause, answers: &mut Answers) -> Told {
        self.machine.begin(cpu, ask, Some(pause), answers)
    }

    /// Lets every CPU come to an end.
    pub(crate) fn finish(&mut self, answers: &mut Answers) {
        for cpu in 0..self.bus().cpus() {
            while self.machine.busy(cpu) {
                let told = self.machine.resume(cpu, answers);
                assert!(!matches!(told, Told::Failed), "{:?}", self.bus().alarms());
            }
        }
    }

    pub(crate) fn page_type(&self, frame: Frame) -> (PageType, u32) {
        let info = self.hypervisor().type_info(self.bus(), frame);
        (info.page_type(), info.count())
    }

    /// With everything at rest: nothing is wrong, and the books are right.
    pub(crate) fn assert_sound(&self) {
        self.assert_protected();
        assert!(self.bus().alarms().is_empty(), "{:?}", self.bus().alarms());
        assert_eq!(self.hypervisor().audit(self.bus()), Vec::<String>::new());
    }

    /// The leaves in the TLB of a CPU but those of the hypervisor's linear mapping.
    pub(crate) fn cached_by_guest(&self, cpu: u8) -> Vec<TlbEntry> {
        let tlb = self.bus().core(cpu).tlb();
        tlb.leaves().iter().filter(|leaf| leaf.pcid != LINEAR_PCID).copied().collect()
    }

    /// At any moment: no page table can be written to, through an entry or through what a CPU remembers, and every
    /// entry leads to memory of the guest's own.
    pub(crate) fn assert_protected(&self) {
        let memory = &self.bus().memory;
        let is_table = |frame| {
            let info = self.hypervisor().type_info(self.bus(), frame);
            matches!(info.page_type(), PageType::Table(_)) && info.count() > 0 && info.validated()
        };
        for frame in (0..memory.frames()).map(Frame).filter(|frame| is_table(*frame)) {
            let mut next = 0;
            while let Some(index) = memory.next_non_zero(frame, next) {
                next = index + 1;
                let entry = Entry(memory.peek(Word::new(frame, index)));
                assert!(!entry.present() || memory.owner(entry.frame()) == 0, "{frame}[{index}]: {entry:?}");
                let leaf = self.page_type(frame).0 == PageType::Table(1);
                let forges = leaf && entry.present() && entry.has(Flags::WRITABLE) && is_table(entry.frame());
                assert!(!forges, "{frame}[{index}]: {entry:?} leads to a table");
            }
        }
        for cpu in 0..self.bus().cpus() {
            for leaf in self.cached_by_guest(cpu) {
                let forges = leaf.flags.contains(Flags::WRITABLE) && is_table(leaf.frame);
                assert!(!forges, "c{cpu} can write to the table {} at {:#x}", leaf.frame, leaf.va);
            }
        }
    }
}
