//! One file per subcommand: `Args` with the help and the completers, and `run`, which prints the result or fails.

pub mod access;
pub mod args;
pub mod batch;
pub mod completions;
pub mod cp;
pub mod create;
pub mod doctor;
pub mod engine;
mod env;
pub mod exec;
pub mod freeze;
pub mod ls;
pub mod pack;
pub mod pause;
pub mod resume;
pub mod retention;
pub mod rm;
pub mod rollback;
pub mod schedule;
pub mod snapshot;
pub mod start;
pub mod stop;
pub mod thaw;
pub mod verify;
pub mod vms;
