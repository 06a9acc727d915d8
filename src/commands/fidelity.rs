//! What a VM made from a snapshot lacks of the one that was frozen: named at the freeze, and again at the thaw.

use super::{Failure, Result, Status};
use crate::smolvm::Name;
use crate::smolvm::artifact::Manifest;
use crate::ui::Warnings;

/// The warning of a freeze whose snapshot does not hold these secrets.
pub fn secrets_left_out(secrets: &[String]) -> String {
    let names = secrets.join(", ");
    format!(
        "the snapshot will not hold references to secrets of this host, because smolvm refuses them in a snapshot: {names} \
         (in a thawed VM, `bottle-freeze exec {}` sets them for one command)",
        as_options(secrets)
    )
}

/// Warns of the secrets that a VM made from such a snapshot lacks.
pub fn warn_of_missing_secrets(name: &Name, manifest: &Manifest, warnings: &Warnings) {
    let secrets = &manifest.lacks_secrets;
    if secrets.is_empty() {
        return;
    }
    let names = secrets.join(", ");
    let command = format!("bottle-freeze exec {} {name} -- COMMAND", as_options(secrets));
    let what = format!("the frozen VM had secrets that '{name}' lacks: {names}");
    warnings.warn(format!("{what} (`{command}` sets them for one command)"));
}

fn as_options(names: &[String]) -> String {
    names.iter().map(|name| format!("-e {name}")).collect::<Vec<_>>().join(" ")
}

/// Whether this host can run what the artifact holds. The engine refuses it too, but only when a VM that is replaced is
/// gone already.
pub fn check_host(manifest: &Manifest) -> Result<()> {
    match manifest.is_foreign() {
        None => Ok(()),
        Some(why) => Err(Failure::new(Status::Failed, format!("the snapshot cannot become a VM here: {why}"))
            .now("no VM was made")
            .mend("thaw it on a host of that kind")),
    }
}
