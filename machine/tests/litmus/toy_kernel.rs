//! A small kernel that is correct, and random stories on it: whatever is told, nothing deadlocks, nothing alarms, and
//! everything can be driven to its end.

use crate::{KERNEL, Seen, UPPER, VAR};
use machine::paging::index;
use machine::*;
use proptest::prelude::*;

/// The page that is remapped under everybody's hands.
const VA: u64 = 0xffff_ffff_ffff_f000;

/// What a CPU can be asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    /// Takes both locks, in their order, and counts without a locked operation.
    Count,
    /// Calls all other CPUs and waits for their answers, with interrupts on.
    Call,
    /// The same while both locks are held.
    CallLocked,
    /// Counts under a lock that handlers take too, with interrupts off.
    Masked,
    /// Waits for a grace period.
    Synchronize,
    /// Reads what a grace period protects.
    Reader,
    /// Reads the page.
    Read,
    /// Writes the page.
    Write,
    /// Unmaps the page, tells everybody, gives the frame another use, and maps it again.
    Remap,
    /// Not correct: takes the locks in the other order.
    CountBackwards,
    /// Not correct: panics in the middle.
    Panic,
}

/// The operations that are correct.
const CORRECT: [Op; 9] = [
    Op::Count,
    Op::Call,
    Op::CallLocked,
    Op::Masked,
    Op::Synchronize,
    Op::Reader,
    Op::Read,
    Op::Write,
    Op::Remap,
];

/// The kernel.
pub(crate) struct Toy {
    locks: VarArray,
    counts: VarArray,
    answers: VarArray,
    readers: VarArray,
    grace_periods: Var,
    entry: Word,
    frame: Frame,
}

impl Toy {
    fn boot(bus: &Bus) -> Self {
        let vars = |len| bus.memory.vars(VAR, len);
        for level in 1..=4u8 {
            let table = Frame(u32::from(level));
            bus.memory.set_role(table, Role::Table(level));
            if level > 1 {
                let below = Entry::new(Frame(u32::from(level) - 1), UPPER);
                bus.boot_word(Word::new(table, index(VA, level)), below.0);
            }
        }
        for cpu in 0..bus.cpus() {
            bus.boot_cr3(cpu, Cr3 { root: Frame(4), pcid: 0 });
        }
        let (entry, frame) = (Word::new(Frame(1), index(VA, 1)), Frame(5));
        bus.memory.set_role(frame, Role::Data);
        bus.boot_word(entry, Entry::new(frame, KERNEL).0);
        Self {
            locks: vars(3),
            counts: vars(3),
            answers: vars(8),
            readers: vars(8),
            grace_periods: vars(1).at(0),
            entry,
            frame,
        }
    }

    fn lock(&self, cpu: &Cpu<'_>, n: usize) {
        let var = self.locks.at(n);
        while let Err(owner) = cpu.compare_exchange(var, 0, u64::from(cpu.id()) + 1) {
            let holder = Holder::Cpu(owner as u8 - 1);
            cpu.wait(Wait { var, until: Until::Is(0), holder, kind: WaitKind::Spin });
        }
    }

    fn unlock(&self, cpu: &Cpu<'_>, n: usize) {
        if !cpu.abandoned() {
            cpu.store(self.locks.at(n), 0);
        }
    }

    fn count(&self, cpu: &Cpu<'_>, n: usize) {
        let count = cpu.load(self.counts.at(n));
        cpu.store(self.counts.at(n), count + 1);
    }

    fn call(&self, cpu: &Cpu<'_>) {
        let var = self.answers.at(usize::from(cpu.id()));
        cpu.swap(var, 0);
        let others = cpu.bus().cpus() - 1;
        for other in (0..=others).filter(|other| *other != cpu.id()) {
            cpu.send_ipi(other, 0);
        }
        let until = Until::AtLeast(u64::from(others));
        cpu.wait(Wait { var, until, holder: Holder::Anyone, kind: WaitKind::Acknowledge });
    }

    fn remap(&self, cpu: &Cpu<'_>) {
        self.lock(cpu, 0);
        cpu.store_word(self.entry, Family::PTE, 0);
        cpu.invlpg(VA);
        self.call(cpu);
        cpu.set_role(self.frame, Role::Free);
        cpu.set_role(self.frame, Role::Data);
        cpu.clear_frame(self.frame);
        cpu.store_word(self.entry, Family::PTE, Entry::new(self.frame, KERNEL).0);
        self.unlock(cpu, 0);
    }
}

impl Software for Toy {
    type Operation = Op;
    type Outcome = u64;

    fn run(&self, cpu: &Cpu<'_>, op: Op) -> u64 {
        let order = if op == Op::CountBackwards { [1, 0] } else { [0, 1] };
        match op {
            Op::Count | Op::CallLocked | Op::CountBackwards | Op::Panic => {
                self.lock(cpu, order[0]);
                self.lock(cpu, order[1]);
                assert!(op != Op::Panic, "as told");
                self.count(cpu, 0);
                if op == Op::CallLocked {
                    self.call(cpu);
                }
                self.unlock(cpu, order[1]);
                self.unlock(cpu, order[0]);
            }
            Op::Call => self.call(cpu),
            Op::Masked => {
                let on = cpu.irq_save();
                self.lock(cpu, 2);
                self.count(cpu, 2);
                self.unlock(cpu, 2);
                cpu.irq_restore(on);
            }
            Op::Synchronize => {
                let var = self.grace_periods;
                let until = Until::AtLeast(cpu.load(var) + 1);
                cpu.wait(Wait { var, until, holder: Holder::Background, kind: WaitKind::GracePeriod });
            }
            Op::Reader => {
                let me = self.readers.at(usize::from(cpu.id()));
                cpu.swap(me, 1);
                cpu.load(self.counts.at(0));
                cpu.store(me, 0);
            }
            Op::Read => return cpu.read(VA).unwrap_or(0),
            Op::Write => return cpu.write(VA, 7).map_or(1, |()| 0),
            Op::Remap => self.remap(cpu),
        }
        0
    }

    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        self.lock(cpu, 2);
        self.count(cpu, 1);
        self.unlock(cpu, 2);
        cpu.invlpg(VA);
        cpu.fetch_add(self.answers.at(usize::from(interrupt.from)), 1);
    }

    fn drains_at_end(&self, op: &Op) -> bool {
        !matches!(op, Op::Read | Op::Write)
    }

    fn background(&self, executor: &Standing<'_>, _: &Wait) -> Background {
        let bus = executor.bus;
        let holds = |cpu: u8| {
            let reads = bus.seen_by(cpu, Target::Var(self.readers.at(usize::from(cpu)))) != 0;
            reads || !bus.core(cpu).guest_interrupts_on()
        };
        let held = (0..bus.cpus()).filter(|cpu| holds(*cpu)).fold(0, |set, cpu| set | 1 << cpu);
        if held != 0 {
            return Background::HeldBy(held);
        }
        bus.memory.set_value(self.grace_periods, bus.memory.value(self.grace_periods) + 1);
        Background::Moved
    }
}

/// One line of a story.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Begin(u8, Op, Option<Pause>),
    Resume(u8, Option<Pause>),
    Deliver(u8, Option<u8>, Option<Pause>),
    Drain(u8, usize),
    Fill(u8),
}

/// A story and the machine that it wants.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) config: Config,
    pub(crate) events: Vec<Event>,
}

fn pause() -> impl Strategy<Value = Option<Pause>> {
    let kind = prop::sample::select(&PointKind::ALL[..]);
    let family = prop::sample::select(&[VAR, Family::NONE, Family::PTE, Family::DATA][..]);
    let named = (kind, family, 1..4u8).prop_map(|(kind, family, occurrence)| {
        Some(Pause::Before { point: Point { kind, family }, occurrence })
    });
    prop_oneof![Just(None), (1..24u16).prop_map(|n| Some(Pause::At(n))), named]
}

/// Stories of some length out of these operations.
pub(crate) fn story(ops: &'static [Op], length: usize) -> impl Strategy<Value = Story> {
    let cpu = 0..4u8;
    let event = prop_oneof![
        6 => (cpu.clone(), prop::sample::select(ops), pause()).prop_map(|(c, op, p)| Event::Begin(c, op, p)),
        3 => (cpu.clone(), pause()).prop_map(|(c, p)| Event::Resume(c, p)),
        3 => (cpu.clone(), prop::option::of(cpu.clone()), pause()).prop_map(|(c, f, p)| Event::Deliver(c, f, p)),
        1 => (cpu.clone(), 1..4usize).prop_map(|(c, n)| Event::Drain(c, n)),
        1 => cpu.prop_map(Event::Fill),
    ];
    (1..=4u8, 0..16u8, prop::collection::vec(event, 1..length)).prop_map(|(cpus, temperament, events)| {
        let temperament = Temperament::from_bits_truncate(temperament);
        Story { config: Config { cpus, temperament, steps: 200_000, ..Config::default() }, events }
    })
}

/// Correct stories only.
pub(crate) fn correct_story() -> impl Strategy<Value = Story> {
    story(&CORRECT, 24)
}

/// Stories that may end in a deadlock or in a panic of the software.
pub(crate) fn any_story() -> impl Strategy<Value = Story> {
    story(&[Op::Count, Op::CountBackwards, Op::Panic, Op::CallLocked, Op::Remap, Op::Write], 24)
}

/// A machine for the toy.
pub(crate) fn boot(config: Config) -> Machine<Toy> {
    Machine::new(config, |bus| Toy::boot(bus))
}

/// Begins again with this story's machine.
pub(crate) fn reboot(machine: &mut Machine<Toy>, config: Config) {
    machine.reset(config, |bus| Toy::boot(bus));
}

/// Tells a story. Returns whether the machine could go on at every event.
pub(crate) fn tell(machine: &mut Machine<Toy>, story: &Story, seen: &mut Seen) -> bool {
    let cpus = story.config.cpus;
    story.events.iter().all(|event| {
        let told = match *event {
            Event::Begin(cpu, op, pause) => {
                let cpu = cpu % cpus;
                while machine.busy(cpu) && machine.resume(cpu, seen) != Told::Failed {}
                if machine.busy(cpu) { Told::Failed } else { machine.begin(cpu, op, pause, seen) }
            }
            Event::Resume(cpu, None) => machine.resume(cpu % cpus, seen),
            Event::Resume(cpu, Some(pause)) => machine.resume_until(cpu % cpus, pause, seen),
            Event::Deliver(cpu, from, pause) => machine.deliver(cpu % cpus, from, pause, seen),
            Event::Drain(cpu, most) => {
                machine.drain_stores(cpu % cpus, most);
                Told::Ended
            }
            Event::Fill(cpu) => {
                machine.bus().fill(cpu % cpus, VA);
                Told::Ended
            }
        };
        told != Told::Failed
    })
}

/// Continues all, delivers all, drains all. Returns whether the machine could.
pub(crate) fn drive_to_the_end(machine: &mut Machine<Toy>, seen: &mut Seen) -> bool {
    let cpus = machine.bus().cpus();
    loop {
        let mut moved = false;
        for cpu in 0..cpus {
            while machine.busy(cpu) {
                moved = true;
                if machine.resume(cpu, seen) == Told::Failed {
                    return false;
                }
            }
            loop {
                match machine.deliver(cpu, None, None, seen) {
                    Told::Nothing => break,
                    Told::Failed => return false,
                    Told::Ended | Told::Paused(_) | Told::Waiting(_) => moved = true,
                }
            }
            moved |= machine.drain_stores(cpu, usize::MAX) != 0;
        }
        if !moved {
            return true;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_stories_on_a_correct_kernel_end_without_an_alarm(story in correct_story()) {
        let mut machine = boot(story.config);
        let mut seen = Seen::default();
        let told = tell(&mut machine, &story, &mut seen) && drive_to_the_end(&mut machine, &mut seen);
        prop_assert!(machine.bus().alarms().is_empty(), "{:?}", machine.bus().alarms());
        prop_assert!(told);
        let counted = |op: Op| story.events.iter().filter(|event| matches!(event, Event::Begin(_, o, _) if *o == op)).count();
        let toy = machine.software();
        let value = |vars: VarArray, n| machine.bus().memory.value(vars.at(n)) as usize;
        prop_assert_eq!(value(toy.counts, 0), counted(Op::Count) + counted(Op::CallLocked), "locks exclude");
        prop_assert_eq!(value(toy.counts, 2), counted(Op::Masked));
        let calls = counted(Op::Call) + counted(Op::CallLocked) + counted(Op::Remap);
        prop_assert_eq!(value(toy.counts, 1), calls * usize::from(story.config.cpus - 1), "every call is taken");
        for n in 0..3 {
            prop_assert_eq!(value(toy.locks, n), 0);
        }
    }
}
