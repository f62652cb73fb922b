//! Rule 1, outcome, where answers alone do not tell: a CPU is in the address space that it loaded, until it loads another or
//! that one is dropped; and when it was dropped, no CPU is in it.
//!
//! Judged whenever a call returned, and at the end, by what CR3 holds. Which root an address space has is the kernel's choice:
//! the first CPU that loaded it tells, and it is that of no other, least of all the one that all CPUs begin on.
//!
//! Legal, and not seen here: any root while a CPU is on its way from one to another, and the old one or the kernel's own while
//! the address space that it is in is being dropped; any root while a caller gone astray loads one of its own and goes back.

use machine::{Bus, Cr3, Frame, MAX_CPUS};
use oracle::Rule;
use oracle::vocabulary::{MmSlot, Operation, Outcome, Root, SLOTS};

use super::Breach;
use super::roots;
use super::watch::{Check, Flight, View};

/// What a CPU has loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Loaded {
    /// This address space.
    Is(Root),
    /// It is on its way to another.
    Changes,
    /// What it is in is being dropped.
    Leaves(MmSlot),
}

/// What all CPUs have loaded, and the roots of the address spaces that any of them loaded.
#[derive(Debug)]
pub struct LoadedMms {
    loaded: [Loaded; MAX_CPUS as usize],
    roots: [Option<Frame>; SLOTS as usize],
    /// No CPU has loaded anything yet.
    untouched: bool,
}

impl Default for LoadedMms {
    fn default() -> Self {
        let loaded = [Loaded::Is(Root::Init); MAX_CPUS as usize];
        Self { loaded, roots: [None; SLOTS as usize], untouched: true }
    }
}

impl Check for LoadedMms {
    /// Every CPU is in the kernel's own.
    fn clear(&mut self) {
        if !self.untouched {
            *self = Self::default();
        }
    }

    fn begins(&mut self, _: &View<'_>, flight: &Flight) {
        self.begins_on(flight.cpu, &flight.call.operation);
    }

    fn ends(&mut self, view: &View<'_>, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        let (bus, boot) = (view.bus, view.boot_root);
        self.ends_on(bus, boot, flight.cpu, &flight.call.operation, outcome)
            .or_else(|| self.check(bus, boot, view.under_way))
    }

    fn rest(&mut self, view: &View<'_>) -> Option<Breach> {
        self.check(view.bus, view.boot_root, view.under_way)
    }
}

impl LoadedMms {
    /// A call on a CPU begins.
    fn begins_on(&mut self, cpu: u8, operation: &Operation) {
        if roots::loads(operation).is_some() {
            self.untouched = false;
            self.loaded[usize::from(cpu)] = Loaded::Changes;
        }
        if let Some(mm) = roots::ends(operation) {
            // Before this returns, another operation may make an address space on the same root.
            self.roots[mm.index()] = None;
            let inside = self.loaded.iter_mut().filter(|loaded| **loaded == Loaded::Is(Root::Mm(mm)));
            inside.for_each(|loaded| *loaded = Loaded::Leaves(mm));
        }
    }

    /// It returned.
    fn ends_on(
        &mut self,
        bus: &Bus,
        boot: Frame,
        cpu: u8,
        operation: &Operation,
        outcome: Outcome,
    ) -> Option<Breach> {
        // Of one that came to nothing: what the CPU was in, it is in still, but which that was is not kept.
        if let Some(to) = roots::loads(operation).filter(|_| outcome != Outcome::Void) {
            if let Root::Mm(mm) = to {
                let root = root_of(bus, cpu);
                let others = self.roots.iter().flatten().any(|other| *other == root);
                if self.roots[mm.index()].is_none() {
                    if root == boot || others {
                        return Some(elsewhere(cpu, to, root));
                    }
                    self.roots[mm.index()] = Some(root);
                }
            }
            self.loaded[usize::from(cpu)] = Loaded::Is(to);
        }
        if let Some(mm) = roots::ends(operation) {
            let left = self.loaded.iter_mut().filter(|loaded| **loaded == Loaded::Leaves(mm));
            left.for_each(|loaded| *loaded = Loaded::Is(Root::Init));
        }
        None
    }

    /// Whether every CPU is where it is to be at this moment.
    fn check(&self, bus: &Bus, boot: Frame, under_way: &[Option<Flight>]) -> Option<Breach> {
        if self.untouched {
            return None;
        }
        (0..bus.cpus()).filter(|cpu| !is_astray(under_way, *cpu)).find_map(|cpu| {
            let Loaded::Is(wanted) = self.loaded[usize::from(cpu)] else { return None };
            let root = wanted.mm().map_or(Some(boot), |mm| self.roots[mm.index()])?;
            let found = root_of(bus, cpu);
            (found != root).then(|| elsewhere(cpu, wanted, found))
        })
    }
}

/// Whether a caller may have loaded a root of its own on a CPU, under which nothing of the kernel's need be.
pub(super) fn is_astray(under_way: &[Option<Flight>], cpu: u8) -> bool {
    let mut calls = under_way.iter().flatten();
    calls.any(|other| other.cpu == cpu && matches!(other.call.operation, Operation::HvLoadRoot { .. }))
}

fn root_of(bus: &Bus, cpu: u8) -> Frame {
    let Cr3 { root, .. } = bus.core(cpu).cr3();
    root
}

fn elsewhere(cpu: u8, wanted: Root, found: Frame) -> Breach {
    let detail = format!("c{cpu} is to be in {wanted}, and its root is {found}");
    let what = "a CPU is not in the address space that it loaded";
    Breach::new(Rule::Outcome, what, detail).on(cpu).about([], [found])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{Hands, frame, machine, table};
    use machine::paging::LEVELS;
    use machine::{Machine, Role};
    use oracle::vocabulary::{Call, PageSlot};

    const M0: MmSlot = MmSlot::new(0);
    const M1: MmSlot = MmSlot::new(1);

    fn load(machine: &Machine<Hands>, cpu: u8, root: Frame) {
        machine.bus().memory.set_role(root, Role::Table(LEVELS));
        machine.bus().boot_cr3(cpu, Cr3 { root, pcid: 0 });
    }

    const DROP: Operation = Operation::DropMm { mm: M0 };

    /// c1 is in m0, whose root is frame 20, and c0 has begun to drop it.
    fn dropping() -> (Machine<Hands>, LoadedMms) {
        let (machine, mut mms) = (machine(2), LoadedMms::default());
        assert_eq!(switched(&mut mms, &machine, 1, Root::Mm(M0), frame(20)), None);
        mms.begins_on(0, &DROP);
        (machine, mms)
    }

    /// A CPU was told to load this, and has that.
    fn switched(
        mms: &mut LoadedMms,
        machine: &Machine<Hands>,
        cpu: u8,
        to: Root,
        root: Frame,
    ) -> Option<Breach> {
        mms.begins_on(cpu, &Operation::SwitchMm { to });
        load(machine, cpu, root);
        let bus = machine.bus();
        let told = mms.ends_on(bus, table(LEVELS), cpu, &Operation::SwitchMm { to }, Outcome::Done);
        told.or_else(|| mms.check(bus, table(LEVELS), &[]))
    }

    #[test]
    fn a_cpu_that_is_taken_off_what_it_loaded_is_a_breach_and_one_on_its_way_is_not() {
        let machine = machine(2);
        let (bus, boot) = (machine.bus(), table(LEVELS));
        let mut mms = LoadedMms::default();
        assert_eq!(switched(&mut mms, &machine, 1, Root::Mm(M0), frame(20)), None);
        load(&machine, 1, boot);
        let breach = mms.check(bus, boot, &[]).expect("nobody told it to leave");
        assert_eq!((breach.rule, breach.cpu), (Rule::Outcome, Some(1)));
        mms.begins_on(1, &Operation::SwitchMm { to: Root::Init });
        assert_eq!(mms.check(bus, boot, &[]), None);
        load(&machine, 1, frame(20));
        assert_eq!(mms.ends_on(bus, boot, 1, &Operation::SwitchMm { to: Root::Init }, Outcome::Done), None);
        assert!(mms.check(bus, boot, &[]).is_some(), "it is where it was");
        mms.clear();
        assert_eq!(mms.check(bus, boot, &[]), None, "another story");
    }

    #[test]
    fn a_switch_that_came_to_nothing_tells_nothing() {
        let machine = machine(1);
        let (bus, boot) = (machine.bus(), table(LEVELS));
        let mut mms = LoadedMms::default();
        let switch = Operation::SwitchMm { to: Root::Mm(M0) };
        mms.begins_on(0, &switch);
        assert_eq!(mms.ends_on(bus, boot, 0, &switch, Outcome::Void), None);
        assert_eq!(mms.check(bus, boot, &[]), None);
        assert_eq!(switched(&mut mms, &machine, 0, Root::Mm(M0), frame(20)), None);
    }

    #[test]
    fn a_caller_gone_astray_may_load_any_root_and_must_go_back() {
        let machine = machine(2);
        let (bus, boot) = (machine.bus(), table(LEVELS));
        let mut mms = LoadedMms::default();
        assert_eq!(switched(&mut mms, &machine, 0, Root::Mm(M0), frame(20)), None);
        let astray = |operation| [Some(Flight::new(0, Call { operation, irqs_off: false }, 0, 0))];
        let load_root = astray(Operation::HvLoadRoot { page: PageSlot::new(0) });
        load(&machine, 0, frame(22));
        assert_eq!(mms.check(bus, boot, &load_root), None, "it is not back yet");
        assert!(mms.check(bus, boot, &astray(Operation::HvFlush {})).is_some(), "a flush loads nothing");
        assert!(mms.check(bus, boot, &[]).is_some(), "it did not go back");
        load(&machine, 1, frame(22));
        assert!(mms.check(bus, boot, &load_root).is_some(), "the other CPU is not astray");
        load(&machine, 1, boot);
        load(&machine, 0, frame(20));
        assert_eq!(mms.check(bus, boot, &[]), None);
    }

    #[test]
    fn a_switch_that_loads_nothing_or_what_is_another_is_a_breach() {
        let machine = machine(2);
        let mut mms = LoadedMms::default();
        assert!(switched(&mut mms, &machine, 0, Root::Mm(M0), table(LEVELS)).is_some());
        mms.clear();
        assert_eq!(switched(&mut mms, &machine, 0, Root::Mm(M0), frame(20)), None);
        assert!(switched(&mut mms, &machine, 1, Root::Mm(M1), frame(20)).is_some());
        assert!(switched(&mut mms, &machine, 1, Root::Mm(M0), frame(21)).is_some(), "it has another root");
        assert_eq!(switched(&mut mms, &machine, 1, Root::Mm(M0), frame(20)), None);
        assert_eq!(switched(&mut mms, &machine, 1, Root::Init, table(LEVELS)), None);
    }

    #[test]
    fn who_is_in_a_dropped_one_when_that_returns_is_a_breach_and_its_root_may_be_anothers_then() {
        let (machine, mut mms) = dropping();
        let (bus, boot) = (machine.bus(), table(LEVELS));
        load(&machine, 1, boot);
        assert_eq!(mms.check(bus, boot, &[]), None, "it was taken off it already");
        load(&machine, 1, frame(20));
        assert_eq!(mms.ends_on(bus, boot, 0, &DROP, Outcome::Done), None);
        assert!(mms.check(bus, boot, &[]).is_some(), "it is in it still");
        load(&machine, 1, boot);
        assert_eq!(mms.check(bus, boot, &[]), None);
        assert_eq!(switched(&mut mms, &machine, 1, Root::Mm(M1), frame(20)), None);
    }

    #[test]
    fn the_root_of_one_that_is_being_dropped_may_be_anothers_already() {
        let (machine, mut mms) = dropping();
        let (bus, boot) = (machine.bus(), table(LEVELS));
        assert_eq!(switched(&mut mms, &machine, 1, Root::Mm(M1), frame(20)), None);
        assert_eq!(mms.ends_on(bus, boot, 0, &DROP, Outcome::Done), None);
        assert_eq!(mms.check(bus, boot, &[]), None);
        load(&machine, 1, boot);
        assert!(mms.check(bus, boot, &[]).is_some(), "it is that of the other from then on");
    }

    #[test]
    fn who_loads_another_while_what_it_is_in_is_dropped_is_in_that() {
        let (machine, mut mms) = dropping();
        assert_eq!(switched(&mut mms, &machine, 1, Root::Mm(M1), frame(21)), None);
        assert_eq!(mms.ends_on(machine.bus(), table(LEVELS), 0, &DROP, Outcome::Done), None);
        assert_eq!(mms.check(machine.bus(), table(LEVELS), &[]), None);
    }
}
