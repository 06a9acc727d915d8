//! `completions`: what a shell's user sources, so that the shell asks this program what may stand where TAB is pressed.

use crate::app::App;
use crate::completion::shells;
use crate::error::{Failure, Result, Status};

/// Print the shell completion script
///
/// It completes the names of VMs, snapshots, tags and images too.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  source <(bottle-freeze completions bash)\n  \
    source <(bottle-freeze completions zsh)\n  bottle-freeze completions fish | source")]
pub struct Args {
    /// The shell
    pub shell: clap_complete::Shell,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let mut script = Vec::new();
    shells::write_script(&args.shell.to_string(), &mut script)
        .map_err(|error| Failure::new(Status::Failed, format!("the script cannot be made: {error}")))?;
    app.terminal.lines([String::from_utf8_lossy(&script).trim_end().to_owned()]);
    Ok(())
}
