//! Asks for confirmation of the network, ports and host folders that a snapshot opens, unless the frozen VM is known to have
//! had them: another host may have written the record of a snapshot from elsewhere.

use crate::app::App;
use crate::error::Result;
use crate::library::Metadata;
use crate::operations::resolve::Checked;
use crate::quoted::quoted;

/// What the user lets the new VM reach.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// All of the network.
    pub net: bool,
    /// Only these networks.
    pub allow_cidrs: Vec<String>,
    /// The ports to publish.
    pub ports: Ports,
    /// The host folders to mount; `None`: the recorded ones.
    pub volumes: Option<Vec<String>>,
}

/// The ports that a new VM publishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ports {
    /// The recorded ones.
    #[default]
    Recorded,
    /// The recorded ones, each at a port of this host that is free.
    Free,
    /// These.
    Given(Vec<String>),
}

/// What a VM made from the snapshot would open.
#[derive(Debug, Default, PartialEq, Eq)]
struct Opens {
    /// The network that its artifact enables without an option; empty: all of it.
    by_itself: Option<Vec<String>>,
    /// The network that is restored from its record; empty: all of it.
    recorded: Option<Vec<String>>,
    /// The ports that it publishes.
    ports: Vec<String>,
    /// The host folders that it mounts.
    volumes: Vec<String>,
}

/// Asks the user to confirm what the snapshot opens, except for what `asked` allows. `restores` says whether the VM gets the
/// recorded network, ports and host folders. Returns whether the artifact itself enables a network, which is then confirmed.
pub fn check(app: &App, checked: &Checked, asked: &Access, restores: bool) -> Result<bool> {
    let opens = Opens::of(checked, restores);
    let by_itself = opens.by_itself.is_some();
    let is_live = checked.artifact.manifest.is_live();
    let opens = opens.without(asked, is_live);
    if opens == Opens::default() {
        return Ok(by_itself);
    }
    let question = format!("{}. Make the VM?", opens.sentence(checked));
    app.ask(&question, &opens.options(is_live, checked), "no VM was made")?;
    Ok(by_itself)
}

impl Opens {
    fn of(checked: &Checked, restores: bool) -> Self {
        let (manifest, metadata) = (&checked.artifact.manifest, checked.stored().map(|stored| &stored.metadata));
        let is_own = metadata.is_some_and(Metadata::is_own);
        let machine = metadata.map(|metadata| &metadata.machine);
        let is_known = machine.is_some_and(|machine| machine.network_known);
        let foreign = machine.filter(|_| !is_own);
        let recorded = foreign.filter(|machine| restores && !manifest.is_live() && machine.network && is_known);
        let ports = match foreign {
            _ if is_own => Vec::new(),
            _ if manifest.is_live() => manifest.live_ports(),
            Some(machine) if restores => machine.ports.clone().unwrap_or_default(),
            _ => Vec::new(),
        };
        let mounts = foreign.filter(|_| restores && !manifest.is_live());
        Self {
            by_itself: (manifest.network && !(is_own && is_known)).then(|| manifest.live_allowed_cidrs()),
            recorded: recorded.map(|machine| machine.allowed_cidrs.clone().unwrap_or_default()),
            ports,
            volumes: mounts.and_then(|machine| machine.volumes.clone()).unwrap_or_default(),
        }
    }

    /// Removes what the user asked for.
    fn without(self, asked: &Access, is_live: bool) -> Self {
        // A live snapshot continues with its own network and ports: the user can only accept them.
        let has_network = asked.net || (!is_live && !asked.allow_cidrs.is_empty());
        let is_left = |port: &String| match &asked.ports {
            Ports::Given(ports) => is_live && !ports.contains(port),
            Ports::Free => false,
            Ports::Recorded => true,
        };
        Self {
            by_itself: self.by_itself.filter(|_| !has_network),
            recorded: self.recorded.filter(|_| !has_network),
            ports: self.ports.into_iter().filter(is_left).collect(),
            volumes: if asked.volumes.is_some() { Vec::new() } else { self.volumes },
        }
    }

    /// What it opens, and where it comes from.
    fn sentence(&self, checked: &Checked) -> String {
        let network = |networks: &[String]| match networks {
            [] => "all of the network".to_owned(),
            some => format!("the network {}", some.join(", ")),
        };
        let mut parts = Vec::new();
        parts.extend(
            self.by_itself
                .as_deref()
                .map(|networks| format!("it enables {}, and not all limits of it are known", network(networks))),
        );
        parts.extend(self.recorded.as_deref().map(|networks| format!("its VM gets {}", network(networks))));
        parts.extend((!self.ports.is_empty()).then(|| format!("its VM publishes the ports {}", self.ports.join(", "))));
        let folders = self.volumes.join(", ");
        parts.extend((!folders.is_empty()).then(|| format!("its VM mounts folders of this host: {folders}")));
        let foreign = checked.stored().map(|stored| &stored.metadata).filter(|metadata| !metadata.is_own());
        let phrase = foreign.map(|metadata| format!(" {}", metadata.origin_phrase()));
        let origin = format!("{}{}", checked.name(), phrase.unwrap_or_default());
        format!("{origin}: {}", parts.join("; "))
    }

    /// The options that answer the question.
    fn options(&self, is_live: bool, checked: &Checked) -> String {
        let mut words = Vec::new();
        if self.by_itself.is_some() {
            words.push(if is_live {
                "--net accepts that".to_owned()
            } else {
                "--net accepts that, --allow-cidr limits it".into()
            });
        }
        words.extend(self.recorded.as_ref().map(|networks| match networks.as_slice() {
            [] => "--net enables the network".to_owned(),
            some => {
                let flags: Vec<_> = some.iter().map(|network| format!("--allow-cidr {}", quoted(network))).collect();
                format!("{} enables the network", flags.join(" "))
            }
        }));
        if !self.ports.is_empty() {
            let flags: Vec<_> = self.ports.iter().map(|port| format!("-p {}", quoted(port))).collect();
            words.push(format!("{} publishes the ports", flags.join(" ")));
        }
        if !self.volumes.is_empty() {
            let flags: Vec<_> = self.volumes.iter().map(|volume| format!("--volume {}", quoted(volume))).collect();
            words.push(format!("{} mounts the folders, --no-volumes does not", flags.join(" ")));
        }
        if let (Some(stored), false) = (checked.stored(), is_live || self.by_itself.is_some()) {
            words.push(format!("bottle-freeze create NAME --from {} makes a VM without them", stored.reference()));
        }
        words.join("; ")
    }
}
