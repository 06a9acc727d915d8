//! The host of the engine: processes, disks, the hypervisor, and what killed commands left behind.

pub mod disks;
pub mod helper_vms;
pub mod hypervisor;
mod leftovers;
pub mod parent_death;
pub mod processes;

pub use disks::Disks;
pub use leftovers::leftovers;
