//! `ls`: list the VMs, as a table, as names, or as JSON.

use crate::app::App;
use crate::commands::vms::NO_VMS;
use crate::error::Result;
use crate::smolvm::Machine;
use crate::terminal;

/// List VMs
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  bottle-freeze ls\n  bottle-freeze ls --json | jq -r '.[] | select(.state == \"running\") | .name'"
)]
pub struct Args {}

pub fn run(app: &App) -> Result<()> {
    let machines = app.engine()?.machine_ls()?;
    if app.terminal.json {
        app.terminal.print_json(&machines);
    } else if app.terminal.quiet {
        app.terminal.lines(machines.iter().map(|machine| terminal::one_line(&machine.name)));
    } else if machines.is_empty() {
        app.terminal.note(NO_VMS);
    } else {
        let header = ["NAME", "STATE", "CPUS", "MEMORY", "STORAGE", "OVERLAY", "NETWORK", "IMAGE"];
        app.terminal.table(&header, machines.iter().map(row));
    }
    Ok(())
}

fn row(machine: &Machine) -> Vec<String> {
    let network = match (&machine.allowed_cidrs, machine.network) {
        (_, false) => "none".to_owned(),
        (Some(cidrs), true) if !cidrs.is_empty() => cidrs.join(" "),
        (_, true) => "yes".to_owned(),
    };
    vec![
        machine.name.clone(),
        machine.state.to_string(),
        machine.cpus.to_string(),
        format!("{} MiB", machine.memory_mib),
        format!("{} GiB", machine.storage_gib()),
        format!("{} GiB", machine.overlay_gib()),
        network,
        machine.image.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}
