//! The caller's contract, kept a second time and in the plainest way: whatever a story says, what it resolves to
//! never uses a handle that is not held, busy, or still needed by something in progress.

use std::collections::{BTreeMap, BTreeSet};

use harness::story::{Generator, ResolvedAction, Story, Told};
use oracle::vocabulary::{
    AreaSlot, Backing, BufferPage, Count, Mapping, MmSlot, ObjectSlot, Operation, OwnPage, PageSlot, PinSlot,
    PinnedPage, Place, RawEntry, RawFrame, Root, TableEntry, Token, TreeSlot, USER_PAGES, UserRange,
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
    /// Address spaces that there are or were.
    known_mms: BTreeSet<MmSlot>,
    /// Pinned pages, with how many the caller asked for.
    pins: BTreeMap<PinSlot, u8>,
    objects: BTreeSet<ObjectSlot>,
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
            known_mms: BTreeSet::new(),
            pins: BTreeMap::new(),
            objects: BTreeSet::new(),
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
            | Operation::DmaAlloc { pages, .. }
            | Operation::DmaAllocWide { pages, .. } => pages.as_slice().contains(&page),
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
                Operation::DmaAlloc { pages, .. } | Operation::DmaAllocWide { pages, .. } => {
                    pages.as_slice().contains(&page)
                }
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
            Operation::Vmap { area, .. }
            | Operation::Vunmap { area }
            | Operation::Vmalloc { area, .. }
            | Operation::VmallocHuge { area, .. }
            | Operation::Vfree { area } => Mapping::Area(*area) == mapping,
            Operation::MapRam { ram, .. } | Operation::UnmapRam { ram } => Mapping::Ram(*ram) == mapping,
            Operation::DmaAlloc { buffer, .. }
            | Operation::DmaAllocWide { buffer, .. }
            | Operation::DmaFree { buffer } => Mapping::Buffer(*buffer) == mapping,
            _ => false,
        })
    }

    fn is_read(&self, mapping: Mapping) -> bool {
        self.in_progress().any(|operation| match operation {
            Operation::Read { place } | Operation::Write { place, .. } | Operation::Exec { place } => {
                place.mapping == mapping
            }
            Operation::ReadDirect { page } | Operation::WriteDirect { page, .. } => {
                Mapping::Area(page.area) == mapping
            }
            _ => false,
        }) || self.is_changing(mapping)
    }

    fn is_changing(&self, mapping: Mapping) -> bool {
        self.in_progress().any(|operation| {
            let changed = match operation {
                Operation::SetMemoryRo { area }
                | Operation::SetMemoryRox { area }
                | Operation::SetMemoryRw { area }
                | Operation::SetMemoryWc { area }
                | Operation::SetMemoryWb { area } => *area,
                _ => return false,
            };
            Mapping::Area(changed) == mapping
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
        if let Mapping::Area(area) = place.mapping
            && self.own.contains_key(&area)
        {
            return self.may_use_own(OwnPage { area, page: place.page });
        }
        let pages = self.mappings.get(&place.mapping);
        !self.is_busy(place.mapping) && pages.is_some_and(|pages| usize::from(place.page) < pages.len())
    }

    fn owns(&self, mapping: Mapping) -> bool {
        matches!(mapping, Mapping::Area(area) if self.own.contains_key(&area))
    }

    fn may_use_own(&self, OwnPage { area, page }: OwnPage) -> bool {
        !self.is_busy(Mapping::Area(area)) && self.own.get(&area).is_some_and(|count| page < *count)
    }

    /// No write was told before that leaves this behind; it was told now.
    fn is_new(&mut self, token: Token) -> bool {
        token != Token::ZERO && self.tokens.insert(token)
    }

    /// Raw hypercalls may be asked about these pages: they are given up at once, and for ever.
    fn may_give_up(&mut self, pages: &[PageSlot]) -> bool {
        let fresh = |page: &PageSlot| {
            self.pages.contains(page) && !self.is_busy_page(*page) && !self.is_mapped(*page)
        };
        let may = pages.iter().all(|page| self.raw.contains(page) || fresh(page));
        for page in pages {
            self.pages.remove(page);
            self.raw.insert(*page);
        }
        may
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
            Operation::DrainAliases {}
            | Operation::TrackAliases {}
            | Operation::HvFlush {}
            | Operation::SwitchMm { to: Root::Init } => true,
            Operation::HvUpdate { at, entry } => match entry {
                RawEntry::Leads { to: RawFrame::Page(page), .. } => self.may_give_up(&[at.table, *page]),
                RawEntry::Leads { to: RawFrame::Foreign, .. } | RawEntry::Empty => {
                    self.may_give_up(&[at.table])
                }
            },
            Operation::HvPin { page, .. }
            | Operation::HvExchange { page }
            | Operation::HvLoadRoot { page } => self.may_give_up(&[*page]),
            Operation::HvUpdateVa { at, entry } => {
                let table = self.raw.contains(&at.table);
                table
                    && match entry {
                        RawEntry::Leads { to: RawFrame::Page(page), .. } => self.may_give_up(&[*page]),
                        RawEntry::Leads { to: RawFrame::Foreign, .. } | RawEntry::Empty => true,
                    }
            }
            Operation::HvUnpin { page: table } | Operation::HvWrite { at: TableEntry { table, .. } } => {
                self.raw.contains(table)
            }
            Operation::Read { place } | Operation::Exec { place } => self.may_use(*place),
            Operation::Write { place, token } => self.may_use(*place) && self.is_new(*token),
            Operation::DmaAlloc { pages, buffer } | Operation::DmaAllocWide { pages, buffer } => {
                self.may_map(Mapping::Buffer(*buffer), pages.as_slice())
                    && pages.as_slice().iter().all(|page| self.may_give(*page))
            }
            Operation::DmaFree { buffer } => {
                let buffer = Mapping::Buffer(*buffer);
                self.may_unmap(buffer) && self.mappings[&buffer].iter().all(|page| self.users(*page) == 1)
            }
            Operation::DeviceRead { at } => self.may_reach(*at),
            Operation::DeviceWrite { at, token } => self.may_reach(*at) && self.is_new(*token),
            Operation::Vmalloc { count, area } | Operation::VmallocHuge { count, area } => {
                let mapping = Mapping::Area(*area);
                let taken = self.mappings.contains_key(&mapping) || self.owns(mapping);
                !taken && !self.is_busy(mapping) && (1..=8).contains(&count.0)
            }
            Operation::SetMemoryRo { area }
            | Operation::SetMemoryRox { area }
            | Operation::SetMemoryRw { area }
            | Operation::SetMemoryWc { area }
            | Operation::SetMemoryWb { area } => {
                let mapping = Mapping::Area(*area);
                self.owns(mapping) && !self.is_busy(mapping) && !self.is_changing(mapping)
            }
            Operation::Vfree { area } => {
                let mapping = Mapping::Area(*area);
                self.owns(mapping) && !self.is_busy(mapping) && !self.is_read(mapping)
            }
            Operation::ReadDirect { page } => self.may_use_own(*page),
            Operation::WriteDirect { page, token } => self.may_use_own(*page) && self.is_new(*token),
            Operation::NewObject { count, object } => {
                !self.objects.contains(object) && !self.is_busy_object(*object) && (1..=8).contains(&count.0)
            }
            Operation::DropObject { object } => {
                self.may_map_object(*object) && !self.is_being_mapped(*object)
            }
            Operation::Reclaim { object } => self.may_map_object(*object),
            Operation::NewMm { mm } => !self.mms.contains(mm) && !self.comes_or_goes(*mm),
            Operation::SwitchMm { to: Root::Mm(mm) } => self.may_use_mm(*mm),
            Operation::DropMm { mm } => {
                let entered = self
                    .in_progress()
                    .any(|operation| *operation == Operation::SwitchMm { to: Root::Mm(*mm) });
                self.may_use_mm(*mm) && !entered && !self.is_in_user_mode(*mm)
            }
            _ => self.may_with_user_memory(operation),
        }
    }

    fn may_with_user_memory(&mut self, operation: &Operation) -> bool {
        match operation {
            Operation::Mmap { at, what, .. } => {
                let object = match what {
                    Backing::Anonymous => None,
                    Backing::Shared(from) | Backing::Private(from) => Some(from.object),
                };
                self.may_reach_pages(*at) && object.is_none_or(|object| self.may_map_object(object))
            }
            Operation::Munmap { at }
            | Operation::Mprotect { at, .. }
            | Operation::Dontneed { at }
            | Operation::FreeTables { at } => self.may_reach_pages(*at),
            Operation::Mremap { at, to } => self.may_reach_pages(*at) && to.0 < USER_PAGES,
            Operation::Load { at } | Operation::CopyFromUser { at } => {
                self.may_use_mm(at.mm) && at.page < USER_PAGES
            }
            Operation::Store { at, token } | Operation::CopyToUser { at, token } => {
                self.may_use_mm(at.mm) && at.page < USER_PAGES && self.is_new(*token)
            }
            Operation::GupFast { at, pins, .. }
            | Operation::Gup { at, pins, .. }
            | Operation::GupForced { at, pins } => {
                self.may_reach_pages(*at) && !self.pins.contains_key(pins) && !self.are_busy(*pins)
            }
            Operation::PinRead { at } => self.may_use_pin(*at),
            Operation::PinWrite { at, token } => self.may_use_pin(*at) && self.is_new(*token),
            Operation::Unpin { pins } => {
                let used = self.in_progress().any(|operation| {
                    matches!(operation, Operation::PinRead { at } | Operation::PinWrite { at, .. } if at.pins == *pins)
                });
                self.pins.contains_key(pins) && !self.are_busy(*pins) && !used
            }
            other => unreachable!("it is not about user memory: {other}"),
        }
    }

    fn may_use_mm(&self, mm: MmSlot) -> bool {
        self.mms.contains(&mm) && !self.comes_or_goes(mm)
    }

    /// The address space is there, and has so many pages.
    fn may_reach_pages(&self, UserRange { mm, page, count }: UserRange) -> bool {
        self.may_use_mm(mm) && count > 0 && page + count <= USER_PAGES
    }

    /// Whether an operation is about user memory of this address space.
    fn is_in_user_mode(&self, mm: MmSlot) -> bool {
        self.in_progress().any(|operation| match operation {
            Operation::Mmap { at, .. }
            | Operation::Munmap { at }
            | Operation::Mprotect { at, .. }
            | Operation::Dontneed { at }
            | Operation::FreeTables { at }
            | Operation::Mremap { at, .. }
            | Operation::GupFast { at, .. }
            | Operation::GupForced { at, .. }
            | Operation::Gup { at, .. } => at.mm == mm,
            Operation::Load { at }
            | Operation::Store { at, .. }
            | Operation::CopyFromUser { at }
            | Operation::CopyToUser { at, .. } => at.mm == mm,
            _ => false,
        })
    }

    fn may_map_object(&self, object: ObjectSlot) -> bool {
        self.objects.contains(&object) && !self.is_busy_object(object)
    }

    fn is_being_mapped(&self, object: ObjectSlot) -> bool {
        self.in_progress().any(|operation| match operation {
            Operation::Mmap { what: Backing::Shared(from) | Backing::Private(from), .. } => {
                from.object == object
            }
            Operation::Reclaim { object: busy } => *busy == object,
            _ => false,
        })
    }

    /// A page of a range that a caller asked for; the kernel may have pinned fewer.
    fn may_use_pin(&self, PinnedPage { pins, page }: PinnedPage) -> bool {
        self.pins.get(&pins).is_some_and(|count| page < *count) && !self.are_busy(pins)
    }

    fn are_busy(&self, pins: PinSlot) -> bool {
        self.in_progress().any(|operation| {
            matches!(operation, Operation::GupFast { pins: busy, .. } | Operation::Gup { pins: busy, .. } | Operation::GupForced { pins: busy, .. } | Operation::Unpin { pins: busy }
                if *busy == pins)
        })
    }

    fn may_reach(&self, BufferPage { buffer, page }: BufferPage) -> bool {
        self.may_use(Place { mapping: Mapping::Buffer(buffer), page })
    }

    fn is_busy_object(&self, object: ObjectSlot) -> bool {
        self.in_progress().any(|operation| {
            matches!(operation, Operation::NewObject { object: busy, .. } | Operation::DropObject { object: busy }
                if *busy == object)
        })
    }

    fn comes_or_goes(&self, mm: MmSlot) -> bool {
        self.in_progress().any(|operation| {
            matches!(operation, Operation::NewMm { mm: its } | Operation::DropMm { mm: its } if *its == mm)
        })
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
            Operation::DmaAlloc { pages, buffer } | Operation::DmaAllocWide { pages, buffer } => {
                self.hand_out(Mapping::Buffer(*buffer), pages.as_slice());
            }
            Operation::DmaFree { buffer } => drop(self.mappings.remove(&Mapping::Buffer(*buffer))),
            Operation::NewObject { object, .. } => drop(self.objects.insert(*object)),
            Operation::DropObject { object } => drop(self.objects.remove(object)),
            Operation::GupFast { at, pins, .. }
            | Operation::Gup { at, pins, .. }
            | Operation::GupForced { at, pins } => {
                self.pins.insert(*pins, at.count);
            }
            Operation::Unpin { pins } => drop(self.pins.remove(pins)),
            Operation::DrainAliases {}
            | Operation::TrackAliases {}
            | Operation::Mmap { .. }
            | Operation::Munmap { .. }
            | Operation::Mprotect { .. }
            | Operation::Dontneed { .. }
            | Operation::Load { .. }
            | Operation::Store { .. }
            | Operation::PinRead { .. }
            | Operation::PinWrite { .. }
            | Operation::FreeTables { .. }
            | Operation::Mremap { .. }
            | Operation::Reclaim { .. }
            | Operation::CopyFromUser { .. }
            | Operation::CopyToUser { .. }
            | Operation::SetPageFlag { .. }
            | Operation::HvUpdate { .. }
            | Operation::HvPin { .. }
            | Operation::HvUnpin { .. }
            | Operation::HvExchange { .. }
            | Operation::HvWrite { .. }
            | Operation::HvFlush {}
            | Operation::HvLoadRoot { .. }
            | Operation::HvUpdateVa { .. }
            | Operation::SwitchMm { .. }
            | Operation::Read { .. }
            | Operation::Write { .. }
            | Operation::Exec { .. }
            | Operation::ReadDirect { .. }
            | Operation::WriteDirect { .. }
            | Operation::DeviceRead { .. }
            | Operation::DeviceWrite { .. }
            | Operation::SetMemoryRo { .. }
            | Operation::SetMemoryRox { .. }
            | Operation::SetMemoryRw { .. }
            | Operation::SetMemoryWc { .. }
            | Operation::SetMemoryWb { .. } => {}
            Operation::Vmalloc { count: Count(count), area }
            | Operation::VmallocHuge { count: Count(count), area } => {
                self.own.insert(*area, *count);
                self.known.insert(Mapping::Area(*area), usize::from(*count));
            }
            Operation::Vfree { area } => drop(self.own.remove(area)),
            Operation::NewMm { mm } => {
                self.mms.insert(*mm);
                self.known_mms.insert(*mm);
            }
            Operation::DropMm { mm } => {
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
            ResolvedAction::RunWork
            | ResolvedAction::Deliver { .. }
            | ResolvedAction::HostPreempt
            | ResolvedAction::HostEnter => (true, Some(None)),
            ResolvedAction::ApplyBroadcast => (true, None),
            ResolvedAction::Continue => {
                let innermost = self.progress[cpu].pop();
                (innermost.is_some(), innermost)
            }
            ResolvedAction::Fill { place } => {
                (self.known.get(&place.mapping).is_some_and(|length| usize::from(place.page) < *length), None)
            }
            ResolvedAction::FillUser { at } => {
                (self.known_mms.contains(&at.mm) && at.page < USER_PAGES, None)
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
