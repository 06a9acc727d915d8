//! The tables of README and of the manual that are made from the source. In the file, each stands between two comments.

use crate::man::filled;
use crate::{Generated, root};
use anyhow::{Context, Result};
use clap::{Arg, Command};
use schemars::Schema;
use std::fs;
use std::path::PathBuf;

pub fn files() -> Result<Vec<Generated>> {
    let readme = File::read("README.md", ["<!-- ", " -->"])?.with("commands", &commands())?;
    let manual = File::read("docs/manual.md", ["<!-- ", " -->"])?.with("exit statuses", &exit_statuses())?;
    let json =
        File::read("man/bottle-freeze-json.7", [".\\\" ", ""])?.with("results", &results())?.with("codes", &codes())?;
    Ok([readme, manual, json].map(|file| (file.path, file.text.into_bytes())).to_vec())
}

/// A file that is written by hand, but for its tables.
struct File {
    path: PathBuf,
    text: String,
    comment: [&'static str; 2],
}

impl File {
    fn read(path: &str, comment: [&'static str; 2]) -> Result<Self> {
        Ok(Self { path: path.into(), text: fs::read_to_string(root().join(path))?, comment })
    }

    /// With this table between the two comments that name it.
    fn with(self, name: &str, table: &str) -> Result<Self> {
        let [open, close] = self.comment;
        let begin = format!("{open}{name}: written by cargo xtask docs{close}\n");
        let end = format!("{open}end of {name}{close}");
        let cut = || Some((self.text.split_once(&begin)?.0, self.text.split_once(&end)?.1));
        let (before, after) = cut().with_context(|| format!("{} has no place for {name}", self.path.display()))?;
        Ok(Self { text: [before, &begin, table, &end, after].concat(), ..self })
    }
}

/// Which schema the result of a command has.
fn results() -> String {
    let row = |(name, schema): (&str, Schema)| {
        let title = schema.get("title").and_then(|title| title.as_str()).unwrap_or_default();
        let commands = title.strip_prefix("bottle-freeze ")?.strip_suffix(" --json")?;
        Some(format!("{commands}\t{name}.json\n").replace('-', "\\-"))
    };
    roff_table(bottle_freeze::report::schemas().into_iter().filter_map(row))
}

/// The word of each exit status.
fn codes() -> String {
    roff_table(bottle_freeze::codes().map(|(word, numbers)| format!("{word}\t{numbers}\n").replace('-', "\\-")))
}

fn roff_table(rows: impl Iterator<Item = String>) -> String {
    format!(".TS\nl l.\n{}.TE\n", rows.collect::<String>())
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
    let is_needed = argument.is_required_set() || (many == "…" && !argument.is_last_set());
    if is_needed { word } else { format!("[{word}]") }
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
        let mut meaning = format!("{meaning}.");
        meaning.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
        format!(".TP\n{numbers}\n{}", filled(&meaning))
    });
    format!(".SH \"EXIT STATUS\"\n{}", rows.collect::<String>())
}
