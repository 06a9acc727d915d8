//! What is done to VMs and snapshots: without the command line, and without printing.

pub mod configuration;
pub mod fidelity;
pub mod lock;
pub mod make;
pub mod packed;
pub mod resolve;
pub mod workspace;
