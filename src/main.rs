//! `bottle-freeze` freezes smolvm microVMs into snapshots, and thaws them again.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod cli;
mod commands;
mod interrupt;
mod smolvm;
mod snapshot;
mod ui;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    if let Err(error) = interrupt::listen(ui::interrupted) {
        ui::error(&format!("signals cannot be handled: {error}"), None, None);
        return ExitCode::FAILURE;
    }
    match commands::run(cli) {
        Ok(code) => code,
        Err(failure) => {
            ui::error(&failure.what, failure.now.as_deref(), failure.mend.as_deref());
            failure.status.into()
        }
    }
}
