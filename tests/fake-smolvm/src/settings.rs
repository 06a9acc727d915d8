//! The options of `machine create` that only change the record: which version has them, how `machine ls --json` reports
//! them, and which of them a VM made from an artifact keeps.

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};

use crate::commands::{given, texts};
use crate::facts::Fact;
use crate::version::Version;

/// The kind of value of an option.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Flag,
    Text,
    Number,
    List,
    Disks,
}

#[derive(Clone, Copy)]
struct Setting {
    option: &'static str,
    kind: Kind,
    /// The fact of the versions that have it; all have it without one.
    since: Option<Fact>,
    /// Its key in the list, and the fact of the versions that list it.
    listed: Option<(&'static str, Option<Fact>)>,
    /// Whether it opens the network, unless the VM is made from an artifact.
    opens: bool,
    /// Whether it is silently dropped beside `--from`.
    dropped: bool,
}

const fn unlisted(option: &'static str, kind: Kind, since: Option<Fact>) -> Setting {
    Setting { option, kind, since, listed: None, opens: false, dropped: false }
}

const fn listed(
    option: &'static str,
    kind: Kind,
    since: Option<Fact>,
    key: &'static str,
    in_list: Option<Fact>,
) -> Setting {
    Setting { option, kind, since, listed: Some((key, in_list)), opens: false, dropped: false }
}

const fn opening(setting: Setting) -> Setting {
    Setting { opens: true, ..setting }
}

const fn dropped(setting: Setting) -> Setting {
    Setting { dropped: true, ..setting }
}

const SETTINGS: [Setting; 40] = [
    listed("block-io", Kind::Text, Some(Fact::BlockIo), "block_io", Some(Fact::BlockIo)),
    listed("disk-durability", Kind::Text, Some(Fact::Durability), "disk_durability", Some(Fact::Durability)),
    listed("disk", Kind::Disks, Some(Fact::ExtraDisks), "disks", Some(Fact::ExtraDisks)),
    opening(listed("dns", Kind::Text, Some(Fact::DnsServer), "dns", Some(Fact::ListsDns))),
    listed("dns-option", Kind::List, Some(Fact::DnsOptions), "dns_options", Some(Fact::DnsOptions)),
    opening(listed(
        "allow-host-pattern",
        Kind::List,
        Some(Fact::HostPatterns),
        "allowed_hosts",
        Some(Fact::ListsAllowList),
    )),
    dropped(listed("gpu", Kind::Flag, None, "gpu", None)),
    dropped(listed("gpu-vram", Kind::Number, None, "gpu_vram_mib", None)),
    listed("cuda", Kind::Flag, Some(Fact::Cuda), "cuda", Some(Fact::ListsCuda)),
    listed("auto-graph", Kind::Flag, Some(Fact::AutoGraph), "cuda", Some(Fact::ListsCuda)),
    dropped(opening(unlisted("block-private", Kind::Flag, Some(Fact::PrivateRules)))),
    dropped(opening(unlisted("allow-private", Kind::List, Some(Fact::PrivateRules)))),
    opening(unlisted("deny-cidr", Kind::List, Some(Fact::DenyRules))),
    opening(unlisted("allow-udp", Kind::List, Some(Fact::UdpRules))),
    opening(unlisted("credential", Kind::List, Some(Fact::Credentials))),
    opening(unlisted("network", Kind::Text, Some(Fact::VmNetworks))),
    unlisted("net-backend", Kind::Text, None),
    unlisted("guest-subnet", Kind::Text, Some(Fact::Credentials)),
    unlisted("use-host-proxy", Kind::Flag, Some(Fact::HostProxy)),
    unlisted("trust-host-certs", Kind::Flag, Some(Fact::HostProxy)),
    unlisted("shm-size", Kind::Text, Some(Fact::ShmSize)),
    unlisted("nested", Kind::Flag, Some(Fact::Nested)),
    unlisted("rosetta", Kind::Flag, Some(Fact::Sockets)),
    unlisted("expose-socket", Kind::List, Some(Fact::Sockets)),
    unlisted("mount-socket", Kind::List, Some(Fact::Sockets)),
    unlisted("user", Kind::Text, Some(Fact::GuestUser)),
    unlisted("stop-on-exit", Kind::Flag, Some(Fact::StopOnExit)),
    unlisted("stop-signal", Kind::Text, Some(Fact::StopSignal)),
    unlisted("stop-timeout", Kind::Number, Some(Fact::StopSignal)),
    unlisted("docker-socket", Kind::Flag, Some(Fact::Sockets)),
    unlisted("cache-disk", Kind::Text, Some(Fact::CacheDisk)),
    unlisted("allow-system-mounts", Kind::Flag, Some(Fact::SystemMounts)),
    unlisted("max-image-size", Kind::Text, Some(Fact::MaxImageSize)),
    unlisted("keep-identity", Kind::Flag, Some(Fact::Identity)),
    unlisted("restore-cache-entries", Kind::Number, Some(Fact::RestoreCache)),
    unlisted("restore-cache-gib", Kind::Number, Some(Fact::RestoreCache)),
    unlisted("at", Kind::Text, Some(Fact::Rewinds)),
    unlisted("state-dir", Kind::Text, Some(Fact::StateDir)),
    dropped(unlisted("secret-file", Kind::List, Some(Fact::SecretEnv))),
    dropped(unlisted("secret-keychain", Kind::List, Some(Fact::Keychain))),
];

fn is_since(version: Version, fact: Option<Fact>) -> bool {
    fact.is_none_or(|fact| version.has(fact))
}

/// The options of this version.
pub fn options(version: Version) -> Vec<Arg> {
    let there = SETTINGS.iter().filter(|setting| is_since(version, setting.since));
    there
        .map(|setting| {
            let arg = Arg::new(setting.option).long(setting.option);
            arg.action(if setting.kind == Kind::Flag { ArgAction::SetTrue } else { ArgAction::Append })
        })
        .collect()
}

/// What these options add to the record, by key in the list; and whether they open the network.
pub fn recorded(version: Version, args: &ArgMatches, from_artifact: bool) -> (Map<String, Value>, bool) {
    let (mut recorded, mut opens) = (Map::new(), false);
    for setting in SETTINGS.iter().filter(|setting| is_since(version, setting.since)) {
        let is_given = match setting.kind {
            Kind::Flag => given(args, setting.option),
            _ => !texts(args, setting.option).is_empty(),
        };
        if !is_given || (from_artifact && setting.dropped) {
            continue;
        }
        opens |= setting.opens && !from_artifact;
        if let Some((key, ..)) = setting.listed {
            recorded.insert(key.to_owned(), value(version, setting.kind, &texts(args, setting.option)));
        }
    }
    (recorded, opens)
}

fn value(version: Version, kind: Kind, texts: &[String]) -> Value {
    let last = texts.last().cloned().unwrap_or_default();
    match kind {
        Kind::Flag => json!(true),
        Kind::Text => json!(last),
        Kind::Number => json!(last.parse::<u64>().unwrap_or_default()),
        Kind::List => json!(texts),
        Kind::Disks => texts.iter().map(|text| disk(version, text)).collect(),
    }
}

fn disk(version: Version, text: &str) -> Value {
    let path = text.strip_suffix(":ro");
    let mut disk = json!({"path": path.unwrap_or(text), "read_only": path.is_some()});
    if version.has(Fact::StartHint) {
        disk["format"] = json!("raw");
    }
    disk
}

/// Whether this version lists that key only if it has a value.
pub fn is_listed_if_there(version: Version, key: &str) -> bool {
    SETTINGS.iter().filter_map(|setting| setting.listed).any(|(name, since)| name == key && is_since(version, since))
}
