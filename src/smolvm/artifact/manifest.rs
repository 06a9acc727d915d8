//! The manifest of an artifact, and what `machine create --from` refuses in it.

use super::error::ArtifactError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// The least memory that a VM can have, in MiB.
const LEAST_MEMORY: u64 = 64;

/// The keys of a manifest that this program reads. Those without a default are the ones that every engine requires (tried by
/// leaving out and changing each key in turn), and the types are the engine's.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    /// Virtual CPUs of a VM made from it.
    pub cpus: u8,
    /// Memory of a VM made from it, in MiB.
    pub mem: u64,
    /// Whether a VM made from it has the whole network by default.
    #[serde(default)]
    pub network: bool,
    /// Environment of its commands, `KEY=VALUE` in clear.
    #[serde(default)]
    env: Vec<String>,
    /// Present if it holds a running VM, RAM included.
    #[serde(default)]
    checkpoint: Option<Value>,
    #[serde(default)]
    host_platform: String,
    /// The platform that it runs on: `linux/amd64`.
    platform: String,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    secret_refs: BTreeMap<String, Value>,
    /// The secrets of the packed VM, which a VM made from it does not have: see `secrets`.
    #[serde(default, rename = "bottle_freeze_secrets")]
    pub lacks_secrets: Vec<String>,
    assets: Assets,
    #[serde(rename = "image")]
    _image: String,
    #[serde(rename = "digest")]
    _digest: String,
    #[serde(default, rename = "image_size")]
    _image_size: u64,
    #[serde(default, rename = "entrypoint")]
    _entrypoint: Vec<String>,
    #[serde(default, rename = "cmd")]
    _cmd: Vec<String>,
    #[serde(default, rename = "gpu")]
    _gpu: bool,
    #[serde(default, rename = "cuda")]
    _cuda: bool,
    /// All of it.
    #[serde(skip)]
    all: Value,
}

/// The engine refuses every other word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Container,
    Vm,
}

/// Where a running VM stands among those that were saved.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Lineage {
    /// Its id.
    pub id: String,
    /// The id of what it was saved as, or made from, before.
    #[serde(default)]
    pub parent: Option<String>,
    /// The name of the VM.
    pub machine: String,
    /// When it was saved, in RFC 3339.
    pub created_at: String,
}

/// The files that it is made of.
#[derive(Debug, Clone, Deserialize)]
struct Assets {
    #[serde(rename = "libraries")]
    _libraries: Vec<Asset>,
    #[serde(default)]
    agent_rootfs: Option<Asset>,
    #[serde(rename = "layers")]
    _layers: Vec<IgnoredAny>,
    #[serde(default)]
    storage_template: Option<Asset>,
    #[serde(default)]
    overlay_template: Option<Asset>,
}

#[derive(Debug, Clone, Deserialize)]
struct Asset {
    path: String,
    #[serde(rename = "size")]
    _size: u64,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// It is not JSON, or `machine create --from` would refuse it.
    pub fn read(text: &[u8]) -> Result<Self, ArtifactError> {
        let unreadable = |error| ArtifactError::Damaged(format!("its manifest cannot be read: {error}"));
        let all: Value = serde_json::from_slice(text).map_err(unreadable)?;
        let mut manifest: Self = serde_json::from_slice(text)
            .map_err(|error| ArtifactError::Refused(format!("smolvm refuses its manifest: {error}")))?;
        manifest.all = all;
        match manifest.refusal() {
            None => Ok(manifest),
            Some(why) => Err(ArtifactError::Refused(why)),
        }
    }

    /// Why `machine create --from` of every engine refuses it.
    fn refusal(&self) -> Option<String> {
        if self.cpus == 0 {
            return Some("it has no CPU".to_owned());
        }
        if self.mem < LEAST_MEMORY {
            return Some(format!("it has {} MiB of memory, less than the {LEAST_MEMORY} that a VM needs", self.mem));
        }
        let secrets: Vec<&str> = self.secret_refs.keys().map(String::as_str).collect();
        if !secrets.is_empty() && !self.is_live() {
            let names = secrets.join(", ");
            return Some(format!("it refers to secrets of the host that packed it, which smolvm refuses: {names}"));
        }
        if self.assets.agent_rootfs.is_none() && !self.is_live() {
            return Some("it has no agent_rootfs".to_owned());
        }
        if self.mode == Mode::Vm {
            let disks = [&self.assets.storage_template, &self.assets.overlay_template];
            let elsewhere = disks.into_iter().flatten().find(|disk| !is_inside(&disk.path))?;
            return Some(format!("its disk {:?} is outside of it", elsewhere.path));
        }
        None
    }

    /// Why it does not run on this host, if so: its programs are for another kind of processor.
    pub fn is_foreign(&self) -> Option<String> {
        let architecture = self.platform.rsplit('/').next().unwrap_or_default();
        let here = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        (architecture != here).then(|| format!("it was made for {architecture}, and this host is {here}"))
    }

    /// The platform that packed it, if it says so: `linux/amd64`.
    pub fn host_platform(&self) -> Option<&str> {
        Some(self.host_platform.as_str()).filter(|platform| !platform.is_empty())
    }

    /// Whether it holds a running VM without its image, which is in an artifact that it only names.
    pub fn lacks_image(&self) -> bool {
        self.checkpoint.as_ref().is_some_and(|checkpoint| !checkpoint["packed_layers"].is_null())
    }

    /// Whether it holds a running VM, RAM included.
    pub fn is_live(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// Whether it holds the private key with which the engine signs certificates for a running VM.
    pub fn has_credential_authority(&self) -> bool {
        let key = self.checkpoint.as_ref().and_then(|checkpoint| checkpoint.get("credential_ca"));
        key.is_some_and(|key| !key.is_null())
    }

    /// The environment variables whose values are in it: name and value.
    pub fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// All of it, also what this program does not read.
    pub fn all(&self) -> &Value {
        &self.all
    }

    /// The names of the environment variables whose values are in it.
    pub fn env_names(&self) -> Vec<String> {
        self.env.iter().map(|pair| pair.split('=').next().unwrap_or_default().to_owned()).collect()
    }

    /// The ports of a running VM in it, as far as they can be read.
    pub fn live_ports(&self) -> Vec<String> {
        self.live_network("ports")
    }

    /// The only networks that a running VM in it may reach; empty: no limit.
    pub fn live_allowed_cidrs(&self) -> Vec<String> {
        self.live_network("allowed_cidrs")
    }

    /// Sizes of the disks of a running VM in it, in GiB, if they are not the default: storage, overlay.
    pub fn live_disks(&self) -> [Option<u64>; 2] {
        ["storage_gib", "overlay_gib"].map(|key| self.checkpoint.as_ref()?.get(key)?.as_u64())
    }

    /// Where a running VM in it stands among those that were saved, if the engine recorded it.
    pub fn lineage(&self) -> Option<Lineage> {
        serde_json::from_value(self.checkpoint.as_ref()?.get("lineage")?.clone()).ok()
    }

    /// Whether the artifact holds chunks, also of what the running VM was saved as before, and not its files.
    pub fn has_history(&self) -> bool {
        let payload = self.checkpoint.as_ref().and_then(|checkpoint| checkpoint.get("payload"));
        payload.and_then(Value::as_str) == Some("chunked")
    }

    fn live_network(&self, key: &str) -> Vec<String> {
        let list = self.checkpoint.as_ref().and_then(|checkpoint| checkpoint.get("network")?.get(key)?.as_array());
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            // A pair of a host's and a guest's port.
            Value::Array(pair) => pair.iter().map(Value::to_string).collect::<Vec<_>>().join(":"),
            other => other.to_string(),
        };
        list.into_iter().flatten().map(text).collect()
    }
}

/// Whether a relative path stays inside its folder.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Other information in a manifest, for people; no artifact must have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The names of the environment variables of a VM made from it; their values are there too, in clear.
    pub env: Vec<String>,
    /// The packed VM, if it was a bare one: then the image is `vm://NAME`.
    pub vm: Option<String>,
    /// The image, if it was not.
    pub image: Option<String>,
    /// When it was packed, in RFC 3339.
    pub created: Option<String>,
    /// The engine that packed it.
    pub engine_version: Option<String>,
}

impl Details {
    /// What this manifest says.
    pub fn of(manifest: &[u8]) -> Self {
        let all: Value = serde_json::from_slice(manifest).unwrap_or_default();
        let text = |key: &str| all.get(key)?.as_str().map(str::to_owned);
        let image = text("image").filter(|image| !image.is_empty());
        let vm = image.as_deref().and_then(|image| image.strip_prefix("vm://")).map(str::to_owned);
        let name = |pair: &Value| Some(pair.as_str()?.split('=').next()?.to_owned());
        Self {
            env: all.get("env").and_then(Value::as_array).into_iter().flatten().filter_map(name).collect(),
            image: image.filter(|_| vm.is_none()),
            vm,
            created: text("created"),
            engine_version: text("smolvm_version"),
        }
    }
}
