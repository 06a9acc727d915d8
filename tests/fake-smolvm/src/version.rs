//! The version being played, and what each version can and cannot do: one predicate per behavior.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl FromStr for Version {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split('.').map(str::parse::<u32>);
        let mut next = || {
            parts
                .next()
                .and_then(std::result::Result::ok)
                .with_context(|| format!("FAKE_SMOLVM_VERSION must be X.Y.Z, not '{text}'"))
        };
        Ok(Self(next()?, next()?, next()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    pub fn since(self, major: u32, minor: u32, patch: u32) -> bool {
        self >= Self(major, minor, patch)
    }

    pub fn names_are_flags(self) -> bool {
        self.since(1, 0, 2)
    }

    /// 1.0.0 and 1.0.1 take everything after NAME as the workload, including options.
    pub fn swallows_options_after_name(self) -> bool {
        self.since(1, 0, 0) && !self.names_are_flags()
    }

    /// 0.8.0 exits with 0 for `stop` of a VM that does not exist.
    pub fn stop_knows_missing(self) -> bool {
        self.since(0, 8, 1)
    }

    /// 0.8.0 forgets a running VM without stopping it.
    pub fn delete_stops(self) -> bool {
        self.since(0, 8, 1)
    }

    pub fn exec_reports_signals(self) -> bool {
        self.since(0, 8, 1)
    }

    /// `-e KEY` takes the host's value; 0.8.0 drops it.
    pub fn env_from_host(self) -> bool {
        self.since(0, 8, 1)
    }

    pub fn start_needs_the_artifact(self) -> bool {
        !self.since(1, 0, 0)
    }

    pub fn has_staging_dir(self) -> bool {
        self.since(1, 2, 0)
    }

    pub fn refuses_sidecar_as_output(self) -> bool {
        self.since(1, 7, 0)
    }

    /// Some versions refused an image VM without a network.
    pub fn refuses_image_without_net(self) -> bool {
        self.since(1, 7, 3) && !self.since(1, 24, 0)
    }

    pub fn has_labels(self) -> bool {
        self.since(1, 8, 0)
    }

    /// Earlier, `create --from` silently dropped an allow list.
    pub fn honors_allow_list_beside_from(self) -> bool {
        self.since(1, 8, 0)
    }

    /// Earlier, a bare VM's pack had no storage disk, and so no /workspace.
    pub fn packs_storage(self) -> bool {
        self.since(1, 9, 0)
    }

    /// Extracted packs are shared by CRC, and a second artifact with the same CRC is noticed.
    pub fn shares_extractions(self) -> bool {
        self.since(1, 9, 0)
    }

    /// A pack takes a lock in the engine's cache folder; 1.15.0 does not.
    pub fn locks_packs(self) -> bool {
        self.since(1, 17, 0)
    }

    pub fn packs_local_images(self) -> bool {
        self.since(1, 12, 0)
    }

    /// Earlier, asking about a VM that was never started created its disks.
    pub fn only_start_makes_disks(self) -> bool {
        self.since(1, 14, 2)
    }

    pub fn has_include_workspace(self) -> bool {
        self.since(1, 14, 1)
    }

    /// Earlier, `--cpus 4` beside `--from` looked the same as no flag at all.
    pub fn honors_default_values_beside_from(self) -> bool {
        self.since(1, 14, 3)
    }

    pub fn packs_bin_sh_entrypoint(self) -> bool {
        !self.since(1, 14, 3)
    }

    pub fn delete_needs_a_terminal(self) -> bool {
        self.since(1, 17, 0)
    }

    pub fn has_pause(self) -> bool {
        self.since(1, 18, 0)
    }

    pub fn checks_crc(self) -> bool {
        self.since(1, 18, 0)
    }

    pub fn sorts_ls(self) -> bool {
        self.since(1, 18, 0)
    }

    pub fn name_from_env(self) -> bool {
        self.since(1, 19, 0)
    }

    /// Earlier, the database lost races between two engine commands.
    pub fn locks_well(self) -> bool {
        self.since(1, 19, 0)
    }

    pub fn shows_allowed_cidrs(self) -> bool {
        self.since(1, 27, 2)
    }

    pub fn has_error_format(self) -> bool {
        self.since(1, 28, 1)
    }

    /// Earlier, a pack recorded 4 cpus and 8192 MiB whatever the VM had.
    pub fn packs_resources(self) -> bool {
        self.since(1, 29, 1)
    }

    pub fn says_start_it_with(self) -> bool {
        self.since(1, 31, 0)
    }
}
