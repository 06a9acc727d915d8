//! Completion: what may stand where the user presses TAB. The script that `completions` prints calls this program with
//! `COMPLETE=SHELL` and the words on the line.
//!
//! The user waits: candidates that are not known within [`BUDGET`] are not offered. Nothing is written, no error is
//! printed, and nothing is run but one `machine ls --json` of the engine that `$SMOLVM` or `PATH` names (not of a `--smolvm`
//! on a line that is not entered yet). A candidate that a shell could interpret is quoted, or not offered.

use crate::completion::shells::SHELLS;
use crate::library::{Stored, layout, store};
use crate::smolvm::{Machine, Name, State, is_local_image, machine_ls_at_once};
use crate::terminal;
use crate::threads;
use clap::builder::ArgExt;
use clap::{Arg, Command, ValueHint};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long to look for candidates; with the start of this program and the output, TAB takes 150 ms.
const BUDGET: Duration = Duration::from_millis(120);

/// What TAB offers as the value of an argument: `#[arg(add = Offer::Tags)]`. An argument without one, but with a
/// [`ValueHint`], completes to files.
#[derive(Debug, Clone, Copy)]
pub enum Offer {
    /// VMs in these states.
    Vms(fn(&State) -> bool),
    /// One side of a copy: `VM:`, whose path the user types, or a file.
    Guests,
    /// Images of VMs that are or were here, or a file.
    Images,
    /// Snapshots of the library.
    Snapshots,
    /// Snapshots of the library, or a file that holds one.
    AnySnapshots,
    /// VMs that have snapshots in the library.
    FrozenVms,
    /// Tags of snapshots.
    Tags,
}

impl ArgExt for Offer {}

/// Answers a shell that asks for candidates, or for the script that asks for them; `command` is the whole command line.
/// Whether one asked: any other value of `COMPLETE` belongs to another program.
pub fn complete(command: impl Fn() -> Command) -> bool {
    let Some(shell) = std::env::var_os("COMPLETE") else { return false };
    if SHELLS.completer(&shell.to_string_lossy()).is_none() {
        return false;
    }
    let began = Instant::now();
    let until = began.checked_add(BUDGET).unwrap_or(began);
    // The user is typing: print no error, whatever goes wrong.
    std::panic::set_hook(Box::new(|_| {}));
    let folder = std::env::current_dir().ok();
    let command = || {
        let mut command = command();
        command.build();
        with_completers(command, until)
    };
    let env = CompleteEnv::with_factory(command).shells(SHELLS);
    let _ = env.try_complete(std::env::args_os(), folder.as_deref());
    true
}

/// Gives the arguments of a command and its subcommands what clap calls for candidates.
fn with_completers(command: Command, until: Instant) -> Command {
    let completed = command.mut_args(|arg| {
        // Offer options only after a dash, or where nothing else may stand.
        let arg = if arg.is_positional() { arg } else { arg.hide(true) };
        match completer(&arg, until) {
            Some(completer) => arg.add(completer),
            None => arg,
        }
    });
    completed.mut_subcommands(|subcommand| with_completers(subcommand, until))
}

fn completer(arg: &Arg, until: Instant) -> Option<ArgValueCompleter> {
    let offer = arg.get::<Offer>().copied();
    let kind: Option<fn(&Path) -> bool> = match (offer, arg.get_value_hint()) {
        (Some(Offer::Guests | Offer::Images), _) | (None, ValueHint::FilePath) => Some(any_file),
        (Some(Offer::AnySnapshots), _) => Some(is_artifact),
        (Some(_), _) => None,
        (None, ValueHint::ExecutablePath) => Some(is_executable),
        (None, _) => return None,
    };
    Some(ArgValueCompleter::new(move |typed: &OsStr| {
        let begins = typed.to_str().unwrap_or("-").to_owned();
        // No name begins like an option.
        if begins.starts_with('-') {
            return Vec::new();
        }
        let word = begins.clone();
        // The files first: an engine that hangs leaves no time for them.
        let files = kind.map(|kind| in_time(until, move || files(&word, kind)));
        let mut all = offer.map(|offer| offer.candidates(&begins, until)).unwrap_or_default();
        all.retain(|one| one.get_value().to_str().is_some_and(|value| value.starts_with(&begins)));
        all.extend(files.unwrap_or_default());
        all
    }))
}

impl Offer {
    /// What is known by then; `typed` may narrow it.
    fn candidates(self, typed: &str, until: Instant) -> Vec<CompletionCandidate> {
        match self {
            Self::Vms(can) => vms("", can, until),
            Self::Guests => vms(":", |_| true, until),
            Self::Images => images(until),
            Self::Snapshots | Self::AnySnapshots => snapshots(typed, until),
            Self::FrozenVms => each_once(stored(None, until).into_iter().map(|one| one.metadata.vm)),
            Self::Tags => {
                let tags = stored(None, until).into_iter().flat_map(|one| one.metadata.tags);
                each_once(tags.map(|tag| tag.as_str().to_owned()))
            }
        }
    }
}

/// The result of `work` if it is done by then; otherwise nothing: a disk may be slow, or gone.
fn in_time<T: Default + Send + 'static>(until: Instant, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, done) = mpsc::channel();
    let started = threads::start(move || send.send(work()));
    started.ok().and_then(|_| done.recv_timeout(left(until)).ok()).unwrap_or_default()
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

fn each_once(values: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    values.collect::<BTreeSet<_>>().into_iter().map(CompletionCandidate::new).collect()
}

// -------------------------------------------------------------------------------------------- the engine's VMs

/// The VMs, except those with a name that no engine gives.
fn machines(until: Instant) -> Vec<Machine> {
    let mut machines = machine_ls_at_once(None, left(until)).unwrap_or_default();
    machines.retain(|machine| machine.name.parse::<Name>().is_ok());
    machines.sort_by(|a, b| a.name.cmp(&b.name));
    machines
}

/// The names of the VMs in these states, each with that ending.
fn vms(ending: &str, can: fn(&State) -> bool, until: Instant) -> Vec<CompletionCandidate> {
    let candidate = |vm: &Machine| {
        let about = format!("{}, {}", vm.state, vm.image.as_deref().unwrap_or("bare"));
        candidate(&format!("{}{ending}", vm.name), &about)
    };
    machines(until).iter().filter(|vm| can(&vm.state)).map(candidate).collect()
}

/// The images of VMs that are here or were frozen.
fn images(until: Instant) -> Vec<CompletionCandidate> {
    let frozen = stored(None, until).into_iter().filter_map(|one| one.metadata.machine.image);
    let images = frozen.chain(machines(until).into_iter().filter_map(|machine| machine.image));
    each_once(images.filter(|image| is_image_name(image)))
}

/// Whether it names an image of a registry.
fn is_image_name(image: &str) -> bool {
    let begins = image.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let holds = image.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:@+-".contains(&byte));
    begins && holds && !is_local_image(image)
}

// ------------------------------------------------------------------------------------------------- the library

/// The snapshots of that VM or of all, the newest first, except those that no command line can name.
fn stored(vm: Option<Name>, until: Instant) -> Vec<Stored> {
    let list = move || store::list(vm.as_ref().map(Name::as_str));
    let mut all = in_time(until, move || list().map(|(all, _)| all).unwrap_or_default());
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    all.retain(|one| one.metadata.vm.parse::<Name>().is_ok() && is_id(&one.metadata.id));
    all.reverse();
    all
}

/// Each VM for its newest, then each snapshot by its tags, then by its id.
fn snapshots(typed: &str, until: Instant) -> Vec<CompletionCandidate> {
    let vm = typed.split_once('@').and_then(|(vm, _)| vm.parse().ok());
    let all = stored(vm, until);
    let (mut newest, mut tagged, mut named) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for one in &all {
        let metadata = &one.metadata;
        let about = format!("{} old {}", metadata.age(), metadata.note.as_deref().unwrap_or_default());
        if seen.insert(&metadata.vm) {
            newest.push(candidate(&metadata.vm, &about));
        }
        tagged.extend(metadata.tags.iter().map(|tag| candidate(&format!("{}@{}", metadata.vm, tag.as_str()), &about)));
        named.push(candidate(&one.reference(), &about));
    }
    newest.into_iter().chain(tagged).chain(named).collect()
}

/// A candidate, and the text that a shell may show beside it.
fn candidate(value: &str, about: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(terminal::one_line(about.trim()).into()))
}

// ---------------------------------------------------------------------------------------------------- the files

/// The files of that kind, and the folders on the way to them where nothing else may stand.
fn files(begins: &str, kind: fn(&Path) -> bool) -> Vec<CompletionCandidate> {
    let paths = PathCompleter::any().filter(move |path| path.is_file() && kind(path)).complete(OsStr::new(begins));
    let offered = paths.into_iter().filter_map(|path| {
        // One that would move the cursor, end a line, or pass for an option.
        let value = path.get_value().to_str()?;
        let is_harmless = terminal::one_line(value) == value && !value.starts_with('-');
        let is_folder = value.ends_with('/');
        is_harmless.then(|| if is_folder { path.hide(true) } else { path })
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
