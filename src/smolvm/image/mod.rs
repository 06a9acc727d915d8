//! The files of an image VM: its changes over the layers of its image.

mod file;
mod flat;
mod layer;
mod listing;
mod merged;
mod owner;

pub use flat::{Flat, Written, flatten};
pub use layer::{Files, Layer, Marks};
pub use listing::{Host, Listing};
#[cfg(test)]
mod tests;
