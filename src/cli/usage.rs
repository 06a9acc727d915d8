//! A command line that clap did not understand, or that asks only for help or the version.

use super::words;
use crate::error::{Failure, Status};
use crate::terminal::{Format, Terminal};
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Prints what clap says, as text or as JSON; the exit status. `all` describes all commands.
pub fn misused(error: clap::Error, all: fn() -> clap::Command) -> ExitCode {
    let line: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let error = words::with_tips(error, &line, all);
    let terminal = Terminal::before_options(error_format(std::env::args_os()));
    if !error.use_stderr() {
        terminal.check(error.print().and_then(|()| std::io::stdout().flush()), &[]);
        return if terminal.printed_all() { ExitCode::SUCCESS } else { Status::Failed.into() };
    }
    if terminal.has_json_errors() {
        usage(&error).print(&terminal);
    } else {
        // A closed stderr cannot be reported.
        let _ = error.print();
    }
    Status::Usage.into()
}

/// The format of errors that these words ask for, which clap may not understand.
fn error_format(words: impl Iterator<Item = OsString>) -> Format {
    let words: Vec<OsString> = words.take_while(|word| word != "--").collect();
    let apart = words.windows(2).any(|two| two == ["--error-format", "json"]);
    let joined = |format: &str| words.iter().any(|word| *word == *format!("--error-format={format}"));
    let is_text = joined("text") || words.windows(2).any(|two| two == ["--error-format", "text"]);
    let variable = || std::env::var_os("BOTTLE_FREEZE_ERROR_FORMAT").is_some_and(|format| format == "json");
    if apart || joined("json") || (!is_text && variable()) { Format::Json } else { Format::Text }
}

/// What clap says in paragraphs: the error, then tips, and how the command is used.
fn usage(error: &clap::Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::new(Status::Usage, "no command was given").hint("bottle-freeze --help lists them");
    }
    let text = error.render().to_string();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n");
    let what = paragraphs.next().unwrap_or_default();
    let failure = Failure::new(Status::Usage, words(what.strip_prefix("error: ").unwrap_or(what)));
    let tips = paragraphs.flat_map(str::lines).filter_map(|line| line.trim_start().strip_prefix("tip: "));
    let tips: Vec<String> = tips.map(words).collect();
    if tips.is_empty() { failure } else { failure.hint(tips.join("; ")) }
}
