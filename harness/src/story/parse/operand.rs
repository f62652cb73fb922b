//! The operands of an event, as they are read: slots, pages, places.

use oracle::vocabulary::astray::RawCall;
use oracle::vocabulary::{
    AreaSlot, BufferSlot, MAX_PAGES, Mapping, MmSlot, PageSlot, Place, RamSlot, SLOTS, TreeSlot,
};

use crate::story::line::{Line, Parsed, Word, decimal};

pub(super) fn page(line: &mut Line<'_>) -> Parsed<PageSlot> {
    let word = line.word("a page slot like p3")?;
    Ok(PageSlot::new(slot(line, word, word.text, PageSlot::LETTER, "a page slot")?))
}

pub(super) fn area(line: &mut Line<'_>) -> Parsed<AreaSlot> {
    let word = line.word("an area slot like a3")?;
    Ok(AreaSlot::new(slot(line, word, word.text, AreaSlot::LETTER, "an area slot")?))
}

pub(super) fn ram(line: &mut Line<'_>) -> Parsed<RamSlot> {
    let word = line.word("a map-ram slot like r3")?;
    Ok(RamSlot::new(slot(line, word, word.text, RamSlot::LETTER, "a map-ram slot")?))
}

pub(super) fn buffer(line: &mut Line<'_>) -> Parsed<BufferSlot> {
    let word = line.word("a buffer slot like b3")?;
    Ok(BufferSlot::new(slot(line, word, word.text, BufferSlot::LETTER, "a buffer slot")?))
}

pub(super) fn tree(line: &mut Line<'_>) -> Parsed<TreeSlot> {
    let word = line.word("a tree slot like t3")?;
    Ok(TreeSlot::new(slot(line, word, word.text, TreeSlot::LETTER, "a tree slot")?))
}

pub(super) fn mm(line: &mut Line<'_>, expected: &str) -> Parsed<MmSlot> {
    let word = line.word(expected)?;
    Ok(MmSlot::new(slot(line, word, word.text, MmSlot::LETTER, "an address space")?))
}

/// The number of a slot, which is the whole of `text`, a part of the word.
fn slot(line: &Line<'_>, word: Word<'_>, text: &str, letter: char, what: &str) -> Parsed<u8> {
    match text.strip_prefix(letter).and_then(decimal::<u8>) {
        Some(number) if number < SLOTS => Ok(number),
        Some(_) => Err(line.error(word, &format!("{what} from {letter}0 to {letter}{}", SLOTS - 1))),
        None => Err(line.error(word, &format!("{what} like {letter}3"))),
    }
}

/// Pages: `p0+2`.
pub(super) fn pages(line: &mut Line<'_>) -> Parsed<(PageSlot, u8)> {
    let expected = "a first page and how many, like p0+2";
    let word = line.word(expected)?;
    let Some((first, count)) = word.text.split_once('+') else {
        return Err(line.error(word, expected));
    };
    let first = PageSlot::new(slot(line, word, first, PageSlot::LETTER, "a page slot")?);
    match decimal(count) {
        Some(count) if (1..=MAX_PAGES).contains(&usize::from(count)) => Ok((first, count)),
        _ => Err(line.error(word, &format!("1 to {MAX_PAGES} pages, like {first}+2"))),
    }
}

/// An entry of a page: `p0+1`.
pub(super) fn table_entry(line: &mut Line<'_>) -> Parsed<(PageSlot, u8)> {
    let expected = "a page and one of its entries, like p0+1";
    let word = line.word(expected)?;
    let Some((page, index)) = word.text.split_once('+') else {
        return Err(line.error(word, expected));
    };
    let page = PageSlot::new(slot(line, word, page, PageSlot::LETTER, "a page slot")?);
    match decimal(index) {
        Some(index) if index < RawCall::ENTRIES => Ok((page, index)),
        _ => Err(line.error(word, &format!("an entry from {page}+0 to {page}+{}", RawCall::ENTRIES - 1))),
    }
}

/// A page of an area: `a0+1`.
pub(super) fn place_of_area(line: &mut Line<'_>) -> Parsed<Place> {
    let word = line.peek();
    let found = place(line)?;
    match (found.mapping, word) {
        (Mapping::Ram(_) | Mapping::Buffer(_), Some(word)) => {
            Err(line.error(word, "a page of an area, like a0+1"))
        }
        _ => Ok(found),
    }
}

/// A page of a mapping: `a0+1`, `r2+0` or `b0+1`.
pub(super) fn place(line: &mut Line<'_>) -> Parsed<Place> {
    let expected = "a page of a mapping, like a0+1 or r2+0";
    let word = line.word(expected)?;
    let Some((mapping, page)) = word.text.split_once('+') else {
        return Err(line.error(word, expected));
    };
    let mapping = if mapping.starts_with(AreaSlot::LETTER) {
        Mapping::Area(AreaSlot::new(slot(line, word, mapping, AreaSlot::LETTER, "an area slot")?))
    } else if mapping.starts_with(RamSlot::LETTER) {
        Mapping::Ram(RamSlot::new(slot(line, word, mapping, RamSlot::LETTER, "a map-ram slot")?))
    } else if mapping.starts_with(BufferSlot::LETTER) {
        Mapping::Buffer(BufferSlot::new(slot(line, word, mapping, BufferSlot::LETTER, "a buffer slot")?))
    } else {
        return Err(line.error(word, expected));
    };
    match decimal(page) {
        Some(page) if usize::from(page) < MAX_PAGES => Ok(Place { mapping, page }),
        _ => Err(line.error(word, &format!("a page from {mapping}+0 to {mapping}+{}", MAX_PAGES - 1))),
    }
}
