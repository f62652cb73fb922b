//! How much the verdicts rest on single prices: each is halved and doubled, by itself, and the workloads are run again.
//!
//! The verdicts on time are asked: what drains cost, and how eager unmapping and blocks grow, over fewer rounds than
//! elsewhere. Those on how many interrupts are saved are ratios of counts.

use serde::Serialize;

use super::model::KEYS;
use super::{Asked, Broken, Finding, Model, Report, drain, finding, scaling};

/// What becomes of the verdicts when one price is another.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Row {
    /// The name of the price.
    pub price: &'static str,
    /// What it is.
    pub nanoseconds: f64,
    /// Whether it is estimated.
    pub estimated: bool,
    /// How many verdicts there are.
    pub verdicts: usize,
    /// Those that are others at half of it.
    pub halved: Vec<String>,
    /// Those that are others at twice as much.
    pub doubled: Vec<String>,
}

/// Makes every measurement.
pub fn measure(asked: &Asked, heard: &mut dyn FnMut(String)) -> Result<Vec<Row>, Broken> {
    let usual = verdicts(asked, &asked.model)?;
    let mut rows = Vec::new();
    for price in KEYS {
        heard(format!("sensitivity: {price}"));
        let changed = |numerator, denominator| {
            let model = asked.model.with_price_times(price, numerator, denominator);
            Ok(differ(&usual, &verdicts(asked, &model)?))
        };
        rows.push(Row {
            price,
            nanoseconds: asked
                .model
                .clone()
                .nanoseconds
                .price_mut(price)
                .map_or(0.0, |price| price.nanoseconds()),
            estimated: asked.model.estimated(price),
            verdicts: usual.len(),
            halved: changed(1, 2)?,
            doubled: changed(2, 1)?,
        });
    }
    Ok(rows)
}

fn verdicts(asked: &Asked, model: &Model) -> Result<Vec<Finding>, Broken> {
    let asked = Asked { model: model.clone(), ..asked.clone() };
    let mut report = Report { drain: drain::measure(&asked, &mut |_| {})?, ..Report::default() };
    let mut found = finding::all(&report);
    report.scaling = scaling::measure_briefly(&asked)?;
    finding::growth_of_all(&report.scaling, &mut found);
    Ok(found)
}

/// The verdicts that are others than usual.
fn differ(usual: &[Finding], now: &[Finding]) -> Vec<String> {
    let pairs = usual.iter().zip(now);
    let other = pairs.filter(|(usual, now)| usual.holds != now.holds);
    other
        .map(|(_, now)| {
            let word = if now.holds { "holds" } else { "does not hold" };
            format!("{} {word} on {}: {}", now.claim, now.on, now.measured)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_that_change_are_told() {
        let finding = |holds| Finding {
            claim: "It is so.",
            source: "somebody",
            criterion: "it is",
            on: "native".to_owned(),
            measured: "5 ns".to_owned(),
            holds,
        };
        let told = differ(&[finding(true), finding(true)], &[finding(true), finding(false)]);
        assert_eq!(told, ["It is so. does not hold on native: 5 ns"]);
    }
}
