//! `snapshot rm`: remove snapshots.

use super::print::{described, list_tags};
use crate::app::App;
use crate::commands::args::Wait;
use crate::commands::batch;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::{Entry, Removal, sweep_library};
use crate::operations::resolve::{self, Asked};
use crate::operations::{lock, packed};
use crate::report::RemovedSnapshot;

/// Remove snapshots (asks for confirmation)
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot rm dev@1a2b\n  \
    bottle-freeze snapshot rm dev@old web@old --yes")]
pub struct Args {
    /// Snapshots: VM@TAG or VM@ID, or VM (its newest)
    #[arg(required = true, add = Offer::Entries)]
    pub snapshots: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub wait: Wait,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let all = resolve::several(&args.snapshots, resolve::entry, Entry::reference);
    let found = batch::all_or_none(app, all.iter().map(Asked::get), "nothing was removed")?;
    let list: Vec<String> = found.into_iter().map(shown).collect();
    app.confirm(&format!("Remove {}?", list.join(", ")), args.yes, "nothing was removed")?;
    sweep_library();
    let results = batch::each(app, &batch::SNAPSHOTS, 1, &all, |app, asked, _| {
        let one = asked.get()?;
        let bytes = one.bytes();
        match lock::remove(app, one, args.wait.wait)? {
            Removal::Tagged(tags) => {
                let what = format!("{asked} got the tag {} in the meantime", list_tags(&tags));
                let failure = Failure::new(Status::BadState, what).state("it was not removed");
                Err(failure.hint(format!("bottle-freeze snapshot rm {asked}")))
            }
            Removal::Removed(freed) => {
                app.terminal.result(asked, &format!("removed {asked} ({} freed)", packed::size(freed)));
                Ok(RemovedSnapshot { reference: asked.to_string(), bytes, freed, removed: true })
            }
        }
    });
    batch::finish(app, &batch::SNAPSHOTS, args.snapshots.len() == 1, &all, results)
}

fn shown(one: &Entry) -> String {
    match one {
        Entry::Whole(stored) => described(stored),
        Entry::Broken(broken) => format!("{} (damaged)", broken.reference()),
    }
}
