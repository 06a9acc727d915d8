//! Words that people bring from other programs, and what is used here instead. clap's own guesses, which go by letters
//! alone (`stop` for `restore`), are replaced.

use crate::library::layout::SUFFIXES;
use crate::nearest::nearest;
use crate::schedule::Every;
use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The commands under which a word is no command, the words, and what does that.
const COMMANDS: [(&str, &str, &str); 48] = [
    ("", "restore revive unfreeze melt recover", "thaw"),
    ("", "delete remove del erase destroy", "rm"),
    ("", "snapshots images snaps tags", "snapshot ls"),
    ("", "rmi", "snapshot rm"),
    ("", "history tree", "snapshot ls --tree"),
    ("", "stats du df usage", "snapshot ls"),
    ("", "prune forget gc clean purge", "snapshot prune"),
    ("", "push upload", "snapshot push"),
    ("", "pull download", "snapshot pull"),
    ("", "tag untag", "snapshot tag"),
    ("", "export", "snapshot export"),
    ("", "import load", "snapshot import"),
    ("", "inspect show describe", "snapshot show"),
    ("", "commit save backup checkpoint snap", "freeze"),
    ("", "ps vms machines info status get", "ls"),
    ("", "shell ssh attach enter console connect", "exec -it VM -- sh"),
    ("", "run", "exec VM -- COMMAND"),
    ("", "clone", "thaw"),
    ("", "rename mv", "freeze VM && bottle-freeze thaw VM NEW"),
    ("", "restart reboot", "stop VM && bottle-freeze start VM"),
    ("", "version", "--version"),
    ("", "new init launch", "create"),
    ("", "up boot", "start"),
    ("", "down halt shutdown poweroff kill", "stop"),
    ("", "suspend hibernate", "pause"),
    ("", "unpause wake", "resume"),
    ("", "undo revert reset", "rollback"),
    ("", "check", "verify"),
    ("", "diagnose", "doctor"),
    ("", "install update upgrade engines", "engine install"),
    ("", "scp copy transfer", "cp"),
    ("", "files list-files", "snapshot files"),
    ("", "cat", "snapshot cat"),
    ("", "diff compare", "snapshot diff"),
    ("snapshot", "create new make take save add commit freeze backup", "freeze"),
    ("snapshot", "restore thaw load apply start use", "thaw"),
    ("snapshot", "revert rollback reset", "rollback"),
    ("snapshot", "delete remove del erase destroy", "snapshot rm"),
    ("snapshot", "inspect info describe get", "snapshot show"),
    ("snapshot", "forget gc clean", "snapshot prune"),
    ("snapshot", "check", "snapshot verify"),
    ("snapshot", "rename mv", "snapshot tag"),
    ("snapshot", "history", "snapshot ls --tree"),
    ("snapshot", "upload", "snapshot push"),
    ("snapshot", "download", "snapshot pull"),
    ("engine", "update upgrade add get download", "engine install"),
    ("engine", "delete remove uninstall", "engine rm"),
    ("engine", "set switch select default", "engine use"),
];

/// Options of other programs, and the one that does that, where a command has it.
const OPTIONS: [(&str, &str); 19] = [
    ("--message", "--note"),
    ("--comment", "--note"),
    ("--description", "--note"),
    ("--ram", "--mem"),
    ("--disk", "--storage"),
    ("--size", "--storage"),
    ("--publish", "--port"),
    ("--mount", "--volume"),
    ("--file", "--output"),
    ("--to", "--output"),
    ("--detach", "--no-wait"),
    ("--non-interactive", "--no-input"),
    ("--assume-yes", "--yes"),
    ("--force", "--yes"),
    ("-f", "--yes"),
    ("--format", "--json"),
    ("--silent", "--quiet"),
    ("--debug", "--verbose"),
    ("--config", "--home"),
];

/// Options of other programs that copy folders.
const WHOLE: [&str; 5] = ["-r", "-R", "-a", "--recursive", "--archive"];

/// The same error with better tips. `line` is the command line, without the program's name.
pub fn with_tips(mut error: clap::Error, line: &[String], all: fn() -> Command) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (word, option) = (text(ContextKind::InvalidSubcommand), text(ContextKind::InvalidArg));
    let value = text(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let (command, path) = called(all(), line.iter().take_while(|one| **one != word));
            error.remove(ContextKind::SuggestedSubcommand);
            error.remove(ContextKind::Suggested);
            let names = command.get_subcommands().flat_map(Command::get_name_and_visible_aliases);
            if let Some(instead) = instead_of(&path, &word, line) {
                tip(&mut error, format!("use '{instead}'"));
            } else if let Some(similar) = nearest(&word, names) {
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![similar.to_owned()]));
            }
        }
        ErrorKind::UnknownArgument if option.starts_with('-') => {
            let (command, path) = called(all(), line.iter());
            error.remove(ContextKind::SuggestedArg);
            error.remove(ContextKind::Suggested);
            if let Some(similar) = similar_option(&command, &option) {
                error.insert(ContextKind::SuggestedArg, ContextValue::String(similar));
            } else if path == "exec" {
                tip(&mut error, "options for the command in the VM come after it, or after '--'".to_owned());
            } else if path == "cp" && WHOLE.contains(&&*option) {
                tip(&mut error, "folders of a snapshot are copied without an option".to_owned());
            }
        }
        ErrorKind::UnknownArgument => {
            let (_, path) = called(all(), line.iter());
            if let Some(instead) = scheduled(line, &option).filter(|_| path == "schedule" && is_plain(&option)) {
                tip(&mut error, format!("use 'bottle-freeze schedule {instead}'"));
            }
        }
        // Of other texts, who knows what they do to a terminal or a shell.
        ErrorKind::ValueValidation if is_plain(&value) => {
            let is_name = ["NAME", "VM"].iter().any(|name| option.contains(name));
            let (_, path) = called(all(), line.iter());
            if let Some(instead) = no_name(&path, &value).filter(|_| is_name) {
                tip(&mut error, instead);
            }
        }
        _ => {}
    }
    error
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@:/._-".contains(&byte))
}

fn tip(error: &mut clap::Error, tip: String) {
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
}

/// The command that these words call, and its name: `snapshot ls`.
fn called<'a>(mut command: Command, words: impl Iterator<Item = &'a String>) -> (Command, String) {
    command.build();
    let mut path = Vec::new();
    for word in words.take_while(|word| *word != "--").filter(|word| *word != "help") {
        if let Some(below) = command.find_subcommand(word).cloned() {
            path.push(below.get_name().to_owned());
            command = below;
        }
    }
    (command, path.join(" "))
}

/// The command to use instead of a word that is no command of `path`.
fn instead_of(path: &str, word: &str, line: &[String]) -> Option<String> {
    let is_it = |(under, words, _): &&(&str, &str, &str)| *under == path && words.split(' ').any(|one| one == word);
    let is_artifact = |word: &String| word.ends_with(".smolmachine");
    let mut after = line.iter().skip_while(|one| *one != word).skip(1).filter(|one| !one.starts_with('-'));
    let instead = match (word, after.next()) {
        ("logs", _) if path.is_empty() => return Some("smolvm machine logs --name VM".to_owned()),
        // Such a file needs no import.
        ("import" | "run", Some(what)) if is_artifact(what) => "thaw",
        ("run", Some(what)) if what.contains('@') => "thaw",
        ("run", Some(what)) if what.contains([':', '/']) => "create VM --image IMAGE",
        _ => COMMANDS.iter().find(is_it)?.2,
    };
    Some(format!("bottle-freeze {instead}"))
}

/// What follows `schedule`, if its words are those of a group of commands (`rm dev`), or the time stands alone (`dev 1d`).
/// `second` is the word too many.
fn scheduled(line: &[String], second: &str) -> Option<String> {
    let at = line.iter().rposition(|word| word == second)?;
    let first = line.get(at.checked_sub(1)?).filter(|first| is_plain(first))?;
    Some(match first.as_str() {
        "rm" | "remove" | "delete" | "del" | "disable" | "stop" => format!("{second} --remove"),
        "ls" | "list" | "show" | "status" | "get" => second.to_owned(),
        "add" | "create" | "new" | "set" | "enable" => format!("{second} --every 1d"),
        vm => format!("{vm} --every {}", if second.parse::<Every>().is_ok() { second } else { "1d" }),
    })
}

/// The option of the command that this one may stand for.
fn similar_option(command: &Command, option: &str) -> Option<String> {
    let option = option.split('=').next().unwrap_or(option);
    let longs = || command.get_arguments().filter_map(clap::Arg::get_long);
    let known = OPTIONS.iter().filter(|(theirs, _)| *theirs == option).map(|(_, ours)| *ours);
    let known = known.filter_map(|ours| ours.strip_prefix("--")).find_map(|ours| longs().find(|long| *long == ours));
    let typed = option.strip_prefix("--").filter(|typed| typed.len() > 2);
    let begins = |typed: &str| longs().find(|long| typed.starts_with(long) || long.starts_with(typed));
    let found = known.or_else(|| nearest(typed?, longs()).or_else(|| begins(typed?)))?;
    Some(format!("--{found}"))
}

/// What to do with a text that is no name of a VM, but a snapshot, a file or an image.
fn no_name(path: &str, value: &str) -> Option<String> {
    let is_file = SUFFIXES.iter().any(|suffix| value.ends_with(suffix));
    let tag = value.split_once(['@', ':']).map(|(_, tag)| tag).filter(|tag| !tag.is_empty());
    let snapshot = value.contains('@') && !is_file;
    match path {
        "freeze" if is_file => Some(format!("use '-o {value}' to write the snapshot to a file")),
        "freeze" => tag.map(|tag| format!("use '-t {tag}' to tag the snapshot")),
        "create" if is_file || snapshot => Some(format!("use '--from {value}' after the name of the new VM")),
        "create" if value.contains([':', '/']) => Some(format!("use '--image {value}' after the name of the new VM")),
        "rm" if snapshot => Some(format!("use 'bottle-freeze snapshot rm {value}' for a snapshot")),
        "snapshot ls" if snapshot => Some(format!("use 'bottle-freeze snapshot show {value}' for one snapshot")),
        "start" | "exec" | "resume" if is_file || snapshot => {
            Some(format!("use 'bottle-freeze thaw {value}' to make a VM of a snapshot"))
        }
        _ => None,
    }
}
