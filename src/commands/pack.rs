//! `pack`: pack an image into a file from which you can make VMs.

use crate::app::App;
use crate::commands::args::{Wait, mebibytes};
use crate::completion::Offer;
use crate::error::{Failure, Result, Status};
use crate::library::Target;
use crate::operations::{lock, packed, start};
use crate::quoted::quoted;
use crate::report::{JsonPath, Packed};
use crate::smolvm::{PackOptions, end_helpers, follow};
use clap::{ArgAction, ValueHint};
use std::path::PathBuf;
use std::time::Instant;

/// Pack an image into a file from which you can make VMs
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze pack alpine:3.20 -o alpine.smolmachine\n  \
    bottle-freeze pack ./rootfs -o base.smolmachine --cpus 2 --mem 1024")]
pub struct Args {
    /// OCI image, `docker save` archive or unpacked rootfs folder
    #[arg(add = Offer::Images)]
    pub image: String,
    /// File to write: X.smolmachine, or a name without an ending for a launcher and NAME.smolmachine beside it
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Virtual CPUs for VMs made from it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Memory for VMs made from it, in MiB or with a unit (2G)
    #[arg(long, value_name = "SIZE", value_parser = mebibytes)]
    pub mem: Option<u64>,
    /// Replace the files at OUT
    #[arg(short, long, action = ArgAction::SetTrue)]
    pub force: bool,
    #[command(flatten)]
    pub wait: Wait,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let began = Instant::now();
    packed::check_output(&args.output)?;
    let output = Target::new(&args.output, args.force)?;
    let _lock = lock::output(app, &output, args.wait.wait)?;
    output.preflight()?;
    let engine = app.engine()?;
    start::check_packing(&engine)?;
    let image = image(&args.image)?;
    let work = output.staging()?;
    let _leaves = packed::leaves(app, &work);
    let packing = PackOptions {
        folder: work.path(),
        launcher: &work.launcher(),
        cpus: args.cpus,
        memory_mib: args.mem,
        smolfile: None,
        include_workspace: false,
    };
    let mut progress = app.terminal.progress("pack", &format!("packing {}", args.image), Some(work.path()));
    let (packed, followed) = follow(&work.sidecar(), &app.signals, || {
        engine.pack_create(&image, &packing, &mut |step| packed::show_step(&mut progress, step))
    });
    progress.end(packed.is_ok());
    if packed.is_err() {
        end_helpers(work.path());
    }
    packed?;
    let artifact = packed::check(app, &work, followed)?.artifact;
    output.flush(&work)?;
    app.signals.check()?;
    output.publish(&work)?;
    let sidecar = output.sidecar().display().to_string();
    let (size, next) = (packed::size(artifact.bytes), format!("create NAME --from {}", quoted(&sidecar)));
    let launcher = output.launcher().map(|path| format!(" and the launcher {}", path.display())).unwrap_or_default();
    let text =
        format!("packed {} as {sidecar}{launcher} ({size}); make a VM of it with: bottle-freeze {next}", args.image);
    app.terminal.result(output.sidecar(), &text);
    app.terminal.report(&Packed {
        image: args.image.clone(),
        sidecar: JsonPath(output.sidecar().into()),
        launcher: output.launcher().map(|path| JsonPath(path.into())),
        bytes: artifact.bytes,
        crc32: format!("{:08x}", artifact.crc32),
        seconds: began.elapsed().as_secs_f64(),
    });
    packed::answer_signal(app, &output.name())
}

/// The image for the engine: an absolute path if it begins like a path, because the engine runs in another folder;
/// otherwise the name of an image in a registry.
fn image(asked: &str) -> Result<String> {
    if !["/", "./", "../"].iter().any(|begin| asked.starts_with(begin)) {
        return Ok(asked.to_owned());
    }
    let path = std::fs::canonicalize(asked)
        .map_err(|error| Failure::new(Status::NotFound, format!("the image {asked} cannot be read: {error}")))?;
    path.into_os_string().into_string().map_err(|_| Failure::new(Status::Usage, "the image's path is not UTF-8"))
}
