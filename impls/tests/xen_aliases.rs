//! The vmap layer on Xen: a page that is to become a page table may have no alias left, live or lazy.

use impls::protocol::{KernelFlush, PteClear, TableDrain};
use impls::{Designs, Kernel, Native, Protocol, PvMmu, Sizes, Task, Xen};
use machine::{Bus, Machine, Observer, Pause, Temperament, Told};
use oracle::vocabulary::{
    AreaSlot, Call, Mapping, Operation, Outcome, PageList, PageSlot, RamSlot, TreeSlot,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

#[derive(Default)]
struct Outcomes(Vec<(u8, Outcome)>);

impl Outcomes {
    /// How the operation of a CPU ended.
    fn of(&self, cpu: u8) -> Outcome {
        self.0.iter().rev().find(|(from, _)| *from == cpu).expect("it ended").1
    }
}

impl Observer<Outcome> for Outcomes {
    fn ended(&mut self, _: &Bus, cpu: u8, outcome: Outcome) {
        self.0.push((cpu, outcome));
    }
}

fn boot<P: PvMmu>(designs: Designs, temperament: Temperament) -> Machine<Kernel<P>> {
    let config = Kernel::<P>::config(Sizes::Tiny, 2, temperament);
    Machine::new(config, |bus| Kernel::boot(bus, Sizes::Tiny, Rc::new(Protocol::new(designs, &[]))))
}

fn call<P: PvMmu>(machine: &mut Machine<Kernel<P>>, cpu: u8, operation: Operation) -> Outcome {
    let mut outcomes = Outcomes::default();
    let told = machine.begin(cpu, task(operation), None, &mut outcomes);
    assert_eq!(told, Told::Ended, "{operation:?}: {:?}", machine.bus().alarms());
    outcomes.of(cpu)
}

fn task(operation: Operation) -> Task {
    Task::Call(Call { operation, irqs_off: false })
}

/// Maps a page, unmaps it, and makes it a table.
fn alias_and_make_table<P: PvMmu>(designs: Designs) -> Outcome {
    let mut machine = boot::<P>(designs, Temperament::empty());
    let (page, area) = (PageSlot::new(0), AreaSlot::new(0));
    let mapped = call(&mut machine, 0, Operation::Vmap { pages: PageList::new([page]), area });
    assert!(matches!(mapped, Outcome::Mapped(_)));
    assert_eq!(call(&mut machine, 0, Operation::Vunmap { area }), Outcome::Done);
    call(&mut machine, 1, Operation::MakeTable { page })
}

#[test]
fn a_lazy_alias_refuses_the_pin_unless_it_is_drained() {
    let lazy = Designs { pte_clear: PteClear::AtPurge, ..Designs::default() };
    let careless = Designs { table_drain: TableDrain::Never, ..lazy };
    assert_eq!(alias_and_make_table::<Xen>(lazy), Outcome::Done);
    assert_eq!(alias_and_make_table::<Xen>(careless), Outcome::Refused);
    assert_eq!(alias_and_make_table::<Native>(careless), Outcome::Done, "nobody counts there");
    let eager = Designs { table_drain: TableDrain::Never, ..Designs::default() };
    assert_eq!(alias_and_make_table::<Xen>(eager), Outcome::Done, "the entry went with the area");
}

/// Operations of one CPU: its own areas, mappings and pages, so that no caller's contract is ever broken.
fn operation(cpu: u8) -> impl Strategy<Value = Operation> {
    let page = move || (0..2u8).prop_map(move |page| PageSlot::new(2 * cpu + page));
    let more = move || (0..2u8).prop_map(move |page| PageSlot::new(4 + 2 * cpu + page));
    let pages = move || {
        (0..2u8, 1..3u8).prop_map(move |(first, len)| {
            PageList::new((0..len).map(|index| PageSlot::new(2 * cpu + (first + index) % 2)))
        })
    };
    let area = move || (0..3u8).prop_map(move |area| AreaSlot::new(3 * cpu + area));
    let ram = move || (0..3u8).prop_map(move |ram| RamSlot::new(3 * cpu + ram));
    prop_oneof![
        2 => (pages(), area()).prop_map(|(pages, area)| Operation::Vmap { pages, area }),
        2 => area().prop_map(|area| Operation::Vunmap { area }),
        2 => (pages(), ram()).prop_map(|(pages, ram)| Operation::MapRam { pages, ram }),
        2 => ram().prop_map(|ram| Operation::UnmapRam { ram }),
        1 => Just(Operation::DrainAliases {}),
        1 => more().prop_map(|page| Operation::AllocPage { page }),
        1 => more().prop_map(|page| Operation::FreePage { page }),
        2 => more().prop_map(|page| Operation::MakeTable { page }),
        1 => more().prop_map(|page| Operation::UnmakeTable { page }),
        2 => more().prop_map(move |page| {
            Operation::PinTree { pages: PageList::new([page]), tree: TreeSlot::new(cpu) }
        }),
        2 => Just(Operation::UnpinTree { tree: TreeSlot::new(cpu) }),
        1 => page().prop_map(|page| Operation::SetPageFlag { page }),
        1 => Just(Operation::TrackAliases {}),
        2 => (page(), area()).prop_map(|(page, area)| {
            Operation::Vmap { pages: PageList::new([page, PageSlot::new(page.index() as u8 + 4)]), area }
        }),
    ]
}

/// Slots that are in use, so that none is used twice and no page that is mapped or a table for anything else.
#[derive(Default)]
struct Held {
    mappings: BTreeMap<Mapping, Vec<PageSlot>>,
    pages: BTreeSet<PageSlot>,
    tables: BTreeSet<PageSlot>,
    trees: BTreeMap<TreeSlot, PageSlot>,
}

impl Held {
    fn new() -> Self {
        Self { pages: (0..Sizes::INITIAL_PAGES).map(PageSlot::new).collect(), ..Self::default() }
    }

    fn allows(&self, operation: Operation) -> bool {
        let usable = |page: &PageSlot| self.pages.contains(page) && !self.tables.contains(page);
        let mapped = |page| self.mappings.values().any(|pages| pages.contains(&page));
        match operation {
            Operation::Vmap { pages, .. } | Operation::MapRam { pages, .. } => {
                let free = |mapping| !self.mappings.contains_key(&mapping);
                mapping_of(operation).is_some_and(free) && slots(&pages).iter().all(usable)
            }
            Operation::Vunmap { .. } | Operation::UnmapRam { .. } => {
                mapping_of(operation).is_some_and(|mapping| self.mappings.contains_key(&mapping))
            }
            Operation::AllocPage { page } => !self.pages.contains(&page),
            Operation::FreePage { page } | Operation::MakeTable { page } => usable(&page) && !mapped(page),
            Operation::UnmakeTable { page } => {
                self.tables.contains(&page) && !self.trees.values().any(|table| *table == page)
            }
            Operation::PinTree { pages, tree } => {
                let page = pages.as_slice()[0];
                usable(&page) && !mapped(page) && !self.trees.contains_key(&tree)
            }
            Operation::UnpinTree { tree } => self.trees.contains_key(&tree),
            _ => true,
        }
    }

    fn note(&mut self, operation: Operation, outcome: Outcome) {
        match (operation, outcome) {
            (Operation::Vmap { pages, .. } | Operation::MapRam { pages, .. }, Outcome::Mapped(_)) => {
                self.mappings.extend(mapping_of(operation).map(|mapping| (mapping, slots(&pages))));
            }
            (Operation::Vunmap { .. } | Operation::UnmapRam { .. }, _) => {
                mapping_of(operation).map(|mapping| self.mappings.remove(&mapping));
            }
            (Operation::AllocPage { page }, Outcome::Done) => drop(self.pages.insert(page)),
            (Operation::FreePage { page }, _) => drop(self.pages.remove(&page)),
            (Operation::MakeTable { page }, Outcome::Done) => drop(self.tables.insert(page)),
            (Operation::UnmakeTable { page }, _) => drop(self.tables.remove(&page)),
            (Operation::PinTree { pages, tree }, Outcome::Done) => {
                let page = pages.as_slice()[0];
                self.tables.insert(page);
                self.trees.insert(tree, page);
            }
            (Operation::UnpinTree { tree }, _) => {
                self.trees.remove(&tree).map(|page| self.tables.remove(&page));
            }
            _ => {}
        }
    }
}

fn mapping_of(operation: Operation) -> Option<Mapping> {
    match operation {
        Operation::Vmap { area, .. } | Operation::Vunmap { area } => Some(Mapping::Area(area)),
        Operation::MapRam { ram, .. } | Operation::UnmapRam { ram } => Some(Mapping::Ram(ram)),
        _ => None,
    }
}

fn slots(pages: &PageList) -> Vec<PageSlot> {
    pages.as_slice().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// One CPU is held up at a point of its operation while the other does several.
    #[test]
    fn nothing_legal_is_refused_and_nothing_is_left(
        turns in prop::collection::vec(
            (operation(0), 1..150u16, prop::collection::vec(operation(1), 0..3)),
            1..16,
        ),
        temperament in prop::sample::select(vec![Temperament::empty(), Temperament::all()]),
        kernel_flush in prop::sample::select(KernelFlush::ALL.to_vec()),
        table_drain in prop::sample::select(TableDrain::ALL.to_vec()),
        pte_clear in prop::sample::select(PteClear::ALL.to_vec()),
    ) {
        let careless = matches!(table_drain, TableDrain::Never | TableDrain::HighOnly);
        let pte_clear = if careless { PteClear::AtVunmap } else { pte_clear };
        let designs = Designs { kernel_flush, table_drain, pte_clear, ..Designs::default() };
        let mut machine = boot::<Xen>(designs, temperament);
        let mut held = Held::new();
        for (slow, pause, quick) in turns {
            if !held.allows(slow) {
                continue;
            }
            let mut outcomes = Outcomes::default();
            machine.begin(0, task(slow), Some(Pause::At(pause)), &mut outcomes);
            for operation in quick {
                if held.allows(operation) && !machine.bus().alarmed() {
                    let told = machine.begin(1, task(operation), None, &mut outcomes);
                    prop_assert!(told == Told::Ended, "{operation:?}: {:?}", machine.bus().alarms());
                    let outcome = outcomes.of(1);
                    prop_assert!(outcome != Outcome::Refused, "{operation:?} during {slow:?}");
                    held.note(operation, outcome);
                }
            }
            while machine.busy(0) {
                let told = machine.resume(0, &mut outcomes);
                prop_assert!(told != Told::Failed, "{slow:?}: {:?}", machine.bus().alarms());
            }
            prop_assert!(machine.bus().alarms().is_empty(), "{slow:?}: {:?}", machine.bus().alarms());
            prop_assert!(outcomes.of(0) != Outcome::Refused, "{slow:?}");
            held.note(slow, outcomes.of(0));
            let audit = machine.software().pv.hypervisor().audit(machine.bus());
            prop_assert_eq!(audit, Vec::<String>::new());
        }
        while machine.software().work_pending(machine.bus()) {
            machine.begin(0, Task::RunWork, None, &mut Outcomes::default());
        }
        machine.begin(0, Task::Teardown, None, &mut Outcomes::default());
        machine.software().grace_period(&machine.standing());
        prop_assert!(machine.bus().alarms().is_empty(), "{:?}", machine.bus().alarms());
        prop_assert_eq!(machine.software().leftovers(machine.bus()), Vec::<String>::new());
    }
}
