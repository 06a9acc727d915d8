//! `snapshot export` and `snapshot import`: one file, for machines without a registry.

use super::{App, Failure, Result, Status, found, output, verify};
use crate::cli;
use crate::smolvm::{Name, end_helpers};
use crate::snapshot::{Incoming, TransportError, export as export_to};

pub fn export(app: &App, args: &cli::SnapshotExport) -> Result<()> {
    let one = found::stored(&args.snapshot)?;
    let reference = one.reference();
    app.ui.during(&format!("checking {reference}"), || verify::snapshot(&one.folder, &one.metadata))?;
    app.ui.during(&format!("exporting {reference}"), || export_to(&one, &args.output, args.force, &end_helpers))?;
    let size = output::size(one.bytes());
    app.ui.success(&format!("exported {reference} as {} ({size})", args.output.display()));
    Ok(())
}

pub fn import(app: &App, args: &cli::SnapshotImport) -> Result<()> {
    let mut incoming =
        app.ui.during(&format!("reading {}", args.file.display()), || Incoming::unpack(&args.file, &end_helpers))?;
    if let Some(name) = &args.vm {
        name.as_str().clone_into(&mut incoming.metadata.vm);
    }
    let metadata = &incoming.metadata;
    let is_id = !metadata.id.is_empty() && metadata.id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if metadata.vm.parse::<Name>().is_err() || !is_id {
        let what = format!("{} is no exported snapshot: it names no VM or no id", args.file.display());
        return Err(Failure::new(Status::Damaged, what));
    }
    app.ui.during("checking the snapshot", || verify::snapshot(&incoming.folder(), metadata)).map_err(|failure| {
        let why = failure.what.replace(&format!("{}/", incoming.folder().display()), "");
        Failure { what: format!("{}: {why}", args.file.display()), ..failure }
    })?;
    let one = incoming.publish()?;
    app.ui.success(&format!("imported {0}; thaw it with: bottle-freeze thaw {0}", one.reference()));
    Ok(())
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        let what = error.to_string();
        match error {
            TransportError::Exists(_) => Self::new(Status::OutputExists, what),
            TransportError::NotExported { .. } => Self::new(Status::Damaged, what),
            TransportError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::new(Status::NoSuchVm, what)
            }
            TransportError::Io { .. } => Self::new(Status::NotWritable, what),
        }
    }
}
