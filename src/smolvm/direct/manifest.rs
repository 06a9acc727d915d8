//! The manifest of an artifact that the engine makes of a VM.

use super::origin::ImageSettings;
use crate::clock;
use crate::smolvm::machine::Machine;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// The values of these settings.
#[derive(Debug, Deserialize)]
pub struct Settings {
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
    #[serde(default)]
    env: Vec<(String, String)>,
    #[serde(default)]
    workdir: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    gpu: Option<bool>,
    #[serde(default)]
    cuda: bool,
    #[serde(default)]
    secret_refs: BTreeMap<String, Value>,
}

/// A manifest, with the keys in the engine's order.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub mode: String,
    pub image: String,
    digest: String,
    platform: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entrypoint: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cmd: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workdir: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// In the place of the engine's `secret_refs`: see [`secrets`](crate::smolvm::secrets).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bottle_freeze_secrets: Vec<String>,
    cpus: u32,
    mem: u64,
    pub image_size: u64,
    network: bool,
    gpu: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cuda: Option<bool>,
    host_platform: String,
    created: String,
    smolvm_version: String,
    pub assets: Assets,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Assets {
    libraries: Vec<Asset>,
    agent_rootfs: Asset,
    pub layers: Vec<Layer>,
    pub storage_template: Asset,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_logical_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay_template: Option<Asset>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay_logical_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_seed: Option<Asset>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    pub path: String,
    pub size: u64,
}

/// A layer of an image.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    pub digest: String,
    pub path: String,
    pub size: u64,
}

impl Manifest {
    /// Reads the manifest of an empty VM.
    ///
    /// # Errors
    /// It has something unknown.
    pub fn of_trial(template: &str) -> Result<Self, String> {
        let unknown = "bottle-freeze does not know its manifest";
        let manifest: Self = serde_json::from_str(template).map_err(|error| format!("{unknown}: {error}"))?;
        let is_same = manifest.text()? == template;
        let is_known = is_same && manifest.mode == "vm" && manifest.assets.overlay_template.is_some();
        if is_known { Ok(manifest) } else { Err(unknown.to_owned()) }
    }

    /// Its text, as the engine writes it.
    ///
    /// # Errors
    /// None that is known.
    pub fn text(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map_err(|error| error.to_string())
    }

    /// Sets what depends on the VM, over what its image sets, and returns the names of its secrets. The network stays closed, as
    /// in every snapshot.
    pub fn set(&mut self, vm: &Machine, settings: Settings, image: ImageSettings) -> Vec<String> {
        self.image = vm.image.clone().unwrap_or_else(|| format!("vm://{}", vm.name));
        // Some engines record a shell if there is none.
        if !settings.entrypoint.is_empty() {
            self.entrypoint = settings.entrypoint;
        }
        self.cmd = settings.cmd;
        let mut env = image.env.unwrap_or_default();
        for (key, value) in settings.env {
            env.retain(|variable| variable.split_once('=').is_none_or(|(name, _)| name != key));
            env.push(format!("{key}={value}"));
        }
        self.env = env;
        self.workdir = settings.workdir;
        self.user = settings.user.or(image.user.filter(|user| !user.is_empty()));
        self.bottle_freeze_secrets = settings.secret_refs.into_keys().collect();
        (self.cpus, self.mem) = (vm.cpus, vm.memory_mib);
        self.gpu = settings.gpu.unwrap_or(false);
        // Old engines do not record it.
        self.cuda = self.cuda.map(|_| settings.cuda);
        self.created = clock::rfc3339_millis(SystemTime::now());
        self.bottle_freeze_secrets.clone()
    }
}
