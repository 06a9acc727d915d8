//! Step 3 of a freeze: what its user must agree to before any VM is stopped.

use super::Args;
use super::{Freeze, FreezeTarget};
use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::smolvm::{Machine, State};

/// Asks about each VM that does not answer: what its guest has not written to disk is lost, and `--yes` is no word for
/// that. Those that are frozen; each of the others is a failure of its own.
pub fn about_silent_ones<'a>(
    app: &App,
    args: &Args,
    ready: Vec<Freeze<'a>>,
    mut refuse: impl FnMut(&'a FreezeTarget, Failure),
) -> Result<Vec<Freeze<'a>>> {
    let hint = if args.yes { "--allow-unresponsive" } else { "--yes --allow-unresponsive" };
    let mut agreed = Vec::new();
    for mut freeze in ready {
        if freeze.vm.state == State::Unreachable && !args.allow_unresponsive {
            let state = format!("'{}' does not answer", freeze.name);
            let lost = "What its guest has not written to disk is lost, and so are RAM and tmpfs (/tmp, /run).";
            let question = format!("{state}. Stop it all the same and freeze it? {lost}");
            match app.ask(&question, &format!("{hint} answers this question"), &format!("{state}; nothing was changed"))
            {
                Ok(()) => freeze.is_agreed = true,
                Err(failure) if matches!(failure.status, Status::Interrupted(_)) => return Err(failure),
                Err(failure) => {
                    refuse(freeze.target, failure);
                    continue;
                }
            }
        }
        agreed.push(freeze);
    }
    Ok(agreed)
}

/// Asks once about all the others that stop.
pub fn about_stopping(app: &App, all: &[Freeze], yes: bool) -> Result<()> {
    let stops = |freeze: &&Freeze| freeze.stops() && !freeze.is_agreed;
    let up: Vec<&Machine> = all.iter().filter(stops).map(|freeze| &freeze.vm).collect();
    let list: Vec<String> = up.iter().map(|vm| format!("'{}' is {}", vm.name, vm.state)).collect();
    let (list, them) = (list.join(", "), if up.len() == 1 { "it" } else { "them" });
    if up.is_empty() {
        return Ok(());
    }
    let question = format!("{list}. Stop {them} and freeze {them}? RAM and tmpfs (/tmp, /run) are not kept.");
    app.confirm(&question, yes, &format!("{list}; nothing was changed"))
}
