//! The VM that a thaw makes: its name, its options, and what the user should know.

use super::volumes;
use crate::error::{Failure, Result, Status};
use crate::library::Configuration;
use crate::operations::consent::Access;
use crate::operations::fidelity;
use crate::operations::make::Reach;
use crate::operations::resolve::Checked;
use crate::smolvm::{CreateOptions, DEFAULT_STORAGE, EnvVar, Fact, Machine, Name, Source, Version};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

/// What to thaw, and how. `None` and empty: as it was frozen.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct Request {
    /// The snapshot, as the user names it.
    pub snapshot: OsString,
    /// The key of the snapshot; then `snapshot` is its VM, or empty.
    pub key: Option<String>,
    /// The name of the new VM.
    pub name: Option<Name>,
    /// Start it.
    pub start: bool,
    /// Replace the VM of that name, which is frozen into the library first.
    pub replace: bool,
    /// Replace it without asking.
    pub yes: bool,
    /// Tag the VM that it replaces, so that `rollback --undo` finds it.
    pub undoable: bool,
    /// Keep the new VM even if it does not start.
    pub keep: bool,
    /// Virtual CPUs.
    pub cpus: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// Its storage disk in GiB.
    pub storage_gb: Option<u64>,
    /// Its network, ports and host folders.
    pub access: Access,
    /// Variables for its commands, beside those that it was frozen with.
    pub env: Vec<EnvVar>,
    /// Labels, beside those that it was frozen with.
    pub labels: BTreeMap<String, String>,
    /// The working folder of its commands.
    pub workdir: Option<String>,
    /// How long to wait until it runs commands.
    pub timeout: Duration,
}

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

impl Plan {
    /// Plans the VM, beside those that are there; `opens` says that the user agrees to the network that the artifact opens by
    /// itself.
    ///
    /// # Errors
    /// No name is possible, a host folder is missing, or the storage disk would shrink.
    pub fn make(
        request: &Request,
        opens: bool,
        snapshot: &Checked,
        machines: &[Machine],
        version: Version,
    ) -> Result<Self> {
        let metadata = snapshot.stored().map(|stored| &stored.metadata);
        let (artifact, frozen) = (snapshot.path(), metadata.map(|metadata| &metadata.machine));
        let name = name(request, snapshot, machines)?;
        let source = Source::Artifact(artifact.to_owned());
        if snapshot.artifact.manifest.is_live() {
            // Its artifact has all of it but the labels, and the engine takes nothing else.
            let options = CreateOptions { labels: labels(request, frozen), ..CreateOptions::of(source) };
            let known = frozen.map_or_else(|| options.clone(), carried);
            return Ok(Self { name, options, known, reach: Reach::of_live(snapshot), warnings: Vec::new() });
        }
        let mut warnings = Vec::new();
        let net = request.access.net || (opens && request.access.allow_cidrs.is_empty());
        let mut options = options(request, net, source, frozen, version, &mut warnings)?;
        if let Some(metadata) = metadata {
            let others: Vec<&Machine> = machines.iter().filter(|machine| machine.name != name.as_str()).collect();
            options.settings = fidelity::options(metadata, version, &options, &others);
        }
        let (known, reach) = (options.clone(), Reach::asked_by(&options));
        Ok(Self { name, options, known, reach, warnings })
    }
}

/// The name that the user asks for; or the frozen VM's own, or the file's, with a number if that is taken and not to be
/// replaced.
fn name(request: &Request, snapshot: &Checked, machines: &[Machine]) -> Result<Name> {
    match &request.name {
        Some(name) => Ok(name.clone()),
        None => free_name(&wanted_name(request, snapshot), if request.replace { &[] } else { machines }),
    }
}

/// The name that the user asks for; or the frozen VM's own, or the file's.
pub fn wanted_name(request: &Request, snapshot: &Checked) -> String {
    let own = || snapshot.stored().map(|stored| stored.metadata.vm.clone());
    let stem = || snapshot.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
    request.name.as_ref().map(Name::to_string).or_else(own).or_else(stem).unwrap_or_default()
}

/// This name, with a number if one of these VMs has it.
pub fn free_name(wanted: &str, machines: &[Machine]) -> Result<Name> {
    let is_free = |name: &Name| !machines.iter().any(|machine| machine.name == name.as_str());
    let names = (1..1000).map(|number| if number == 1 { wanted.to_owned() } else { format!("{wanted}-{number}") });
    names.filter_map(|name| name.parse().ok()).find(is_free).ok_or_else(|| {
        let what = format!("no VM can be named {wanted}");
        Failure::new(Status::Usage, what).hint("give the new VM a NAME")
    })
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
    version: Version,
    warnings: &mut Vec<String>,
) -> Result<CreateOptions> {
    let (net, allow_cidrs) = network(net, &request.access.allow_cidrs, frozen, warnings);
    let has_labels = version.has(Fact::Labels) || !request.labels.is_empty();
    Ok(CreateOptions {
        cpus: request.cpus.or(frozen.map(|frozen| frozen.cpus)),
        memory_mib: request.memory_mib.or(frozen.map(|frozen| frozen.memory_mib)),
        storage_gb: storage(request, frozen)?,
        overlay_gb: frozen.and_then(|frozen| frozen.overlay_gb),
        net,
        allow_cidrs,
        ports: ports(request, frozen, warnings),
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

/// The ports that the frozen VM published, except those in use here: with them it would not start.
fn ports(request: &Request, frozen: Option<&Configuration>, warnings: &mut Vec<String>) -> Vec<String> {
    if let Some(ports) = &request.access.ports {
        return ports.clone();
    }
    let Some(frozen) = frozen else { return Vec::new() };
    let ports = frozen.ports.clone().unwrap_or_else(|| {
        warnings.push("the ports of the frozen VM are unknown: the new one publishes none".into());
        Vec::new()
    });
    let (free, used): (Vec<_>, Vec<_>) = ports.into_iter().partition(|port| !request.start || is_free(port));
    if !used.is_empty() {
        warnings.push(format!("in use here, and so not published: {}", used.join(", ")));
    }
    free
}

/// Whether the host's side of `HOST[:GUEST][/udp]` is free. The engine judges a range, and what is not understood.
fn is_free(port: &str) -> bool {
    let (ports, is_udp) = port.strip_suffix("/udp").map_or((port, false), |ports| (ports, true));
    let host = ports.split(':').next().unwrap_or_default();
    let Ok(host) = host.parse::<u16>() else { return true };
    let in_use = |error: std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    if is_udp {
        !UdpSocket::bind(("127.0.0.1", host)).is_err_and(in_use)
    } else {
        !TcpListener::bind(("127.0.0.1", host)).is_err_and(in_use)
    }
}
