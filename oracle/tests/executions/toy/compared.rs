//! What the toy really holds beside what its reference holds possible.
use oracle::vocabulary::{MmSlot, Operation, PageSlot, SLOTS, Token, UserPage};

use super::{Running, Toy};

impl Toy {
    /// The word that the page holds, if it holds one.
    pub(crate) fn word(&self, page: PageSlot) -> Option<Token> {
        self.words[page.index()]
    }

    /// The mappings that stand, by their place among all.
    pub(crate) fn mapped(&self) -> Vec<usize> {
        (0..self.maps.len()).filter(|&n| self.maps[n].is_some()).collect()
    }

    /// What a page really holds is always among what the reference holds possible.
    pub(super) fn compare_words(&mut self) {
        for page in (0..SLOTS).map(PageSlot::new) {
            if let Some(word) = self.words[page.index()]
                && self.reference.live_pages().any(|live| live == page)
                && !self.reference.live_tables().any(|table| table == page)
                && !self.running.iter().flatten().any(|running| takes_away(&running.call.operation, page))
            {
                let possible = self.reference.possible(page);
                assert!(possible.contains(&word), "{page} holds {word}, possible {possible:?}");
                self.wide += usize::from(possible.len() > 1);
            }
        }
    }

    /// What a page of user addresses really is, is always among what the reference holds possible.
    pub(super) fn compare_pages(&self) {
        for (mm, pages) in (0..SLOTS).zip(&self.user.mms) {
            let ends = |running: &Running| {
                matches!(running.call.operation, Operation::NewMm { mm: it } | Operation::DropMm { mm: it }
                    if it.number() == mm)
            };
            let Some(pages) = pages else { continue };
            if self.running.iter().flatten().any(ends) {
                continue;
            }
            for (page, mapped) in (0..).zip(pages) {
                let at = UserPage { mm: MmSlot::new(mm), page };
                let view = self.reference.user_page(at);
                let can_be_read = mapped.is_some_and(|mapped| mapped.frame.is_some());
                let can_be_written = can_be_read && mapped.is_some_and(|mapped| mapped.writable);
                assert!(view.may_be_mapped || !can_be_read, "{at} is mapped: {view:?}");
                assert!(view.may_be_written || !can_be_written, "{at} can be written: {view:?}");
                if view.is_certain {
                    let may = (view.may_be_mapped, view.may_be_written);
                    assert_eq!(may, (can_be_read, can_be_written), "{at}");
                }
            }
        }
    }
}

/// Whether the operation, in flight, leaves open whether the page has its word.
fn takes_away(operation: &Operation, taken: PageSlot) -> bool {
    match operation {
        Operation::AllocPage { page }
        | Operation::FreePage { page }
        | Operation::MakeTable { page }
        | Operation::UnmakeTable { page } => *page == taken,
        Operation::DmaAlloc { pages, .. }
        | Operation::DmaAllocWide { pages, .. }
        | Operation::PinTree { pages, .. } => pages.as_slice().contains(&taken),
        // Which pages it zeroes is known no more once it has.
        Operation::DmaFree { .. } | Operation::UnpinTree { .. } => true,
        _ => false,
    }
}
