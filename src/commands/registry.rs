//! `snapshot push` and `snapshot pull`: through the engine, to and from any OCI registry.

use crate::app::App;
use crate::clock;
use crate::commands::transport;
use crate::error::{Failure, Result, Status};
use crate::library::{FORMAT, Incoming, Metadata, Origin, Staging, Stored, Tag, room, store};
use crate::operations::{packed, resolve};
use crate::smolvm::artifact::{self, Artifact, ArtifactError, Details};
use crate::smolvm::{EngineError, Name, Reference, Smolvm, artifact::embedded_metadata, end_helpers};
use crate::terminal::Warnings;
use crate::{cli, terminal};
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub fn push(app: &App, args: &cli::SnapshotPush) -> Result<()> {
    let warnings = Warnings::new();
    push_one(app, args, &warnings).map_err(|failure| failure.after(warnings.list()))
}

fn push_one(app: &App, args: &cli::SnapshotPush, warnings: &Warnings) -> Result<()> {
    let to = &args.reference;
    if to.is_digest() {
        let what = format!("{to} is a digest, to which nothing can be pushed");
        return Err(Failure::new(Status::Usage, what).hint("name a tag, such as HOST/NAME:TAG"));
    }
    let found = resolve::find(app, &args.snapshot)?;
    let name = found.name();
    terminal::about("snapshot", &name);
    let whole = app.terminal.during("check", &format!("checking {name}"), || found.check())?;
    if whole.artifact.manifest.is_live() {
        let what = format!("{name} is live: it holds the VM's RAM, and all that was secret in it");
        return Err(Failure::new(Status::BadState, what).hint("take it elsewhere with `bottle-freeze snapshot export`"));
    }
    let engine = app.engine()?;
    let details = artifact::details(whole.path()).map_err(|error| Failure::artifact(whole.path(), &error))?;
    for line in what_travels(whole.stored(), &details) {
        warnings.warn(line);
    }
    let size = packed::size(whole.artifact.bytes);
    let question = format!(
        "Push {name} ({size}) to {to}? Who may pull it there can read the VM's disks and all that was named above. \
         What has that name there is replaced."
    );
    app.confirm(&question, args.yes, "nothing was pushed")?;
    let work = room(&end_helpers)?;
    let _leaves = packed::leaves(&work);
    let file = match whole.stored() {
        Some(stored) => app.terminal.during("copy", "copying it", || copy(whole.path(), &stored.metadata, &work))?,
        None => whole.path().to_owned(),
    };
    let mut progress = app.terminal.progress("push", &format!("pushing {name} to {to}"), None);
    let pushed = engine.pack_push(&file, to, &mut |_| progress.tick());
    progress.end(pushed.is_ok());
    pushed.map_err(|error| explained(error, to).state(format!("{name} is as it was")))?;
    let text = format!("pushed {name} ({size}); elsewhere: bottle-freeze snapshot pull {to}");
    app.terminal.result(to.to_string(), &text);
    app.terminal.report(&json!({
        "reference": whole.stored().map(Stored::reference), "sidecar": whole.path().to_string_lossy(), "to": to.to_string(),
        "bytes": whole.artifact.bytes, "warnings": warnings.list(),
    }));
    Ok(())
}

/// What whoever may pull gets to know beside the disks, and what does not travel. Of variables only the names.
fn what_travels(stored: Option<&Stored>, details: &Details) -> Vec<String> {
    let mut lines = Vec::new();
    if !details.env.is_empty() {
        lines.push(format!("variables lie in it in clear, values and all: {}", details.env.join(", ")));
    }
    let Some(stored) = stored else {
        lines.push("a file travels without a snapshot.json: no disk sizes, no labels, no tags".to_owned());
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
    let show = format!("bottle-freeze snapshot show {}", stored.reference());
    lines.push(format!("its snapshot.json travels too: {} (all of it: {show})", parts.join("; ")));
    for file in metadata.files.keys().filter(|file| *file != store::ARTIFACT) {
        lines.push(format!("its file '{file}' does not travel"));
    }
    lines
}

/// The artifact with its `snapshot.json` in its manifest, which tells of this file alone.
fn copy(path: &Path, metadata: &Metadata, work: &Staging) -> Result<PathBuf> {
    let target = work.sidecar();
    let file = File::options().write(true).create_new(true).mode(0o600).open(&target);
    let mut file = file.map_err(|error| Failure::not_writable(&target, &error))?;
    let mut metadata = metadata.clone();
    metadata.files.retain(|name, _| name == store::ARTIFACT);
    metadata.text().map_err(|error| Failure::new(Status::Failed, format!("it cannot be pushed: {error}")))?;
    match embedded_metadata::copy_with(path, &mut file, &metadata) {
        Ok(()) => Ok(target),
        Err(ArtifactError::Copy(error)) => Err(Failure::not_writable(&target, &error)),
        Err(error) => Err(Failure::artifact(path, &error)),
    }
}

pub fn pull(app: &App, args: &cli::SnapshotPull) -> Result<()> {
    let warnings = Warnings::new();
    pull_one(app, args, &warnings).map_err(|failure| failure.after(warnings.list()))
}

fn pull_one(app: &App, args: &cli::SnapshotPull, warnings: &Warnings) -> Result<()> {
    let from = &args.reference;
    terminal::about("snapshot", from);
    let engine = app.engine()?;
    let work = room(&end_helpers)?;
    let _leaves = packed::leaves(&work);
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
        .during("check", "checking the artifact", || embedded_metadata::take_out(&file))
        .map_err(damaged)?;
    let text = if let Some(text) = snapshot {
        text
    } else {
        warnings.warn(format!("{from} came without a snapshot.json: {UNKNOWN}"));
        describe(&file, &whole, from, args.vm.as_ref())?
    };
    let incoming = Incoming::arrived(work, &file, &text, &from.to_string())?;
    let one =
        transport::take_in(app, incoming, Origin::elsewhere("pulled", &from.to_string()), args.vm.as_ref(), warnings)?;
    let reference = one.reference();
    app.terminal.result(&reference, &format!("pulled {reference}; thaw it with: bottle-freeze thaw {reference}"));
    transport::report_arrival(app, &one, &from.to_string(), warnings);
    Ok(())
}

/// The artifact, as the registry holds it.
fn fetch(app: &App, engine: &Smolvm, from: &Reference, work: &Staging) -> Result<PathBuf> {
    let file = work.sidecar();
    let mut progress = app.terminal.progress("pull", &format!("pulling {from}"), Some(work.path()));
    let pulled = engine.pack_pull(from, &file, work.path(), &mut |_| progress.tick());
    progress.end(pulled.is_ok());
    pulled.map_err(|error| explained(error, from).state("the library is as it was"))?;
    Ok(file)
}

/// What an artifact does not tell of the VM that was packed.
const UNKNOWN: &str = "disk sizes, labels and limits of the network are not known";

/// The `snapshot.json` of an artifact that came without: what can be told of it. Its id is made of its SHA-256, so that
/// the same artifact is the same snapshot.
fn describe(file: &Path, whole: &Artifact, from: &Reference, vm: Option<&Name>) -> Result<Vec<u8>> {
    let details = artifact::details(file).map_err(|error| Failure::artifact(file, &error))?;
    let mut names = vm.map(Name::as_str).into_iter().chain(details.vm.as_deref()).chain([from.short_name()]);
    let Some(name) = names.find_map(|name| name.parse::<Name>().ok()) else {
        let what = format!("no VM can be named after {from}");
        return Err(Failure::new(Status::Usage, what).hint("give it a name with --as VM"));
    };
    let recorded = packed::record(file)?;
    let created = details.created.filter(|created| humantime::parse_rfc3339(created).is_ok());
    let now = || clock::rfc3339_millis(SystemTime::now());
    let manifest = &whole.manifest;
    let text = json!({
        "format": FORMAT,
        "id": recorded.sha256.get(..8),
        "vm": name,
        "created": created.unwrap_or_else(now),
        "engine_version": details.engine_version.unwrap_or_default(),
        "tool_version": env!("CARGO_PKG_VERSION"),
        "machine": {
            "cpus": manifest.cpus, "memory_mib": manifest.mem, "network": manifest.network, "image": details.image,
            "storage_gb": null, "overlay_gb": null, "allowed_cidrs": null,
        },
        "files": {store::ARTIFACT: recorded},
    });
    Ok(text.to_string().into_bytes())
}

/// The engine's failure, and what mends it.
fn explained(error: EngineError, reference: &Reference) -> Failure {
    let (status, hint) = if error.is_not_in_registry() {
        (Status::NotFound, "check its name and its tag".to_owned())
    } else if error.is_access_denied() {
        let host = reference.host();
        let logins = format!("`docker login {host}` (read by smolvm 1.18.2 and later), `smolvm config registries`");
        (Status::Failed, format!("log in first: {logins}; a registry must offer tokens, smolvm sends it no password"))
    } else if error.is_damaged_in_registry() {
        (Status::Damaged, "the registry holds a damaged copy: push it again from where it is whole".to_owned())
    } else if error.is_connection_lost() {
        (Status::Failed, format!("see whether {} is there, and try again", reference.host()))
    } else {
        return error.into();
    };
    Failure { status, ..Failure::from(error) }.hint(hint)
}
