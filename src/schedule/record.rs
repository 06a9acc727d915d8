//! What is recorded of a schedule, in the state folder: a file that describes it, and one that is touched at each success.

use super::every::Every;
use crate::files;
use crate::home;
use crate::publish::{Existing, PublishError, make_folder, publish_text};
use crate::quoted::quoted;
use crate::smolvm::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The most bytes of a record, or of a file of a scheduler.
const LIMIT: u64 = 64 << 10;

/// What runs a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// `systemd --user`.
    Systemd,
    /// launchd of macOS.
    Launchd,
    /// None that bottle-freeze can set up: the user adds a line to a crontab.
    Crontab,
}

/// A freeze of a VM at regular times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The VM.
    pub vm: Name,
    /// What runs it.
    pub scheduler: Scheduler,
    /// How often.
    pub every: Every,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The variables that it needs.
    pub variables: BTreeMap<String, String>,
}

impl Schedule {
    /// That of a VM, if it has one.
    ///
    /// # Errors
    /// Its record cannot be read.
    pub fn of(vm: &Name) -> io::Result<Option<Self>> {
        match read(&file(vm, "json")?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => Ok(Some(serde_json::from_str(&text?)?)),
        }
    }

    /// All of them, by VM; or why the record of one cannot be used.
    pub fn all() -> Vec<(Name, io::Result<Self>)> {
        let entries = folder().map(fs::read_dir).into_iter().flatten().flatten().flatten();
        let vm = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok();
        let mut vms: Vec<Name> = entries.filter_map(vm).collect();
        vms.sort();
        let read = |vm: Name| match Self::of(&vm).transpose()? {
            Ok(schedule) if schedule.vm != vm => Some((vm, Err(io::ErrorKind::InvalidData.into()))),
            schedule => Some((vm, schedule)),
        };
        vms.into_iter().filter_map(read).collect()
    }

    /// Records it.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub fn write(&self) -> io::Result<()> {
        make_folder(&folder()?, 0o700)?;
        let text = serde_json::to_vec_pretty(self)?;
        publish_text(&text, &file(&self.vm, "json")?, Existing::Replace).map_err(io_error)
    }

    /// Removes what is recorded of a VM. Returns false if there is nothing.
    ///
    /// # Errors
    /// A part of it is still there.
    pub fn forget(vm: &Name) -> io::Result<bool> {
        let mut was_there = false;
        for path in [file(vm, "success")?, file(vm, "json")?] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                removed => was_there |= removed.is_ok(),
            }
        }
        Ok(was_there)
    }

    /// The file that is touched after each success.
    ///
    /// # Errors
    /// There is no state folder.
    pub fn success_file(&self) -> io::Result<PathBuf> {
        file(&self.vm, "success")
    }

    /// When it last froze the VM, or found it unchanged.
    pub fn last_success(&self) -> Option<SystemTime> {
        fs::symlink_metadata(self.success_file().ok()?).ok()?.modified().ok()
    }

    /// Whether two of its times have passed since its last success, or since it was made.
    pub fn is_overdue(&self) -> bool {
        let made = || fs::symlink_metadata(file(&self.vm, "json").ok()?).ok()?.modified().ok();
        let since = self.last_success().or_else(made).and_then(|since| since.elapsed().ok());
        since.is_some_and(|since| since > self.every.period().saturating_mul(2))
    }

    /// The command line that makes it again.
    pub fn again(&self) -> String {
        let words = |prefixes: &'static [&str]| {
            let is_one = move |word: &&String| prefixes.iter().any(|prefix| word.starts_with(prefix));
            self.command.iter().filter(is_one).map(|word| quoted(word))
        };
        let global = words(&["--home=", "--smolvm="]);
        let own = ["schedule".to_owned(), self.vm.to_string(), "--every".to_owned(), self.every.to_string()];
        let program = std::iter::once("bottle-freeze".to_owned());
        program.chain(global).chain(own).chain(words(&["--keep-"])).collect::<Vec<_>>().join(" ")
    }

    /// The command and the note of its success, for `sh -c`. It prints only errors.
    ///
    /// # Errors
    /// There is no state folder.
    pub fn shell_line(&self) -> io::Result<String> {
        let words: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
        Ok(format!("{} > /dev/null && touch {}", words.join(" "), quoted(&self.success_file()?.to_string_lossy())))
    }

    /// As a line for crontab(5).
    ///
    /// # Errors
    /// There is no state folder.
    pub fn crontab(&self) -> io::Result<String> {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={} ", quoted(value)));
        // cron ends the command at a %.
        let line = format!("{}{}", variables.collect::<String>(), self.shell_line()?).replace('%', "\\%");
        Ok(format!("{} {line}", self.every.cron()))
    }
}

/// As the system's error, if it is one.
pub fn io_error(error: PublishError) -> io::Error {
    match error {
        PublishError::NotWritable { source, .. } => source,
        error => io::Error::other(error),
    }
}

/// The content of a file of this user.
///
/// # Errors
/// It is no such file, or is no text.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    files::open_own(path)?.take(LIMIT).read_to_string(&mut text)?;
    Ok(text)
}

fn folder() -> io::Result<PathBuf> {
    Ok(home::state_folder().ok_or(io::ErrorKind::NotFound)?.join("schedules"))
}

fn file(vm: &Name, suffix: &str) -> io::Result<PathBuf> {
    Ok(folder()?.join(format!("{vm}.{suffix}")))
}
