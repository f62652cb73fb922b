//! The cost model: nanoseconds for each thing that is counted, read from a file.
//!
//! The one that comes with the project is `harness/data/cost-model.toml`; where each of its figures comes from stands
//! beside it.

use machine::{Counted, Prices};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The model that comes with the project.
pub const DEFAULT: &str = include_str!("../../data/cost-model.toml");

/// The most that a thing may cost, in nanoseconds: a second.
const MOST: f64 = 1e9;

/// A price in nanoseconds, kept in picoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Price(u64);

impl Price {
    /// In nanoseconds.
    pub fn nanoseconds(self) -> f64 {
        nanoseconds(self.0)
    }
}

impl Serialize for Price {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.nanoseconds())
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Price;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "nanoseconds, a number from 0 to {MOST}")
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Price, E> {
                if !(0.0..=MOST).contains(&value) {
                    return Err(E::invalid_value(de::Unexpected::Float(value), &self));
                }
                #[expect(clippy::cast_sign_loss, reason = "not below 0")]
                Ok(Price((value * 1000.0).round() as u64))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Price, E> {
                let most = MOST as i64;
                if !(0..=most).contains(&value) {
                    return Err(E::invalid_value(de::Unexpected::Signed(value), &self));
                }
                Ok(Price(value.unsigned_abs() * 1000))
            }
        }
        from.deserialize_any(Number)
    }
}

/// Picoseconds as nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn nanoseconds(picoseconds: u64) -> f64 {
    picoseconds as f64 / 1000.0
}

macro_rules! model {
    ($($(#[doc = $doc:literal])+ $key:ident,)+) => {
        /// What each thing costs the CPU that does it.
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Nanoseconds {
            $($(#[doc = $doc])+ pub $key: Price,)+
        }

        /// The names of all prices.
        pub const KEYS: &[&str] = &[$(stringify!($key)),+];

        impl Nanoseconds {
            /// The price of this name.
            pub fn price_mut(&mut self, key: &str) -> Option<&mut Price> {
                match key {
                    $(stringify!($key) => Some(&mut self.$key),)+
                    _ => None,
                }
            }
        }
    };
}

model! {
    /// A plain load that hits the cache.
    load,
    /// A plain store.
    store,
    /// A locked read-modify-write of a line that this CPU owns.
    locked,
    /// A full fence.
    fence,
    /// A variable comes from another CPU's cache.
    transfer,
    /// What the holder of a lock does to data that the machine does not see, for each lock taken.
    lock,
    /// A page is zeroed.
    clear_page,
    /// An access that the TLB answers.
    access,
    /// An entry read by a walk.
    walk_level,
    /// A single page invalidated.
    flush_page,
    /// A flush of everything but global entries.
    flush_full,
    /// A flush of everything, global entries too.
    flush_global,
    /// A load of CR3 that flushes nothing.
    cr3,
    /// An interrupt is sent to one CPU.
    ipi,
    /// How long it is on its way.
    delivery,
    /// An interrupt is taken, and returned from.
    interrupt,
    /// An idle CPU wakes for it.
    wakeup,
    /// The interrupt flag is set or cleared.
    interrupt_flag,
    /// A trap into the hypervisor, and back.
    hypercall,
}

/// What things cost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// In nanoseconds each.
    pub nanoseconds: Nanoseconds,
    /// Where the prices come from, by name. One that begins with [`ESTIMATE`] says why none was found.
    #[serde(default, deserialize_with = "of_prices")]
    pub sources: BTreeMap<String, String>,
}

/// How the source of a price begins if the price is no measurement.
pub const ESTIMATE: &str = "estimate";

/// Sources by the names of prices alone.
fn of_prices<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let sources = BTreeMap::<String, String>::deserialize(from)?;
    match sources.keys().find(|key| !KEYS.contains(&key.as_str())) {
        None => Ok(sources),
        Some(key) => Err(de::Error::custom(format!("a source of `{key}`, which is no price"))),
    }
}

/// What is wrong with a model, and where: line and column count from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelError {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub text: String,
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.text)
    }
}

impl std::error::Error for ModelError {}

impl Model {
    /// Reads a model: a table `[nanoseconds]` with a price for each of [`KEYS`], and `[sources]` of those that have one.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let before = &text[..text.floor_char_boundary(at)];
            let line_start = before.rfind('\n').map_or(0, |end| end + 1);
            let message = error.message().trim_end();
            let missing = message.starts_with("missing field");
            let hint = if missing {
                format!("; expected [nanoseconds] with a price for each of {}", KEYS.join(", "))
            } else {
                String::new()
            };
            ModelError {
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
                text: format!("{message}{hint}"),
            }
        })
    }

    /// Whether a price is estimated: its source says so, or is not told.
    pub fn estimated(&self, key: &str) -> bool {
        self.sources.get(key).is_none_or(|source| source.starts_with(ESTIMATE))
    }

    /// The same with one price multiplied by numerator / denominator.
    pub(super) fn with_price_times(&self, key: &str, numerator: u64, denominator: u64) -> Self {
        let mut other = self.clone();
        let price = other.nanoseconds.price_mut(key).expect("one of KEYS");
        price.0 = price.0 * numerator / denominator;
        other
    }

    /// Its prices, for the machine's meter.
    pub fn prices(&self) -> Prices {
        let ns = &self.nanoseconds;
        Prices::new(ns.delivery.0, |what| {
            let price = match what {
                Counted::Load => ns.load,
                Counted::Store => ns.store,
                Counted::Locked => ns.locked,
                Counted::Fence => ns.fence,
                Counted::Transfer => ns.transfer,
                Counted::Lock => ns.lock,
                Counted::Cleared => ns.clear_page,
                Counted::Access => ns.access,
                Counted::WalkLevel => ns.walk_level,
                Counted::FlushPage => ns.flush_page,
                Counted::FlushFull => ns.flush_full,
                Counted::FlushGlobal => ns.flush_global,
                Counted::Cr3 => ns.cr3,
                Counted::IpiBusy | Counted::IpiIdle => ns.ipi,
                Counted::Interrupt => ns.interrupt,
                Counted::Wakeup => ns.wakeup,
                Counted::InterruptFlag => ns.interrupt_flag,
                Counted::Hypercall => ns.hypercall,
                // These say how the time came about, and cost none of their own.
                Counted::Fault
                | Counted::Walk
                | Counted::SpeculativeWalk
                | Counted::LeavesLost
                | Counted::PathsLost
                | Counted::LockWait
                | Counted::AnswerWait
                | Counted::GraceWait => Price::default(),
            };
            price.0
        })
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::parse(DEFAULT).expect("the model that comes with the project can be read")
    }
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT, KEYS, Model};

    #[test]
    fn the_model_that_comes_with_the_project_says_where_each_figure_comes_from() {
        let model = Model::parse(DEFAULT).expect("it can be read");
        for key in KEYS {
            let source = model.sources.get(*key).unwrap_or_else(|| panic!("{key} has a source"));
            assert!(source.len() > 20 && source.contains(": "), "{key}: {source}");
        }
        let estimated: Vec<_> = KEYS.iter().filter(|key| model.estimated(key)).collect();
        assert!(estimated.is_empty(), "{estimated:?} are nobody's measurements");
    }

    #[test]
    fn a_price_without_a_source_is_an_estimate_and_a_source_without_a_price_is_wrong() {
        let (prices, _) = DEFAULT.split_once("[sources]").expect("it has sources");
        let model = Model::parse(prices).expect("sources may be left out");
        assert!(KEYS.iter().all(|key| model.estimated(key)));
        let wrong = Model::parse(&format!("{prices}[sources]\nlatency = \"somebody\"\n"));
        let said = wrong.expect_err("there is no such price").to_string();
        assert!(said.contains("a source of `latency`, which is no price"), "{said}");
    }

    #[test]
    fn one_price_is_changed_and_no_other() {
        let model = Model::default();
        for key in KEYS {
            let mut doubled = model.with_price_times(key, 2, 1);
            assert_ne!(doubled, model, "{key}");
            let price = doubled.nanoseconds.price_mut(key).expect("it is there");
            price.0 /= 2;
            assert_eq!(doubled, model, "{key}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_what_was_expected() {
        let wrong = |from: &str, to: &str| {
            let text = DEFAULT.replace(from, to);
            assert_ne!(text, DEFAULT, "{from} is there");
            Model::parse(&text).expect_err("it is wrong").to_string()
        };
        let price = DEFAULT.lines().find(|line| line.starts_with("fence = ")).expect("a price");
        let number = DEFAULT.lines().position(|line| line == price).expect("it is there") + 1;
        let unknown = wrong(price, "fense = 1");
        assert!(unknown.starts_with(&format!("line {number}, column 1: ")), "{unknown}");
        assert!(unknown.contains("unknown field `fense`, expected one of `load`, `store`"), "{unknown}");
        let missing = wrong(price, "");
        assert!(missing.contains("missing field `fence`; expected [nanoseconds] with a price"), "{missing}");
        for value in ["-1", "-0.5", "nan", "inf", "2e9", "3000000000", "\"much\""] {
            let invalid = wrong(price, &format!("fence = {value}"));
            assert!(invalid.starts_with(&format!("line {number}, column 9: ")), "{invalid}");
            assert!(invalid.contains("expected nanoseconds, a number from 0 to 1000000000"), "{invalid}");
        }
    }

    #[test]
    fn fractions_of_a_nanosecond_count() {
        let price = DEFAULT.lines().find(|line| line.starts_with("load = ")).expect("a price");
        let model = Model::parse(&DEFAULT.replace(price, "load = 0.25")).expect("it is right");
        assert!((model.nanoseconds.load.nanoseconds() - 0.25).abs() < f64::EPSILON);
        assert_eq!(model.nanoseconds.load.0, 250);
    }
}
