//! `exec`: run a command in a guest, as if it ran here.

use crate::app::App;
use crate::commands::args::duration;
use crate::commands::env::{self, Env};
use crate::completion::Offer;
use crate::error::Result;
use crate::operations::exec::{exec, not_begun};
use crate::smolvm::{Exec, Name, State};
use clap::ValueHint;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// Run a command in a VM
///
/// Exits with the command's own status: 128 + N if signal N killed it, 124 if --timeout passed, 127 if the guest has no
/// such command, 125 if bottle-freeze or the engine failed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze exec dev -- uname -a\n  bottle-freeze exec -it dev -- sh\n  \
    bottle-freeze exec -e TOKEN --timeout 5m dev -- ./deploy.sh\n  tar -c src | bottle-freeze exec -i dev -- tar -x -C /root")]
pub struct Args {
    /// Pass standard input to the command
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Folder in the guest in which to run the command
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
    #[command(flatten)]
    pub env: Env,
    /// Kill the command after this time (2s, 5m …)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// VM in which to run the command
    #[arg(add = Offer::Vms(|state| *state == State::Running))]
    pub name: Name,
    /// Command and arguments; `--` before it is needed only if it begins with `-`
    #[arg(trailing_var_arg = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

pub fn run(app: &App, args: &Args) -> Result<ExitCode> {
    let command = Exec {
        command: args.command.clone(),
        stdin: args.interactive,
        tty: args.tty,
        workdir: args.workdir.clone(),
        timeout: args.timeout,
    };
    app.on_vm(&args.name, |app| {
        let env = env::read(&args.env, &app.signals).map_err(not_begun)?;
        exec(app, &args.name, &command, &env)
    })
}
