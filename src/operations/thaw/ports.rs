//! The ports that a thawed VM publishes, as `HOST[:GUEST][/udp]`.

use super::request::Request;
use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::{Configuration, Lock};
use crate::operations::consent::Ports;
use crate::operations::{configuration, lock};
use crate::smolvm::{Machine, Smolvm};
use std::collections::BTreeSet;
use std::io;
use std::net::{TcpListener, UdpSocket};

/// The ports of this host, as far as VMs have them.
#[derive(Debug, Default)]
pub(super) struct HostPorts {
    /// Those of other VMs, whether they run or not, and those given to the VMs of this run.
    taken: BTreeSet<u16>,
    /// Those that the VM that is replaced holds until then.
    released: BTreeSet<u16>,
    /// No other run looks for free ports meanwhile.
    _lock: Option<Lock>,
}

impl HostPorts {
    /// As these VMs have them, one of which is replaced. Where the request is for free ports, other runs that look for some
    /// wait until this one is dropped: they would choose the same.
    ///
    /// # Errors
    /// Another run looks for free ports for longer than a start may take, or the VMs cannot be listed again.
    pub(super) fn of(
        app: &App,
        engine: &Smolvm,
        request: &Request,
        machines: &[Machine],
        replaced: Option<&Machine>,
    ) -> Result<Self> {
        let is_auto = request.access.ports == Ports::Free;
        let lock = if is_auto { lock::if_possible(lock::ports(app, request.timeout))? } else { None };
        let now = if is_auto { engine.machine_ls()? } else { machines.to_vec() };
        let ports = |machine: &Machine| configuration::of(machine, engine.version()).ports.unwrap_or_default();
        let hosts = |machine| ports(machine).into_iter().filter_map(|port| Some(Port::read(&port)?.host));
        let have = now.iter().filter(|machine| machine.ports > 0);
        let others = have.filter(|machine| replaced.is_none_or(|replaced| replaced.name != machine.name));
        let taken = others.flat_map(hosts).collect();
        let up = replaced.filter(|machine| machine.state.is_up());
        Ok(Self { taken, released: up.into_iter().flat_map(hosts).collect(), _lock: lock })
    }

    /// Whether the VM can publish it. The engine judges a range, and what is not understood.
    fn is_free(&self, port: &str) -> bool {
        let in_use = |error: io::Error| error.kind() == io::ErrorKind::AddrInUse;
        Port::read(port).is_none_or(|port| self.released.contains(&port.host) || !port.bind().is_err_and(in_use))
    }

    /// The same port of the guest, at this or the next port of the host that is free.
    fn next(&mut self, port: &str) -> Result<String> {
        let refused = |what: &str| Failure::new(Status::Usage, format!("{what} {port}")).state("no VM was made");
        let port = Port::read(port).ok_or_else(|| {
            refused("-p auto publishes single ports, which is not").hint("give each with -p HOST:GUEST")
        })?;
        let is_free = |port: &Port| {
            let released = self.released.contains(&port.host);
            !self.taken.contains(&port.host) && (released || port.bind().is_ok())
        };
        let all = (port.host..=u16::MAX).chain(1024..port.host).map(|host| Port { host, ..port });
        let free = all.into_iter().find(is_free).ok_or_else(|| refused("no port of this host is free for"))?;
        self.taken.insert(free.host);
        Ok(free.written())
    }
}

/// A published port.
#[derive(Debug, Clone, Copy)]
struct Port {
    host: u16,
    guest: u16,
    is_udp: bool,
}

impl Port {
    /// Nothing for a range, or what is not understood.
    fn read(text: &str) -> Option<Self> {
        let (ports, is_udp) = text.strip_suffix("/udp").map_or((text, false), |ports| (ports, true));
        let (host, guest) = ports.split_once(':').unwrap_or((ports, ports));
        Some(Self { host: host.parse().ok()?, guest: guest.parse().ok()?, is_udp })
    }

    fn written(self) -> String {
        format!("{}:{}{}", self.host, self.guest, if self.is_udp { "/udp" } else { "" })
    }

    /// Whether this host lets a program use it.
    fn bind(self) -> io::Result<()> {
        let address = ("127.0.0.1", self.host);
        if self.is_udp { UdpSocket::bind(address).map(drop) } else { TcpListener::bind(address).map(drop) }
    }
}

/// The ports that the user asks for; or those of the frozen VM, but for those in use here: with them it would not start.
///
/// # Errors
/// No port is free for one of them.
pub(super) fn of(
    request: &Request,
    frozen: Option<&Configuration>,
    host: &mut HostPorts,
    warnings: &mut Vec<String>,
) -> Result<Vec<String>> {
    if let Ports::Given(ports) = &request.access.ports {
        return Ok(ports.clone());
    }
    let is_auto = request.access.ports == Ports::Free;
    if frozen.map_or(is_auto, |frozen| frozen.ports.is_none()) {
        warnings.push("the ports of the frozen VM are unknown: the new one publishes none".into());
    }
    let ports = frozen.and_then(|frozen| frozen.ports.clone()).unwrap_or_default();
    if is_auto {
        return ports.iter().map(|port| host.next(port)).collect();
    }
    let (free, used): (Vec<_>, Vec<_>) = ports.into_iter().partition(|port| !request.start || host.is_free(port));
    if !used.is_empty() {
        let used = used.join(", ");
        warnings.push(format!("in use here, and so not published: {used} (-p auto finds ports that are free)"));
    }
    Ok(free)
}
