//! Draws raw hypercalls, of guests gone astray: most build upon what the last one was about, since a single one seldom does harm.
//! It must know no more than any guest could: slots, and no frames.

use oracle::vocabulary::PageSlot;
use oracle::vocabulary::astray::{RawAccess, RawCall, RawEntry, RawFrame};

use super::{Draw, Why};
use crate::story::Tag;
use crate::story::slots::SlotSet;

impl Draw<'_> {
    /// A raw hypercall. Few pages are given up, so that what was done to one is built upon.
    pub(super) fn raw(&mut self, tag: Tag) -> Option<RawCall> {
        let (raw, fresh) = (self.slots.raw, self.slots.idle_pages());
        let held_up = self.held_up.pages & raw;
        if tag == Tag::HvPin && self.why == Why::Prepares {
            let page = self.page(fresh.or(raw).without(self.held_up.pages))?;
            return Some(RawCall::Pin { page, level: 1 });
        }
        if let Some(RawCall::Update { table, index, .. }) = self.astray.filter(|_| self.why == Why::Undoes) {
            match tag {
                Tag::HvUpdate => return Some(RawCall::Update { table, index, entry: RawEntry::Empty }),
                Tag::HvWrite => return Some(RawCall::Write { table, index }),
                _ => {}
            }
        }
        if tag == Tag::HvUpdate
            && !held_up.is_empty()
            && self.dice.percent(self.why.attracted())
            && let Some(call) = self.leads_to(held_up)
        {
            return Some(call);
        }
        if let Some(call) =
            self.astray.filter(|_| self.dice.percent(75)).and_then(|last| self.raw_after(tag, last))
        {
            return Some(call);
        }
        let any = |draw: &mut Self| {
            let again = !raw.is_empty() && (raw.len() >= 4 || draw.dice.percent(60));
            draw.page(if again { raw } else { fresh.or(raw) })
        };
        let index = if self.dice.percent(70) { 0 } else { self.dice.below(RawCall::ENTRIES.into()) as u8 };
        Some(match tag {
            Tag::HvUpdate => {
                let table = self.pinned(60).or_else(|| any(self))?;
                let to = any(self)?;
                RawCall::Update { table, index, entry: self.raw_entry(to) }
            }
            Tag::HvUpdateVa => {
                let table = self.pinned(60).or_else(|| self.page(raw))?;
                let to = any(self)?;
                RawCall::UpdateVa { table, index, entry: self.raw_entry(to) }
            }
            Tag::HvPin => {
                // What is pinned already is refused.
                let other = any(self).filter(|page| !self.slots.pinned.contains(page.number()));
                let page = other.or_else(|| self.page(fresh.or(raw)))?;
                RawCall::Pin { page, level: self.dice.weighted(&[10, 5, 2, 1]) as u8 + 1 }
            }
            Tag::HvUnpin => RawCall::Unpin { page: self.pinned(80).or_else(|| self.page(raw))? },
            Tag::HvExchange => RawCall::Exchange { page: any(self)? },
            Tag::HvWrite => RawCall::Write { table: self.pinned(80).or_else(|| self.page(raw))?, index },
            _ => RawCall::Flush,
        })
    }

    /// With this chance, in percent, a page that was pinned.
    fn pinned(&mut self, often: usize) -> Option<PageSlot> {
        if self.dice.percent(often) { self.page(self.slots.pinned) } else { None }
    }

    /// An entry of a table is made to lead to one of these pages, whatever else is done with the page meanwhile.
    fn leads_to(&mut self, pages: SlotSet) -> Option<RawCall> {
        let to = RawFrame::Page(self.page(pages)?);
        let table = self.page(self.slots.pinned.without(pages))?;
        let access = RawAccess::ALL[self.dice.weighted(&[4, 12, 1])];
        Some(RawCall::Update { table, index: 0, entry: RawEntry::Leads { to, access } })
    }

    /// What an entry is to hold: mostly something, and mostly this page.
    fn raw_entry(&mut self, page: PageSlot) -> RawEntry {
        if self.dice.percent(30) {
            return RawEntry::Empty;
        }
        let to = if self.dice.percent(8) { RawFrame::Foreign } else { RawFrame::Page(page) };
        RawEntry::Leads { to, access: RawAccess::ALL[self.dice.weighted(&[4, 12, 1])] }
    }

    /// A raw hypercall about what the last one was about.
    fn raw_after(&mut self, tag: Tag, last: RawCall) -> Option<RawCall> {
        Some(match (tag, last) {
            // Another flag, and nothing else of it changes.
            (Tag::HvUpdate, RawCall::Update { table, index, entry: RawEntry::Leads { to, .. } })
                if self.dice.percent(30) =>
            {
                RawCall::Update { table, index, entry: RawEntry::Leads { to, access: RawAccess::Large } }
            }
            (Tag::HvUpdate, RawCall::Update { table, index, .. }) => {
                RawCall::Update { table, index, entry: RawEntry::Empty }
            }
            (Tag::HvUpdate, RawCall::Pin { page, .. }) => {
                // Mostly a page that is no table, so that something can be written there.
                let slots = self.slots;
                let fresh = slots.idle_pages();
                let mut others = if self.dice.percent(70) { fresh.without(slots.raw) } else { slots.raw };
                others.set(page.number(), false);
                let to = RawFrame::Page(self.page(others).or_else(|| self.page(fresh))?);
                let entry = RawEntry::Leads { to, access: RawAccess::Writable };
                RawCall::Update { table: page, index: 0, entry }
            }
            (Tag::HvWrite, RawCall::Update { table, index, .. } | RawCall::UpdateVa { table, index, .. }) => {
                RawCall::Write { table, index }
            }
            (Tag::HvUpdateVa, RawCall::Pin { page, .. }) => {
                let to = self.page(self.slots.raw)?;
                RawCall::UpdateVa { table: page, index: 0, entry: self.raw_entry(to) }
            }
            (Tag::HvUpdateVa, RawCall::Update { table, index, .. }) => {
                let to = self.page(self.slots.raw)?;
                RawCall::UpdateVa { table, index, entry: self.raw_entry(to) }
            }
            (Tag::HvWrite, RawCall::Pin { page, .. }) => RawCall::Write { table: page, index: 0 },
            (Tag::HvPin, RawCall::Update { table, .. }) if self.dice.percent(50) => {
                RawCall::Pin { page: table, level: 1 }
            }
            (Tag::HvPin, RawCall::Update { entry: RawEntry::Leads { to: RawFrame::Page(page), .. }, .. }) => {
                RawCall::Pin { page, level: self.dice.weighted(&[10, 5, 2, 1]) as u8 + 1 }
            }
            (Tag::HvUnpin, RawCall::Update { table, .. }) => RawCall::Unpin { page: table },
            (Tag::HvUnpin, RawCall::Pin { page, .. }) => RawCall::Unpin { page },
            (Tag::HvExchange, RawCall::Exchange { page }) => {
                let mut others = self.slots.idle_pages().or(self.slots.raw);
                others.set(page.number(), false);
                RawCall::Exchange { page: self.page(others)? }
            }
            (Tag::HvUpdate, RawCall::Exchange { page }) => {
                let mut others = self.slots.raw;
                others.set(page.number(), false);
                let (to, access) = (RawFrame::Page(page), RawAccess::Writable);
                RawCall::Update { table: self.page(others)?, index: 0, entry: RawEntry::Leads { to, access } }
            }
            _ => return None,
        })
    }
}
