//! The mappings of an address space (`vm_area_struct`), in the order of their addresses. Who holds them holds `mmap_lock`.

use super::object::Object;
use crate::paravirt::Pfn;
use crate::vpn::{PageRange, Vpn};
use machine::Cpu;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What lies behind a mapping.
#[derive(Clone, Debug)]
pub(crate) enum Backing {
    /// Memory of the address space's own.
    Anonymous,
    /// Pages of an object, from this one on.
    Object {
        object: Rc<Object>,
        /// The page of the object behind the first page of the mapping.
        from: u64,
        /// Writes go to the object, and not to a copy of the address space's own.
        shared: bool,
    },
}

/// Addresses that are mapped in one way.
#[derive(Clone, Debug)]
pub(crate) struct Vma {
    pub(crate) start: Vpn,
    /// The first page behind it.
    pub(crate) end: Vpn,
    pub(crate) backing: Backing,
    pub(crate) writable: bool,
}

impl Vma {
    pub(crate) fn range(&self) -> PageRange {
        PageRange { first: self.start, pages: self.end - self.start }
    }

    /// Whether what is written there stays in the address space.
    pub(super) const fn is_private(&self) -> bool {
        !matches!(self.backing, Backing::Object { shared: true, .. })
    }

    /// Whether a page that an entry leads to is the address space's own. The caller holds the lock of the entry's table.
    pub(super) fn owns(&self, cpu: &Cpu<'_>, page: Vpn, pfn: Pfn) -> bool {
        match &self.backing {
            Backing::Anonymous => true,
            Backing::Object { object, from, shared } => {
                !shared && !object.holds(cpu, from + (page - self.start), pfn)
            }
        }
    }

    /// The same mapping of some of its pages, or none if they are none of its own.
    fn part(&self, start: Vpn, end: Vpn) -> Option<Self> {
        let (start, end) = (start.max(self.start), end.min(self.end));
        if start >= end {
            return None;
        }
        let backing = match &self.backing {
            Backing::Anonymous => Backing::Anonymous,
            Backing::Object { object, from, shared } => Backing::Object {
                object: Rc::clone(object),
                from: from + (start - self.start),
                shared: *shared,
            },
        };
        Some(Self { start, end, backing, writable: self.writable })
    }

    /// Whether another mapping goes on where this one ends.
    fn goes_on_in(&self, next: &Self) -> bool {
        self.end == next.start
            && self.writable == next.writable
            && match (&self.backing, &next.backing) {
                (Backing::Anonymous, Backing::Anonymous) => true,
                (
                    Backing::Object { object, from, shared },
                    Backing::Object { object: its, from: there, shared: is_shared },
                ) => {
                    Rc::ptr_eq(object, its) && shared == is_shared && *there == from + (self.end - self.start)
                }
                _ => false,
            }
    }
}

/// All mappings of an address space, by their first pages. No two have a page in common.
#[derive(Debug, Default)]
pub(crate) struct Vmas(BTreeMap<Vpn, Vma>);

impl Vmas {
    /// The mapping that a page is part of (`vma_lookup`).
    pub(crate) fn find(&self, page: Vpn) -> Option<&Vma> {
        self.0.range(..=page).next_back().map(|(_, vma)| vma).filter(|vma| page < vma.end)
    }

    /// Whether no page of a range is mapped.
    pub(crate) fn are_none_in(&self, range: PageRange) -> bool {
        let end = range.first + range.pages;
        self.0.range(..end).next_back().is_none_or(|(_, vma)| vma.end <= range.first)
    }

    /// The mappings of the pages of a range, cut off at its ends.
    pub(crate) fn within(&self, range: PageRange) -> impl Iterator<Item = Vma> {
        let end = range.first + range.pages;
        let first = self.find(range.first).map_or(range.first, |vma| vma.start);
        self.0.range(first..end).filter_map(move |(_, vma)| vma.part(range.first, end))
    }

    /// A mapping of pages that are not mapped. It becomes one with its neighbours where it goes on as they do (`vma_merge`).
    pub(crate) fn insert(&mut self, mut new: Vma) {
        if let Some((_, before)) = self.0.range(..new.start).next_back()
            && before.goes_on_in(&new)
        {
            let before = before.start;
            new = Self::joined(self.0.remove(&before).expect("it is there"), &new);
        }
        if let Some(after) = self.0.get(&new.end)
            && new.goes_on_in(after)
        {
            let after = self.0.remove(&new.end).expect("it is there");
            new = Self::joined(new, &after);
        }
        self.0.insert(new.start, new);
    }

    fn joined(first: Vma, second: &Vma) -> Vma {
        Vma { end: second.end, ..first }
    }

    /// The pages of a range are mapped no more. Returns what they were mapped as; mappings that reach beyond it are split
    /// (`__split_vma`).
    pub(crate) fn remove(&mut self, range: PageRange) -> Vec<Vma> {
        let end = range.first + range.pages;
        let removed: Vec<_> = self.within(range).collect();
        for part in &removed {
            let (start, whole) = self.0.range(..=part.start).next_back().expect("it is part of one");
            let (start, whole) = (*start, whole.clone());
            self.0.remove(&start);
            for rest in
                [whole.part(whole.start, range.first), whole.part(end, whole.end)].into_iter().flatten()
            {
                self.0.insert(rest.start, rest);
            }
        }
        removed
    }

    /// Whether nothing is mapped.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many mappings there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::object::Objects;
    use super::*;
    use crate::sync::Lockdep;

    fn range(first: u64, pages: u64) -> PageRange {
        PageRange { first: Vpn(first), pages }
    }

    fn anonymous(first: u64, pages: u64, writable: bool) -> Vma {
        Vma { start: Vpn(first), end: Vpn(first + pages), backing: Backing::Anonymous, writable }
    }

    fn of(vmas: &Vmas) -> Vec<(u64, u64, bool)> {
        vmas.0.values().map(|vma| (vma.start.0, vma.end.0, vma.writable)).collect()
    }

    #[test]
    fn neighbours_that_are_alike_are_one_and_others_are_not() {
        let mut vmas = Vmas::default();
        vmas.insert(anonymous(10, 2, true));
        vmas.insert(anonymous(14, 2, true));
        vmas.insert(anonymous(16, 1, false));
        assert_eq!(vmas.len(), 3);
        vmas.insert(anonymous(12, 2, true));
        assert_eq!(of(&vmas), [(10, 16, true), (16, 17, false)]);
    }

    #[test]
    fn what_is_removed_from_the_middle_leaves_both_ends() {
        let mut vmas = Vmas::default();
        vmas.insert(anonymous(10, 10, true));
        let removed = vmas.remove(range(12, 3));
        assert_eq!(removed.iter().map(|vma| (vma.start.0, vma.end.0)).collect::<Vec<_>>(), [(12, 15)]);
        assert_eq!(of(&vmas), [(10, 12, true), (15, 20, true)]);
        assert!(vmas.are_none_in(range(12, 3)) && !vmas.are_none_in(range(12, 4)));
        assert!(vmas.find(Vpn(12)).is_none() && vmas.find(Vpn(15)).is_some());
        assert_eq!(vmas.remove(range(0, 100)).len(), 2);
        assert!(vmas.is_empty());
    }

    /// An object of no pages.
    #[derive(Debug)]
    struct OfNoPages(Rc<Object>);

    impl machine::Software for OfNoPages {
        type Operation = ();
        type Outcome = ();

        fn run(&self, _: &machine::Cpu<'_>, (): ()) {}

        fn interrupt(&self, _: &machine::Cpu<'_>, _: machine::Interrupt) {}
    }

    fn object() -> Rc<Object> {
        let config = machine::Config { cpus: 1, vars: Objects::VARS, ..machine::Config::default() };
        let made = |bus: &Rc<machine::Bus>| Objects::new(bus, &Lockdep::new()).make(&[]);
        let machine = machine::Machine::new(config, |bus| OfNoPages(Rc::new(made(bus).expect("the first"))));
        Rc::clone(&machine.software().0)
    }

    #[test]
    fn a_part_of_an_object_goes_on_where_the_whole_does() {
        let object = object();
        let whole = Vma {
            start: Vpn(10),
            end: Vpn(14),
            backing: Backing::Object { object: Rc::clone(&object), from: 1, shared: true },
            writable: false,
        };
        let mut vmas = Vmas::default();
        vmas.insert(whole);
        vmas.remove(range(11, 1));
        let from = |page| match &vmas.find(Vpn(page)).expect("it is mapped").backing {
            Backing::Object { from, .. } => *from,
            Backing::Anonymous => panic!("an object"),
        };
        assert_eq!((from(10), from(12)), (1, 3));
        // Another page of the object does not go on there.
        let wrong = Backing::Object { object: Rc::clone(&object), from: 0, shared: true };
        vmas.insert(Vma { start: Vpn(11), end: Vpn(12), backing: wrong, writable: false });
        assert_eq!(vmas.len(), 3);
        vmas.remove(range(11, 1));
        let right = Backing::Object { object, from: 2, shared: true };
        vmas.insert(Vma { start: Vpn(11), end: Vpn(12), backing: right, writable: false });
        assert_eq!(of(&vmas), [(10, 14, false)]);
    }
}
