//! `bottle-freeze` freezes smolvm microVMs into snapshots, and thaws them again.
//!
//! `main` → `commands` → `operations` → `library` → `smolvm`: each uses those to its right, never those to its left. The
//! terminal and the signals are handed in.

// A panic aborts, and cleans nothing up.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]
#![warn(clippy::panic, clippy::unreachable, clippy::todo, clippy::unimplemented)]
#![allow(clippy::must_use_candidate, reason = "what is public is used by the tests and tools of this repository")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects))]

mod app;
mod chunk;
mod cli;
mod clock;
mod commands;
mod completion;
mod contents;
mod deferred;
mod encryption;
mod error;
mod ext4;
mod files;
mod home;
mod install;
mod leaks;
mod library;
mod nearest;
mod operations;
mod overlay;
mod publish;
mod quoted;
pub mod report;
mod schedule;
mod signals;
mod smolvm;
mod status;
mod stream;
mod tarball;
mod terminal;
mod threads;

/// What tests and fuzzing use: the facts about engines, and the readers of what engines write.
pub mod engine {
    use crate::signals::Signals;
    pub use crate::smolvm::artifact::{
        Artifact, ArtifactError, END, Member, MemberKind, Part, footer, headers, padding,
    };
    pub use crate::smolvm::{Direct, Disk, DiskError, Fact, Known, Machine, Name, Proof, Record, Version, direct};
    use std::path::Path;

    /// Reads an artifact and checks footer, CRC-32 and manifest.
    ///
    /// # Errors
    /// It cannot be read, or is not whole.
    pub fn verify(path: &Path) -> Result<Artifact, ArtifactError> {
        crate::smolvm::artifact::verify(path, &Signals::default())
    }

    /// Passes the content of a disk to `on_part`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_disk(disk: &Disk, on_part: &mut dyn FnMut(Part<'_>)) -> anyhow::Result<()> {
        disk.read(&Signals::default(), &mut |part| {
            on_part(part);
            Ok(())
        })
    }

    /// Checks an artifact, and passes the members of its tar and their content to `on_part`. Returns its manifest too.
    ///
    /// # Errors
    /// As [`verify`], or it is made of what this program does not know.
    pub fn take_apart(
        path: &Path,
        on_part: &mut dyn FnMut(Part<'_>) -> Result<(), ArtifactError>,
    ) -> Result<(Artifact, String), ArtifactError> {
        crate::smolvm::artifact::take_apart(path, &Signals::default(), |_| None, on_part)
    }
}

/// What fuzzing uses: the files in snapshots, and their file systems.
pub mod inside {
    pub use crate::contents::{Contents, ContentsError, Item, MemberEdits};
    pub use crate::ext4::{Edits, Ext4Error, FileSystem, Kind, ROOT, ReadAt, free};
    pub use crate::operations::extract::ExtractError;
    use crate::signals::Signals;
    use std::ffi::OsStr;
    use std::path::Path;

    /// Opens the files in an artifact, which is decompressed into files without a name in the folder `private`.
    ///
    /// # Errors
    /// They cannot be read, are damaged, or are not where they are known to be.
    pub fn open(artifact: &Path, private: &Path) -> Result<Contents, ContentsError> {
        Contents::of_artifact(artifact, None, private, &Signals::default())
    }

    /// Writes all files as the new folder `name` into a private folder.
    ///
    /// # Errors
    /// They cannot be read or written.
    pub fn extract(contents: &Contents, private: &Path, name: &OsStr) -> Result<(), ExtractError> {
        let all = contents.root();
        crate::operations::extract::extract(contents, (b"/", all), private, name, &Signals::default()).map(drop)
    }
}

use anyhow::Context;
use clap::CommandFactory;
use error::Failure;
pub use status::{Status, codes, statuses};
use std::ffi::OsString;
use std::process::ExitCode;
use terminal::{Error, Terminal};

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    forget_empty_variables();
    if completion::complete(command) {
        return ExitCode::SUCCESS;
    }
    let cli = match cli::Cli::read() {
        Ok(cli) => cli,
        Err(error) => return cli::misused(error, command),
    };
    let terminal = cli.terminal();
    run(cli, &terminal).unwrap_or_else(|error| match error.downcast::<Failure>() {
        Ok(failure) => {
            failure.print(&terminal);
            failure.status.into()
        }
        Err(error) => {
            terminal.error(&Error::new(Status::Failed, &format!("{error:#}")), &[]);
            ExitCode::FAILURE
        }
    })
}

/// A variable that is empty stands for no option: a workflow sets it so where an input is missing.
fn forget_empty_variables() {
    let is_ours = |name: &OsString| name.to_string_lossy().starts_with("BOTTLE_FREEZE_");
    let empty: Vec<OsString> =
        std::env::vars_os().filter(|(_, value)| value.is_empty()).map(|(name, _)| name).collect();
    for name in empty.iter().filter(|name| is_ours(name)) {
        // SAFETY: no other thread runs yet.
        #[allow(unsafe_code)]
        unsafe {
            std::env::remove_var(name);
        }
    }
}

fn run(cli: cli::Cli, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let printing = terminal.clone();
    let report = move |signal, left: Option<&[String]>| printing.interrupted(signal, left);
    let signals = signals::Signals::listen(report).context("could not handle signals")?;
    let status = cli.run(terminal, signals)?;
    Ok(if terminal.printed_all() { status } else { ExitCode::FAILURE })
}

/// The command line, for the documents that are generated from it.
#[must_use]
pub fn command() -> clap::Command {
    deferred::described(cli::Cli::command())
}

/// The script that makes a shell complete by calling `bottle-freeze`, for packages.
///
/// # Errors
/// It is none of `bash`, `elvish`, `fish`, `powershell` and `zsh`.
pub fn completion_script(shell: &str) -> std::io::Result<String> {
    completion::shells::registration(shell, "bottle-freeze")
}
