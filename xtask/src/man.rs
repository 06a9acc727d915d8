//! The manual pages of section 1: one for the program, with the global options, and one for each command, without them.
//! Written here, not by `clap_mangen`, whose synopsis has no values, and which has no examples, environment and files.

use crate::{Generated, root, tables};
use anyhow::Result;
use clap::{Arg, ArgAction, Command};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// When the manual was last released.
const DATE: &str = "2026-11-27";
/// The longest line that `mandoc -Tlint` accepts.
const WIDTH: usize = 78;

pub fn pages() -> Result<Vec<Generated>> {
    let mut top = bottle_freeze::command().disable_help_subcommand(true);
    top.build();
    let mut pages = Vec::new();
    page(&top, &mut pages)?;
    Ok(pages)
}

/// The page of a command, and those of its subcommands.
fn page(command: &Command, pages: &mut Vec<Generated>) -> Result<()> {
    let name = name(command);
    let is_top = name == "bottle-freeze";
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!(
        ".\\\" Written by cargo xtask docs.\n.TH {} 1 {DATE} \"bottle\\-freeze {}\"\n.SH NAME\n{}",
        escape(&name).to_uppercase(),
        command.get_version().unwrap_or_default(),
        filled(&format!("{name} - {about}"))
    );
    text += &synopsis(command);
    text += ".SH DESCRIPTION\n";
    text += &filled(if long.is_empty() { &about } else { &long });
    text += &options(command, is_top);
    text += &subcommands(command);
    text += &examples(command);
    if is_top {
        text += &tables::exit_status_section();
        text += &fs::read_to_string(root().join("man/bottle-freeze.roff"))?;
    } else {
        text += ".SH \"EXIT STATUS\"\n0 on success;\n.BR bottle\\-freeze (1)\nhas the others.\n";
        text += &environment(command);
    }
    text += &see_also(command, is_top);
    pages.push((PathBuf::from(format!("man/{name}.1")), text.into_bytes()));
    for subcommand in shown(command) {
        page(subcommand, pages)?;
    }
    Ok(())
}

fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or("bottle-freeze").to_owned()
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help" && !subcommand.is_hide_set())
}

/// Its own options: the global ones are described once, on the page of the program.
fn own(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_top = name(command) == "bottle-freeze";
    command.get_opts().chain(flags(command)).filter(move |arg| !arg.is_hide_set() && (is_top || !arg.is_global_set()))
}

fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_flag = |arg: &&Arg| !arg.is_positional() && !arg.get_action().takes_values();
    command.get_arguments().filter(is_flag).filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
}

fn synopsis(command: &Command) -> String {
    let words = command.get_bin_name().unwrap_or("bottle-freeze");
    let mut text = format!(".SH SYNOPSIS\n\\fB{}\\fR\n", escape(words));
    for arg in own(command) {
        let repeated = if matches!(arg.get_action(), ArgAction::Append) { "..." } else { "" };
        let _ = writeln!(text, "[{}]{repeated}", option(arg, "|").replace(' ', "\\ "));
    }
    for arg in command.get_positionals() {
        let _ = writeln!(text, "{}", positional(arg));
    }
    if shown(command).next().is_some() {
        text += "\\fICOMMAND\\fR\n";
    }
    text
}

/// `-t|--tag TAG`.
fn option(arg: &Arg, between: &str) -> String {
    let short = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR"));
    let long = arg.get_long().map(|long| format!("\\fB\\-\\-{}\\fR", escape(long)));
    let names = short.into_iter().chain(long).collect::<Vec<_>>().join(between);
    let Some(value) = value(arg).filter(|_| arg.get_action().takes_values()) else { return names };
    let is_optional = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
    if is_optional { format!("{names}[=\\fI{value}\\fR]") } else { format!("{names} \\fI{value}\\fR") }
}

fn value(arg: &Arg) -> Option<String> {
    let names = arg.get_value_names()?;
    Some(escape(&names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")))
}

fn positional(arg: &Arg) -> String {
    let name = value(arg).unwrap_or_else(|| escape(arg.get_id().as_str()).to_uppercase());
    let many = if arg.get_num_args().is_some_and(|count| count.max_values() > 1) { "..." } else { "" };
    let dashes = if arg.is_last_set() { "\\-\\- " } else { "" };
    let word = format!("{dashes}\\fI{name}\\fR{many}");
    if arg.is_required_set() { word } else { format!("[{word}]") }
}

fn options(command: &Command, is_top: bool) -> String {
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in command.get_positionals().chain(own(command)) {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    headings.sort_by_key(Option::is_some);
    let mut text = String::new();
    for heading in headings {
        let _ = match heading {
            None => writeln!(text, ".SH OPTIONS"),
            Some(heading) => writeln!(text, ".SS \"{}\"", escape(heading)),
        };
        let positionals = command.get_positionals().map(|arg| (positional(arg), arg));
        let options = own(command).map(|arg| (option(arg, ", "), arg));
        for (words, arg) in positionals.chain(options).filter(|(_, arg)| arg.get_help_heading() == heading) {
            let _ = write!(text, ".TP\n{words}\n{}", filled(&help(arg)));
        }
    }
    if is_top { text } else { text + ".PP\nThe global options are described in\n.BR bottle\\-freeze (1).\n" }
}

/// What an option does, its default, its values and its variable.
fn help(arg: &Arg) -> String {
    let mut text = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let is_flag = !arg.get_action().takes_values();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !is_flag && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        let _ = write!(text, " [default: {}]", defaults.join(" "));
    }
    let values: Vec<_> = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if !is_flag && !values.is_empty() && !arg.is_hide_possible_values_set() {
        let names: Vec<_> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
        let _ = write!(text, " [possible values: {}]", names.join(", "));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(text, " [env: {}]", variable.to_string_lossy());
    }
    text
}

fn subcommands(command: &Command) -> String {
    let mut text = String::new();
    for (at, subcommand) in shown(command).enumerate() {
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        let begin = if at == 0 { ".SH COMMANDS\n" } else { "" };
        let _ = write!(text, "{begin}.TP\n.BR {} (1)\n{}", escape(&name(subcommand)), filled(&about));
    }
    text
}

fn examples(command: &Command) -> String {
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let Some(lines) = help.strip_prefix("Examples:\n") else { return String::new() };
    let lines: Vec<String> = lines.lines().map(|line| escape(line.trim_start())).collect();
    format!(".SH EXAMPLES\n.nf\n{}\n.fi\n", lines.join("\n"))
}

/// The variables of its own options.
fn environment(command: &Command) -> String {
    let mut text = String::new();
    for arg in own(command) {
        let Some(variable) = arg.get_env() else { continue };
        let begin = if text.is_empty() { ".SH ENVIRONMENT\n" } else { "" };
        let words = format!("Stands for {}.", arg.get_long().map(|long| format!("--{long}")).unwrap_or_default());
        let _ = write!(text, "{begin}.TP\n.B {}\n{}", escape(&variable.to_string_lossy()), filled(&words));
    }
    text
}

fn see_also(command: &Command, is_top: bool) -> String {
    let mut pages: Vec<String> = if is_top { Vec::new() } else { vec!["bottle-freeze (1)".to_owned()] };
    let name = name(command);
    if let Some((group, _)) = name.rsplit_once('-').filter(|(group, _)| *group != "bottle-freeze" && !is_top) {
        pages.push(format!("{group} (1)"));
    }
    pages.extend(["bottle-freeze-snapshot (5)", "bottle-freeze-json (7)"].map(str::to_owned));
    let lines: Vec<String> = pages.iter().map(|page| format!(".BR {}", escape(page))).collect();
    format!(".SH \"SEE ALSO\"\n{}\n", lines.join(" ,\n"))
}

/// A text in paragraphs, in lines of at most `WIDTH`.
pub fn filled(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let mut lines = vec![String::new()];
        for word in escape(paragraph).split_whitespace() {
            match lines.last_mut() {
                Some(line) if line.is_empty() => line.push_str(word),
                Some(line) if line.len() + word.len() < WIDTH => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        // A line that begins with a dot or a quote is a command to roff.
        let line = |line: String| if line.starts_with(['.', '\'']) { format!("\\&{line}\n") } else { line + "\n" };
        lines.into_iter().map(line).collect::<String>()
    });
    paragraphs.collect::<Vec<_>>().join(".sp\n")
}

/// The text for roff; what stands between backticks is bold.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...").replace('"', "\\(dq");
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len() % 2 == 0 {
        return text;
    }
    let part = |(at, part): (usize, &&str)| if at % 2 == 1 { format!("\\fB{part}\\fR") } else { (*part).to_owned() };
    parts.iter().enumerate().map(part).collect()
}
