//! Completion: what may stand where the user presses TAB. Asked by the script that `completions` prints, which calls this
//! program with `COMPLETE=SHELL` and the words that were typed.
//!
//! Whoever presses TAB waits: what is not known within [`BUDGET`] is not offered. Nothing is written, no error is told,
//! and nothing is run but one `machine ls --json` of the engine that `$SMOLVM` or `PATH` names (not of a `--smolvm` on a
//! line that was not entered yet). What could mean more to a shell than its letters is not offered, or quoted.

use crate::cli::Cli;
use crate::completion::shells::SHELLS;
use crate::deferred::described;
use crate::library::{SUFFIXES, Stored, store};
use crate::smolvm::{Machine, Name, State, is_local_image, machine_ls_at_once};
use crate::terminal;
use crate::threads;
use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

/// How long candidates are looked for; with what starting this program and printing them takes, 150 ms.
const BUDGET: Duration = Duration::from_millis(120);
static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Answers a shell that asks for candidates, or for the script that asks for them. Whether one did: anything else in
/// `COMPLETE` is somebody else's variable.
pub fn complete() -> bool {
    let Some(shell) = std::env::var_os("COMPLETE") else { return false };
    if SHELLS.completer(&shell.to_string_lossy()).is_none() {
        return false;
    }
    BEGAN.get_or_init(Instant::now);
    // The user is typing: whatever goes wrong, not a word about it.
    std::panic::set_hook(Box::new(|_| {}));
    let folder = std::env::current_dir().ok();
    let env = CompleteEnv::with_factory(command).shells(SHELLS);
    let _ = env.try_complete(std::env::args_os(), folder.as_deref());
    true
}

/// All subcommands, their arguments taught what may be their values.
fn command() -> Command {
    let mut command = described(Cli::command());
    command.build();
    teach(command)
}

fn teach(command: Command) -> Command {
    let name = command.get_display_name().unwrap_or_default().to_owned();
    let name = name.strip_prefix("bottle-freeze-").unwrap_or_default();
    let taught = command.mut_args(|arg| {
        // Options are offered to who types a dash, or where nothing else may stand.
        let arg = if arg.is_positional() { arg } else { arg.hide(true) };
        match completer(name, &arg) {
            Some(completer) => arg.add(completer),
            None => arg,
        }
    });
    taught.mut_subcommands(teach)
}

/// What may be the value of a command's argument.
fn completer(command: &str, arg: &Arg) -> Option<ArgValueCompleter> {
    Some(match (command, arg.get_id().as_str()) {
        ("start", "names") => offer(|_| vms(|vm| !vm.state.is_up()), None),
        ("pause", "names") => offer(|_| vms(|vm| vm.state == State::Running), None),
        ("resume", "names") => offer(|_| vms(|vm| vm.state == State::Paused), None),
        ("stop", "names") => offer(|_| vms(|vm| vm.state.is_up()), None),
        ("exec", "name") => offer(|_| vms(|vm| vm.state == State::Running), None),
        ("freeze" | "rm", "names") => offer(|_| vms(|_| true), None),
        ("cp", "source" | "target") => offer(|_| guests(), Some(any_file)),
        ("create" | "pack", "image") => offer(|_| images(), Some(any_file)),
        ("create", "from") | ("thaw" | "snapshot-push", "snapshot") | ("verify", "snapshots") => {
            offer(snapshots, Some(is_artifact))
        }
        (_, "snapshot" | "snapshots") => offer(snapshots, None),
        ("snapshot-ls" | "snapshot-prune" | "snapshot-import", "vm") => offer(|_| frozen_vms(), None),
        (_, "tag" | "tags" | "remove" | "keep_tag") => offer(|_| tags(), None),
        _ => match arg.get_value_hint() {
            ValueHint::FilePath => offer(|_| Vec::new(), Some(any_file)),
            ValueHint::ExecutablePath => offer(|_| Vec::new(), Some(is_executable)),
            _ => return None,
        },
    })
}

/// Those of `candidates` (which are told what was typed) that begin so, and the files of that kind.
fn offer(
    candidates: impl Fn(&str) -> Vec<CompletionCandidate> + Send + Sync + 'static,
    kind: Option<fn(&Path) -> bool>,
) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let begins = typed.to_str().unwrap_or("-").to_owned();
        // No name begins like an option: for those nobody is asked.
        if begins.starts_with('-') {
            return Vec::new();
        }
        let word = begins.clone();
        // The files first: an engine that hangs leaves no time for them.
        let files = kind.map(|kind| in_time(move || files(&word, kind)));
        let mut all = candidates(&begins);
        all.retain(|one| one.get_value().to_str().is_some_and(|value| value.starts_with(&begins)));
        all.extend(files.unwrap_or_default());
        all
    })
}

/// How much of the budget is left.
fn left() -> Duration {
    BUDGET.saturating_sub(BEGAN.get_or_init(Instant::now).elapsed())
}

/// What `work` gives if it is done in time; else nothing: a disk may be slow, or gone.
fn in_time<T: Default + Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, done) = mpsc::channel();
    let started = threads::start(move || send.send(work()));
    started.ok().and_then(|_| done.recv_timeout(left()).ok()).unwrap_or_default()
}

// -------------------------------------------------------------------------------------------- the engine's VMs

/// The VMs, but for those with a name that no engine gives.
fn machines() -> Vec<Machine> {
    let mut machines = machine_ls_at_once(None, left()).unwrap_or_default();
    machines.retain(|machine| machine.name.parse::<Name>().is_ok());
    machines.sort_by(|a, b| a.name.cmp(&b.name));
    machines
}

fn vms(can: fn(&Machine) -> bool) -> Vec<CompletionCandidate> {
    machines().iter().filter(|machine| can(machine)).map(|machine| told(&machine.name, &about(machine))).collect()
}

/// One side of a copy: `VM:`, and the path is for the user to type.
fn guests() -> Vec<CompletionCandidate> {
    machines().iter().map(|machine| told(&format!("{}:", machine.name), &about(machine))).collect()
}

fn about(machine: &Machine) -> String {
    format!("{}, {}", machine.state, machine.image.as_deref().unwrap_or("bare"))
}

/// The images that were seen before, of a VM that is there or that was frozen.
fn images() -> Vec<CompletionCandidate> {
    let frozen = stored(None).into_iter().filter_map(|one| one.metadata.machine.image);
    let images: BTreeSet<String> = frozen.chain(machines().into_iter().filter_map(|machine| machine.image)).collect();
    images.into_iter().filter(|image| is_image_name(image)).map(CompletionCandidate::new).collect()
}

/// Whether it names an image of a registry.
fn is_image_name(image: &str) -> bool {
    let begins = image.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let holds = image.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:@+-".contains(&byte));
    begins && holds && !is_local_image(image)
}

// ------------------------------------------------------------------------------------------------- the library

/// The snapshots of that VM or of all, the newest first, but for those that nobody could name.
fn stored(vm: Option<Name>) -> Vec<Stored> {
    let list = move || store::list(vm.as_ref().map(Name::as_str));
    let mut all = in_time(move || list().map(|(all, _)| all).unwrap_or_default());
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    all.retain(|one| one.metadata.vm.parse::<Name>().is_ok() && is_id(&one.metadata.id));
    all.reverse();
    all
}

/// Each VM for its newest, then each snapshot by its tags, then by its id.
fn snapshots(typed: &str) -> Vec<CompletionCandidate> {
    let vm = typed.split_once('@').and_then(|(vm, _)| vm.parse().ok());
    let all = stored(vm);
    let (mut newest, mut tagged, mut named) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for one in &all {
        let metadata = &one.metadata;
        let about = format!("{} old {}", metadata.age(), metadata.note.as_deref().unwrap_or_default());
        if seen.insert(&metadata.vm) {
            newest.push(told(&metadata.vm, &about));
        }
        tagged.extend(metadata.tags.iter().map(|tag| told(&format!("{}@{}", metadata.vm, tag.as_str()), &about)));
        named.push(told(&one.reference(), &about));
    }
    newest.into_iter().chain(tagged).chain(named).collect()
}

fn frozen_vms() -> Vec<CompletionCandidate> {
    let vms: BTreeSet<String> = stored(None).into_iter().map(|one| one.metadata.vm).collect();
    vms.into_iter().map(CompletionCandidate::new).collect()
}

fn tags() -> Vec<CompletionCandidate> {
    let tags: BTreeSet<String> =
        stored(None).into_iter().flat_map(|one| one.metadata.tags).map(|tag| tag.as_str().to_owned()).collect();
    tags.into_iter().map(CompletionCandidate::new).collect()
}

/// A candidate, and what a shell may show beside it.
fn told(value: &str, about: &str) -> CompletionCandidate {
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
    SUFFIXES.iter().any(|suffix| path.as_os_str().as_encoded_bytes().ends_with(suffix.as_bytes()))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}
