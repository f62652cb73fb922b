//! Every story that the text form can express, for proptest.

use harness::combinations;
use harness::story::{Action, Backends, Event, Header, MAX_CPUS, MAX_STORES, Story, Verb};
use impls::{Designs, Sizes};
use machine::{Family, Pause, Point, PointKind, Temperament};
use oracle::vocabulary::astray::{RawAccess, RawCall, RawEntry, RawFrame};
use oracle::vocabulary::{
    Access, AreaSlot, BufferSlot, Device, MAX_PAGES, Mapping, MemoryType, MmCall, MmSlot, Owned, PageSlot,
    Place, RamSlot, Root, SLOTS, Token, TreeSlot,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn story() -> impl Strategy<Value = Story> {
    header().prop_flat_map(|header| {
        vec(event(header.cpus), 0..60).prop_map(move |events| Story { header, events })
    })
}

fn header() -> impl Strategy<Value = Header> {
    (1..=MAX_CPUS, 0..=15u8, select(Sizes::ALL.to_vec()), 1..=3u8, designs()).prop_map(
        |(cpus, wild, sizes, backends, mut designs)| {
            let backends = Backends::from_bits_truncate(backends);
            combinations::repair(&mut designs, backends);
            Header { cpus, temperament: Temperament::from_bits_truncate(wild), sizes, backends, designs }
        },
    )
}

/// The defaults, or any variants.
fn designs() -> impl Strategy<Value = Designs> {
    let choices = vec(any::<prop::sample::Index>(), Designs::POINTS.len());
    option::of(choices).prop_map(|choices| {
        let mut designs = Designs::default();
        for (point, choice) in Designs::POINTS.iter().zip(choices.unwrap_or_default()) {
            let (variant, _) = choice.get(point.variants);
            designs.choose(point.name, variant).expect("a variant of the point");
        }
        designs
    })
}

fn event(cpus: u8) -> impl Strategy<Value = Event> {
    (0..cpus, action(cpus), option::of(pause())).prop_map(|(cpu, action, pause)| Event {
        cpu: if action.has_cpu() { cpu } else { 0 },
        action,
        pause: pause.filter(|_| action.takes_pause()),
    })
}

fn action(cpus: u8) -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => (verb(), any::<bool>()).prop_map(|(verb, off)| {
            Action::Call { verb, irqs_off: off && verb.takes_irqs_off() }
        }),
        3 => Just(Action::Continue),
        1 => option::of(0..cpus).prop_map(|from| Action::Deliver { from }),
        1 => place().prop_map(|place| Action::Fill { place }),
        1 => (1..=MAX_STORES).prop_map(|count| Action::DrainStores { count }),
        1 => Just(Action::GracePeriod),
        1 => Just(Action::RunWork),
        1 => Just(Action::Touch),
    ]
}

fn verb() -> impl Strategy<Value = Verb> {
    let page = || (0..SLOTS).prop_map(PageSlot::new);
    let area = || (0..SLOTS).prop_map(AreaSlot::new);
    let ram = || (0..SLOTS).prop_map(RamSlot::new);
    let buffer = || (0..SLOTS).prop_map(BufferSlot::new);
    let tree = || (0..SLOTS).prop_map(TreeSlot::new);
    let count = || 1..=MAX_PAGES as u8;
    let within = || 0..MAX_PAGES as u8;
    prop_oneof![
        1 => page().prop_map(|page| Verb::AllocPage { page }),
        1 => page().prop_map(|page| Verb::FreePage { page }),
        1 => (page(), count(), area()).prop_map(|(first, count, area)| Verb::Vmap { first, count, area }),
        1 => area().prop_map(|area| Verb::Vunmap { area }),
        1 => (page(), count(), ram()).prop_map(|(first, count, ram)| Verb::MapRam { first, count, ram }),
        1 => ram().prop_map(|ram| Verb::UnmapRam { ram }),
        1 => Just(Verb::DrainAliases),
        1 => place().prop_map(|place| Verb::Read { place }),
        1 => place().prop_map(|place| Verb::Write { place }),
        1 => page().prop_map(|page| Verb::MakeTable { page }),
        1 => page().prop_map(|page| Verb::UnmakeTable { page }),
        2 => (page(), count(), buffer(), select(&[Device::Narrow, Device::Wide][..])).prop_map(
            |(first, count, buffer, device)| Verb::DmaAlloc { first, count, buffer, device }
        ),
        1 => buffer().prop_map(|buffer| Verb::DmaFree { buffer }),
        1 => (buffer(), within()).prop_map(|(buffer, page)| Verb::DeviceRead { buffer, page }),
        1 => (buffer(), within()).prop_map(|(buffer, page)| Verb::DeviceWrite { buffer, page }),
        1 => page().prop_map(|page| Verb::SetPageFlag { page }),
        1 => (page(), count(), tree()).prop_map(|(first, count, tree)| Verb::PinTree { first, count, tree }),
        1 => tree().prop_map(|tree| Verb::UnpinTree { tree }),
        1 => Just(Verb::TrackAliases),
        5 => raw().prop_map(Verb::Raw),
        5 => owned().prop_map(Verb::Owned),
        3 => mm().prop_map(Verb::Mm),
    ]
}

fn mm() -> impl Strategy<Value = MmCall> {
    let mm = || (0..SLOTS).prop_map(MmSlot::new);
    prop_oneof![
        mm().prop_map(|mm| MmCall::New { mm }),
        mm().prop_map(|mm| MmCall::Switch { to: Root::Mm(mm) }),
        Just(MmCall::Switch { to: Root::Init }),
        mm().prop_map(|mm| MmCall::Drop { mm }),
    ]
}

fn raw() -> impl Strategy<Value = RawCall> {
    let page = || (0..SLOTS).prop_map(PageSlot::new);
    let index = || 0..RawCall::ENTRIES;
    let to = prop_oneof![3 => page().prop_map(RawFrame::Page), 1 => Just(RawFrame::Foreign)];
    let leads = (to, select(&RawAccess::ALL[..]));
    let entry = prop_oneof![
        1 => Just(RawEntry::Empty),
        3 => leads.prop_map(|(to, access)| RawEntry::Leads { to, access }),
    ];
    let update = (page(), index(), entry);
    prop_oneof![
        update.clone().prop_map(|(table, index, entry)| RawCall::Update { table, index, entry }),
        update.prop_map(|(table, index, entry)| RawCall::UpdateVa { table, index, entry }),
        (page(), 1..=4u8).prop_map(|(page, level)| RawCall::Pin { page, level }),
        page().prop_map(|page| RawCall::Unpin { page }),
        (page(), index()).prop_map(|(table, index)| RawCall::Write { table, index }),
        Just(RawCall::Flush),
        (0..SLOTS).prop_map(|page| RawCall::Exchange { page: PageSlot::new(page) }),
    ]
}

fn owned() -> impl Strategy<Value = Owned> {
    let area = || (0..SLOTS).prop_map(AreaSlot::new);
    let direct =
        || (area(), 0..MAX_PAGES as u8).prop_map(|(area, page)| Place { mapping: Mapping::Area(area), page });
    prop_oneof![
        (1..=MAX_PAGES as u8, area(), any::<bool>()).prop_map(|(count, area, huge)| Owned::Vmalloc {
            count,
            area,
            huge
        }),
        (area(), select(Access::ALL.to_vec())).prop_map(|(area, access)| Owned::SetMemory { area, access }),
        (area(), select(MemoryType::ALL.to_vec()))
            .prop_map(|(area, memory_type)| Owned::SetMemoryType { area, memory_type }),
        area().prop_map(|area| Owned::Vfree { area }),
        place().prop_map(|place| Owned::Exec { place }),
        direct().prop_map(|place| Owned::ReadDirect { place }),
        direct().prop_map(|place| Owned::WriteDirect { place, token: Token::ZERO }),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    let mapping = prop_oneof![
        (0..SLOTS).prop_map(|slot| Mapping::Area(AreaSlot::new(slot))),
        (0..SLOTS).prop_map(|slot| Mapping::Ram(RamSlot::new(slot))),
        (0..SLOTS).prop_map(|slot| Mapping::Buffer(BufferSlot::new(slot))),
    ];
    (mapping, 0..MAX_PAGES as u8).prop_map(|(mapping, page)| Place { mapping, page })
}

fn pause() -> impl Strategy<Value = Pause> {
    let own = Family::OWN.iter().chain(impls::family::ALL).map(|(family, _)| *family);
    let families: Vec<Family> = own.chain([Family::NONE]).collect();
    prop_oneof![
        (1..=40u16).prop_map(Pause::At),
        (1..=u16::MAX).prop_map(Pause::At),
        (select(PointKind::ALL.to_vec()), select(families), 1..=u8::MAX).prop_map(
            |(kind, family, occurrence)| { Pause::Before { point: Point { kind, family }, occurrence } }
        ),
    ]
}
