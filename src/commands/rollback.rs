//! `rollback`: a VM → what it was in a snapshot, under its name.

use crate::app::App;
use crate::commands::access::Reaches;
use crate::commands::args::duration;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::undo;
use crate::operations::thaw::{self, Request};
use crate::smolvm::Name;
use std::time::Duration;

/// Make a VM what it was in a snapshot
///
/// The VM keeps its name; all else is as `thaw` makes it. What is there now is frozen into the library first, under a tag such
/// as undo-20261127-010203: --undo brings it back, and can be undone itself. While the rollback runs, and if it is killed, each
/// state of the VM is there or in the library.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze rollback dev@ready\n  bottle-freeze rollback dev --undo\n  bottle-freeze rollback dev --yes --no-start\n  bottle-freeze rollback dev@theirs --no-volumes --no-ports"
)]
pub struct Args {
    /// Snapshot of the VM: VM (its newest), VM@TAG or VM@ID
    #[arg(value_parser = snapshot, add = Offer::Snapshots)]
    pub snapshot: String,
    /// Return to what the last rollback of this VM replaced
    #[arg(long)]
    pub undo: bool,
    #[command(flatten)]
    pub reaches: Reaches,
    /// Do not start it
    #[arg(long)]
    pub no_start: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Longest time to wait until the VM runs commands
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
}

/// Rolls a VM back, and prints how to undo that.
pub fn run(app: &App, args: Args) -> Result<()> {
    let snapshot = if args.undo { replaced(&args.snapshot)? } else { args.snapshot.clone() };
    let thawed = thaw::thaw(app, &request(args, snapshot)?)?;
    let (name, reference) = (&thawed.vm, thawed.reference.as_deref().unwrap_or_default());
    let undo = thawed.replaced.as_ref().map(|_| format!("; undo with: bottle-freeze rollback {name} --undo"));
    let text = format!("rolled {name} back to {reference}{}", undo.unwrap_or_default());
    app.terminal.result(name, &text);
    app.terminal.report(&thawed);
    Ok(())
}

/// The thaw of this snapshot, whose VM is the one that is replaced.
fn request(args: Args, snapshot: String) -> Result<Request> {
    Ok(Request {
        snapshot: snapshot.into(),
        start: !args.no_start,
        replace: true,
        yes: args.yes,
        undoable: true,
        keep: true,
        access: args.reaches.access()?,
        timeout: args.timeout,
        ..Request::default()
    })
}

/// The snapshot, `VM@TAG`, of what the last rollback of this VM replaced.
fn replaced(vm: &str) -> Result<String> {
    if vm.contains('@') {
        let what = "--undo returns to what the last rollback replaced, and takes only the name of the VM";
        return Err(Failure::new(Status::Usage, what).hint(format!("bottle-freeze rollback {vm}, or name only the VM")));
    }
    let missing = || {
        let what = format!("no rollback of '{vm}' is there to undo");
        Failure::new(Status::NotFound, what).hint(format!("its snapshots: bottle-freeze snapshot ls {vm}"))
    };
    let tag = undo::newest(vm)?.ok_or_else(missing)?;
    Ok(format!("{vm}@{}", tag.as_str()))
}

/// Reads a snapshot in the library, which no file is.
fn snapshot(text: &str) -> Result<String, &'static str> {
    let name = text.split('@').next().unwrap_or_default();
    name.parse::<Name>().map(|_| text.to_owned())
}
