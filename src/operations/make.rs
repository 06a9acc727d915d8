//! Creates a VM with a locked name, and with no more network than the user asked for.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::{self, Lock};
use crate::operations::resolve::Checked;
use crate::operations::{configuration, folder_times, lock};
use crate::smolvm::{CreateOptions, EngineError, Fact, Machine, Name, Smolvm, Source};
use crate::terminal::Warnings;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The networks that a VM may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everything.
    Everything,
    /// Only these networks; without any, it has no network.
    Only(Vec<String>),
}

impl Reach {
    /// The networks in these options.
    pub fn asked_by(recipe: &CreateOptions) -> Self {
        if recipe.net && recipe.allow_cidrs.is_empty() {
            Self::Everything
        } else {
            Self::Only(recipe.allow_cidrs.clone())
        }
    }

    /// The networks of a live snapshot, if the user confirmed them.
    pub fn of_live(checked: &Checked) -> Self {
        let own = checked.stored().map(|stored| &stored.metadata).filter(|metadata| metadata.is_own());
        let known = own.map(|metadata| &metadata.machine).filter(|machine| machine.network_known);
        let networks = match known {
            Some(machine) => machine.allowed_cidrs.clone().unwrap_or_default(),
            None => checked.artifact.manifest.live_allowed_cidrs(),
        };
        let has_network = known.map_or(checked.artifact.manifest.network, |machine| machine.network);
        if has_network && networks.is_empty() { Self::Everything } else { Self::Only(networks) }
    }
}

/// Locks a name, so that no other run creates a VM with it. Without a lock if there can be none: then the engine decides which
/// run gets the name.
pub fn lock_name(app: &App, engine: &Smolvm, name: &Name) -> Result<Option<Lock>> {
    lock::if_possible(lock::name(app, engine, name))
}

/// Creates a VM, whose name the caller has locked, and records its `known` options and the snapshot
/// that it is made `from`. Deletes it again if the engine gives it
/// more network than `reach`: the engine may not be the version that it reports.
pub fn make_vm(
    engine: &Smolvm,
    name: &Name,
    recipe: &CreateOptions,
    known: &CreateOptions,
    reach: &Reach,
    from: Option<&Checked>,
    warnings: &Warnings,
) -> Result<()> {
    if let Some(checked) = from {
        checked.check_same()?;
    }
    let (from, began) = (from.and_then(Checked::stored), SystemTime::now());
    let is_private = from.is_some_and(|one| one.metadata.is_in_chunks());
    match &recipe.source {
        Source::Artifact(artifact) if is_private && !engine.version().has(Fact::FreeArtifacts) => {
            let source = Source::Artifact(keep_artifact(engine, name, artifact)?);
            create(engine, name, &CreateOptions { source, ..recipe.clone() }, reach)
                .inspect_err(|_| remove_artifact(engine, name))?;
        }
        _ => create(engine, name, recipe, reach)?,
    }
    configuration::remember(name, known, from, began, warnings);
    if let Some(from) = from {
        folder_times::restore(engine, name, from);
    }
    Ok(())
}

fn create(engine: &Smolvm, name: &Name, recipe: &CreateOptions, reach: &Reach) -> Result<()> {
    engine.machine_create(name, recipe)?;
    let opens_by_itself = matches!(recipe.source, Source::Artifact(_));
    if let (Some(workdir), true) = (&recipe.workdir, opens_by_itself) {
        let set = engine.machine_set_workdir(name, workdir);
        set.map_err(|error| delete_again(engine, name, error.into()))?;
    }
    match reach {
        Reach::Only(networks) if opens_by_itself || !networks.is_empty() => {
            check_reach(engine, name, networks).map_err(|failure| delete_again(engine, name, failure))
        }
        _ => Ok(()),
    }
}

/// Moves the artifact, which lies in a private folder, to where it stays as long as the new VM.
fn keep_artifact(engine: &Smolvm, name: &Name, artifact: &Path) -> Result<PathBuf> {
    match engine.machine_listed(name) {
        // A VM of that name may have one.
        Ok(_) => return Err(EngineError::NameTaken(name.to_string()).into()),
        Err(EngineError::NoSuchVm(_)) => {}
        Err(error) => return Err(error.into()),
    }
    library::keep_artifact(name.as_str(), artifact).map_err(|error| {
        let what = format!("the artifact of '{name}', which smolvm {} needs at every start", engine.version());
        Failure::unwritten(format!("{what}, cannot be kept: {error}"), &error)
    })
}

/// Removes it again, unless the VM is there after all.
fn remove_artifact(engine: &Smolvm, name: &Name) {
    let _cleanup = engine.signals().recovering();
    if matches!(engine.machine_listed(name), Err(EngineError::NoSuchVm(_))) {
        library::remove_artifact(name.as_str());
    }
}

/// Checks that the engine lists no other networks for the VM.
fn check_reach(engine: &Smolvm, name: &Name, networks: &[String]) -> Result<()> {
    let vm = engine.machine_listed(name)?;
    let may_be_unlisted = || !engine.version().has(Fact::ListsAllowList) && engine.is_unchanged();
    let Some(excess) = excess(&vm, networks, may_be_unlisted) else { return Ok(()) };
    let what = format!("the engine gave '{name}' more network than was asked for: {excess}");
    Err(Failure::new(Status::Failed, what).hint("see which engine runs: bottle-freeze doctor"))
}

/// What the VM may reach beyond these networks. `may_be_unlisted` says whether the engine keeps limits that it does not list.
fn excess(vm: &Machine, networks: &[String], may_be_unlisted: impl Fn() -> bool) -> Option<String> {
    if !vm.network {
        return None;
    }
    if networks.is_empty() {
        return Some("it has a network".into());
    }
    if let Some(host) = vm.allowed_hosts.iter().flatten().next() {
        return Some(format!("it may reach {host}"));
    }
    let Some(listed) = &vm.allowed_cidrs else {
        return (!may_be_unlisted()).then(|| "it may reach everything".into());
    };
    let is_asked = |cidr: &String| networks.iter().any(|asked| contains(asked, cidr));
    listed.iter().find(|cidr| !is_asked(cidr)).map(|cidr| format!("it may reach {cidr}"))
}

/// Whether the network `outer` contains all of `inner`.
fn contains(outer: &str, inner: &str) -> bool {
    let (Some((outer_bits, outer_len, outer_max)), Some((bits, len, max))) = (network(outer), network(inner)) else {
        return outer == inner;
    };
    let shift = |bits: u128| bits.checked_shr(u32::from(max - outer_len.min(max))).unwrap_or(0);
    max == outer_max && len >= outer_len && shift(bits) == shift(outer_bits)
}

/// The address, the prefix length, and the longest possible prefix.
fn network(cidr: &str) -> Option<(u128, u8, u8)> {
    let (address, length) = cidr.split_once('/').map_or((cidr, None), |(address, length)| (address, Some(length)));
    let (bits, max) = match address.parse().ok()? {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let length = length.map_or(Some(max), |length| length.parse().ok())?;
    (length <= max).then_some((bits, length, max))
}

/// Deletes the VM that was just made.
fn delete_again(engine: &Smolvm, name: &Name, failure: Failure) -> Failure {
    let _cleanup = engine.signals().recovering();
    match engine.machine_delete(name) {
        Ok(()) | Err(EngineError::NoSuchVm(_)) => failure.state(format!("'{name}' was deleted")),
        Err(error) => {
            failure.state(format!("'{name}' is there: {error}")).hint(format!("delete it: bottle-freeze rm {name}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_subnets() {
        for (outer, inner) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8", "10.1.0.0/16"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("1.1.1.1", "1.1.1.1/32"),
            ("0.0.0.0/0", "1.2.3.4"),
            ("2001:DB8::1", "2001:db8::1/128"),
            ("::/0", "fe80::/10"),
        ] {
            assert!(contains(outer, inner), "{inner} is in {outer}");
        }
        for (outer, inner) in [
            ("10.0.0.0/8", "11.0.0.0/8"),
            ("10.0.0.0/8", "0.0.0.0/0"),
            ("10.0.0.0/8", "10.0.0.0/7"),
            ("0.0.0.0/0", "::/0"),
            ("10.0.0.0/8", "nonsense"),
        ] {
            assert!(!contains(outer, inner), "{inner} is not in {outer}");
        }
    }
}
