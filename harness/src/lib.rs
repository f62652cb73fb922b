//! Stories, the runner, the checks, the search and the reports.
pub mod fuzz;
pub mod story;

pub use impls::protocol;
