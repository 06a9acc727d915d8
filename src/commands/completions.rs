//! `completions`: print the script that makes a shell ask this program what TAB completes to.

use crate::app::App;
use crate::completion::shells;
use crate::error::{Failure, Result, Status};
use std::io;
use std::path::Path;

/// Print the shell completion script
///
/// It completes the names of VMs, snapshots, tags and images too.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  source <(bottle-freeze completions bash)\n  \
    source <(bottle-freeze completions zsh)\n  bottle-freeze completions fish | source")]
pub struct Args {
    /// The shell
    pub shell: clap_complete::Shell,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let script = program().and_then(|program| shells::registration(&args.shell.to_string(), &program));
    let script = script.map_err(|error| Failure::new(Status::Failed, format!("the script cannot be made: {error}")))?;
    app.terminal.lines([script.trim_end().to_owned()]);
    Ok(())
}

/// How the shell calls this program: by its path only if it was called by one; `PATH` will find it later, too.
fn program() -> io::Result<String> {
    let called = std::env::args_os().next().unwrap_or_else(|| "bottle-freeze".into());
    let is_path = Path::new(&called).components().count() > 1;
    let called = if is_path { std::path::absolute(&called)?.into_os_string() } else { called };
    Ok(called.to_string_lossy().into_owned())
}
