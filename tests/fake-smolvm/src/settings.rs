//! The options of `machine create` that only change the record: which version has them, how `machine ls --json` reports
//! them, and which of them a VM made from an artifact keeps.

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};

use crate::commands::{given, texts};
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

type Since = (u32, u32, u32);

#[derive(Clone, Copy)]
struct Setting {
    option: &'static str,
    kind: Kind,
    /// The first version that was seen to have it.
    since: Since,
    /// Its key in the list, and the first version that was seen to list it.
    listed: Option<(&'static str, Since)>,
    /// Whether it opens the network, unless the VM is made from an artifact.
    opens: bool,
    /// Whether it is silently dropped beside `--from`.
    dropped: bool,
}

const fn unlisted(option: &'static str, kind: Kind, since: Since) -> Setting {
    Setting { option, kind, since, listed: None, opens: false, dropped: false }
}

const fn listed(option: &'static str, kind: Kind, since: Since, key: &'static str, in_list: Since) -> Setting {
    Setting { option, kind, since, listed: Some((key, in_list)), opens: false, dropped: false }
}

const fn opening(setting: Setting) -> Setting {
    Setting { opens: true, ..setting }
}

const fn dropped(setting: Setting) -> Setting {
    Setting { dropped: true, ..setting }
}

const SETTINGS: [Setting; 40] = [
    listed("block-io", Kind::Text, (1, 14, 3), "block_io", (1, 14, 3)),
    listed("disk-durability", Kind::Text, (1, 25, 2), "disk_durability", (1, 25, 2)),
    listed("disk", Kind::Disks, (1, 17, 0), "disks", (1, 17, 0)),
    opening(listed("dns", Kind::Text, (0, 8, 0), "dns", (1, 28, 1))),
    listed("dns-option", Kind::List, (1, 28, 1), "dns_options", (1, 28, 1)),
    opening(listed("allow-host-pattern", Kind::List, (1, 27, 3), "allowed_hosts", (1, 27, 3))),
    dropped(listed("gpu", Kind::Flag, (0, 8, 0), "gpu", (0, 8, 0))),
    dropped(listed("gpu-vram", Kind::Number, (0, 8, 0), "gpu_vram_mib", (0, 8, 0))),
    listed("cuda", Kind::Flag, (1, 4, 0), "cuda", (1, 8, 0)),
    listed("auto-graph", Kind::Flag, (1, 14, 0), "cuda", (1, 8, 0)),
    dropped(opening(unlisted("block-private", Kind::Flag, (1, 28, 1)))),
    dropped(opening(unlisted("allow-private", Kind::List, (1, 28, 1)))),
    opening(unlisted("deny-cidr", Kind::List, (1, 32, 2))),
    opening(unlisted("allow-udp", Kind::List, (1, 32, 2))),
    opening(unlisted("credential", Kind::List, (1, 18, 2))),
    opening(unlisted("network", Kind::Text, (1, 14, 0))),
    unlisted("net-backend", Kind::Text, (1, 4, 0)),
    unlisted("guest-subnet", Kind::Text, (1, 18, 2)),
    unlisted("use-host-proxy", Kind::Flag, (1, 27, 3)),
    unlisted("trust-host-certs", Kind::Flag, (1, 27, 3)),
    unlisted("shm-size", Kind::Text, (1, 32, 2)),
    unlisted("nested", Kind::Flag, (1, 18, 2)),
    unlisted("rosetta", Kind::Flag, (1, 14, 0)),
    unlisted("expose-socket", Kind::List, (1, 14, 0)),
    unlisted("mount-socket", Kind::List, (1, 14, 0)),
    unlisted("user", Kind::Text, (1, 14, 0)),
    unlisted("stop-on-exit", Kind::Flag, (1, 27, 3)),
    unlisted("stop-signal", Kind::Text, (1, 28, 1)),
    unlisted("stop-timeout", Kind::Number, (1, 28, 1)),
    unlisted("docker-socket", Kind::Flag, (1, 14, 0)),
    unlisted("cache-disk", Kind::Text, (1, 27, 3)),
    unlisted("allow-system-mounts", Kind::Flag, (1, 14, 0)),
    unlisted("max-image-size", Kind::Text, (1, 4, 0)),
    unlisted("keep-identity", Kind::Flag, (1, 27, 3)),
    unlisted("restore-cache-entries", Kind::Number, (1, 27, 3)),
    unlisted("restore-cache-gib", Kind::Number, (1, 27, 3)),
    unlisted("at", Kind::Text, (1, 18, 2)),
    unlisted("state-dir", Kind::Text, (1, 32, 2)),
    dropped(unlisted("secret-file", Kind::List, (1, 0, 0))),
    dropped(unlisted("secret-keychain", Kind::List, (1, 31, 0))),
];

fn is_since(version: Version, (major, minor, patch): Since) -> bool {
    version.since(major, minor, patch)
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
    if version.says_start_it_with() {
        disk["format"] = json!("raw");
    }
    disk
}

/// Whether this version lists that key only if it has a value.
pub fn is_listed_if_there(version: Version, key: &str) -> bool {
    SETTINGS.iter().filter_map(|setting| setting.listed).any(|(name, since)| name == key && is_since(version, since))
}
