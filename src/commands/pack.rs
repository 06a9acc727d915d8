//! `pack`: an image, as a file that VMs can be made from.

use super::{App, Result, lock, output};
use crate::cli;
use crate::interrupt;
use crate::smolvm::{EngineError, Packing, end_helpers};
use crate::snapshot::Output;

pub fn run(app: &App, args: &cli::Pack) -> Result<()> {
    let output = Output::new(&args.output, args.force)?;
    let _lock = lock::output(app, &output, args.wait.wait)?;
    output.preflight(&end_helpers)?;
    let engine = app.engine()?;
    // The pack runs in a folder of its own, from where a relative path would lead elsewhere.
    let image = match std::fs::canonicalize(&args.image) {
        Ok(local) => local.to_string_lossy().into_owned(),
        Err(_) => args.image.clone(),
    };
    let work = output.work(&end_helpers)?;
    let _leaves = output::leaves(&work);
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
    if packed.is_err() {
        end_helpers(work.path());
    }
    packed?;
    let (artifact, _) = output::check(&work)?;
    output.flush(&work)?;
    if let Some(signal) = interrupt::pending() {
        return Err(EngineError::Interrupted(signal).into());
    }
    output.publish(&work)?;
    app.ui.success(&format!(
        "packed {} as {} ({})",
        args.image,
        output.sidecar().display(),
        output::size(artifact.bytes)
    ));
    Ok(())
}
