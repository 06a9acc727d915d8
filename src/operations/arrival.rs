//! A snapshot from elsewhere becomes a part of the library.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::{ArchiveError, Incoming, Metadata, Origin, Stored, check_description, layout, store};
use crate::operations::{lock, verify};
use crate::publish::PublishError;
use crate::smolvm::Name;
use crate::terminal::Warnings;

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
    let strange = |why: String| Failure::new(Status::Damaged, format!("{source} is not an exported snapshot: {why}"));
    if metadata.vm.parse::<Name>().is_err() || !layout::is_id(&metadata.id) {
        return Err(strange("it names no VM or no id".into()));
    }
    // It is held to what a freeze here would be, and is written anew.
    check_description(&metadata.tags, metadata.note.as_deref(), &metadata.labels)
        .map_err(|error| strange(error.to_string()))?;
    metadata.text().map_err(|error| strange(error.to_string()))?;
    app.terminal
        .during("check", "checking the snapshot", || verify::snapshot(app, &incoming.folder(), metadata))
        .map_err(|failure| {
            // The private folder means nothing to the user.
            let folder = incoming.folder().display().to_string();
            let why = failure.what.replace(&format!("{folder}/"), "").replace(&folder, "the snapshot");
            Failure { what: format!("{source}: {why}"), ..failure }
        })?;
    let library = lock::library(app, &incoming.metadata.vm)?;
    leave_taken_tags(&mut incoming.metadata, warnings)?;
    incoming.metadata.warnings.extend(warnings.list());
    let reference = format!("{}@{}", incoming.metadata.vm, incoming.metadata.id);
    incoming.publish(&library).map_err(|error| match error {
        ArchiveError::Unpublished(PublishError::Exists(_)) => is_there(&reference),
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

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        let what = error.to_string();
        match error {
            ArchiveError::Unpublished(error) => error.into(),
            ArchiveError::Interrupted(interrupted) => Self::from(interrupted).state("nothing was written"),
            ArchiveError::Present(reference) => Self::new(Status::OutputExists, what)
                .state("nothing was changed")
                .hint(format!(
                    "check it with `bottle-freeze snapshot verify {reference}`, or store this one under another name with --as VM"
                )),
            ArchiveError::NotExported { .. } => Self::new(Status::Damaged, what),
            ArchiveError::Unreadable(unread) => Self::unread(what, &unread.source),
            ArchiveError::NoRoom { .. } => Self::new(Status::NotWritable, what),
            ArchiveError::NotWritable { source, .. } => Self::unwritten(what, &source),
        }
    }
}
