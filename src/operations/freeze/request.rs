//! What to freeze, and how: as the command line, or another operation, asks for it.

use crate::error::{Failure, Result, Status};
use crate::library::{Tag, Target, check_description};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How to freeze VMs.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct Request {
    /// How many at a time; `None`: half of the cores.
    pub jobs: Option<u16>,
    /// Freeze without stopping.
    pub live: Option<Live>,
    /// The file to write instead of a snapshot in the library.
    pub output: Option<PathBuf>,
    /// For the snapshot in the library.
    pub tags: Vec<Tag>,
    /// For the snapshot in the library.
    pub note: Option<String>,
    /// For the snapshot in the library.
    pub labels: BTreeMap<String, String>,
    /// Store the launcher in the library too.
    pub launcher: bool,
    /// Make no snapshot if the newest one of the VM holds the same.
    pub if_changed: bool,
    /// Have the engine pack the disks, even where they could be read without it.
    pub engine_pack: bool,
    /// Stop running VMs without asking.
    pub yes: bool,
    /// Freeze VMs that do not answer without asking.
    pub allow_unresponsive: bool,
    /// Replace existing files, and move tags from other snapshots.
    pub force: bool,
    /// When to start a VM again that was stopped.
    pub restart: Restart,
    /// Leave out `/workspace`, where that can be left out.
    pub no_workspace: bool,
    /// Keep what the disks hold of deleted files.
    pub no_trim: bool,
    /// Commands to run before the freeze.
    pub before: Vec<Hook>,
    /// Commands to run after the freeze.
    pub after: Vec<Hook>,
    /// The time limit of each of them.
    pub hook_timeout: Duration,
    /// The time limit for stopping the VM.
    pub stop_timeout: Duration,
    /// Freeze even if there may not be enough space.
    pub no_space_check: bool,
    /// How long to wait for another bottle-freeze.
    pub wait: Duration,
}

/// Whether a VM is frozen while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// Or not at all.
    Always,
    /// Where the engine and the VM can; otherwise the ordinary way.
    Auto,
}

/// When a VM that the freeze stopped is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// If the freeze fails.
    #[default]
    OnFailure,
    /// Also if it succeeds.
    Always,
    /// Not even if it fails.
    Never,
}

/// A command around a freeze, and where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hook {
    /// In the VM.
    Guest(String),
    /// On this host.
    Host(String),
}

impl FromStr for Hook {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("guest", command)) if !command.trim().is_empty() => Ok(Self::Guest(command.to_owned())),
            Some(("host", command)) if !command.trim().is_empty() => Ok(Self::Host(command.to_owned())),
            _ => Err("a hook is guest:COMMAND or host:COMMAND"),
        }
    }
}

impl Request {
    /// Whether tags move from older snapshots of the VM. With `--if-changed`, a tag names the VM as it is.
    pub fn moves_tags(&self) -> bool {
        self.force || self.if_changed
    }

    /// Whether the snapshot is the engine's own file: a launcher looks for that beside it.
    pub fn keeps_whole(&self) -> bool {
        self.output.is_some() || self.launcher
    }

    /// Whether it makes sense for so many VMs.
    ///
    /// # Errors
    /// Two options contradict each other, or the tags, the note and the labels are too long.
    pub fn check(&self, vms: usize) -> Result<()> {
        let refused = |what: &str, hint: &str| Err(Failure::new(Status::Usage, what).hint(hint));
        if let Some(out) = &self.output {
            if Target::is_live(out) != self.live.is_some() {
                let what = "a live snapshot, and no other, is named X.checkpoint";
                return refused(what, "--live -o X.checkpoint, or -o X.smolmachine");
            }
            if self.live == Some(Live::Auto) {
                return refused("--live=auto does not know what -o will be", "leave one of them out");
            }
            if vms > 1 {
                let what = "-o names the output of one VM, and there are several";
                return refused(what, "without -o, all are kept in the library");
            }
        }
        Ok(check_description(&self.tags, self.note.as_deref(), &self.labels)?)
    }
}
