//! `snapshot pull`: add a snapshot from an OCI registry to the library.

// `[:TAG]` in a help text is no link.
#![allow(rustdoc::broken_intra_doc_links)]

use super::print::arrived;
use crate::app::App;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::{Incoming, Origin, Staging, layout, library_staging};
use crate::operations::arrival::{describe_alone, take_in};
use crate::operations::{packed, registry};
use crate::smolvm::artifact::{self, Artifact, embedded_metadata};
use crate::smolvm::{Name, Reference, Smolvm};
use crate::terminal::Warnings;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Pull a snapshot from a registry into the library, and check it
///
/// It also pulls what `smolvm pack push` pushed: then snapshot.json holds only what the artifact itself records.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot pull ghcr.io/team/dev:ready\n  \
    bottle-freeze snapshot pull localhost:5000/dev:tuesday --as dev2")]
pub struct Args {
    /// Source HOST/NAME[:TAG] or HOST/NAME@DIGEST
    #[arg(value_name = "REF")]
    pub reference: Reference,
    /// Store it as a snapshot of this VM [default: the VM that was frozen]
    #[arg(long = "as", value_name = "VM", add = Offer::FrozenVms)]
    pub vm: Option<Name>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    app.on_snapshot(&args.reference, |app| app.with_warnings(|warnings| pull(app, args, warnings)))
}

fn pull(app: &App, args: &Args, warnings: &Warnings) -> Result<()> {
    let from = &args.reference;
    let engine = app.engine()?;
    let work = library_staging()?;
    let _leaves = packed::leaves(app, &work);
    let file = fetch(app, &engine, from, &work)?;
    let damaged = |error| {
        let failure = Failure::artifact(&file, &error);
        match failure.status {
            Status::Damaged => Failure { what: format!("what {from} holds {error}"), ..failure },
            _ => failure,
        }
    };
    let (whole, snapshot) = app
        .terminal
        .during("check", "checking the artifact", || embedded_metadata::take_out(&file, &app.signals))
        .map_err(damaged)?;
    let text = if let Some(text) = snapshot {
        text
    } else {
        warnings.warn(format!("{from} came without a snapshot.json: {UNKNOWN}"));
        describe(&file, &whole, from, args.vm.as_ref())?
    };
    let incoming = Incoming::from_artifact(work, &file, &text, &from.to_string())?;
    let one = take_in(app, incoming, Origin::elsewhere("pulled", &from.to_string()), args.vm.as_ref(), warnings)?;
    arrived(app, "pulled", &one, Vec::new(), from.to_string(), warnings);
    Ok(())
}

/// Downloads the artifact.
fn fetch(app: &App, engine: &Smolvm, from: &Reference, work: &Staging) -> Result<PathBuf> {
    let file = work.sidecar();
    let mut progress = app.terminal.progress("pull", &format!("pulling {from}"), Some(work.path()));
    let pulled = engine.pack_pull(from, &file, work.path(), &mut || progress.tick());
    progress.end(pulled.is_ok());
    pulled.map_err(|error| registry::explain(error, from).state("the library is as it was"))?;
    Ok(file)
}

/// What an artifact alone does not record about the VM.
const UNKNOWN: &str = "disk sizes, labels and network limits are unknown";

/// A `snapshot.json` for an artifact that came without one, from what the artifact records. Its id is the start of its
/// SHA-256, so that the same artifact is the same snapshot.
fn describe(file: &Path, whole: &Artifact, from: &Reference, vm: Option<&Name>) -> Result<Vec<u8>> {
    let details = artifact::details(file).map_err(|error| Failure::artifact(file, &error))?;
    let mut names = vm.map(Name::as_str).into_iter().chain(details.vm.as_deref()).chain([from.short_name()]);
    let Some(name) = names.find_map(|name| name.parse::<Name>().ok()) else {
        let what = format!("no VM can be named after {from}");
        return Err(Failure::new(Status::Usage, what).hint("name it with --as VM"));
    };
    let recorded = packed::hash(file)?;
    let (id, files) = (recorded.sha256.get(..8).unwrap_or_default(), json!({layout::ARTIFACT: recorded}));
    Ok(describe_alone(&details, &whole.manifest, &name, id, &files).to_string().into_bytes())
}
