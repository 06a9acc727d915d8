//! `rollback`: a VM → what it was in a snapshot, under its name.

use crate::app::App;
use crate::commands::args::duration;
use crate::completion::Offer;
use crate::error::Result;
use crate::operations::consent::Access;
use crate::operations::thaw::{self, Request};
use crate::smolvm::Name;
use std::time::Duration;

/// Make a VM what it was in a snapshot
///
/// The VM keeps its name; all else is as `thaw` makes it. It is frozen into the library first, so a rollback to that snapshot
/// undoes this one.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  bottle-freeze rollback dev@ready\n  bottle-freeze rollback dev --yes --no-start"
)]
pub struct Args {
    /// Snapshot of the VM: VM (its newest), VM@TAG or VM@ID
    #[arg(value_parser = snapshot, add = Offer::Snapshots)]
    pub snapshot: String,
    /// Enable the network, without limits
    #[arg(long)]
    pub net: bool,
    /// Enable the network, limited to this CIDR block (repeatable) [default: as frozen]
    #[arg(long, value_name = "CIDR")]
    pub allow_cidr: Vec<String>,
    /// Publish this port, and none of the recorded ones (repeatable) [default: as frozen]
    #[arg(short, long, value_name = "HOST[:GUEST]")]
    pub port: Vec<String>,
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
    let thawed = thaw::thaw(app, &args.into())?;
    let (name, reference) = (&thawed.vm, thawed.reference.as_deref().unwrap_or_default());
    let undo = thawed.replaced.as_ref().map(|kept| format!("; undo with: bottle-freeze rollback {kept}"));
    let text = format!("rolled {name} back to {reference}{}", undo.unwrap_or_default());
    app.terminal.result(name, &text);
    app.terminal.report(&thawed);
    Ok(())
}

impl From<Args> for Request {
    fn from(args: Args) -> Self {
        Self {
            // Its VM is the one that is replaced.
            snapshot: args.snapshot.into(),
            start: !args.no_start,
            replace: true,
            yes: args.yes,
            keep: true,
            access: Access {
                net: args.net,
                allow_cidrs: args.allow_cidr,
                ports: Some(args.port).filter(|ports| !ports.is_empty()),
                volumes: None,
            },
            timeout: args.timeout,
            ..Self::default()
        }
    }
}

/// Reads a snapshot in the library, which no file is.
fn snapshot(text: &str) -> Result<String, &'static str> {
    let name = text.split('@').next().unwrap_or_default();
    name.parse::<Name>().map(|_| text.to_owned())
}
