//! Pages that become page tables on Xen, by every design of seed 004: who drains, how often, and who gets by without.

use impls::family;
use impls::protocol::{PteClear, TableDrain};
use impls::{Designs, Native, PvMmu, Sizes, Task, Xen};
use machine::{Frame, Role, Target, TraceEvent};
use oracle::vocabulary::{AreaSlot, Call, Operation, Outcome, PageList, PageSlot, TreeSlot};

use crate::bench::Bench;

const TREE: TreeSlot = TreeSlot::new(0);
const AREA: AreaSlot = AreaSlot::new(0);

impl<P: PvMmu> Bench<P> {
    /// Entries stay until a purge, so that an alias that nobody drained for is an alias that the hypervisor counts.
    fn new(table_drain: TableDrain) -> Self {
        Self::with(
            Sizes::Tiny,
            2,
            Designs { table_drain, pte_clear: PteClear::AtPurge, ..Designs::default() },
        )
    }

    fn with_irqs_off(&mut self, operation: Operation) -> Outcome {
        self.task(0, Task::Call(Call { operation, irqs_off: true }))
    }

    /// Maps pages and unmaps them: their aliases are left for a drain.
    fn alias(&mut self, slots: &[u8]) {
        let mapped = self.call(0, Operation::Vmap { pages: pages(slots), area: AREA });
        assert!(matches!(mapped, Outcome::Mapped(_)), "{mapped:?}");
        assert_eq!(self.call(0, Operation::Vunmap { area: AREA }), Outcome::Done);
    }

    /// The operation is done. Returns how many drains it asked for, and how many interrupts it sent.
    fn cost(&mut self, operation: Operation) -> (usize, usize) {
        self.0.bus().start_tracing();
        let from = self.0.bus().trace().len();
        assert_eq!(self.call(0, operation), Outcome::Done, "{operation}");
        let trace = self.0.bus().trace();
        let count =
            |of: &dyn Fn(&TraceEvent) -> bool| trace[from..].iter().filter(|line| of(&line.event)).count();
        // The first thing that a drain looks at.
        let drains = count(&|event| match event {
            TraceEvent::Load { target: Target::Var(var), .. } => var.family == family::DIRTY_BLOCKS,
            _ => false,
        });
        (drains, count(&|event| matches!(event, TraceEvent::IpiSent { .. })))
    }

    /// How many frames are tables.
    fn tables(&self) -> usize {
        let memory = &self.0.bus().memory;
        (0..memory.frames()).filter(|frame| matches!(memory.role(Frame(*frame)), Role::Table(_))).count()
    }
}

fn pages(slots: &[u8]) -> PageList {
    PageList::new(slots.iter().map(|slot| PageSlot::new(*slot)))
}

fn make_table(slot: u8) -> Operation {
    Operation::MakeTable { page: PageSlot::new(slot) }
}

fn unmake_table(slot: u8) -> Operation {
    Operation::UnmakeTable { page: PageSlot::new(slot) }
}

fn pin_tree(slots: &[u8]) -> Operation {
    Operation::PinTree { pages: pages(slots), tree: TREE }
}

/// The designs that are correct although entries stay until a purge.
fn correct() -> impl Iterator<Item = TableDrain> {
    let broken = [TableDrain::Never, TableDrain::HighOnly];
    TableDrain::ALL.iter().copied().filter(move |design| !broken.contains(design))
}

#[test]
fn a_tree_under_construction_is_drained_for_once_or_for_each_page() {
    for (design, drains) in [(TableDrain::Always, 4), (TableDrain::FirstPin, 1)] {
        let mut bench = Bench::<Xen>::new(design);
        bench.alias(&[0, 1, 2, 3]);
        assert_eq!(bench.cost(pin_tree(&[0, 1, 2, 3])).0, drains, "{design:?}");
        bench.call(0, Operation::UnpinTree { tree: TREE });
        assert_eq!(bench.cost(make_table(1)).0, 1, "{design:?}: on a live process at once");
        bench.tear_down();
    }
    let mut native = Bench::<Native>::new(TableDrain::Always);
    native.alias(&[0, 1]);
    assert_eq!(native.cost(pin_tree(&[0, 1, 2, 3])), (0, 0), "nobody counts there");
    native.tear_down();
}

#[test]
fn a_process_gets_its_tables_one_at_a_time_is_pinned_once_and_leaves_nothing() {
    for design in correct() {
        let mut bench = Bench::<Xen>::new(design);
        for table in 0..6 {
            bench.alias(&[table % 4]);
            assert_eq!(bench.task(0, Task::AddProcessTable), Outcome::Done, "{design:?}");
        }
        assert_eq!(bench.call(0, Operation::DrainAliases {}), Outcome::Done);
        let before = bench.tables();
        assert_eq!(bench.task(0, Task::PinProcess), Outcome::Done, "{design:?}");
        assert_eq!(bench.tables(), before + 6, "{design:?}");
        bench.tear_down();

        let mut unfinished = Bench::<Xen>::new(design);
        for _ in 0..5 {
            assert_eq!(unfinished.task(0, Task::AddProcessTable), Outcome::Done, "{design:?}");
        }
        unfinished.tear_down();
    }
}

#[test]
fn a_page_without_an_alias_costs_no_drain_while_others_have_some() {
    for design in [TableDrain::PageFlag, TableDrain::SideTable, TableDrain::FixUp] {
        let mut bench = Bench::<Xen>::new(design);
        bench.alias(&[0, 1]);
        assert_eq!(bench.cost(make_table(3)), (0, 0), "{design:?}");
        assert_eq!(bench.cost(make_table(0)).0, 1, "{design:?}");
        assert_eq!(bench.call(0, unmake_table(0)), Outcome::Done);
        assert_eq!(bench.cost(make_table(0)).0, 0, "{design:?}: a table has no alias");
        bench.tear_down();
    }
}

#[test]
fn one_page_with_an_alias_is_enough_to_drain_for_a_tree_and_once_is_enough_for_all() {
    for design in [TableDrain::PageFlag, TableDrain::SideTable, TableDrain::FixUp] {
        let mut bench = Bench::<Xen>::new(design);
        bench.alias(&[2, 3]);
        assert_eq!(bench.cost(pin_tree(&[0, 1, 2, 3])).0, 1, "{design:?}");
        bench.call(0, Operation::UnpinTree { tree: TREE });
        assert_eq!(bench.cost(pin_tree(&[3, 2])).0, 0, "{design:?}");
        bench.tear_down();
    }
}

#[test]
fn an_entry_that_is_cleared_at_once_leaves_no_alias_in_the_table() {
    let table_drain = TableDrain::SideTable;
    let mut bench = Bench::<Xen>::with(Sizes::Tiny, 2, Designs { table_drain, ..Designs::default() });
    bench.alias(&[0, 1]);
    assert_eq!(bench.cost(make_table(0)).0, 0);
    bench.tear_down();
}

#[test]
fn the_table_is_trusted_for_a_page_once_it_was_drained_for_with_the_table_on() {
    let mut bench = Bench::<Xen>::new(TableDrain::SideTableOnRequest);
    let make_and_unmake = |bench: &mut Bench<Xen>| {
        let (drains, _) = bench.cost(make_table(0));
        assert_eq!(bench.call(0, unmake_table(0)), Outcome::Done);
        drains
    };
    bench.alias(&[0]);
    assert_eq!([make_and_unmake(&mut bench), make_and_unmake(&mut bench)], [1, 1], "it is off");
    bench.alias(&[0]);
    assert_eq!(bench.call(0, Operation::TrackAliases {}), Outcome::Done);
    assert_eq!([make_and_unmake(&mut bench), make_and_unmake(&mut bench)], [1, 0], "an alias from before");
    bench.alias(&[0]);
    assert_eq!([make_and_unmake(&mut bench), make_and_unmake(&mut bench)], [1, 0], "one that was counted");
    bench.tear_down();
}

#[test]
fn an_alias_from_before_is_not_counted_off() {
    let mut bench = Bench::<Xen>::new(TableDrain::SideTableOnRequest);
    let other = AreaSlot::new(1);
    bench.call(0, Operation::Vmap { pages: pages(&[0]), area: other });
    bench.call(0, Operation::TrackAliases {});
    bench.alias(&[0]);
    bench.call(0, Operation::Vunmap { area: other });
    assert_eq!(bench.cost(make_table(0)).0, 1);
    bench.tear_down();
}

#[test]
fn one_drain_fills_the_cache_for_several_tables_and_a_table_that_comes_back_needs_none() {
    let mut bench = Bench::<Xen>::new(TableDrain::CleanCache);
    bench.alias(&[0, 1, 2]);
    let drains: Vec<_> = (0..4).map(|slot| bench.cost(make_table(slot)).0).collect();
    assert_eq!(drains.iter().sum::<usize>(), 4 / Sizes::Tiny.quicklist_batch(), "{drains:?}");
    assert_eq!(bench.call(0, unmake_table(2)), Outcome::Done);
    assert_eq!(bench.cost(make_table(2)).0, 0);
    bench.tear_down();
}

#[test]
fn with_interrupts_off_only_what_has_to_drain_would_sleep() {
    let would_sleep_for_any = [TableDrain::Always, TableDrain::FirstPin, TableDrain::SideTableOnRequest];
    for design in correct().filter(|design| *design != TableDrain::CleanCache) {
        let mut bench = Bench::<Xen>::new(design);
        bench.alias(&[0, 1]);
        let free = if would_sleep_for_any.contains(&design) { Outcome::WouldSleep } else { Outcome::Done };
        assert_eq!(bench.with_irqs_off(pin_tree(&[2, 3])), free, "{design:?}");
        bench.call(0, Operation::UnpinTree { tree: TREE });
        for operation in [make_table(0), pin_tree(&[3, 1, 2])] {
            assert_eq!(bench.with_irqs_off(operation), Outcome::WouldSleep, "{design:?}: {operation}");
        }
        let again = bench.call(0, Operation::Vmap { pages: pages(&[0, 1, 2, 3]), area: AREA });
        assert!(matches!(again, Outcome::Mapped(_)), "{design:?}: the pages are ordinary ones, {again:?}");
        bench.tear_down();
    }
    let mut bench = Bench::<Xen>::new(TableDrain::CleanCache);
    bench.alias(&[0]);
    assert_eq!(bench.with_irqs_off(make_table(0)), Outcome::WouldSleep, "the cache is empty");
    assert_eq!(bench.call(0, make_table(1)), Outcome::Done);
    bench.alias(&[0]);
    assert_eq!(bench.with_irqs_off(make_table(0)), Outcome::Done, "it was filled for two");
    bench.tear_down();
}

#[test]
fn a_tree_that_is_refused_leaves_ordinary_pages_and_the_books_in_order() {
    let mut bench = Bench::<Xen>::new(TableDrain::Never);
    bench.alias(&[3]);
    assert_eq!(bench.call(0, pin_tree(&[0, 1, 2, 3])), Outcome::Refused);
    let audit = bench.0.software().pv.hypervisor().audit(bench.0.bus());
    assert_eq!(audit, Vec::<String>::new());
    assert_eq!(bench.call(0, Operation::DrainAliases {}), Outcome::Done);
    bench.alias(&[0, 1, 2, 3]);
    bench.tear_down();
}

#[test]
fn trees_of_every_size_are_made_and_taken_apart() {
    for design in correct() {
        let mut bench = Bench::<Xen>::new(design);
        for slot in 4..8 {
            assert_eq!(bench.call(0, Operation::AllocPage { page: PageSlot::new(slot) }), Outcome::Done);
        }
        for size in 1..=8 {
            let slots: Vec<_> = (0..size).collect();
            bench.alias(&slots);
            assert_eq!(bench.call(0, pin_tree(&slots)), Outcome::Done, "{design:?}: {size}");
            let audit = bench.0.software().pv.hypervisor().audit(bench.0.bus());
            assert_eq!(audit, Vec::<String>::new(), "{design:?}: {size}");
            assert_eq!(bench.call(0, Operation::UnpinTree { tree: TREE }), Outcome::Done);
        }
        assert_eq!(bench.call(0, pin_tree(&[5, 4, 3, 2, 1])), Outcome::Done);
        bench.tear_down();
    }
}
