//! `engine ls`: the installed engines.

use crate::app::App;
use crate::report::InstalledEngine;
use crate::smolvm::installed::{Installed, installed};

/// List the installed engines
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze engine ls\n  bottle-freeze engine ls --json")]
pub struct Args {}

pub fn run(app: &App) {
    let all = installed();
    if app.terminal.json {
        app.terminal.print_json(&all.iter().map(InstalledEngine::from).collect::<Vec<_>>());
    } else if app.terminal.quiet {
        app.terminal.lines(all.iter().map(|one| one.version.to_string()));
    } else if all.is_empty() {
        app.terminal.note("no engines installed; install one with: bottle-freeze engine install");
    } else {
        let used = |one: &Installed| if one.in_use { "yes" } else { "no" }.to_owned();
        let row = |one: &Installed| vec![one.version.to_string(), used(one), one.executable().display().to_string()];
        app.terminal.table(&["VERSION", "IN USE", "PATH"], all.iter().map(row));
    }
}
