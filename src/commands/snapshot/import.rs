//! `snapshot import`: add an exported snapshot to the library.

use super::print::arrived;
use crate::app::App;
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::{Incoming, Origin};
use crate::operations::arrival::take_in;
use crate::smolvm::Name;
use crate::stream;
use crate::terminal::Warnings;
use clap::ValueHint;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

/// Import an exported snapshot into the library, and check it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bottle-freeze snapshot import dev-ready.tar\n  \
    bottle-freeze snapshot import dev-ready.tar --as dev2\n  \
    zstd -dc dev.tar.zst | bottle-freeze snapshot import -")]
pub struct Args {
    /// File that `snapshot export` wrote; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Store it as a snapshot of this VM [default: the VM that was frozen]
    #[arg(long = "as", value_name = "VM", add = Offer::FrozenVms)]
    pub vm: Option<Name>,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    app.on_snapshot(&args.file.display(), |app| app.with_warnings(|warnings| import(app, args, warnings)))
}

fn import(app: &App, args: &Args, warnings: &Warnings) -> Result<()> {
    if stream::is_stream(&args.file) && io::stdin().is_terminal() {
        let what = "standard input is a terminal, and a snapshot is not text";
        return Err(Failure::new(Status::Usage, what).hint("pipe `bottle-freeze snapshot export VM -o -` into it"));
    }
    let (from, source) = (args.file.display().to_string(), stream::source_name(&args.file));
    let unpack = || Incoming::unpack(&args.file, &app.signals);
    let incoming = app.terminal.during("import", &format!("reading {source}"), unpack)?;
    let one = take_in(app, incoming, Origin::elsewhere("imported", &source), args.vm.as_ref(), warnings)?;
    arrived(app, "imported", &one, from, warnings);
    Ok(())
}
