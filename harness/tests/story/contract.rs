//! The caller's contract, kept a second time and in the plainest way: whatever a story says, what it resolves to
//! never uses a handle that is not held, busy, or still needed by something in progress.

use std::collections::{BTreeMap, BTreeSet};

use harness::story::{Generator, ResolvedAction, Story, Told};
use oracle::vocabulary::{
    AreaSlot, Mapping, MmCall, MmSlot, Operation, Owned, PageSlot, Place, Root, Token, TreeSlot,
};
use proptest::prelude::*;

use crate::strategy;

/// What callers hold, and what is in progress on each CPU.
struct Callers {
    pages: BTreeSet<PageSlot>,
    tables: BTreeSet<PageSlot>,
    raw: BTreeSet<PageSlot>,
    mappings: BTreeMap<Mapping, Vec<PageSlot>>,
    trees: BTreeMap<TreeSlot, Vec<PageSlot>>,
    known: BTreeMap<Mapping, usize>,
    /// Areas that own their pages, with how many.
    own: BTreeMap<AreaSlot, u8>,
    mms: BTreeSet<MmSlot>,
    tokens: BTreeSet<Token>,
    progress: [Vec<Option<Operation>>; 4],
}

impl Callers {
    fn new() -> Self {
        Self {
            pages: (0..4).map(PageSlot::new).collect(),
            tables: BTreeSet::new(),
            raw: BTreeSet::new(),
            mappings: BTreeMap::new(),
            trees: BTreeMap::new(),
            known: BTreeMap::new(),
            own: BTreeMap::new(),
            mms: BTreeSet::new(),
            tokens: BTreeSet::new(),
            progress: Default::default(),
        }
    }

    fn in_progress(&self) -> impl Iterator<Item = &Operation> {
        self.progress.iter().flatten().flatten()
    }

    fn is_mapped(&self, page: PageSlot) -> bool {
        let live = self.mappings.values().any(|pages| pages.contains(&page));
        live || self.in_progress().any(|operation| match operation {
            Operation::Vmap { pages, .. }
            | Operation::MapRam { pages, .. }
            | Operation::DmaAlloc { pages, .. } => pages.as_slice().contains(&page),
            _ => false,
        })
    }

    fn is_busy_page(&self, page: PageSlot) -> bool {
        let of_tree = self.is_in_busy_tree(page);
        of_tree
            || self.in_progress().any(|operation| match operation {
                Operation::AllocPage { page: busy }
                | Operation::FreePage { page: busy }
                | Operation::MakeTable { page: busy }
                | Operation::UnmakeTable { page: busy } => *busy == page,
                Operation::DmaAlloc { pages, .. } => pages.as_slice().contains(&page),
                Operation::DmaFree { buffer } => self.mappings[&Mapping::Buffer(*buffer)].contains(&page),
                _ => false,
            })
    }

    /// Whether somebody is making the page a part of a tree, or taking it out of one.
    fn is_in_busy_tree(&self, page: PageSlot) -> bool {
        self.in_progress().any(|operation| match operation {
            Operation::PinTree { pages, .. } => pages.as_slice().contains(&page),
            Operation::UnpinTree { tree } => self.trees.get(tree).is_some_and(|pages| pages.contains(&page)),
            _ => false,
        })
    }

    fn is_busy_tree(&self, tree: TreeSlot) -> bool {
        self.in_progress().any(|operation| {
            matches!(operation, Operation::PinTree { tree: busy, .. } | Operation::UnpinTree { tree: busy }
                if *busy == tree)
        })
    }

    fn is_flagged(&self, page: PageSlot) -> bool {
        self.in_progress()
            .any(|operation| matches!(operation, Operation::SetPageFlag { page: busy } if *busy == page))
    }

    /// Whether its owner may give the page away.
    fn may_give(&self, page: PageSlot) -> bool {
        self.pages.contains(&page)
            && !self.is_busy_page(page)
            && !self.is_mapped(page)
            && !self.is_flagged(page)
    }

    fn is_busy(&self, mapping: Mapping) -> bool {
        self.in_progress().any(|operation| match operation {
            Operation::Vmap { area, .. } | Operation::Vunmap { area } => Mapping::Area(*area) == mapping,
            Operation::MapRam { ram, .. } | Operation::UnmapRam { ram } => Mapping::Ram(*ram) == mapping,
            Operation::DmaAlloc { buffer, .. } | Operation::DmaFree { buffer } => {
                Mapping::Buffer(*buffer) == mapping
            }
            Operation::Owned(Owned::Vmalloc { area, .. } | Owned::Vfree { area }) => {
                Mapping::Area(*area) == mapping
            }
            _ => false,
        })
    }

    fn is_read(&self, mapping: Mapping) -> bool {
        self.in_progress().any(|operation| match operation {
            Operation::Read { place } | Operation::Write { place, .. } => place.mapping == mapping,
            Operation::Owned(owned) => owned.place().is_some_and(|place| place.mapping == mapping),
            _ => false,
        }) || self.is_changing(mapping)
    }

    fn is_changing(&self, mapping: Mapping) -> bool {
        self.in_progress().any(|operation| {
            matches!(operation, Operation::Owned(
                Owned::SetMemory { area, .. } | Owned::SetMemoryType { area, .. },
            ) if Mapping::Area(*area) == mapping)
        })
    }

    fn may_map(&self, mapping: Mapping, pages: &[PageSlot]) -> bool {
        let distinct: BTreeSet<_> = pages.iter().collect();
        !self.mappings.contains_key(&mapping)
            && !self.owns(mapping)
            && !self.is_busy(mapping)
            && distinct.len() == pages.len()
            && !pages.is_empty()
            && pages.iter().all(|page| self.pages.contains(page) && !self.is_busy_page(*page))
    }

    fn may_use(&self, place: Place) -> bool {
        if self.owns(place.mapping) {
            return self.may_use_own(place);
        }
        let pages = self.mappings.get(&place.mapping);
        !self.is_busy(place.mapping) && pages.is_some_and(|pages| usize::from(place.page) < pages.len())
    }

    fn owns(&self, mapping: Mapping) -> bool {
        matches!(mapping, Mapping::Area(area) if self.own.contains_key(&area))
    }

    fn may_use_own(&self, place: Place) -> bool {
        let Mapping::Area(area) = place.mapping else { return false };
        !self.is_busy(place.mapping) && self.own.get(&area).is_some_and(|count| place.page < *count)
    }

    fn may_owned(&mut self, owned: Owned) -> bool {
        match owned {
            Owned::Vmalloc { count, area, .. } => {
                let mapping = Mapping::Area(area);
                let taken = self.mappings.contains_key(&mapping) || self.owns(mapping);
                !taken && !self.is_busy(mapping) && (1..=8).contains(&count)
            }
            Owned::SetMemory { area, .. } | Owned::SetMemoryType { area, .. } => {
                let mapping = Mapping::Area(area);
                self.owns(mapping) && !self.is_busy(mapping) && !self.is_changing(mapping)
            }
            Owned::Vfree { area } => {
                let mapping = Mapping::Area(area);
                self.owns(mapping) && !self.is_busy(mapping) && !self.is_read(mapping)
            }
            Owned::Exec { place } => self.may_use(place),
            Owned::ReadDirect { place } => self.may_use_own(place),
            Owned::WriteDirect { place, token } => {
                self.may_use_own(place) && token != Token::ZERO && self.tokens.insert(token)
            }
        }
    }

    fn may(&mut self, operation: &Operation) -> bool {
        match operation {
            Operation::AllocPage { page } => {
                let in_tree = self.trees.values().any(|pages| pages.contains(page));
                !self.pages.contains(page)
                    && !self.tables.contains(page)
                    && !in_tree
                    && !self.raw.contains(page)
                    && !self.is_busy_page(*page)
            }
            Operation::FreePage { page } | Operation::MakeTable { page } => self.may_give(*page),
            Operation::SetPageFlag { page } => self.pages.contains(page) && !self.is_busy_page(*page),
            Operation::PinTree { pages, tree } => {
                let distinct: BTreeSet<_> = pages.as_slice().iter().collect();
                !self.trees.contains_key(tree)
                    && !self.is_busy_tree(*tree)
                    && !pages.is_empty()
                    && distinct.len() == pages.len()
                    && pages.as_slice().iter().all(|page| self.may_give(*page))
            }
            Operation::UnpinTree { tree } => self.trees.contains_key(tree) && !self.is_busy_tree(*tree),
            Operation::UnmakeTable { page } => self.tables.contains(page) && !self.is_busy_page(*page),
            Operation::Vmap { pages, area } => self.may_map(Mapping::Area(*area), pages.as_slice()),
            Operation::MapRam { pages, ram } => self.may_map(Mapping::Ram(*ram), pages.as_slice()),
            Operation::Vunmap { area } => self.may_unmap(Mapping::Area(*area)),
            Operation::UnmapRam { ram } => self.may_unmap(Mapping::Ram(*ram)),
            Operation::DrainAliases | Operation::TrackAliases => true,
            // They are given up at once, and for ever.
            Operation::Raw(call) => {
                let fresh = |page: &PageSlot| {
                    self.pages.contains(page) && !self.is_busy_page(*page) && !self.is_mapped(*page)
                };
                let may = call.pages().all(|page| self.raw.contains(&page) || fresh(&page));
                for page in call.pages() {
                    self.pages.remove(&page);
                    self.raw.insert(page);
                }
                may
            }
            Operation::Read { place } => self.may_use(*place),
            Operation::Write { place, token } => {
                self.may_use(*place) && *token != Token::ZERO && self.tokens.insert(*token)
            }
            Operation::DmaAlloc { pages, buffer, .. } => {
                self.may_map(Mapping::Buffer(*buffer), pages.as_slice())
                    && pages.as_slice().iter().all(|page| self.may_give(*page))
            }
            Operation::DmaFree { buffer } => {
                let buffer = Mapping::Buffer(*buffer);
                self.may_unmap(buffer) && self.mappings[&buffer].iter().all(|page| self.users(*page) == 1)
            }
            Operation::DeviceRead { buffer, page } => {
                self.may_use(Place { mapping: Mapping::Buffer(*buffer), page: *page })
            }
            Operation::DeviceWrite { buffer, page, token } => {
                self.may_use(Place { mapping: Mapping::Buffer(*buffer), page: *page })
                    && *token != Token::ZERO
                    && self.tokens.insert(*token)
            }
            Operation::Owned(owned) => self.may_owned(*owned),
            Operation::Mm(call) => self.may_mm(*call),
        }
    }

    fn may_mm(&self, call: MmCall) -> bool {
        let under_way = |what: &dyn Fn(MmCall) -> bool| {
            self.in_progress().any(|operation| matches!(operation, Operation::Mm(call) if what(*call)))
        };
        let comes_or_goes = |mm| {
            under_way(&|call| matches!(call, MmCall::New { mm: its } | MmCall::Drop { mm: its } if its == mm))
        };
        match call {
            MmCall::New { mm } => !self.mms.contains(&mm) && !comes_or_goes(mm),
            MmCall::Switch { to: Root::Init } => true,
            MmCall::Switch { to: Root::Mm(mm) } => self.mms.contains(&mm) && !comes_or_goes(mm),
            MmCall::Drop { mm } => {
                let entered = under_way(&|call| call == MmCall::Switch { to: Root::Mm(mm) });
                self.mms.contains(&mm) && !comes_or_goes(mm) && !entered
            }
        }
    }

    /// How many mappings of a page there are, finished or not.
    fn users(&self, page: PageSlot) -> usize {
        let standing = self.mappings.values().filter(|pages| pages.contains(&page)).count();
        let coming = self.in_progress().filter(|operation| match operation {
            Operation::Vmap { pages, .. } | Operation::MapRam { pages, .. } => {
                pages.as_slice().contains(&page)
            }
            _ => false,
        });
        standing + coming.count()
    }

    fn may_unmap(&self, mapping: Mapping) -> bool {
        self.mappings.contains_key(&mapping) && !self.is_busy(mapping) && !self.is_read(mapping)
    }

    fn end(&mut self, operation: &Operation) {
        match operation {
            Operation::AllocPage { page } => drop(self.pages.insert(*page)),
            Operation::FreePage { page } => drop(self.pages.remove(page)),
            Operation::MakeTable { page } => {
                self.pages.remove(page);
                self.tables.insert(*page);
            }
            Operation::UnmakeTable { page } => {
                self.tables.remove(page);
                self.pages.insert(*page);
            }
            Operation::Vmap { pages, area } => self.hand_out(Mapping::Area(*area), pages.as_slice()),
            Operation::MapRam { pages, ram } => self.hand_out(Mapping::Ram(*ram), pages.as_slice()),
            Operation::Vunmap { area } => drop(self.mappings.remove(&Mapping::Area(*area))),
            Operation::UnmapRam { ram } => drop(self.mappings.remove(&Mapping::Ram(*ram))),
            Operation::PinTree { pages, tree } => {
                for page in pages.as_slice() {
                    self.pages.remove(page);
                }
                self.trees.insert(*tree, pages.as_slice().to_vec());
            }
            Operation::UnpinTree { tree } => {
                self.pages.extend(self.trees.remove(tree).expect("a tree that stands"));
            }
            Operation::DmaAlloc { pages, buffer, .. } => {
                self.hand_out(Mapping::Buffer(*buffer), pages.as_slice());
            }
            Operation::DmaFree { buffer } => drop(self.mappings.remove(&Mapping::Buffer(*buffer))),
            Operation::DrainAliases
            | Operation::TrackAliases
            | Operation::SetPageFlag { .. }
            | Operation::Raw(_)
            | Operation::Mm(MmCall::Switch { .. })
            | Operation::Read { .. }
            | Operation::Write { .. }
            | Operation::DeviceRead { .. }
            | Operation::DeviceWrite { .. }
            | Operation::Owned(
                Owned::SetMemory { .. }
                | Owned::SetMemoryType { .. }
                | Owned::Exec { .. }
                | Owned::ReadDirect { .. }
                | Owned::WriteDirect { .. },
            ) => {}
            Operation::Owned(Owned::Vmalloc { count, area, .. }) => {
                self.own.insert(*area, *count);
                self.known.insert(Mapping::Area(*area), usize::from(*count));
            }
            Operation::Owned(Owned::Vfree { area }) => drop(self.own.remove(area)),
            Operation::Mm(MmCall::New { mm }) => {
                self.mms.insert(*mm);
            }
            Operation::Mm(MmCall::Drop { mm }) => {
                self.mms.remove(mm);
            }
        }
    }

    fn hand_out(&mut self, mapping: Mapping, pages: &[PageSlot]) {
        self.mappings.insert(mapping, pages.to_vec());
        self.known.insert(mapping, pages.len());
    }

    /// Whether the caller may do this now; it is done.
    fn takes(&mut self, told: &Told) -> bool {
        let cpu = usize::from(told.cpu);
        if let ResolvedAction::Call(call) = told.action
            && call.operation.is_of_a_device()
        {
            return self.may(&call.operation) && told.pause.is_none() && !call.irqs_off;
        }
        if matches!(told.action, ResolvedAction::Call(_) | ResolvedAction::RunWork) {
            while let Some(ended) = self.progress[cpu].pop() {
                if let Some(operation) = ended {
                    self.end(&operation);
                }
            }
        }
        let (fine, begun) = match told.action {
            ResolvedAction::Void => return true,
            ResolvedAction::Call(call) => (self.may(&call.operation), Some(Some(call.operation))),
            ResolvedAction::RunWork | ResolvedAction::Deliver { .. } => (true, Some(None)),
            ResolvedAction::Continue => {
                let innermost = self.progress[cpu].pop();
                (innermost.is_some(), innermost)
            }
            ResolvedAction::Fill { place } => {
                (self.known.get(&place.mapping).is_some_and(|length| usize::from(place.page) < *length), None)
            }
            ResolvedAction::DrainStores { .. } | ResolvedAction::GracePeriod | ResolvedAction::Touch => {
                (true, None)
            }
        };
        match (begun, told.pause) {
            (Some(operation), Some(_)) => self.progress[cpu].push(operation),
            (Some(Some(operation)), None) => self.end(&operation),
            _ => {}
        }
        fine && usize::from(told.nest) == self.progress[cpu].len()
    }
}

fn keeps_the_contract(story: &Story) {
    let mut callers = Callers::new();
    for told in &story.resolve().events {
        assert!(callers.takes(told), "event {}, {told:?} of\n{story}", told.index);
    }
}

proptest! {
    #[test]
    fn no_event_breaks_the_callers_contract(story in strategy::story()) {
        keeps_the_contract(&story);
    }

    #[test]
    fn no_bytes_break_the_callers_contract(bytes in proptest::collection::vec(any::<u8>(), 0..800)) {
        keeps_the_contract(&Story::decode(&bytes).unwrap());
    }
}

#[test]
fn no_generated_story_breaks_the_callers_contract() {
    let (mut generator, mut story) = (Generator::new(11), Story::default());
    for _ in 0..5_000 {
        generator.next(&mut story);
        keeps_the_contract(&story);
    }
}
