//! What is done to VMs and snapshots: without the command line, and without printing.

pub mod arrival;
pub mod configuration;
pub mod fidelity;
pub mod lock;
pub mod make;
pub mod packed;
pub mod registry;
pub mod resolve;
pub mod start;
pub mod stop;
pub mod tags;
pub mod verify;
pub mod workspace;
