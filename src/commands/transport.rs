//! `snapshot export` and `snapshot import`: one file, for machines without a registry.

use crate::app::App;
use crate::commands::verify;
use crate::error::{Failure, Result, Status};
use crate::library::{
    Incoming, Metadata, Origin, Stored, TransportError, check_words, export as export_to, export_to_stdout, is_id,
    store,
};
use crate::operations::{lock, packed, resolve};
use crate::publish::{Existing, PublishError};
use crate::quoted::quoted;
use crate::smolvm::{EngineError, Name, end_helpers};
use crate::terminal::Warnings;
use crate::{cli, stream, terminal};
use serde_json::json;
use std::io::{self, IsTerminal};

pub fn export(app: &App, args: &cli::SnapshotExport) -> Result<()> {
    let to_stdout = stream::is_stream(&args.output);
    if to_stdout {
        may_write_to_stdout(app)?;
    }
    let one = resolve::stored(&args.snapshot)?;
    let _reading = lock::reading(app, &one)?;
    let reference = one.reference();
    terminal::about("snapshot", &reference);
    app.terminal.during("check", &format!("checking {reference}"), || verify::snapshot(&one.folder, &one.metadata))?;
    app.terminal
        .during("export", &format!("exporting {reference}"), || {
            if to_stdout {
                return export_to_stdout(&one);
            }
            export_to(&one, &args.output, Existing::forced(args.force), &end_helpers)
        })
        .map_err(|error| {
            let failure = Failure::from(error);
            if to_stdout { failure.state("the stream holds only a part of the snapshot") } else { failure }
        })?;
    if to_stdout {
        return Ok(());
    }
    let (size, file) = (packed::size(one.bytes()), args.output.display().to_string());
    let next = format!("elsewhere: bottle-freeze snapshot import {}", quoted(&file));
    app.terminal.result(&args.output, &format!("exported {reference} as {file} ({size}); {next}"));
    app.terminal.report(&json!({"reference": reference, "to": file, "bytes": one.bytes()}));
    Ok(())
}

/// Whether the standard output can be a tar, and nothing else.
fn may_write_to_stdout(app: &App) -> Result<()> {
    if app.terminal.json {
        let what = "--json prints a result on the standard output, where -o - writes the snapshot";
        return Err(Failure::new(Status::Usage, what).hint("leave one of them out"));
    }
    if io::stdout().is_terminal() {
        let what = "the standard output is a terminal, and a snapshot is not text";
        return Err(Failure::new(Status::Usage, what).hint("redirect it, or name a file with -o FILE"));
    }
    Ok(())
}

pub fn import(app: &App, args: &cli::SnapshotImport) -> Result<()> {
    let warnings = Warnings::new();
    import_file(app, args, &warnings).map_err(|failure| failure.after(warnings.list()))
}

fn import_file(app: &App, args: &cli::SnapshotImport, warnings: &Warnings) -> Result<()> {
    if stream::is_stream(&args.file) && io::stdin().is_terminal() {
        let what = "the standard input is a terminal, and a snapshot is not text";
        return Err(Failure::new(Status::Usage, what).hint("pipe `bottle-freeze snapshot export VM -o -` into it"));
    }
    terminal::about("snapshot", args.file.display());
    let (from, source) = (args.file.display().to_string(), stream::source_name(&args.file));
    let unpack = || Incoming::unpack(&args.file, &end_helpers);
    let incoming = app.terminal.during("import", &format!("reading {source}"), unpack)?;
    let one = take_in(app, incoming, Origin::elsewhere("imported", &source), args.vm.as_ref(), warnings)?;
    let reference = one.reference();
    app.terminal.result(&reference, &format!("imported {reference}; thaw it with: bottle-freeze thaw {reference}"));
    report_arrival(app, &one, &from, warnings);
    Ok(())
}

/// Tells programs of a snapshot that came from elsewhere.
pub fn report_arrival(app: &App, one: &Stored, from: &str, warnings: &Warnings) {
    let (reference, snapshot) = (one.reference(), &one.metadata);
    app.terminal.report(&json!({
        "reference": reference, "from": from, "snapshot": snapshot, "warnings": warnings.list(),
    }));
}

/// Checks what came from elsewhere, and makes it part of the library, as a snapshot of `vm` if that was asked for. Tags
/// that other snapshots have stay with those. Its snapshot.json keeps the warnings about it.
pub fn take_in(
    app: &App,
    mut incoming: Incoming,
    origin: Origin,
    vm: Option<&Name>,
    warnings: &Warnings,
) -> Result<Stored> {
    let source = origin.from.clone().unwrap_or_default();
    // It counts in the library that it comes from.
    incoming.metadata.sequence = None;
    let unbelievable = |why| Failure::new(Status::Damaged, format!("{source} cannot be believed: {why}"));
    if incoming.metadata.arrive(origin).map_err(unbelievable)? {
        warnings.warn("the time at which it says it was made cannot be true: it counts as made now");
    }
    if let Some(name) = vm {
        name.as_str().clone_into(&mut incoming.metadata.vm);
    }
    let metadata = &incoming.metadata;
    let strange = |why: String| Failure::new(Status::Damaged, format!("{source} is no exported snapshot: {why}"));
    if metadata.vm.parse::<Name>().is_err() || !is_id(&metadata.id) {
        return Err(strange("it names no VM or no id".into()));
    }
    // It is held to what a freeze here would be, and is written anew.
    check_words(&metadata.tags, metadata.note.as_deref(), &metadata.labels)
        .map_err(|error| strange(error.to_string()))?;
    metadata.text().map_err(|error| strange(error.to_string()))?;
    app.terminal.during("check", "checking the snapshot", || verify::snapshot(&incoming.folder(), metadata)).map_err(
        |failure| {
            // The private folder means nothing to its user.
            let folder = incoming.folder().display().to_string();
            let why = failure.what.replace(&format!("{folder}/"), "").replace(&folder, "the snapshot");
            Failure { what: format!("{source}: {why}"), ..failure }
        },
    )?;
    let library = lock::library(app, &incoming.metadata.vm)?;
    leave_taken_tags(&mut incoming.metadata, warnings)?;
    incoming.metadata.warnings.extend(warnings.list());
    let reference = format!("{}@{}", incoming.metadata.vm, incoming.metadata.id);
    incoming.publish(&library).map_err(|error| match error {
        TransportError::Unpublished(PublishError::Exists(_)) => is_there(&reference),
        error => error.into(),
    })
}

/// A snapshot is never replaced.
fn is_there(reference: &str) -> Failure {
    Failure::new(Status::OutputExists, format!("the library has {reference} already")).state("it was not changed").hint(
        format!("add a copy as that of another VM with --as, or first run `bottle-freeze snapshot rm {reference}`"),
    )
}

/// A tag is the name of one snapshot of a VM: the one that has it keeps it. One that could mean something else is left.
fn leave_taken_tags(metadata: &mut Metadata, warnings: &Warnings) -> Result<()> {
    let (all, _) = store::list(Some(&metadata.vm))?;
    let id = metadata.id.clone();
    metadata.tags.retain(|tag| {
        if let Err(why) = tag.check_new() {
            warnings.warn(format!("the tag {} is left out: {why}", tag.as_str()));
            return false;
        }
        let owners = store::tagged(&all, &id, std::slice::from_ref(tag));
        if let Some(owner) = owners.first() {
            warnings.warn(format!("the tag {} stays with {}", tag.as_str(), owner.reference()));
        }
        owners.is_empty()
    });
    Ok(())
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        let what = error.to_string();
        match error {
            TransportError::Unpublished(error) => error.into(),
            TransportError::Interrupted(signal) => {
                Self::from(EngineError::Interrupted(signal)).state("nothing was written")
            }
            TransportError::Present(reference) => Self::new(Status::OutputExists, what)
                .state("nothing was changed")
                .hint(format!(
                    "check it with `bottle-freeze snapshot verify {reference}`, or store this one under another name with --as VM"
                )),
            TransportError::NotExported { .. } => Self::new(Status::Damaged, what),
            TransportError::Unreadable(unread) => Self::unread(what, &unread.source),
            TransportError::NoRoom { .. } => Self::new(Status::NotWritable, what),
            TransportError::NotWritable { source, .. } => Self::unwritten(what, &source),
        }
    }
}
