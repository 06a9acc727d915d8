//! One engine command, not yet run, and how it is shown as a user could type it.

use super::error::{EngineError, Result};
use crate::quoted::quoted;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One word of a command line; `shown` replaces it wherever a person may read it.
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
    /// The text for its standard input.
    stdin: Option<Word>,
    folder: Option<PathBuf>,
    only_reads: bool,
}

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
            only_reads: false,
        }
    }

    /// Appends a word that no user chose: a flag, or a checked name.
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

    /// Gives the command `text` as its standard input; it holds `secrets`, and is shown as `shown`.
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

    /// Marks the command as one that changes nothing: it need not die with a killed parent, which would take a fork that
    /// copies this process's page tables (0.4 ms).
    pub fn changes_nothing(mut self) -> Self {
        self.only_reads = true;
        self
    }

    /// Whether the command changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        self.only_reads
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

    /// The engine's output without the secret values that it got, as they are or escaped. A value of one or two bytes is no
    /// secret, and would be found everywhere.
    pub(super) fn masked(&self, output: &[u8]) -> String {
        let output = String::from_utf8_lossy(output).into_owned();
        let mut secrets: Vec<&str> = self.secrets.iter().map(String::as_str).filter(|it| it.len() > 2).collect();
        // The longest first: one may begin like another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.iter().fold(output, |text, secret| {
            text.replace(secret, "***").replace(&secret.escape_debug().to_string(), "***").replace(secret.trim(), "***")
        })
    }

    /// The process to start.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.words.iter().map(|word| &word.text));
        // Newer engines take a missing name from the first, even for a delete; the others only add noise.
        for noise in ["SMOLVM_MACHINE_NAME", "RUST_LOG", "SMOLVM_LOG_FORMAT"] {
            command.env_remove(noise);
        }
        command.envs(self.env.iter().map(|(key, word)| (key, &word.text)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// The text for its standard input, in a file without a name: unlike a pipe it never blocks, and nothing of it stays.
    pub(super) fn stdin_file(&self) -> Result<Option<File>> {
        let folder = std::env::temp_dir();
        let write = |text: &Word| -> io::Result<File> {
            let mut file = tempfile::tempfile_in(&folder)?;
            file.write_all(text.text.as_encoded_bytes())?;
            file.rewind()?;
            Ok(file)
        };
        let written = self.stdin.as_ref().map(write).transpose();
        written.map_err(|source| EngineError::NoTemporaryFile { folder, source })
    }

    /// The error of a command that reported success and did not do its work.
    pub(super) fn not_done(&self, instead: String) -> EngineError {
        EngineError::NotDone { command: self.shell_line(), instead }
    }

    /// The error of a command that could not be started, or not be followed.
    pub(super) fn not_runnable(&self, source: io::Error) -> EngineError {
        EngineError::NotRunnable { path: self.program.clone(), source }
    }
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
}
