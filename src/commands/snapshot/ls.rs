//! `snapshot ls`: snapshots as a table, as names, or as JSON.

use super::print::{list_tags, no_snapshots, warn_about};
use crate::app::App;
use crate::commands::args::label;
use crate::completion::Offer;
use crate::error::{Failure, Result};
use crate::library::{Broken, FindError, Metadata, Stored, Tag, catalog};
use crate::operations::packed;
use crate::report::{Entry, Failed, Snapshot};
use crate::smolvm::Name;
use crate::terminal;
use clap::ValueEnum;

/// List snapshots
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "list",
    after_help = "Examples:\n  bottle-freeze snapshot ls\n  \
    bottle-freeze snapshot ls dev --tag ready -q"
)]
pub struct Args {
    /// Only snapshots of this VM
    #[arg(add = Offer::FrozenVms)]
    pub vm: Option<Name>,
    /// Only snapshots with this tag
    #[arg(long, value_name = "TAG", value_parser = Tag::existing, add = Offer::Tags)]
    pub tag: Option<Tag>,
    /// Only snapshots with this label
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub label: Option<(String, String)>,
    /// Sort order
    #[arg(long, value_enum, default_value_t = Order::Age)]
    pub sort: Order,
}

/// An order of snapshots.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Order {
    /// Oldest first
    Age,
    /// Largest last
    Size,
    /// By name of the VM, oldest first
    Vm,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let (mut all, broken) = catalog::list(args.vm.as_ref().map(Name::as_str))?;
    let broken = warn_about(app, broken, broken_entry);
    all.retain(|one| {
        let metadata = &one.metadata;
        args.tag.as_ref().is_none_or(|tag| metadata.tags.contains(tag))
            && args.label.as_ref().is_none_or(|(key, value)| metadata.labels.get(key) == Some(value))
    });
    match args.sort {
        // The library is listed in this order.
        Order::Age => {}
        Order::Size => all.sort_by_key(Stored::bytes),
        Order::Vm => all.sort_by(|a, b| a.metadata.vm.cmp(&b.metadata.vm)),
    }
    if app.terminal.json {
        app.terminal.print_json(&all.iter().map(|one| Entry::Done(&one.metadata)).chain(broken).collect::<Vec<_>>());
    } else if app.terminal.quiet {
        app.terminal.lines(all.iter().map(|one| terminal::one_line(&one.reference())));
    } else if all.is_empty() {
        app.terminal.note(&no_snapshots(args.vm.as_ref()));
    } else {
        app.terminal.table(&["SNAPSHOT", "TAGS", "AGE", "SIZE", "NOTE"], all.iter().map(row));
    }
    Ok(())
}

fn broken_entry<'a>(one: Broken, warnings: Vec<String>) -> Entry<&'a Metadata, Snapshot> {
    let reference = one.reference();
    Entry::Failed(Failed::new(Snapshot { reference }, &Failure::from(FindError::Broken(one)).after(warnings)))
}

fn row(one: &Stored) -> Vec<String> {
    let metadata = &one.metadata;
    vec![
        one.reference(),
        list_tags(&metadata.tags),
        metadata.age(),
        packed::size(one.bytes()).to_string(),
        metadata.note.clone().unwrap_or_default(),
    ]
}
