//! `bottle-freeze` freezes smolvm microVMs into snapshots, and thaws them again.

// A panic aborts, and leaves what it was about to put back.
#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects)]
#![warn(clippy::panic, clippy::unreachable, clippy::todo, clippy::unimplemented)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::string_slice, clippy::arithmetic_side_effects))]

mod chunk;
mod cli;
mod clock;
mod commands;
mod home;
mod interrupt;
mod nearest;
mod publish;
mod smolvm;
mod snapshot;
mod stream;
mod tarball;
mod threads;
mod ui;

use anyhow::Context;
use clap::Parser;
use commands::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    if commands::complete() {
        return ExitCode::SUCCESS;
    }
    let cli = cli::Cli::try_parse().unwrap_or_else(|error| commands::misused(&error));
    run(cli).unwrap_or_else(|error| match error.downcast::<Failure>() {
        Ok(failure) => {
            ui::error(&failure.problem());
            failure.status.into()
        }
        Err(error) => {
            ui::failed(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    })
}

fn run(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    ui::speak_json(cli.error_format == cli::ErrorFormat::Json, cli.progress == cli::ProgressFormat::Json);
    interrupt::listen(ui::interrupted).context("signals cannot be handled")?;
    let status = commands::run(cli)?;
    Ok(if ui::printed_all() { status } else { ExitCode::FAILURE })
}
