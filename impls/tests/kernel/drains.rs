//! What drains send, many of them one after the other.

use impls::{Designs, Native, PvMmu, Sizes, Xen};
use machine::Prices;
use oracle::vocabulary::{AreaSlot, Operation, Outcome, PageList, PageSlot};

use crate::bench::Bench;

/// Drains so often, each time of more pages than are flushed singly. Returns the interrupts that it took.
fn drain<P: PvMmu>(bench: &mut Bench<P>, times: u32) -> u64 {
    bench.bus().start_metering(Prices::new(0, |_| 0));
    for _ in 0..times {
        for _ in 0..5 {
            let pages = PageList::new((0..8).map(|page| PageSlot::new(page % 4)));
            let area = AreaSlot::new(0);
            assert!(matches!(bench.call(0, Operation::Vmap { pages, area }), Outcome::Mapped(_)));
            assert_eq!(bench.call(0, Operation::Vunmap { area }), Outcome::Done);
        }
        assert_eq!(bench.call(0, Operation::DrainAliases {}), Outcome::Done);
    }
    bench.bus().meter().expect("it is metered").total().ipis()
}

#[test]
fn at_real_sizes_a_drain_interrupts_each_other_cpu_once_and_the_hypervisors_clock_nobody_but_soon_after_boot()
{
    for cpus in [2, 8] {
        let others = u64::from(cpus) - 1;
        let mut bench = Bench::<Xen>::with(Sizes::Real, cpus, Designs::default());
        assert!(drain(&mut bench, 5) > 5 * others, "it wraps");
        assert_eq!(drain(&mut bench, 300), 300 * others);
        bench.tear_down();
        let mut native = Bench::<Native>::with(Sizes::Real, cpus, Designs::default());
        assert_eq!(drain(&mut native, 20), 20 * others);
        native.tear_down();
    }
}
