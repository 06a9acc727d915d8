//! What snapshots take in the store: a function of their indexes, and of whether their files are links. So the result of one run
//! is true as long as the indexes are, in the same folder. A snapshot whose record or index is damaged has the objects that are
//! in its folder.

use super::broken::Broken;
use super::hash::FileHash;
use super::layout::{INDEX, OBJECTS};
use super::store::{self, Digest, Index};
use super::stored::Stored;
use crate::publish::{Existing, publish_text};
use crate::{files, home};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The folder of the file that keeps the sizes.
const FOLDER: &str = "store";
const FILE: &str = "sizes.json";
/// The most bytes of that file: some 100,000 snapshots.
const LIMIT: u64 = 16 << 20;

/// Bytes of the objects of all snapshots.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// The hash of what the sizes follow from.
    of: String,
    /// All objects, each file once.
    all: u64,
    /// By `VM@ID`: the objects that no other snapshot has. Those without any are not in it.
    unique: HashMap<String, u64>,
    /// The whole library: all objects, and the other files of all snapshots.
    #[serde(skip)]
    pub library: u64,
}

/// The name of an object. And the number of the folder, if the object there is a file that no other folder has.
type Name = (Digest, Option<usize>);

/// The owner of an object: the number of a folder, or several.
#[derive(Clone, Copy)]
enum Owner {
    One(usize),
    Several,
}

impl Sizes {
    /// Those of all snapshots of the library, whole and damaged.
    pub fn of(all: &[Stored], broken: &[Broken]) -> Self {
        let sizes = Self::of_objects(&Folder::all(all, broken));
        let own = all.iter().map(Stored::own_bytes).chain(broken.iter().map(Broken::own_bytes));
        Self { library: own.fold(sizes.all, u64::saturating_add), ..sizes }
    }

    /// They are kept for the next run, if the library can be written.
    fn of_objects(folders: &[Folder]) -> Self {
        if folders.is_empty() {
            return Self::default();
        }
        let store = home::existing(FOLDER).ok().flatten();
        let of = key(folders, store.as_deref());
        let file = store.map(|store| store.join(FILE));
        if let Some(kept) = file.as_deref().and_then(read).filter(|kept| kept.of == of) {
            return kept;
        }
        let (sizes, is_complete) = Self::measure(of, folders);
        if let (Some(file), true, Ok(text)) = (file, is_complete, serde_json::to_vec(&sizes)) {
            let _ = publish_text(&text, &file, Existing::Replace);
        }
        sizes
    }

    /// The objects that no other snapshot than this has.
    pub fn unique(&self, reference: &str) -> u64 {
        self.unique.get(reference).copied().unwrap_or_default()
    }

    /// Also returns whether all indexes that are recorded could be read.
    fn measure(of: String, folders: &[Folder]) -> (Self, bool) {
        let (mut owners, mut is_complete) = (HashMap::<Name, (Owner, u64)>::new(), true);
        for (number, folder) in folders.iter().enumerate() {
            let (objects, is_as_recorded) = folder.objects(number);
            is_complete &= is_as_recorded;
            for (name, bytes) in objects {
                let owner = owners.entry(name);
                owner.and_modify(|(owner, _)| *owner = Owner::Several).or_insert((Owner::One(number), bytes));
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
/// freed with the last snapshot that has it, and never if one of those that stay has it. Damaged ones stay.
pub fn freed_in_order(all: &[Stored], broken: &[Broken], order: &[String]) -> (u64, Vec<u64>) {
    let place: HashMap<&str, usize> = order.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let (mut freed, mut bytes) = (vec![0_u64; order.len()], 0_u64);
    let mut add = |at: Option<usize>, more: u64| {
        bytes = bytes.saturating_add(more);
        at.and_then(|at| freed.get_mut(at)).into_iter().for_each(|freed| *freed = freed.saturating_add(more));
    };
    for one in all {
        add(place.get(one.reference().as_str()).copied(), one.own_bytes());
    }
    for one in broken {
        add(None, one.own_bytes());
    }
    let mut objects = HashMap::<Name, (Option<usize>, u64)>::new();
    for (number, folder) in Folder::all(all, broken).iter().enumerate() {
        let at = place.get(folder.name.as_str()).copied();
        for (name, bytes) in folder.objects(number).0 {
            let last = objects.entry(name).or_insert((at, bytes));
            last.0 = last.0.zip(at).map(|(one, other)| one.max(other));
        }
    }
    for (at, bytes) in objects.into_values() {
        add(at, bytes);
    }
    (bytes, freed)
}

/// A folder with objects: of a snapshot; or of a runtime or a damaged snapshot, which have no name here.
struct Folder {
    name: String,
    path: PathBuf,
    /// As recorded; nothing of a damaged snapshot.
    index: Option<FileHash>,
}

impl Folder {
    /// Those of these snapshots, and of the runtimes.
    fn all(all: &[Stored], broken: &[Broken]) -> Vec<Self> {
        let broken = broken.iter().filter(|one| one.is_folder()).map(|one| (one.folder.clone(), None));
        let runtimes = store::runtime_indexes().into_iter().map(|(path, index)| (path, Some(index)));
        let nameless = broken.chain(runtimes).map(|(path, index)| Self { name: String::new(), path, index });
        all.iter().filter_map(Self::of).chain(nameless).collect()
    }

    fn of(one: &Stored) -> Option<Self> {
        let index = one.metadata.files.get(INDEX)?.clone();
        Some(Self { name: one.reference(), path: one.folder.clone(), index: Some(index) })
    }

    /// Its objects and their bytes, and whether they are those of the index that is recorded, if one is; it has this number.
    fn objects(&self, number: usize) -> (Vec<(Name, u64)>, bool) {
        let Some(index) = self.index.as_ref().and_then(|index| Index::read(&self.path, index).ok()) else {
            let present = store::present(&self.path).unwrap_or_default().into_iter();
            let objects = present.map(|one| ((one.name, one.is_own.then_some(number)), one.bytes));
            return (objects.collect(), self.index.is_none());
        };
        let own = store::own_objects(&self.path);
        let named = |name: Digest| (name, own.contains_key(&name).then_some(number));
        (index.objects().into_iter().map(|(name, _, bytes)| (named(name), bytes.into())).collect(), true)
    }

    /// What its objects follow from: its index; or, without one, the folder of its objects and when that was changed.
    fn line(&self) -> String {
        if let Some(index) = &self.index {
            return format!("{} {}\n", self.name, index.sha256);
        }
        let meta = fs::symlink_metadata(self.path.join(OBJECTS)).ok();
        let changed = meta.map(|meta| (meta.ctime(), meta.ctime_nsec()));
        format!("{} {changed:?}\n", self.path.display())
    }
}

/// What the sizes follow from, as one hash. A copy of the library may have no links: its folder is another one.
fn key(folders: &[Folder], store: Option<&Path>) -> String {
    let mut lines: Vec<String> = folders.iter().map(Folder::line).collect();
    lines.sort();
    let store = store.and_then(|store| store.metadata().ok()).map(|meta| format!("{} {}\n", meta.dev(), meta.ino()));
    lines.extend(store);
    Digest::of(lines.concat().as_bytes()).to_string()
}

fn read(path: &Path) -> Option<Sizes> {
    let mut text = Vec::new();
    files::open_own(path).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
