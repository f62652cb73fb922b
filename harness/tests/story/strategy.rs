//! Every story that the text form can express, for proptest.

use harness::combinations;
use harness::story::{Action, Backends, Event, Header, MAX_CPUS, MAX_STORES, Story};
use impls::{Designs, Sizes};
use machine::{Family, Pause, Point, PointKind, Temperament};
use oracle::vocabulary::{
    AreaSlot, Backing, BufferPage, BufferSlot, Call, Count, Destination, Level, MAX_PAGES, MAX_RANGE,
    Mapping, MmSlot, ObjectPage, ObjectSlot, Operation, OwnPage, PageRun, PageSlot, PinSlot, PinnedPage,
    Place, RamSlot, RawAccess, RawEntry, RawFrame, Root, SLOTS, TableEntry, Told, TreeSlot, USER_PAGES,
    Unnamed, UserAccess, UserPage, UserRange,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

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
        12 => (operation(), any::<bool>()).prop_map(|(operation, off)| {
            Action::Call(Call { operation, irqs_off: off && operation.row().irqs_off })
        }),
        3 => Just(Action::Continue),
        1 => option::of(0..cpus).prop_map(|from| Action::Deliver { from }),
        1 => any_operand().prop_map(|place| Action::Fill { place }),
        1 => any_operand().prop_map(|at| Action::FillUser { at }),
        1 => (1..=MAX_STORES).prop_map(|count| Action::DrainStores { count }),
        1 => Just(Action::GracePeriod),
        1 => Just(Action::RunWork),
        1 => Just(Action::Touch),
    ]
}

/// An operand that the text form can express.
trait Any: Sized {
    fn any() -> BoxedStrategy<Self>;
}

fn any_operand<O: Any>() -> BoxedStrategy<O> {
    O::any()
}

macro_rules! slots {
    ($($slot:ident)*) => {
        $(impl Any for $slot {
            fn any() -> BoxedStrategy<Self> {
                (0..SLOTS).prop_map(Self::new).boxed()
            }
        })*
    };
}

slots!(PageSlot AreaSlot RamSlot BufferSlot TreeSlot MmSlot ObjectSlot PinSlot);

impl Any for PageRun {
    fn any() -> BoxedStrategy<Self> {
        (any_operand(), 1..=MAX_PAGES as u8).prop_map(|(first, count)| Self { first, count }).boxed()
    }
}

impl Any for Count {
    fn any() -> BoxedStrategy<Self> {
        (1..=MAX_PAGES as u8).prop_map(Self).boxed()
    }
}

impl Any for Place {
    fn any() -> BoxedStrategy<Self> {
        let mapping = prop_oneof![
            any_operand().prop_map(Mapping::Area),
            any_operand().prop_map(Mapping::Ram),
            any_operand().prop_map(Mapping::Buffer),
        ];
        (mapping, 0..MAX_PAGES as u8).prop_map(|(mapping, page)| Self { mapping, page }).boxed()
    }
}

impl Any for OwnPage {
    fn any() -> BoxedStrategy<Self> {
        (any_operand(), 0..MAX_PAGES as u8).prop_map(|(area, page)| Self { area, page }).boxed()
    }
}

impl Any for BufferPage {
    fn any() -> BoxedStrategy<Self> {
        (any_operand(), 0..MAX_PAGES as u8).prop_map(|(buffer, page)| Self { buffer, page }).boxed()
    }
}

impl Any for TableEntry {
    fn any() -> BoxedStrategy<Self> {
        (any_operand(), 0..Self::COUNT).prop_map(|(table, index)| Self { table, index }).boxed()
    }
}

impl Any for RawEntry {
    fn any() -> BoxedStrategy<Self> {
        let to = prop_oneof![3 => any_operand().prop_map(RawFrame::Page), 1 => Just(RawFrame::Foreign)];
        let leads = (to, select(&RawAccess::ALL[..]));
        prop_oneof![
            1 => Just(Self::Empty),
            3 => leads.prop_map(|(to, access)| Self::Leads { to, access }),
        ]
        .boxed()
    }
}

impl Any for Level {
    fn any() -> BoxedStrategy<Self> {
        (1..=4u8).prop_map(Self).boxed()
    }
}

impl Any for Root {
    fn any() -> BoxedStrategy<Self> {
        prop_oneof![any_operand().prop_map(Self::Mm), Just(Self::Init)].boxed()
    }
}

impl Any for UserPage {
    fn any() -> BoxedStrategy<Self> {
        (any_operand(), 0..USER_PAGES).prop_map(|(mm, page)| Self { mm, page }).boxed()
    }
}

impl Any for UserRange {
    fn any() -> BoxedStrategy<Self> {
        let parts = (any_operand(), 0..USER_PAGES, 1..=MAX_RANGE);
        parts.prop_map(|(mm, page, count)| Self { mm, page, count }).boxed()
    }
}

impl Any for Backing {
    fn any() -> BoxedStrategy<Self> {
        let from = || (any_operand(), 0..4u8).prop_map(|(object, page)| ObjectPage { object, page });
        prop_oneof![Just(Self::Anonymous), from().prop_map(Self::Shared), from().prop_map(Self::Private),]
            .boxed()
    }
}

impl Any for UserAccess {
    fn any() -> BoxedStrategy<Self> {
        select(&Self::ALL[..]).boxed()
    }
}

impl Any for Destination {
    fn any() -> BoxedStrategy<Self> {
        (0..USER_PAGES).prop_map(Self).boxed()
    }
}

impl Any for PinnedPage {
    fn any() -> BoxedStrategy<Self> {
        (any_operand(), 0..MAX_PAGES as u8).prop_map(|(pins, page)| Self { pins, page }).boxed()
    }
}

impl Any for Unnamed {
    fn any() -> BoxedStrategy<Self> {
        Just(Self).boxed()
    }
}

macro_rules! any_of {
    ($field:ident) => {
        any_operand()
    };
}

macro_rules! operations {
    ($($(#[$doc:meta])+ $tag:literal $word:literal $name:ident {
        $($field:ident: $kind:ty $(= $mode:ident $(($($role:ident),+))?)?),*
    } $($flag:ident)* => $answers:ident;)+) => {
        /// Any operation of the table, each row as often.
        fn operation() -> impl Strategy<Value = Operation<Told>> {
            Union::new([
                $((Just(()), $(any_of!($field)),*)
                    .prop_map(|((), $($field),*)| Operation::$name { $($field),* })
                    .boxed(),)+
            ])
        }
    };
}

oracle::for_each_operation!(operations);

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
