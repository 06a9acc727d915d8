//! `snapshot import`: add an exported snapshot to the library.

use super::print::arrived;
use crate::app::App;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::layout::new_id;
use crate::library::{Generation, History, Incoming, Metadata, Origin, Stored, catalog};
use crate::operations::arrival::{describe_alone, take_in};
use crate::operations::keys;
use crate::quoted::quoted;
use crate::smolvm::Name;
use crate::stream;
use crate::terminal::Warnings;
use clap::ValueHint;
use serde_json::json;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

/// Import an exported snapshot or a checkpoint of smolvm into the library, and check it
///
/// A checkpoint (`smolvm machine checkpoint`) is a file or, with --store, a folder. Each earlier one that it carries becomes a
/// snapshot, too.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot import dev-ready.tar\n  \
    bottle-freeze snapshot import dev-ready.tar --as dev2\n  \
    bottle-freeze snapshot import nightly.checkpoint\n  \
    bottle-freeze snapshot import dev.tar.age -i ~/.ssh/id_ed25519\n  \
    zstd -dc dev.tar.zst | bottle-freeze snapshot import -")]
pub struct Args {
    /// File that `snapshot export` wrote, `-` for standard input; or a checkpoint of smolvm
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Store it as a snapshot of this VM [default: the VM that was frozen]
    #[arg(long = "as", value_name = "VM", add = Offer::FrozenVms)]
    pub vm: Option<Name>,
    /// Decrypt it with a secret key in this file, of age or SSH, without a passphrase (repeatable)
    #[arg(short, long = "identity", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub identities: Vec<PathBuf>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    app.on_snapshot(&args.file.display(), |app| app.with_warnings(|warnings| import(app, args, warnings)))
}

fn import(app: &App, args: &Args, warnings: &Warnings) -> Result<()> {
    if stream::is_stream(&args.file) && io::stdin().is_terminal() {
        let what = "standard input is a terminal, and a snapshot is not text";
        return Err(Failure::new(Status::Usage, what).hint("pipe `bottle-freeze snapshot export VM -o -` into it"));
    }
    let identities = keys::identities(&args.identities, &args.file, &app.signals)?;
    let (from, source) = (args.file.display().to_string(), stream::source_name(&args.file));
    let text = format!("reading {source}");
    if let Some(history) = app.terminal.during("import", &text, || History::open(&args.file, &app.signals))? {
        let (one, earlier) = import_history(app, args, &history, &source, warnings)?;
        arrived(app, "imported", &one, earlier, from, warnings);
        return Ok(());
    }
    let unpack = || Incoming::unpack(&args.file, &identities, &app.signals);
    let (incoming, is_encrypted) = app.terminal.during("import", &text, unpack).map_err(|error| {
        let failure = Failure::from(error);
        let is_artifact = Path::new(&source).extension().is_some_and(|ending| ending == "smolmachine");
        let thaw = format!("it needs no import: bottle-freeze thaw {}", quoted(&source));
        if is_artifact && failure.status == Status::Damaged { failure.hint(thaw) } else { failure }
    })?;
    if !is_encrypted && !identities.is_empty() {
        warnings.warn(format!("{source} is not encrypted: --identity was not needed"));
    }
    let one = take_in(app, incoming, Origin::elsewhere("imported", &source), args.vm.as_ref(), warnings)?;
    arrived(app, "imported", &one, Vec::new(), from, warnings);
    Ok(())
}

/// Imports a checkpoint of the engine. The snapshot of it, and the `VM@ID` of those of its earlier generations, except for
/// those that the library has.
fn import_history(
    app: &App,
    args: &Args,
    history: &History,
    source: &str,
    warnings: &Warnings,
) -> Result<(Stored, Vec<String>)> {
    warnings.warn(format!("{source} came without a snapshot.json: labels and network limits are unknown"));
    let left_out = |why: &str| warnings.warn(format!("an earlier state in {source} is left out: {why}"));
    history.damaged.iter().for_each(|why| left_out(why));
    let described = describe_all(history, args, &left_out)?;
    let mut arrived: Vec<Stored> = Vec::new();
    let count = described.len();
    for (number, (generation, metadata)) in described.into_iter().enumerate() {
        let is_last = number + 1 == count;
        if !is_last && catalog::find(&format!("{}@{}", metadata.vm, metadata.id)).is_ok() {
            continue;
        }
        let store = || history.incoming(generation, metadata, &app.signals);
        let one = app.terminal.during("store", &format!("storing {source}"), store).map_err(Failure::from);
        let taken = one.and_then(|incoming| {
            take_in(app, incoming, Origin::elsewhere("imported", source), args.vm.as_ref(), warnings)
        });
        match taken {
            Ok(one) => arrived.push(one),
            Err(failure) if !is_last && failure.status == Status::Damaged => left_out(&failure.what),
            Err(failure) if arrived.is_empty() => return Err(failure),
            Err(failure) => {
                let earlier = references(&arrived).join(", ");
                return Err(failure.state(format!("the earlier {earlier} are in the library")));
            }
        }
    }
    let newest = arrived.pop().ok_or_else(|| Failure::new(Status::Damaged, format!("{source} holds no checkpoint")))?;
    Ok((newest, references(&arrived)))
}

fn references(all: &[Stored]) -> Vec<String> {
    all.iter().map(Stored::reference).collect()
}

/// Each generation with its `snapshot.json`. `left_out` gets why an earlier one can have none.
fn describe_all<'h>(
    history: &'h History,
    args: &Args,
    left_out: &dyn Fn(&str),
) -> Result<Vec<(&'h Generation, Metadata)>> {
    let (mut described, mut generations) = (Vec::new(), Vec::new());
    for (number, generation) in history.generations.iter().enumerate() {
        let is_last = number + 1 == history.generations.len();
        match describe(generation, args, &described) {
            Ok(one) => {
                described.push(one);
                generations.push(generation);
            }
            Err(failure) if !is_last && failure.status == Status::Damaged => left_out(&failure.what),
            Err(failure) => return Err(failure),
        }
    }
    Ok(generations.into_iter().zip(described.into_iter().map(|(_, metadata)| metadata)).collect())
}

/// The id of a generation, and its `snapshot.json`. It descends from the one of `before` that the engine names.
fn describe(generation: &Generation, args: &Args, before: &[(String, Metadata)]) -> Result<(String, Metadata)> {
    let (details, manifest) = (&generation.details, &generation.manifest);
    let lineage = manifest.lineage();
    let machine = lineage.as_ref().map(|lineage| lineage.machine.as_str());
    let mut names = args.vm.as_ref().map(Name::as_str).into_iter().chain(machine).chain(details.vm.as_deref());
    let Some(name) = names.find_map(|name| name.parse::<Name>().ok()) else {
        let what = format!("no VM can be named after {}", args.file.display());
        return Err(Failure::new(Status::Usage, what).hint("name it with --as VM"));
    };
    let id = lineage.as_ref().map_or_else(new_id, |lineage| lineage.id.clone());
    let text = describe_alone(details, manifest, &name, id.get(..8).unwrap_or(&id), &json!({}));
    let metadata: Metadata = serde_json::from_value(text).map_err(|error| {
        Failure::new(Status::Damaged, format!("{} is not a possible snapshot: {error}", args.file.display()))
    })?;
    let parent = lineage.and_then(|lineage| before.iter().find(|(id, _)| Some(id) == lineage.parent.as_ref()));
    let parent = parent.map(|(_, parent)| format!("{}@{}", parent.vm, parent.id));
    Ok((id, Metadata { parent, ..metadata }))
}
