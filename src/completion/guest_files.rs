//! The files in a snapshot, for TAB.

use crate::contents::{Contents, Item};
use crate::ext4::Kind;
use crate::library::catalog;
use crate::library::store::Kept;
use crate::signals::Signals;
use crate::terminal;

/// The most links that are followed, to know which lead to folders.
const LINKS: usize = 100;

/// The paths in a snapshot that begin with what was typed, up to the next slash; those of folders end with one. Nothing if its
/// files are not in chunks: to decompress them takes too long. Names that a shell could not show on a line are left out.
pub fn paths(snapshot: &str, typed: &str) -> Option<Vec<String>> {
    let one = catalog::find_of_any_vm(snapshot).ok()?;
    let (workspace, kept, signals) = (one.workspace(), Kept::default(), Signals::default());
    let contents = Contents::of_chunks(&one.folder, &one.index()?, workspace.as_deref(), &kept, &signals).ok()?;
    let typed = if typed.is_empty() { "/" } else { typed };
    let folder = typed.rfind('/').and_then(|slash| typed.get(..=slash)).unwrap_or_default();
    let begin = typed.strip_prefix(folder)?;
    let (_, item) = contents.find(folder.as_bytes(), true).ok()??;
    let mut links = LINKS;
    let mut all = Vec::new();
    for (name, item) in contents.entries(&item).ok()? {
        let Some(name) = std::str::from_utf8(&name).ok().filter(|name| name.starts_with(begin)) else { continue };
        let path = format!("{folder}{name}");
        if terminal::one_line(&path) == path {
            let ending = if is_folder(&contents, &path, &item, &mut links) { "/" } else { "" };
            all.push(path + ending);
        }
    }
    Some(all)
}

/// Whether it is a folder, or a link to one.
fn is_folder(contents: &Contents, path: &str, item: &Item, links: &mut usize) -> bool {
    match item.kind() {
        Kind::Folder => true,
        Kind::Link if *links > 0 => {
            *links = links.saturating_sub(1);
            let found = contents.find(path.as_bytes(), true).ok().flatten();
            found.is_some_and(|(_, item)| item.kind() == Kind::Folder)
        }
        _ => false,
    }
}
