//! Operands of raw hypercalls.

use oracle::vocabulary::{Level, Mode, PageSlot, RawAccess, RawEntry, RawFrame, Sort, TableEntry};

use crate::story::draw::Draw;
use crate::story::held::Held;
use crate::story::line::{Line, Parsed, decimal};

use super::slots::number;
use super::{Bits, Operand};

/// A slot, and which entry.
impl Operand for TableEntry {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        Self { table: PageSlot::decode(bits), index: bits.take(2) }
    }

    fn encode(self, bits: &mut Bits) {
        self.table.encode(bits);
        bits.put(2, self.index & 3);
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "a page and one of its entries, like p0+1";
        let word = line.word(expected)?;
        let Some((page, index)) = word.text.split_once('+') else {
            return Err(line.error(word, expected));
        };
        let table = PageSlot::new(number(line, word, page, Sort::Page)?);
        match decimal(index) {
            Some(index) if index < Self::COUNT => Ok(Self { table, index }),
            _ => Err(line.error(word, &format!("an entry from {table}+0 to {table}+{}", Self::COUNT - 1))),
        }
    }

    fn size(self) -> u32 {
        self.table.size() + 16 * u32::from(self.index)
    }

    fn plainer(self) -> Vec<Self> {
        let lower = (0..self.index).map(|index| Self { index, ..self });
        lower.chain(self.table.plainer().into_iter().map(|table| Self { table, ..self })).collect()
    }

    fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
        self.table.rename(name);
    }

    fn bind(self, held: &Held, mode: Option<Mode>, event: u16) -> Option<Self> {
        self.table.bind(held, mode, event).map(|table| Self { table, ..self })
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let table = PageSlot::draw(draw, mode)?;
        let index = if draw.dice.percent(70) { 0 } else { draw.dice.below(Self::COUNT.into()) as u8 };
        Some(Self { table, index })
    }
}

/// One less than it, after the bits of its table.
impl Operand for Level {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        Self(bits.take(2) + 1)
    }

    fn encode(self, bits: &mut Bits) {
        bits.put(2, self.0.clamp(1, 4) - 1);
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        line.number_in("a level", 1, 4).map(Self)
    }

    fn size(self) -> u32 {
        16 * u32::from(self.0)
    }

    fn plainer(self) -> Vec<Self> {
        (1..self.0).map(Self).collect()
    }

    fn bind(self, _: &Held, _: Option<Mode>, _: u16) -> Option<Self> {
        Some(self)
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(Self(draw.dice.weighted(&[10, 5, 2, 1]) as u8 + 1))
    }
}

/// After the bits of the entry that it is for, what it allows; 0 is an empty one. In the next byte where it leads: a slot, or a bit
/// for memory of another domain.
impl Operand for RawEntry {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        let access = bits.take(2);
        let (page, is_foreign) = (PageSlot::decode(bits), bits.take(1) == 1);
        let to = if is_foreign { RawFrame::Foreign } else { RawFrame::Page(page) };
        match access.checked_sub(1) {
            None => Self::Empty,
            Some(access) => Self::Leads { to, access: RawAccess::ALL[usize::from(access)] },
        }
    }

    fn encode(self, bits: &mut Bits) {
        let Self::Leads { to, access } = self else { return bits.put(2, 0) };
        bits.put(2, access as u8 + 1);
        match to {
            RawFrame::Page(page) => page.encode(bits),
            RawFrame::Foreign => {
                PageSlot::new(0).encode(bits);
                bits.put(1, 1);
            }
        }
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        if line.optional("empty") {
            return Ok(Self::Empty);
        }
        line.keyword("->")?;
        let to =
            if line.optional("foreign") { RawFrame::Foreign } else { RawFrame::Page(PageSlot::parse(line)?) };
        let expected = "readable, writable or large";
        let word = line.word(expected)?;
        let access = RawAccess::ALL.into_iter().find(|access| access.name() == word.text);
        Ok(Self::Leads { to, access: access.ok_or_else(|| line.error(word, expected))? })
    }

    fn size(self) -> u32 {
        let Self::Leads { to, access } = self else { return 0 };
        let to = if let RawFrame::Page(page) = to { page.size() } else { 64 };
        to + 16 + 16 * access as u32
    }

    fn plainer(self) -> Vec<Self> {
        let Self::Leads { to, access } = self else { return Vec::new() };
        let less = RawAccess::ALL.into_iter().filter(|plain| *plain < access);
        let less = less.map(|access| Self::Leads { to, access });
        let pages = if let RawFrame::Page(page) = to { page.plainer() } else { Vec::new() };
        let pages = pages.into_iter().map(|page| Self::Leads { to: RawFrame::Page(page), access });
        [Self::Empty].into_iter().chain(less).chain(pages).collect()
    }

    fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
        if let Self::Leads { to: RawFrame::Page(page), .. } = self {
            page.rename(name);
        }
    }

    fn bind(self, held: &Held, mode: Option<Mode>, event: u16) -> Option<Self> {
        let Self::Leads { to: RawFrame::Page(page), access } = self else { return Some(self) };
        let page = page.bind(held, mode, event)?;
        Some(Self::Leads { to: RawFrame::Page(page), access })
    }

    fn of(bound: Self) -> Self {
        bound
    }

    /// Mostly something, and mostly a page of the caller's own.
    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let page = PageSlot::draw(draw, mode)?;
        if draw.dice.percent(30) {
            return Some(Self::Empty);
        }
        let to = if draw.dice.percent(8) { RawFrame::Foreign } else { RawFrame::Page(page) };
        Some(Self::Leads { to, access: RawAccess::ALL[draw.dice.weighted(&[4, 12, 1])] })
    }
}
