//! The VM that a thaw makes: its name, its options, and what the user should know.

use super::ports::{self, HostPorts};
use super::request::Request;
use super::volumes;
use crate::error::{Failure, Result, Status};
use crate::library::Configuration;
use crate::operations::fidelity;
use crate::operations::make::Reach;
use crate::operations::resolve::Checked;
use crate::smolvm::{CreateOptions, DEFAULT_STORAGE, Fact, Machine, Name, Source, Version};

/// The VM to make.
#[derive(Debug)]
pub struct Plan {
    /// Its name.
    pub name: Name,
    /// What the engine is given.
    pub options: CreateOptions,
    /// What it will have: given, or from the artifact.
    pub known: CreateOptions,
    /// What it may reach at most.
    pub reach: Reach,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Where the VM is made.
pub(super) struct Host<'a> {
    /// The VMs that are there.
    pub machines: &'a [Machine],
    /// The engine's version.
    pub version: Version,
    /// The ports that VMs have.
    pub ports: HostPorts,
    /// Whether several VMs are made of the snapshot.
    pub is_several: bool,
}

impl Plan {
    /// Plans the VM of this name; `opens` says that the user agrees to the network that the artifact opens by itself.
    ///
    /// # Errors
    /// A host folder is missing, no port is free, or the storage disk would shrink.
    pub(super) fn make(
        name: Name,
        request: &Request,
        opens: bool,
        snapshot: &Checked,
        host: &mut Host,
    ) -> Result<Self> {
        let metadata = snapshot.stored().map(|stored| &stored.metadata);
        let (artifact, frozen) = (snapshot.path(), metadata.map(|metadata| &metadata.machine));
        let source = Source::Artifact(artifact.to_owned());
        if snapshot.artifact.manifest.is_live() {
            // Its artifact has all of it but the labels, and the engine takes nothing else.
            let options = CreateOptions { labels: labels(request, frozen), ..CreateOptions::of(source) };
            let known = frozen.map_or_else(|| options.clone(), carried);
            return Ok(Self { name, options, known, reach: Reach::of_live(snapshot), warnings: Vec::new() });
        }
        let mut warnings = Vec::new();
        let net = request.access.net || (opens && request.access.allow_cidrs.is_empty());
        let mut options = options(request, net, source, frozen, host, &mut warnings)?;
        if let Some(metadata) = metadata {
            let others = host.machines.iter().filter(|machine| machine.name != name.as_str());
            let others: Vec<&Machine> = others.collect();
            options.settings = fidelity::options(metadata, host.version, &options, &others, host.is_several);
        }
        let (known, reach) = (options.clone(), Reach::asked_by(&options));
        Ok(Self { name, options, known, reach, warnings })
    }
}

/// What a live artifact carries of a VM's configuration: all of it.
fn carried(frozen: &Configuration) -> CreateOptions {
    CreateOptions {
        net: frozen.network && frozen.network_known,
        allow_cidrs: frozen.allowed_cidrs.clone().filter(|_| frozen.network_known).unwrap_or_default(),
        ports: frozen.ports.clone().unwrap_or_default(),
        ..CreateOptions::default()
    }
}

/// The labels that it was frozen with, and those that the user adds.
fn labels(request: &Request, frozen: Option<&Configuration>) -> Vec<String> {
    let mut labels = frozen.map(|frozen| frozen.labels.clone()).unwrap_or_default();
    labels.extend(request.labels.clone());
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

/// The storage disk, which cannot be smaller than its content.
fn storage(request: &Request, frozen: Option<&Configuration>) -> Result<Option<u64>> {
    let (Some(asked), Some(frozen)) = (request.storage_gb, frozen) else {
        return Ok(request.storage_gb.or(frozen.and_then(|frozen| frozen.storage_gb)));
    };
    let least = frozen.storage_gb.unwrap_or(DEFAULT_STORAGE);
    if asked >= least {
        return Ok(Some(asked));
    }
    let what = format!("the storage disk was frozen with {least} GiB, and a disk cannot shrink");
    Err(Failure::new(Status::Usage, what).state("no VM was made").hint(format!("--storage {least}, or more")))
}

/// The VM as it was frozen, except where the user asks for something else.
fn options(
    request: &Request,
    net: bool,
    source: Source,
    frozen: Option<&Configuration>,
    host: &mut Host,
    warnings: &mut Vec<String>,
) -> Result<CreateOptions> {
    let (net, allow_cidrs) = network(net, &request.access.allow_cidrs, frozen, warnings);
    let has_labels = host.version.has(Fact::Labels) || !request.labels.is_empty();
    Ok(CreateOptions {
        cpus: request.cpus.or(frozen.map(|frozen| frozen.cpus)),
        memory_mib: request.memory_mib.or(frozen.map(|frozen| frozen.memory_mib)),
        storage_gb: storage(request, frozen)?,
        overlay_gb: frozen.and_then(|frozen| frozen.overlay_gb),
        net,
        allow_cidrs,
        ports: ports::of(request, frozen, &mut host.ports, warnings)?,
        volumes: volumes::of(&request.access, frozen, warnings)?,
        labels: if has_labels { labels(request, frozen) } else { Vec::new() },
        // The rest of the environment, values and all, is in the artifact.
        env: request.env.clone(),
        workdir: request.workdir.clone(),
        ..CreateOptions::of(source)
    })
}

/// The network that the user asks for; or that of the frozen VM, if it is known for sure that it had no less.
fn network(
    net: bool,
    allow_cidrs: &[String],
    frozen: Option<&Configuration>,
    warnings: &mut Vec<String>,
) -> (bool, Vec<String>) {
    if net || !allow_cidrs.is_empty() {
        return (net, allow_cidrs.to_vec());
    }
    let Some(frozen) = frozen.filter(|frozen| frozen.network) else { return (false, Vec::new()) };
    let cidrs = frozen.allowed_cidrs.clone().unwrap_or_default();
    if frozen.network_known {
        return (true, cidrs);
    }
    let flags: Vec<String> = cidrs.iter().map(|cidr| format!("--allow-cidr {cidr}")).collect();
    let give = if flags.is_empty() { "--net".to_owned() } else { flags.join(" ") };
    warnings.push(format!(
        "the network of the new VM is off, because some limits of the frozen one are unknown ({give} enables it)"
    ));
    (false, Vec::new())
}
