//! Completion by TAB: the scripts for the shells, the candidates, and the check whether it works here.

mod candidates;
mod guest_files;
pub mod installed;
pub mod shells;

pub use candidates::Offer;
pub use shells::complete;
