//! The command line as its users see it: the built program, its exit codes, and what it says where.

mod bad_input;
mod designs;
mod encode;
mod explain;
mod lists;
mod manual;
mod minimize;
mod program;
mod prove;
mod reading;
mod replay;
mod run;
mod show;
#[cfg(target_os = "linux")]
mod strange;
mod writing;
