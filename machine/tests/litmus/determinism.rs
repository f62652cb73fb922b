//! The same story leaves the same trace, whatever was played before on the same machine and however that ended.

use crate::toy_kernel::{
    Event, Op, Story, Toy, any_story, boot, correct_story, drive_to_the_end, reboot, tell,
};
use crate::{Program, Rig, Seen, VAR};
use machine::*;
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Everything that can be told apart about a story played on a machine that was just reset.
fn play(machine: &mut Machine<Toy>, story: &Story) -> (String, Vec<(u8, u64)>) {
    machine.bus().start_tracing();
    let mut seen = Seen::default();
    let told = tell(machine, story, &mut seen) && drive_to_the_end(machine, &mut seen);
    (format!("{told} {:?} {:?}", machine.bus().alarms(), machine.bus().trace()), seen.0)
}

/// Plays a story as far as it goes and leaves the machine as it then is. Returns whether the software panicked.
fn play_carelessly(machine: &mut Machine<Toy>, story: &Story) -> bool {
    machine.bus().start_tracing();
    catch_unwind(AssertUnwindSafe(|| tell(machine, story, &mut Seen::default()))).is_err()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_story_leaves_the_same_trace_whatever_was_played_before(
        before in prop::collection::vec(any_story(), 0..3),
        story in correct_story(),
    ) {
        let fresh = play(&mut boot(story.config), &story);
        let mut machine = boot(Config { cpus: 3, frames: 16, ..Config::default() });
        for other in &before {
            reboot(&mut machine, other.config);
            play_carelessly(&mut machine, other);
        }
        reboot(&mut machine, story.config);
        prop_assert_eq!(&play(&mut machine, &story), &fresh);
        reboot(&mut machine, story.config);
        prop_assert_eq!(&play(&mut machine, &story), &fresh);
    }
}

const TWO: Config = Config {
    cpus: 2,
    frames: 64,
    large_pages: 0,
    vars: 1024,
    temperament: Temperament::all(),
    steps: 100_000,
    invlpg_spares_globals: false,
};

fn told(events: Vec<Event>) -> Story {
    Story { config: TWO, events }
}

fn good() -> Story {
    told(vec![
        Event::Begin(0, Op::Remap, Some(Pause::At(6))),
        Event::Begin(1, Op::Write, None),
        Event::Deliver(1, None, Some(Pause::At(3))),
        Event::Begin(1, Op::Count, Some(Pause::At(2))),
        Event::Begin(0, Op::CallLocked, None),
    ])
}

#[test]
fn a_machine_is_whole_again_after_a_deadlock() {
    let fresh = play(&mut boot(TWO), &good());
    let mut machine = boot(TWO);
    let bad =
        told(vec![Event::Begin(0, Op::Count, Some(Pause::At(2))), Event::Begin(1, Op::CountBackwards, None)]);
    assert!(!tell(&mut machine, &bad, &mut Seen::default()));
    assert!(matches!(machine.bus().alarms()[0].kind, AlarmKind::Deadlock { .. }));
    reboot(&mut machine, TWO);
    assert_eq!(play(&mut machine, &good()), fresh);
}

#[test]
fn a_machine_is_whole_again_after_the_software_panicked() {
    let fresh = play(&mut boot(TWO), &good());
    for pause in [None, Some(Pause::At(2))] {
        // At once, and after it stood paused; each with another CPU's operation left standing.
        let mut machine = boot(TWO);
        let bad = told(vec![
            Event::Begin(1, Op::Reader, Some(Pause::At(2))),
            Event::Begin(0, Op::Panic, pause),
            Event::Resume(0, None),
        ]);
        assert!(play_carelessly(&mut machine, &bad));
        assert_eq!(machine.resume(1, &mut Seen::default()), Told::Failed, "only a reset is left");
        reboot(&mut machine, TWO);
        assert_eq!(play(&mut machine, &good()), fresh);
    }
}

#[test]
fn a_smaller_machine_has_no_more_than_it_asks_for() {
    let mut machine = boot(Config { frames: 4096, ..TWO });
    reboot(&mut machine, TWO);
    assert_eq!(machine.bus().memory.frames(), 64);
    let beyond = catch_unwind(AssertUnwindSafe(|| machine.bus().memory.role(Frame(64))));
    assert!(beyond.is_err(), "a frame of an earlier story is not there");
    assert_eq!(play(&mut machine, &good()), play(&mut boot(TWO), &good()));
}

/// Says so when it is dropped, and touches the machine as a careless guard would.
struct Guard<'a>(&'a Cpu<'a>, Var);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.store(self.1, 0);
        self.0.wait(Wait {
            var: self.1,
            until: Until::Is(9),
            holder: Holder::Anyone,
            kind: WaitKind::Acknowledge,
        });
    }
}

#[test]
fn a_guard_that_touches_the_machine_while_its_stack_is_unwound_does_no_harm() {
    let mut rig = Rig::calm();
    let program: Program = |stage, cpu| {
        let _guard = Guard(cpu, stage.v(0));
        cpu.load(stage.v(1))
    };
    assert_eq!(rig.begin(0, program, 1), crate::at(PointKind::Load, VAR));
    let config = rig.bus().config();
    rig.machine.reset(config, |bus| crate::Stage::new(bus));
    rig.assert_quiet();
    assert_eq!(rig.run(0, |stage, cpu| cpu.load(stage.v(0))), 0);
}

#[test]
fn a_machine_may_be_dropped_while_a_test_panics() {
    let caught = catch_unwind(|| {
        let mut rig = Rig::calm();
        rig.begin(0, |stage, cpu| cpu.load(stage.v(1)), 1);
        assert!(!rig.machine.busy(0), "as told");
    });
    assert!(caught.is_err());
}
