//! Pages within mappings, as operands.

use oracle::vocabulary::{
    AreaSlot, BufferPage, BufferSlot, MAX_PAGES, Mapping, Mode, OwnPage, Place, RamSlot, Sort,
};

use crate::story::draw::Draw;
use crate::story::held::{Held, mapping};
use crate::story::line::{Line, Parsed};

use super::slots::number;
use super::{Bits, Operand};
use crate::story::line::decimal;

/// A slot, a bit for map-ram, the page; in the next byte whether it is a buffer.
impl Operand for Place {
    type Bound = Self;

    fn decode(bits: &mut Bits) -> Self {
        bits.next_byte();
        let (slot, is_ram, page) = (bits.take(4), bits.take(1) == 1, bits.take(3));
        let mapping = match bits.take(3) {
            1 => Mapping::Buffer(BufferSlot::new(slot)),
            _ if is_ram => Mapping::Ram(RamSlot::new(slot)),
            _ => Mapping::Area(AreaSlot::new(slot)),
        };
        Self { mapping, page }
    }

    fn encode(self, bits: &mut Bits) {
        bits.next_byte();
        bits.put(4, slot(self.mapping));
        bits.put(1, u8::from(matches!(self.mapping, Mapping::Ram(_))));
        bits.put(3, self.page);
        bits.put(3, u8::from(matches!(self.mapping, Mapping::Buffer(_))));
    }

    fn parse(line: &mut Line<'_>) -> Parsed<Self> {
        let expected = "a page of a mapping, like a0+1 or r2+0";
        let word = line.word(expected)?;
        let Some((text, page)) = word.text.split_once('+') else {
            return Err(line.error(word, expected));
        };
        let sort =
            [Sort::Area, Sort::Ram, Sort::Buffer].into_iter().find(|sort| text.starts_with(sort.letter()));
        let sort = sort.ok_or_else(|| line.error(word, expected))?;
        let mapping = mapping(sort, number(line, word, text, sort)?);
        match decimal(page) {
            Some(page) if usize::from(page) < MAX_PAGES => Ok(Self { mapping, page }),
            _ => Err(line.error(word, &format!("a page from {mapping}+0 to {mapping}+{}", MAX_PAGES - 1))),
        }
    }

    fn size(self) -> u32 {
        u32::from(slot(self.mapping)) + 16 * u32::from(self.page)
    }

    fn plainer(self) -> Vec<Self> {
        (0..self.page).map(|page| Self { page, ..self }).collect()
    }

    fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
        match &mut self.mapping {
            Mapping::Area(area) => area.rename(name),
            Mapping::Ram(ram) => ram.rename(name),
            Mapping::Buffer(buffer) => buffer.rename(name),
        }
    }

    fn bind(self, held: &Held, mode: Option<Mode>, _: u16) -> Option<Self> {
        held.page_of(self, mode?)
    }

    fn of(bound: Self) -> Self {
        bound
    }

    fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        draw.place(mode?)
    }
}

fn slot(mapping: Mapping) -> u8 {
    match mapping {
        Mapping::Area(area) => area.number(),
        Mapping::Ram(ram) => ram.number(),
        Mapping::Buffer(buffer) => buffer.number(),
    }
}

macro_rules! pages_of_one_sort {
    ($($page:ident $slot:ident $field:ident $sort:pat, $expected:literal;)*) => {
        $(
            /// A slot, a bit without meaning, the page.
            impl Operand for $page {
                type Bound = Self;

                fn decode(bits: &mut Bits) -> Self {
                    let $field = $slot::decode(bits);
                    bits.take(1);
                    Self { $field, page: bits.take(3) }
                }

                fn encode(self, bits: &mut Bits) {
                    self.$field.encode(bits);
                    bits.put(1, 0);
                    bits.put(3, self.page);
                }

                fn parse(line: &mut Line<'_>) -> Parsed<Self> {
                    let word = line.peek();
                    match (Place::parse(line)?, word) {
                        (Place { mapping: $sort, page }, _) => Ok(Self { $field, page }),
                        (_, Some(word)) => Err(line.error(word, $expected)),
                        (_, None) => Err(line.at_end($expected)),
                    }
                }

                fn size(self) -> u32 {
                    self.place().size()
                }

                fn plainer(self) -> Vec<Self> {
                    (0..self.page).map(|page| Self { page, ..self }).collect()
                }

                fn rename(&mut self, name: &mut dyn FnMut(Sort, u8) -> u8) {
                    self.$field.rename(name);
                }

                fn bind(self, held: &Held, mode: Option<Mode>, _: u16) -> Option<Self> {
                    let Place { mapping: $sort, page } = held.page_of(self.place(), mode?)? else {
                        unreachable!("a slot stands for one of its sort")
                    };
                    Some(Self { $field, page })
                }

                fn of(bound: Self) -> Self {
                    bound
                }

                fn draw(draw: &mut Draw<'_>, mode: Option<Mode>) -> Option<Self> {
                    let $field = $slot::draw(draw, mode)?;
                    Some(Self { $field, page: draw.page_within() })
                }
            }
        )*
    };
}

pages_of_one_sort! {
    OwnPage AreaSlot area Mapping::Area(area), "a page of an area, like a0+1";
    BufferPage BufferSlot buffer Mapping::Buffer(buffer), "a page of a buffer, like b0+1";
}
