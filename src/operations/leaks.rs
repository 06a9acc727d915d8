//! Searches a snapshot for what others should not get, before it leaves this machine.

mod links;

use crate::app::App;
use crate::contents::{Contents, ContentsError, Deleted, Item};
use crate::error::{Result, Status};
use crate::ext4::Kind as FileKind;
use crate::leaks::{self, Finding, Kind};
use crate::library::Stored;
use crate::library::store::Kept;
use crate::operations::{contents, packed};
use crate::signals::Signals;
use crate::smolvm::artifact::Manifest;
use crate::terminal::Warnings;
use links::Links;
use std::collections::BTreeSet;
use std::path::Path;

/// The most findings that are kept, and the most that people read.
const KEPT: usize = 1000;
const SHOWN: usize = 20;
/// How many files are sorted by their place on the disk before they are read, and the most bytes of their paths.
const BATCH: usize = 20_000;
const BATCH_PATHS: usize = 64 << 20;
/// The most bytes of text that are searched.
const MOST: u64 = 16 << 30;
/// The most symbolic links that are followed, and the most bytes that they take in memory: a path may have 64 KiB.
const MOST_LINKS: usize = 200_000;
const LINKS_MEMORY: usize = 256 << 20;

/// What was found in a snapshot.
#[derive(Debug, Default)]
pub struct Found {
    /// The first of them, sorted.
    pub list: Vec<Finding>,
    /// How many there are.
    pub total: u64,
    /// The kinds of those in files.
    pub in_files: BTreeSet<Kind>,
    /// The kinds of the others.
    pub beside: BTreeSet<Kind>,
    /// What may be left of deleted files, a sentence for each disk.
    deleted: Vec<String>,
}

impl Found {
    /// Adds what is not in a file.
    fn add(&mut self, kind: Kind, path: &[u8], what: impl Into<String>) {
        self.beside.insert(kind);
        self.push(kind, path, what);
    }

    fn push(&mut self, kind: Kind, path: &[u8], what: impl Into<String>) {
        self.total = self.total.saturating_add(1);
        let path = String::from_utf8_lossy(path).into_owned();
        self.list.push(Finding { kind, path, what: what.into() });
        // Many histories do not push out a private key.
        if self.list.len() >= KEPT.saturating_mul(2) {
            self.sort();
        }
    }

    /// Sorts the list, and keeps no more than [`KEPT`].
    fn sort(&mut self) {
        self.list.sort();
        self.list.truncate(KEPT);
    }

    /// What people read, one finding a line.
    fn lines(&self) -> String {
        let mut text = match self.total {
            1 => "it holds what may be secret:".to_owned(),
            total => format!("it holds {total} things that may be secret:"),
        };
        for Finding { path, what, .. } in self.list.iter().take(SHOWN) {
            // The name of a file may have any character.
            let path: String = path.chars().flat_map(escaped).collect();
            text = format!("{text}\n{path}: {what}");
        }
        match self.total.saturating_sub(SHOWN as u64) {
            0 => text,
            more => format!("{text}\nand {more} more"),
        }
    }

    /// Warns about what was found, and asks whether it may leave this machine, unless `is_allowed`; `hint` names the options
    /// that help, and `state` is how things stand if it may not.
    pub fn confirm(&self, app: &App, is_allowed: bool, hint: &str, warnings: &Warnings, state: &str) -> Result<()> {
        // No question: the engine's own packs of stopped VMs have deleted files almost always.
        for line in &self.deleted {
            warnings.warn(line);
        }
        if self.total == 0 {
            return Ok(());
        }
        warnings.warn(self.lines());
        if is_allowed {
            return Ok(());
        }
        let listed = match self.total {
            total if total > SHOWN as u64 => format!("{SHOWN} of {total} are listed above"),
            _ => "listed above".to_owned(),
        };
        let question = format!("It may hold secrets ({listed}). Let them leave this machine?");
        app.ask(&question, hint, state)
    }
}

fn escaped(char: char) -> Vec<char> {
    if char.is_control() { char.escape_debug().collect() } else { vec![char] }
}

/// Searches the files, the variables and the RAM of a snapshot with this manifest. `path` is that of its artifact; its folder
/// if that is in chunks.
///
/// # Errors
/// A signal arrived, or the list of its chunks is damaged. Files that cannot be read are a finding.
pub fn search(app: &App, name: &str, stored: Option<&Stored>, path: &Path, manifest: &Manifest) -> Result<Found> {
    let mut found = Found::default();
    search_description(&mut found, stored, manifest);
    if manifest.is_live() {
        found.add(Kind::Ram, b"RAM", "the RAM of a running VM, with every secret in it");
    }
    if manifest.has_credential_authority() {
        found.add(Kind::PrivateKey, b"credential_ca", "the private key of the engine's authority for credentials");
    }
    let text = format!("searching {name} for secrets");
    let can_scrub = stored.is_some_and(|one| one.metadata.is_in_chunks());
    let searched = contents::read(app, name, stored, path, &Kept::default()).map(|(contents, _private)| {
        app.terminal.during("check", &text, || {
            let contents = contents?;
            each(&contents, &app.signals, &mut |path, _, kind, what| {
                found.in_files.insert(kind);
                found.push(kind, path, what);
                Ok(())
            })?;
            // The RAM of a running VM has more.
            found.deleted = if manifest.is_live() { Vec::new() } else { deleted(&contents, can_scrub)? };
            Ok(())
        })
    });
    let why = match searched {
        Err(failure) if failure.status != Status::NotWritable => return Err(failure),
        Ok(Err(ContentsError::Interrupted(interrupted))) => return Err(interrupted.into()),
        // There is no room for files to search.
        Err(failure) => Some(failure.what),
        Ok(searched) => searched.err().map(|error| error.to_string()),
    };
    if let Some(why) = why {
        found.add(Kind::Unreadable, b"/", format!("files that cannot be searched: {why}"));
    }
    found.sort();
    Ok(found)
}

/// Searches what is said of a snapshot beside its files: the manifest, whose variables are searched by their names, and
/// `snapshot.json`.
fn search_description(found: &mut Found, stored: Option<&Stored>, manifest: &Manifest) {
    for (name, value) in manifest.env() {
        if leaks::is_secret_variable(name, value) {
            found.add(Kind::Environment, name.as_bytes(), "the value of a variable");
        }
    }
    let mut add = |place: &str, kind: Kind, what: &str| found.add(kind, place.as_bytes(), what);
    for (key, value) in manifest.all().as_object().into_iter().flatten().filter(|(key, _)| *key != "env") {
        leaks::find_in_json(value, &format!("manifest: {key}"), &mut add);
    }
    if let Some(metadata) = stored.and_then(|one| serde_json::to_value(&one.metadata).ok()) {
        // A warning may have the command of a hook, and what it printed.
        for (key, value) in metadata.as_object().into_iter().flatten() {
            leaks::find_in_json(value, &format!("snapshot.json: {key}"), &mut add);
        }
    }
}

/// What may be left of deleted files, as people read it.
fn deleted(contents: &Contents, can_scrub: bool) -> std::result::Result<Vec<String>, ContentsError> {
    let line = |(disk, deleted)| match deleted {
        Deleted::Bytes(0) => None,
        Deleted::Bytes(bytes) => {
            let size = packed::size(bytes);
            let without = if can_scrub {
                "--scrub leaves them out, and so does a freeze without --no-trim"
            } else {
                "a freeze into the library without --no-trim leaves them out"
            };
            Some(format!("{disk} holds {size} of deleted files; {without}"))
        }
        Deleted::Unclean => Some(format!("{disk} was not unmounted cleanly: deleted files may be left on it")),
        Deleted::Unknown(why) => Some(format!("{disk}: {why}: what deleted files left on it is not known")),
    };
    Ok(contents.deleted()?.into_iter().filter_map(line).collect())
}

/// Gets the path of a file, the file, and what was found in it.
type OnFound<'a> = &'a mut dyn FnMut(&[u8], &Item, Kind, &'static str) -> std::result::Result<(), ContentsError>;

/// Calls `on_found` for each file in which something is found, or that cannot be read: with its path, or with that of a link to
/// it or to a folder that it is in, if it is known by that only.
///
/// # Errors
/// A folder cannot be read, a signal arrived, or `on_found` failed.
pub fn each(contents: &Contents, signals: &Signals, on_found: OnFound<'_>) -> std::result::Result<(), ContentsError> {
    let mut search = Search {
        contents,
        signals,
        on_found,
        batch: Vec::new(),
        batch_paths: 0,
        left: MOST,
        links: Links::default(),
        followed: 0,
        leaves_links: false,
    };
    let walked = contents.walk(b"/", contents.root(), &mut |path, item| search.any(path, item));
    // A folder that cannot be read hides nothing of what was found before.
    search.read_batch().and_then(|()| search.linked()).and(walked)
}

/// A search of files.
struct Search<'a> {
    contents: &'a Contents,
    signals: &'a Signals,
    on_found: OnFound<'a>,
    /// Files to read: where they are, their path, and they.
    batch: Vec<(u64, Vec<u8>, Item)>,
    /// Bytes of these paths.
    batch_paths: usize,
    /// Bytes that may still be read.
    left: u64,
    /// Links outside of packages, and how many were followed.
    links: Links,
    followed: usize,
    /// Whether there were more links than are followed.
    leaves_links: bool,
}

impl Search<'_> {
    fn any(&mut self, path: &[u8], item: &Item) -> std::result::Result<(), ContentsError> {
        match item.kind() {
            // What the engine brings is the same everywhere.
            _ if self.contents.is_of_engine(item) => Ok(()),
            FileKind::File => self.file(path, item),
            FileKind::Link => self.link(path, item),
            _ => Ok(()),
        }
    }

    fn file(&mut self, path: &[u8], item: &Item) -> std::result::Result<(), ContentsError> {
        let size = item.metadata.size;
        if size == 0 {
            return Ok(());
        }
        if !leaks::is_searched(path, size) {
            return self.check(path, item, None);
        }
        match self.contents.content(item) {
            Ok(content) => {
                let place = content.extents.first().map_or(0, |extent| extent.on_disk);
                self.batch.push((place, path.to_vec(), item.clone()));
                self.batch_paths = self.batch_paths.saturating_add(path.len());
            }
            Err(error) => self.unreadable(path, item, error)?,
        }
        if self.batch.len() < BATCH && self.batch_paths < BATCH_PATHS { Ok(()) } else { self.read_batch() }
    }

    /// Notes what a link leads to. Those of packages are too many, and lead to what packages bring.
    fn link(&mut self, path: &[u8], item: &Item) -> std::result::Result<(), ContentsError> {
        if !leaks::is_searched(path, item.metadata.size) {
            return Ok(());
        }
        if self.followed >= MOST_LINKS || self.links.memory() >= LINKS_MEMORY {
            let is_first = !std::mem::replace(&mut self.leaves_links, true);
            let what = "a symbolic link after too many others, which is not followed";
            return if is_first { (self.on_found)(path, item, Kind::Unreadable, what) } else { Ok(()) };
        }
        self.followed = self.followed.saturating_add(1);
        match self.contents.find(path, true) {
            Ok(Some((target, found))) if found.kind() == FileKind::File => self.links.add(path, target, false),
            Ok(Some((target, found))) if found.kind() == FileKind::Folder => {
                if !leaks::is_of_package(&[&*target, b"/"].concat()) {
                    self.links.add(path, target, true);
                }
            }
            Ok(_) => {}
            Err(error) => self.unreadable(path, item, error)?,
        }
        Ok(())
    }

    /// Looks at files by the names that links give them.
    fn linked(&mut self) -> std::result::Result<(), ContentsError> {
        let (links, contents) = (std::mem::take(&mut self.links), self.contents);
        for (path, is_folder) in links.targets() {
            self.signals.check()?;
            if !is_folder && known_names(&links, path).is_empty() {
                continue;
            }
            match contents.find(path, false)? {
                Some((_, item)) if is_folder => {
                    contents.walk(path, &item, &mut |path, item| self.named(path, item, &known_names(&links, path)))?;
                }
                Some((_, item)) => self.named(path, &item, &known_names(&links, path))?,
                None => {}
            }
        }
        Ok(())
    }

    /// Looks at a file by these names, if nothing is found by its path.
    fn named(&mut self, path: &[u8], item: &Item, names: &[Vec<u8>]) -> std::result::Result<(), ContentsError> {
        let size = item.metadata.size;
        let is_file = item.kind() == FileKind::File && size > 0 && !self.contents.is_of_engine(item);
        let Some(first) = names.first().filter(|_| is_file) else { return Ok(()) };
        let text = if size <= leaks::LONGEST {
            self.count(item)?;
            self.text(item).map(Some)
        } else {
            Ok(None)
        };
        let text = match text {
            Ok(text) => text,
            // It was reported by its path.
            Err(error) if leaks::is_searched(path, size) && !matches!(error, ContentsError::Interrupted(_)) => {
                return Ok(());
            }
            Err(error) => return self.unreadable(first, item, error),
        };
        if leaks::find(path, text.as_deref()).is_some() {
            return Ok(());
        }
        let found = names.iter().find_map(|name| Some((name, leaks::find_by_name(name, text.as_deref())?)));
        found.map_or(Ok(()), |(name, (kind, what))| (self.on_found)(name, item, kind, what))
    }

    /// Reads files in the order of the disk: each part of it is read once.
    fn read_batch(&mut self) -> std::result::Result<(), ContentsError> {
        let mut batch = std::mem::take(&mut self.batch);
        self.batch_paths = 0;
        batch.sort_by_key(|(place, ..)| *place);
        for (_, path, item) in batch {
            self.count(&item)?;
            match self.text(&item) {
                Ok(text) => self.check(&path, &item, Some(&text))?,
                Err(error) => self.unreadable(&path, &item, error)?,
            }
        }
        Ok(())
    }

    /// Counts a file that is read next. A hole counts, too: it takes no time on the disk, but is searched.
    fn count(&mut self, item: &Item) -> std::result::Result<(), ContentsError> {
        self.signals.check()?;
        let left = self.left.checked_sub(item.metadata.size);
        // After the first one that is too much, no other is read.
        self.left = left.unwrap_or(0);
        match left {
            Some(_) => Ok(()),
            None => Err(ContentsError::damaged("a disk in it", "holds more text than is searched")),
        }
    }

    fn text(&self, item: &Item) -> std::result::Result<Vec<u8>, ContentsError> {
        let content = self.contents.content(item)?;
        let mut text = vec![0; usize::try_from(content.size).unwrap_or(0)];
        content.read_at(0, &mut text)?;
        Ok(text)
    }

    /// Reports a file that cannot be read, and goes on, unless a signal arrived.
    fn unreadable(&mut self, path: &[u8], item: &Item, error: ContentsError) -> std::result::Result<(), ContentsError> {
        match error {
            ContentsError::Interrupted(_) => Err(error),
            _ => (self.on_found)(path, item, Kind::Unreadable, "a file that cannot be searched"),
        }
    }

    fn check(&mut self, path: &[u8], item: &Item, text: Option<&[u8]>) -> std::result::Result<(), ContentsError> {
        leaks::find(path, text).map_or(Ok(()), |(kind, what)| (self.on_found)(path, item, kind, what))
    }
}

/// The names that links give to the file with this path, as far as something is known of files with such a name.
fn known_names(links: &Links, path: &[u8]) -> Vec<Vec<u8>> {
    links.names(path).into_iter().filter(|name| leaks::is_known(name)).collect()
}
