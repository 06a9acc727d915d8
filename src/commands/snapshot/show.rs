//! `snapshot show`: what is recorded about a snapshot, for people or as JSON.

use super::print::list_tags;
use crate::app::App;
use crate::completion::Offer;
use crate::error::Result;
use crate::library::{Configuration, Metadata, Sizes, Stored, Trim, Way, catalog, layout};
use crate::operations::{packed, resolve};
use crate::report::Listed;
use crate::terminal;

/// Print what is recorded about a snapshot, and its sizes
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot show dev\n  \
    bottle-freeze snapshot show dev@ready --json | jq .machine")]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG or VM@ID
    #[arg(add = Offer::Snapshots)]
    pub snapshot: String,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let one = resolve::readable(&args.snapshot)?;
    if app.terminal.quiet && !app.terminal.json {
        app.terminal.lines([terminal::one_line(&one.reference())]);
        return Ok(());
    }
    let (all, broken) = catalog::list(None)?;
    let listed = Listed::new(&one, &Sizes::of(&all, &broken));
    if app.terminal.json {
        app.terminal.print_json(&listed);
        return Ok(());
    }
    let lines = rows(&one, &listed).into_iter().filter(|(_, text)| !text.is_empty());
    app.terminal.lines(lines.map(|(label, text)| format!("{label:<9} {}", terminal::one_line(&text))));
    Ok(())
}

/// A label and a text for each line; those without a text are not printed.
fn rows(one: &Stored, sizes: &Listed) -> Vec<(&'static str, String)> {
    let metadata = &one.metadata;
    let machine = &metadata.machine;
    let size = |bytes| packed::size(bytes).to_string();
    let list = |names: &[String]| names.join(", ");
    let labels: Vec<String> = metadata.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut rows = vec![
        ("snapshot", one.reference()),
        ("tags", list_tags(&metadata.tags)),
        ("VM", metadata.vm.clone()),
        ("frozen", format!("{} ({} ago)", metadata.date(), metadata.age())),
        ("note", metadata.note.clone().unwrap_or_default()),
        ("labels", list(&labels)),
        ("size", format!("{}{}; removing it frees {}", size(sizes.bytes), image(one), size(sizes.unique_bytes))),
        ("holds", holds(metadata)),
        ("deleted", deleted(metadata.trim)),
        ("without", list(&metadata.scrubbed)),
        ("machine", hardware(machine)),
        ("network", network(machine)),
        ("ports", machine.ports.as_deref().map(list).unwrap_or_default()),
        ("variables", list(&machine.env)),
        ("from", from(metadata)),
        ("made by", made_by(metadata)),
    ];
    rows.extend(metadata.warnings.iter().map(|warning| ("warning", warning.clone())));
    rows.push(("thaw with", format!("bottle-freeze thaw {}", one.reference())));
    rows
}

/// What is kept besides, if anything.
fn image(one: &Stored) -> String {
    match one.index().map_or(0, |index| index.image_bytes()) {
        0 => String::new(),
        bytes => format!(", and {} of its image for the next freeze", packed::size(bytes)),
    }
}

fn made_by(metadata: &Metadata) -> String {
    let way = match metadata.way {
        Some(Way::Disks) => "bottle-freeze read the disks",
        Some(Way::Engine) | None => "smolvm packed it",
    };
    let platform = metadata.platform.as_deref().map(|platform| format!(", for {platform}")).unwrap_or_default();
    let (tool, engine) = (&metadata.tool_version, &metadata.engine_version);
    format!("bottle-freeze {tool} and smolvm {engine}{platform} ({way})")
}

fn holds(metadata: &Metadata) -> String {
    let mut all = vec!["disks"];
    let has = |file| metadata.files.contains_key(file);
    if has(layout::CHECKPOINT) || metadata.artifact.as_ref().is_some_and(|artifact| artifact.live) {
        all.push("RAM and processes");
    }
    if has(layout::WORKSPACE) {
        all.push("/workspace");
    }
    if has(layout::LAUNCHER) {
        all.push("launcher");
    }
    all.join(", ")
}

/// What became of what was deleted.
fn deleted(trim: Trim) -> String {
    match (trim.trimmed, trim.trimmed_bytes) {
        (Some(true), Some(bytes)) => format!("left out, {} of blocks that no file uses", packed::size(bytes)),
        (Some(true), None) => "left out".to_owned(),
        (Some(false), _) => "may be in it".to_owned(),
        (None, _) => String::new(),
    }
}

fn hardware(machine: &Configuration) -> String {
    let cpus = if machine.cpus == 1 { "1 CPU".to_owned() } else { format!("{} CPUs", machine.cpus) };
    let image = machine.image.as_deref().map(|image| format!(", image {image}")).unwrap_or_default();
    format!("{cpus}, {} MiB memory{image}", machine.memory_mib)
}

fn network(machine: &Configuration) -> String {
    let limits = machine.allowed_cidrs.as_deref().unwrap_or_default();
    let network = match (machine.network, limits) {
        (false, _) => return "none".to_owned(),
        (true, []) => "everything".to_owned(),
        (true, limits) => format!("only {}", limits.join(", ")),
    };
    if machine.network_known { network } else { format!("{network}, and limits that smolvm does not report") }
}

/// Where it comes from: this host or another, and the snapshot before it.
fn from(metadata: &Metadata) -> String {
    let elsewhere = metadata.origin.as_ref().filter(|origin| !origin.is_here());
    let how = elsewhere.map(|origin| format!("{} from {}", origin.kind, origin.from.as_deref().unwrap_or("elsewhere")));
    how.into_iter().chain(metadata.parent.clone()).collect::<Vec<_>>().join(", ")
}
