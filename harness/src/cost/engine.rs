//! Runs the CPUs of a metered machine in the order of their clocks, a point at a time, and takes interrupts when they
//! arrive. Same tasks, same run: there is no other order in it.

use std::rc::Rc;

use impls::{Designs, Kernel, Protocol, PvMmu, Sizes, Task};
use machine::{
    Background, Bus, Config, Counts, Holder, Level, Machine, Meter, Observer, Pause, Temperament, Told, Wait,
};
use oracle::vocabulary::{Call, Operation, Outcome};

use super::model::nanoseconds;
use super::{Broken, Cost, Model, named, rounded};

/// A point at a time.
const STEP: Option<Pause> = Some(Pause::At(1));

/// What stands on a CPU.
#[derive(Clone, Copy, Debug)]
enum Stands {
    Runs,
    Waits(Wait),
}

/// What a CPU would do next.
#[derive(Clone, Copy, Debug)]
enum Next {
    GoOn,
    TakeInterrupt,
}

/// What came of one step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moved {
    /// A task ended on this CPU.
    Ended(u8, Outcome),
    /// Something moved.
    On,
    /// There was nothing to move.
    Nothing,
}

/// The last outcome.
#[derive(Debug, Default)]
struct Last(Option<(u8, Outcome)>);

impl Observer<Outcome> for Last {
    fn ended(&mut self, _: &Bus, cpu: u8, outcome: Outcome) {
        self.0 = Some((cpu, outcome));
    }
}

/// An outcome, if what was asked for was done.
pub(super) fn done(outcome: Outcome) -> Option<Outcome> {
    let failed = matches!(
        outcome,
        Outcome::NoMemory | Outcome::Refused | Outcome::Fault | Outcome::WouldSleep | Outcome::Void
    );
    (!failed).then_some(outcome)
}

/// A kernel on a metered machine.
#[derive(Debug)]
pub(super) struct Engine<P: PvMmu> {
    machine: Machine<Kernel<P>>,
    /// What stands on each CPU, the innermost last.
    standing: Vec<Vec<Stands>>,
    last: Last,
}

/// Clocks and counts at one moment.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) clocks: Vec<u64>,
    pub(super) waited: Vec<u64>,
    pub(super) stolen: Vec<u64>,
    pub(super) counts: Counts,
}

impl Snapshot {
    /// The sum over all CPUs of what grew since an earlier moment, in nanoseconds.
    pub(super) fn grown(now: &[u64], then: &[u64]) -> f64 {
        nanoseconds(now.iter().zip(then).map(|(now, then)| now - then).sum())
    }
}

impl<P: PvMmu> Engine<P> {
    /// Boots. Nothing of the hardware is wilder than it must be: what costs are compared for is the usual.
    pub(super) fn new(cpus: u8, sizes: Sizes, designs: Designs, model: &Model) -> Self {
        let config = Config { steps: u32::MAX, ..Kernel::<P>::config(sizes, cpus, Temperament::empty()) };
        let protocol = Rc::new(Protocol::new(designs, &[]));
        let mut machine = Machine::new(config, |bus| Kernel::<P>::boot(bus, sizes, protocol));
        machine.set_helping(false);
        machine.bus().start_metering(model.prices());
        Self { machine, standing: vec![Vec::new(); usize::from(cpus)], last: Last::default() }
    }

    pub(super) fn cpus(&self) -> u8 {
        self.machine.bus().cpus()
    }

    /// Looks at the meter.
    pub(super) fn meter<R>(&self, look: impl FnOnce(&mut Meter) -> R) -> R {
        look(&mut self.machine.bus().meter().expect("metered from the start"))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let cpus = self.cpus();
        self.meter(|meter| Snapshot {
            clocks: (0..cpus).map(|cpu| meter.clock(cpu)).collect(),
            waited: (0..cpus).map(|cpu| meter.waited(cpu)).collect(),
            stolen: (0..cpus).map(|cpu| meter.stolen(cpu)).collect(),
            counts: meter.total(),
        })
    }

    /// Whether nothing is under way on a CPU.
    pub(super) fn free(&self, cpu: u8) -> bool {
        self.standing[usize::from(cpu)].is_empty()
    }

    pub(super) fn work_pending(&self) -> bool {
        self.machine.software().work_pending(self.machine.bus())
    }

    /// Starts a task on a CPU that is free; it stands before its first point.
    pub(super) fn start(&mut self, cpu: u8, task: Task) -> Result<Moved, Broken> {
        let told = self.machine.begin(cpu, task, STEP, &mut self.last);
        self.told(cpu, told, true)
    }

    /// One step of the CPU that is furthest behind.
    pub(super) fn advance(&mut self) -> Result<Moved, Broken> {
        let next = (0..self.cpus()).filter_map(|cpu| self.next_of(cpu)).min_by_key(|next| (next.0, next.1));
        let Some((_, cpu, what)) = next else {
            return self.nobody_moves();
        };
        match what {
            Next::GoOn => {
                let told = self.machine.resume_until(cpu, Pause::At(1), &mut self.last);
                self.told(cpu, told, false)
            }
            Next::TakeInterrupt => {
                let told = self.machine.deliver(cpu, None, STEP, &mut self.last);
                self.told(cpu, told, true)
            }
        }
    }

    /// When a CPU would move next, and how.
    fn next_of(&self, cpu: u8) -> Option<(u64, u8, Next)> {
        let core = self.machine.bus().core(cpu);
        let interruptible = core.pending().iter().any(|one| core.takes(one.level));
        let stands = self.standing[usize::from(cpu)].last();
        self.meter(|meter| {
            let clock = meter.clock(cpu);
            let arrival = |meter: &Meter| meter.arrival(cpu, |level: Level| core.takes(level)).unwrap_or(0);
            let interrupt = interruptible.then(|| arrival(meter).max(clock));
            let on = match stands {
                None => None,
                Some(Stands::Runs) => Some(clock),
                Some(Stands::Waits(wait)) => {
                    let over = self.machine.bus().holds(cpu, wait);
                    over.then(|| meter.written(wait.var).max(clock))
                }
            };
            match (interrupt, on) {
                (Some(interrupt), Some(on)) if on < interrupt => Some((on, cpu, Next::GoOn)),
                (Some(interrupt), _) => Some((interrupt, cpu, Next::TakeInterrupt)),
                (None, Some(on)) => Some((on, cpu, Next::GoOn)),
                (None, None) => None,
            }
        })
    }

    /// Only the background is left to move.
    fn nobody_moves(&mut self) -> Result<Moved, Broken> {
        let waits = |stands: &Vec<Stands>| match stands.last() {
            Some(Stands::Waits(wait)) => Some(*wait),
            Some(Stands::Runs) | None => None,
        };
        let mut waiting = self.standing.iter().filter_map(waits).peekable();
        if waiting.peek().is_none() {
            return Ok(Moved::Nothing);
        }
        if waiting.any(|wait| wait.holder == Holder::Background) && self.grace_period() {
            return Ok(Moved::On);
        }
        Err(Broken("every CPU waits, and none can be released".to_owned()))
    }

    /// How many grace periods have passed.
    pub(super) fn grace_periods(&self) -> u64 {
        self.machine.software().grace_periods(self.machine.bus())
    }

    fn grace_period(&self) -> bool {
        self.machine.software().grace_period(&self.machine.standing()) == Background::Moved
    }

    /// Keeps the books of what stands where.
    fn told(&mut self, cpu: u8, told: Told, fresh: bool) -> Result<Moved, Broken> {
        let standing = &mut self.standing[usize::from(cpu)];
        if let Some(alarm) = self.machine.bus().alarms().first() {
            return Err(Broken(format!("the machine raised an alarm: {:?}", alarm.kind)));
        }
        let stands = match told {
            Told::Paused(_) => Stands::Runs,
            Told::Waiting(wait) => Stands::Waits(wait),
            Told::Ended => {
                if !fresh {
                    standing.pop();
                }
                return Ok(self.ended());
            }
            Told::Nothing | Told::Failed => return Err(Broken(format!("c{cpu} does not go on: {told:?}"))),
        };
        match standing.last_mut() {
            Some(last) if !fresh => *last = stands,
            _ => standing.push(stands),
        }
        Ok(Moved::On)
    }

    /// A task or a handler ended: a grace period may pass.
    fn ended(&mut self) -> Moved {
        if self.machine.software().grace_period_wanted() {
            self.grace_period();
        }
        self.last.0.take().map_or(Moved::On, |(cpu, outcome)| Moved::Ended(cpu, outcome))
    }

    /// Runs a task to its end, and whatever it set going elsewhere.
    pub(super) fn run(&mut self, cpu: u8, task: Task) -> Result<Outcome, Broken> {
        let mut moved = self.start(cpu, task)?;
        let outcome = loop {
            match moved {
                Moved::Ended(on, outcome) if on == cpu => break outcome,
                Moved::Nothing => return Err(Broken(format!("{task:?} never ends"))),
                Moved::Ended(..) | Moved::On => moved = self.advance()?,
            }
        };
        done(outcome).ok_or_else(|| Broken(format!("{task:?} ended as {outcome:?}")))
    }

    /// Lets every handler end.
    fn settle(&mut self) -> Result<(), Broken> {
        while !matches!(self.advance()?, Moved::Nothing) {}
        Ok(())
    }

    pub(super) fn call(&mut self, cpu: u8, operation: Operation) -> Result<Outcome, Broken> {
        let outcome = self.run(cpu, Task::Call(Call { operation, irqs_off: false }))?;
        self.settle()?;
        Ok(outcome)
    }

    /// What these operations cost, made one after the other on a CPU while nothing runs in the kernel elsewhere. Deferred
    /// work that they cause is not among them.
    pub(super) fn spend(&mut self, cpu: u8, operations: &[Operation]) -> Result<Cost, Broken> {
        let call = |operation: &Operation| Task::Call(Call { operation: *operation, irqs_off: false });
        self.spend_on(cpu, &operations.iter().map(call).collect::<Vec<_>>())
    }

    /// The same for any tasks.
    pub(super) fn spend_on(&mut self, cpu: u8, tasks: &[Task]) -> Result<Cost, Broken> {
        self.level_clocks();
        let before = self.snapshot();
        for task in tasks {
            self.run(cpu, *task)?;
        }
        let me = usize::from(cpu);
        let (caller, waited) = self.meter(|meter| (meter.clock(cpu), meter.waited(cpu)));
        self.settle()?;
        let after = self.snapshot();
        let mine = after.stolen[me] - before.stolen[me];
        let stolen = Snapshot::grown(&after.stolen, &before.stolen) - nanoseconds(mine);
        let counts = after.counts - &before.counts;
        Ok(Cost {
            caller_ns: rounded(nanoseconds(caller - before.clocks[me])),
            waited_ns: rounded(nanoseconds(waited - before.waited[me])),
            stolen_ns: rounded(stolen),
            counts: named(&counts),
            hypercalls: counts.hypercalls().clone(),
        })
    }

    /// It is the same moment everywhere.
    fn level_clocks(&mut self) {
        let cpus = self.cpus();
        self.meter(|meter| {
            let now = (0..cpus).map(|cpu| meter.clock(cpu)).max().unwrap_or(0);
            (0..cpus).for_each(|cpu| meter.pass(cpu, now));
        });
    }

    /// Every CPU but this one has nothing to do, or runs what has nothing to do with the kernel.
    pub(super) fn set_others_idle(&mut self, cpu: u8, idle: bool) {
        let cpus = self.cpus();
        self.meter(|meter| (0..cpus).for_each(|other| meter.set_idle(other, idle && other != cpu)));
    }
}
