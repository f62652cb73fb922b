//! The tags of records and the words of the text form. Those of operations stand in the rows, those of all other records here.
//!
//! Tags are stored in files: a tag is never renumbered and never reused. A byte that is no tag stands for another one
//! ([`Tag::of`]), which may change at any time: what [`Story::encode`](super::Story::encode) writes holds proper tags only, so
//! its meaning is not touched when a tag is added.

use oracle::vocabulary::{Operation, ROWS, Row, Stage};

use super::Action;

macro_rules! tags {
    ($(
        $(#[doc = $about:literal])+
        $tag:literal $word:literal $name:ident { $($operand:tt)* } $($flag:ident)* => $answers:ident;
    )+) => {
        /// What a record is.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Tag {
            $($(#[doc = $about])+ $name = $tag,)+
            /// [`Action::Continue`].
            Continue = 128,
            /// [`Action::Deliver`].
            Deliver = 129,
            /// [`Action::Fill`].
            Fill = 130,
            /// [`Action::DrainStores`].
            DrainStores = 131,
            /// [`Action::GracePeriod`].
            GracePeriod = 132,
            /// [`Action::RunWork`].
            RunWork = 133,
            /// [`Action::Touch`].
            Touch = 134,
            /// [`Action::FillUser`].
            FillUser = 135,
            /// [`Action::HostPreempt`].
            HostPreempt = 136,
            /// [`Action::HostEnter`].
            HostEnter = 137,
            /// [`Action::ApplyBroadcast`].
            ApplyBroadcast = 138,
            /// A pause by number, up to 255, of the event before.
            PauseAt = 192,
            /// A pause by any number, of the event before.
            PauseAtFar = 193,
            /// A pause by name, of the event before.
            PauseBefore = 194,
            /// Designs of the header.
            Designs = 195,
            /// Three more operand bytes of the event before.
            Operands = 196,
        }

        impl Tag {
            /// Every tag, those of operations first, in the order of their rows.
            pub const ALL: &'static [Self] = &[
                $(Self::$name,)+
                Self::Continue,
                Self::Deliver,
                Self::Fill,
                Self::DrainStores,
                Self::GracePeriod,
                Self::RunWork,
                Self::Touch,
                Self::FillUser,
                Self::HostPreempt,
                Self::HostEnter,
                Self::ApplyBroadcast,
                Self::PauseAt,
                Self::PauseAtFar,
                Self::PauseBefore,
                Self::Designs,
                Self::Operands,
            ];
        }
    };
}

oracle::for_each_operation!(tags);

/// By number, where each tag is among all, from 1 on; 0 is none.
const PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut at = 0;
    while at < Tag::ALL.len() {
        places[Tag::ALL[at] as usize] = at as u8 + 1;
        at += 1;
    }
    places
};

impl Tag {
    /// The number that the bytes of a story hold.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The tag of this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match PLACES[number as usize] {
            0 => None,
            place => Some(Self::ALL[place as usize - 1]),
        }
    }

    /// What a byte stands for. One that is no tag stands for an event or a near pause: designs are never meant by chance, for a
    /// story is about what the defaults do unless its author means otherwise, and what is far away nothing reaches.
    pub fn of(byte: u8) -> Self {
        let stands_in = |tag: &&Self| tag.is_event() || matches!(tag, Self::PauseAt | Self::PauseBefore);
        Self::from_number(byte).unwrap_or_else(|| {
            let stand_ins = || Self::ALL.iter().filter(stands_in);
            *stand_ins().nth(usize::from(byte) % stand_ins().count()).expect("there are so many")
        })
    }

    /// The tag of an operation.
    #[inline]
    pub const fn of_operation<S: Stage>(operation: &Operation<S>) -> Self {
        Self::ALL[operation.index()]
    }

    /// The tag of the event that this word begins.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tag| tag.is_event() && tag.word() == word)
    }

    /// The row of the operation, if it is one.
    pub const fn row(self) -> Option<&'static Row> {
        let place = PLACES[self as usize] as usize - 1;
        if place < ROWS.len() { Some(&ROWS[place]) } else { None }
    }

    /// The word that begins it in the text form.
    pub const fn word(self) -> &'static str {
        if let Some(row) = self.row() {
            return row.word;
        }
        match self {
            Self::Continue => "continue",
            Self::Deliver => "deliver",
            Self::Fill => "fill",
            Self::DrainStores => "drain-stores",
            Self::GracePeriod => "grace-period",
            Self::RunWork => "run-work",
            Self::Touch => "touch",
            Self::FillUser => "fill-user",
            Self::HostPreempt => "host-preempt",
            Self::HostEnter => "host-enter",
            Self::ApplyBroadcast => "apply-broadcast",
            Self::Designs => "designs",
            Self::Operands => "",
            _ => "pause",
        }
    }

    /// Whether the record is an event of its own.
    pub const fn is_event(self) -> bool {
        self.number() < Self::PauseAt.number()
    }

    /// Whether the record is an operation of the kernels.
    pub const fn is_call(self) -> bool {
        self.number() < Self::Continue.number()
    }

    /// Whether the event happens on no CPU, and stands on a line without one.
    pub const fn is_on_no_cpu(self) -> bool {
        match self.row() {
            Some(row) => row.device,
            None => matches!(self, Self::GracePeriod | Self::Touch),
        }
    }

    /// Whether the record modifies the event before it.
    pub const fn is_pause(self) -> bool {
        matches!(self, Self::PauseAt | Self::PauseAtFar | Self::PauseBefore)
    }
}

impl Action {
    /// The tag of its record.
    pub const fn tag(&self) -> Tag {
        match self {
            Self::Call(call) => Tag::of_operation(&call.operation),
            Self::Continue => Tag::Continue,
            Self::Deliver { .. } => Tag::Deliver,
            Self::Fill { .. } => Tag::Fill,
            Self::DrainStores { .. } => Tag::DrainStores,
            Self::GracePeriod => Tag::GracePeriod,
            Self::RunWork => Tag::RunWork,
            Self::Touch => Tag::Touch,
            Self::FillUser { .. } => Tag::FillUser,
            Self::HostPreempt => Tag::HostPreempt,
            Self::HostEnter => Tag::HostEnter,
            Self::ApplyBroadcast => Tag::ApplyBroadcast,
        }
    }
}
