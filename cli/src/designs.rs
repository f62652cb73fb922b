//! `shootdown designs`: the places where kernels may be designed in more than one way.

use std::fmt::{self, Write};

use clap::Args;
use harness::protocol::{DesignPoint, Designs as Choices};
use serde::Serialize;

use crate::complaint::Done;
use crate::output::Answer;

const EXAMPLES: &str = "\
Examples:
  shootdown designs
  shootdown run --stories 100000 --design drain=tables-only --design pte_clear=at-purge";

/// List the design points, their variants, and the seed that argues over each
///
/// The first variant of each point is the default, the best known correct choice. Others are chosen with
/// `--design POINT=VARIANT`; not all of them are correct.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Designs {
    #[command(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
struct Listed {
    designs: Vec<PointJson>,
}

#[derive(Serialize)]
struct PointJson {
    point: &'static str,
    about: &'static str,
    seed: &'static str,
    default: &'static str,
    variants: Vec<VariantJson>,
}

#[derive(Serialize)]
struct VariantJson {
    name: &'static str,
    meaning: &'static str,
}

impl Designs {
    pub(crate) fn run(&self) -> Done<()> {
        let listed = Listed { designs: Choices::POINTS.iter().map(point).collect() };
        self.answer.give(&listed, |text| {
            listed.designs.iter().enumerate().try_for_each(|(number, point)| {
                if number > 0 {
                    writeln!(text)?;
                }
                write(text, point)
            })
        })
    }
}

fn point(point: &DesignPoint) -> PointJson {
    let variants: Vec<_> =
        point.variants.iter().map(|(name, meaning)| VariantJson { name, meaning: meaning.trim() }).collect();
    PointJson {
        point: point.name,
        about: point.about.trim(),
        seed: point.seed,
        default: variants[0].name,
        variants,
    }
}

fn write(text: &mut String, point: &PointJson) -> fmt::Result {
    writeln!(text, "{} (seed {})\n  {}", point.point, point.seed, point.about)?;
    let width = point.variants.iter().map(|variant| variant.name.len()).max().unwrap_or_default();
    point.variants.iter().try_for_each(|variant| {
        let default = if variant.name == point.default { " (default)" } else { "" };
        writeln!(text, "    {:<width$}  {}{default}", variant.name, variant.meaning)
    })
}
