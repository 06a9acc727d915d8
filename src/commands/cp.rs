//! `cp`: copy a file between the host and a VM, or files of a snapshot to the host.

use crate::app::App;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::ext4::Kind;
use crate::home;
use crate::library::Staging;
use crate::library::layout::SUFFIXES;
use crate::library::store::Kept;
use crate::operations::extract::{ExtractError, Extracted, extract};
use crate::operations::state::unreachable;
use crate::operations::{contents, meant, packed, resolve};
use crate::publish::{self, Existing, resolve_link};
use crate::quoted::quoted;
use crate::report::Copied;
use crate::smolvm::{Name, Reason, State};
use crate::stream;
use clap::ValueHint;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Copy a file between the host and a VM, or files out of a snapshot
///
/// One side is VM:PATH, the other a path on the host. A file on the host is replaced only when the copy is complete. The source can
/// also be SNAPSHOT:PATH, a file or folder in a snapshot (VM@TAG, VM@ID or FILE): then no engine is needed. A folder becomes a new
/// one, which is there when it is complete. Files keep mode, times and the attributes of users, but not owner, set-user-id,
/// set-group-id and access control lists; devices are left out.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze cp .bashrc dev:/root/.bashrc\n  bottle-freeze cp dev:/workspace/report.html .\n  \
        bottle-freeze cp dev@ready:/root/project ."
)]
pub struct Args {
    /// File to copy: PATH, VM:PATH, or (files and folders) VM@TAG:PATH, VM@ID:PATH
    #[arg(value_hint = ValueHint::FilePath, add = Offer::Guests)]
    pub source: OsString,
    /// Where to copy it: PATH or VM:PATH; into a folder, under the same name
    #[arg(value_hint = ValueHint::FilePath, add = Offer::Guests)]
    pub target: OsString,
}

/// One side of a copy.
enum Side<'a> {
    Guest(Name, &'a OsStr),
    Snapshot(&'a OsStr, &'a OsStr),
    Host(&'a Path),
}

impl<'a> Side<'a> {
    /// `VM:PATH` is in a guest, `VM@TAG:PATH` in a snapshot; everything else, even `./a:b`, is on the host.
    fn parse(text: &'a OsStr) -> Self {
        let mut parts = text.as_bytes().splitn(2, |byte| *byte == b':').map(OsStr::from_bytes);
        let name = parts.next().and_then(|name| name.to_str()?.parse().ok());
        match (name, parts.next()) {
            (Some(name), Some(inside)) => Self::Guest(name, inside),
            _ => match contents::split(text).filter(|(snapshot, _)| is_snapshot(snapshot)) {
                Some((snapshot, inside)) => Self::Snapshot(snapshot, inside),
                None => Self::Host(Path::new(text)),
            },
        }
    }
}

/// Whether this names a snapshot in the library, or a file that holds one.
fn is_snapshot(text: &OsStr) -> bool {
    let text = text.as_bytes();
    let is_file = SUFFIXES.iter().any(|suffix| text.ends_with(suffix.as_bytes()));
    is_file || text.contains(&b'@') && !text.contains(&b'/')
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    match (Side::parse(&args.source), Side::parse(&args.target)) {
        (Side::Host(path), Side::Guest(name, inside)) => app.on_vm(&name, |app| into(app, path, &name, inside)),
        (Side::Guest(name, inside), Side::Host(path)) => app.on_vm(&name, |app| out_of(app, &name, inside, path)),
        (Side::Snapshot(snapshot, inside), Side::Host(path)) => {
            app.on_snapshot(&snapshot.to_string_lossy(), |app| out_of_snapshot(app, snapshot, inside, path))
        }
        (_, Side::Snapshot(..)) => {
            Err(Failure::new(Status::Usage, "a snapshot never changes")
                .hint("copy the file into a VM, and freeze that"))
        }
        (source, _) => {
            if let (Side::Host(_), Some((file, _))) = (source, contents::split(&args.source)) {
                meant::check_exported(Path::new(file))?;
            }
            Err(Failure::new(Status::Usage, "one side must be VM:PATH, the other a path on the host"))
        }
    }
}

/// Refuses `-`: the engine copies files only.
fn refuse_stream(path: &Path, command: &str) -> Result<()> {
    if !stream::is_stream(path) {
        return Ok(());
    }
    let instead = format!("use `bottle-freeze exec {command}`; a file called - is ./-");
    Err(Failure::new(Status::Usage, "cp copies files; `-` is a stream").state("nothing was copied").hint(instead))
}

fn into(app: &App, path: &Path, name: &Name, inside: &OsStr) -> Result<()> {
    if path.as_os_str().is_empty() || inside.is_empty() {
        return Ok(());
    }
    refuse_stream(path, &format!("-i {name} -- sh -c 'cat > FILE'"))?;
    let unreadable = |why: &str| Failure::new(Status::Failed, format!("{} cannot be copied: {why}", path.display()));
    let meta = fs::metadata(path)
        .map_err(|error| Failure::unread(format!("{} cannot be copied: {error}", path.display()), &error))?;
    if meta.is_dir() {
        let hint = format!("copy a folder with: tar -C DIR -c . | bottle-freeze exec -i {name} -- tar -x -C /DIR");
        return Err(unreadable("it is a folder").hint(hint));
    }
    let path = std::path::absolute(path).map_err(|error| unreadable(&error.to_string()))?;
    let mut target = inside.to_owned();
    if inside.as_bytes().ends_with(b"/") {
        target.push(path.file_name().unwrap_or_default());
    }
    copy(app, name, path.as_os_str(), &guest_path(name, &target))?;
    report(app, path.as_os_str(), &guest_path(name, &target), Extracted { bytes: meta.len(), skipped: 0 });
    Ok(())
}

/// The engine writes in place; here a file is replaced only when the copy is complete.
fn out_of(app: &App, name: &Name, inside: &OsStr, path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() || inside.is_empty() {
        return Ok(());
    }
    refuse_stream(path, &format!("{name} -- cat FILE"))?;
    let path = std::path::absolute(path).map_err(|error| Failure::not_writable(path, &error))?;
    check_folder(&path)?;
    let target: PathBuf =
        if path.is_dir() { path.join(Path::new(inside).file_name().unwrap_or_default()) } else { path };
    let target = resolve_link(&target);
    publish::preflight(&target, Existing::Replace, home::canonical_root().as_deref())?;
    let folder = target.parent().unwrap_or(Path::new("/"));
    let refused = |error| Failure::not_writable(&target, &error);
    let work = Staging::after_sweep(folder).map_err(refused)?;
    let _leaves = packed::leaves(app, &work);
    let copied = work.path().join("file");
    copy(app, name, &guest_path(name, inside), copied.as_os_str())
        .map_err(|failure| or_of_snapshot(name, inside, failure))?;
    let bytes = fs::metadata(&copied).map_or(0, |copied| copied.len());
    if let Ok(old) = fs::metadata(&target) {
        fs::set_permissions(&copied, old.permissions()).map_err(refused)?;
    }
    publish::publish(&copied, &target, Existing::Replace)?;
    report(app, &guest_path(name, inside), target.as_os_str(), Extracted { bytes, skipped: 0 });
    Ok(())
}

/// Copies a file, or a folder with all that is in it. It is written in private, and gets its name when it is complete.
fn out_of_snapshot(app: &App, snapshot: &OsStr, inside: &OsStr, path: &Path) -> Result<()> {
    refuse_stream_of_snapshot(path)?;
    let source = resolve::find(app, snapshot)?;
    let name = source.name();
    let opened = contents::open(app, source, &Kept::default())?;
    let (found, item) = opened.find(inside.as_bytes(), true)?;
    let is_folder = item.kind() == Kind::Folder;
    let (target, existing) = new_target(path, inside, &found, is_folder)?;
    publish::preflight(&target, existing, home::canonical_root().as_deref())?;
    let refused = |error| Failure::not_writable(&target, &error);
    let work = Staging::after_sweep(target.parent().unwrap_or(Path::new("/"))).map_err(refused)?;
    let _leaves = packed::leaves(app, &work);
    let extracting = || extract(&opened.contents, (&found, &item), work.path(), OsStr::new("file"), &app.signals);
    let extracted = app.terminal.during("copy", "copying", extracting).map_err(|error| match error {
        ExtractError::Contents(error) => contents::failure(&name, error),
        ExtractError::Unwritten(error) => refused(error),
        ExtractError::Interrupted(interrupted) => interrupted.into(),
    })?;
    let copied = work.path().join("file");
    let skipped = extracted.skipped;
    if !is_folder && skipped > 0 {
        let what = format!("{:?} in {name} is a device, a FIFO or a socket", String::from_utf8_lossy(&found));
        return Err(Failure::new(Status::Failed, what).state("nothing was copied"));
    }
    let publish = if is_folder { publish::publish_folder } else { publish::publish };
    publish(&copied, &target, existing)?;
    if skipped > 0 {
        app.terminal.note(&format!("left out: {skipped} devices, FIFOs or sockets"));
    }
    let from = [name.as_bytes(), b":", &found].concat();
    report(app, OsStr::from_bytes(&from), target.as_os_str(), extracted);
    Ok(())
}

/// Where the file or folder `found` in a snapshot is copied to, and what it may replace.
fn new_target(path: &Path, inside: &OsStr, found: &[u8], is_folder: bool) -> Result<(PathBuf, Existing)> {
    // The name as typed, like `cp VM:PATH`; a link of that name in a folder is not followed.
    let named = Path::new(inside).file_name().or(Path::new(OsStr::from_bytes(found)).file_name());
    let mut path = std::path::absolute(path).map_err(|error| Failure::not_writable(path, &error))?;
    if is_folder {
        // As with `cp`, it becomes that new folder.
        path = path.components().collect();
    }
    check_folder(&path)?;
    let target = match named {
        Some(named) if path.is_dir() => path.join(named),
        None if path.exists() => {
            let what = "all files of a snapshot become a new folder";
            return Err(
                Failure::new(Status::Usage, what).hint(format!("name one that is not there: {}/NAME", path.display()))
            );
        }
        _ => resolve_link(&path),
    };
    let existing = if is_folder { Existing::Keep } else { Existing::Replace };
    if fs::symlink_metadata(&target).is_ok_and(|there| is_folder || there.is_dir()) {
        let what = format!("{} exists, and a folder neither replaces anything nor is it replaced", target.display());
        return Err(Failure::new(Status::OutputExists, what).state("nothing was copied").hint("choose another target"));
    }
    Ok((target, existing))
}

/// Refuses `PATH/` that is no folder.
fn check_folder(path: &Path) -> Result<()> {
    if !path.as_os_str().as_bytes().ends_with(b"/") || path.is_dir() {
        return Ok(());
    }
    let path: PathBuf = path.components().collect();
    let (what, hint) = if path.exists() {
        (format!("{} is not a folder", path.display()), "name it without the last slash")
    } else {
        (format!("there is no folder {}", path.display()), "make it with mkdir, or name the new file")
    };
    Err(Failure::new(Status::NotFound, what).state("nothing was copied").hint(hint))
}

fn refuse_stream_of_snapshot(path: &Path) -> Result<()> {
    if !stream::is_stream(path) {
        return Ok(());
    }
    let hint = "use `bottle-freeze snapshot cat SNAPSHOT:PATH`; a file called - is ./-";
    Err(Failure::new(Status::Usage, "cp copies files; `-` is a stream").state("nothing was copied").hint(hint))
}

/// Prints JSON only: like `cp`, it is silent for people.
fn report(app: &App, from: &OsStr, to: &OsStr, Extracted { bytes, skipped }: Extracted) {
    let [from, to] = [from, to].map(|side| side.to_string_lossy().into_owned());
    app.terminal.report(&Copied { from, to, bytes, left_out: skipped });
}

/// The failure of a copy out of a VM, which says that its newest snapshot may have the file too.
fn or_of_snapshot(name: &Name, inside: &OsStr, failure: Failure) -> Failure {
    match &failure.hint {
        Some(hint) if failure.status == Status::BadState && resolve::readable(name.as_str()).is_ok() => {
            let path = quoted(&format!("{name}@latest:{}", inside.to_string_lossy()));
            let hint = format!("{hint}, or copy from its newest snapshot: `bottle-freeze cp {path} …`");
            failure.hint(hint)
        }
        _ => failure,
    }
}

fn guest_path(name: &Name, inside: &OsStr) -> OsString {
    let mut path = OsString::from(name.as_str());
    path.push(":");
    path.push(inside);
    path
}

fn copy(app: &App, name: &Name, from: &OsStr, to: &OsStr) -> Result<()> {
    let engine = app.engine()?;
    app.terminal.during("copy", "copying", || engine.machine_cp(from, to)).map_err(|error| {
        let reason = error.reason();
        let failure = Failure::from(error);
        let listed = || engine.machine_listed(name);
        match reason {
            Reason::NoSuchVm => listed().err().map_or(failure, Failure::from),
            Reason::WrongState if listed().is_ok_and(|vm| vm.state == State::Unreachable) => unreachable(name),
            Reason::WrongState => failure.hint(format!("start it with `bottle-freeze start {name}`")),
            _ => failure,
        }
    })
}
