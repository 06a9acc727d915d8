//! Candidates for completion. The script that `completions` prints calls this program with `COMPLETE=SHELL` and the words
//! on the line.
//!
//! The user is waiting: candidates that are not found before a deadline are left out. Nothing is written, no error is
//! printed, and the only command that runs is `machine ls --json` of the engine in `$SMOLVM` or `PATH` (not of `--smolvm`,
//! because the line is not entered yet). A candidate that a shell could interpret is quoted, or left out.

use super::guest_files;
use crate::library::{Broken, Stored, Tag, catalog, layout};
use crate::smolvm::{Machine, Name, State, is_local_image, machine_ls_at_once};
use crate::terminal;
use crate::threads;
use clap::builder::ArgExt;
use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The candidates for an argument: `#[arg(add = Offer::Tags)]`. Without it, an argument with a [`ValueHint`] completes to
/// files.
#[derive(Debug, Clone, Copy)]
pub enum Offer {
    /// VMs in these states.
    Vms(fn(&State) -> bool),
    /// One side of a copy: `VM:`, after which the user types the path, a file in a snapshot with a tag or an id, or a file here.
    Guests,
    /// A file in a snapshot: `SNAPSHOT:PATH`.
    GuestFiles,
    /// A file in the snapshot that the line names before.
    GuestPaths,
    /// Images of existing or frozen VMs, or a file.
    Images,
    /// Snapshots in the library.
    Snapshots,
    /// Snapshots in the library, also damaged ones, by their ids.
    Entries,
    /// Snapshots in the library, or a file that holds one.
    AnySnapshots,
    /// VMs that have snapshots in the library.
    FrozenVms,
    /// Tags of snapshots.
    Tags,
}

impl ArgExt for Offer {}

/// Adds to the arguments of a command, and of its subcommands, the function that clap calls for candidates. `snapshot` is the one
/// that the line names.
pub fn with_completers(command: Command, deadline: Instant, snapshot: Option<&str>) -> Command {
    let completed = command.mut_args(|arg| {
        // Offer options only after a dash, or if nothing else is possible.
        let arg = if arg.is_positional() { arg } else { arg.hide(true) };
        match completer(&arg, deadline, snapshot) {
            Some(completer) => arg.add(completer),
            None => arg,
        }
    });
    completed.mut_subcommands(|subcommand| with_completers(subcommand, deadline, snapshot))
}

fn completer(arg: &Arg, deadline: Instant, snapshot: Option<&str>) -> Option<ArgValueCompleter> {
    let (offer, snapshot) = (arg.get::<Offer>().copied(), snapshot.map(str::to_owned));
    let kind: Option<fn(&Path) -> bool> = match (offer, arg.get_value_hint()) {
        (Some(Offer::Guests | Offer::Images), _) | (None, ValueHint::FilePath) => Some(any_file),
        (Some(Offer::AnySnapshots), _) => Some(is_artifact),
        (Some(_), _) => None,
        (None, ValueHint::ExecutablePath) => Some(is_executable),
        // Folders are offered where no file is.
        (None, ValueHint::DirPath) => Some(|_| false),
        (None, _) => return None,
    };
    Some(ArgValueCompleter::new(move |typed: &OsStr| {
        let prefix = typed.to_str().unwrap_or("-").to_owned();
        // No name starts with a dash.
        if prefix.starts_with('-') {
            return Vec::new();
        }
        let word = prefix.clone();
        // Files first: an engine that hangs would leave no time for them.
        let files = kind.map(|kind| in_time(deadline, move || files(&word, kind)));
        let mut all = offer.map(|offer| offer.candidates(&prefix, deadline, snapshot.as_deref())).unwrap_or_default();
        all.retain(|one| one.get_value().to_str().is_some_and(|value| value.starts_with(&prefix)));
        all.extend(files.unwrap_or_default());
        all
    }))
}

impl Offer {
    /// The candidates found before the deadline; `typed` may narrow the search.
    fn candidates(self, typed: &str, deadline: Instant, snapshot: Option<&str>) -> Vec<CompletionCandidate> {
        match self {
            Self::Vms(can) => vms("", can, deadline),
            Self::Guests if !typed.contains('@') => vms(":", |_| true, deadline),
            Self::Guests | Self::GuestFiles => match typed.split_once(':') {
                Some((snapshot, path)) => guest_paths(&format!("{snapshot}:"), snapshot, path, deadline),
                None => snapshots(typed, ":", deadline),
            },
            Self::GuestPaths => guest_paths("", snapshot.unwrap_or_default(), typed, deadline),
            Self::Images => images(deadline),
            Self::Snapshots | Self::AnySnapshots => snapshots(typed, "", deadline),
            Self::Entries => entries(typed, deadline),
            Self::FrozenVms => unique(stored(None, deadline).into_iter().map(|one| one.metadata.vm)),
            Self::Tags => {
                let tags = stored(None, deadline).into_iter().flat_map(|one| one.metadata.tags);
                unique(tags.map(|tag| tag.as_str().to_owned()))
            }
        }
    }
}

/// The result of `work`, or the default if it is not done before the deadline: a disk may be slow, or gone.
fn in_time<T: Default + Send + 'static>(deadline: Instant, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, done) = mpsc::channel();
    let started = threads::start(move || send.send(work()));
    started.ok().and_then(|_| done.recv_timeout(time_left(deadline)).ok()).unwrap_or_default()
}

fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn unique(values: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    values.collect::<BTreeSet<_>>().into_iter().map(CompletionCandidate::new).collect()
}

// -------------------------------------------------------------------------------------------- the engine's VMs

/// The VMs, except those with an invalid name.
fn machines(deadline: Instant) -> Vec<Machine> {
    let mut machines = machine_ls_at_once(None, time_left(deadline)).unwrap_or_default();
    machines.retain(|machine| machine.name.parse::<Name>().is_ok());
    machines.sort_by(|a, b| a.name.cmp(&b.name));
    machines
}

/// The names of the VMs in these states, with `ending` after each.
fn vms(ending: &str, can: fn(&State) -> bool, deadline: Instant) -> Vec<CompletionCandidate> {
    let candidate = |vm: &Machine| {
        let about = format!("{}, {}", vm.state, vm.image.as_deref().unwrap_or("bare"));
        candidate(&format!("{}{ending}", vm.name), &about)
    };
    machines(deadline).iter().filter(|vm| can(&vm.state)).map(candidate).collect()
}

/// The images of existing and frozen VMs.
fn images(deadline: Instant) -> Vec<CompletionCandidate> {
    let frozen = stored(None, deadline).into_iter().filter_map(|one| one.metadata.machine.image);
    let images = frozen.chain(machines(deadline).into_iter().filter_map(|machine| machine.image));
    unique(images.filter(|image| is_image_name(image)))
}

/// Whether this is the name of an image in a registry.
fn is_image_name(image: &str) -> bool {
    let is_start_valid = image.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_valid = image.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:@+-".contains(&byte));
    is_start_valid && is_valid && !is_local_image(image)
}

// ------------------------------------------------------------------------------------------------- the library

/// The snapshots of one VM or of all, newest first, and the damaged ones that can be removed, except those with an invalid name.
fn listed(vm: Option<Name>, deadline: Instant) -> (Vec<Stored>, Vec<Broken>) {
    let list = move || {
        let (all, mut broken) = catalog::list(vm.as_ref().map(Name::as_str)).unwrap_or_default();
        broken.retain(Broken::is_removable);
        (all, broken)
    };
    let (mut all, mut broken) = in_time(deadline, list);
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_name = |vm: &str, id: &str| vm.parse::<Name>().is_ok() && is_id(id);
    all.retain(|one| is_name(&one.metadata.vm, &one.metadata.id));
    broken.retain(|one| one.reference().split_once('@').is_some_and(|(vm, id)| is_name(vm, id)));
    all.reverse();
    (all, broken)
}

/// The snapshots of one VM or of all, newest first.
fn stored(vm: Option<Name>, deadline: Instant) -> Vec<Stored> {
    listed(vm, deadline).0
}

/// The VM in what was typed.
fn vm_in(typed: &str) -> Option<Name> {
    typed.split_once('@').and_then(|(vm, _)| vm.parse().ok())
}

fn snapshots(typed: &str, ending: &str, deadline: Instant) -> Vec<CompletionCandidate> {
    named(&stored(vm_in(typed), deadline), ending)
}

/// The snapshots, and then the damaged ones.
fn entries(typed: &str, deadline: Instant) -> Vec<CompletionCandidate> {
    let (all, broken) = listed(vm_in(typed), deadline);
    let broken = broken.iter().map(|one| candidate(&one.reference(), "damaged"));
    named(&all, "").into_iter().chain(broken).collect()
}

/// Each VM (for its newest snapshot), then each snapshot by its tags, then by its id, with `ending` after each.
fn named(all: &[Stored], ending: &str) -> Vec<CompletionCandidate> {
    let (mut newest, mut tagged, mut named) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for one in all {
        let metadata = &one.metadata;
        let about = format!("{} old {}", metadata.age(), metadata.note.as_deref().unwrap_or_default());
        if seen.insert(&metadata.vm) {
            newest.push(candidate(&format!("{}{ending}", metadata.vm), &about));
        }
        let by_tag = |tag: &Tag| candidate(&format!("{}@{}{ending}", metadata.vm, tag.as_str()), &about);
        tagged.extend(metadata.tags.iter().map(by_tag));
        named.push(candidate(&format!("{}{ending}", one.reference()), &about));
    }
    newest.into_iter().chain(tagged).chain(named).collect()
}

/// The files in a snapshot whose path begins with what was typed, each after `before`.
fn guest_paths(before: &str, snapshot: &str, typed: &str, deadline: Instant) -> Vec<CompletionCandidate> {
    let (snapshot, typed) = (snapshot.to_owned(), typed.to_owned());
    let paths = in_time(deadline, move || guest_files::paths(&snapshot, &typed).unwrap_or_default());
    paths.into_iter().map(|path| CompletionCandidate::new(format!("{before}{path}"))).collect()
}

/// A candidate, with the text that a shell may show beside it.
fn candidate(value: &str, about: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(terminal::one_line(about.trim()).into()))
}

// ---------------------------------------------------------------------------------------------------- the files

/// The files of that kind; also folders, if nothing else is possible.
fn files(prefix: &str, kind: fn(&Path) -> bool) -> Vec<CompletionCandidate> {
    let paths = PathCompleter::any().filter(move |path| path.is_file() && kind(path)).complete(OsStr::new(prefix));
    let offered = paths.into_iter().filter_map(|path| {
        // Leave out a path that would move the cursor, end the line, or look like an option.
        let value = path.get_value().to_str()?;
        let is_safe = terminal::one_line(value) == value && !value.starts_with('-');
        let is_folder = value.ends_with('/');
        is_safe.then(|| if is_folder { path.hide(true) } else { path })
    });
    offered.collect()
}

fn any_file(_path: &Path) -> bool {
    true
}

fn is_artifact(path: &Path) -> bool {
    layout::SUFFIXES.iter().any(|suffix| path.as_os_str().as_encoded_bytes().ends_with(suffix.as_bytes()))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}
