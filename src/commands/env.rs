//! Environment variables for a guest, from `-e` and `--env-file`.

use crate::error::{Failure, Result, Status};
use crate::signals::{Interrupted, Signals};
use crate::smolvm::EnvVar;
use crate::stream;
use clap::{Args, ValueHint};
use std::env::VarError;
use std::path::{Path, PathBuf};

/// Environment variables for a guest.
#[derive(Debug, Args)]
pub struct Env {
    /// Set a variable; without `=VALUE`, use its value in this environment (repeatable)
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub env: Vec<String>,
    /// Read variables from a file of KEY=VALUE lines (repeatable)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub env_file: Vec<PathBuf>,
}

/// The place of a variable from the command line, for messages.
const FLAG: &str = "--env";

/// The variables: those of files first, so that `-e` overrides them.
///
/// # Errors
/// A file cannot be read, or a variable is not valid or not set; a signal came.
pub fn read(args: &Env, signals: &Signals) -> Result<Vec<EnvVar>> {
    let mut vars = Vec::new();
    for path in &args.env_file {
        let text = read_file(path, signals)?;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                let place = format!("{} line {}", path.display(), number + 1);
                set(&mut vars, parse(line, &place)?);
            }
        }
    }
    for text in &args.env {
        set(&mut vars, parse(text, FLAG)?);
    }
    Ok(vars)
}

/// The text of a file, which may be a FIFO.
fn read_file(path: &Path, signals: &Signals) -> Result<String> {
    let file = path.display();
    let bytes = stream::read_whole(path, signals).map_err(|error| match error.downcast::<Interrupted>() {
        Ok(interrupted) => interrupted.into(),
        Err(error) => Failure::unread(format!("{file} cannot be read: {error}"), &error),
    })?;
    String::from_utf8(bytes).map_err(|_| Failure::new(Status::Usage, format!("{file} is not UTF-8 text")))
}

/// Replaces an earlier value.
fn set(vars: &mut Vec<EnvVar>, var: EnvVar) {
    vars.retain(|earlier| earlier.key != var.key);
    vars.push(var);
}

/// Reads `KEY=VALUE`, or `KEY` with its value in this environment. An error never shows a value; in a file, a single word may
/// be one.
fn parse(text: &str, place: &str) -> Result<EnvVar> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (text, None),
    };
    let first = key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let what = format!("{place}: a variable's name begins with a letter or '_' and holds only those and digits");
        return Err(Failure::new(Status::Usage, what));
    }
    let named = if place == FLAG { key } else { "the variable" };
    let unusable = |error| match error {
        VarError::NotPresent => format!("{place}: {named} has no value here, and none was given"),
        VarError::NotUnicode(_) => format!("{place}: the value of {named} here is not UTF-8 text"),
    };
    let value = match value {
        Some(value) => value,
        None => std::env::var(key).map_err(|error| Failure::new(Status::Usage, unusable(error)))?,
    };
    if value.contains('\0') {
        return Err(Failure::new(Status::Usage, format!("{place}: the value of {key} has a NUL byte")));
    }
    Ok(EnvVar { key: key.to_owned(), value })
}
