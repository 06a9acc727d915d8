//! Settings of a VM that the engine lists and that a freeze itself does not use: which of them a VM made from an artifact has,
//! and which must be given to it. Each was tried on real engines: a VM with the setting, its pack, a VM made from that with and
//! without the option, and `machine update`.

use super::facts::Fact;
use super::version::Version;
use serde_json::Value;
use std::collections::BTreeMap;

/// How a VM that is made from an artifact gets a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// The artifact carries it.
    Packed,
    /// An option of `machine create` gives it, beside `--from` too, in engines of which the fact is true.
    Option(&'static str, Fact),
    /// The same, for a VM with a network: without one it has no use.
    WithNetwork(&'static str, Fact),
    /// No option of `machine create --from` or `machine update` sets it.
    Never,
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key in `machine ls --json`.
    pub key: &'static str,
    /// Its name in messages.
    pub name: &'static str,
    /// How a VM without it is listed, if not as null, false, empty or 0.
    default: &'static str,
    /// How a thawed VM gets it.
    pub given: Given,
}

const fn setting(key: &'static str, name: &'static str, given: Given) -> Setting {
    Setting { key, name, default: "", given }
}

/// All of them. Not here are the keys that are fields of [`Machine`](super::Machine), and those of its state (`pid`,
/// `restart_count`, `branchable` …).
pub const SETTINGS: [Setting; 21] = [
    Setting {
        default: "full",
        ..setting("disk_durability", "disk durability", Given::Option("--disk-durability", Fact::Durability))
    },
    Setting { default: "sync", ..setting("block_io", "block I/O engine", Given::Option("--block-io", Fact::BlockIo)) },
    setting("disks", "extra disks", Given::Option("--disk", Fact::DisksBesideFrom)),
    setting("cuda", "CUDA", Given::Option("--cuda", Fact::Cuda)),
    setting("dns", "DNS server", Given::WithNetwork("--dns", Fact::DnsServer)),
    setting("dns_options", "DNS options", Given::WithNetwork("--dns-option", Fact::DnsOptions)),
    // There may be limits that are not listed, so it is never given without being asked for.
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

/// Settings that no list reports, and the engines that have them. (Environment, working folder and user are in the artifact;
/// network, ports and host folders are recorded or counted; `--init` has run.)
const UNREPORTED: [(&str, Option<Fact>); 15] = [
    ("SSH agent", None),
    ("network backend", None),
    ("network between VMs", Some(Fact::VmNetworks)),
    ("Rosetta", Some(Fact::Sockets)),
    ("sockets of guest or host", Some(Fact::Sockets)),
    ("Docker socket", Some(Fact::Sockets)),
    ("guest subnet", Some(Fact::Credentials)),
    ("credentials", Some(Fact::Credentials)),
    ("nested virtualization", Some(Fact::Nested)),
    ("proxy of the host", Some(Fact::HostProxy)),
    ("stop on exit", Some(Fact::StopOnExit)),
    ("cache disk", Some(Fact::CacheDisk)),
    ("folders on the VM's own disk", Some(Fact::OwnDiskFolders)),
    ("stop signal and timeout", Some(Fact::StopSignal)),
    ("shm size", Some(Fact::ShmSize)),
];

/// The settings that a VM of this engine may have and that its list does not report.
pub fn unreported(version: Version) -> Vec<String> {
    let has = |fact: Option<Fact>| fact.is_none_or(|fact| version.has(fact));
    UNREPORTED.iter().filter(|(_, fact)| has(*fact)).map(|(name, _)| (*name).to_owned()).collect()
}

/// The settings of a listed VM that are not the default.
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

    /// Whether it gives the VM access to something on this host, or to a server.
    pub fn reaches_out(&self) -> bool {
        matches!(self.key, "disks" | "cuda") || matches!(self.given, Given::WithNetwork(..))
    }

    /// The option with which this engine gives it to a VM, if there is one.
    fn option(&self, version: Version, has_network: bool) -> Option<&'static str> {
        match self.given {
            Given::Option(option, fact) if version.has(fact) => Some(option),
            Given::WithNetwork(option, fact) if version.has(fact) && has_network => Some(option),
            _ => None,
        }
    }

    /// The options of `machine create --from` that set it to `value`, each with its own value if it takes one. None if it is
    /// no value of this setting.
    pub fn options(&self, value: &Value, version: Version, has_network: bool) -> Vec<(&'static str, Option<String>)> {
        let Some(option) = self.option(version, has_network) else { return Vec::new() };
        match value {
            Value::Bool(true) => vec![(option, None)],
            Value::String(text) => vec![(option, Some(text.clone()))],
            Value::Array(list) => list.iter().filter_map(|one| Some((option, Some(word(one)?)))).collect(),
            _ => Vec::new(),
        }
    }

    /// The setting with its value, for messages.
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

/// An item of a list as the option takes it: a text, or a disk.
fn word(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let ending = if value["read_only"] == true { ":ro" } else { "" };
    Some(format!("{}{ending}", value["path"].as_str()?))
}
