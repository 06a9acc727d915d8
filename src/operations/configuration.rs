//! The configuration of a VM that its pack does not hold: recorded when bottle-freeze creates the VM, read when it is frozen.

use crate::clock;
use crate::error::{Failure, Result, Status};
use crate::library::{Configuration, Creation, Stored, catalog};
use crate::operations::fidelity;
use crate::smolvm::{CreateOptions, Fact, Machine, Name, Version, settings};
use crate::terminal::Warnings;
use std::time::SystemTime;

/// Checks that the configuration of a new VM can be recorded.
///
/// # Errors
/// It is too long.
pub fn check(recipe: &CreateOptions) -> Result<()> {
    let text = record(recipe, (u64::MAX, u64::MAX)).text();
    text.map(drop).map_err(|error| Failure::new(Status::Usage, error.to_string()))
}

fn record(recipe: &CreateOptions, made: (u64, u64)) -> Creation {
    Creation {
        made,
        net: recipe.net || !recipe.allow_cidrs.is_empty(),
        allow_cidrs: recipe.allow_cidrs.clone(),
        ports: recipe.ports.clone(),
        volumes: recipe.volumes.clone(),
        from: None,
        first_sequence: None,
    }
}

/// Records the options of a VM that was created after `began`, and the snapshot that it was made from.
pub fn remember(name: &Name, recipe: &CreateOptions, from: Option<&Stored>, began: SystemTime, warnings: &Warnings) {
    let record = record(recipe, (clock::seconds(began), clock::seconds(SystemTime::now())));
    let earlier = catalog::list(Some(name.as_str())).ok();
    let first_sequence = earlier.map(|(all, _)| catalog::next_sequence(&all));
    let record = Creation { from: from.map(Stored::reference), first_sequence, ..record };
    // Also without such options: the record says that the VM has no unlisted ones.
    let is_plain = !record.net && record.ports.is_empty() && record.volumes.is_empty();
    match record.write(name.as_str()) {
        Ok(()) => {}
        Err(_) if is_plain => Creation::forget(name.as_str()),
        Err(error) => {
            let what = format!("the network and the ports of '{name}' cannot be recorded for a later freeze");
            warnings.warn(format!("{what}: {error}"));
        }
    }
}

/// The configuration of a VM, from the engine's list and our own record.
pub fn of(vm: &Machine, version: Version) -> Configuration {
    let record = Creation::of(&vm.name, vm.created_at);
    let unreported = if record.is_some() { Vec::new() } else { settings::unreported(version) };
    let record = record.filter(|record| record.net == vm.network);
    // `create` here sets no other limit than an allow list, and `machine update` can add no other.
    let knows_limits = version.has(Fact::ListsAllowList) || !version.has(Fact::EditsAllowList);
    let network_known = !vm.network || (record.is_some() && knows_limits && vm.allowed_hosts.is_none());
    let recorded = record.as_ref().map(|record| record.allow_cidrs.clone()).filter(|cidrs| !cidrs.is_empty());
    let listed = |count: u64, list: Option<Vec<String>>| match list {
        None if count == 0 => Some(Vec::new()),
        list => list.filter(|list| u64::try_from(list.len()) == Ok(count)),
    };
    Configuration {
        cpus: vm.cpus,
        memory_mib: vm.memory_mib,
        storage_gb: vm.storage_gb,
        overlay_gb: vm.overlay_gb,
        network: vm.network,
        network_known,
        allowed_cidrs: if version.has(Fact::ListsAllowList) { vm.allowed_cidrs.clone() } else { recorded },
        ports: listed(vm.ports, record.as_ref().map(|record| record.ports.clone())),
        volumes: listed(vm.mounts, record.map(|record| record.volumes)),
        mounts: Some(vm.mounts).filter(|count| *count > 0),
        env: Vec::new(),
        secrets: Vec::new(),
        settings: vm.settings(),
        unreported,
        image: vm.image.clone(),
        labels: vm.labels.clone(),
    }
}

/// The warnings about what the snapshot will not hold: in the library, what is unknown; in a file, all that a pack omits.
pub fn losses(vm: &Machine, known: &Configuration, in_library: bool) -> Vec<String> {
    let mut losses = Vec::new();
    if vm.mounts > 0 {
        losses.push(format!("the snapshot will not hold {} mounted host folder(s)", vm.mounts));
    }
    if vm.network && !in_library {
        losses.push(
            "the snapshot will not hold the network: a VM made from it has none, unless `create` enables it".into(),
        );
    } else if !known.network_known {
        losses.push(
            "smolvm does not report every limit of the network: a thawed VM has none, unless --net or --allow-cidr enables it"
                .into(),
        );
    }
    if vm.ports > 0 && !(in_library && known.ports.is_some()) {
        losses.push(format!("the snapshot will not hold {} published port(s)", vm.ports));
    }
    losses.extend(fidelity::losses(known, in_library));
    losses
}
