//! Pages of what is made, as operands: a list, or how many.

use oracle::vocabulary::{Count, MAX_PAGES, Mode, PageList, PageRun, PageSlot, Sort};

use crate::story::draw::Draw;
use crate::story::held::Held;
use crate::story::line::{Line, Parsed, decimal};

use super::slots::number;
use super::{Bits, Operand};

/// A slot, and one less than how many.
impl Operand for PageRun {
    type Bound = PageList;

    fn decode(bits: &mut Bits) -> Self {
        Self { first: PageSlot::decode(bits), count: bits.take(3) + 1 }
    }

    fn encode(self, bits: &mut Bits) {
        self.first.encode(bits);
        bits.put(3, self.count.clamp(1, MAX_PAGES as u8) - 1);
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "a first page and how many, like p0+2";
        let word = line.word(expected)?;
        let Some((first, count)) = word.text.split_once('+') else {
            return Err(line.error(word, expected));
        };
        let first = PageSlot::new(number(line, word, first, Sort::Page)?);
        match decimal(count) {
            Some(count) if (1..=MAX_PAGES).contains(&usize::from(count)) => Ok(Self { first, count }),
            _ => Err(line.error(word, &format!("1 to {MAX_PAGES} pages, like {first}+2"))),
        }
    }

    fn size(self) -> u32 {
        16 * u32::from(self.count) + self.first.size()
    }

    fn plainer(self) -> Vec<Self> {
        let fewer = (1..self.count).map(|count| Self { count, ..self });
        fewer.chain(self.first.plainer().into_iter().map(|first| Self { first, ..self })).collect()
    }

    fn grown(self, count: u8) -> Option<Self> {
        (self.count < count).then_some(Self { count, ..self })
    }

    fn length(self) -> Option<u8> {
        Some(self.count)
    }

    fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
        self.first.rename(name);
    }

    fn bind(self, held: &Held, mode: Option<Mode>, _: u16) -> Option<PageList> {
        held.list(self, mode?)
    }

    /// The list is what could be taken from its first page on, so its first page and its length find it again.
    fn of(bound: PageList) -> Self {
        let pages = bound.as_slice();
        Self { first: pages.first().copied().unwrap_or(PageSlot::new(0)), count: pages.len() as u8 }
    }

    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        Some(Self { first: PageSlot::draw(draw, mode)?, count: draw.dice.geometric(2, 8) as u8 })
    }
}

/// One less than it.
impl Operand for Count {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        bits.next_byte();
        Self(bits.take(3) + 1)
    }

    fn encode(self, bits: &mut Bits) {
        bits.next_byte();
        bits.put(3, self.0.clamp(1, MAX_PAGES as u8) - 1);
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "how many pages, like +2";
        let word = line.word(expected)?;
        let count = word.text.strip_prefix('+').and_then(decimal::<u8>);
        let count = count.filter(|count| (1..=MAX_PAGES).contains(&usize::from(*count)));
        count.map(Self).ok_or_else(|| line.error(word, expected))
    }

    fn size(self) -> u32 {
        16 * u32::from(self.0)
    }

    fn plainer(self) -> Vec<Self> {
        (1..self.0).map(Self).collect()
    }

    fn grown(self, count: u8) -> Option<Self> {
        (self.0 < count).then_some(Self(count))
    }

    fn length(self) -> Option<u8> {
        Some(self.0)
    }

    fn bind(self, _: &Held, _: Option<Mode>, _: u16) -> Option<Self> {
        Some(Self(self.0.clamp(1, MAX_PAGES as u8)))
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(Self(draw.dice.geometric(2, 4) as u8))
    }
}
