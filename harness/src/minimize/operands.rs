//! Plainer operands: fewer pages, lower slots, interrupts on, lower CPUs; a read instead of a write.

use oracle::vocabulary::astray::{RawAccess, RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{
    AreaSlot, BufferSlot, Device, Mapping, MmCall, MmSlot, Owned, PageSlot, Place, RamSlot, Root, TreeSlot,
};

use crate::story::{Action, Event, Verb};

use super::Shrink;

pub(super) fn shrink(shrink: &mut Shrink<'_>) {
    let mut index = 0;
    while index < shrink.story.events.len() {
        for plainer in plainer(&shrink.story.events[index]) {
            shrink.attempt_with(|story| story.events[index].action = plainer);
            if index >= shrink.story.events.len() {
                return;
            }
        }
        for cpu in 0..shrink.story.events[index].cpu {
            shrink.attempt_with(|story| story.events[index].cpu = cpu);
            if index >= shrink.story.events.len() {
                return;
            }
        }
        index += 1;
    }
    for kind in [rename_areas, rename_rams, rename_buffers, rename_trees, rename_mms] {
        shrink.attempt_with(|story| kind(&mut story.events));
    }
}

/// Other ways to tell an event, the plainest first.
fn plainer(event: &Event) -> Vec<Action> {
    let call = |verb| Action::Call { verb, irqs_off: false };
    match event.action {
        Action::Call { verb, irqs_off } => {
            let mut ways: Vec<_> = plainer_verbs(verb).into_iter().map(call).collect();
            if irqs_off {
                ways.push(call(verb));
                ways.extend(plainer_verbs(verb).into_iter().map(|verb| Action::Call { verb, irqs_off }));
            }
            // Often all that mattered of it is that it flushed.
            if !matches!(verb, Verb::DrainAliases | Verb::Raw(RawCall::Flush)) {
                ways.push(call(Verb::Raw(RawCall::Flush)));
            }
            ways
        }
        Action::Fill { place } => places(place).into_iter().map(|place| Action::Fill { place }).collect(),
        Action::Deliver { from: Some(_) } => vec![Action::Deliver { from: None }],
        Action::DrainStores { count } => (1..count).map(|count| Action::DrainStores { count }).collect(),
        Action::Deliver { from: None }
        | Action::Continue
        | Action::GracePeriod
        | Action::RunWork
        | Action::Touch => Vec::new(),
    }
}

fn plainer_verbs(verb: Verb) -> Vec<Verb> {
    let slots = |slot: u8| 0..slot;
    match verb {
        Verb::AllocPage { page } => lower(page).map(|page| Verb::AllocPage { page }).collect(),
        Verb::FreePage { page } => lower(page).map(|page| Verb::FreePage { page }).collect(),
        // Often all that mattered of a new table is that it drained.
        Verb::MakeTable { page } => std::iter::once(Verb::DrainAliases)
            .chain(lower(page).map(|page| Verb::MakeTable { page }))
            .collect(),
        Verb::UnmakeTable { page } => lower(page).map(|page| Verb::UnmakeTable { page }).collect(),
        Verb::SetPageFlag { page } => lower(page).map(|page| Verb::SetPageFlag { page }).collect(),
        // A tree of one table is told more plainly without its slot.
        Verb::PinTree { first, count, tree } => std::iter::once(Verb::MakeTable { page: first })
            .chain((1..count).map(|count| Verb::PinTree { first, count, tree }))
            .chain(lower(first).map(|first| Verb::PinTree { first, count, tree }))
            .collect(),
        Verb::UnpinTree { tree } => {
            slots(tree.number()).map(|tree| Verb::UnpinTree { tree: TreeSlot::new(tree) }).collect()
        }
        Verb::Vmap { first, count, area } => (1..count)
            .map(|count| Verb::Vmap { first, count, area })
            .chain(lower(first).map(|first| Verb::Vmap { first, count, area }))
            .collect(),
        Verb::MapRam { first, count, ram } => (1..count)
            .map(|count| Verb::MapRam { first, count, ram })
            .chain(lower(first).map(|first| Verb::MapRam { first, count, ram }))
            .collect(),
        Verb::Vunmap { area } => {
            slots(area.number()).map(|area| Verb::Vunmap { area: AreaSlot::new(area) }).collect()
        }
        Verb::UnmapRam { ram } => {
            slots(ram.number()).map(|ram| Verb::UnmapRam { ram: RamSlot::new(ram) }).collect()
        }
        Verb::DrainAliases | Verb::TrackAliases => Vec::new(),
        Verb::DmaAlloc { first, count, buffer, device } => (device == Device::Wide)
            .then_some(Verb::DmaAlloc { first, count, buffer, device: Device::Narrow })
            .into_iter()
            .chain((1..count).map(|count| Verb::DmaAlloc { first, count, buffer, device }))
            .chain(lower(first).map(|first| Verb::DmaAlloc { first, count, buffer, device }))
            .collect(),
        Verb::DmaFree { buffer } => {
            slots(buffer.number()).map(|buffer| Verb::DmaFree { buffer: BufferSlot::new(buffer) }).collect()
        }
        Verb::DeviceRead { buffer, page } => {
            (0..page).map(|page| Verb::DeviceRead { buffer, page }).collect()
        }
        Verb::DeviceWrite { buffer, page } => std::iter::once(Verb::DeviceRead { buffer, page })
            .chain((0..page).map(|page| Verb::DeviceWrite { buffer, page }))
            .collect(),
        Verb::Raw(call) => raw(call).into_iter().map(Verb::Raw).collect(),
        Verb::Read { place } => places(place).into_iter().map(|place| Verb::Read { place }).collect(),
        Verb::Write { place } => std::iter::once(Verb::Read { place })
            .chain(places(place).into_iter().map(|place| Verb::Write { place }))
            .collect(),
        Verb::Owned(owned) => plainer_owned(owned).into_iter().map(Verb::Owned).collect(),
        Verb::Mm(call) => plainer_mm(call).into_iter().map(Verb::Mm).collect(),
    }
}

fn plainer_mm(call: MmCall) -> Vec<MmCall> {
    let lower = |mm: MmSlot| (0..mm.number()).map(MmSlot::new);
    match call {
        MmCall::New { .. } | MmCall::Switch { to: Root::Init } => Vec::new(),
        MmCall::Switch { to: Root::Mm(mm) } => {
            let lower = lower(mm).map(Root::Mm);
            std::iter::once(Root::Init).chain(lower).map(|to| MmCall::Switch { to }).collect()
        }
        MmCall::Drop { mm } => lower(mm).map(|mm| MmCall::Drop { mm }).collect(),
    }
}

fn plainer_owned(owned: Owned) -> Vec<Owned> {
    let areas = |area: AreaSlot| (0..area.number()).map(AreaSlot::new);
    match owned {
        Owned::Vmalloc { count, area, huge } => huge
            .then_some(Owned::Vmalloc { count, area, huge: false })
            .into_iter()
            .chain((1..count).map(|count| Owned::Vmalloc { count, area, huge }))
            .collect(),
        Owned::SetMemory { area, access } => {
            areas(area).map(|area| Owned::SetMemory { area, access }).collect()
        }
        Owned::SetMemoryType { area, memory_type } => {
            areas(area).map(|area| Owned::SetMemoryType { area, memory_type }).collect()
        }
        Owned::Vfree { area } => areas(area).map(|area| Owned::Vfree { area }).collect(),
        Owned::Exec { place } => places(place).into_iter().map(|place| Owned::Exec { place }).collect(),
        Owned::ReadDirect { place } => {
            places(place).into_iter().map(|place| Owned::ReadDirect { place }).collect()
        }
        Owned::WriteDirect { place, token } => std::iter::once(Owned::ReadDirect { place })
            .chain(places(place).into_iter().map(|place| Owned::WriteDirect { place, token }))
            .collect(),
    }
}

fn raw(call: RawCall) -> Vec<RawCall> {
    match call {
        RawCall::Update { table, index, entry } => updates(table, index, entry)
            .map(|(table, index, entry)| RawCall::Update { table, index, entry })
            .collect(),
        RawCall::UpdateVa { table, index, entry } => updates(table, index, entry)
            .map(|(table, index, entry)| RawCall::UpdateVa { table, index, entry })
            .collect(),
        RawCall::Pin { page, level } => (1..level)
            .map(|level| RawCall::Pin { page, level })
            .chain(lower(page).map(|page| RawCall::Pin { page, level }))
            .collect(),
        RawCall::Unpin { page } => lower(page).map(|page| RawCall::Unpin { page }).collect(),
        RawCall::Exchange { page } => lower(page).map(|page| RawCall::Exchange { page }).collect(),
        RawCall::Write { table, index } => (0..index)
            .map(|index| RawCall::Write { table, index })
            .chain(lower(table).map(|table| RawCall::Write { table, index }))
            .collect(),
        RawCall::Flush => Vec::new(),
    }
}

/// Plainer updates of an entry.
fn updates(table: PageSlot, index: u8, entry: RawEntry) -> impl Iterator<Item = (PageSlot, u8, RawEntry)> {
    let mut entries = vec![RawEntry::Empty];
    if let RawEntry::Leads { to, access } = entry {
        let plainer = RawAccess::ALL.into_iter().filter(|plain| *plain < access);
        entries.extend(plainer.map(|access| RawEntry::Leads { to, access }));
        if let RawFrame::Page(page) = to {
            entries.extend(lower(page).map(|page| RawEntry::Leads { to: RawFrame::Page(page), access }));
        }
    }
    let entries = entries.into_iter().map(move |entry| (table, index, entry));
    let indices = (0..index).map(move |index| (table, index, entry));
    entries.chain(indices).chain(lower(table).map(move |table| (table, index, entry)))
}

fn lower(page: PageSlot) -> impl Iterator<Item = PageSlot> {
    (0..page.number()).map(PageSlot::new)
}

fn places(place: Place) -> Vec<Place> {
    (0..place.page).map(|page| Place { page, ..place }).collect()
}

/// Areas are numbered by their first appearance.
fn rename_areas(events: &mut [Event]) {
    let mut names: Vec<u8> = Vec::new();
    let mut rename = |area: &mut AreaSlot| *area = AreaSlot::new(number(&mut names, area.number()));
    for event in events {
        match &mut event.action {
            Action::Call {
                verb:
                    Verb::Vmap { area, .. }
                    | Verb::Vunmap { area }
                    | Verb::Owned(
                        Owned::Vmalloc { area, .. }
                        | Owned::SetMemory { area, .. }
                        | Owned::SetMemoryType { area, .. }
                        | Owned::Vfree { area },
                    ),
                ..
            } => rename(area),
            Action::Call {
                verb:
                    Verb::Read { place }
                    | Verb::Write { place }
                    | Verb::Owned(
                        Owned::Exec { place }
                        | Owned::ReadDirect { place }
                        | Owned::WriteDirect { place, .. },
                    ),
                ..
            }
            | Action::Fill { place } => {
                if let Mapping::Area(area) = &mut place.mapping {
                    rename(area);
                }
            }
            _ => {}
        }
    }
}

/// So are the mappings of map-ram.
fn rename_rams(events: &mut [Event]) {
    let mut names: Vec<u8> = Vec::new();
    let mut rename = |ram: &mut RamSlot| *ram = RamSlot::new(number(&mut names, ram.number()));
    for event in events {
        match &mut event.action {
            Action::Call { verb: Verb::MapRam { ram, .. } | Verb::UnmapRam { ram }, .. } => rename(ram),
            Action::Call {
                verb: Verb::Read { place } | Verb::Write { place } | Verb::Owned(Owned::Exec { place }),
                ..
            }
            | Action::Fill { place } => {
                if let Mapping::Ram(ram) = &mut place.mapping {
                    rename(ram);
                }
            }
            _ => {}
        }
    }
}

/// So are buffers.
fn rename_buffers(events: &mut [Event]) {
    let mut names: Vec<u8> = Vec::new();
    let mut rename = |buffer: &mut BufferSlot| *buffer = BufferSlot::new(number(&mut names, buffer.number()));
    for event in events {
        match &mut event.action {
            Action::Call {
                verb:
                    Verb::DmaAlloc { buffer, .. }
                    | Verb::DmaFree { buffer }
                    | Verb::DeviceRead { buffer, .. }
                    | Verb::DeviceWrite { buffer, .. },
                ..
            } => rename(buffer),
            Action::Call {
                verb: Verb::Read { place } | Verb::Write { place } | Verb::Owned(Owned::Exec { place }),
                ..
            }
            | Action::Fill { place } => {
                if let Mapping::Buffer(buffer) = &mut place.mapping {
                    rename(buffer);
                }
            }
            _ => {}
        }
    }
}

/// So are trees.
fn rename_trees(events: &mut [Event]) {
    let mut names: Vec<u8> = Vec::new();
    for event in events {
        if let Action::Call { verb: Verb::PinTree { tree, .. } | Verb::UnpinTree { tree }, .. } =
            &mut event.action
        {
            *tree = TreeSlot::new(number(&mut names, tree.number()));
        }
    }
}

/// So are address spaces.
fn rename_mms(events: &mut [Event]) {
    let mut names: Vec<u8> = Vec::new();
    for event in events {
        if let Action::Call {
            verb: Verb::Mm(MmCall::New { mm } | MmCall::Switch { to: Root::Mm(mm) } | MmCall::Drop { mm }),
            ..
        } = &mut event.action
        {
            *mm = MmSlot::new(number(&mut names, mm.number()));
        }
    }
}

fn number(names: &mut Vec<u8>, name: u8) -> u8 {
    let known = names.iter().position(|known| *known == name);
    known.unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    }) as u8
}
