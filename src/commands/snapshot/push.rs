//! `snapshot push`: copy a snapshot to an OCI registry.

// `[:TAG]` in a help text is no link.
#![allow(rustdoc::broken_intra_doc_links)]

use crate::app::App;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::{Metadata, Staging, Stored, Tag, layout};
use crate::operations::resolve::{self, Checked, SnapshotSource};
use crate::operations::scrub::{self, SCRUBS, Scrub, Scrubbed};
use crate::operations::{leaks, packed, registry};
use crate::report::{JsonPath, Pushed};
use crate::smolvm::Reference;
use crate::smolvm::artifact::{self, ArtifactError, Details, embedded_metadata};
use crate::terminal::Warnings;
use clap::ValueHint;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What answers the question about secrets.
const ALLOW: &str = "--allow-secrets answers this question, --yes does not";

/// Push a snapshot to a registry (asks for confirmation)
///
/// The engine does the transfer, with its own credentials (`docker login`, `smolvm config registries`). It pushes the artifact
/// with its snapshot.json in the manifest: `snapshot pull` restores both, and `smolvm pack pull` gives an artifact that the
/// engine accepts as it is. Before that, its files are searched for private keys, tokens, credentials and histories; what is
/// found must be allowed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot push dev@ready ghcr.io/team/dev:ready\n  \
    bottle-freeze snapshot push dev localhost:5000/dev:tuesday --yes\n  \
    bottle-freeze snapshot push dev ghcr.io/team/dev --scrub ssh-host-keys,history")]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG, VM@ID, or a .smolmachine file
    #[arg(value_hint = ValueHint::FilePath, add = Offer::AnySnapshots)]
    pub snapshot: OsString,
    /// Destination HOST/NAME[:TAG]; without HOST, the engine's own registry, registry.smolmachines.com
    #[arg(value_name = "REF")]
    pub reference: Reference,
    /// Do not ask, unless secrets are found in it
    #[arg(short, long)]
    pub yes: bool,
    /// Push it even if secrets are found in it
    #[arg(long)]
    pub allow_secrets: bool,
    /// Push a copy in which these files are empty (comma-separated or repeatable)
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(SCRUBS.map(|(name, _)| name)).try_map(|name| name.parse::<Scrub>()))]
    pub scrub: Vec<Scrub>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let to = &args.reference;
    if to.is_digest() {
        let what = format!("{to} is a digest, and a push needs a tag");
        return Err(Failure::new(Status::Usage, what).hint("name a tag, such as HOST/NAME:TAG"));
    }
    let found = resolve::find(app, &args.snapshot)?;
    app.on_snapshot(&found.name(), |app| {
        app.with_warnings(|warnings| {
            if args.scrub.is_empty() {
                return push(app, args, found, None, warnings);
            }
            let Some(one) = found.stored() else {
                let what = "only a snapshot in the library can be scrubbed";
                return Err(Failure::new(Status::Usage, what).hint("leave out --scrub"));
            };
            let copy = scrub::copy(app, one, &args.scrub)?;
            push(app, args, SnapshotSource::of_private(copy.stored.clone()), Some(&copy), warnings)
        })
    })
}

/// Says what is in it, and has the user confirm that.
fn confirm(app: &App, args: &Args, whole: &Checked, warnings: &Warnings) -> Result<leaks::Found> {
    let (to, name, size) = (&args.reference, whole.name(), packed::size(whole.artifact.bytes));
    let details = artifact::details(whole.path()).map_err(|error| Failure::artifact(whole.path(), &error))?;
    for line in disclosed(whole.stored(), !args.scrub.is_empty(), &details) {
        warnings.warn(line);
    }
    let found = leaks::search(app, &name, whole.stored(), whole.path(), &whole.artifact.manifest)?;
    let hint = scrub::hint(ALLOW, &found, whole.stored(), &args.scrub);
    found.confirm(app, args.allow_secrets, &hint, warnings, "nothing was pushed")?;
    let question = format!(
        "Push {name} ({size}) to {to}? Anyone who can pull it can read the VM's disks and everything listed above. \
         An existing tag is replaced."
    );
    app.confirm(&question, args.yes, "nothing was pushed")?;
    Ok(found)
}

fn push(app: &App, args: &Args, found: SnapshotSource, copied: Option<&Scrubbed>, warnings: &Warnings) -> Result<()> {
    let (to, name) = (&args.reference, found.name());
    let whole = found.check(app)?;
    if whole.artifact.manifest.is_live() {
        let what = format!("{name} is live: it holds the VM's RAM, with every secret in it");
        return Err(Failure::new(Status::BadState, what).hint("use `bottle-freeze snapshot export` instead"));
    }
    let engine = app.engine()?;
    let found = confirm(app, args, &whole, warnings)?;
    let size = packed::size(whole.artifact.bytes);
    let metadata = whole.metadata()?;
    let place = || packed::place(&format!("its copy of {} bytes", whole.artifact.bytes), whole.artifact.bytes);
    // A file is pushed as it is.
    let work = metadata.as_ref().map(|_| place()).transpose()?;
    let _leaves = work.as_ref().map(|work| packed::leaves(app, work));
    let file = match metadata.zip(work.as_ref()) {
        Some((metadata, work)) => {
            app.terminal.during("copy", "copying it", || copy(app, whole.path(), metadata, work))?
        }
        None => whole.path().to_owned(),
    };
    whole.check_same().map_err(|failure| failure.state("nothing was pushed"))?;
    let mut progress = app.terminal.progress("push", &format!("pushing {name} to {to}"), None);
    let pushed = engine.pack_push(&file, to, &mut || progress.tick());
    progress.end(pushed.is_ok());
    let digest = pushed.map_err(|error| registry::explain(error, to).state(format!("{name} is as it was")))?;
    let copy = whole.stored().map(|one| scrub::describe(&one.metadata)).unwrap_or_default();
    let sums = Scrubbed::sums(copied);
    let text = format!("pushed {name}{copy} ({size}){sums}; elsewhere: bottle-freeze snapshot pull {to}");
    app.terminal.result(to.to_string(), &text);
    app.terminal.report(&Pushed {
        reference: whole.stored().map(Stored::reference),
        sidecar: whole.file().map(|file| JsonPath(file.into())),
        to: to.to_string(),
        digest: digest.map(|digest| digest.to_string()),
        bytes: whole.artifact.bytes,
        searched: scrub::searched(found, whole.stored(), copied),
        warnings: warnings.list(),
    });
    Ok(())
}

/// What anyone who can pull it can read besides the disks, and what is not pushed. Names variables, not their values. The copy
/// that --scrub made is not in the library.
fn disclosed(stored: Option<&Stored>, is_copy: bool, details: &Details) -> Vec<String> {
    let mut lines = Vec::new();
    if !details.env.is_empty() {
        lines.push(format!("it contains these variables with their values, unencrypted: {}", details.env.join(", ")));
    }
    let Some(stored) = stored else {
        lines.push("a file is pushed without a snapshot.json: no disk sizes, no labels, no tags".to_owned());
        return lines;
    };
    let metadata = &stored.metadata;
    let tags: Vec<&str> = metadata.tags.iter().map(Tag::as_str).collect();
    let labels: Vec<&str> = metadata.labels.keys().chain(metadata.machine.labels.keys()).map(String::as_str).collect();
    let mut parts = vec!["the VM's configuration".to_owned()];
    parts.extend(metadata.note.as_ref().map(|note| format!("the note '{note}'")));
    parts.extend((!tags.is_empty()).then(|| format!("the tags {}", tags.join(", "))));
    parts.extend((!labels.is_empty()).then(|| format!("the labels {}", labels.join(", "))));
    parts.extend(metadata.machine.allowed_cidrs.as_ref().map(|cidrs| format!("the networks {}", cidrs.join(", "))));
    let show = format!(" (print it with: bottle-freeze snapshot show {})", stored.reference());
    let show = if is_copy { String::new() } else { show };
    lines.push(format!("its snapshot.json is pushed too: {}{show}", parts.join("; ")));
    for file in metadata.files.keys().filter(|file| ![layout::ARTIFACT, layout::INDEX].contains(&file.as_str())) {
        lines.push(format!("its file '{file}' is not pushed"));
    }
    lines
}

/// Copies the artifact, with its `snapshot.json` in its manifest; that records this file alone.
fn copy(app: &App, path: &Path, mut metadata: Metadata, work: &Staging) -> Result<PathBuf> {
    let target = work.sidecar();
    let file = File::options().write(true).create_new(true).mode(0o600).open(&target);
    let mut file = file.map_err(|error| Failure::not_writable(&target, &error))?;
    metadata.files.retain(|name, _| name == layout::ARTIFACT);
    metadata.text().map_err(|error| Failure::new(Status::Failed, format!("it cannot be pushed: {error}")))?;
    match embedded_metadata::copy_with(path, &app.signals, &mut file, &metadata) {
        Ok(()) => Ok(target),
        Err(ArtifactError::Copy(error)) => Err(Failure::not_writable(&target, &error)),
        Err(error) => Err(Failure::artifact(path, &error)),
    }
}
