//! Operands of user memory, by chance: few pages, so that ranges overlap.
use oracle::vocabulary::{
    Backing, Destination, Mode, ObjectPage, ObjectSlot, PinSlot, PinnedPage, ROWS, Sort, UserAccess,
    UserPage, UserRange,
};

use super::{Draw, Drawn, MmSlot};

/// So many pages of each address space are used.
const PAGES: u8 = 3;

impl Draw<'_> {
    /// One of so many, another for each operand of the same record.
    fn one_of(&self, operand: u32, count: u8) -> u8 {
        let mixed = (self.token * 8 + operand + u32::from(self.more) * 4096).wrapping_mul(0x9e37_79b1);
        (mixed >> 16) as u8 % count
    }
}

impl Drawn for UserPage {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        Some(Self { mm: MmSlot::draw(draw, mode)?, page: draw.one_of(0, PAGES) })
    }
}

impl Drawn for UserRange {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let at = UserPage::draw(draw, mode)?;
        Some(Self { mm: at.mm, page: at.page, count: 1 + draw.one_of(1, PAGES - at.page) })
    }
}

impl Drawn for Destination {
    fn draw(draw: &Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(Self(draw.one_of(2, PAGES)))
    }
}

impl Drawn for Backing {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let from = |object| ObjectPage { object, page: draw.one_of(2, 2) };
        Some(match (draw.one_of(3, 4), ObjectSlot::draw(draw, mode)) {
            (1, Some(object)) => Self::Shared(from(object)),
            (2 | 3, Some(object)) => Self::Private(from(object)),
            _ => Self::Anonymous,
        })
    }
}

impl Drawn for UserAccess {
    fn draw(draw: &Draw<'_>, _: Option<Mode>) -> Option<Self> {
        Some(if draw.one_of(4, 3) == 0 { Self::Readable } else { Self::Writable })
    }
}

impl Drawn for PinnedPage {
    fn draw(draw: &Draw<'_>, mode: Option<Mode>) -> Option<Self> {
        let pins = PinSlot::draw(draw, mode)?;
        let length = draw.belief.thing(Sort::Pins, pins.number()).length;
        Some(Self { pins, page: draw.one_of(5, length) })
    }
}

/// A row by chance, of those with user memory: address spaces and objects seldom go.
pub(super) fn often(kind: u8) -> usize {
    const TAGS: [(u8, usize); 21] = [
        (40, 1),
        (42, 1),
        (45, 1),
        (46, 1),
        (47, 8),
        (48, 2),
        (49, 3),
        (50, 3),
        (51, 10),
        (52, 10),
        (53, 4),
        (54, 5),
        (55, 5),
        (56, 1),
        (57, 1),
        (58, 4),
        (59, 1),
        (60, 3),
        (61, 3),
        (62, 2),
        (63, 2),
    ];
    let tags = TAGS.into_iter().flat_map(|(tag, often)| std::iter::repeat_n(tag, often));
    let tag = tags.cycle().nth(usize::from(kind)).expect("it goes on for ever");
    ROWS.iter().position(|row| row.tag == tag).expect("a row of the table")
}
