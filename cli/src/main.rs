//! `shootdown`, the command line: one file for each command, each of which asks the harness and says what it answered.
//! What a story means and whether it breaks the contract is never decided here.
//!
//! Exit code 0 says that nothing was found, 1 that there is a finding, 2 that something is wrong with what was asked.

mod bugs;
mod complaint;
mod cost;
mod designs;
mod encode;
mod explain;
mod finding;
mod input;
mod interrupt;
mod keep;
mod minimize;
mod output;
mod progress;
mod prove;
mod replay;
mod run;
mod show;
mod story_files;
mod under;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use complaint::{Complaint, Done};
use output::remark;

const EXAMPLES: &str = "\
Exit codes:
  0  clean, or as the files foretell    1  a finding, or a claim that does not hold
  2  bad input, with a message that says where and what was expected";

/// Find, shrink and understand memory-management races
///
/// Shootdown plays short stories of concurrent kernel memory management on a simulated multiprocessor, on several
/// kernels side by side, and holds what happened against a reference.
#[derive(Debug, Parser)]
#[command(name = "shootdown", version, after_help = EXAMPLES, max_term_width = 110)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Replay(replay::Replay),
    Minimize(minimize::Minimize),
    Explain(explain::Explain),
    Show(show::Show),
    Encode(encode::Encode),
    Bugs(bugs::Bugs),
    Designs(designs::Designs),
    Cost(cost::Cost),
    Prove(prove::Prove),
}

/// What a command found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Nothing,
    Something,
}

fn main() -> ExitCode {
    match run(&CommandLine::parse().command) {
        Ok(Found::Nothing) => ExitCode::SUCCESS,
        Ok(Found::Something) => ExitCode::from(1),
        Err(Complaint::NobodyListens) => ExitCode::from(2),
        Err(complaint) => {
            remark(format_args!("shootdown: {complaint}"));
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command) -> Done<Found> {
    match command {
        Command::Run(run) => run.run(),
        Command::Replay(replay) => replay.run(),
        Command::Minimize(minimize) => minimize.run().map(|()| Found::Nothing),
        Command::Explain(explain) => explain.run(),
        Command::Show(show) => show.run().map(|()| Found::Nothing),
        Command::Encode(encode) => encode.run().map(|()| Found::Nothing),
        Command::Bugs(bugs) => bugs.run().map(|()| Found::Nothing),
        Command::Designs(designs) => designs.run(),
        Command::Cost(cost) => cost.run().map(|()| Found::Nothing),
        Command::Prove(prove) => prove.run(),
    }
}
