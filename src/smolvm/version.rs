//! The engine's version, and what an engine of that version can do.
//!
//! One predicate per capability, each with the version in which it was first (or last) seen by running
//! the engine's own executable; nothing else in the program compares versions.

use std::fmt;
use std::str::FromStr;

/// A released engine version, `MAJOR.MINOR.PATCH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The oldest engine whose command line was run and is spoken here.
    pub const OLDEST: Self = Self(0, 8, 0);

    /// `$SMOLVM_DATA_DIR` moves the engine's state; 1.2.4 and engines for macOS ignore it.
    pub fn takes_data_dir(self) -> bool {
        cfg!(target_os = "linux") && self >= Self(1, 2, 5)
    }

    /// `--name NAME` everywhere; before, NAME is positional in create, delete and data-dir.
    pub fn names_are_flags(self) -> bool {
        self >= Self(1, 0, 2)
    }

    /// `-e KEY` without a value takes the value from the engine's own environment (0.8.0 drops it).
    pub fn inherits_env_by_name(self) -> bool {
        self >= Self(0, 8, 1)
    }

    /// `create --from` has taken the name when it says that it extracts (read in its source: 0.9.0 has not, 1.0.0 has).
    pub fn reserves_before_extracting(self) -> bool {
        self >= Self(1, 0, 0)
    }

    /// `exec --secret-env GUEST=HOST`.
    pub fn takes_secret_env(self) -> bool {
        self >= Self(1, 0, 0)
    }

    /// An exit 0 of `stop` means that the VM exists and is stopped; 0.8.0 says it of a missing VM too.
    pub fn stop_tells_the_truth(self) -> bool {
        self >= Self(0, 8, 1)
    }

    /// `stop` has the guest write its files to disk, or fails; before, it reports success when the guest was killed
    /// with unwritten files (1.4.0, one lab run of three: a file written just before was gone).
    pub fn stop_flushes(self) -> bool {
        self >= Self(1, 17, 0)
    }

    /// `delete -f` stops a running VM first; 0.8.0 removes the record and leaves the VMM alive.
    pub fn delete_stops_first(self) -> bool {
        self >= Self(0, 8, 1)
    }

    /// An allow list is enforced; before, such a VM ran on a backend that ignores it.
    pub fn enforces_allow_list(self) -> bool {
        self >= Self(1, 1, 3)
    }

    /// `create --from` honours `--allow-cidr`; before, it dropped the list with exit 0.
    pub fn restores_allow_list(self) -> bool {
        self >= Self(1, 8, 0)
    }

    /// `machine ls --json` reports the allow list; 1.27.0 does not (1.27.1 is not on PyPI).
    pub fn reports_allow_list(self) -> bool {
        self >= Self(1, 27, 2)
    }

    /// `machine update` changes the allow list of a VM that is there; 1.20.2 cannot.
    pub fn edits_allow_list(self) -> bool {
        self >= Self(1, 22, 0)
    }

    /// A bare VM's snapshot can be thawed; before, every `exec` in the restored VM failed.
    pub fn thaws_bare(self) -> bool {
        self >= Self(1, 2, 2)
    }

    /// `machine checkpoint` saves a running VM, RAM included; 1.12.0 has no such command.
    pub fn checkpoints(self) -> bool {
        self >= Self(1, 13, 1)
    }

    /// `machine pause` and `machine resume`; 1.17.0 has no such commands.
    pub fn pauses(self) -> bool {
        self >= Self(1, 18, 0)
    }

    /// `pack create --staging-dir`.
    pub fn takes_staging_dir(self) -> bool {
        self >= Self(1, 2, 0)
    }

    /// Packing a VM that was itself restored from an image VM's pack keeps that pack's layers.
    pub fn repacks_image_layers(self) -> bool {
        self >= Self(1, 3, 4)
    }

    /// `create --label`.
    pub fn takes_labels(self) -> bool {
        self >= Self(1, 8, 0)
    }

    /// VMs made from a local image can be packed.
    pub fn packs_local_images(self) -> bool {
        self >= Self(1, 12, 0)
    }

    /// The pack of a bare VM carries its storage disk, `/workspace` with it.
    pub fn packs_bare_workspace(self) -> bool {
        self >= Self(1, 9, 0)
    }

    /// `pack create` locks a file in the engine's cache folder; 1.15.0 packs where that is read-only.
    pub fn packs_with_a_lock(self) -> bool {
        self >= Self(1, 17, 0)
    }

    /// `pack create --include-workspace`, for image VMs; 1.14.0 has no such option.
    pub fn packs_image_workspace(self) -> bool {
        self >= Self(1, 14, 1)
    }

    /// Two changing commands may run at once; before, half of them fail with "database is locked"
    /// or, worse, report a delete that did not happen.
    pub fn allows_parallel_changes(self) -> bool {
        self >= Self(1, 19, 0)
    }

    /// What a user may care about, and whether this engine can do it.
    pub fn abilities(self) -> [(&'static str, bool); 10] {
        [
            ("freeze /workspace of bare VMs", self.packs_bare_workspace()),
            ("freeze /workspace of image VMs", self.packs_image_workspace()),
            ("freeze VMs of local images", self.packs_local_images()),
            ("freeze running VMs with --live", self.checkpoints()),
            ("pause VMs", self.pauses()),
            ("thaw bare VMs", self.thaws_bare()),
            ("enforce allow lists of the network", self.enforces_allow_list()),
            ("keep allow lists through a thaw", self.restores_allow_list()),
            ("label VMs", self.takes_labels()),
            ("change two VMs at once", self.allows_parallel_changes()),
        ]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for Version {
    type Err = ();

    /// Reads `1.32.2`, and `1.32.2-dev` or `1.32.2+abc` as 1.32.2.
    fn from_str(text: &str) -> Result<Self, ()> {
        let core = text.split(['-', '+']).next().unwrap_or(text);
        let mut parts = core.split('.').map(|part| part.parse::<u32>().map_err(drop));
        let mut next = || parts.next().unwrap_or(Err(()));
        let version = Self(next()?, next()?, next()?);
        if parts.next().is_some() { Err(()) } else { Ok(version) }
    }
}

/// Reads the answer to `--version`: exactly `smolvm X.Y.Z` in every engine that was run. A packed
/// launcher answers with its own name.
pub fn from_answer(stdout: &str) -> Option<Version> {
    stdout.lines().next()?.strip_prefix("smolvm ")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_engine_s_own_answer_is_a_version() {
        assert_eq!(from_answer("smolvm 1.32.2\n"), Some(Version(1, 32, 2)));
        assert_eq!(from_answer("smolvm 1.33.0-rc1\n"), Some(Version(1, 33, 0)));
        for other in ["", "snap 0.8.0\n", "smolvm\n", "smolvm 1.2\n", "smolvm 1.2.3.4\n", "smolvm x.y.z"] {
            assert_eq!(from_answer(other), None, "{other:?}");
        }
    }

    #[test]
    fn names_became_flags_in_1_0_2() {
        assert!(!Version(1, 0, 1).names_are_flags());
        assert!(Version(1, 0, 2).names_are_flags());
        assert!(Version(1, 10, 0) > Version(1, 9, 9));
    }
}
