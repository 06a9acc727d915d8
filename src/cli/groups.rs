//! The commands in groups, as the help of the program lists them.

use crate::terminal;
use clap::{Arg, ArgAction, Command};
use std::fmt::Write;

/// A heading, the commands that every help describes under it, and those of which `-h` lists only the names.
pub const GROUPS: [(&str, &[&str], &[&str]); 3] = [
    ("VMs", &["create", "start", "exec", "ls", "rm"], &["stop", "cp", "pause", "resume"]),
    ("Snapshots", &["freeze", "thaw", "rollback", "snapshot"], &["schedule", "verify", "pack"]),
    ("Set-up", &["doctor"], &["engine", "completions"]),
];

/// Where the description of a command begins.
const INDENT: usize = 14;

/// The same command, whose help lists its subcommands in groups: if `is_short`, it describes only those of every day. It has
/// the option for the version, under that `heading`; its subcommands need not list theirs.
pub fn grouped(command: Command, heading: &'static str, is_short: bool) -> Command {
    let header = *command.get_styles().get_header();
    let literal = *command.get_styles().get_literal();
    let columns = terminal::columns().map_or(80, |columns| columns.min(100)).saturating_sub(INDENT);
    let mut list = String::new();
    for (heading, common, others) in GROUPS {
        let _ = writeln!(list, "{header}{heading}:{header:#}");
        let shown = common.iter().chain(others.iter().filter(|_| !is_short));
        for subcommand in shown.filter_map(|name| command.find_subcommand(name)) {
            let (name, about) = (subcommand.get_name(), subcommand.get_about().cloned().unwrap_or_default());
            let mut rows = terminal::wrapped(&about.to_string(), columns).into_iter();
            let _ = writeln!(list, "  {literal}{name:<11}{literal:#} {}", rows.next().unwrap_or_default());
            for row in rows {
                let _ = writeln!(list, "{:INDENT$}{row}", "");
            }
        }
        if is_short {
            let names: Vec<String> = others.iter().map(|name| format!("{literal}{name}{literal:#}")).collect();
            let _ = writeln!(list, "  {}", names.join(", "));
        } else {
            list.push('\n');
        }
    }
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    let space = if is_short { "\n" } else { "" };
    let template =
        format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}{space}{{all-args}}{{after-help}}");
    let names: Vec<String> = command.get_subcommands().map(|subcommand| subcommand.get_name().to_owned()).collect();
    // Their list is in the template.
    names
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, |subcommand| subcommand.hide(true)))
        .propagate_version(false)
        .disable_version_flag(true)
        .arg(version.help("Print the version").help_heading(heading).hide_short_help(true))
        .override_usage("bottle-freeze [OPTIONS] <COMMAND>")
        .help_template(template)
}
