//! What stories need to know of a kind of operand: its bits, its words, how plain it is, what it stands for, and how it is
//! drawn. One implementation a kind, and none of them knows an operation: the rows put them together (`codec`).

mod astray;
mod pages;
mod places;
mod slots;
mod user;

use oracle::vocabulary::{self as oracle_vocabulary, Mode, Sort, Unnamed};

use super::draw::Draw;
use super::held::Held;
use super::line::{Line, Parsed};

/// How many bytes the operands of an event have: two in its own record, three in a record of operands after it.
pub(super) const OPERAND_BYTES: usize = 5;

/// The operand bytes of an event. Operands take their bits in order, those of a byte from the lowest on.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Bits {
    pub(super) bytes: [u8; OPERAND_BYTES],
    at: usize,
}

impl Bits {
    /// From the beginning of these bytes on.
    pub(super) const fn new(bytes: [u8; OPERAND_BYTES]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Goes on at the next byte, unless it stands at the beginning of one.
    fn next_byte(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// The next `count` bits, which lie in one byte.
    fn take(&mut self, count: usize) -> u8 {
        let bits = self.bytes[self.at / 8] >> (self.at % 8);
        self.at += count;
        (u16::from(bits) & ((1 << count) - 1)) as u8
    }

    fn put(&mut self, count: usize, value: u8) {
        self.bytes[self.at / 8] |= value << (self.at % 8);
        self.at += count;
    }

    /// How many bytes were taken or put.
    pub(super) const fn len(&self) -> usize {
        self.at.div_ceil(8)
    }
}

/// An operand as a story tells it.
pub(crate) trait Operand: oracle_vocabulary::Operand {
    /// What it is bound to.
    type Bound: oracle_vocabulary::Operand;

    /// What these bits stand for; any bits stand for something.
    fn decode(bits: &mut Bits) -> Self;

    /// Puts its bits.
    fn encode(self, bits: &mut Bits);

    /// Reads it from a line of text.
    fn parse(line: &mut Line<'_>) -> Parsed<Self>;

    /// How far it is from the plainest.
    fn size(self) -> u32;

    /// The same, plainer; the plainest first.
    fn plainer(self) -> Vec<Self>;

    /// The same with this many pages, if it says how many and these are more.
    fn grown(self, _pages: u8) -> Option<Self> {
        None
    }

    /// How many pages a thing has that the operation makes, if this says how many.
    fn length(self) -> Option<u8> {
        None
    }

    /// Gives the slot in it another name, by its sort and number.
    fn rename(&mut self, _name: &mut dyn FnMut(Sort, u8) -> u8) {}

    /// Binds it to what callers hold; none where there is nothing for it. The event is the one of this number.
    fn bind(self, held: &Held, mode: Option<Mode>, event: u16) -> Option<Self::Bound>;

    /// An operand that is bound to this.
    fn of(bound: Self::Bound) -> Self;

    /// Draws one that stands for something, if there is something.
    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self>;
}

/// The place of the event names the write.
impl Operand for Unnamed {
    type Bound = oracle_vocabulary::Token;

    fn decode(_: &mut Bits) -> Self {
        Self
    }

    fn encode(self, _: &mut Bits) {}

    fn parse(_: &mut Line<'_>) -> Parsed<Self> {
        Ok(Self)
    }

    fn size(self) -> u32 {
        0
    }

    fn plainer(self) -> Vec<Self> {
        Vec::new()
    }

    fn bind(self, _: &Held, _: Option<Mode>, event: u16) -> Option<Self::Bound> {
        Some(oracle_vocabulary::Token(u32::from(event) + 1))
    }

    fn of(_: Self::Bound) -> Self {
        Self
    }

    fn draw(_: &mut Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(Self)
    }
}
