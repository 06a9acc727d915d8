//! `snapshot tag`: add tags to a snapshot, or remove them.

use crate::app::App;
use crate::completion::Offer;
use crate::error::Result;
use crate::library::{FindError, Stored, Tag};
use crate::operations::{lock, resolve, tags};
use crate::report::Tagged;

/// Add tags to a snapshot, or remove them
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot tag dev@1a2b3c4d ready\n  \
    bottle-freeze snapshot tag dev@ready --remove ready")]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    #[arg(add = Offer::Snapshots)]
    pub snapshot: String,
    /// Tags to add
    #[arg(required_unless_present = "remove", add = Offer::Tags)]
    pub tags: Vec<Tag>,
    /// Tag to remove (repeatable)
    #[arg(long, value_name = "TAG", value_parser = Tag::existing, add = Offer::Tags)]
    pub remove: Vec<Tag>,
    /// Move a tag that another snapshot has
    #[arg(short, long)]
    pub force: bool,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let one = resolve::stored(&args.snapshot)?;
    app.on_snapshot(&one.reference(), |app| tag(app, args, &one))
}

fn tag(app: &App, args: &Args, one: &Stored) -> Result<()> {
    let _lock = lock::library(app, &one.metadata.vm)?;
    let now = one.reload().ok_or_else(|| FindError::NotFound(one.reference()))?;
    let metadata = tags::change(&now, &args.tags, &args.remove, args.force)?;
    let tags: Vec<String> = metadata.tags.iter().map(|tag| tag.as_str().to_owned()).collect();
    let text = match tags.last() {
        None => format!("{}: no tags", one.reference()),
        Some(last) => {
            let next = format!("thaw it with: bottle-freeze thaw {}@{last}", metadata.vm);
            format!("{}: {}; {next}", one.reference(), tags.join(", "))
        }
    };
    app.terminal.result(one.reference(), &text);
    app.terminal.report(&Tagged { reference: one.reference(), tags });
    Ok(())
}
