//! The file that says what the folder is.

use super::error::HomeError;
use super::legacy;
use super::names::MARKER;
use crate::files;
use crate::publish::{Existing, publish_text};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::path::Path;

const KIND: &str = "bottle-freeze library";
/// The only format so far.
const FORMAT: u32 = 1;
/// The most bytes that are read of a marker.
const LIMIT: u64 = 4 << 10;

#[derive(Serialize, Deserialize)]
struct Marker {
    kind: String,
    format: u32,
    #[serde(default)]
    about: String,
}

/// What the folder holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no folder.
    Missing,
    /// Nothing.
    Empty,
    /// A library of 0.1.0, which wrote no marker.
    Unmarked,
    /// A library with a marker.
    Marked,
}

/// What the folder is, by its marker, or else by its contents.
///
/// # Errors
/// The folder cannot be used.
pub fn read(root: &Path) -> Result<Found, HomeError> {
    let path = root.join(MARKER);
    let mut text = Vec::new();
    let is_own = files::open_existing(&path).and_then(|file| {
        let own = files::is_own(&file.metadata()?);
        file.take(LIMIT).read_to_end(&mut text)?;
        Ok(own)
    });
    match is_own {
        Ok(true) => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(HomeError::unreadable(&path, &error));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match unmarked(root) {
                // Another run has written the marker in the meantime: the files are its files.
                Err(HomeError::Foreign { .. }) if path.symlink_metadata().is_ok() => read(root),
                found => found,
            };
        }
        // Another user's file, a link, a FIFO …
        Ok(false) | Err(_) => return Err(HomeError::InvalidMarker(root.to_owned())),
    }
    match serde_json::from_slice::<Marker>(&text) {
        Ok(marker) if marker.kind != KIND => Err(HomeError::InvalidMarker(root.to_owned())),
        Ok(marker) if marker.format != FORMAT => Err(HomeError::Newer { root: root.to_owned(), format: marker.format }),
        Ok(_) => Ok(Found::Marked),
        Err(_) if is_torn(&text) => unmarked(root),
        Err(_) => Err(HomeError::InvalidMarker(root.to_owned())),
    }
}

/// Whether this is what a power cut may leave of a marker: its beginning, or nothing. Anything else is not replaced.
fn is_torn(text: &[u8]) -> bool {
    let whole = serde_json::to_vec_pretty(&Marker::new()).unwrap_or_default();
    let written = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    text.get(..written).is_some_and(|text| whole.starts_with(text))
}

fn unmarked(root: &Path) -> Result<Found, HomeError> {
    match legacy::contents(root).map_err(|error| HomeError::unreadable(root, &error))? {
        legacy::Contents::Nothing => Ok(Found::Empty),
        legacy::Contents::Library => Ok(Found::Unmarked),
        legacy::Contents::Foreign(path) => Err(HomeError::Foreign { root: root.to_owned(), path }),
    }
}

impl Marker {
    fn new() -> Self {
        let about =
            "Snapshots of smolvm VMs; bottle-freeze removes what it has put here. See bottle-freeze-snapshot(5).";
        Self { kind: KIND.to_owned(), format: FORMAT, about: about.to_owned() }
    }
}

/// Writes the marker.
pub fn write(root: &Path) -> io::Result<()> {
    Ok(publish_text(&serde_json::to_vec_pretty(&Marker::new())?, &root.join(MARKER), Existing::Replace)?)
}
