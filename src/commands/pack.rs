//! `pack`: an image, as a file that VMs can be made from.

use super::{App, Result, output};
use crate::cli;
use crate::smolvm::Packing;
use crate::snapshot::Output;

pub fn run(app: &App, args: &cli::Pack) -> Result<()> {
    let output = Output::new(&args.output, args.force)?;
    output.preflight()?;
    let engine = app.engine()?;
    // The pack runs in a folder of its own, from where a relative path would lead elsewhere.
    let image = match std::fs::canonicalize(&args.image) {
        Ok(local) => local.to_string_lossy().into_owned(),
        Err(_) => args.image.clone(),
    };
    let work = output.work()?;
    let packing = Packing {
        folder: work.path(),
        launcher: &work.launcher(),
        cpus: args.cpus,
        memory_mib: args.mem,
        smolfile: None,
        include_workspace: false,
    };
    let mut progress = app.ui.progress(&format!("packing {}", args.image), Some(work.path()));
    let packed = engine.pack_create(&image, &packing, &mut |line| output::tell(&mut progress, line));
    drop(progress);
    packed?;
    let artifact = output::check(&work)?;
    output.publish(&work)?;
    app.ui.success(&format!(
        "packed {} as {} ({})",
        args.image,
        output.sidecar().display(),
        output::size(artifact.bytes)
    ));
    Ok(())
}
