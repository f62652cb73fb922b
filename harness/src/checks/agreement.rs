//! Rule 2, backends agree: by handle and never by address, wherever on each of them the story alone leaves one
//! outcome, and in what is visible at the end.
//!
//! Legal, and never compared: an outcome into which a race went, an allocation that may fail, or what needs a handle
//! that one backend never gave. The reference marks all others (`Verdict::sole`, `Reference::forced`).

use oracle::vocabulary::{AreaSlot, MAX_PAGES, PageSlot, SLOTS, Token};
use oracle::{Reference, Rule, Verdict};

use super::Breach;

/// What the backends that played the story so far said where they had no choice.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The verdict on each event, of the first backend that had no choice there.
    verdicts: Vec<Option<Verdict>>,
    /// What each page holds in the end, of the first backend that had no choice there.
    pages: [Option<Token>; SLOTS as usize],
    /// And each page that an area owns.
    owned: [[Option<Token>; MAX_PAGES]; SLOTS as usize],
}

impl Ledger {
    /// Forgets everything; this many events follow.
    pub fn clear(&mut self, events: usize) {
        self.verdicts.clear();
        self.verdicts.resize(events, None);
        self.pages = [None; SLOTS as usize];
        self.owned = [[None; MAX_PAGES]; SLOTS as usize];
    }

    /// An operation ended legally.
    pub fn outcome(&mut self, event: u16, verdict: Verdict) -> Option<Breach> {
        if !verdict.sole {
            return None;
        }
        let slot = &mut self.verdicts[usize::from(event)];
        let Some(other) = slot else {
            *slot = Some(verdict);
            return None;
        };
        (!verdict.agrees_with(other)).then(|| {
            Breach::new(
                Rule::Agreement,
                "another outcome than on the backend before",
                format!("{} here, {} there", verdict.outcome, other.outcome),
            )
        })
    }

    /// The story is over. These areas own pages: each a given number of them, at most [`MAX_PAGES`].
    pub fn contents_of_areas(
        &mut self,
        reference: &Reference,
        mut areas: impl Iterator<Item = (AreaSlot, usize)>,
    ) -> Option<Breach> {
        areas.find_map(|(area, pages)| {
            (0..pages as u8).find_map(|page| {
                let here = reference.forced_in(area, page)?;
                let there = *self.owned[area.index()][usize::from(page)].get_or_insert(here);
                (here != there).then(|| differs(&format_args!("{area}+{page}"), here, there))
            })
        })
    }

    /// The story is over.
    pub fn contents(&mut self, reference: &Reference) -> Option<Breach> {
        (0..SLOTS).map(PageSlot::new).find_map(|page| {
            let here = reference.forced(page)?;
            let there = *self.pages[page.index()].get_or_insert(here);
            (here != there).then(|| differs(&page, here, there))
        })
    }
}

fn differs(page: &dyn core::fmt::Display, here: Token, there: Token) -> Breach {
    Breach::new(
        Rule::Agreement,
        "a page holds in the end what it does not on the backend before",
        format!("{page} holds {here} here, {there} there"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::call;
    use oracle::vocabulary::{AreaSlot, Count, Mapping, Operation, Outcome, PageList, Place, Range};

    fn verdict(outcome: Outcome, sole: bool) -> Verdict {
        Verdict { outcome, sole }
    }

    #[test]
    fn two_sole_outcomes_of_one_event_must_be_equal() {
        let mut ledger = Ledger::default();
        ledger.clear(2);
        assert_eq!(ledger.outcome(1, verdict(Outcome::Value(Token(1)), true)), None);
        assert_eq!(ledger.outcome(1, verdict(Outcome::Value(Token(1)), true)), None);
        let breach = ledger.outcome(1, verdict(Outcome::Value(Token(2)), true)).expect("they differ");
        assert_eq!(breach.rule, Rule::Agreement);
    }

    #[test]
    fn an_outcome_in_which_a_backend_had_a_choice_is_not_compared() {
        let mut ledger = Ledger::default();
        ledger.clear(1);
        assert_eq!(ledger.outcome(0, verdict(Outcome::NoMemory, false)), None);
        assert_eq!(ledger.outcome(0, verdict(Outcome::Done, true)), None);
        assert_eq!(ledger.outcome(0, verdict(Outcome::Void, false)), None);
    }

    /// A reference on whose backend this token was written last.
    fn wrote(token: u32, maps: bool) -> Reference {
        let mut reference = Reference::new(1);
        let (area, pages) = (AreaSlot::new(0), PageList::new([PageSlot::new(0)]));
        let mut tell = |operation, outcome| {
            let ticket = reference.begin(0, &call(operation));
            assert!(reference.end(ticket, &outcome).is_ok());
        };
        let mapped = |page: u64| Outcome::Mapped(Range { start: page * 4096, pages: 1 });
        tell(Operation::Vmap { pages, area: AreaSlot::new(1) }, mapped(1));
        tell(Operation::Vmap { pages, area }, if maps { mapped(3) } else { Outcome::NoMemory });
        let place = Place { mapping: Mapping::Area(area), page: 0 };
        let written = if maps { Outcome::Done } else { Outcome::Void };
        tell(Operation::Write { place, token: Token(token) }, written);
        reference
    }

    #[test]
    fn pages_that_must_hold_one_token_in_the_end_hold_the_same() {
        let mut ledger = Ledger::default();
        ledger.clear(0);
        assert_eq!(ledger.contents(&wrote(5, true)), None);
        assert_eq!(ledger.contents(&wrote(5, true)), None);
        assert_eq!(ledger.contents(&wrote(6, true)).map(|breach| breach.rule), Some(Rule::Agreement));
    }

    /// A reference on whose backend this token was written last to the second page that an area owns.
    fn wrote_to_area(token: u32) -> Reference {
        let mut reference = Reference::new(0);
        let area = AreaSlot::new(1);
        let mut tell = |operation, outcome| {
            let ticket = reference.begin(0, &call(operation));
            assert!(reference.end(ticket, &outcome).is_ok());
        };
        let vmalloc = Operation::Vmalloc { count: Count(2), area };
        tell(vmalloc, Outcome::Mapped(Range { start: 4096, pages: 2 }));
        let place = Place { mapping: Mapping::Area(area), page: 1 };
        tell(Operation::Write { place, token: Token(token) }, Outcome::Done);
        reference
    }

    #[test]
    fn pages_of_an_area_that_must_hold_one_token_in_the_end_hold_the_same() {
        let mut ledger = Ledger::default();
        ledger.clear(0);
        let mut end = |reference: &Reference, pages| {
            let areas = [(AreaSlot::new(1), pages)].into_iter();
            ledger.contents_of_areas(reference, areas).map(|breach| (breach.rule, breach.detail))
        };
        assert_eq!(end(&wrote_to_area(5), 2), None);
        assert_eq!(end(&wrote_to_area(5), 2), None);
        assert_eq!(end(&wrote_to_area(6), 1), None, "both hold zero in the first");
        let detail = "a1+1 holds 6 here, 5 there".to_owned();
        assert_eq!(end(&wrote_to_area(6), 2), Some((Rule::Agreement, detail)));
    }

    #[test]
    fn a_page_that_one_backend_could_not_map_is_not_compared() {
        let mut ledger = Ledger::default();
        ledger.clear(0);
        assert_eq!(ledger.contents(&wrote(5, true)), None);
        assert_eq!(ledger.contents(&wrote(5, false)), None);
    }
}
