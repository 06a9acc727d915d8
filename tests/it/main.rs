//! What a user sees, one module per behavior. One binary: linked once, and all tests run side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

mod bad_input;
mod broken;
mod completion;
mod concurrency;
mod conformance;
mod cp;
mod crash;
mod damage;
mod doctor;
mod engine_calls;
mod engine_install;
mod every_way_in;
mod exec;
mod exit_status;
mod freeze;
mod full_disk;
mod help;
mod hooks;
mod hostile;
mod install;
mod json;
mod leftovers;
mod library;
mod limits;
mod live;
mod many;
mod ours;
mod pack;
mod power_cut;
mod prompt;
mod quiet;
mod registry;
mod replacing;
mod retention;
mod signals;
mod start;
mod state_matrix;
mod streams;
mod terminal;
mod unprinted;
mod versions;
