//! The file that says what the folder is.

use super::{Found, HomeError, files, legacy};
use crate::publish::{Existing, publish_text};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::path::Path;

/// Its name.
pub const FILE: &str = "bottle-freeze.json";
const KIND: &str = "bottle-freeze library";
/// The only format there was yet.
const FORMAT: u32 = 1;
/// More than this no marker has.
const LIMIT: u64 = 4 << 10;

#[derive(Serialize, Deserialize)]
struct Marker {
    kind: String,
    format: u32,
    #[serde(default)]
    about: String,
}

/// What the folder is, by its marker, or by what it holds.
pub fn look(root: &Path) -> Result<Found, HomeError> {
    let path = root.join(FILE);
    let mut text = Vec::new();
    let read = files::open_existing(&path).and_then(|file| {
        let is_own = files::is_own(&file.metadata()?);
        file.take(LIMIT).read_to_end(&mut text)?;
        Ok(is_own)
    });
    match read {
        Ok(true) => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(HomeError::unreadable(&path, &error));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match unmarked(root) {
                // Another run has written it since: that is whose files these are.
                Err(HomeError::Foreign { .. }) if path.symlink_metadata().is_ok() => look(root),
                found => found,
            };
        }
        // Another user's, a link, a FIFO …
        Ok(false) | Err(_) => return Err(HomeError::Mismarked(root.to_owned())),
    }
    match serde_json::from_slice::<Marker>(&text) {
        Ok(marker) if marker.kind != KIND => Err(HomeError::Mismarked(root.to_owned())),
        Ok(marker) if marker.format != FORMAT => Err(HomeError::Newer { root: root.to_owned(), format: marker.format }),
        Ok(_) => Ok(Found::Marked),
        Err(_) if is_torn(&text) => unmarked(root),
        Err(_) => Err(HomeError::Mismarked(root.to_owned())),
    }
}

/// Whether this is what a power cut may leave of a marker: its beginning, or nothing. All else is not replaced.
fn is_torn(text: &[u8]) -> bool {
    let whole = serde_json::to_vec_pretty(&Marker::new()).unwrap_or_default();
    let written = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    text.get(..written).is_some_and(|text| whole.starts_with(text))
}

fn unmarked(root: &Path) -> Result<Found, HomeError> {
    match legacy::look(root).map_err(|error| HomeError::unreadable(root, &error))? {
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

/// Says from now on what the folder is.
pub fn write(root: &Path) -> io::Result<()> {
    Ok(publish_text(&serde_json::to_vec_pretty(&Marker::new())?, &root.join(FILE), Existing::Replace)?)
}
