//! `cp`: copy a file between the host and a VM.

use crate::app::App;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::home;
use crate::library::Staging;
use crate::operations::packed;
use crate::operations::state::unreachable;
use crate::publish::{self, Existing, resolve_link};
use crate::report::Copied;
use crate::smolvm::{Name, Reason, State};
use crate::stream;
use clap::ValueHint;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Copy a file between the host and a VM
///
/// One side is VM:PATH, the other a path on the host. A file on the host is replaced only when the copy is complete.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze cp .bashrc dev:/root/.bashrc\n  bottle-freeze cp dev:/workspace/report.html ."
)]
pub struct Args {
    /// File to copy
    #[arg(value_hint = ValueHint::FilePath, add = Offer::Guests)]
    pub source: OsString,
    /// Where to copy it
    #[arg(value_hint = ValueHint::FilePath, add = Offer::Guests)]
    pub target: OsString,
}

/// One side of a copy.
enum Side<'a> {
    Guest(Name, &'a OsStr),
    Host(&'a Path),
}

impl<'a> Side<'a> {
    /// `VM:PATH` is in a guest; everything else, even `./a:b`, is on the host.
    fn parse(text: &'a OsStr) -> Self {
        let mut parts = text.as_bytes().splitn(2, |byte| *byte == b':').map(OsStr::from_bytes);
        let name = parts.next().and_then(|name| name.to_str()?.parse().ok());
        match (name, parts.next()) {
            (Some(name), Some(inside)) => Self::Guest(name, inside),
            _ => Self::Host(Path::new(text)),
        }
    }
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    match (Side::parse(&args.source), Side::parse(&args.target)) {
        (Side::Host(path), Side::Guest(name, inside)) => app.on_vm(&name, |app| into(app, path, &name, inside)),
        (Side::Guest(name, inside), Side::Host(path)) => app.on_vm(&name, |app| out_of(app, &name, inside, path)),
        _ => Err(Failure::new(Status::Usage, "one side must be VM:PATH, the other a path on the host")),
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
    report(app, path.as_os_str(), &guest_path(name, &target), meta.len());
    Ok(())
}

/// The engine writes in place; here a file is replaced only when the copy is complete.
fn out_of(app: &App, name: &Name, inside: &OsStr, path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() || inside.is_empty() {
        return Ok(());
    }
    refuse_stream(path, &format!("{name} -- cat FILE"))?;
    let path = std::path::absolute(path).map_err(|error| Failure::not_writable(path, &error))?;
    let target: PathBuf =
        if path.is_dir() { path.join(Path::new(inside).file_name().unwrap_or_default()) } else { path };
    let target = resolve_link(&target);
    publish::preflight(&target, Existing::Replace, home::canonical_root().as_deref())?;
    let folder = target.parent().unwrap_or(Path::new("/"));
    let refused = |error| Failure::not_writable(&target, &error);
    let work = Staging::after_sweep(folder).map_err(refused)?;
    let _leaves = packed::leaves(app, &work);
    let copied = work.path().join("file");
    copy(app, name, &guest_path(name, inside), copied.as_os_str())?;
    let bytes = fs::metadata(&copied).map_or(0, |copied| copied.len());
    if let Ok(old) = fs::metadata(&target) {
        fs::set_permissions(&copied, old.permissions()).map_err(refused)?;
    }
    publish::publish(&copied, &target, Existing::Replace)?;
    report(app, &guest_path(name, inside), target.as_os_str(), bytes);
    Ok(())
}

/// Prints JSON only: like `cp`, it is silent for people.
fn report(app: &App, from: &OsStr, to: &OsStr, bytes: u64) {
    let [from, to] = [from, to].map(|side| side.to_string_lossy().into_owned());
    app.terminal.report(&Copied { from, to, bytes });
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
