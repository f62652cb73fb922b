//! `shootdown cost`: what designs cost, by what the machine counts and a model of what each thing costs.

mod document;
mod plot;
mod table;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use harness::cost::{self, Asked, Finding, Model, Question, Report};
use harness::story::Backends;
use serde::Serialize;

use crate::complaint::{Complaint, Done};
use crate::input::{self, Kind};
use crate::keep::{keep, must_be_free, must_be_writable, replace};
use crate::output::{Answer, Format, remark};
use crate::run::backends;

/// How often there is a line about how it goes.
const LINE: Duration = Duration::from_secs(10);

/// No model and no document about costs has more bytes.
const LARGEST: usize = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  shootdown cost                                          every question, on native and Xen
  shootdown cost --question scaling --cpus 1-8 --svg cost.svg
  shootdown cost --question tables --backends xen --format json
  shootdown cost --model mine.toml

Questions:
  drain        a drain with nothing, one, many areas outstanding, against one eager unmap
  tables       each way for Xen to learn of aliases, per page-table page and for a new process
  scaling      eager unmapping, lazy areas and per-CPU blocks on more and more CPUs
  user         munmap and the end of an address space, by each way to free tables and to reach other CPUs,
               on every backend
  sensitivity  each price halved and doubled: which verdicts change?

Same question and model, same answer: nothing here depends on the computer that it runs on. The model is
harness/data/cost-model.toml unless another is given; where its figures come from stands in it.";

/// Count what designs cost, and turn it into time by a model
///
/// Runs workloads of seeds 004 and 001 on machines that count interrupts, flushes, walks, hypercalls, locks and waits, and prices
/// each. What comes out is time on a simulated machine: good to compare designs, not to predict a computer.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cost {
    /// What each thing costs, in nanoseconds: a TOML file like harness/data/cost-model.toml
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// How to answer on standard output: tables for people, or one JSON document for machines (see docs/cli.md)
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Shape,
    /// Draw the answer to `scaling` into this file, which must not be there with another content
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Bring a Markdown file up to date: each of its blocks that begins with the title of a table shows it as it is now. The
    /// claims are, if every question was asked
    #[arg(long, value_name = "FILE")]
    update: Option<PathBuf>,
    /// Numbers of CPUs, parted by commas, and ranges like 1-8; at most 8. Without it 1,2,4,8; 1-8 for
    /// scaling and 1,2,8 for user and sensitivity
    #[arg(long, value_name = "LIST", value_parser = cpus)]
    cpus: Option<Cpus>,
    /// The backends: native, xen, or both parted by a comma, and kvm and hyperv too for the question user; without it all
    /// that a question is about
    #[arg(long, value_name = "LIST", value_parser = backends)]
    backends: Option<Backends>,
    /// The question: drain, tables, scaling, user or sensitivity; can be said several times, and without it is every one
    #[arg(long, value_name = "NAME", value_parser = question)]
    question: Vec<Question>,
}

/// How `cost` answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Shape {
    #[value(alias = "text")]
    Table,
    Json,
}

/// Numbers of CPUs.
#[derive(Clone, Debug)]
struct Cpus(Vec<u8>);

fn cpus(text: &str) -> Result<Cpus, String> {
    const MOST: u8 = 8;
    let wrong =
        |part: &str| format!("\"{part}\": expected numbers of CPUs from 1 to {MOST} like 1,2,8 or 1-8");
    let mut all = Vec::new();
    for part in text.split(',') {
        let number = |text: &str| text.parse().ok().filter(|number| (1..=MOST).contains(number));
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => all.extend(first..=last),
            _ => return Err(wrong(part)),
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(Cpus(all))
}

fn question(text: &str) -> Result<Question, String> {
    Question::ALL.into_iter().find(|question| question.name() == text).ok_or_else(|| {
        let known: Vec<_> = Question::ALL.iter().map(|question| question.name()).collect();
        format!("no question \"{text}\"; expected one of {}", known.join(", "))
    })
}

#[derive(Serialize)]
struct Answered<'a> {
    model: &'a Model,
    #[serde(flatten)]
    report: &'a Report,
}

impl Cost {
    pub(crate) fn run(&self) -> Done<()> {
        let model = self.model()?;
        let backends = self.backends.unwrap_or(Backends::all());
        let mut questions =
            if self.question.is_empty() { Question::ALL.to_vec() } else { self.question.clone() };
        questions.sort_unstable();
        questions.dedup();
        let of_the_kernel = questions.iter().any(|question| *question != Question::User);
        if self.backends.is_some() && of_the_kernel && !Backends::NATIVE_AND_XEN.contains(backends) {
            return Err(Complaint::new(
                "--backends: expected native or xen, on which costs are measured; kvm and hyperv for the question user alone",
            ));
        }
        if self.question.contains(&Question::Tables) && !backends.contains(Backends::XEN) {
            return Err(Complaint::new(
                "--question tables: expected xen among the backends, as native asks nothing of a page that becomes a table",
            ));
        }
        if let Some(svg) = &self.svg {
            if !questions.contains(&Question::Scaling) {
                return Err(Complaint::new("--svg: expected the question scaling, which is what is drawn"));
            }
            // What is a picture may be the one that this will come to.
            must_be_free(svg, plot::BEGINNING.len(), |there| there.starts_with(plot::BEGINNING))?;
        }
        self.document(&questions)?;
        let report = self.ask(&questions, backends, &model)?;
        // What cannot be written is on standard output still: the answer may have taken minutes.
        let written = self.write(&questions, &report);
        let answer = Answer { format: if self.format == Shape::Json { Format::Json } else { Format::Text } };
        answer.give(&Answered { model: &model, report: &report }, |text| table::write(text, &report))?;
        written
    }

    /// Writes the files that were asked for.
    fn write(&self, questions: &[Question], report: &Report) -> Done<()> {
        if let Some(svg) = &self.svg {
            keep(svg, plot::draw(&report.scaling)?.as_bytes())?;
        }
        // It is read again: a person may have edited it meanwhile.
        if let Some((path, document)) = self.document(questions)? {
            let mut parts = table::parts(report).expect("strings can be written to");
            if questions.len() < Question::ALL.len() {
                parts.retain(|part| part.title != table::FINDINGS);
            }
            replace(&path, document::updated(&document, &parts).as_bytes())?;
        }
        Ok(())
    }

    /// The document to be brought up to date, as it is, and the place behind all links.
    fn document(&self, questions: &[Question]) -> Done<Option<(PathBuf, String)>> {
        const EXPECTED: &str = "a Markdown file";
        let Some(path) = &self.update else { return Ok(None) };
        let kind = input::look_up(path, EXPECTED)?;
        if kind != Kind::File {
            return Err(Complaint::at(path, format!("expected {EXPECTED}, found {}", kind.name())));
        }
        let text = input::read_text(path, EXPECTED, LARGEST)?;
        if let Some(title) =
            document::lacking(&text, questions.iter().map(|question| table::title(*question)))
        {
            return Err(Complaint::at(path, format!("expected a block that begins with \"{title}\"")));
        }
        let place = fs::canonicalize(path).map_err(|error| Complaint::at(path, error))?;
        must_be_writable(&place)?;
        Ok(Some((place, text)))
    }

    fn model(&self) -> Done<Model> {
        let Some(path) = &self.model else { return Ok(Model::default()) };
        let text = input::read_text(path, "a model", LARGEST)?;
        Model::parse(&text).map_err(|error| Complaint::at(path, error))
    }

    /// Each question is asked by itself: they differ in how many CPUs they are about.
    fn ask(&self, questions: &[Question], backends: Backends, model: &Model) -> Done<Report> {
        let mut next_line = Instant::now() + LINE;
        let mut heard = |line: String| {
            if Instant::now() >= next_line {
                remark(line);
                next_line = Instant::now() + LINE;
            }
        };
        let mut all = Report::default();
        for question in questions {
            let usual = match question {
                Question::Drain | Question::Tables => vec![1, 2, 4, 8],
                Question::Scaling => (1..=8).collect(),
                Question::User | Question::Sensitivity => vec![1, 2, 8],
            };
            let cpus = self.cpus.as_ref().map_or(usual, |cpus| cpus.0.clone());
            let backends =
                if *question == Question::User { backends } else { backends & Backends::NATIVE_AND_XEN };
            let asked = Asked { questions: vec![*question], cpus, backends, model: model.clone() };
            let Report { drain, tables, scaling, user, sensitivity, findings } =
                cost::ask(&asked, &mut heard)
                    .map_err(|broken| Complaint::new(format!("{}: {broken}", question.name())))?;
            all.drain.extend(drain);
            all.tables.extend(tables);
            all.scaling.extend(scaling);
            all.user.extend(user);
            all.sensitivity.extend(sensitivity);
            all.findings.extend::<Vec<Finding>>(findings);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::cpus;

    #[test]
    fn numbers_of_cpus_are_lists_and_ranges() {
        let read = |text| cpus(text).map(|cpus| cpus.0);
        assert_eq!(read("8,1-3,2"), Ok(vec![1, 2, 3, 8]));
        for wrong in ["0", "9", "", "1,", "3-1", "1-9", "-1", "two", "1-2-3"] {
            assert!(
                read(wrong).is_err_and(|said| said.contains("expected numbers of CPUs from 1 to 8")),
                "{wrong}"
            );
        }
    }
}
