//! `ls`: list the VMs, as a table, as names, or as JSON.

use crate::app::App;
use crate::commands::vms::NO_VMS;
use crate::error::Result;
use crate::library::{Stored, catalog};
use crate::operations::packed;
use crate::smolvm::Machine;
use crate::terminal;

/// List VMs, with the newest snapshot of each
///
/// DISKS are the sizes of the storage and of the overlay.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze ls\n  bottle-freeze ls --json | jq -r '.[] | select(.state == \"running\") | .name'"
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
        // VMs are listed without a library, too.
        let snapshots = catalog::list(None).map(|(all, _)| all).unwrap_or_default();
        let header = ["NAME", "STATE", "SNAPSHOT", "CPUS", "MEMORY", "DISKS", "NETWORK", "IMAGE"];
        app.terminal.table(&header, machines.iter().map(|machine| row(machine, &snapshots)));
    }
    Ok(())
}

/// The VM, with its newest snapshot and the age of that.
fn row(machine: &Machine, snapshots: &[Stored]) -> Vec<String> {
    let newest = snapshots.iter().rfind(|one| one.metadata.vm == machine.name).map(|one| &one.metadata);
    let network = match (&machine.allowed_cidrs, machine.network) {
        (_, false) => "none".to_owned(),
        (Some(cidrs), true) if !cidrs.is_empty() => cidrs.join(" "),
        (_, true) => "yes".to_owned(),
    };
    vec![
        machine.name.clone(),
        machine.state.to_string(),
        newest.map_or_else(|| "-".to_owned(), |newest| format!("{}, {} ago", newest.id, newest.age())),
        machine.cpus.to_string(),
        packed::size(machine.memory_mib.saturating_mul(1 << 20)).to_string().replace(".00 ", " "),
        format!("{}+{} GiB", machine.storage_gib(), machine.overlay_gib()),
        network,
        machine.image.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}
