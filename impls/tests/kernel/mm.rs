//! Address spaces, one CPU at a time, on every platform: the kernel half is the same in all of them, whatever comes and
//! goes, and nothing is left of one that was dropped.

use impls::protocol::KernelSync;
use impls::{Designs, Native, PvMmu, Sizes, Xen};
use machine::{Frame, Role};
use oracle::vocabulary::{
    AreaSlot, Mapping, MmSlot, Operation, Outcome, PageList, PageSlot, Place, Range, Root,
};

use crate::bench::Bench;

impl<P: PvMmu> Bench<P> {
    fn mm(&mut self, cpu: u8, call: Operation) {
        assert_eq!(self.call(cpu, call), Outcome::Done, "{call}");
    }

    fn vmap(&mut self, cpu: u8, page: u8, area: u8) -> Range {
        let pages = PageList::new([PageSlot::new(page)]);
        let mapped = self.call(cpu, Operation::Vmap { pages, area: AreaSlot::new(area) });
        let Outcome::Mapped(range) = mapped else { panic!("{mapped:?}") };
        range
    }

    fn read(&mut self, cpu: u8, area: u8) -> Outcome {
        let place = Place { mapping: Mapping::Area(AreaSlot::new(area)), page: 0 };
        self.call(cpu, Operation::Read { place })
    }

    fn root(&self, cpu: u8) -> Frame {
        self.bus().core(cpu).cr3().root
    }

    fn frames_in_use(&self) -> usize {
        let frames = (0..self.bus().memory.frames()).map(Frame);
        frames.filter(|frame| self.bus().memory.role(*frame) != Role::Free).count()
    }
}

fn m(number: u8) -> MmSlot {
    MmSlot::new(number)
}

fn enter(number: u8) -> Operation {
    Operation::SwitchMm { to: Root::Mm(m(number)) }
}

/// Runs a test on every platform.
fn everywhere(native: impl FnOnce(Bench<Native>), xen: impl FnOnce(Bench<Xen>), sizes: Sizes) {
    native(Bench::with(sizes, 2, Designs::default()));
    xen(Bench::with(sizes, 2, Designs::default()));
}

#[test]
fn what_is_mapped_before_and_after_is_seen_from_every_address_space() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.vmap(0, 0, 0);
        bench.mm(0, Operation::NewMm { mm: m(0) });
        bench.mm(1, enter(0));
        let range = bench.vmap(0, 1, 1);
        assert_ne!(bench.root(0), bench.root(1));
        let leads_to = |bench: &Bench<P>, cpu| bench.bus().mapped(bench.root(cpu), range.start);
        assert_eq!(leads_to(&bench, 0), leads_to(&bench, 1), "by the same table");
        assert!(leads_to(&bench, 1).is_some());
        assert!(matches!((bench.read(1, 0), bench.read(1, 1)), (Outcome::Value(_), Outcome::Value(_))));
        // Whoever is in another address space maps for all, too.
        bench.vmap(1, 2, 2);
        assert!(matches!(bench.read(0, 2), Outcome::Value(_)));
        bench.tear_down();
    }
    for sizes in Sizes::ALL {
        everywhere(body, body, sizes);
    }
}

#[test]
fn when_a_table_goes_no_address_space_leads_to_it() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.mm(0, Operation::NewMm { mm: m(0) });
        bench.mm(0, Operation::NewMm { mm: m(1) });
        bench.mm(1, enter(1));
        let range = bench.vmap(0, 0, 0);
        let table = bench.bus().mapped(bench.root(1), range.start).expect("it is there").word.frame;
        bench.call(0, Operation::Vunmap { area: AreaSlot::new(0) });
        assert_eq!(bench.call(0, Operation::DrainAliases {}), Outcome::Done);
        assert_ne!(bench.bus().memory.role(table), Role::Table(1), "nobody needs it");
        assert!(!bench.bus().fill(1, range.start));
        bench.mm(1, enter(0));
        assert!(!bench.bus().fill(1, range.start));
        assert!(!bench.bus().alarmed(), "{:?}", bench.bus().alarms());
        bench.tear_down();
    }
    everywhere(body, body, Sizes::Tiny);
}

#[test]
fn who_is_in_an_address_space_that_is_dropped_ends_up_in_the_kernels_own() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.vmap(0, 0, 0);
        let (own, before) = (bench.root(0), bench.frames_in_use());
        bench.mm(0, Operation::NewMm { mm: m(0) });
        assert_eq!(bench.frames_in_use(), before + 3, "the root and two tables below it");
        bench.mm(0, enter(0));
        bench.mm(1, enter(0));
        bench.mm(0, Operation::DropMm { mm: m(0) });
        assert_eq!((bench.root(0), bench.root(1)), (own, own));
        assert_eq!(bench.frames_in_use(), before);
        assert!(matches!(bench.read(1, 0), Outcome::Value(_)));
        bench.tear_down();
    }
    everywhere(body, body, Sizes::Tiny);
}

#[test]
fn an_address_space_needs_memory_and_one_that_was_not_made_leaves_nothing_behind() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        let before = bench.frames_in_use();
        let made =
            (0..16).take_while(|number| bench.call(0, Operation::NewMm { mm: m(*number) }) == Outcome::Done);
        let made = made.count() as u8;
        assert!((4..16).contains(&made), "{made}");
        for number in 0..made {
            bench.mm(0, Operation::DropMm { mm: m(number) });
        }
        assert_eq!(bench.frames_in_use(), before);
        bench.tear_down();
    }
    everywhere(body, body, Sizes::Tiny);
}

#[test]
fn an_access_that_comes_before_its_entry_copies_it_where_the_design_has_it_so() {
    let designs = Designs { kernel_sync: KernelSync::OnFault, ..Designs::default() };
    let mut bench = Bench::<Native>::with(Sizes::Tiny, 2, designs);
    bench.mm(0, Operation::NewMm { mm: m(0) });
    bench.mm(1, enter(0));
    let range = bench.vmap(0, 0, 0);
    assert_eq!(bench.bus().mapped(bench.root(1), range.start), None, "nobody has faulted on it");
    assert!(matches!(bench.read(1, 0), Outcome::Value(_)));
    assert!(bench.bus().mapped(bench.root(1), range.start).is_some());
    bench.tear_down();
}
