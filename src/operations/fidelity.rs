//! What a VM made from a snapshot gets back of the frozen one, and what it lacks: the freeze and the thaw both say so.

use crate::error::{Failure, Result, Status};
use crate::library::{Configuration, Metadata};
use crate::quoted::quoted;
use crate::smolvm::artifact::Manifest;
use crate::smolvm::settings::{Given, SETTINGS, Setting};
use crate::smolvm::{CreateOptions, Machine, Name, Version};
use crate::terminal::Warnings;
use serde_json::Value;
use std::path::Path;

/// The warning of a freeze whose snapshot does not hold these secrets.
pub fn secrets_left_out(secrets: &[String]) -> String {
    let names = secrets.join(", ");
    format!(
        "the snapshot will not hold references to secrets of this host, because smolvm refuses them in a snapshot: {names} \
         (in a thawed VM, `bottle-freeze exec {}` sets them for one command)",
        as_options(secrets)
    )
}

/// Warns of the secrets that a VM made from such a snapshot lacks.
pub fn warn_of_missing_secrets(name: &Name, manifest: &Manifest, warnings: &Warnings) {
    let secrets = &manifest.lacks_secrets;
    if secrets.is_empty() {
        return;
    }
    let names = secrets.join(", ");
    let command = format!("bottle-freeze exec {} {name} -- COMMAND", as_options(secrets));
    let what = format!("the frozen VM had secrets that '{name}' lacks: {names}");
    warnings.warn(format!("{what} (`{command}` sets them for one command)"));
}

/// The options of `exec`, quoted for a shell: the maker of the snapshot chose the names.
fn as_options(names: &[String]) -> String {
    names.iter().map(|name| format!("-e {}", quoted(name))).collect::<Vec<_>>().join(" ")
}

/// Whether this host can run what the artifact holds. The engine refuses it too, but only after a VM that is replaced was
/// deleted.
pub fn check_host(manifest: &Manifest) -> Result<()> {
    match manifest.is_foreign() {
        None => Ok(()),
        Some(why) => Err(Failure::new(Status::Failed, format!("the snapshot cannot become a VM here: {why}"))
            .state("no VM was made")
            .hint("thaw it on a host of that kind")),
    }
}

/// The key of the extra disks.
const DISKS: &str = "disks";

/// The settings of a frozen VM that are recorded, with their values.
fn recorded(frozen: &Configuration) -> impl Iterator<Item = (&'static Setting, &Value)> {
    SETTINGS.iter().filter_map(|setting| Some((setting, frozen.settings.get(setting.key)?)))
}

/// What a freeze warns of: settings that a VM made from the snapshot will not have, in the library or in a file.
pub fn losses(known: &Configuration, in_library: bool) -> Vec<String> {
    let is_lost = |setting: &Setting| match setting.given {
        Given::Packed => false,
        Given::Option(..) | Given::WithNetwork(..) => !in_library,
        Given::Never => true,
    };
    let lost =
        recorded(known).filter(|(setting, _)| is_lost(setting)).map(|(setting, value)| setting.with_value(value));
    let lost: Vec<String> = lost.collect();
    let mut losses = Vec::new();
    if !lost.is_empty() {
        losses.push(format!("a VM made from the snapshot will not have these settings: {}", lost.join(", ")));
    }
    if !known.unreported.is_empty() {
        let names = known.unreported.join(", ");
        losses.push(format!("smolvm does not report these settings, so the snapshot will not hold them: {names}"));
    }
    losses
}

/// The options that give a new VM the settings of the frozen one, where this engine has them. Settings that reach out of the
/// VM need a snapshot that was made here: the record of another one is what another user wrote. A disk is not shared with
/// the VMs `others`.
pub fn options(
    snapshot: &Metadata,
    version: Version,
    recipe: &CreateOptions,
    others: &[&Machine],
) -> Vec<(&'static str, Option<String>)> {
    let mut options = Vec::new();
    let (is_own, has_network) = (snapshot.is_own(), recipe.net || !recipe.allow_cidrs.is_empty());
    for (setting, value) in recorded(&snapshot.machine) {
        if setting.reaches_out() && !is_own {
            continue;
        }
        let free = |disk: &&Value| setting.key != DISKS || is_free(disk, others);
        let value = match value {
            Value::Array(list) => list.iter().filter(free).cloned().collect(),
            other => other.clone(),
        };
        options.extend(setting.options(&value, version, has_network));
    }
    options
}

/// Whether a disk of the host is there, and no other VM has it, or none writes to it.
fn is_free(disk: &Value, others: &[&Machine]) -> bool {
    let Some(path) = disk["path"].as_str() else { return false };
    let is_shared = |other: &Value| {
        let writes = other["read_only"] != true || disk["read_only"] != true;
        other["path"] == disk["path"] && writes
    };
    let settings = others.iter().filter_map(|other| other.settings().remove(DISKS));
    Path::new(path).exists()
        && !settings.flat_map(|disks| disks.as_array().cloned().unwrap_or_default()).any(|other| is_shared(&other))
}

/// Warns of the settings of the frozen VM that the new one lacks, and of those that it has in addition. `vm` is the new one,
/// as the engine lists it.
pub fn warn_of_differences(frozen: &Configuration, vm: &Machine, warnings: &Warnings) {
    let now = vm.settings();
    let differs = |key: &str| now.get(key) != frozen.settings.get(key);
    let mut lacks: Vec<String> = recorded(frozen)
        .filter(|(setting, _)| differs(setting.key))
        .map(|(setting, value)| setting.with_value(value))
        .collect();
    for (name, before, after) in
        [("storage disk", frozen.storage_gb, vm.storage_gb), ("overlay disk", frozen.overlay_gb, vm.overlay_gb)]
    {
        let default = "the default size".to_owned();
        let size = before.map_or(default, |size| format!("{size} GiB"));
        lacks.extend((before != after).then(|| format!("{name} ({size})")));
    }
    let labels = frozen.labels.iter().filter(|(key, value)| vm.labels.get(*key) != Some(*value));
    lacks.extend(labels.map(|(key, value)| format!("label ({key}={value})")));
    if let Some(count) = frozen.mounts.filter(|count| *count > vm.mounts) {
        let which = frozen.volumes.as_ref().map_or_else(|| count.to_string(), |volumes| volumes.join(" "));
        lacks.push(format!("mounted host folders ({which})"));
    }
    if !lacks.is_empty() {
        warnings.warn(format!("'{}' lacks settings of the frozen VM: {}", vm.name, lacks.join(", ")));
    }
    let more = SETTINGS.iter().filter(|setting| !frozen.settings.contains_key(setting.key));
    let more: Vec<String> = more.filter_map(|setting| Some(setting.with_value(now.get(setting.key)?))).collect();
    if !more.is_empty() {
        warnings.warn(format!("'{}' has settings that the frozen VM did not have: {}", vm.name, more.join(", ")));
    }
    if !frozen.unreported.is_empty() {
        let what = "smolvm did not report these settings of the frozen VM";
        warnings.warn(format!("{what}, so '{}' has the defaults: {}", vm.name, frozen.unreported.join(", ")));
    }
}
