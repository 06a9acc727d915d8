//! Which settings of the frozen VM a new VM gets, and which it lacks. Both freeze and thaw report that.

use crate::error::{Failure, Result, Status};
use crate::library::{Configuration, Metadata};
use crate::quoted::quoted;
use crate::smolvm::artifact::Manifest;
use crate::smolvm::settings::{Given, SETTINGS, Setting};
use crate::smolvm::{CreateOptions, DEFAULT_OVERLAY, DEFAULT_STORAGE, Machine, Name, Version};
use crate::terminal::Warnings;
use serde_json::Value;
use std::path::Path;

/// The warning for a freeze that leaves out these secrets.
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

/// The options of `exec`, quoted for a shell: the names in a snapshot may be anything.
fn as_options(names: &[String]) -> String {
    names.iter().map(|name| format!("-e {}", quoted(name))).collect::<Vec<_>>().join(" ")
}

/// Checks that this host can run the artifact. The engine checks it too, but only after `thaw --replace` has deleted a VM.
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

/// The recorded settings of a frozen VM, with their values.
fn recorded(frozen: &Configuration) -> impl Iterator<Item = (&'static Setting, &Value)> {
    SETTINGS.iter().filter_map(|setting| Some((setting, frozen.settings.get(setting.key)?)))
}

/// The warnings of a freeze about settings that a VM made from the snapshot will not have.
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

/// The options that give a new VM the settings of the frozen one, as far as this engine has them. Settings with access to
/// the host are used only from snapshots made here, because another user wrote the record of any other. A disk that one of
/// `others` uses is left out, and if `is_several` VMs get the options, one that they would write to.
pub fn options(
    snapshot: &Metadata,
    version: Version,
    recipe: &CreateOptions,
    others: &[&Machine],
    is_several: bool,
) -> Vec<(&'static str, Option<String>)> {
    let mut options = Vec::new();
    let (is_own, has_network) = (snapshot.is_own(), recipe.net || !recipe.allow_cidrs.is_empty());
    for (setting, value) in recorded(&snapshot.machine) {
        if setting.reaches_out() && !is_own {
            continue;
        }
        let is_shared = |disk: &Value| is_several && disk["read_only"] != true;
        let free = |disk: &&Value| setting.key != DISKS || (is_free(disk, others) && !is_shared(disk));
        let value = match value {
            Value::Array(list) => list.iter().filter(free).cloned().collect(),
            other => other.clone(),
        };
        options.extend(setting.options(&value, version, has_network));
    }
    options
}

/// Whether a disk exists on the host, and no other VM uses it, except if both only read it.
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

/// Warns of the settings that the new VM lacks or has in addition, compared with the frozen one. `vm` is the new VM, as the
/// engine lists it.
pub fn warn_of_differences(frozen: &Configuration, vm: &Machine, warnings: &Warnings) {
    let now = vm.settings();
    let differs = |key: &str| now.get(key) != frozen.settings.get(key);
    let mut lacks: Vec<String> = recorded(frozen)
        .filter(|(setting, _)| differs(setting.key))
        .map(|(setting, value)| setting.with_value(value))
        .collect();
    // The engine records the size of a live snapshot's disks also if it is the default.
    for (name, before, after) in [
        ("storage disk", frozen.storage_gb.unwrap_or(DEFAULT_STORAGE), vm.storage_gib()),
        ("overlay disk", frozen.overlay_gb.unwrap_or(DEFAULT_OVERLAY), vm.overlay_gib()),
    ] {
        lacks.extend((before != after).then(|| format!("{name} ({before} GiB)")));
    }
    let labels = frozen.labels.iter().filter(|(key, value)| vm.labels.get(*key) != Some(*value));
    lacks.extend(labels.map(|(key, value)| format!("label ({key}={value})")));
    // Known ones are mounted again, or the thaw says why not.
    if let Some(count) = frozen.mounts.filter(|count| frozen.volumes.is_none() && *count > vm.mounts) {
        lacks.push(format!("mounted host folders ({count})"));
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
