//! `snapshot ls`: snapshots as a table, as names, or as JSON.

use super::print::{label_name, list_tags, must_exist, no_snapshots, none_with, warn_about};
use super::tree;
use crate::app::App;
use crate::commands::args::label;
use crate::completion::Offer;
use crate::error::{Failure, Result};
use crate::library::{Broken, FindError, Sizes, Stored, Tag, catalog};
use crate::nearest::nearest;
use crate::operations::packed;
use crate::report::{Entry, Failed, Listed, Snapshot};
use crate::smolvm::Name;
use crate::terminal;
use clap::ValueEnum;
use std::collections::HashSet;

/// List snapshots
///
/// SIZE is what a thaw needs. UNIQUE is what removing it frees: others keep the chunks that they share with it. UNIQUE also
/// counts what is kept of the image of a VM for its next freeze, so it may be more than SIZE; `snapshot show` prints how much that
/// is.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "list",
    after_long_help = "Examples:\n  bottle-freeze snapshot ls\n  \
    bottle-freeze snapshot ls dev --tag ready -q\n  \
    bottle-freeze snapshot ls dev -n 1 --json\n  \
    bottle-freeze snapshot ls --tree"
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
    /// Only the newest N
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<usize>,
    /// Sort order
    #[arg(long, value_enum, default_value_t = Order::Age)]
    pub sort: Order,
    /// Draw a tree: each snapshot under its parent, the one before it or the one that its VM was made from
    #[arg(long, conflicts_with = "sort")]
    pub tree: bool,
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
    let (listed, broken) = catalog::list(args.vm.as_ref().map(Name::as_str))?;
    if let (Some(vm), true) = (&args.vm, listed.is_empty() && broken.is_empty()) {
        must_exist(app, vm)?;
    }
    let damaged = warn_about(app, broken.clone(), broken_entry);
    let is_shown = |one: &&Stored| {
        let metadata = &one.metadata;
        args.tag.as_ref().is_none_or(|tag| metadata.tags.contains(tag))
            && args.label.as_ref().is_none_or(|(key, value)| metadata.labels.get(key) == Some(value))
    };
    let mut shown: Vec<&Stored> = listed.iter().filter(is_shown).collect();
    shown.drain(..shown.len().saturating_sub(args.last.unwrap_or(usize::MAX)));
    match args.sort {
        // The library is listed in this order.
        Order::Age => {}
        Order::Size => shown.sort_by_key(|one| one.bytes()),
        Order::Vm => shown.sort_by(|a, b| a.metadata.vm.cmp(&b.metadata.vm)),
    }
    let rows = if args.tree { tree::grow(&shown) } else { shown.into_iter().map(|one| (String::new(), one)).collect() };
    if app.terminal.quiet && !app.terminal.json {
        app.terminal.lines(rows.iter().map(|(_, one)| terminal::one_line(&one.reference())));
        return Ok(());
    }
    let library = args.vm.as_ref().map(|_| catalog::list(None)).transpose()?;
    let (all, broken) = library.as_ref().map_or((&listed, &broken), |(all, broken)| (all, broken));
    let sizes = Sizes::of(all, broken);
    if app.terminal.json {
        let entries = rows.iter().map(|(_, one)| Entry::Done(Listed::new(one, &sizes)));
        app.terminal.print_json(&entries.chain(damaged).collect::<Vec<_>>());
    } else if listed.is_empty() {
        app.terminal.note(&no_snapshots(args.vm.as_ref()));
    } else if rows.is_empty() {
        app.terminal.note(&none(args, &listed));
    } else {
        print(app, args, &rows, all, &sizes);
    }
    Ok(())
}

/// What is printed if there are snapshots, but none to show.
fn none(args: &Args, listed: &[Stored]) -> String {
    let tag = args.tag.as_ref().map(|tag| format!("the tag '{}'", tag.as_str()));
    let what: Vec<String> = tag.into_iter().chain(args.label.as_ref().map(label_name)).collect();
    if what.is_empty() {
        return format!("0 of {} snapshots", listed.len());
    }
    let tags = || listed.iter().flat_map(|one| &one.metadata.tags).map(Tag::as_str);
    let is_unknown = |tag: &&Tag| tags().all(|one| one != tag.as_str());
    let similar = args.tag.as_ref().filter(is_unknown).and_then(|tag| nearest(tag.as_str(), tags()));
    let similar = similar.map(|tag| format!("; did you mean '{tag}'?")).unwrap_or_default();
    none_with(args.vm.as_ref(), &what) + &similar
}

/// Prints the table, and a line about the whole library.
fn print(app: &App, args: &Args, rows: &[(String, &Stored)], all: &[Stored], sizes: &Sizes) {
    let names: HashSet<String> = all.iter().filter(|_| args.tree).map(Stored::reference).collect();
    let row = |(branches, one): &(String, &Stored)| {
        let (metadata, sizes) = (&one.metadata, Listed::new(one, sizes));
        // Where the tree does not show what it descends from.
        let parent = metadata.parent.as_ref().filter(|_| args.tree && branches.is_empty());
        let gone = parent.map(|parent| if names.contains(parent) { "" } else { ", which is gone" }).unwrap_or_default();
        let from = parent.map(|parent| format!(" (from {parent}{gone})")).unwrap_or_default();
        vec![
            format!("{branches}{}{from}", one.reference()),
            list_tags(&metadata.tags),
            metadata.date(),
            metadata.age(),
            packed::size(sizes.bytes).to_string(),
            packed::size(sizes.unique_bytes).to_string(),
            metadata.note.clone().unwrap_or_default(),
        ]
    };
    app.terminal.table(&["SNAPSHOT", "TAGS", "CREATED", "AGE", "SIZE", "UNIQUE", "NOTE"], rows.iter().map(row));
    let of = if rows.len() == all.len() { String::new() } else { format!("{} of ", rows.len()) };
    let word = if all.len() == 1 { "snapshot" } else { "snapshots" };
    app.terminal.note(&format!("{of}{} {word}, {} in the library", all.len(), packed::size(sizes.library)));
}

fn broken_entry<'a>(one: Broken, warnings: Vec<String>) -> Entry<Listed<'a>, Snapshot> {
    let reference = one.reference();
    Entry::Failed(Failed::new(Snapshot { reference }, &Failure::from(FindError::Broken(one)).after(warnings)))
}
