//! Packs VMs and images into artifacts, saves running VMs, and moves artifacts to and from registries.

use super::command::{CheckpointOptions, Command, PackOptions};
use super::engine::Smolvm;
use super::error::Result;
use super::machine::Name;
use super::reference::{Digest, Reference};
use std::path::Path;
use std::time::Duration;

/// How the name of the file that `machine checkpoint` writes must end: the only ending that all versions accept.
pub const CHECKPOINT_SUFFIX: &str = "smolcheckpoint";

/// What the engine does while it packs or saves a VM, as its output shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackStep {
    /// It collects its runtime.
    Collecting,
    /// It starts the helper VM that packs an image.
    StartingHelper,
    /// It pulls the image.
    Pulling,
    /// It flattens disks and layers.
    Flattening,
    /// It copies disks.
    Copying,
    /// It copies `/workspace`.
    CopyingWorkspace,
    /// It exports layers.
    Exporting,
    /// It compresses.
    Compressing,
    /// The VM that it saves runs again.
    Resumed,
}

/// A caller's function that gets each step when it begins, or `None` when only time passed.
pub type OnStep<'a> = &'a mut dyn FnMut(Option<PackStep>);

impl PackStep {
    /// The step that begins with this line of the engine.
    fn of(line: &str) -> Option<Self> {
        const BEGINNINGS: [(&str, PackStep); 9] = [
            ("Collecting", PackStep::Collecting),
            ("Creating storage template", PackStep::Collecting),
            ("Starting agent VM", PackStep::StartingHelper),
            ("Pulling image", PackStep::Pulling),
            ("Flattening", PackStep::Flattening),
            ("Copying", PackStep::Copying),
            ("Capturing /workspace", PackStep::CopyingWorkspace),
            ("Exporting", PackStep::Exporting),
            ("Source resumed", PackStep::Resumed),
        ];
        let text = line.trim_start_matches(|c: char| !c.is_alphabetic());
        let known = BEGINNINGS.iter().find(|(begin, _)| text.starts_with(begin)).map(|(_, step)| *step);
        known.or_else(|| text.contains("Assembling packed binary").then_some(Self::Compressing))
    }
}

impl Smolvm {
    /// `pack create --image`.
    pub fn pack_create(&self, image: &str, options: &PackOptions<'_>, on_step: OnStep<'_>) -> Result<()> {
        let mut on_line = |line: Option<&str>| on_step(line.and_then(PackStep::of));
        let call = self.pack_flags(self.call("pack create").value("--image", image), options);
        self.retry_transient(&call, None, Some(&mut on_line)).map(drop)
    }

    /// `pack create --from-vm`. The VM must be stopped; the engine does not check that.
    pub fn pack_create_from_vm(&self, name: &Name, options: &PackOptions<'_>, on_step: OnStep<'_>) -> Result<()> {
        let mut on_line = |line: Option<&str>| on_step(line.and_then(PackStep::of));
        let call = self.command_line(Command::Pack(name, options));
        self.retry_transient(&call, None, Some(&mut on_line)).map(drop).map_err(|error| self.explain(name, error))
    }

    /// `machine checkpoint`: saves a running VM, RAM included. Returns how long the VM was paused, if the engine reports it.
    ///
    /// # Errors
    /// Among others one with [`Reason::Unsupported`](super::Reason::Unsupported): then nothing was changed.
    pub fn machine_checkpoint(
        &self,
        name: &Name,
        options: CheckpointOptions<'_>,
        on_step: OnStep<'_>,
    ) -> Result<Option<Duration>> {
        let mut on_line = |line: Option<&str>| on_step(line.and_then(PackStep::of));
        let call = self.command_line(Command::Checkpoint(name, options));
        let outcome = self.run_ok(&call, None, Some(&mut on_line)).map_err(|error| self.explain(name, error))?;
        Ok(source_pause(&outcome.text()))
    }

    /// `pack push`: uploads the artifact unchanged, and its manifest in clear. The tag appears or moves last: a broken
    /// connection leaves no tag. The engine pushes any file with the ending of an artifact, and checks no checksum.
    /// Returns the digest of the manifest, if the engine prints it; the tag is an index that lists this manifest.
    ///
    /// # Errors
    /// `to` must not be a digest: the engine would push to the tag `latest`.
    pub fn pack_push(&self, artifact: &Path, to: &Reference, on_tick: &mut dyn FnMut()) -> Result<Option<Digest>> {
        let call = self.call("pack push").value("--file", artifact).arg("--").arg(to.to_string());
        // The engine prints it on its standard error.
        let outcome = self.run_ok(&call, None, Some(&mut |_| on_tick()))?;
        let mut digests = outcome.stderr.lines().filter_map(|line| line.trim().strip_prefix("Manifest:"));
        Ok(digests.find_map(|digest| digest.trim().parse().ok()))
    }

    /// `pack pull` into the file `artifact`; everything else that the engine writes is in `folder`. So its cache of
    /// downloads is not used, which every user can read, which stays, and whose content it uses without checking the
    /// digest.
    pub fn pack_pull(&self, from: &Reference, artifact: &Path, folder: &Path, on_tick: &mut dyn FnMut()) -> Result<()> {
        let call = self.call("pack pull").value("--output", artifact).arg("--").arg(from.to_string());
        let call = call.env("TMPDIR", folder).env("XDG_CACHE_HOME", folder);
        self.run_ok(&call, None, Some(&mut |_| on_tick())).map(drop)
    }
}

/// Reads the pause from `… (35 MiB written, 35.392s total, 6.265s source pause)`.
fn source_pause(text: &str) -> Option<Duration> {
    let before = text.split(" source pause").next().filter(|before| before.len() < text.len())?;
    let seconds = before.rsplit(' ').next()?.trim_start_matches('(').strip_suffix('s')?;
    Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
}
