//! `bottle-freeze` freezes smolvm microVMs into snapshots, and thaws them again.
//!
//! `main` → `commands` → `operations` → `library` → `smolvm`: a room uses those to its right, never those to its left. The
//! terminal and the signals are handed down.

// A panic aborts, and leaves what it was about to put back.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]
#![warn(clippy::panic, clippy::unreachable, clippy::todo, clippy::unimplemented)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects))]

mod app;
mod chunk;
mod cli;
mod clock;
mod commands;
mod completion;
mod deferred;
mod error;
mod home;
mod install;
mod library;
mod nearest;
mod operations;
mod publish;
mod quoted;
pub mod report;
mod signals;
mod smolvm;
mod stream;
mod tarball;
mod terminal;
mod threads;

use anyhow::Context;
use clap::CommandFactory;
use error::{Failure, misused};
pub use error::{Status, statuses};
use std::process::ExitCode;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    if completion::complete(command) {
        return ExitCode::SUCCESS;
    }
    let cli = cli::Cli::read().unwrap_or_else(|error| misused(&error));
    run(cli).unwrap_or_else(|error| match error.downcast::<Failure>() {
        Ok(failure) => {
            terminal::error(&failure.problem());
            failure.status.into()
        }
        Err(error) => {
            terminal::failed(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    })
}

fn run(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    terminal::speak_json(cli.error_format == cli::ErrorFormat::Json, cli.progress == cli::ProgressFormat::Json);
    signals::listen(terminal::interrupted).context("signals cannot be handled")?;
    let status = cli.run()?;
    Ok(if terminal::printed_all() { status } else { ExitCode::FAILURE })
}

/// The command line, for the documents that are generated from it.
#[must_use]
pub fn command() -> clap::Command {
    deferred::described(cli::Cli::command())
}
