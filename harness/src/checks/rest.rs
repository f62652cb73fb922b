//! Rule 10, rest: when all is torn down nothing is left: frames, ranges, references, queued callbacks, interrupts.
//!
//! A kernel that finds its own state broken, or panics, will not come to rest either: it is reported under this rule.
//!
//! Legal, and not seen here: what the kernel had when it booted.

use std::borrow::Cow;

use impls::hypervisor::xen::GUEST;
use machine::{AlarmKind, Bus, Frame};
use oracle::Rule;

use super::Breach;
use crate::headline::without_numbers;

/// What is wrong, if the kernel says so itself.
pub fn judge(alarm: &AlarmKind) -> Option<Cow<'static, str>> {
    match alarm {
        AlarmKind::Bug { text } => Some(Cow::Owned(format!("the kernel found itself broken: {text}"))),
        _ => None,
    }
}

/// Everything was given back: `expected` frames are to be in use, and the kernel says what it has left over itself.
pub fn check(bus: &Bus, expected: u32, leftovers: &[String]) -> Option<Breach> {
    if let Some(first) = leftovers.first() {
        let what = without_numbers(first);
        let breach = Breach::new(Rule::Rest, "", leftovers.join("\n  "));
        return Some(Breach { what: Cow::Owned(what), ..breach });
    }
    let found = bus.memory.frames_used();
    if found != expected {
        let detail = format!("{found} frames are in use, expected {expected} as after booting");
        return Some(Breach::new(Rule::Rest, "frames were not given back", detail));
    }
    (0..bus.cpus()).find(|cpu| !bus.core(*cpu).pending().is_empty()).map(|cpu| {
        let detail = format!("{:?}", bus.core(cpu).pending());
        Breach::new(Rule::Rest, "an interrupt was never taken", detail).on(cpu)
    })
}

/// The hypervisor was asked to take these frames back, which a guest gone astray had: it has done so. It cannot take
/// a frame back as long as anything refers to it. No domain ever gets a frame again that something refers to for good.
pub fn taken_back(bus: &Bus, frames: &[Frame]) -> Option<Breach> {
    frames.iter().find(|frame| bus.memory.owner(**frame) == GUEST).map(|frame| {
        let detail = format!("{frame} still belongs to the guest, which gave it up");
        let what = "a frame of a guest that is gone cannot be taken back";
        Breach::new(Rule::Rest, what, detail).about([], [*frame])
    })
}

#[cfg(test)]
mod tests {
    use machine::Role;

    use super::*;
    use crate::checks::workbench::{LARGE, machine, page, send};
    use crate::checks::{Checks, first_alarm};
    use machine::paging::LEVELS;

    #[test]
    fn a_frame_that_the_guest_keeps_is_a_breach_if_it_gave_it_up() {
        let machine = machine(1);
        let (kept, gone) = (page(&machine, 8), page(&machine, 9));
        machine.bus().memory.set_owner(gone, impls::hypervisor::xen::HEAP);
        assert_eq!(taken_back(machine.bus(), &[gone]), None, "nobody gave the other one up");
        let breach = taken_back(machine.bus(), &[gone, kept]).expect("it is the guest's still");
        assert_eq!((breach.rule, breach.about.frames), (Rule::Rest, vec![kept]));
    }

    #[test]
    fn a_frame_that_was_not_given_back_is_a_breach() {
        let machine = machine(1);
        let booted = machine.bus().memory.frames_used();
        assert_eq!(booted, u32::from(LEVELS), "the tables");
        assert_eq!(check(machine.bus(), booted, &[]), None, "what was there at boot may stay");
        machine.bus().memory.set_role(LARGE, Role::Data);
        assert!(check(machine.bus(), booted, &[]).is_some(), "a large page");
        machine.bus().memory.set_role(LARGE, Role::Free);
        page(&machine, 20);
        let breach = check(machine.bus(), booted, &[]).expect("one more is in use");
        assert_eq!((breach.rule, &*breach.what), (Rule::Rest, "frames were not given back"));
    }

    #[test]
    fn what_the_kernel_has_left_over_is_a_breach_named_without_numbers() {
        let machine = machine(1);
        let left = ["3 pages were not given back".to_owned()];
        let breach =
            check(machine.bus(), machine.bus().memory.frames_used(), &left).expect("it says so itself");
        assert_eq!(
            (&*breach.what, &*breach.detail),
            ("pages were not given back", "3 pages were not given back")
        );
    }

    #[test]
    fn an_interrupt_that_nobody_took_is_a_breach() {
        let mut machine = machine(2);
        let booted = machine.bus().memory.frames_used();
        send(&mut machine, 0, 1);
        let breach = check(machine.bus(), booted, &[]).expect("c1 did not take it");
        assert_eq!((breach.rule, breach.cpu), (Rule::Rest, Some(1)));
    }

    #[test]
    fn a_kernel_that_finds_itself_broken_is_a_breach() {
        let machine = machine(1);
        machine.bus().alarm(0, AlarmKind::Bug { text: "a list is torn" }, None);
        let breach = first_alarm(machine.bus(), Checks::default()).expect("an alarm");
        assert_eq!(
            (breach.rule, &*breach.what),
            (Rule::Rest, "the kernel found itself broken: a list is torn")
        );
        assert!(breach.detail.contains("a list is torn"), "{}", breach.detail);
    }
}
