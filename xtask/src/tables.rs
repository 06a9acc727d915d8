//! The tables of README and of the manual that are made from the source.

use crate::Generated;
use anyhow::Result;

pub fn files() -> Result<Vec<Generated>> {
    Ok(Vec::new())
}

/// The section EXIT STATUS of the manual.
pub fn exit_status_section() -> Vec<u8> {
    include_bytes!("../../man/exit-status.roff").to_vec()
}
