//! The layers of a VM over one another, as overlayfs shows them.

use super::content::Content;
use super::error::ContentsError;
use super::layer::{Key, Layer, Lazy};
use crate::ext4::{Attribute, Kind, Metadata};
use crate::overlay::Below;
use crate::signals::Signals;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The most symbolic links that are followed for a path, as in Linux.
const MOST_LINKS: usize = 40;

/// A folder that the engine makes for each VM, as long as nothing is in it.
const EMPTY: Metadata = Metadata { mode: 0o1777, ..Metadata::FOLDER };

/// The files in a snapshot.
pub struct Contents {
    layers: Vec<Lazy>,
    root: Item,
    /// What lies over a name in the uppermost folder.
    mounts: Vec<(&'static [u8], Item)>,
    /// A folder that is listed as a mount, and not where it is.
    hidden: Option<(usize, u32)>,
    /// The layer of the engine's own files.
    engine: Option<usize>,
    /// The paths of the members of the artifact that the layers are read from.
    members: Vec<String>,
    signals: Signals,
}

/// A file in a snapshot.
#[derive(Debug, Clone)]
pub struct Item {
    /// What is known of it.
    pub metadata: Metadata,
    /// Where it is; a folder may be in several layers, the uppermost first.
    at: Vec<(usize, Key)>,
    is_root: bool,
}

impl Item {
    /// What it is.
    pub fn kind(&self) -> Kind {
        self.metadata.kind
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn memory(&self) -> usize {
        let raw = self.at.iter().map(|(_, key)| if let Key::Inode(inode) = key { inode.raw.len() } else { 0 });
        raw.fold(size_of::<Self>(), |sum, raw| sum.saturating_add(raw).saturating_add(size_of::<(usize, Key)>()))
    }

    /// By which it is known that two names are those of one file; in a folder, that it leads to itself.
    pub fn identities(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.at.iter().map(|(layer, key)| match key {
            Key::Inode(inode) => (*layer, inode.number),
            Key::Number(number) => (*layer, *number),
        })
    }
}

/// What a path leads to.
enum Found {
    /// A file: its path without links.
    File(Vec<u8>, Item),
    /// Nothing.
    Missing,
    /// Links, again and again.
    Loop,
}

impl Found {
    fn file(self) -> Option<(Vec<u8>, Item)> {
        if let Self::File(path, item) = self { Some((path, item)) } else { None }
    }
}

/// A file in a folder: its name, and what is known of it.
pub type Entry = (Box<[u8]>, Item);
/// A name in the root, and the folder that lies over it: of a layer, or an empty one.
pub type Mount = (&'static [u8], Option<(usize, Key)>);

impl Contents {
    /// Lays these layers, the uppermost first, over one another: `root` has the folder of each that is the uppermost one in the
    /// guest. `hidden` is a folder that is listed as a mount only.
    ///
    /// # Errors
    /// A layer cannot be read.
    pub fn new(
        layers: Vec<Lazy>,
        root: Vec<(usize, Key)>,
        mounts: Vec<Mount>,
        hidden: Option<(usize, u32)>,
    ) -> Result<Self, ContentsError> {
        let mut contents = Self {
            layers,
            root: Item { metadata: Metadata::FOLDER, at: root, is_root: true },
            mounts: Vec::new(),
            hidden,
            engine: None,
            members: Vec::new(),
            signals: Signals::default(),
        };
        if let Some((layer, key)) = contents.root.at.first() {
            contents.root.metadata = contents.layer(*layer)?.metadata(key)?;
        }
        for (name, place) in mounts {
            let of_layer = |(layer, key): &(usize, Key)| contents.layer(*layer)?.metadata(key);
            let metadata = place.as_ref().map_or(Ok(EMPTY), of_layer)?;
            contents.mounts.push((name, Item { metadata, at: place.into_iter().collect(), is_root: false }));
        }
        Ok(contents)
    }

    /// The same, with files of the engine in that layer, and layers that are read from the members with these paths.
    #[must_use]
    pub fn with_members(self, engine: Option<usize>, members: Vec<String>) -> Self {
        Self { engine, members, ..self }
    }

    /// The same; what takes long ends when one of these signals arrives, also where nothing is read.
    #[must_use]
    pub fn until(self, signals: &Signals) -> Self {
        Self { signals: signals.clone(), ..self }
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// A signal arrived.
    pub(super) fn check(&self) -> Result<(), ContentsError> {
        Ok(self.signals.check()?)
    }

    /// The path of the member that a layer is read from.
    pub(super) fn member(&self, layer: usize) -> Result<&str, ContentsError> {
        let path = self.members.get(layer).map(String::as_str).filter(|path| !path.is_empty());
        path.ok_or_else(|| ContentsError::damaged("a layer", "is of a running VM"))
    }

    /// The layers, as far as they are read.
    pub(super) fn read_layers(&self) -> impl Iterator<Item = Option<&Layer>> {
        self.layers.iter().map(Lazy::known)
    }

    /// Where a file is: the uppermost layer with it.
    pub(super) fn first_of<'i>(&self, item: &'i Item) -> Result<(usize, &Layer, &'i Key), ContentsError> {
        let (layer, key) = item.at.first().ok_or_else(|| ContentsError::damaged("a file", "is in no layer"))?;
        Ok((*layer, self.layer(*layer)?, key))
    }

    fn layer(&self, number: usize) -> Result<&Layer, ContentsError> {
        self.layers.get(number).ok_or_else(|| ContentsError::damaged("a layer", "is missing"))?.get()
    }

    /// The uppermost folder.
    pub fn root(&self) -> &Item {
        &self.root
    }

    /// The files in a folder, sorted by name.
    ///
    /// # Errors
    /// They cannot be read, or are damaged.
    pub fn entries(&self, folder: &Item) -> Result<Vec<Entry>, ContentsError> {
        let mut names: BTreeMap<Box<[u8]>, Vec<(usize, u32)>> = BTreeMap::new();
        let mut order = Vec::new();
        for (layer, key) in &folder.at {
            for (name, number) in self.layer(*layer)?.entries(key)? {
                if self.hidden != Some((*layer, number)) {
                    order.push((*layer, number));
                    names.entry(name).or_default().push((*layer, number));
                }
            }
        }
        // In the order of the disk, each part of it is read once.
        order.sort_unstable();
        order.dedup();
        let mut keys = HashMap::new();
        for (layer, number) in order {
            keys.insert((layer, number), self.layer(layer)?.key(number)?);
        }
        let mut all = Vec::with_capacity(names.len());
        for (name, places) in names {
            if folder.is_root && self.mounts.iter().any(|(mount, _)| *mount == &*name) {
                continue;
            }
            let mut files = places.into_iter().map(|place| {
                let key = keys.get(&place).cloned();
                Ok(key.map(|key| (place.0, key)))
            });
            if let Some(item) = self.merged(folder, &mut files)? {
                all.push((name, item));
            }
        }
        if folder.is_root && !self.mounts.is_empty() {
            all.extend(self.mounts.iter().map(|(name, item)| ((*name).into(), item.clone())));
            all.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        Ok(all)
    }

    /// The file with this name in a folder, of which so many layers are looked into.
    fn lookup(&self, folder: &Item, name: &[u8], layers: usize) -> Result<Option<Item>, ContentsError> {
        if let Some((_, mount)) = self.mounts.iter().find(|(mount, _)| folder.is_root && *mount == name) {
            return Ok(Some(mount.clone()));
        }
        let mut files = folder.at.iter().take(layers).map(|(number, key)| {
            let layer = self.layer(*number)?;
            let found = layer.lookup(key, name)?.map(|found| layer.key(found)).transpose()?;
            Ok(found.map(|found| (*number, found)))
        });
        self.merged(folder, &mut files)
    }

    /// What files of one name in a folder are together, the uppermost first: nothing if that hides the others.
    fn merged(
        &self,
        folder: &Item,
        files: &mut dyn Iterator<Item = Result<Option<(usize, Key)>, ContentsError>>,
    ) -> Result<Option<Item>, ContentsError> {
        let mut merged = None::<Item>;
        for file in files {
            let Some((number, key)) = file? else { continue };
            match self.add(&mut merged, number, key)? {
                Below::There => {}
                Below::Nowhere => break,
                Below::Elsewhere(path) => {
                    for (number, key) in self.renamed(folder, number, &path)? {
                        if self.add(&mut merged, number, key)? != Below::There {
                            break;
                        }
                    }
                    break;
                }
            }
        }
        Ok(merged)
    }

    /// Adds a file below those so far. Returns where the next one is.
    fn add(&self, merged: &mut Option<Item>, number: usize, key: Key) -> Result<Below, ContentsError> {
        let layer = self.layer(number)?;
        let metadata = layer.metadata(&key)?;
        if layer.is_whiteout(&key)? || merged.is_some() && metadata.kind != Kind::Folder {
            return Ok(Below::Nowhere);
        }
        let below = layer.below(&key)?;
        merged.get_or_insert_with(|| Item { metadata, at: Vec::new(), is_root: false }).at.push((number, key));
        Ok(below)
    }

    /// What a renamed folder in this layer lies over, in the layers below.
    fn renamed(&self, folder: &Item, number: usize, path: &[u8]) -> Result<Vec<(usize, Key)>, ContentsError> {
        let start = if path.starts_with(b"/") { &self.root } else { folder };
        let mut all = Vec::new();
        for (number, key) in start.at.iter().filter(|(below, _)| *below > number) {
            let layer = self.layer(*number)?;
            let step = |key: Option<Key>, name: &[u8]| match key {
                Some(key) => layer.lookup(&key, name)?.map(|found| layer.key(found)).transpose(),
                None => Ok(None),
            };
            let found = parts(path).try_fold(Some(key.clone()), step)?;
            all.extend(found.map(|found| (*number, found)));
        }
        Ok(all)
    }

    /// Finds the file with this path, through symbolic links, which do not lead out of the snapshot; the last one is followed
    /// only if `follows`. Also returns its path without links.
    ///
    /// # Errors
    /// A folder on the way cannot be read, or is damaged.
    pub fn find(&self, path: &[u8], follows: bool) -> Result<Option<(Vec<u8>, Item)>, ContentsError> {
        // What is no folder hides all below it: those layers need not be read.
        let first = self.find_in(path, follows, 1)?.file().filter(|(_, item)| item.kind() != Kind::Folder);
        if first.is_some() { Ok(first) } else { self.find_in(path, follows, usize::MAX).map(Found::file) }
    }

    /// Whether this path leads through a loop of symbolic links, or more of them than Linux follows.
    ///
    /// # Errors
    /// See [`Self::find`].
    pub fn is_loop(&self, path: &[u8]) -> Result<bool, ContentsError> {
        Ok(matches!(self.find_in(path, true, usize::MAX)?, Found::Loop))
    }

    /// The same in so many layers of each folder on the way.
    fn find_in(&self, path: &[u8], follows: bool, layers: usize) -> Result<Found, ContentsError> {
        let (mut found, mut links) = (Vec::<(Box<[u8]>, Item)>::new(), 0_usize);
        let mut parts: VecDeque<Box<[u8]>> = parts(path).map(Into::into).collect();
        while let Some(part) = parts.pop_front() {
            if &*part == b".." {
                found.pop();
                continue;
            }
            let folder = found.last().map_or(&self.root, |(_, item)| item);
            if folder.kind() != Kind::Folder {
                return Ok(Found::Missing);
            }
            let Some(item) = self.lookup(folder, &part, layers)? else { return Ok(Found::Missing) };
            if item.kind() != Kind::Link || parts.is_empty() && !follows {
                found.push((part, item));
                continue;
            }
            links = links.saturating_add(1);
            if links > MOST_LINKS {
                return Ok(Found::Loop);
            }
            let target = self.link(&item)?;
            if target.starts_with(b"/") {
                found.clear();
            }
            for part in self::parts(&target).collect::<Vec<_>>().into_iter().rev() {
                parts.push_front(part.into());
            }
        }
        let names = found.iter().flat_map(|(name, _)| [b"/", &**name]);
        let path: Vec<u8> = names.flatten().copied().collect();
        let path = if path.is_empty() { b"/".to_vec() } else { path };
        Ok(Found::File(path, found.pop().map_or_else(|| self.root.clone(), |(_, item)| item)))
    }

    /// Whether a file is one that the engine brings for each VM.
    pub fn is_of_engine(&self, item: &Item) -> bool {
        self.engine.is_some_and(|engine| item.at.iter().all(|(layer, _)| *layer == engine))
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn link(&self, item: &Item) -> Result<Vec<u8>, ContentsError> {
        let (layer, key) = self.first(item)?;
        layer.link(key)
    }

    /// The extended attributes of a file, by name.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn attributes(&self, item: &Item) -> Result<Vec<Attribute>, ContentsError> {
        if item.at.is_empty() {
            return Ok(Vec::new());
        }
        let (layer, key) = self.first(item)?;
        layer.attributes(key)
    }

    /// The content of a file.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn content(&self, item: &Item) -> Result<Content<'_>, ContentsError> {
        let (layer, key) = self.first(item)?;
        Ok(Content::new(layer, layer.extents(key)?, item.metadata.size))
    }

    /// Bytes of data in its layers.
    pub fn data(&self) -> u64 {
        self.layers.iter().map(Lazy::data).fold(0, u64::saturating_add)
    }

    /// Whether two files of snapshots have the same inode, in every byte, and no attributes elsewhere.
    pub fn is_same_inode(item: &Item, other: &Item) -> bool {
        match (&*item.at, &*other.at) {
            // A block of attributes may differ all the same.
            ([(_, Key::Inode(one))], [(_, Key::Inode(two))]) => one == two && one.attribute_block() == 0,
            _ => false,
        }
    }

    fn first<'i>(&self, item: &'i Item) -> Result<(&Layer, &'i Key), ContentsError> {
        self.first_of(item).map(|(_, layer, key)| (layer, key))
    }
}

/// The names in a path.
fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."))
}
