//! The script for each shell, and the format of the candidates that it expects. fish and elvish quote what they insert, bash
//! and PowerShell do not. bash and zsh have scripts of our own, because bash splits words at `@`, `:` and `=`.

use super::candidates::with_completers;
use crate::home::Home;
use crate::quoted::quoted;
use clap::{ArgMatches, Command};
use clap_complete::CompleteEnv;
use clap_complete::engine::{self, CompletionCandidate};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use std::ffi::OsString;
use std::io::{ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// All supported shells.
pub const SHELLS: Shells<'static> = Shells(&[&BASH, &ELVISH, &FISH, &POWERSHELL, &ZSH]);

/// The time limit for candidates. With the start of this program and the output, TAB takes 150 ms.
const BUDGET: Duration = Duration::from_millis(120);

/// Prints candidates, or the script that asks for them, if `COMPLETE` names a shell. Returns whether it did: any other value
/// of `COMPLETE` belongs to another program. `command` builds the whole command line.
pub fn complete(command: impl Fn() -> Command) -> bool {
    let Some(shell) = std::env::var_os("COMPLETE") else { return false };
    if SHELLS.completer(&shell.to_string_lossy()).is_none() {
        return false;
    }
    // The user is typing: never print an error.
    std::panic::set_hook(Box::new(|_| {}));
    let folder = std::env::current_dir().ok();
    let command = || {
        // The words before are read too, and may not be a whole line yet.
        let mut command = command().ignore_errors(true);
        command.build();
        command
    };
    let env = CompleteEnv::with_factory(command).shells(SHELLS);
    let _ = env.try_complete(std::env::args_os(), folder.as_deref());
    true
}

/// The script to source in the shell, which calls `program` for candidates.
///
/// # Errors
/// The shell is not supported.
pub fn registration(shell: &str, program: &str) -> Result<String> {
    let shell = SHELLS.completer(shell).ok_or(ErrorKind::NotFound)?;
    let mut script = Vec::new();
    shell.write_registration("COMPLETE", "bottle-freeze", "bottle-freeze", program, &mut script)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// The candidates for the last word. Options only after a dash.
fn candidates(command: &mut Command, words: Vec<OsString>, folder: Option<&Path>) -> Result<Vec<CompletionCandidate>> {
    let last = words.len().saturating_sub(1);
    let is_option = |word: Option<&str>| word.is_none_or(|word| word.starts_with('-'));
    let allows_options = is_option(words.last().and_then(|word| word.to_str()));
    let began = Instant::now();
    let line = command.clone().try_get_matches_from(words.iter().take(last)).ok();
    line.as_ref().and_then(home).into_iter().for_each(Home::choose);
    let (deadline, snapshot) = (began.checked_add(BUDGET).unwrap_or(began), line.as_ref().and_then(snapshot));
    *command = with_completers(std::mem::take(command), deadline, snapshot);
    let mut all = engine::complete(command, words, last, folder)?;
    all.retain(|one| allows_options || !is_option(one.get_value().to_str()));
    Ok(all)
}

/// What the shell's script reads: an answer for each candidate.
fn each(
    command: &mut Command,
    words: Vec<OsString>,
    folder: Option<&Path>,
    answer: impl Fn(&CompletionCandidate) -> String,
) -> Result<Vec<String>> {
    Ok(candidates(command, words, folder)?.iter().map(answer).collect())
}

/// The library that this line names with `--home`, if it does.
fn home(line: &ArgMatches) -> Option<PathBuf> {
    let folder = line.try_get_one::<PathBuf>("home").ok()??;
    let expanded = folder.strip_prefix("~").ok().and_then(|rest| Some(dirs::home_dir()?.join(rest)));
    Some(expanded.unwrap_or_else(|| folder.clone()))
}

/// The snapshot that this line names, if it does.
fn snapshot(line: &ArgMatches) -> Option<&str> {
    match line.subcommand() {
        Some((_, below)) => snapshot(below),
        None => line.try_get_one::<OsString>("snapshot").ok()??.to_str(),
    }
}

/// The first line of the text that a shell may show beside a candidate.
fn help(candidate: &CompletionCandidate) -> Option<String> {
    Some(candidate.get_help()?.to_string().lines().next()?.to_owned())
}

/// Whether the user must type more after it: the rest of a path or of an option.
fn is_partial(value: &str) -> bool {
    value.ends_with(['/', ':', '='])
}

/// A shell: clap's name and script for it, and what clap does not know.
struct Shell {
    clap: &'static dyn EnvCompleter,
    /// Our script instead, with words to replace: see [`script`].
    script: Option<&'static str>,
    /// The lines that the script reads.
    answers: Answers,
}

/// From the command line, its words and the working folder.
type Answers = fn(&mut Command, Vec<OsString>, Option<&Path>) -> Result<Vec<String>>;

impl EnvCompleter for Shell {
    fn name(&self) -> &'static str {
        self.clap.name()
    }

    fn is(&self, name: &str) -> bool {
        self.clap.is(name)
    }

    fn write_registration(&self, var: &str, name: &str, bin: &str, completer: &str, out: &mut dyn Write) -> Result<()> {
        match self.script {
            Some(text) => out.write_all(script(text, var, bin, completer).as_bytes()),
            None => self.clap.write_registration(var, name, bin, completer, out),
        }
    }

    fn write_complete(
        &self,
        command: &mut Command,
        args: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn Write,
    ) -> Result<()> {
        (self.answers)(command, args, folder)?.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

/// Fills in the names in a script. The completer is last, because its path may contain the other placeholders.
fn script(text: &str, var: &str, bin: &str, completer: &str) -> String {
    text.replace("VAR", var).replace("BIN", bin).replace("COMPLETER", &quoted(completer))
}

// --------------------------------------------------------------------------------------------------------- bash

/// bash 3.2 and later. Its script passes the whole line. bash replaces only the end of the last word: the part after the
/// last `@`, `:` or `=`.
const BASH: Shell = Shell { clap: &Bash, script: Some(BASH_SCRIPT), answers: for_bash };

const BASH_SCRIPT: &str = r#"_bottle_freeze() {
    COMPREPLY=()
    local candidate
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(VAR=bash _BOTTLE_FREEZE_WORD="$2" COMPLETER -- "${COMP_LINE:0:COMP_POINT}" 2> /dev/null)
}
if ((BASH_VERSINFO[0] > 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4))); then
    complete -o nospace -o nosort -F _bottle_freeze BIN
else
    complete -o nospace -F _bottle_freeze BIN
fi
"#;

fn for_bash(command: &mut Command, args: Vec<OsString>, folder: Option<&Path>) -> Result<Vec<String>> {
    let line = args.into_iter().next().unwrap_or_default().to_string_lossy().into_owned();
    let end = std::env::var("_BOTTLE_FREEZE_WORD").unwrap_or_default();
    let typed = Typed::read(&line);
    let all = candidates(command, typed.words.iter().map(OsString::from).collect(), folder)?;
    Ok(all.iter().filter_map(|one| typed.answer(&end, one.get_value().to_str()?)).collect())
}

/// A command line up to the cursor, split as bash splits it.
struct Typed<'a> {
    /// The words without quotes. The last one, which may be empty, is being typed.
    words: Vec<String>,
    /// The last word with its quotes.
    last: &'a str,
    /// The open quote at the cursor.
    quote: Option<char>,
}

impl<'a> Typed<'a> {
    fn read(line: &'a str) -> Self {
        let (mut words, mut word, mut start, mut quote) = (Vec::new(), None::<String>, line.len(), None);
        let mut chars = line.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if quote.is_none() && c.is_whitespace() {
                words.extend(word.take());
                start = line.len();
                continue;
            }
            if word.is_none() {
                start = at;
            }
            let word = word.get_or_insert_default();
            match (c, quote) {
                ('\'' | '"', None) => quote = Some(c),
                (_, Some(open)) if c == open => quote = None,
                ('\\', None) => word.extend(chars.next().map(|(_, next)| next)),
                ('\\', Some('"')) => {
                    word.push(chars.next_if(|(_, next)| "$`\"\\".contains(*next)).map_or(c, |(_, next)| next));
                }
                _ => word.push(c),
            }
        }
        words.push(word.unwrap_or_default());
        Self { words, last: line.get(start..).unwrap_or_default(), quote }
    }

    /// The text to replace `end`, the end of the last word, so that the word becomes `value`.
    fn answer(&self, end: &str, value: &str) -> Option<String> {
        let kept = self.last.strip_suffix(end).unwrap_or_default();
        let kept_unquoted = Typed::read(kept).words.pop().unwrap_or_default();
        let rest = value.strip_prefix(&kept_unquoted)?;
        let home = if self.last.starts_with("~/") && rest.starts_with("~/") { "~/" } else { "" };
        let quoted: String = rest.strip_prefix(home).unwrap_or(rest).chars().flat_map(|c| self.quoted(c)).collect();
        // bash closes an open quote itself, and adds a space.
        let space = if self.quote.is_some() || is_partial(value) { "" } else { " " };
        Some(format!("{home}{quoted}{space}"))
    }

    /// The character, quoted for the cursor position.
    fn quoted(&self, c: char) -> Vec<char> {
        match self.quote {
            Some('\'') if c == '\'' => vec!['\'', '\\', '\'', '\''],
            Some('"') if "$`\"\\!".contains(c) => vec!['\\', c],
            None if c.is_ascii() && !c.is_ascii_alphanumeric() && !"_@%+=:,./-".contains(c) => vec!['\\', c],
            _ => vec![c],
        }
    }
}

// ---------------------------------------------------------------------------------------------------------- zsh

/// zsh. It quotes what it inserts. The first letter of each candidate says whether a space follows it.
const ZSH: Shell = Shell {
    clap: &Zsh,
    script: Some(ZSH_SCRIPT),
    answers: |command, words, folder| each(command, words, folder, for_zsh),
};

const ZSH_SCRIPT: &str = r#"#compdef BIN
_bottle_freeze() {
    local line ret=1
    local -a whole partial
    for line in "${(@f)$(VAR=zsh COMPLETER -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2> /dev/null)}"; do
        case $line in
            w*) whole+=("${line[2,-1]}") ;;
            p*) partial+=("${line[2,-1]}") ;;
        esac
    done
    _describe -V candidates whole && ret=0
    _describe -V candidates partial -S '' && ret=0
    return ret
}
if [[ $funcstack[1] == _bottle-freeze ]]; then
    _bottle_freeze "$@"
else
    compdef _bottle_freeze BIN
fi
"#;

fn for_zsh(candidate: &CompletionCandidate) -> String {
    let value = value(candidate);
    let kind = if is_partial(&value) { 'p' } else { 'w' };
    let value = value.replace('\\', "\\\\").replace(':', "\\:");
    let help = help(candidate).map(|help| format!(":{}", help.replace('\\', "\\\\")));
    format!("{kind}{value}{}", help.unwrap_or_default())
}

// ------------------------------------------------------------------------------------- fish, elvish, PowerShell

// They have clap's script, which reads one candidate per line.
const FISH: Shell = Shell {
    clap: &Fish,
    script: None,
    answers: |command, words, folder| each(command, words, folder, |one| with_help(one, &value(one))),
};
const ELVISH: Shell =
    Shell { clap: &Elvish, script: None, answers: |command, words, folder| each(command, words, folder, value) };
const POWERSHELL: Shell = Shell {
    clap: &Powershell,
    script: None,
    answers: |command, words, folder| {
        each(command, words, folder, |one| with_help(one, &quoted_for_powershell(value(one))))
    },
};

fn value(candidate: &CompletionCandidate) -> String {
    candidate.get_value().to_string_lossy().into_owned()
}

/// The value, and after a tab the text that the shell shows beside it.
fn with_help(candidate: &CompletionCandidate, value: &str) -> String {
    help(candidate).map_or_else(|| value.to_owned(), |help| format!("{value}\t{help}"))
}

/// Quotes a value that PowerShell would interpret.
fn quoted_for_powershell(value: String) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_%+=:./-".contains(c);
    if value.chars().all(is_plain) {
        return value;
    }
    // PowerShell accepts typographic quotes too.
    let is_quote = |c| ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'].contains(&c);
    let doubled = value.chars().flat_map(|c| std::iter::repeat_n(c, if is_quote(c) { 2 } else { 1 }));
    format!("'{}'", doubled.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::Typed;

    #[test]
    fn a_line_is_split_as_in_bash() {
        for (line, words) in [
            ("", &[""][..]),
            ("bf start ", &["bf", "start", ""]),
            (r#"bf 'a b' "c\"d\e" f\ g"#, &["bf", "a b", "c\"d\\e", "f g"]),
            ("bf 'a b", &["bf", "a b"]),
            ("bf --from=dev@", &["bf", "--from=dev@"]),
            ("bf a\\", &["bf", "a"]),
            ("bf \"\\", &["bf", "\\"]),
        ] {
            assert_eq!(Typed::read(line).words, words, "{line}");
        }
    }

    #[test]
    fn an_answer_replaces_the_end_of_the_word_as_in_bash() {
        for (line, end, value, answer) in [
            ("bf thaw d", "d", "dev@ready", "dev@ready "),
            ("bf thaw dev@re", "re", "dev@ready", "ready "),
            ("bf create --image=alpine:3", "3", "--image=alpine:3.20", "3.20 "),
            ("bf cp d", "d", "dev:", "dev:"),
            ("bf cp sub", "sub", "sub/", "sub/"),
            ("bf cp ~/x", "~/x", "~/x y", "~/x\\ y "),
            ("bf cp ", "", "~/", "\\~/"),
            ("bf cp x", "x", "x;$(touch y)`'\"", "x\\;\\$\\(touch\\ y\\)\\`\\'\\\" "),
            ("bf cp 'x", "x", "x'$y", "x'\\''$y"),
            ("bf cp \"x", "x", "x\"$(y)", "x\\\"\\$(y)"),
        ] {
            assert_eq!(Typed::read(line).answer(end, value).as_deref(), Some(answer), "{line}");
        }
        assert_eq!(Typed::read("bf thaw dev@re").answer("re", "web@ready"), None);
    }
}
