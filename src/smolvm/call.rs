//! Runs the engine: one [`Call`] is one command line, shown as a user could type it, run and reported.

use super::machine::{Machine, Name};
use super::supervise::{ChildExits, OUTPUT_LIMIT, Run};
use crate::nearest::nearest;
use crate::quoted::quoted;
use crate::signals;
use crate::{chunk, threads};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use thiserror::Error;

/// How much of the end of a guest's stderr is kept to tell the engine's own failure from the guest's.
pub const TAIL_LIMIT: usize = 4 << 10;
/// Why an engine command did not do what it was asked.
#[derive(Debug, Error)]
pub enum EngineError {
    /// No executable of that name.
    #[error("no smolvm engine was found: {0}")]
    Missing(String),
    /// It is there and cannot be run.
    #[error("the engine {path} cannot be run: {source}")]
    NotRunnable {
        /// The executable.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is another program.
    #[error("{path} is not the smolvm engine: {why}")]
    NotSmolvm {
        /// The executable.
        path: PathBuf,
        /// How it was recognised.
        why: String,
    },
    /// The engine cannot do it, or cannot do it safely.
    #[error("smolvm {version} {cannot}")]
    TooOld {
        /// The engine's version.
        version: super::Version,
        /// What it cannot do, and the version that can.
        cannot: String,
    },
    /// It takes these variables only in its command line.
    #[error("smolvm {version} takes the value of {names} {when}{}only in its command line, which every user of this host can read", if when.is_empty() { "" } else { " " })]
    Exposes {
        /// The engine's version.
        version: super::Version,
        /// The variables.
        names: String,
        /// When that is so; empty: always.
        when: &'static str,
    },
    /// The engine knows no VM of that name.
    #[error("there is no VM named '{0}'")]
    NoSuchVm(NoVm),
    /// The name is taken.
    #[error("a VM named '{0}' already exists")]
    NameTaken(String),
    /// It ended with a failure, by a signal, or with an answer it had no right to.
    #[error("`{command}` failed ({how}){}", indented(stderr))]
    Failed {
        /// The command line, values masked.
        command: String,
        /// Exit status or signal.
        how: String,
        /// What it said.
        stderr: String,
    },
    /// Its answer is no answer.
    #[error("the answer of `{command}` cannot be read: {why}")]
    Unreadable {
        /// The command line.
        command: String,
        /// What is wrong with it.
        why: String,
    },
    /// It said done, and it is not.
    #[error("`{command}` reported success, but {instead}")]
    NotDone {
        /// The command line.
        command: String,
        /// What the engine's own list says.
        instead: String,
    },
    /// What it printed cannot be written where it belongs.
    #[error("what `{command}` gave cannot be kept: {source}")]
    NotKept {
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// It did not end in time, and was ended.
    #[error("`{command}` did not end within {}", humantime::format_duration(*.limit))]
    TimedOut {
        /// The command line.
        command: String,
        /// The time it had.
        limit: Duration,
    },
    /// The VM runs, and its guest executes nothing.
    #[error("'{name}' was started, but executes no command after {}{}", humantime::format_duration(*.waited), indented(last))]
    NotReady {
        /// The VM.
        name: String,
        /// How long it was polled.
        waited: Duration,
        /// The last refusal.
        last: String,
    },
    /// The user ended this run with a signal.
    #[error("interrupted by {}", signals::signal_name(*.0))]
    Interrupted(i32),
    /// The same while a VM was created, and it is not clear who has made the VM of that name.
    #[error("interrupted by {} while '{name}' was created", signals::signal_name(*.signal))]
    LeftPerhaps {
        /// The VM's name.
        name: String,
        /// The signal.
        signal: i32,
    },
}

/// A name that no VM has.
#[derive(Debug)]
pub struct NoVm {
    /// The name.
    pub name: String,
    /// The VM that may have been meant.
    pub nearest: Option<String>,
}

impl std::fmt::Display for NoVm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl EngineError {
    /// None of `machines` has that name.
    pub fn no_such_vm(name: &Name, machines: &[Machine]) -> Self {
        let names = machines.iter().map(|machine| machine.name.as_str());
        let nearest = nearest(name.as_str(), names.filter(|name| name.parse::<Name>().is_ok())).map(str::to_owned);
        Self::NoSuchVm(NoVm { name: name.to_string(), nearest })
    }
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "\n  " + line)
}

/// One word of a command line; `shown` stands for it wherever a person may read it.
#[derive(Debug, Clone)]
struct Word {
    text: OsString,
    shown: Option<String>,
}

/// One engine command, not yet run.
#[derive(Debug, Clone)]
pub struct Call {
    program: PathBuf,
    words: Vec<Word>,
    env: Vec<(String, Word)>,
    secrets: Vec<String>,
    /// What it reads from its standard input.
    stdin: Option<Word>,
    folder: Option<PathBuf>,
    changes_nothing: bool,
}

/// What a finished command left.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error (for a streamed command, the end of it), cleaned of colours and notes.
    pub stderr: String,
}

/// What a caller hears while a command runs: a whole line that it printed, or only that time passed.
pub type Watch<'a> = &'a mut dyn FnMut(Option<&str>);

impl Call {
    /// A command line of the executable `program`, beginning with the words of `subcommand`.
    pub fn new(program: &Path, subcommand: &str) -> Self {
        let words = subcommand.split_whitespace().map(|word| Word { text: word.into(), shown: None });
        Self {
            program: program.to_owned(),
            words: words.collect(),
            env: Vec::new(),
            secrets: Vec::new(),
            stdin: None,
            folder: None,
            changes_nothing: false,
        }
    }

    /// Appends a word that was not made by a user: a flag, or a checked name.
    pub fn arg(mut self, word: impl Into<OsString>) -> Self {
        self.words.push(Word { text: word.into(), shown: None });
        self
    }

    /// Appends `--flag=value` as one word, so that no value can pass for a flag.
    pub fn value(self, flag: &str, value: impl AsRef<OsStr>) -> Self {
        let mut word = OsString::from(flag);
        word.push("=");
        word.push(value);
        self.arg(word)
    }

    /// Sets a variable in the engine's environment.
    pub fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.env.push((key.to_owned(), Word { text: value.into(), shown: None }));
        self
    }

    /// Sets a variable in the engine's environment whose value is never shown.
    pub fn secret_env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), Word { text: value.into(), shown: Some("***".into()) }));
        self.secrets.push(value.to_owned());
        self
    }

    /// Gives the command a text to read from its standard input; `shown` stands for it, and `secrets` are in it.
    pub fn secret_stdin<'a>(mut self, text: String, shown: String, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        self.stdin = Some(Word { text: text.into(), shown: Some(shown) });
        self.secrets.extend(secrets.into_iter().map(str::to_owned));
        self
    }

    /// Runs the command in `folder`.
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// The command only reads: it need not die with a killed parent. To have one die takes a fork, which copies this
    /// process's page tables (0.4 ms).
    pub fn changes_nothing(mut self) -> Self {
        self.changes_nothing = true;
        self
    }

    /// The command line as a user could type it, secret values masked.
    pub fn shell_line(&self) -> String {
        let shown = |word: &Word| word.shown.clone().unwrap_or_else(|| word.text.to_string_lossy().into_owned());
        let env = self.env.iter().map(|(key, word)| format!("{key}={}", quoted(&shown(word))));
        let program = std::iter::once(quoted(&self.program.to_string_lossy()));
        let words = self.words.iter().map(|word| quoted(&shown(word)));
        let stdin = self.stdin.iter().map(|text| format!("<<< {}", quoted(&shown(text))));
        env.chain(program).chain(words).chain(stdin).collect::<Vec<_>>().join(" ")
    }

    /// What the engine said, without the secret values that it was given: as they are, or quoted for a programmer. One
    /// of a letter or two is no secret, and would be found everywhere.
    pub fn masked(&self, said: &[u8]) -> String {
        let said = String::from_utf8_lossy(said).into_owned();
        let mut secrets: Vec<&str> = self.secrets.iter().map(String::as_str).filter(|it| it.len() > 2).collect();
        // The longest first: one may begin like another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.iter().fold(said, |said, secret| {
            said.replace(secret, "***").replace(&secret.escape_debug().to_string(), "***").replace(secret.trim(), "***")
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.words.iter().map(|word| &word.text));
        // From 1.19.0 this variable fills in a missing name, even for a delete; the others only add noise.
        for noise in ["SMOLVM_MACHINE_NAME", "RUST_LOG", "SMOLVM_LOG_FORMAT"] {
            command.env_remove(noise);
        }
        command.envs(self.env.iter().map(|(key, word)| (key, &word.text)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    fn spawn(&self, command: &mut Command) -> Result<std::process::Child, EngineError> {
        if let Some(signal) = signals::pending() {
            return Err(EngineError::Interrupted(signal));
        }
        command.spawn().map_err(|source| self.not_runnable(source))
    }

    /// Runs the command to its end in a process group of its own, so that a ^C in the terminal is ours to
    /// handle, and keeps what it prints. `limit` ends it after that time; `watch` hears its lines.
    pub fn capture<'a>(&'a self, limit: Option<Duration>, watch: Option<Watch<'a>>) -> Result<Outcome, EngineError> {
        self.run(Stdio::null(), None, limit, watch)
    }

    /// Runs the command like [`Self::capture`]. A signal stops it where it is; `look` is given what it has printed until
    /// then, and may look at what it has done, before it is killed.
    pub fn capture_until_looked(&self, look: &mut dyn FnMut(&str)) -> Result<Outcome, EngineError> {
        let ends = ChildExits::listen().map_err(|source| self.not_runnable(source))?;
        let (child, pid) = self.begin(Stdio::null())?;
        let _registered = signals::Registered::spared(pid);
        Run::new(self, child, ends, None, None, None).look_before_the_end(look).follow()
    }

    /// What the command prints when it ends well within `limit`; after that it is killed without another word.
    pub fn capture_at_once(&self, limit: Duration) -> Option<Vec<u8>> {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        super::host::parent_death::die_with_parent(&mut command);
        let mut child = self.spawn(&mut command).ok()?;
        let pid = pid_of(&child);
        let (send, answer) = mpsc::channel();
        let started = threads::start(move || {
            let mut printed = Vec::new();
            let stdout = child.stdout.take()?;
            let is_whole = stdout.take(OUTPUT_LIMIT as u64).read_to_end(&mut printed).is_ok();
            let is_well = is_whole && child.wait().is_ok_and(|status| status.success());
            send.send(is_well.then_some(printed)).ok()
        });
        started.ok().and_then(|_| answer.recv_timeout(limit).ok()).unwrap_or_else(|| {
            signals::end_group(pid, true);
            None
        })
    }

    /// Runs the command like [`Self::capture`], with `from` as its standard input, and writes its standard output into
    /// `to` as it comes. It is ended when it prints nothing for `idle`.
    pub fn transfer(
        &self,
        from: Option<File>,
        to: &mut dyn Write,
        idle: Option<Duration>,
    ) -> Result<Outcome, EngineError> {
        self.run(from.map_or_else(Stdio::null, Stdio::from), Some(to), idle, None)
    }

    fn run<'a>(
        &'a self,
        stdin: Stdio,
        to: Option<&'a mut dyn Write>,
        limit: Option<Duration>,
        watch: Option<Watch<'a>>,
    ) -> Result<Outcome, EngineError> {
        let ends = ChildExits::listen().map_err(|source| self.not_runnable(source))?;
        let (child, pid) = self.begin(stdin)?;
        let _registered = signals::Registered::group(pid);
        Run::new(self, child, ends, to, limit, watch).follow()
    }

    /// Begins the command in a process group of its own, all that it prints piped.
    fn begin(&self, stdin: Stdio) -> Result<(std::process::Child, i32), EngineError> {
        let mut command = self.command();
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if let Some(text) = &self.stdin {
            command.stdin(input(text).map_err(|source| self.not_runnable(source))?);
        }
        if !self.changes_nothing {
            super::host::parent_death::die_with_parent(&mut command);
        }
        let child = self.spawn(&mut command)?;
        let pid = pid_of(&child);
        Ok((child, pid))
    }

    /// Runs the command with this process's own stdout, and stdin if `stdin`, its stderr passed on as it comes.
    /// Signals that reach this process are passed on to it.
    pub fn stream(&self, stdin: bool) -> Result<Outcome, EngineError> {
        let mut command = self.command();
        command.stdin(if stdin { Stdio::inherit() } else { Stdio::null() }).stderr(Stdio::piped());
        if let Some(signal) = signals::pending() {
            return Err(EngineError::Interrupted(signal));
        }
        let started = signals::Registered::forward(|| command.spawn());
        let (mut child, _registered) = started.map_err(|source| self.not_runnable(source))?;
        let tail = child.stderr.take().map(pass_on_stderr).unwrap_or_default();
        let status = child.wait().map_err(|source| self.not_runnable(source))?;
        Ok(Outcome { status, stdout: Vec::new(), stderr: clean(&tail) })
    }

    /// It could not be begun, or not be followed.
    pub fn not_runnable(&self, source: io::Error) -> EngineError {
        EngineError::NotRunnable { path: self.program.clone(), source }
    }

    /// The failure that `outcome` is.
    pub fn failure(&self, outcome: &Outcome) -> EngineError {
        let how = match (outcome.status.code(), outcome.status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by {}", signals::signal_name(signal)),
            (None, None) => "no exit status".to_owned(),
        };
        EngineError::Failed { command: self.shell_line(), how, stderr: outcome.stderr.clone() }
    }
}

impl Outcome {
    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A text to be read, in a file that has no name: however large it is, nothing waits, and nothing stays.
fn input(text: &Word) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.text.as_encoded_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// A process number as the system calls take it; none is larger than an i32.
pub fn pid_of(child: &std::process::Child) -> i32 {
    i32::try_from(child.id()).unwrap_or(i32::MAX)
}

/// Copies a guest's stderr to ours as it comes, and keeps the end of it.
fn pass_on_stderr(mut stderr: impl Read) -> Vec<u8> {
    let (mut tail, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    while let Ok(read @ [_, ..]) = chunk::read(&mut stderr, &mut buffer) {
        // A closed stderr of ours is no reason to stop the guest's command.
        let _ = io::stderr().write_all(read);
        tail.extend_from_slice(read);
        tail.drain(..tail.len().saturating_sub(TAIL_LIMIT));
    }
    tail
}
/// What the engine said, without its colours and without the note that it prints when its executable is not
/// named `smolvm`.
pub fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = dialoguer::console::strip_ansi_codes(&text);
    let lines = plain.lines().filter(|line| !line.starts_with("note: no packed assets found"));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_shown_as_it_could_be_typed_and_without_its_secrets() {
        let call = Call::new(Path::new("/opt/my engine/smolvm"), "machine create")
            .value("--image", "--evil")
            .secret_stdin("TOKEN=hunter2".into(), "TOKEN=***".into(), ["hunter2"])
            .secret_env("KEY", "hunter2")
            .env("TMPDIR", "/a b");
        assert_eq!(
            call.shell_line(),
            "KEY='***' TMPDIR='/a b' '/opt/my engine/smolvm' machine create '--image=--evil' <<< 'TOKEN=***'"
        );
    }

    #[test]
    fn a_control_character_is_quoted_so_that_a_shell_reads_it_again() {
        let call = Call::new(Path::new("smolvm"), "machine exec").arg("a\nb'\u{1b}");
        assert_eq!(call.shell_line(), r"smolvm machine exec $'a\x0ab\x27\x1b'");
    }

    #[test]
    fn a_secret_that_begins_like_another_is_masked_whole() {
        let call = Call::new(Path::new("smolvm"), "x").secret_env("A", "hunter").secret_env("B", "hunter2\nsecret");
        assert_eq!(call.masked(b"hunter2\nsecret | hunter2\\nsecret | hunter"), "*** | *** | ***");
    }

    #[test]
    fn colours_and_notes_are_not_part_of_what_the_engine_said() {
        let said = b"note: no packed assets found for 'x'; running\n\x1b[33m WARN\x1b[0m odd\nError: no\n";
        assert_eq!(clean(said), "WARN odd\nError: no");
    }
}
