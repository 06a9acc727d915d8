//! A copy of a snapshot in which some files are empty, for a push or an export. The snapshot itself is not touched.

use crate::app::App;
use crate::contents::{Contents, ContentsError, Item, MemberEdits, WORKSPACE};
use crate::error::{Failure, Result, Status};
use crate::ext4::{Edits, Kind as FileKind, ReadAt};
use crate::leaks::Kind;
use crate::library::store::{self, Chunk, Entry, Feed, Index, Kept, Source, StoreError, Writer};
use crate::library::{FileHash, HashingWriter, InChunks, Metadata, Staging, Stored, layout};
use crate::operations::leaks::{self, Found};
use crate::operations::{contents, packed, verify};
use crate::report::{Emptied, Searched};
use crate::signals::{ExitNote, Signals};
use crate::smolvm::artifact::Part;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::str::FromStr;

/// Zeros that are written at once, where something is written among them.
const WINDOW: u64 = 1 << 20;
/// The most files that are listed.
const LISTED: usize = 1000;
/// The most bytes that the files to empty take in memory: a path may have 64 KiB.
const MEMORY: usize = 512 << 20;
/// Bytes of an inode, which has 256 on almost every disk, and of what is kept with it.
const INODE: usize = 512;
/// What helps if no copy can be made: after an unclean unmount, for one file, or else.
const RESTART: &str = "thaw it, start and stop the VM, and freeze that";
const IN_VM: &str = "empty or remove it in the VM, and freeze that";
const WITHOUT: &str = "leave out --scrub";

/// Why a file is made empty, its path, and the file.
type Chosen = (&'static str, Vec<u8>, Item);

/// What is made empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scrub {
    /// The private host keys of SSH: its server makes new ones.
    SshHostKeys,
    /// The id of the machine: systemd makes a new one.
    MachineId,
    /// Histories of shells and other programs.
    History,
    /// The keys that may log in.
    AuthorizedKeys,
    /// Private keys.
    PrivateKeys,
    /// Files in which programs keep credentials.
    Credentials,
}

/// The names of what is made empty.
pub const SCRUBS: [(&str, Scrub); 6] = [
    ("ssh-host-keys", Scrub::SshHostKeys),
    ("machine-id", Scrub::MachineId),
    ("history", Scrub::History),
    ("authorized-keys", Scrub::AuthorizedKeys),
    ("private-keys", Scrub::PrivateKeys),
    ("credentials", Scrub::Credentials),
];

impl FromStr for Scrub {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let found = SCRUBS.iter().find(|(name, _)| *name == text).map(|(_, scrub)| *scrub);
        found.ok_or_else(|| format!("it is one of {}", SCRUBS.map(|(name, _)| name).join(", ")))
    }
}

impl Scrub {
    /// Whether it makes files empty in which this was found.
    fn is_of(self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::SshHostKeys, Kind::SshHostKey)
                | (Self::History, Kind::History)
                | (Self::AuthorizedKeys, Kind::AuthorizedKeys)
                | (Self::PrivateKeys, Kind::PrivateKey)
                | (Self::Credentials, Kind::Credentials)
        )
    }
}

/// A copy of a snapshot, until this is dropped.
pub struct Scrubbed {
    /// The copy, in a private folder.
    pub stored: Stored,
    /// The files that are empty in it, sorted.
    emptied: Vec<Emptied>,
    _note: ExitNote,
    _private: Staging,
}

impl Scrubbed {
    /// How many files are empty in it, for people, as the end of a sentence.
    pub fn sums(copy: Option<&Self>) -> String {
        let Some(copy) = copy else { return String::new() };
        let kinds: BTreeSet<&str> = copy.emptied.iter().map(|one| one.kind).collect();
        let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
        match copy.emptied.len() {
            0 => "; it had no file to empty".to_owned(),
            1 => format!("; 1 file is empty in it ({kinds})"),
            files => format!("; {files} files are empty in it ({kinds})"),
        }
    }
}

impl Drop for Scrubbed {
    fn drop(&mut self) {
        // What fails here, the next sweep removes.
        let _ = store::remove_objects(&self.stored.folder);
    }
}

/// Makes a copy of a snapshot in which these files are empty, and in which nothing is left of deleted files.
///
/// # Errors
/// It is live, or its files are not in chunks; a disk was not unmounted cleanly; a file cannot be made empty.
pub fn copy(app: &App, one: &Stored, which: &[Scrub]) -> Result<Scrubbed> {
    let name = one.reference();
    if one.metadata.artifact.as_ref().is_some_and(|artifact| artifact.live) {
        let what = format!("{name} is live: its RAM holds what its files hold");
        return Err(Failure::new(Status::BadState, what).hint("freeze the VM without --live"));
    }
    let Some(index) = verify::index(&one.folder, &one.metadata)? else {
        let what = format!("{name} is not in chunks, and only such snapshots can be scrubbed");
        return Err(Failure::new(Status::BadState, what).hint("freeze its VM again"));
    };
    let (opened, _private) = contents::read(app, &name, Some(one), &one.folder, &Kept::default())?;
    let opened = opened.map_err(|error| unscrubbed(contents::failure(&name, error), WITHOUT))?;
    let (edits, emptied) =
        app.terminal.during("check", &format!("searching {name}"), || edits(app, &name, &opened, which))?;
    // In the library, it takes no more than what changes: a few chunks.
    let staging = packed::place(&format!("a copy of {name}"), WINDOW)?;
    let note = packed::leaves(app, &staging);
    let stored = app
        .terminal
        .during("copy", &format!("scrubbing a copy of {name}"), || write(app, one, which, &index, &edits, &staging))?;
    Ok(Scrubbed { stored, emptied, _note: note, _private: staging })
}

/// What was found in a snapshot, and what is empty in it if it was `copied`.
pub fn searched(found: Found, one: Option<&Stored>, copied: Option<&Scrubbed>) -> Searched {
    let emptied = copied.map(|copy| &*copy.emptied).unwrap_or_default();
    Searched {
        findings: found.list,
        found: found.total,
        parent: one.and_then(|one| parent(&one.metadata)).map(str::to_owned),
        scrubbed: emptied.len() as u64,
        emptied: emptied.iter().take(LISTED).cloned().collect(),
    }
}

/// The snapshot of which this one is such a copy.
fn parent(metadata: &Metadata) -> Option<&str> {
    metadata.parent.as_deref().filter(|_| !metadata.scrubbed.is_empty())
}

/// What follows the name of a snapshot that is such a copy, in a message.
pub fn describe(metadata: &Metadata) -> String {
    let kinds = metadata.scrubbed.join(", ");
    parent(metadata).map(|of| format!(" (a copy of {of} without {kinds})")).unwrap_or_default()
}

/// The options that help against what was found in a snapshot, in which `which` is empty already: `allow`, and what --scrub does.
pub fn hint(allow: &str, found: &Found, one: Option<&Stored>, which: &[Scrub]) -> String {
    let is_live = |one: &Stored| one.metadata.artifact.as_ref().is_some_and(|artifact| artifact.live);
    if !one.is_some_and(|one| one.metadata.is_in_chunks() && !is_live(one)) {
        return allow.to_owned();
    }
    let empties = |scrub: Scrub| found.in_files.iter().any(|kind| scrub.is_of(*kind));
    let kinds = SCRUBS.iter().filter(|(_, scrub)| which.contains(scrub) || empties(*scrub)).map(|(name, _)| *name);
    let is_kept = |kind: &&Kind| !SCRUBS.iter().any(|(_, scrub)| scrub.is_of(**kind));
    let kept: BTreeSet<Kind> = found.in_files.iter().filter(is_kept).chain(&found.beside).copied().collect();
    let kept = kept.into_iter().map(Kind::plural).collect::<Vec<_>>().join(", ");
    match (SCRUBS.iter().any(|(_, scrub)| empties(*scrub)), kept) {
        (false, kept) => format!("{allow}; --scrub cannot remove {kept}"),
        (true, kept) if kept.is_empty() => {
            format!("{allow}; --scrub {} leaves it out", kinds.collect::<Vec<_>>().join(","))
        }
        (true, kept) => format!("{allow}; --scrub {} leaves out all but {kept}", kinds.collect::<Vec<_>>().join(",")),
    }
}

/// No copy was made: what failed, and the hint for that.
fn unscrubbed(failure: Failure, hint: &str) -> Failure {
    let status = if failure.status == Status::Damaged { Status::BadState } else { failure.status };
    let failure = Failure { status, ..failure }.state("nothing left this machine");
    if matches!(status, Status::Interrupted(_)) { failure } else { failure.or_hint(hint) }
}

/// Why a file cannot be made empty.
fn unemptied(name: &str, path: &[u8], error: ContentsError) -> Failure {
    let what = format!("{:?} in {name} cannot be made empty: {error}", String::from_utf8_lossy(path));
    match contents::failure(name, error) {
        failure if matches!(failure.status, Status::Interrupted(_)) => unscrubbed(failure, IN_VM),
        failure => unscrubbed(Failure { what, ..failure }, IN_VM),
    }
}

/// What is to be written so that these files are empty, and which they are.
fn edits(app: &App, name: &str, contents: &Contents, which: &[Scrub]) -> Result<(MemberEdits, Vec<Emptied>)> {
    let (mut edits, mut emptied) = (MemberEdits::new(), Vec::new());
    // Before the search, which takes long.
    let uncleared = |error| {
        let hint = if contents.is_clean() { WITHOUT } else { RESTART };
        unscrubbed(contents::failure(name, error), hint)
    };
    contents.clear_unused(&mut edits).map_err(uncleared)?;
    let chosen = chosen(contents, which, &app.signals);
    let chosen = chosen.map_err(|error| unscrubbed(contents::failure(name, error), WITHOUT))?;
    for (kind, path, item) in chosen {
        contents.empty(&item, &mut edits).map_err(|error| unemptied(name, &path, error))?;
        emptied.push(Emptied { kind, path: String::from_utf8_lossy(&path).into_owned() });
    }
    edits.values_mut().for_each(Edits::sort);
    emptied.sort();
    Ok((edits, emptied))
}

/// The files that are made empty: why, their paths, and they.
fn chosen(contents: &Contents, which: &[Scrub], signals: &Signals) -> std::result::Result<Vec<Chosen>, ContentsError> {
    let kinds = || SCRUBS.iter().filter(|(_, scrub)| which.contains(scrub));
    let (mut all, mut left) = (Vec::new(), MEMORY);
    leaks::each(contents, signals, &mut |path, item, kind, _| {
        let Some((name, _)) = kinds().find(|(_, scrub)| scrub.is_of(kind)) else { return Ok(()) };
        left = left.saturating_sub(memory(path));
        // Once it is full, no further file has room.
        if left == 0 {
            return Err(ContentsError::damaged("the snapshot", "has more files to empty than fit into memory"));
        }
        all.push((*name, path.to_vec(), item.clone()));
        Ok(())
    })?;
    if let Some((name, _)) = kinds().find(|(_, scrub)| *scrub == Scrub::MachineId) {
        for path in [&b"/etc/machine-id"[..], b"/var/lib/dbus/machine-id"] {
            // A link is not followed: what it leads to is the other one.
            let found = contents.find(path, false)?.map(|(_, item)| item);
            let found = found.filter(|item| item.kind() == FileKind::File && item.metadata.size > 0);
            all.extend(found.map(|item| (*name, path.to_vec(), item)));
        }
    }
    Ok(all)
}

/// Bytes that a file with this path takes in memory until it is empty, about: also its path as text, in which a byte may take
/// three.
fn memory(path: &[u8]) -> usize {
    path.len().saturating_mul(4).saturating_add(size_of::<Chosen>()).saturating_add(INODE)
}

/// Writes the copy into a private folder.
fn write(
    app: &App,
    one: &Stored,
    which: &[Scrub],
    index: &Index,
    edits: &MemberEdits,
    staging: &Staging,
) -> Result<Stored> {
    let not_writable = |error| Failure::not_writable(staging.path(), &error);
    let folder = staging.make_snapshot().map_err(not_writable)?;
    let source = Source::new(&one.folder, &Kept::default(), &app.signals);
    let copy = |feed: &mut Feed<'_>| {
        index.members.iter().try_for_each(|entry| match edits.get(&entry.member.path) {
            Some(edits) => change(feed, &source, entry, edits),
            None => feed.known(entry, &one.folder),
        })
    };
    let (members, added, ()) = if staging.is_in_library() {
        Writer::run(&folder, &app.signals, copy)
    } else {
        Writer::run_apart(&folder, &app.signals, copy)
    }?;
    let new = Index::new(index.manifest.get().to_owned(), members)?;
    let recorded = new.write(&folder)?;
    let mut metadata: Metadata = one.metadata.with_chunks(recorded, InChunks::new(&new.artifact()?, added));
    metadata.trim.trimmed = metadata.trim.trimmed.map(|_| true);
    for (name, recorded) in metadata.files.iter_mut().filter(|(name, _)| *name != layout::INDEX) {
        let (from, to) = (one.folder.join(name), folder.join(name));
        match edits.get(WORKSPACE).filter(|_| name == layout::WORKSPACE) {
            Some(edits) => *recorded = copy_changed(app, &from, &to, edits)?,
            None => drop(fs::copy(&from, &to).map_err(not_writable)?),
        }
    }
    let kinds = SCRUBS.iter().filter(|(_, scrub)| which.contains(scrub)).map(|(name, _)| *name);
    Ok(Stored::new(folder, metadata.without(&kinds.collect::<Vec<_>>())))
}

/// Copies a file with changes.
fn copy_changed(app: &App, from: &Path, to: &Path, edits: &Edits) -> Result<FileHash> {
    let unread = |error| Failure::unread(format!("{} cannot be read: {error}", from.display()), &error);
    let not_writable = |error| Failure::not_writable(to, &error);
    let mut source = File::open(from).map_err(unread)?;
    let mut target = HashingWriter::new(File::create_new(to).map_err(not_writable)?);
    let mut buffer = vec![0; 1 << 20];
    loop {
        app.signals.check()?;
        let count = source.read(&mut buffer).map_err(unread)?;
        let Some(bytes) = buffer.get_mut(..count).filter(|bytes| !bytes.is_empty()) else { break };
        edits.apply(target.hasher.bytes(), bytes);
        target.write_all(bytes).map_err(not_writable)?;
    }
    Ok(target.hasher.finish())
}

/// Feeds a member with changes.
fn change(feed: &mut Feed<'_>, source: &Source, entry: &Entry, edits: &Edits) -> std::result::Result<(), StoreError> {
    let (content, mut at) = (source.content(entry), 0_u64);
    feed.part(Part::Member(&entry.member))?;
    for chunk in &entry.chunks {
        match chunk {
            Chunk::Zeros((), count) if !edits.writes_in(at, *count) => feed.part(Part::Zeros(*count))?,
            Chunk::Zeros((), count) => {
                let mut done = 0;
                while done < *count {
                    let mut bytes = vec![0; usize::try_from(WINDOW.min(count.saturating_sub(done))).unwrap_or(0)];
                    edits.apply(at.saturating_add(done), &mut bytes);
                    feed.part(Part::Data(&bytes))?;
                    done = done.saturating_add(bytes.len() as u64);
                }
            }
            Chunk::Object(_, length, ..) => {
                let mut bytes = vec![0; usize::try_from(*length).unwrap_or(0)];
                content.read_at(at, &mut bytes).map_err(StoreError::of_read)?;
                edits.apply(at, &mut bytes);
                feed.part(Part::Data(&bytes))?;
            }
        }
        at = at.saturating_add(chunk.length());
    }
    Ok(())
}
