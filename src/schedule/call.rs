//! Runs the commands of a scheduler.

use std::io;
use std::process::{Command, Stdio};

/// Runs a command that prints nothing we need.
///
/// # Errors
/// It cannot be run, or fails; with what it said.
pub fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("`{program} {}` failed: {}", arguments.join(" "), said.trim())))
}
