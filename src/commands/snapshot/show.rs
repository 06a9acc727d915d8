//! `snapshot show`: everything recorded about a snapshot.

use crate::app::App;
use crate::completion::Offer;
use crate::error::Result;
use crate::operations::resolve;

/// Print everything recorded about a snapshot, as JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot show dev\n  \
    bottle-freeze snapshot show dev@ready | jq .machine")]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    #[arg(add = Offer::Snapshots)]
    pub snapshot: String,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    app.terminal.print_json(&resolve::stored(&args.snapshot)?.metadata);
    Ok(())
}
