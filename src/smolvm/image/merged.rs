//! What a guest sees of several layers: the files of the upper ones hide those below.

use super::file::File;
use super::layer::{CROWDED, Layer, MOST};
use crate::ext4::Kind;
use crate::overlay::{Below, LONGEST_PATH};
use crate::signals::{Interrupted, Signals};
use crate::smolvm::disk::DiskError;
use std::collections::BTreeMap;
use std::vec;

/// The most names that are looked up for all renamed folders: those of a thousand, with 250 names each, in 128 layers. A guest
/// has few of them, but one that is hostile can name paths of thousands of names again and again.
const MOST_LOOKED_UP: u64 = 1 << 25;

/// What a name weighs besides its files: the first one takes most of the memory, those that lie below it far less.
const NAME: usize = 7;
/// The most that names in open folders may weigh together: they are not more than [`MOST`], each with one file.
const HEAVIEST: usize = MOST * (NAME + 1);

/// A file that a guest sees.
#[derive(Debug)]
pub struct Seen<'f> {
    /// Its path; empty for the uppermost folder.
    pub path: &'f [u8],
    /// The number of its layer.
    pub layer: usize,
    /// The file.
    pub file: &'f File,
}

/// The files that a guest sees of one name, with the numbers of their layers. More than one are folders.
type Files = Vec<(usize, File)>;
/// A name in a folder.
type Name = (Vec<u8>, Files);
/// An open folder: the length of its path, and the names that come next.
type Open = (usize, vec::IntoIter<Name>);

/// Passes each file that a guest sees to `on_file`: a folder before what is in it, and that in the order of its names. The
/// uppermost layer comes first.
///
/// # Errors
/// A layer cannot be read, has something unknown, a signal came, or `on_file` failed.
pub fn walk<E: From<DiskError> + From<Interrupted>>(
    layers: &[Layer<'_>],
    signals: &Signals,
    on_file: &mut dyn FnMut(&Seen<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut roots = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        roots.push((number, layer.root()?));
    }
    let (mut path, mut open): (Vec<u8>, Vec<Open>) = (Vec::new(), Vec::new());
    // What names in open folders weigh that come next, and how many may still be looked up for renamed folders.
    let (mut held, mut left) = (0_usize, MOST_LOOKED_UP);
    let mut next = Some(roots.clone());
    loop {
        if let Some(files) = next.take() {
            let Some((layer, file)) = files.first() else { continue };
            on_file(&Seen { path: &path, layer: *layer, file })?;
            let names = if file.metadata.kind == Kind::Folder {
                names::<E>(layers, &roots, &files, signals, &mut left)?
            } else {
                Vec::new()
            };
            held = names.iter().map(weight).fold(held, usize::saturating_add);
            if let Some(layer) = layers.get(*layer).filter(|_| held > HEAVIEST) {
                return Err(layer.unknown(CROWDED).into());
            }
            open.push((path.len(), names.into_iter()));
        }
        let Some((length, names)) = open.last_mut() else { return Ok(()) };
        path.truncate(*length);
        match names.next() {
            None => drop(open.pop()),
            Some(next_name) => {
                held = held.saturating_sub(weight(&next_name));
                let (name, files) = next_name;
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend(name);
                let layer = files.first().and_then(|(layer, _)| layers.get(*layer));
                if let Some(layer) = layer.filter(|_| path.len() > LONGEST_PATH) {
                    return Err(layer.unknown(format!("has a path of more than {LONGEST_PATH} bytes")).into());
                }
                next = Some(files);
            }
        }
    }
}

/// What a name weighs with its files.
fn weight((_, files): &Name) -> usize {
    files.len().saturating_add(NAME)
}

/// The names in a folder that is in these layers; `roots` are their uppermost folders. `left` is how many names may still be
/// looked up for renamed folders.
fn names<E: From<DiskError> + From<Interrupted>>(
    layers: &[Layer<'_>],
    roots: &[(usize, File)],
    folders: &[(usize, File)],
    signals: &Signals,
    left: &mut u64,
) -> Result<Vec<Name>, E> {
    // For each name its files so far, and whether those below are hidden.
    let mut all: BTreeMap<Vec<u8>, (Files, bool)> = BTreeMap::new();
    let mut count = 0_usize;
    for (number, folder) in folders {
        let Some(layer) = layers.get(*number) else { continue };
        for (name, file) in layer.entries(folder)? {
            signals.check()?;
            if all.len() > MOST || count > HEAVIEST {
                return Err(layer.unknown(CROWDED).into());
            }
            let (files, is_closed) = all.entry(name).or_default();
            if *is_closed {
                continue;
            }
            let is_folder = file.metadata.kind == Kind::Folder;
            let below = if is_folder { layer.below(&file)? } else { Below::Nowhere };
            *is_closed = below != Below::There;
            // A file does not lie in a folder above it.
            if layer.is_whiteout(&file) || !is_folder && !files.is_empty() {
                continue;
            }
            if !is_folder {
                layer.check_file(&file)?;
            }
            files.push((*number, file));
            count = count.saturating_add(1);
            if let Below::Elsewhere(path) = below {
                let start = if path.starts_with(b"/") { roots } else { folders };
                let lower = renamed::<E>(layers, start, *number, &path, signals, left)?;
                count = count.saturating_add(lower.len());
                files.extend(lower);
            }
        }
    }
    Ok(all.into_iter().map(|(name, (files, _))| (name, files)).filter(|(_, files)| !files.is_empty()).collect())
}

/// What a folder of the layer `above` lies over that had this path before it was renamed.
fn renamed<E: From<DiskError> + From<Interrupted>>(
    layers: &[Layer<'_>],
    start: &[(usize, File)],
    above: usize,
    path: &[u8],
    signals: &Signals,
    left: &mut u64,
) -> Result<Files, E> {
    let mut all = Vec::new();
    for (number, top) in start.iter().filter(|(number, _)| *number > above) {
        let Some(layer) = layers.get(*number) else { continue };
        let (found, hides) = layer.folder_at::<E>(top, path, &mut || {
            signals.check()?;
            let rest = left.checked_sub(1);
            *left = rest.ok_or_else(|| layer.unknown("has too many renamed folders with long paths"))?;
            Ok(())
        })?;
        all.extend(found.map(|found| (*number, found)));
        if hides {
            break;
        }
    }
    Ok(all)
}
