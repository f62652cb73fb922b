//! The Xen backend as the kernel sees it: what is put off, what it comes before, and what is refused.

use impls::hypervisor::xen::LINEAR_PCID;
use impls::protocol::KernelFlush;
use impls::sync::Lockdep;
use impls::{
    Designs, FlushRequest, PageRange, Pfn, Protocol, PvFlush, PvMmu, PvTables, Refused, Sizes, Vpn, Xen,
};
use machine::paging::span;
use machine::{
    Bus, Config, Cpu, Cr3, Entry, Family, Flags, Interrupt, Level, Machine, Observer, Pause, Point,
    PointKind, Role, Software, Temperament, Told, TraceEvent, Var, Word,
};
use std::cell::Cell;
use std::rc::Rc;

const W: Flags = Flags::PRESENT.union(Flags::WRITABLE);
/// The pages after the four tables.
const PAGE: Pfn = Pfn(4);

/// Something that must come after what was put off.
#[derive(Clone, Copy, Debug)]
enum After {
    FlushOne,
    FlushLocal,
    FlushEverywhere { full: bool },
    Event,
    Pin,
    Unpin,
    Leave,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    /// Enters lazy mode, maps a page, does something else, leaves.
    MapThen(After),
    /// Enters lazy mode, maps so many pages, looks which are mapped, leaves.
    MapMany(u64),
    /// Maps a table writable in lazy mode, and leaves.
    MapTable {
        lazy: bool,
    },
    /// Enters lazy mode, maps the first page, passes a fence, leaves.
    MapAndFence,
    Unmap(u64),
    Alloc(Pfn, u8),
    Release(Pfn, u8),
    /// Stores, and sends an event.
    StoreAndTell,
    Tell(u8),
    Fill(u64),
    FlushEverywhere {
        full: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Done,
    Refused,
    /// So many of the pages were mapped before, and after.
    Mapped(usize, usize),
    Flushed(bool),
}

/// A kernel that is nothing but its tables: pfn 3 to 0 from the root down.
struct Guest {
    xen: Xen,
    word: Var,
    /// The first page was mapped, at least as far as lazy mode goes.
    collected: Cell<bool>,
}

impl Guest {
    fn entry(&self, index: u64) -> Word {
        Word::new(self.xen.frame_of(Pfn(0)), index as usize)
    }

    fn map(&self, cpu: &Cpu<'_>, index: u64) -> Result<(), Refused> {
        let entry = self.xen.make_entry(Pfn(PAGE.0 + index as u32), W);
        self.xen.set_pte_at(cpu, index * span(1), self.entry(index), entry)
    }

    fn mapped(&self, cpu: &Cpu<'_>) -> usize {
        (0..8).filter(|index| cpu.bus().memory.peek(self.entry(*index)) != 0).count()
    }

    fn leave(&self, cpu: &Cpu<'_>) -> Answer {
        self.xen.leave_lazy_mmu(cpu).map_or(Answer::Refused, |()| Answer::Done)
    }

    fn map_then(&self, cpu: &Cpu<'_>, after: After) -> Answer {
        self.xen.enter_lazy_mmu(cpu);
        assert_eq!(self.map(cpu, 0), Ok(()));
        let before = self.mapped(cpu);
        match after {
            After::FlushOne => self.xen.flush_one(cpu, 0),
            After::FlushLocal => self.xen.flush_local(cpu),
            After::FlushEverywhere { full } => {
                let range = PageRange { first: Vpn(0), pages: 2 };
                assert!(self.xen.flush_everywhere(cpu, FlushRequest { range, full }));
            }
            After::Event => self.xen.send_ipi(cpu, 1, 9),
            After::Pin => assert_eq!(self.xen.pin_table(cpu, Pfn(20)), Ok(())),
            After::Unpin => self.xen.unpin_table(cpu, Pfn(21)),
            After::Leave => {}
        }
        let seen = self.mapped(cpu);
        let left = self.leave(cpu);
        assert_eq!(left, Answer::Done);
        let after = if matches!(after, After::Leave) { self.mapped(cpu) } else { seen };
        Answer::Mapped(before, after)
    }
}

impl Software for Guest {
    type Operation = Ask;
    type Outcome = Answer;

    fn run(&self, cpu: &Cpu<'_>, ask: Ask) -> Answer {
        match ask {
            Ask::MapThen(after) => return self.map_then(cpu, after),
            Ask::MapMany(pages) => {
                self.xen.enter_lazy_mmu(cpu);
                (0..pages).for_each(|index| assert_eq!(self.map(cpu, index), Ok(())));
                let before = self.mapped(cpu);
                assert_eq!(self.leave(cpu), Answer::Done);
                return Answer::Mapped(before, self.mapped(cpu));
            }
            Ask::MapTable { lazy } => {
                let entry = self.xen.make_entry(Pfn(0), W);
                if lazy {
                    self.xen.enter_lazy_mmu(cpu);
                }
                let set = self.xen.set_pte_at(cpu, 0, self.entry(0), entry);
                assert_eq!(set.is_ok(), lazy, "put off, or refused at once");
                return if lazy { self.leave(cpu) } else { set.map_or(Answer::Refused, |()| Answer::Done) };
            }
            Ask::MapAndFence => {
                self.xen.enter_lazy_mmu(cpu);
                assert_eq!(self.map(cpu, 0), Ok(()));
                self.collected.set(true);
                cpu.fence();
                return self.leave(cpu);
            }
            Ask::Unmap(index) => {
                let set = self.xen.set_pte_at(cpu, index * span(1), self.entry(index), Entry::EMPTY);
                assert_eq!(set, Ok(()));
            }
            Ask::Alloc(pfn, level) => {
                return self.xen.alloc_table(cpu, pfn, level).map_or(Answer::Refused, |()| Answer::Done);
            }
            Ask::Release(pfn, level) => self.xen.release_table(cpu, pfn, level),
            Ask::StoreAndTell => {
                cpu.store(self.word, 1);
                self.xen.send_ipi(cpu, 1, 9);
                return Answer::Mapped(0, cpu.bus().memory.value(self.word) as usize);
            }
            Ask::Tell(to) => self.xen.send_ipi(cpu, to, 9),
            Ask::Fill(index) => assert_eq!(cpu.write(index * span(1), 0), Ok(())),
            Ask::FlushEverywhere { full } => {
                let range = PageRange { first: Vpn(0), pages: 1 };
                return Answer::Flushed(self.xen.flush_everywhere(cpu, FlushRequest { range, full }));
            }
        }
        Answer::Done
    }

    /// The guest's own interrupt maps the last page and unmaps the first, in lazy mode or what it takes for it.
    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        if interrupt.level == Level::Hypervisor {
            return self.xen.interrupt(cpu, interrupt);
        }
        assert_eq!(interrupt.vector, 9);
        self.xen.enter_lazy_mmu(cpu);
        assert_eq!(self.map(cpu, 7), Ok(()));
        assert_eq!(self.xen.set_pte_at(cpu, 0, self.entry(0), Entry::EMPTY), Ok(()));
        assert_eq!(self.mapped(cpu), 1, "a handler sees what it just did");
        assert_eq!(self.xen.leave_lazy_mmu(cpu), Ok(()));
    }
}

#[derive(Default)]
struct Answers(Vec<(u8, Answer)>);

impl Observer<Answer> for Answers {
    fn ended(&mut self, _: &Bus, cpu: u8, answer: Answer) {
        self.0.push((cpu, answer));
    }
}

struct Bench(Machine<Guest>);

impl Bench {
    fn new(kernel_flush: KernelFlush, temperament: Temperament) -> Self {
        let sizes = Sizes::Tiny;
        let config = Config {
            frames: Xen::machine_frames(sizes),
            vars: Xen::machine_vars(sizes) + 1,
            temperament,
            ..Config::default()
        };
        Self(Machine::new(config, |bus| {
            let word = bus.memory.var(Family(200));
            let designs = Designs { kernel_flush, ..Designs::default() };
            let protocol = Rc::new(Protocol::new(designs, &[]));
            let xen = Xen::boot(bus, sizes, &protocol, &Lockdep::new());
            for pfn in (0..sizes.frames()).map(Pfn) {
                bus.memory.set_role(xen.frame_of(pfn), Role::Data);
            }
            for pfn in (0..4).rev() {
                bus.memory.set_role(xen.frame_of(Pfn(pfn)), Role::Table(pfn as u8 + 1));
                if pfn > 0 {
                    let entry = xen.make_entry(Pfn(pfn - 1), W);
                    bus.boot_word(Word::new(xen.frame_of(Pfn(pfn)), 0), entry.0);
                }
            }
            (0..bus.cpus()).for_each(|cpu| bus.boot_cr3(cpu, Cr3 { root: xen.frame_of(Pfn(3)), pcid: 0 }));
            let tables: Vec<_> = (0..4).map(|pfn| (Pfn(pfn), pfn as u8 + 1)).collect();
            xen.adopt_boot_tables(bus, Pfn(3), &tables);
            Guest { xen, word, collected: Cell::new(false) }
        }))
    }

    fn ask(&mut self, cpu: u8, ask: Ask) -> Answer {
        let mut answers = Answers::default();
        let told = self.0.begin(cpu, ask, None, &mut answers);
        assert_eq!(told, Told::Ended, "{ask:?}: {:?}", self.0.bus().alarms());
        self.assert_sound();
        answers.0[0].1
    }

    fn assert_sound(&self) {
        assert!(self.0.bus().alarms().is_empty(), "{:?}", self.0.bus().alarms());
        assert_eq!(self.0.software().xen.hypervisor().audit(self.0.bus()), Vec::<String>::new());
    }
}

#[test]
fn what_was_put_off_is_done_before_whatever_may_rely_on_it() {
    for after in [
        After::FlushOne,
        After::FlushLocal,
        After::FlushEverywhere { full: false },
        After::FlushEverywhere { full: true },
        After::Event,
        After::Pin,
        After::Unpin,
        After::Leave,
    ] {
        let mut bench = Bench::new(KernelFlush::Hypercall, Temperament::all());
        assert_eq!(bench.ask(0, Ask::Alloc(Pfn(21), 1)), Answer::Done);
        assert_eq!(bench.ask(0, Ask::MapThen(after)), Answer::Mapped(0, 1), "{after:?}");
    }
}

#[test]
fn updates_are_put_off_until_there_is_no_room_for_more() {
    let mut bench = Bench::new(KernelFlush::Interrupts, Temperament::empty());
    assert_eq!(bench.ask(0, Ask::MapMany(5)), Answer::Mapped(4, 5));
}

#[test]
fn what_is_refused_is_told_when_lazy_mode_is_left_and_once() {
    for lazy in [false, true] {
        let mut bench = Bench::new(KernelFlush::Interrupts, Temperament::empty());
        bench.0.bus().start_tracing();
        assert_eq!(bench.ask(0, Ask::MapTable { lazy }), Answer::Refused);
        let table = bench.0.software().xen.frame_of(Pfn(0));
        let why = TraceEvent::Note { text: "refused: the frame is a page table", value: u64::from(table.0) };
        assert!(bench.0.bus().trace().iter().any(|line| line.event == why));
        assert_eq!(bench.ask(0, Ask::MapThen(After::Leave)), Answer::Mapped(0, 1));
    }
}

#[test]
fn a_handler_s_update_does_not_overtake_what_was_put_off() {
    let mut bench = Bench::new(KernelFlush::Interrupts, Temperament::all());
    let mut answers = Answers::default();
    let fence = Point { kind: PointKind::Fence, family: Family::NONE };
    let pause = Pause::Before { point: fence, occurrence: 1 };
    assert_eq!(bench.0.begin(0, Ask::MapAndFence, Some(pause), &mut answers), Told::Paused(fence));
    assert_eq!(bench.ask(1, Ask::Tell(0)), Answer::Done);
    assert_eq!(bench.0.deliver(0, Some(1), None, &mut answers), Told::Ended);
    assert_eq!(bench.0.resume(0, &mut answers), Told::Ended);
    let first = bench.0.software().entry(0);
    assert_eq!(bench.0.bus().memory.peek(first), 0, "unmapped last");
    bench.assert_sound();
}

#[test]
fn a_handler_that_comes_at_any_point_finds_updates_in_their_order() {
    let mut after_collecting = 0;
    for number in 1..60 {
        let mut bench = Bench::new(KernelFlush::Interrupts, Temperament::all());
        assert_eq!(bench.ask(1, Ask::Tell(0)), Answer::Done);
        let mut answers = Answers::default();
        let told = bench.0.begin(0, Ask::MapAndFence, Some(Pause::At(number)), &mut answers);
        let collected = bench.0.software().collected.get();
        // In the hypervisor or with interrupts off it waits.
        let taken = bench.0.deliver(0, None, None, &mut answers) == Told::Ended;
        after_collecting += usize::from(taken && collected);
        while bench.0.busy(0) {
            assert_eq!(bench.0.resume(0, &mut answers), Told::Ended);
        }
        let mapped = bench.0.bus().memory.peek(bench.0.software().entry(0)) != 0;
        assert_eq!(mapped, !(taken && collected), "paused at {number}: {told:?}");
        bench.assert_sound();
    }
    assert!(after_collecting > 3, "{after_collecting} interrupts came after the page was mapped");
}

#[test]
fn an_event_does_not_overtake_what_its_sender_stored() {
    let mut bench = Bench::new(KernelFlush::Interrupts, Temperament::LAZY_STORES);
    assert_eq!(bench.ask(0, Ask::StoreAndTell), Answer::Mapped(0, 1));
    let pending = bench.0.bus().core(1).pending().clone();
    assert_eq!(pending, [Interrupt { from: 0, vector: 9, level: Level::Guest }]);
}

#[test]
fn kernel_addresses_are_flushed_by_the_hypervisor_if_the_design_says_so() {
    for full in [false, true] {
        for (design, flushed) in [(KernelFlush::Interrupts, false), (KernelFlush::Hypercall, true)] {
            let mut bench = Bench::new(design, Temperament::empty());
            assert_eq!(bench.ask(0, Ask::MapMany(2)), Answer::Mapped(0, 2));
            for cpu in 0..2 {
                (0..2).for_each(|index| assert_eq!(bench.ask(cpu, Ask::Fill(index)), Answer::Done));
            }
            assert_eq!(bench.ask(0, Ask::FlushEverywhere { full }), Answer::Flushed(flushed));
            let left = if flushed { usize::from(!full) } else { 2 };
            for cpu in 0..2 {
                let tlb = bench.0.bus().core(cpu).tlb();
                let cached = tlb.leaves().iter().filter(|leaf| leaf.pcid != LINEAR_PCID).count();
                assert_eq!(cached, left, "c{cpu}, {design:?}");
            }
        }
    }
}

#[test]
fn a_lowest_table_is_pinned_and_given_back_as_data() {
    let mut bench = Bench::new(KernelFlush::Interrupts, Temperament::empty());
    let frame = bench.0.software().xen.frame_of(PAGE);
    let pinned = |bench: &Bench| bench.0.software().xen.hypervisor().type_info(bench.0.bus(), frame).pinned();
    assert_eq!(bench.ask(0, Ask::Alloc(PAGE, 1)), Answer::Done);
    assert_eq!((pinned(&bench), bench.0.bus().memory.role(frame)), (true, Role::Table(1)));
    bench.ask(0, Ask::Release(PAGE, 1));
    assert_eq!((pinned(&bench), bench.0.bus().memory.role(frame)), (false, Role::Data));
    assert_eq!(bench.ask(0, Ask::MapMany(1)), Answer::Mapped(0, 1));
    assert_eq!(bench.ask(0, Ask::Alloc(PAGE, 1)), Answer::Refused, "mapped writable");
    bench.ask(0, Ask::Unmap(0));
    assert_eq!(bench.ask(0, Ask::Alloc(PAGE, 1)), Answer::Done);
}

#[test]
fn frames_have_other_numbers_for_the_machine() {
    let bench = Bench::new(KernelFlush::Interrupts, Temperament::empty());
    let xen = &bench.0.software().xen;
    for pfn in (0..Sizes::Tiny.frames()).map(Pfn) {
        assert_eq!(xen.pfn_of(xen.frame_of(pfn)), pfn);
        assert_ne!(xen.frame_of(pfn).0, pfn.0);
    }
}
