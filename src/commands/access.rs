//! The options for the network, ports and host folders of a thawed VM.

use crate::error::{Failure, Result, Status};
use crate::operations::consent::{Access, Ports};
use crate::operations::several::distinct;

/// The value of `--port` for the recorded ports, at free ports of this host.
const AUTO: &str = "auto";

/// What a thawed VM reaches, if not what the frozen one did.
#[derive(Debug, clap::Args)]
pub struct Reaches {
    /// Enable the network, without limits
    #[arg(long)]
    pub net: bool,
    /// Enable the network, limited to this CIDR block (repeatable) [default: as frozen]
    #[arg(long, hide_short_help = true, value_name = "CIDR")]
    pub allow_cidr: Vec<String>,
    /// Publish this port, and none of the recorded ones (repeatable); auto: publish those, each at its own port of this host or
    /// at the next one that is free [default: as frozen]
    #[arg(short, long, value_name = "HOST[:GUEST]|auto", hide_short_help = true)]
    pub port: Vec<String>,
    /// Publish no port
    #[arg(long, conflicts_with = "port", hide_short_help = true)]
    pub no_ports: bool,
    /// Mount this host folder, and none of the recorded ones (repeatable) [default: as frozen]
    #[arg(long, value_name = "HOST:GUEST[:ro]", hide_short_help = true)]
    pub volume: Vec<String>,
    /// Mount no host folder
    #[arg(long, conflicts_with = "volume", hide_short_help = true)]
    pub no_volumes: bool,
}

impl Reaches {
    /// What they ask for.
    ///
    /// # Errors
    /// `-p auto` beside another port.
    pub fn access(self) -> Result<Access> {
        let ports = distinct(&self.port);
        let is_auto = ports.iter().any(|port| port == AUTO);
        if is_auto && ports.len() > 1 {
            let what = "-p auto publishes the recorded ports, and none beside them";
            return Err(Failure::new(Status::Usage, what).hint("give either -p auto, or each port"));
        }
        let ports = match ports {
            _ if is_auto => Ports::Free,
            ports if ports.is_empty() && !self.no_ports => Ports::Recorded,
            ports => Ports::Given(ports),
        };
        // Options that are not given leave what was recorded.
        let volumes = (self.no_volumes || !self.volume.is_empty()).then(|| distinct(&self.volume));
        Ok(Access { net: self.net, allow_cidrs: distinct(&self.allow_cidr), ports, volumes })
    }
}
