//! The memory and translation model of `docs/machine.md`, proved by the smallest programs that tell.

use machine::*;

#[derive(Default)]
struct Seen(Vec<(u8, u64)>);
impl Observer<u64> for Seen {
    fn ended(&mut self, _: &Bus, cpu: u8, outcome: u64) {
        self.0.push((cpu, outcome));
    }
}

/// Store buffering: each CPU stores to its own variable and loads the other's.
struct StoreBuffering {
    vars: VarArray,
    fence: bool,
}

impl Software for StoreBuffering {
    type Operation = ();
    type Outcome = u64;
    fn run(&self, cpu: &Cpu<'_>, (): ()) -> u64 {
        let me = usize::from(cpu.id());
        cpu.store(self.vars.at(me), 1);
        if self.fence {
            cpu.fence();
        }
        cpu.load(self.vars.at(1 - me))
    }
    fn interrupt(&self, _: &Cpu<'_>, _: Interrupt) {}
    fn drains_at_end(&self, (): &()) -> bool {
        false
    }
}

fn store_buffering(fence: bool) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    for first in 1..4 {
        for second in 1..4 {
            let config = Config { temperament: Temperament::LAZY_STORES, ..Config::default() };
            let mut machine =
                Machine::new(config, |bus| StoreBuffering { vars: bus.memory.vars(Family(20), 2), fence });
            let mut seen = Seen::default();
            machine.begin(0, (), Some(Pause::At(first)), &mut seen);
            machine.begin(1, (), Some(Pause::At(second)), &mut seen);
            machine.resume(0, &mut seen);
            machine.resume(1, &mut seen);
            seen.0.sort_unstable();
            found.push((seen.0[0].1, seen.0[1].1));
        }
    }
    found
}

#[test]
fn store_buffering_is_allowed_without_a_fence() {
    assert!(store_buffering(false).contains(&(0, 0)));
}

#[test]
fn store_buffering_is_forbidden_with_a_fence() {
    assert!(!store_buffering(true).contains(&(0, 0)));
    assert!(store_buffering(true).contains(&(0, 1)));
}
