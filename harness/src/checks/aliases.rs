//! The books of the checks: which kernel addresses were mapped for whom, when they were unmapped, and which of them
//! were handed out again. Kept from outcomes alone, so that nothing depends on what the kernel believes.

use machine::paging::PAGE_SIZE;
use machine::{Bus, Frame};
use oracle::vocabulary::{MAX_PAGES, Mapping, Range};

/// What an alias leads to: a frame, in one use of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Behind {
    /// The frame.
    pub frame: Frame,
    /// Its incarnation when the alias was made.
    pub incarnation: u32,
}

impl Behind {
    /// This frame as it is used now; none if no machine has it.
    pub fn now(bus: &Bus, frame: Frame) -> Option<Self> {
        bus.memory.has(frame).then(|| Self { frame, incarnation: bus.memory.incarnation(frame) })
    }
}

/// Where in its life a mapping is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Standing,
    /// Its unmap began: from now on the range may be handed out again.
    Going,
    /// Its unmap returned, at this time.
    Gone(u32),
}

/// A mapping that stands, or did: an alias of its pages.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    mapping: Mapping,
    range: Range,
    life: Life,
    /// Pages that were not handed out again, a bit each.
    pages: u16,
    /// What is behind each page. Where that is not known it may be anything.
    behind: [Option<Behind>; MAX_PAGES],
}

impl Alias {
    /// The mapping that it was.
    pub fn mapping(&self) -> Mapping {
        self.mapping
    }

    /// Whether a page was not handed out again.
    fn has(&self, page: u8) -> bool {
        self.pages & 1 << page != 0
    }

    /// Its pages that were not handed out again: their addresses, and what was behind them.
    pub fn pages(&self) -> impl Iterator<Item = (u64, Option<Behind>)> {
        (0..self.range.pages)
            .filter(|page| self.has(*page))
            .map(|page| (address(self.range, page), self.behind[usize::from(page)]))
    }

    /// Whether its unmap had returned at this time, and something of it was not handed out again.
    pub fn was_gone_by(&self, time: u32) -> bool {
        matches!(self.life, Life::Gone(at) if at < time)
    }
}

/// The address of a page of a range.
pub fn address(range: Range, page: u8) -> u64 {
    range.start + u64::from(page) * PAGE_SIZE
}

/// All aliases of one backend, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Aliases {
    all: Vec<Alias>,
}

impl Aliases {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.all.clear();
    }

    /// A mapping was made of these frames, and its maker returned just now.
    ///
    /// Whatever lay there before has lost these pages: an alias whose unmap has only begun too, for its range may be
    /// purged and handed out before the unmap returns.
    pub fn made(&mut self, mapping: Mapping, range: Range, frames: impl IntoIterator<Item = Option<Behind>>) {
        for old in self.all.iter_mut().filter(|old| old.life != Life::Standing) {
            for page in 0..old.range.pages {
                let offset = address(old.range, page).wrapping_sub(range.start) / PAGE_SIZE;
                if offset < u64::from(range.pages) {
                    old.pages &= !(1 << page);
                }
            }
        }
        self.all.retain(|alias| alias.pages != 0);
        let pages = (1u32 << range.pages) as u16 - 1;
        let mut behind = [None; MAX_PAGES];
        behind.iter_mut().zip(frames).for_each(|(page, frame)| *page = frame);
        self.all.push(Alias { mapping, range, life: Life::Standing, pages, behind });
    }

    /// The kernel mapped something of its own for a while, and may have got pages of old aliases for it: those that are
    /// known to be lost to it are no part of them any more.
    pub fn lost(&mut self, is_lost: impl Fn(u64) -> bool) {
        self.drop_pages(|alias| alias.life != Life::Standing, |va, _| is_lost(va));
    }

    /// As [`Aliases::lost`], where it depends on what was behind a page too.
    pub fn lost_to(&mut self, is_lost: impl Fn(u64, Option<Behind>) -> bool) {
        self.drop_pages(|alias| alias.life != Life::Standing, is_lost);
    }

    fn drop_pages(&mut self, of: impl Fn(&Alias) -> bool, dropped: impl Fn(u64, Option<Behind>) -> bool) {
        for old in self.all.iter_mut().filter(|old| of(old)) {
            let mut pages = old.pages;
            for page in (0..old.range.pages).filter(|page| old.has(*page)) {
                if dropped(address(old.range, page), old.behind[usize::from(page)]) {
                    pages &= !(1 << page);
                }
            }
            old.pages = pages;
        }
        self.all.retain(|alias| alias.pages != 0);
    }

    /// The unmap of a mapping begins.
    pub fn going(&mut self, mapping: Mapping) {
        for alias in
            self.all.iter_mut().filter(|alias| alias.mapping == mapping && alias.life == Life::Standing)
        {
            alias.life = Life::Going;
        }
    }

    /// The unmap of a mapping returned, at this time.
    pub fn gone(&mut self, mapping: Mapping, now: u32) {
        for alias in self.all.iter_mut().filter(|alias| alias.mapping == mapping && alias.life == Life::Going)
        {
            alias.life = Life::Gone(now);
        }
    }

    /// The aliases whose unmap had returned at a time.
    pub fn gone_by(&self, time: u32) -> impl Iterator<Item = &Alias> {
        self.all.iter().filter(move |alias| alias.was_gone_by(time))
    }

    /// Of the aliases whose unmap had returned at a time, these pages were seen to be gone for good.
    pub fn forget_gone_by(&mut self, time: u32, is_gone: impl Fn(u64, Option<Behind>) -> bool) {
        self.drop_pages(|alias| alias.was_gone_by(time), is_gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oracle::vocabulary::AreaSlot;

    fn area(number: u8) -> Mapping {
        Mapping::Area(AreaSlot::new(number))
    }

    fn gone(aliases: &Aliases, time: u32) -> Vec<u64> {
        aliases.gone_by(time).flat_map(|alias| alias.pages().map(|(va, _)| va).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn an_alias_is_gone_once_its_unmap_returned_and_not_before() {
        let mut aliases = Aliases::default();
        aliases.made(area(0), Range { start: 0x1000, pages: 2 }, []);
        aliases.going(area(0));
        let early = 1;
        aliases.gone(area(0), 2);
        let late = 3;
        assert_eq!(gone(&aliases, early), []);
        assert_eq!(gone(&aliases, late), [0x1000, 0x2000]);
        aliases.forget_gone_by(late, |va, _| va == 0x1000);
        assert_eq!(gone(&aliases, late), [0x2000], "the other was not looked at");
        aliases.forget_gone_by(early, |_, _| true);
        assert_eq!(gone(&aliases, late), [0x2000], "it was not gone that early");
        aliases.forget_gone_by(late, |_, _| true);
        assert_eq!(gone(&aliases, late), []);
    }

    #[test]
    fn pages_handed_out_again_are_no_part_of_the_old_alias() {
        let mut aliases = Aliases::default();
        aliases.made(area(0), Range { start: 0x1000, pages: 3 }, []);
        aliases.going(area(0));
        aliases.gone(area(0), 2);
        aliases.made(area(1), Range { start: 0x2000, pages: 1 }, []);
        let now = 3;
        assert_eq!(gone(&aliases, now), [0x1000, 0x3000]);
    }

    #[test]
    fn a_range_may_be_handed_out_again_before_its_unmap_returned() {
        let mut aliases = Aliases::default();
        aliases.made(area(0), Range { start: 0x1000, pages: 2 }, []);
        aliases.going(area(0));
        aliases.made(area(1), Range { start: 0x1000, pages: 2 }, []);
        aliases.gone(area(0), 2);
        let now = 3;
        assert_eq!(gone(&aliases, now), []);
    }

    #[test]
    fn pages_that_the_kernel_took_for_itself_are_no_part_of_an_alias_that_is_gone() {
        let mut aliases = Aliases::default();
        aliases.made(area(0), Range { start: 0x1000, pages: 2 }, []);
        aliases.made(area(1), Range { start: 0x4000, pages: 1 }, []);
        aliases.going(area(0));
        aliases.gone(area(0), 2);
        aliases.lost(|va| va != 0x1000);
        let now = 3;
        assert_eq!(gone(&aliases, now), [0x1000]);
        aliases.going(area(1));
        aliases.gone(area(1), 2);
        assert_eq!(gone(&aliases, now), [0x1000, 0x4000], "what stood then was lost to nobody");
    }

    #[test]
    fn what_was_behind_each_page_is_remembered() {
        let mut aliases = Aliases::default();
        let behind = |frame, incarnation| Some(Behind { frame: Frame(frame), incarnation });
        aliases.made(area(0), Range { start: 0x1000, pages: 3 }, [behind(8, 1), None, behind(9, 4)]);
        aliases.going(area(0));
        aliases.lost_to(|_, page| page == behind(9, 3));
        aliases.gone(area(0), 2);
        let now = 3;
        let all = |aliases: &Aliases| {
            aliases.gone_by(now).flat_map(|alias| alias.pages().collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(all(&aliases), [(0x1000, behind(8, 1)), (0x2000, None), (0x3000, behind(9, 4))]);
        aliases.lost_to(|_, page| page == behind(9, 4));
        assert_eq!(all(&aliases), [(0x1000, behind(8, 1)), (0x2000, None)]);
    }

    #[test]
    fn only_the_alias_that_is_unmapped_goes() {
        let mut aliases = Aliases::default();
        aliases.made(area(0), Range { start: 0x1000, pages: 1 }, []);
        aliases.made(area(1), Range { start: 0x3000, pages: 1 }, []);
        aliases.made(area(2), Range { start: 0x5000, pages: 1 }, []);
        aliases.going(area(0));
        aliases.going(area(1));
        aliases.gone(area(0), 2);
        let now = 3;
        assert_eq!(gone(&aliases, now), [0x1000], "the unmap of a1 is on its way, and nobody unmaps a2");
    }

    #[test]
    fn the_top_of_the_space_has_addresses_too() {
        let mut aliases = Aliases::default();
        aliases.made(area(0), Range { start: 0xffff_ffff_ffff_e000, pages: 2 }, []);
        aliases.going(area(0));
        aliases.gone(area(0), 2);
        aliases.made(area(1), Range { start: 0xffff_ffff_ffff_f000, pages: 1 }, []);
        let now = 3;
        assert_eq!(gone(&aliases, now), [0xffff_ffff_ffff_e000]);
    }
}
