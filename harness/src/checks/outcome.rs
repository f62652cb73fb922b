//! Rule 1, outcome: every operation returns what the reference allows, given what overlaps it; and when the story is
//! over every page holds what the reference allows.
//!
//! The reference itself says what is legal (see `oracle::reference`). Only one thing is decided here: a design that
//! claims to drain with interrupts off is judged as a drain, and need not answer that it would sleep; see
//! [`as_told`].

use core::fmt;
use impls::protocol::{Designs, IrqsOffDrain};

use machine::{Bus, Frame, Word};
use oracle::vocabulary::{AreaSlot, Call, Operation, Outcome, PageSlot, Token};
use oracle::{Illegal, Reference, Rule};

use super::Breach;

/// The call as the reference is to be told of it.
///
/// By default a drain asked for with interrupts off has one legal answer: that it would sleep. The designs that seed
/// 000 argues over promise more, to drain all the same. Such a kernel is held to what it promises (rules 5 and 9), so the
/// reference is told of a drain like any other.
pub fn as_told(call: &Call, designs: &Designs) -> Call {
    let promises = designs.irqs_off_drain != IrqsOffDrain::WouldSleep;
    match call.operation {
        Operation::DrainAliases {} if promises => Call { irqs_off: false, ..*call },
        _ => *call,
    }
}

/// What such a design answers, as the reference is to be told of it: it may still find that it would have to sleep.
pub fn as_answered(call: &Call, designs: &Designs, outcome: Outcome) -> Outcome {
    let told = as_told(call, designs);
    if told.irqs_off != call.irqs_off && outcome == Outcome::WouldSleep { Outcome::Done } else { outcome }
}

/// What the reference objects to.
pub fn breach(illegal: &Illegal) -> Breach {
    Breach::new(illegal.rule(), illegal.headline(), illegal.to_string())
}

/// What a page holds when the story is over and nothing is under way: one of the tokens that the reference holds
/// possible.
///
/// Legal, and not seen here: a page that is a table or was never obtained has no token; a race leaves several.
pub fn contents(bus: &Bus, reference: &Reference, page: PageSlot, frame: Option<Frame>) -> Option<Breach> {
    word(bus, reference.possible(page), &page, frame?)
}

/// The same for a page that an area owns.
pub fn contents_of(
    bus: &Bus,
    reference: &Reference,
    area: AreaSlot,
    page: u8,
    frame: Frame,
) -> Option<Breach> {
    word(bus, reference.possible_in(area, page), &format_args!("{area}+{page}"), frame)
}

fn word(bus: &Bus, possible: &[Token], page: &dyn fmt::Display, frame: Frame) -> Option<Breach> {
    if possible.is_empty() {
        return None;
    }
    let found = Token(bus.memory.peek(Word::new(frame, 0)) as u32);
    (!possible.contains(&found)).then(|| {
        Breach::new(
            Rule::Outcome,
            "a page holds in the end what it never could",
            format!("{page} ({frame}) holds {found}, expected one of {possible:?}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{call, frame, machine};
    use oracle::vocabulary::{Count, Mapping, Place};

    #[test]
    fn a_page_that_holds_what_nobody_wrote_is_a_breach() {
        let machine = machine(1);
        let (bus, reference) = (machine.bus(), Reference::new(1));
        let page = PageSlot::new(0);
        assert_eq!(contents(bus, &reference, page, Some(frame(20))), None);
        bus.memory.poke(Word::new(frame(20), 0), 77);
        let breach = contents(bus, &reference, page, Some(frame(20))).expect("nobody wrote 77");
        assert_eq!(breach.rule, Rule::Outcome);
    }

    #[test]
    fn a_page_of_an_area_that_holds_what_nobody_wrote_is_a_breach_while_the_area_stands() {
        let machine = machine(1);
        let (bus, mut reference, area) = (machine.bus(), Reference::new(0), AreaSlot::new(0));
        bus.memory.poke(Word::new(frame(20), 0), 77);
        let found =
            |reference: &Reference| contents_of(bus, reference, area, 1, frame(20)).map(|breach| breach.rule);
        assert_eq!(found(&reference), None, "there is no such area");
        let vmalloc = Operation::Vmalloc { count: Count(2), area };
        let range = oracle::vocabulary::Range { start: 0xffff_c900_0000_0000, pages: 2 };
        let ticket = reference.begin(0, &call(vmalloc));
        assert!(reference.end(ticket, &Outcome::Mapped(range)).is_ok());
        assert_eq!(found(&reference), Some(Rule::Outcome), "zeroes");
        let place = Place { mapping: Mapping::Area(area), page: 1 };
        let ticket = reference.begin(0, &call(Operation::Write { place, token: Token(77) }));
        assert!(reference.end(ticket, &Outcome::Done).is_ok());
        assert_eq!(found(&reference), None);
        let ticket = reference.begin(0, &call(Operation::Vfree { area }));
        assert!(reference.end(ticket, &Outcome::Done).is_ok());
        bus.memory.poke(Word::new(frame(20), 0), 78);
        assert_eq!(found(&reference), None, "it is nobody's any more");
    }

    #[test]
    fn a_page_that_was_never_obtained_or_is_a_table_holds_nothing_to_judge() {
        let machine = machine(1);
        let (bus, mut reference) = (machine.bus(), Reference::new(1));
        bus.memory.poke(Word::new(frame(20), 0), 77);
        assert_eq!(contents(bus, &reference, PageSlot::new(5), Some(frame(20))), None);
        let page = PageSlot::new(0);
        let ticket = reference.begin(0, &call(Operation::MakeTable { page }));
        assert!(reference.end(ticket, &Outcome::Done).is_ok());
        assert_eq!(contents(bus, &reference, page, Some(frame(20))), None);
    }

    #[test]
    fn only_a_design_that_promises_it_may_drain_with_interrupts_off() {
        let drain = Call { operation: Operation::DrainAliases {}, irqs_off: true };
        let mut reference = Reference::new(0);
        let mut judge = |designs: &Designs, outcome| {
            let ticket = reference.begin(0, &as_told(&drain, designs));
            reference
                .end(ticket, &as_answered(&drain, designs, outcome))
                .err()
                .map(|illegal| breach(&illegal).what)
        };
        let (calm, bold) =
            (Designs::default(), Designs { irqs_off_drain: IrqsOffDrain::FlushLocal, ..Designs::default() });
        assert_eq!(judge(&calm, Outcome::WouldSleep), None);
        assert_eq!(judge(&calm, Outcome::Done).as_deref(), Some("waited with interrupts off"));
        assert_eq!(judge(&bold, Outcome::Done), None);
        assert_eq!(judge(&bold, Outcome::WouldSleep), None);
    }
}
