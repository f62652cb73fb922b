//! A stranger's kernel on the harness: [`Subject`] is all that it has to implement. This one answers drains and
//! allocations, and can be told to go wrong in every way that ends a story early.

mod minimizing;

use std::cell::Cell;
use std::rc::Rc;

use harness::checks::Checks;
use harness::headline::Headline;
use harness::runner::Runner;
use harness::story::{Backends, Story};
use harness::subject::{Build, Setup, Subject, Watcher};
use impls::{Designs, Task, family};
use machine::paging::{LEVELS, index};
use machine::{
    Bus, Config, Cpu, Cr3, Entry, Flags, Frame, Holder, Interrupt, Machine, Pause, Role, Software, Told,
    Until, Wait, WaitKind, Word,
};
use oracle::Rule;
use oracle::vocabulary::{Call, Mapping, Operation, Outcome, PageSlot, Range};

#[derive(Clone, Copy, Debug)]
enum Drain {
    Right,
    Panics,
    PanicsOutOfTheBlue,
    FindsItselfBroken,
    WaitsForNobody,
    SpinsForEver,
    /// Without one it takes long.
    SpinsForEverAfterAnAllocation,
    IsBrokenBy(fn(&Designs) -> bool),
    AnswersNonsense,
    LeaksAFrame,
    SpoilsAPage,
    WalksThroughData,
    LeavesATableWritable,
    CachesATableWritable,
}

/// So many points pass until the slowest drain ends that does end.
const LONG: usize = 10_000;

#[derive(Debug)]
struct Kernel {
    drain: Drain,
    designs: Designs,
    allocated: Cell<bool>,
}

impl Software for Kernel {
    type Operation = Task;
    type Outcome = Outcome;

    fn run(&self, cpu: &Cpu<'_>, task: Task) -> Outcome {
        match task {
            Task::Call(Call { operation: Operation::DrainAliases {}, .. }) => self.drain(cpu),
            Task::Call(Call { operation: Operation::AllocPage { .. }, .. }) => {
                self.allocated.set(true);
                Outcome::NoMemory
            }
            // Only minimizing asks for anything else, by chance.
            Task::Call(_) => Outcome::NoMemory,
            Task::RunWork | Task::AddProcessTable | Task::PinProcess => Outcome::Void,
            Task::Teardown => {
                // The pages that the callers begin with.
                (0..4).for_each(|frame| cpu.set_role(Frame(frame), Role::Free));
                Outcome::Done
            }
        }
    }

    fn interrupt(&self, _: &Cpu<'_>, _: Interrupt) {}
}

impl Kernel {
    fn drain(&self, cpu: &Cpu<'_>) -> Outcome {
        let var = cpu.bus().memory.var(family::LAZY_PAGES);
        match self.drain {
            Drain::Panics => panic!("the list is torn"),
            Drain::PanicsOutOfTheBlue => assert!(Vec::<u8>::new().capacity() > cpu.load(var) as usize),
            Drain::FindsItselfBroken => cpu.bug("the list is torn"),
            Drain::WaitsForNobody => {
                let (until, holder) = (Until::Is(1), Holder::Anyone);
                cpu.wait(Wait { var, until, holder, kind: WaitKind::Spin });
            }
            Drain::SpinsForEver => while cpu.load(var) == 0 {},
            Drain::SpinsForEverAfterAnAllocation if self.allocated.get() => while cpu.load(var) == 0 {},
            Drain::SpinsForEverAfterAnAllocation => assert!((0..LONG).all(|_| cpu.load(var) == 0)),
            Drain::IsBrokenBy(broken) if broken(&self.designs) => cpu.bug("the list is torn"),
            Drain::Right | Drain::IsBrokenBy(_) => {}
            Drain::AnswersNonsense => return Outcome::Fault,
            Drain::LeaksAFrame => cpu.set_role(Frame(9), Role::Data),
            Drain::SpoilsAPage => cpu.bus().memory.poke(Word::new(Frame(1), 0), 77),
            // Its root was never made a table.
            Drain::WalksThroughData => drop(cpu.read(VA)),
            Drain::LeavesATableWritable => map_a_table(cpu),
            Drain::CachesATableWritable => {
                map_a_table(cpu);
                assert!(cpu.write(VA, 0).is_ok(), "it can be written");
            }
        }
        Outcome::Done
    }
}

/// Where the lowest table can be written, once it is mapped.
const VA: u64 = 0;

/// Gives the CPU tables in which the lowest one maps itself.
fn map_a_table(cpu: &Cpu<'_>) {
    let bus = cpu.bus();
    let table = |level: u8| Frame(8 + u32::from(level));
    for level in 1..=LEVELS {
        let below = table(level.saturating_sub(1).max(1));
        bus.memory.set_role(table(level), Role::Table(level));
        let entry = Entry::new(below, Flags::PRESENT | Flags::WRITABLE);
        bus.boot_word(Word::new(table(level), index(VA, level)), entry.0);
    }
    bus.boot_cr3(cpu.id(), Cr3 { root: table(LEVELS), pcid: 0 });
}

#[derive(Debug)]
struct Stranger {
    machine: Machine<Kernel>,
    drain: Drain,
    /// How many points a story may pass.
    steps: u32,
    /// How many all stories passed but for the last.
    passed: Rc<Cell<u64>>,
}

fn boot(bus: &Bus, drain: Drain, designs: Designs) -> Kernel {
    (0..4).for_each(|frame| bus.memory.set_role(Frame(frame), Role::Data));
    Kernel { drain, designs, allocated: Cell::new(false) }
}

impl Subject for Stranger {
    fn name(&self) -> &'static str {
        "stranger"
    }
    fn tables_allow_no_alias(&self) -> bool {
        true
    }
    fn reset(&mut self, build: Build, setup: &Setup) {
        self.passed.set(self.passed.get() + u64::from(self.bus().steps_passed()));
        let Self { drain, steps, .. } = *self;
        let config = Config { cpus: build.cpus, frames: 16, vars: 16, steps, ..Config::default() };
        self.machine.reset(config, |bus| boot(bus, drain, setup.protocol.designs));
    }
    fn bus(&self) -> &Bus {
        self.machine.bus()
    }
    fn depth(&self, cpu: u8) -> usize {
        self.machine.depth(cpu)
    }
    fn begin(&mut self, cpu: u8, task: Task, pause: Option<Pause>, watcher: &mut Watcher<'_>) -> Told {
        self.machine.begin(cpu, task, pause, watcher)
    }
    fn resume(&mut self, cpu: u8, _: Option<Pause>, watcher: &mut Watcher<'_>) -> Told {
        self.machine.resume(cpu, watcher)
    }
    fn deliver(
        &mut self,
        cpu: u8,
        from: Option<u8>,
        pause: Option<Pause>,
        watcher: &mut Watcher<'_>,
    ) -> Told {
        self.machine.deliver(cpu, from, pause, watcher)
    }
    fn drain_stores(&mut self, cpu: u8, most: usize) -> usize {
        self.machine.drain_stores(cpu, most)
    }
    fn grace_period(&mut self) -> bool {
        false
    }
    fn grace_period_wanted(&self) -> bool {
        false
    }
    fn work_pending(&self) -> bool {
        false
    }
    fn frame_of(&self, page: PageSlot) -> Option<Frame> {
        Some(Frame(u32::from(page.number()))).filter(|frame| frame.0 < 4)
    }
    fn last_range(&self, _: Mapping) -> Option<Range> {
        None
    }
    fn leftovers(&self) -> Vec<String> {
        Vec::new()
    }
}

fn runner(drain: Drain) -> Runner {
    counting_runner(drain, 10_000).0
}

/// A runner, and how many points all its stories passed but for the last.
fn counting_runner(drain: Drain, steps: u32) -> (Runner, Rc<Cell<u64>>) {
    let machine = Machine::new(Config::default(), |bus| boot(bus, drain, Designs::default()));
    let passed = Rc::default();
    let stranger = Stranger { machine, drain, steps, passed: Rc::clone(&passed) };
    let stages = vec![(Backends::NATIVE, Box::new(stranger) as Box<dyn Subject>)];
    (Runner::with_subjects(Setup::default(), Checks::default(), stages), passed)
}

fn story(text: &str) -> Story {
    let header = "story 1\ncpus 2, hardware calm, sizes tiny, backends native xen\n";
    format!("{header}{text}").parse().expect("a story")
}

fn headline(drain: Drain) -> Option<Headline> {
    let mut runner = runner(drain);
    let story = story("c0  alloc-page -> p5\nc1  drain-aliases\nc0  drain-aliases\n");
    let found = runner.play(&story, Backends::all());
    // Whatever it came to, the next story begins anew.
    assert_eq!(runner.play(&self::story("c0  alloc-page -> p5\n"), Backends::all()), None);
    assert_eq!(runner.play(&story, Backends::all()), found);
    found.map(|found| found.headline)
}

#[test]
fn a_kernel_that_keeps_the_contract_is_clean() {
    assert_eq!(headline(Drain::Right), None);
}

#[test]
fn whatever_goes_wrong_is_a_finding_under_its_rule() {
    let drain = "drain-aliases";
    let panicked = "the kernel panicked: assertion failed: > cpu.load(var) as usize";
    let expected = [
        (Drain::Panics, drain, Rule::Rest, "the kernel panicked: the list is torn"),
        (Drain::PanicsOutOfTheBlue, drain, Rule::Rest, panicked),
        (Drain::FindsItselfBroken, drain, Rule::Rest, "the kernel found itself broken: the list is torn"),
        (Drain::WaitsForNobody, drain, Rule::Progress, "deadlock"),
        (Drain::SpinsForEver, drain, Rule::Progress, "livelock"),
        (Drain::AnswersNonsense, drain, Rule::Outcome, "answered something else than was asked"),
        (Drain::LeaksAFrame, "teardown", Rule::Rest, "frames were not given back"),
        (Drain::SpoilsAPage, "the end", Rule::Outcome, "a page holds in the end what it never could"),
        (Drain::WalksThroughData, drain, Rule::Frames, "a walk went through a freed table"),
        (Drain::LeavesATableWritable, "the end", Rule::Hypervisor, "an entry lets a page table be written"),
        (Drain::CachesATableWritable, drain, Rule::Hypervisor, "a CPU can write a page table"),
    ];
    for (drain, operation, rule, what) in expected {
        let found = headline(drain).unwrap_or_else(|| panic!("{drain:?} is not found"));
        assert_eq!((found.rule, &*found.what, found.backend), (rule, what, "stranger"), "{drain:?}");
        assert_eq!(found.operation, operation, "{drain:?}");
    }
}

#[test]
fn the_same_bug_on_another_cpu_has_the_same_headline() {
    let mut runner = runner(Drain::FindsItselfBroken);
    let mut on = |cpu: u8| {
        let found = runner.play(&story(&format!("c{cpu}  drain-aliases\n")), Backends::all());
        found.expect("a finding").headline
    };
    let (zero, one) = (on(0), on(1));
    assert_eq!((zero.cpu, one.cpu), (0, 1));
    assert_eq!(zero, one);
    assert_eq!(zero.signature(), one.signature());
    assert_ne!(zero.to_string(), one.to_string());
}
