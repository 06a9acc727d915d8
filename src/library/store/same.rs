//! Whether two snapshots hold the same, as far as their lists of chunks show.

use super::index::{Chunk, Entry, Index};
use crate::smolvm::artifact::Member;
use std::collections::BTreeMap;

impl Index {
    /// Whether it holds the same as `other`, apart from times, and from how objects are compressed.
    pub fn has_same_content(&self, other: &Self) -> bool {
        let are_same = |(one, other): (&Entry, &Entry)| {
            Member { mtime: 0, ..one.member.clone() } == Member { mtime: 0, ..other.member.clone() }
                && one.chunks.iter().map(Chunk::content).eq(other.chunks.iter().map(Chunk::content))
        };
        self.members.len() == other.members.len()
            && self.members.iter().zip(&other.members).all(are_same)
            && self.settings(&[]).is_some_and(|keys| Some(keys) == other.settings(&[]))
    }

    /// Whether it has the same settings as `other`, and disks of the same sizes. What is on them may differ.
    pub fn has_same_settings(&self, other: &Self) -> bool {
        // Where the last data of a disk is, and the names of layers: both follow from what is on them.
        let content = ["overlay_template", "storage_template", "layers", "workspace_seed"];
        self.settings(&content).is_some_and(|keys| Some(keys) == other.settings(&content))
    }

    /// What the manifest says, apart from its time, and from these of its `assets`.
    fn settings(&self, without: &[&str]) -> Option<BTreeMap<String, serde_json::Value>> {
        let mut keys: BTreeMap<String, serde_json::Value> = serde_json::from_str(self.manifest.get()).ok()?;
        keys.remove("created");
        if let Some(assets) = keys.get_mut("assets").and_then(serde_json::Value::as_object_mut) {
            assets.retain(|key, _| !without.contains(&key.as_str()));
        }
        Some(keys)
    }
}
