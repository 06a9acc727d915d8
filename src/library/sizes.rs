//! What snapshots take in the store: a function of their indexes, so the result of one run is true as long as they are.

use super::hash::FileHash;
use super::layout::INDEX;
use super::store::{self, Digest, Index};
use super::stored::Stored;
use crate::publish::{Existing, publish_text};
use crate::{files, home};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The folder of the file that keeps the sizes.
const FOLDER: &str = "store";
const FILE: &str = "sizes.json";
/// The most bytes of that file: some 100,000 snapshots.
const LIMIT: u64 = 16 << 20;

/// Bytes of the objects of all snapshots.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// The hash of the names of all indexes: of what the sizes follow from.
    of: String,
    /// All objects, each once.
    pub all: u64,
    /// By `VM@ID`: the objects that no other snapshot has. Those without any are not in it.
    unique: HashMap<String, u64>,
}

/// The owner of an object: the number of a folder, or several.
#[derive(Clone, Copy)]
enum Owner {
    One(usize),
    Several,
}

impl Sizes {
    /// Those of all snapshots of the library. They are kept for the next run, if the library can be written.
    pub fn of(all: &[Stored]) -> Self {
        let mut folders = Folder::all(all);
        if folders.is_empty() {
            return Self::default();
        }
        let of = key(&mut folders);
        let file = home::existing(FOLDER).ok().flatten().map(|folder| folder.join(FILE));
        if let Some(kept) = file.as_deref().and_then(read).filter(|kept| kept.of == of) {
            return kept;
        }
        let (sizes, is_complete) = Self::measure(of, &folders);
        if let (Some(file), true, Ok(text)) = (file, is_complete, serde_json::to_vec(&sizes)) {
            let _ = publish_text(&text, &file, Existing::Replace);
        }
        sizes
    }

    /// The objects that no other snapshot than this has.
    pub fn unique(&self, reference: &str) -> u64 {
        self.unique.get(reference).copied().unwrap_or_default()
    }

    /// Also returns whether all indexes could be read.
    fn measure(of: String, folders: &[Folder]) -> (Self, bool) {
        let (mut owners, mut is_complete) = (HashMap::<Digest, (Owner, u64)>::new(), true);
        for (number, folder) in folders.iter().enumerate() {
            let Ok(index) = Index::read(&folder.path, &folder.index) else {
                is_complete = false;
                continue;
            };
            for (name, _, bytes) in index.objects() {
                let owner = owners.entry(name);
                owner.and_modify(|(owner, _)| *owner = Owner::Several).or_insert((Owner::One(number), bytes.into()));
            }
        }
        let mut sizes = Self { of, ..Self::default() };
        for (owner, bytes) in owners.into_values() {
            sizes.all += bytes;
            match owner {
                Owner::One(number) => {
                    let name = folders.get(number).map(|folder| folder.name.clone()).unwrap_or_default();
                    *sizes.unique.entry(name).or_default() += bytes;
                }
                Owner::Several => {}
            }
        }
        (sizes, is_complete)
    }
}

/// The bytes of the library, and what each removal frees if these snapshots (`VM@ID`) are removed in this order: an object is
/// freed with the last snapshot that has it, and never if one of those that stay has it.
pub fn freed_in_order(all: &[Stored], order: &[String]) -> (u64, Vec<u64>) {
    let place: HashMap<&str, usize> = order.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let (mut freed, mut bytes) = (vec![0_u64; order.len()], 0_u64);
    let mut add = |at: Option<usize>, more: u64| {
        bytes = bytes.saturating_add(more);
        at.and_then(|at| freed.get_mut(at)).into_iter().for_each(|freed| *freed = freed.saturating_add(more));
    };
    for one in all {
        add(place.get(one.reference().as_str()).copied(), one.own_bytes());
    }
    let mut objects = HashMap::<Digest, (Option<usize>, u64)>::new();
    for folder in Folder::all(all) {
        let at = place.get(folder.name.as_str()).copied();
        let Ok(index) = Index::read(&folder.path, &folder.index) else { continue };
        for (name, _, bytes) in index.objects() {
            let last = objects.entry(name).or_insert((at, bytes.into()));
            last.0 = last.0.zip(at).map(|(one, other)| one.max(other));
        }
    }
    for (at, bytes) in objects.into_values() {
        add(at, bytes);
    }
    (bytes, freed)
}

/// A folder with an index: of a snapshot, or of a runtime, which has no name.
struct Folder {
    name: String,
    path: PathBuf,
    index: FileHash,
}

impl Folder {
    /// Those of these snapshots, and of the runtimes.
    fn all(all: &[Stored]) -> Vec<Self> {
        let runtimes = store::runtime_indexes().into_iter();
        let runtimes = runtimes.map(|(path, index)| Self { name: String::new(), path, index });
        all.iter().filter_map(Self::of).chain(runtimes).collect()
    }

    fn of(one: &Stored) -> Option<Self> {
        let index = one.metadata.files.get(INDEX)?.clone();
        Some(Self { name: one.reference(), path: one.folder.clone(), index })
    }
}

/// What the sizes follow from, as one hash.
fn key(folders: &mut [Folder]) -> String {
    folders.sort_by(|one, other| (&one.name, &one.index.sha256).cmp(&(&other.name, &other.index.sha256)));
    let lines: Vec<String> =
        folders.iter().map(|folder| format!("{} {}\n", folder.name, folder.index.sha256)).collect();
    Digest::of(lines.concat().as_bytes()).to_string()
}

fn read(path: &Path) -> Option<Sizes> {
    let mut text = Vec::new();
    files::open_own(path).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
