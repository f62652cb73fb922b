//! A kernel on a calm machine. Whatever is asked of it ends at once, without an alarm, and in the end nothing is left.

use impls::{Designs, Kernel, Protocol, PvMmu, Sizes, Task};
use machine::{Bus, Machine, Observer, Temperament, Told};
use oracle::vocabulary::{Call, Operation, Outcome};
use std::rc::Rc;

struct Last(Option<Outcome>);

impl Observer<Outcome> for Last {
    fn ended(&mut self, _: &Bus, _: u8, outcome: Outcome) {
        self.0 = Some(outcome);
    }
}

pub(crate) struct Bench<P: PvMmu>(pub(crate) Machine<Kernel<P>>);

impl<P: PvMmu> Bench<P> {
    pub(crate) fn with(sizes: Sizes, cpus: u8, designs: Designs) -> Self {
        let config = Kernel::<P>::config(sizes, cpus, Temperament::empty());
        let protocol = Rc::new(Protocol::new(designs, &[]));
        Self(Machine::new(config, |bus| Kernel::boot(bus, sizes, protocol)))
    }

    pub(crate) fn bus(&self) -> &Bus {
        self.0.bus()
    }

    pub(crate) fn task(&mut self, cpu: u8, task: Task) -> Outcome {
        let mut last = Last(None);
        let told = self.0.begin(cpu, task, None, &mut last);
        assert_eq!(told, Told::Ended, "{task:?}: {:?}", self.bus().alarms());
        assert!(!self.bus().alarmed(), "{task:?}: {:?}", self.bus().alarms());
        last.0.expect("an outcome")
    }

    pub(crate) fn call(&mut self, cpu: u8, operation: Operation) -> Outcome {
        self.task(cpu, Task::Call(Call { operation, irqs_off: false }))
    }

    pub(crate) fn call_irqs_off(&mut self, cpu: u8, operation: Operation) -> Outcome {
        self.task(cpu, Task::Call(Call { operation, irqs_off: true }))
    }

    pub(crate) fn let_a_grace_period_pass(&self) {
        self.0.software().grace_period(&self.0.standing());
    }

    pub(crate) fn tear_down(&mut self) {
        while self.0.software().work_pending(self.bus()) {
            self.task(0, Task::RunWork);
        }
        assert_eq!(self.task(0, Task::Teardown), Outcome::Done);
        self.let_a_grace_period_pass();
        assert_eq!(self.0.software().leftovers(self.bus()), Vec::<String>::new());
    }
}
