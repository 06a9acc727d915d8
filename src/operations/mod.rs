//! What is done to VMs and snapshots: without the command line, and without printing results.

pub mod arrival;
pub mod configuration;
pub mod consent;
pub mod contents;
pub mod disks;
pub mod engines;
pub mod exec;
pub mod extract;
pub mod fidelity;
pub mod freeze;
pub mod keys;
pub mod lock;
pub mod make;
mod meant;
pub mod packed;
pub mod prune;
pub mod registry;
pub mod resolve;
pub mod several;
pub mod start;
pub mod state;
pub mod stop;
pub mod tags;
pub mod thaw;
pub mod verify;
pub mod workspace;
