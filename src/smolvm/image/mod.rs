//! The files of an image VM: its changes over the layers of its image.

mod file;
mod flat;
mod layer;
mod merged;

pub use flat::{Written, flatten};
pub use layer::{Files, Layer};
#[cfg(test)]
mod tests;
