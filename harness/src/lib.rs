//! Stories, the runner, the checks, the search and the reports.
pub mod catalogue;
pub mod checks;
pub mod combinations;
pub mod cost;
pub mod coverage;
pub mod fuzz;
pub mod headline;
pub mod judge;
pub mod lanes;
pub mod minimize;
pub mod runner;
pub mod search;
pub mod story;
pub mod subject;
mod tactics;

pub use impls::protocol;
