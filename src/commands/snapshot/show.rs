//! `snapshot show`: everything recorded about a snapshot.

use crate::app::App;
use crate::completion::Offer;
use crate::error::Result;
use crate::library::{Sizes, catalog};
use crate::operations::resolve;
use crate::report::Listed;

/// Print everything recorded about a snapshot, and its sizes, as JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot show dev\n  \
    bottle-freeze snapshot show dev@ready | jq .machine")]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    #[arg(add = Offer::Snapshots)]
    pub snapshot: String,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let one = resolve::stored(&args.snapshot)?;
    let (all, _) = catalog::list(None)?;
    app.terminal.print_json(&Listed::new(&one, &Sizes::of(&all)));
    Ok(())
}
