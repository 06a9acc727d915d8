//! Step 3 of a freeze: what the user must confirm before any VM is stopped.

use super::context::{Context, Freeze, Job};
use super::plan::Step;
use super::request::Restart;
use crate::error::{Failure, Result};
use crate::smolvm::State;

/// Asks about each VM that does not answer, which `--yes` does not confirm, and once about all others that stop. Gives the
/// VMs to freeze; `refuse` gets each of the first kind that the user does not confirm.
///
/// # Errors
/// The user does not confirm that the others stop, or interrupts a question.
pub fn ask<'a>(cx: Context, all: Vec<Freeze<'a>>, mut refuse: impl FnMut(&Job, Failure)) -> Result<Vec<Freeze<'a>>> {
    let is_silent = |freeze: &Freeze| freeze.vm.state == State::Unreachable && !cx.request.allow_unresponsive;
    let (silent, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_silent);
    let mut confirmed = Vec::new();
    for freeze in silent {
        match ask_about_silent(&freeze) {
            Ok(()) => confirmed.push(freeze),
            Err(failure) if failure.is_interrupted() => return Err(freeze.job.about(failure)),
            Err(failure) => refuse(freeze.job, failure),
        }
    }
    ask_about_stopping(cx, &others)?;
    confirmed.extend(others);
    confirmed.sort_by(|a, b| a.job.name.cmp(&b.job.name));
    Ok(confirmed)
}

/// What the guest has not written to disk is lost.
fn ask_about_silent(freeze: &Freeze) -> Result<()> {
    let hint = if freeze.cx.request.yes { "--allow-unresponsive" } else { "--yes --allow-unresponsive" };
    let state = format!("'{}' does not answer", freeze.job.name);
    let lost = "What its guest has not written to disk is lost, and so are RAM and tmpfs (/tmp, /run).";
    let question = format!("{state}. Stop it anyway and freeze it? {lost}");
    freeze.cx.app.ask(&question, &format!("{hint} answers this question"), &format!("{state}; nothing was changed"))
}

fn ask_about_stopping(cx: Context, all: &[Freeze]) -> Result<()> {
    let up: Vec<&Freeze> = all.iter().filter(|freeze| freeze.plan.has(&Step::Stop)).collect();
    if up.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = up.iter().map(|Freeze { vm, .. }| format!("'{}' is {}", vm.name, vm.state)).collect();
    let list = list.join(", ");
    let (stops, stays, starts) = match up[..] {
        [_] => {
            ("Stop it and freeze it?", "It stays stopped (--restart starts it again).", "It starts again after that.")
        }
        _ => (
            "Stop them and freeze them?",
            "They stay stopped (--restart starts them again).",
            "They start again after that.",
        ),
    };
    let left = if cx.request.restart == Restart::Always { starts } else { stays };
    let question = format!("{list}. {stops} {left} RAM and tmpfs (/tmp, /run) are not kept.");
    cx.app.confirm(&question, cx.request.yes, &format!("{list}; nothing was changed")).map_err(|failure| match up[..] {
        [one] => one.job.about(failure),
        _ => failure,
    })
}
