//! Completion by TAB: what the shells are given, what can stand where the cursor is, and whether it works here.

mod candidates;
pub mod installed;
pub mod shells;

pub use candidates::{Offer, complete};
