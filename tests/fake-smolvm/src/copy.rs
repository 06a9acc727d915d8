//! `machine cp`: one file, in or out.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ArgMatches;

use crate::commands::text;
use crate::{Engine, exec};

pub fn cp(engine: &Engine, args: &ArgMatches) -> Result<i32> {
    let src = text(args, "src").unwrap_or_default();
    let dst = text(args, "dst").unwrap_or_default();
    let (from, to) = match (guest_path(&src), guest_path(&dst)) {
        (Some((vm, path)), _) => (resolve(engine, vm, path)?, PathBuf::from(&dst)),
        (None, Some((vm, path))) => (PathBuf::from(&src), resolve(engine, vm, path)?),
        (None, None) => bail!(
            "config operation failed: cp: one of SRC or DST must use machine:path syntax \
             (e.g., myvm:/workspace/file)"
        ),
    };
    engine.faults.hit(engine, "before")?;
    if from.is_dir() {
        bail!("agent operation failed: cp: {src} is a directory");
    }
    std::fs::copy(&from, &to).with_context(|| format!("agent operation failed: cp: {src} to {dst}"))?;
    engine.faults.hit(engine, "after")?;
    Ok(0)
}

/// `machine:path`, as opposed to a path of the host with a colon in it.
fn guest_path(text: &str) -> Option<(&str, &str)> {
    text.split_once(':').filter(|(vm, _)| !vm.is_empty() && !vm.contains('/'))
}

fn resolve(engine: &Engine, vm: &str, path: &str) -> Result<PathBuf> {
    exec::connect(engine, vm)?;
    exec::on_disk(engine, vm, path).with_context(|| format!("fake-smolvm has only /root and /workspace, not '{path}'"))
}
