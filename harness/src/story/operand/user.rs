//! Operands about user memory: pages of address spaces, what lies behind them and what they allow, and pages that are pinned.

use oracle::vocabulary::{
    Backing, Destination, MAX_PAGES, MAX_RANGE, MmSlot, Mode, ObjectPage, ObjectSlot, PinSlot, PinnedPage,
    Sort, USER_PAGES, UserAccess, UserPage, UserRange,
};

use crate::story::draw::Draw;
use crate::story::held::Held;
use crate::story::line::{Line, Parsed, Word, decimal};
use crate::tactics::user_memory;

use super::slots::number;
use super::{Bits, Operand};

/// How many pages of an object a story can name.
const OBJECT_PAGES: u8 = 4;

/// `m0:5`, which is `text`, a part of the word.
fn user_page(line: &Line<'_>, word: Word<'_>, text: &str, expected: &str) -> Parsed<UserPage> {
    let (mm, page) = text.split_once(':').ok_or_else(|| line.error(word, expected))?;
    let mm = MmSlot::new(number(line, word, mm, Sort::Mm)?);
    match decimal(page) {
        Some(page) if page < USER_PAGES => Ok(UserPage { mm, page }),
        _ => Err(line.error(word, &format!("a page from {mm}:0 to {mm}:{}", USER_PAGES - 1))),
    }
}

/// Lower pages, then lower slots.
fn plainer_pages(at: UserPage) -> impl Iterator<Item = UserPage> {
    let lower = (0..at.page).map(move |page| UserPage { page, ..at });
    lower.chain(at.mm.plainer().into_iter().map(move |mm| UserPage { mm, ..at }))
}

/// A slot and a page.
impl Operand for UserPage {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        Self { mm: MmSlot::decode(bits), page: bits.take(4) }
    }

    fn encode(self, bits: &mut Bits) {
        self.mm.encode(bits);
        bits.put(4, self.page & 15);
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "a page of an address space, like m0:5";
        let word = line.word(expected)?;
        user_page(line, word, word.text, expected)
    }

    fn size(self) -> u32 {
        self.mm.size() + 16 * u32::from(self.page)
    }

    fn plainer(self) -> Vec<Self> {
        plainer_pages(self).collect()
    }

    fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
        self.mm.rename(name);
    }

    fn bind(self, held: &Held, mode: Option<Mode>, event: u16) -> Option<Self> {
        self.mm.bind(held, mode, event).map(|mm| Self { mm, ..self })
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        user_memory::page(draw, mode?)
    }
}

/// Its first page; in the next byte one less than how many.
impl Operand for UserRange {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        let UserPage { mm, page } = UserPage::decode(bits);
        bits.next_byte();
        Self { mm, page, count: bits.take(3) + 1 }
    }

    fn encode(self, bits: &mut Bits) {
        first(self).encode(bits);
        bits.next_byte();
        bits.put(3, self.count.clamp(1, MAX_RANGE) - 1);
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "pages of an address space, like m0:5+2";
        let word = line.word(expected)?;
        let (first, count) = word.text.split_once('+').ok_or_else(|| line.error(word, expected))?;
        let UserPage { mm, page } = user_page(line, word, first, expected)?;
        match decimal(count) {
            Some(count) if (1..=MAX_RANGE).contains(&count) => Ok(Self { mm, page, count }),
            _ => Err(line.error(word, &format!("1 to {MAX_RANGE} pages, like {first}+2"))),
        }
    }

    fn size(self) -> u32 {
        16 * u32::from(self.count) + first(self).size()
    }

    fn plainer(self) -> Vec<Self> {
        let fewer = (1..self.count).map(|count| Self { count, ..self });
        let elsewhere = plainer_pages(first(self)).map(|UserPage { mm, page }| Self { mm, page, ..self });
        fewer.chain(elsewhere).collect()
    }

    fn grown(self, count: u8) -> Option<Self> {
        (self.count < count).then_some(Self { count, ..self })
    }

    fn length(self) -> Option<u8> {
        Some(self.count)
    }

    fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
        self.mm.rename(name);
    }

    /// The pages that there are from its first one on.
    fn bind(self, held: &Held, mode: Option<Mode>, event: u16) -> Option<Self> {
        let UserPage { mm, page } = first(self).bind(held, mode, event)?;
        Some(Self { mm, page, count: self.count.clamp(1, USER_PAGES - page) })
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        user_memory::range(draw, mode?)
    }
}

const fn first(range: UserRange) -> UserPage {
    UserPage { mm: range.mm, page: range.page }
}

/// After the bits of the range that moves.
impl Operand for Destination {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        Self(bits.take(4))
    }

    fn encode(self, bits: &mut Bits) {
        bits.put(4, self.0 & 15);
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "where the pages move to, like to :6";
        line.keyword("to")?;
        let word = line.word(expected)?;
        match word.text.strip_prefix(':').and_then(decimal) {
            Some(page) if page < USER_PAGES => Ok(Self(page)),
            _ => Err(line.error(word, &format!("a page from :0 to :{}", USER_PAGES - 1))),
        }
    }

    fn size(self) -> u32 {
        16 * u32::from(self.0)
    }

    fn plainer(self) -> Vec<Self> {
        (0..self.0).map(Self).collect()
    }

    fn bind(self, _: &Held, _: Option<Mode>, _: u16) -> Option<Self> {
        Some(self)
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(user_memory::destination(draw))
    }
}

/// The kind, and a page of the object; in the next byte its slot. Anonymous memory has zeroes there.
impl Operand for Backing {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        let (kind, page) = (bits.take(2), bits.take(2));
        let from = ObjectPage { page, object: ObjectSlot::decode(bits) };
        match kind {
            1 => Self::Shared(from),
            2 => Self::Private(from),
            _ => Self::Anonymous,
        }
    }

    fn encode(self, bits: &mut Bits) {
        let kind = match self {
            Self::Anonymous => 0,
            Self::Shared(_) => 1,
            Self::Private(_) => 2,
        };
        let from = self.object().unwrap_or(ObjectPage { object: ObjectSlot::new(0), page: 0 });
        bits.put(2, kind);
        bits.put(2, from.page & 3);
        from.object.encode(bits);
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "anonymous, shared or private";
        let word = line.word(expected)?;
        match word.text {
            "anonymous" => Ok(Self::Anonymous),
            "shared" => object_page(line).map(Self::Shared),
            "private" => object_page(line).map(Self::Private),
            _ => Err(line.error(word, expected)),
        }
    }

    fn size(self) -> u32 {
        let of = |from: ObjectPage| from.object.size() + 16 * u32::from(from.page);
        match self {
            Self::Anonymous => 0,
            Self::Shared(from) => 64 + of(from),
            Self::Private(from) => 128 + of(from),
        }
    }

    fn plainer(self) -> Vec<Self> {
        let Some(from) = self.object() else { return Vec::new() };
        let with =
            move |from| if let Self::Shared(_) = self { Self::Shared(from) } else { Self::Private(from) };
        let shared = matches!(self, Self::Private(_)).then_some(Self::Shared(from));
        let pages = (0..from.page).map(|page| ObjectPage { page, ..from });
        let objects = from.object.plainer().into_iter().map(|object| ObjectPage { object, ..from });
        [Self::Anonymous].into_iter().chain(shared).chain(pages.chain(objects).map(with)).collect()
    }

    fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
        if let Self::Shared(from) | Self::Private(from) = self {
            from.object.rename(name);
        }
    }

    fn bind(mut self, held: &Held, mode: Option<Mode>, event: u16) -> Option<Self> {
        if let Self::Shared(from) | Self::Private(from) = &mut self {
            from.object = from.object.bind(held, mode, event)?;
        }
        Some(self)
    }

    fn of(bound: Self) -> Self {
        bound
    }

    /// Pages of an object as often as not, if there is one.
    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let Some(object) = ObjectSlot::draw(draw, mode) else { return Some(Self::Anonymous) };
        let from = ObjectPage { object, page: draw.page_within() };
        Some([Self::Anonymous, Self::Shared(from), Self::Private(from)][draw.dice.weighted(&[2, 1, 1])])
    }
}

/// `o0+1`.
fn object_page(line: &mut Line<'_>) -> Parsed<ObjectPage> {
    let expected = "a page of an object, like o0+1";
    let word = line.word(expected)?;
    let (object, page) = word.text.split_once('+').ok_or_else(|| line.error(word, expected))?;
    let object = ObjectSlot::new(number(line, word, object, Sort::Object)?);
    match decimal(page) {
        Some(page) if page < OBJECT_PAGES => Ok(ObjectPage { object, page }),
        _ => Err(line.error(word, &format!("a page from {object}+0 to {object}+{}", OBJECT_PAGES - 1))),
    }
}

/// A bit for writing.
impl Operand for UserAccess {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        Self::ALL[usize::from(bits.take(1))]
    }

    fn encode(self, bits: &mut Bits) {
        bits.put(1, u8::from(self.writes()));
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "readable or writable";
        let word = line.word(expected)?;
        let access = Self::ALL.into_iter().find(|access| access.name() == word.text);
        access.ok_or_else(|| line.error(word, expected))
    }

    fn size(self) -> u32 {
        16 * u32::from(self.writes())
    }

    fn plainer(self) -> Vec<Self> {
        Self::ALL.into_iter().filter(|less| *less < self).collect()
    }

    fn bind(self, _: &Held, _: Option<Mode>, _: u16) -> Option<Self> {
        Some(self)
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(Self::ALL[draw.dice.weighted(&[35, 65])])
    }
}

/// A slot and a page.
impl Operand for PinnedPage {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        Self { pins: PinSlot::decode(bits), page: bits.take(3) }
    }

    fn encode(self, bits: &mut Bits) {
        self.pins.encode(bits);
        bits.put(3, self.page & 7);
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "a pinned page, like g0+1";
        let word = line.word(expected)?;
        let (pins, page) = word.text.split_once('+').ok_or_else(|| line.error(word, expected))?;
        let pins = PinSlot::new(number(line, word, pins, Sort::Pins)?);
        match decimal(page) {
            Some(page) if usize::from(page) < MAX_PAGES => Ok(Self { pins, page }),
            _ => Err(line.error(word, &format!("a page from {pins}+0 to {pins}+{}", MAX_PAGES - 1))),
        }
    }

    fn size(self) -> u32 {
        self.pins.size() + 16 * u32::from(self.page)
    }

    fn plainer(self) -> Vec<Self> {
        (0..self.page).map(|page| Self { page, ..self }).collect()
    }

    fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
        self.pins.rename(name);
    }

    /// A page of the range that was asked for.
    fn bind(self, held: &Held, mode: Option<Mode>, _: u16) -> Option<Self> {
        let (pins, page) = held.bind_page(Sort::Pins, self.pins.number(), self.page, mode?)?;
        Some(Self { pins: PinSlot::new(pins), page })
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let pins = PinSlot::draw(draw, mode)?;
        Some(Self { pins, page: draw.page_within() })
    }
}
