//! The host of the engine: its processes, its disks, its hypervisor, and what killed commands left on it.

mod disks;
pub mod helper_vms;
mod hypervisor;
mod leftovers;
pub mod parent_death;
pub mod processes;

pub use disks::Disks;
pub use hypervisor::hypervisor;
pub use leftovers::leftovers;
