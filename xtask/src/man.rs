//! The manual pages of section 1: one for the program, with the global options, and one for each command, without them.

use crate::{Generated, root, tables};
use anyhow::Result;
use clap::Command;
use clap_mangen::Man;
use std::fs;
use std::path::PathBuf;

pub fn pages() -> Result<Vec<Generated>> {
    let mut top = bottle_freeze::command().disable_help_subcommand(true);
    top.build();
    let mut pages = Vec::new();
    page(&top, &mut pages)?;
    Ok(pages)
}

/// The page of a command, and those of its subcommands.
fn page(command: &Command, pages: &mut Vec<Generated>) -> Result<()> {
    let name = command.get_display_name().unwrap_or("bottle-freeze").to_owned();
    let is_top = name == "bottle-freeze";
    let mut text = Vec::new();
    let own = command.clone().name(name.clone());
    let own = if is_top { own } else { own.mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg }) };
    Man::new(own).render(&mut text)?;
    if is_top {
        text.extend(tables::exit_status_section().into_bytes());
        text.extend(fs::read(root().join("man/bottle-freeze.roff"))?);
    } else {
        text.extend_from_slice(b".SH \"SEE ALSO\"\n.BR bottle\\-freeze (1)\nfor the global options, exit statuses and environment variables.\n");
    }
    pages.push((PathBuf::from(format!("man/{name}.1")), text));
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        page(subcommand, pages)?;
    }
    Ok(())
}
