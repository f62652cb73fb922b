//! Rule 9, progress: everything ends; no CPU waits with interrupts off for an acknowledgement, a grace period or a
//! sleeping lock; and the kernel obeys the rules of locking that keep it so.
//!
//! The machine evaluates every wait and sees who could end it; the kernel's own lock checking reports an order or a
//! context that could deadlock, whether or not it did this time.
//!
//! Legal, and without alarm: waiting for a spinlock with interrupts off; a wait that help ends.

use std::borrow::Cow;

use machine::AlarmKind;

use crate::headline::About;

/// What is wrong, if it is this rule that was broken.
pub fn judge(alarm: &AlarmKind) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match alarm {
        AlarmKind::WaitWithInterruptsOff { .. } => "waits with interrupts off",
        AlarmKind::Deadlock { .. } => "deadlock",
        AlarmKind::Livelock { .. } => "livelock",
        AlarmKind::Locking { text, locks } => {
            return Some(Cow::Owned(format!("{text}: {}", locks.join(", "))));
        }
        _ => return None,
    }))
}

/// What exactly was seen.
pub fn describe(alarm: &AlarmKind) -> Option<String> {
    let wait = |wait: &machine::Wait| {
        let family = impls::family::name(wait.var.family).unwrap_or("a variable");
        match wait.holder {
            machine::Holder::Cpu(cpu) => format!("{family}, which c{cpu} holds"),
            machine::Holder::Anyone => family.to_owned(),
            machine::Holder::Background => format!("{family}, which the background moves"),
        }
    };
    Some(match alarm {
        AlarmKind::WaitWithInterruptsOff { wait: on } => format!("it waits for {}", wait(on)),
        AlarmKind::Deadlock { cycle } => {
            let links: Vec<_> =
                cycle.iter().map(|(cpu, on)| format!("c{cpu} waits for {}", wait(on))).collect();
            links.join("; ")
        }
        AlarmKind::Livelock { .. } => "the steps of the whole story were used up".to_owned(),
        AlarmKind::Locking { text, locks } => format!("{text}: {}", locks.join(", ")),
        _ => return None,
    })
}

/// What is to be followed through the story.
pub fn about(alarm: &AlarmKind, about: &mut About) {
    match alarm {
        AlarmKind::WaitWithInterruptsOff { wait } => about.vars.push(wait.var),
        AlarmKind::Deadlock { cycle: waits } | AlarmKind::Livelock { waits } => {
            about.vars.extend(waits.iter().map(|(_, wait)| wait.var));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::workbench::{machine, spin, wait_for_nobody};
    use crate::checks::{Checks, first_alarm};
    use machine::{AlarmKind, Family, Holder, Until, Wait, WaitKind};
    use oracle::Rule;

    #[test]
    fn a_wait_that_nobody_can_end_is_a_breach_whatever_is_checked() {
        let mut machine = machine(2);
        assert_eq!(first_alarm(machine.bus(), Checks::default()), None);
        wait_for_nobody(&mut machine, 0, false);
        let breach = first_alarm(machine.bus(), Checks { eager: false, observational: false });
        let breach = breach.expect("nobody answers");
        assert_eq!((breach.rule, &*breach.what), (Rule::Progress, "deadlock"));
        assert!(breach.detail.starts_with("c0 waits for call_ack, which c1 holds"), "{}", breach.detail);
        assert_eq!(breach.about.vars.len(), 1);
    }

    #[test]
    fn a_story_that_never_ends_is_a_breach() {
        let mut machine = machine(2);
        spin(&mut machine, 0);
        let breach = first_alarm(machine.bus(), Checks::default()).expect("it never ends");
        assert_eq!((breach.rule, &*breach.what), (Rule::Progress, "livelock"));
        assert!(breach.detail.starts_with("the steps of the whole story were used up"), "{}", breach.detail);
        assert_eq!(breach.about.vars.len(), 1, "what it waited for last");
    }

    #[test]
    fn a_wait_is_told_by_what_is_waited_for_and_who_can_end_it() {
        let machine = machine(1);
        let var = machine.bus().memory.var(impls::family::GRACE_PERIODS);
        let own = machine.bus().memory.var(Family::NONE);
        for (n, (var, holder, told)) in [
            (var, Holder::Background, "grace_periods, which the background moves"),
            (var, Holder::Anyone, "grace_periods"),
            (own, Holder::Cpu(3), "a variable, which c3 holds"),
        ]
        .into_iter()
        .enumerate()
        {
            let wait = Wait { var, until: Until::Is(n as u64), holder, kind: WaitKind::Sleep };
            let detail = super::describe(&AlarmKind::WaitWithInterruptsOff { wait });
            assert_eq!(detail, Some(format!("it waits for {told}")));
        }
    }

    #[test]
    fn a_wait_for_an_answer_with_interrupts_off_is_a_breach_even_before_anybody_hangs() {
        let mut machine = machine(2);
        wait_for_nobody(&mut machine, 0, true);
        let breach = first_alarm(machine.bus(), Checks::default()).expect("it waits with interrupts off");
        assert_eq!((breach.rule, &*breach.what), (Rule::Progress, "waits with interrupts off"));
        assert!(breach.detail.starts_with("it waits for call_ack, which c1 holds ("), "{}", breach.detail);
        assert_eq!(breach.about.vars.len(), 1);
    }

    #[test]
    fn a_lock_order_that_could_deadlock_is_a_breach_named_by_its_locks() {
        let machine = machine(1);
        let kind = AlarmKind::Locking { text: "order", locks: vec!["a", "b"] };
        machine.bus().alarm(0, kind, None);
        let breach = first_alarm(machine.bus(), Checks::default()).expect("an alarm");
        assert_eq!((breach.rule, &*breach.what), (Rule::Progress, "order: a, b"));
        assert_eq!(breach.detail, "order: a, b");
    }
}
