//! Settings of a VM that the engine lists and that are of no use to a freeze itself: what a VM made from an artifact has of
//! them by itself, and what has to be given to it. Each was tried with each of the engines from 1.4.0 to 1.32.2: a VM with
//! the setting, its pack, a VM made from that with and without the option, and `machine update`.

use super::version::Version;
use serde_json::Value;
use std::collections::BTreeMap;

/// How a VM that is made from an artifact gets a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// The artifact carries it.
    Packed,
    /// By an option of `machine create`, honored beside `--from` since that engine.
    Option(&'static str, Version),
    /// The same, for a VM with a network: alone it has no use.
    WithNetwork(&'static str, Version),
    /// By nothing: no option of `machine create --from` or `machine update` sets it.
    Never,
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key in `machine ls --json`.
    pub key: &'static str,
    /// What it is, for people.
    pub name: &'static str,
    /// What a VM without it is listed with, beside null, false, nothing and 0.
    default: &'static str,
    /// How a VM gets it back.
    pub given: Given,
}

const fn setting(key: &'static str, name: &'static str, given: Given) -> Setting {
    Setting { key, name, default: "", given }
}

/// All of them. Keys of the list that are missing here: those that are fields of a machine, and those of what it does
/// (`pid`, `restart_count`, `branchable` …).
pub const SETTINGS: [Setting; 21] = [
    Setting {
        default: "full",
        ..setting("disk_durability", "disk durability", Given::Option("--disk-durability", Version(1, 27, 3)))
    },
    Setting {
        default: "sync",
        ..setting("block_io", "block I/O engine", Given::Option("--block-io", Version(1, 14, 3)))
    },
    setting("disks", "extra disks", Given::Option("--disk", Version(1, 18, 2))),
    setting("cuda", "CUDA", Given::Option("--cuda", Version(1, 4, 0))),
    setting("dns", "DNS server", Given::WithNetwork("--dns", Version(1, 4, 0))),
    setting("dns_options", "DNS options", Given::WithNetwork("--dns-option", Version(1, 28, 1))),
    // Beside an allow list there may be limits that are not listed, so it is never given by itself.
    setting("allowed_hosts", "allowed hosts", Given::Never),
    setting("entrypoint", "entrypoint", Given::Packed),
    setting("cmd", "command", Given::Packed),
    setting("gpu", "GPU", Given::Packed),
    setting("gpu_vram_mib", "GPU memory in MiB", Given::Never),
    setting("cuda_vram_limit_mib", "CUDA memory limit in MiB", Given::Never),
    setting("cuda_branch_pool_size", "CUDA branch pool", Given::Never),
    setting("cuda_fork_pool_size", "CUDA fork pool", Given::Never),
    Setting { default: "never", ..setting("restart_policy", "restart policy", Given::Never) },
    setting("restart_max_retries", "restart retries", Given::Never),
    setting("health_cmd", "health check", Given::Never),
    setting("health_interval_secs", "health check interval in seconds", Given::Never),
    setting("health_timeout_secs", "health check timeout in seconds", Given::Never),
    setting("health_retries", "health check retries", Given::Never),
    setting("health_startup_grace_secs", "health check grace period in seconds", Given::Never),
];

/// What no list reports, and the first engine that was seen to have an option for it. (Environment, working folder and
/// user are in the artifact; network, ports and host folders are recorded or counted; `--init` has run.)
const UNREPORTED: [(&str, Version); 15] = [
    ("SSH agent", Version(0, 8, 0)),
    ("network backend", Version(1, 4, 0)),
    ("network between VMs", Version(1, 8, 3)),
    ("Rosetta", Version(1, 14, 0)),
    ("sockets of guest or host", Version(1, 14, 0)),
    ("Docker socket", Version(1, 14, 0)),
    ("guest subnet", Version(1, 18, 0)),
    ("credentials", Version(1, 18, 0)),
    ("nested virtualization", Version(1, 18, 2)),
    ("proxy of the host", Version(1, 20, 0)),
    ("stop on exit", Version(1, 27, 3)),
    ("cache disk", Version(1, 27, 3)),
    ("folders on the VM's own disk", Version(1, 28, 1)),
    ("stop signal and timeout", Version(1, 28, 1)),
    ("shm size", Version(1, 32, 2)),
];

/// What a VM of this engine may have without a word of it in the list.
pub fn unreported(version: Version) -> Vec<String> {
    UNREPORTED.iter().filter(|(_, since)| version >= *since).map(|(name, _)| (*name).to_owned()).collect()
}

/// The settings that are not the default, of all that the list says of a VM.
pub(super) fn of(listed: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let settings = SETTINGS.iter().filter_map(|setting| {
        let value = listed.get(setting.key).filter(|value| !setting.is_default(value))?;
        Some((setting.key.to_owned(), value.clone()))
    });
    settings.collect()
}

impl Setting {
    fn is_default(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(false) => true,
            Value::Bool(true) => false,
            Value::Number(number) => number.as_u64() == Some(0),
            Value::String(text) => text.is_empty() || text == self.default,
            Value::Array(list) => list.is_empty(),
            Value::Object(keys) => keys.is_empty(),
        }
    }

    /// Whether it gives the VM something of this host, or has it ask a server.
    pub fn reaches_out(&self) -> bool {
        matches!(self.key, "disks" | "cuda") || matches!(self.given, Given::WithNetwork(..))
    }

    /// The option that gives it to a VM made by this engine, if there is one.
    fn option(&self, version: Version, has_network: bool) -> Option<&'static str> {
        match self.given {
            Given::Option(option, since) if version >= since => Some(option),
            Given::WithNetwork(option, since) if version >= since && has_network => Some(option),
            _ => None,
        }
    }

    /// The options of `machine create --from` that give it this value: each with its value, if it takes one. Nothing of
    /// what is not a value of it.
    pub fn options(&self, value: &Value, version: Version, has_network: bool) -> Vec<(&'static str, Option<String>)> {
        let Some(option) = self.option(version, has_network) else { return Vec::new() };
        match value {
            Value::Bool(true) => vec![(option, None)],
            Value::String(text) => vec![(option, Some(text.clone()))],
            Value::Array(list) => list.iter().filter_map(|one| Some((option, Some(word(one)?)))).collect(),
            _ => Vec::new(),
        }
    }

    /// It with its value, for people.
    pub fn with_value(&self, value: &Value) -> String {
        let text = match value {
            Value::Bool(_) => return self.name.to_owned(),
            Value::Array(list) => list.iter().filter_map(word).collect::<Vec<_>>().join(" "),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("{} ({text})", self.name)
    }
}

/// A value of a list as the option takes it: a text, or a disk.
fn word(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let ending = if value["read_only"] == true { ":ro" } else { "" };
    Some(format!("{}{ending}", value["path"].as_str()?))
}
