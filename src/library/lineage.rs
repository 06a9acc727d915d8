//! Which snapshot another one descends from.

use super::catalog;
use super::creation::Creation;
use super::hash::FileHasher;
use super::layout::{ID_DIGITS, is_id};
use super::metadata::Metadata;
use super::stored::Stored;
use crate::smolvm::Name;
use std::collections::BTreeSet;

/// What the next snapshot of a VM descends from, as `VM@ID`: the last of `all` its snapshots here, or else the snapshot that
/// it was made from. Snapshots of an earlier VM of that name are not its own.
pub fn parent(all: &[Stored], vm: &str, created_at: Option<u64>) -> Option<String> {
    let record = Creation::of(vm, created_at);
    let first = record.as_ref().and_then(|record| record.first_sequence);
    let is_its_own = |one: &&Stored| {
        let second = u64::try_from(one.metadata.time().as_second()).ok();
        let is_later = match first {
            Some(first) => one.metadata.order() >= first,
            None => created_at.is_some_and(|at| second >= Some(at)),
        };
        is_later && one.metadata.is_own()
    };
    all.iter().rfind(is_its_own).map(Stored::reference).or_else(|| record?.from)
}

/// Whether this is `VM@ID`.
pub fn is_reference(text: &str) -> bool {
    text.split_once('@').is_some_and(|(vm, id)| vm.parse::<Name>().is_ok() && is_id(id))
}

impl Metadata {
    /// Makes it a snapshot of this VM. A parent that was of the same VM as it gets the name, too, unless the library has the
    /// parent only under the old one.
    pub fn rename(&mut self, vm: &Name) {
        let id = self.parent.as_deref().and_then(|parent| parent.strip_prefix(&self.vm)?.strip_prefix('@'));
        let renamed = id.map(|id| format!("{vm}@{id}"));
        let is_here = |reference: &str| catalog::find(reference).is_ok();
        if renamed.as_deref().is_some_and(is_here) || !self.parent.as_deref().is_some_and(is_here) {
            self.parent = renamed.or(self.parent.take());
        }
        vm.as_str().clone_into(&mut self.vm);
    }

    /// A copy of the same snapshot in which this is empty. Its id differs from that of the snapshot, so that a library can have
    /// both, and is that of each such copy. It has no tags: they stay with the snapshot.
    #[must_use]
    pub fn without(&self, kinds: &[&str]) -> Self {
        let scrubbed: BTreeSet<&str> = self.scrubbed.iter().map(String::as_str).chain(kinds.iter().copied()).collect();
        let scrubbed: Vec<String> = scrubbed.into_iter().map(str::to_owned).collect();
        let mut id = FileHasher::default();
        id.update(format!("{} {}", self.id, scrubbed.join(",")).as_bytes());
        let id = id.finish().sha256.chars().take(ID_DIGITS).collect();
        Self { id, parent: Some(format!("{}@{}", self.vm, self.id)), scrubbed, tags: Vec::new(), ..self.clone() }
    }
}
