//! `bottle-freeze` freezes smolvm microVMs into snapshots, and thaws them again.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod cli;
mod commands;
mod home;
mod interrupt;
mod nearest;
mod smolvm;
mod snapshot;
mod ui;

use anyhow::Context;
use clap::Parser;
use commands::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    if commands::complete() {
        return ExitCode::SUCCESS;
    }
    run(cli::Cli::parse()).unwrap_or_else(|error| match error.downcast::<Failure>() {
        Ok(failure) => {
            ui::error(&failure.what, failure.now.as_deref(), failure.mend.as_deref());
            failure.status.into()
        }
        Err(error) => {
            ui::error(&format!("{error:#}"), None, None);
            ExitCode::FAILURE
        }
    })
}

fn run(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    interrupt::listen(ui::interrupted).context("signals cannot be handled")?;
    let status = commands::run(cli)?;
    Ok(if ui::printed_all() { status } else { ExitCode::FAILURE })
}
