//! Checks a snapshot from elsewhere, and adds it to the library.

use crate::app::App;
use crate::clock;
use crate::error::{FREE_SPACE, Failure, Result, Status};
use crate::library::store::Seen;
use crate::library::{ArchiveError, FORMAT, Incoming, Metadata, Origin, Stored, catalog, check_description, layout};
use crate::operations::{keys, lock, verify};
use crate::publish::PublishError;
use crate::smolvm::Name;
use crate::smolvm::artifact::{Details, Manifest};
use crate::terminal::Warnings;
use serde_json::{Value, json};
use std::time::SystemTime;

/// A `snapshot.json` with these files for an artifact that came without one: what the artifact records of the VM.
pub fn describe_alone(details: &Details, manifest: &Manifest, vm: &Name, id: &str, files: &Value) -> Value {
    let created = details.created.clone().filter(|created| humantime::parse_rfc3339(created).is_ok());
    let [storage_gb, overlay_gb] = manifest.live_disks();
    json!({
        "format": FORMAT,
        "id": id,
        "vm": vm,
        "created": created.unwrap_or_else(|| clock::rfc3339_millis(SystemTime::now())),
        "engine_version": details.engine_version.as_deref().unwrap_or_default(),
        "tool_version": env!("CARGO_PKG_VERSION"),
        "machine": {
            "cpus": manifest.cpus, "memory_mib": manifest.mem, "network": manifest.network, "image": details.image,
            "storage_gb": storage_gb, "overlay_gb": overlay_gb, "allowed_cidrs": null,
        },
        "files": files,
    })
}

/// Checks a snapshot from elsewhere, and adds it to the library: as a snapshot of `vm`, if given. It loses tags that other
/// snapshots have. Its snapshot.json stores the warnings about it.
pub fn take_in(
    app: &App,
    mut incoming: Incoming,
    origin: Origin,
    vm: Option<&Name>,
    warnings: &Warnings,
) -> Result<Stored> {
    let source = origin.from.clone().unwrap_or_default();
    // The number belongs to the library that it comes from.
    incoming.metadata.sequence = None;
    let impossible = |why| Failure::new(Status::Damaged, format!("{source} is not a possible snapshot: {why}"));
    if incoming.metadata.arrive(origin).map_err(impossible)? {
        warnings.warn("its creation time is not possible; it was set to now");
    }
    if let Some(name) = vm {
        incoming.metadata.rename(name);
    }
    let metadata = &incoming.metadata;
    let not_exported =
        |why: String| Failure::new(Status::Damaged, format!("{source} is not an exported snapshot: {why}"));
    if metadata.vm.parse::<Name>().is_err() || !layout::is_id(&metadata.id) {
        return Err(not_exported("its VM or its id is not valid".into()));
    }
    // The same limits as for a freeze here: its snapshot.json is written again.
    check_description(&metadata.tags, metadata.note.as_deref(), &metadata.labels)
        .map_err(|error| not_exported(error.to_string()))?;
    metadata.text().map_err(|error| not_exported(error.to_string()))?;
    app.terminal
        .during("check", "checking the snapshot", || {
            verify::snapshot(app, &incoming.folder(), metadata, &Seen::default())
        })
        .map_err(|failure| {
            // The private folder means nothing to the user.
            let folder = incoming.folder().display().to_string();
            let why = failure.what.replace(&format!("{folder}/"), "").replace(&folder, "the snapshot");
            Failure { what: format!("{source}: {why}"), ..failure }
        })?;
    app.terminal
        .during("store", "storing the snapshot", || incoming.take_apart(&app.signals))
        .map_err(|error| Failure::from(error).state("the library is as it was"))?;
    let library = lock::library(app, &incoming.metadata.vm)?;
    remove_taken_tags(&mut incoming.metadata, warnings)?;
    incoming.metadata.warnings.extend(warnings.list());
    let reference = format!("{}@{}", incoming.metadata.vm, incoming.metadata.id);
    incoming.publish(&library).map_err(|error| match error {
        ArchiveError::Unpublished(PublishError::Exists(_)) => already_stored(&reference),
        error => error.into(),
    })
}

/// A snapshot is never replaced.
fn already_stored(reference: &str) -> Failure {
    Failure::new(Status::OutputExists, format!("{reference} is already in the library"))
        .state("it was not changed")
        .hint(format!("store it under another VM name with --as, or first run `bottle-freeze snapshot rm {reference}`"))
}

/// Removes tags that another snapshot of the VM has, and tags that look like an id or a file.
fn remove_taken_tags(metadata: &mut Metadata, warnings: &Warnings) -> Result<()> {
    let (all, _) = catalog::list(Some(&metadata.vm))?;
    let id = metadata.id.clone();
    metadata.tags.retain(|tag| {
        if let Err(why) = tag.check_new() {
            warnings.warn(format!("the tag {} is left out: {why}", tag.as_str()));
            return false;
        }
        let owners = catalog::tagged(&all, &id, std::slice::from_ref(tag));
        if let Some(owner) = owners.first() {
            warnings.warn(format!("the tag {} stays with {}", tag.as_str(), owner.reference()));
        }
        owners.is_empty()
    });
    Ok(())
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        let what = error.to_string();
        match error {
            ArchiveError::Unpublished(error) => error.into(),
            ArchiveError::Chunks(error) => error.into(),
            ArchiveError::Interrupted(interrupted) => Self::from(interrupted).state("nothing was written"),
            ArchiveError::Present(reference) => Self::new(Status::OutputExists, what)
                .state("nothing was changed")
                .hint(format!(
                    "check it with `bottle-freeze snapshot verify {reference}`, or store this one under another name with --as VM"
                )),
            ArchiveError::Undecrypted { from, why } => keys::undecrypted(what, &why, &from),
            ArchiveError::NotExported { .. } | ArchiveError::NotWhole { .. } => Self::new(Status::Damaged, what),
            ArchiveError::Unreadable(unread) => Self::unread(what, &unread.source),
            ArchiveError::NoRoom { .. } => {
                Self::new(Status::NotWritable, what).state("the library is as it was").hint(FREE_SPACE)
            }
            ArchiveError::NotWritable { source, .. } => Self::unwritten(what, &source),
        }
    }
}
