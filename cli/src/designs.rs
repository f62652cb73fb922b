//! `shootdown designs`: the places where kernels may be designed in more than one way, and with `--judge` which ways hold where.

mod judge;
mod table;
mod verdicts;

use std::fmt::{self, Write};
use std::path::PathBuf;

use clap::Args;
use harness::protocol::{DesignPoint, Designs as Choices};
use serde::Serialize;

use crate::Found;
use crate::complaint::{Complaint, Done};
use crate::output::Answer;
use crate::run;

use judge::Judge;

const EXAMPLES: &str = "\
Examples:
  shootdown designs
  shootdown run --stories 100000 --design drain=tables-only --design pte_clear=at-purge
  shootdown designs --judge                              which ways of freeing user tables hold where, in three tables
  shootdown designs --judge table_free --design flush_reach=broadcast --out witnesses

Ctrl-C ends --judge with what was judged by then. Exit code 1 says that a verdict is not what the catalogue of known bugs
says, or that not all was judged.";

/// The tables that are judged where none is named: points whose variants are combined.
const TABLES: [&str; 3] =
    ["table_free,flush_reach,walker_wait", "gup_reference,flush_reach", "walk_guard,table_free,walker_wait"];

/// List the design points, their variants, and the seed that argues over each
///
/// The first variant of each point is the default, the best known correct choice. Others are chosen with
/// `--design POINT=VARIANT`; not all of them are correct.
///
/// With --judge each combination of the variants of some points is judged on each backend, by every placement of up to two pauses in
/// a few stories (corpus/protocols). It holds there if none of them finds anything.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Designs {
    /// Judge the combinations of these points, parted by commas; may be given for several tables. Without points: the tables of seed 001
    #[arg(long, value_name = "POINT,..", num_args = 0..=1, default_missing_values = TABLES, value_parser = judge::points)]
    judge: Vec<judge::Points>,
    /// Beside this choice; may be given for several points, and not for one that is judged
    #[arg(long = "design", value_name = "POINT=VARIANT", value_parser = judge::choice, requires = "judge")]
    beside: Vec<judge::Choice>,
    /// The folder that the stories are written to by which designs break, made when there is one
    #[arg(long, value_name = "DIR", requires = "judge")]
    out: Option<PathBuf>,
    /// So many threads play, at most 256
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = run::jobs, requires = "judge")]
    jobs: usize,
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
    pub(crate) fn run(&self) -> Done<Found> {
        if !self.judge.is_empty() {
            return self.judges();
        }
        let listed = Listed { designs: Choices::POINTS.iter().map(point).collect() };
        self.answer.give(&listed, |text| {
            listed.designs.iter().enumerate().try_for_each(|(number, point)| {
                if number > 0 {
                    writeln!(text)?;
                }
                write(text, point)
            })
        })?;
        Ok(Found::Nothing)
    }

    fn judges(&self) -> Done<Found> {
        if let Some((point, _)) =
            self.beside.iter().find(|(point, _)| self.judge.iter().any(|points| points.has(point)))
        {
            return Err(Complaint::new(format!(
                "--design {point}: expected a point that --judge does not name, as each variant of those is judged"
            )));
        }
        let judge = Judge { points: &self.judge, fixed: &self.beside, jobs: self.jobs };
        let judged = judge.judge(self.out.as_deref())?;
        self.answer.give(&judged, |text| table::write(text, &judged))?;
        Ok(if judged.is_doubtful() { Found::Something } else { Found::Nothing })
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
