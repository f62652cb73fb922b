//! Slots as operands, and what a CPU loads.

use oracle::vocabulary::{
    AreaSlot, BufferSlot, MmSlot, Mode, ObjectSlot, PageSlot, PinSlot, RamSlot, Root, SLOTS, Sort, TreeSlot,
};

use crate::story::draw::Draw;
use crate::story::held::Held;
use crate::story::line::{Line, Parsed, Word, decimal};

use super::{Bits, Operand};

/// The number of a slot, which is the whole of `text`, a part of the word.
pub(super) fn number(line: &Line<'_>, word: Word<'_>, text: &str, sort: Sort) -> Parsed<u8> {
    let (letter, what) = (sort.letter(), describe(sort));
    match text.strip_prefix(letter).and_then(decimal::<u8>) {
        Some(number) if number < SLOTS => Ok(number),
        Some(_) => Err(line.error(word, &format!("{what} from {letter}0 to {letter}{}", SLOTS - 1))),
        None => Err(line.error(word, &format!("{what} like {letter}3"))),
    }
}

const fn describe(sort: Sort) -> &'static str {
    match sort {
        Sort::Page => "a page slot",
        Sort::Area => "an area slot",
        Sort::Ram => "the slot of a small mapping",
        Sort::Buffer => "a buffer slot",
        Sort::Tree => "a tree slot",
        Sort::Mm => "an address space",
        Sort::Object => "an object",
        Sort::Pins => "pins",
    }
}

fn parse(line: &mut Line<'_>, sort: Sort) -> Parsed<u8> {
    let word = line.word(&format!("{} like {}3", describe(sort), sort.letter()))?;
    number(line, word, word.text, sort)
}

macro_rules! slots {
    ($($slot:ident)*) => {
        $(
            impl Operand for $slot {
                type Bound = Self;

                fn decode(bits: &mut Bits) -> Self {
                    bits.next_byte();
                    Self::new(bits.take(4))
                }

                fn encode(self, bits: &mut Bits) {
                    bits.next_byte();
                    bits.put(4, self.number());
                }

                fn parse(line: &mut Line<'_>) -> Parsed<Self> {
                    parse(line, Self::SORT).map(Self::new)
                }

                fn size(self) -> u32 {
                    self.number().into()
                }

                fn plainer(self) -> Vec<Self> {
                    (0..self.number()).map(Self::new).collect()
                }

                fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
                    *self = Self::new(name(Self::SORT, self.number()));
                }

                fn bind(self, held: &Held, mode: Option<Mode>, _: u16) -> Option<Self> {
                    held.bind(Self::SORT, self.number(), mode?).map(Self::new)
                }

                fn of(bound: Self) -> Self {
                    bound
                }

                fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
                    draw.slot(Self::SORT, mode?).map(Self::new)
                }
            }
        )*
    };
}

slots!(PageSlot AreaSlot RamSlot BufferSlot TreeSlot MmSlot ObjectSlot PinSlot);

/// A slot, and a bit for the kernel's own address space instead, which is the plainest.
impl Operand for Root {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        let mm = MmSlot::decode(bits);
        if bits.take(1) == 0 { Self::Mm(mm) } else { Self::Init }
    }

    fn encode(self, bits: &mut Bits) {
        self.mm().unwrap_or(MmSlot::new(0)).encode(bits);
        bits.put(1, u8::from(self == Self::Init));
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        if line.optional("init") {
            return Ok(Self::Init);
        }
        let word = line.word("init or an address space like m3")?;
        number(line, word, word.text, Sort::Mm).map(|mm| Self::Mm(MmSlot::new(mm)))
    }

    fn size(self) -> u32 {
        self.mm().map_or(0, |mm| 1 + mm.size())
    }

    fn plainer(self) -> Vec<Self> {
        let Self::Mm(mm) = self else { return Vec::new() };
        [Self::Init].into_iter().chain(mm.plainer().into_iter().map(Self::Mm)).collect()
    }

    fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
        if let Self::Mm(mm) = self {
            mm.rename(name);
        }
    }

    fn bind(self, held: &Held, mode: Option<Mode>, event: u16) -> Option<Self> {
        match self {
            Self::Init => Some(self),
            Self::Mm(mm) => mm.bind(held, mode, event).map(Self::Mm),
        }
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let mm = MmSlot::draw(draw, mode)?;
        Some(if draw.dice.percent(20) { Self::Init } else { Self::Mm(mm) })
    }
}
