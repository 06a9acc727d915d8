//! The files of an image VM: its changes over the layers of its image.

mod file;
mod flat;
mod layer;
mod listing;
mod merged;
mod owner;

pub use flat::{Flat, Written, flatten};
pub use layer::{Files, Layer};
pub use listing::{Host, Listing};
#[cfg(test)]
mod tests;
