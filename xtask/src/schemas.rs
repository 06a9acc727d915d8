//! The JSON Schemas in `schemas/`.

use crate::Generated;
use anyhow::Result;
use serde::Serialize;
use std::path::PathBuf;

pub fn files() -> Result<Vec<Generated>> {
    let file = |(name, schema)| Ok((PathBuf::from(format!("schemas/{name}.json")), text(&schema)?));
    bottle_freeze::report::schemas().into_iter().map(file).collect()
}

fn text(schema: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(schema)?;
    text.push(b'\n');
    Ok(text)
}
