//! The text of a story, as it is written. What is written here [`parse`](super::parse) reads back exactly.

use core::fmt::{self, Write as _};

use machine::{Family, Pause, Temperament};

use super::{Action, Backends, Document, Event, Header, Story, VERSION};

/// The words for the temperaments of the hardware.
pub const TEMPERAMENTS: [(Temperament, &str); 4] = [
    (Temperament::EAGER_WALKERS, "eager-walkers"),
    (Temperament::LAZY_STORES, "lazy-stores"),
    (Temperament::LIFO_REUSE, "lifo-reuse"),
    (Temperament::REORDERED_INTERRUPTS, "reordered-interrupts"),
];

/// The word for hardware without any temperament.
pub(super) const CALM: &str = "calm";

/// The words for the backends.
pub const BACKENDS: [(Backends, &str); 4] = [
    (Backends::NATIVE, "native"),
    (Backends::XEN, "xen"),
    (Backends::KVM, "kvm"),
    (Backends::HYPERV, "hyperv"),
];

/// The lane of the other domain.
pub(super) const OTHER_DOMAIN: &str = "d1";

/// Pauses stand in this column where the event before them leaves room, counted from 0.
const PAUSE_COLUMN: usize = 28;

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "story {VERSION}")?;
        write!(f, "{}", self.under)?;
        if let Some(finds) = &self.finds {
            writeln!(f, "finds {finds}")?;
        }
        write_body(&self.story, f)
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "story {VERSION}")?;
        write_body(self, f)
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn write_body(story: &Story, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{}", story.header)?;
    story.events.iter().try_for_each(|event| writeln!(f, "{event}"))
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpus {}, hardware", self.cpus)?;
        for (_, word) in TEMPERAMENTS.iter().filter(|(flag, _)| self.temperament.contains(*flag)) {
            write!(f, " {word}")?;
        }
        if self.temperament.is_empty() {
            write!(f, " {CALM}")?;
        }
        write!(f, ", sizes {}, backends", self.sizes.name())?;
        for (_, word) in BACKENDS.iter().filter(|(flag, _)| self.backends.contains(*flag)) {
            write!(f, " {word}")?;
        }
        for (n, (point, variant)) in self.designs.changed().enumerate() {
            write!(f, "{} {point}={variant}", if n == 0 { ", designs" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = Counted { inner: f, column: 0 };
        if self.action.has_cpu() {
            write!(f, "c{}  ", self.cpu)?;
        } else if self.action == Action::Touch {
            write!(f, "{OTHER_DOMAIN}  ")?;
        }
        write!(f, "{}", self.action)?;
        if let Some(pause) = self.pause {
            let gap = PAUSE_COLUMN.saturating_sub(f.column).max(2);
            write!(f, "{:gap$}{}", "", PauseText(pause))?;
        }
        Ok(())
    }
}

/// Counts what was written on the line, so that pauses line up without a copy of the line. All of it is ASCII.
struct Counted<'a, 'b> {
    inner: &'a mut fmt::Formatter<'b>,
    column: usize,
}

impl fmt::Write for Counted<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.column += text.len();
        self.inner.write_str(text)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Call(call) = self {
            return call.fmt(f);
        }
        write!(f, "{}", self.name())?;
        match self {
            Self::Deliver { from: Some(cpu) } => write!(f, " from c{cpu}"),
            Self::Fill { place } => write!(f, " {place}"),
            Self::FillUser { at } => write!(f, " {at}"),
            Self::DrainStores { count } => write!(f, " {count}"),
            Self::Call(_)
            | Self::Deliver { from: None }
            | Self::Continue
            | Self::GracePeriod
            | Self::RunWork
            | Self::HostPreempt
            | Self::HostEnter
            | Self::ApplyBroadcast
            | Self::Touch => Ok(()),
        }
    }
}

/// A pause as the text form has it.
#[derive(Clone, Copy, Debug)]
pub struct PauseText(pub Pause);

impl fmt::Display for PauseText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Pause::At(number) => write!(f, "pause at {number}"),
            Pause::Before { point, occurrence } => {
                write!(f, "pause before {}", point.kind.name())?;
                if point.family != Family::NONE {
                    write!(f, " {}", impls::family::name(point.family).unwrap_or("?"))?;
                }
                if occurrence == 1 { Ok(()) } else { write!(f, " #{occurrence}") }
            }
        }
    }
}
