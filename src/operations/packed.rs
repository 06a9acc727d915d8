//! What `freeze` and `pack` share: the progress of the engine, and the check of what it wrote.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::{FileHash, Staging, hash_file};
use crate::publish::PublishError;
use crate::signals::ExitNote;
use crate::smolvm::artifact::ArtifactError;
use crate::smolvm::secrets::{self, Finished};
use crate::smolvm::{PackStep, StreamedHash};
use crate::stream;
use crate::terminal::Progress;
use std::path::Path;

/// Prints a new step of the engine.
pub fn show_step(progress: &mut Progress, step: Option<PackStep>) {
    match step {
        Some(PackStep::Collecting) => progress.step("collecting the runtime"),
        Some(PackStep::StartingHelper) => progress.step("starting the engine's helper VM"),
        Some(PackStep::Pulling) => progress.step("pulling the image"),
        Some(PackStep::Flattening) => progress.step("flattening disks and layers"),
        Some(PackStep::Copying) => progress.step("copying disks"),
        Some(PackStep::CopyingWorkspace) => progress.step("copying /workspace"),
        Some(PackStep::Exporting) => progress.step("exporting layers"),
        Some(PackStep::Compressing) => progress.step("compressing"),
        Some(PackStep::Resumed) => progress.step("it runs again, its state is packed"),
        None => progress.tick(),
    }
}

/// A size as people read it.
pub fn size(bytes: u64) -> impl std::fmt::Display {
    indicatif::HumanBytes(bytes)
}

/// A private folder for `what`, of so many bytes: in the library, or in `$TMPDIR` if the library is full or read-only.
///
/// # Errors
/// Neither has room.
pub fn place(what: &str, bytes: u64) -> Result<Staging> {
    let no_place = |error| Failure::unwritten(format!("there is no place for {what}: {error}"), &error);
    Staging::for_artifact(bytes).map_err(no_place)
}

/// What stays of the private folder if this process ends at once.
pub fn leaves(app: &App, work: &Staging) -> ExitNote {
    app.signals.note(format!("{} stays until the next freeze removes it", work.path().display()))
}

/// The endings of files of other kinds than those that a freeze writes.
const OTHER_KINDS: [&str; 13] =
    ["tar", "tgz", "gz", "zst", "zstd", "xz", "bz2", "zip", "img", "raw", "qcow2", "iso", "smolcheckpoint"];

/// Refuses a name that promises a file of another kind: a launcher would be written there. Refuses to write to a stream: the
/// engine writes files, and what is in a stream cannot be taken back when the freeze fails. Only a snapshot of the library can
/// be written to one.
pub fn check_output(out: &Path) -> Result<()> {
    let ending = out.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if OTHER_KINDS.contains(&ending.as_str()) {
        let what = format!("-o writes no .{ending} file, but X.smolmachine");
        let tar = "; a tar of a snapshot in the library is written by `bottle-freeze snapshot export VM -o X.tar`";
        let tar = if ["tar", "tgz", "gz", "zst", "xz"].contains(&ending.as_str()) { tar } else { "" };
        return Err(Failure::new(Status::Usage, what).hint(format!("name it X.smolmachine{tar}")));
    }
    if !stream::is_stream(out) {
        return Ok(());
    }
    let instead = "write a snapshot of the library to a stream with `bottle-freeze snapshot export VM -o -`, and read it with \
                   `bottle-freeze snapshot import -`; a file called - is ./-";
    Err(Failure::new(Status::Usage, "this command cannot write to the standard output").hint(instead))
}

/// Checks that the engine's result is whole, and that a VM can be made from it: its exit 0 is only a claim. References to
/// secrets are removed, because no VM can be made from a pack that has some.
pub fn check(app: &App, work: &Staging, followed: Option<StreamedHash>) -> Result<Finished> {
    secrets::take_out(&work.sidecar(), &app.signals, followed).map_err(|error| not_whole(&error))
}

/// What the engine wrote is not a whole artifact.
pub fn not_whole(error: &ArtifactError) -> Failure {
    if let ArtifactError::Interrupted(interrupted) = error {
        return (*interrupted).into();
    }
    let what = format!("the engine reported success, but what it wrote {error}");
    Failure::new(Status::Failed, what).hint("try again; if it happens again, check the disk")
}

/// A signal that came after the output with that name was published: the work is done, and the exit status names the signal.
pub fn answer_signal(app: &App, output: &str) -> Result<()> {
    let Some(interrupted) = app.signals.caught() else { return Ok(()) };
    Err(Failure::from(interrupted).state(format!("the snapshot {output} is whole: the signal came too late")))
}

/// Size and SHA-256 of a file.
pub fn hash(path: &Path) -> Result<FileHash> {
    hash_file(path).map_err(|error| Failure::new(Status::Failed, format!("{} cannot be read: {error}", path.display())))
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let what = error.to_string();
        match error {
            PublishError::Exists(_) => {
                Self::new(Status::OutputExists, what).hint("replace it with --force, or choose another -o")
            }
            PublishError::IsFolder(path) => Self::new(Status::OutputExists, what)
                .hint(format!("name a file in it, such as -o {}", path.join("NAME").display())),
            PublishError::NotRegular { .. } => {
                Self::new(Status::OutputExists, what).hint("name a regular file, or a new one")
            }
            PublishError::InLibrary(_) => Self::new(Status::NotWritable, what).hint("choose a folder outside of it"),
            PublishError::Irreplaceable { .. } => Self::new(Status::NotWritable, what),
            PublishError::NotWritable { source, .. } => Self::unwritten(what, &source),
        }
    }
}
