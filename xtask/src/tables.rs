//! The tables of README and of the manual that are made from the source. In the file, each stands between two comments.

use crate::{Generated, root};
use anyhow::{Context, Result};
use clap::{Arg, Command};
use std::fs;
use std::path::PathBuf;

pub fn files() -> Result<Vec<Generated>> {
    let readme = fs::read_to_string(root().join("README.md"))?;
    let readme = replaced(&readme, "commands", &commands())?;
    let readme = replaced(&readme, "exit statuses", &exit_statuses())?;
    Ok(vec![(PathBuf::from("README.md"), readme.into_bytes())])
}

/// The text with this table between the comments that name it.
fn replaced(text: &str, name: &str, table: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name}: written by cargo xtask docs -->\n"), format!("<!-- end of {name} -->"));
    let cut = || Some((text.split_once(&begin)?.0, text.split_once(&end)?.1));
    let (before, after) = cut().with_context(|| format!("README.md has no place for the {name}"))?;
    Ok([before, &begin, table, &end, after].concat())
}

fn commands() -> String {
    let mut top = bottle_freeze::command().disable_help_subcommand(true);
    top.build();
    let rows = top.get_subcommands().map(|command| format!("| `{}` | {} |\n", call(command), about(command)));
    format!("| command | what it does |\n| --- | --- |\n{}", rows.collect::<String>())
}

/// The command with what must or may follow it.
fn call(command: &Command) -> String {
    let inner = command.get_subcommands().filter(|inner| inner.get_name() != "help").map(Command::get_name);
    let inner = inner.collect::<Vec<_>>().join("\\|");
    let words = command.get_positionals().map(word).chain((!inner.is_empty()).then_some(inner));
    std::iter::once(command.get_name().to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn word(argument: &Arg) -> String {
    let name =
        argument.get_value_names().and_then(|names| names.first()).map_or(argument.get_id().as_str(), |name| name);
    let many = if argument.get_num_args().is_some_and(|count| count.max_values() > 1) { "…" } else { "" };
    let dashes = if argument.is_last_set() { "-- " } else { "" };
    let word = format!("{dashes}{}{many}", name.to_uppercase());
    if argument.is_required_set() || many == "…" { word } else { format!("[{word}]") }
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    about.replace('|', "\\|")
}

fn exit_statuses() -> String {
    let rows = bottle_freeze::statuses().map(|(numbers, _, meaning)| format!("| {numbers} | {meaning} |\n"));
    format!("| status | meaning |\n| --- | --- |\n{}", rows.collect::<String>())
}

/// The section EXIT STATUS of the manual.
pub fn exit_status_section() -> String {
    let rows = bottle_freeze::statuses().map(|(numbers, _, meaning)| {
        let mut meaning = meaning.replace('`', "").replace('-', "\\-");
        meaning.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
        format!(".TP\n{numbers}\n{meaning}.\n")
    });
    format!(".SH \"EXIT STATUS\"\n{}", rows.collect::<String>())
}
