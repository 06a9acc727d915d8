//! All kinds of terminals: narrow ones, dumb ones, those without colors or UTF-8, and readers that go away.

use crate::support::pty::Session;
use crate::support::{World, stdout};
use std::process::{Command, Stdio};

/// Characters of known widths: two columns, and one (an e and a combining accent).
const WIDE: [char; 4] = ['日', '本', '語', '👩'];
const COMBINING: char = '\u{301}';

#[test]
fn table_columns_align_for_names_of_any_characters() {
    let world = World::new();
    for (number, state) in ["日本語", "e\u{301}te\u{301}", "👩", "plain"].iter().enumerate() {
        world.vm(&format!("vm{number}")).in_state(state);
    }
    let table = stdout(&world.run("ls").success());
    // The column after the names: that of `CPUS`, and of its 4.
    let place = |line: &str| columns(&line[..line.find("CPUS").or_else(|| line.find("4  ")).unwrap()]);
    let places: Vec<usize> = table.lines().map(place).collect();
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}\n{table}");
}

#[test]
fn on_a_narrow_terminal_a_row_of_a_table_is_one_line() {
    let world = library();
    for (line, wide) in [("ls", "MEMORY"), ("snapshot ls", "NOTE")] {
        let screen = plain(&on_terminal(&world, line, 40, "C.UTF-8"));
        assert!(screen.lines().all(|line| columns(line) <= 40), "{screen}");
        assert!(screen.contains('…'), "{screen}");
        assert!(stdout(&world.run(line).success()).contains(wide), "complete without a terminal");
    }
    let ascii = plain(&on_terminal(&world, "ls", 40, "C"));
    assert!(ascii.contains("...") && ascii.is_ascii(), "{ascii}");
}

#[test]
fn on_a_narrow_terminal_progress_is_one_line() {
    let world = World::new();
    world.vm("a-vm-with-a-name-of-no-small-length").made_here().running();
    for locale in ["C.UTF-8", "C"] {
        let screen = on_terminal(&world, "freeze a-vm-with-a-name-of-no-small-length --yes --restart", 40, locale);
        let drawn: Vec<&str> = screen.split('\r').filter(|part| !part.contains("froze")).collect();
        assert!(drawn.iter().any(|part| part.contains("packing a-vm")), "{screen:?}");
        assert!(drawn.iter().all(|part| columns(&plain(part)) <= 40), "{screen:?}");
        assert!(!screen.contains("\x1b[1A"), "no line above is touched: {screen:?}");
        assert_eq!(screen.is_ascii(), locale == "C", "{screen:?}");
    }
}

#[test]
fn a_wide_path_in_progress_is_cut_by_its_columns() {
    let world = World::new();
    let file = "日本語".repeat(9) + ".smolmachine";
    world.snapshot(&file);
    let screen = on_terminal(&world, &format!("create dev --from {file}"), 40, "C.UTF-8");
    let mut drawn = screen.split('\r').filter(|part| part.contains("checking") && !part.contains("created"));
    assert!(drawn.clone().count() > 0, "{screen:?}");
    assert!(drawn.all(|part| columns(&plain(part)) <= 40), "{screen:?}");
}

#[test]
fn a_question_on_a_narrow_terminal_is_complete() {
    let world = World::new();
    world.vm("dev").running();
    let mut session = Session::start_on(world.line("freeze dev"), [true; 3], 40);
    session.wait_for("[y/N]");
    session.press("n");
    assert_eq!(session.wait(), Some(6));
    let screen = session.all_printed();
    let question = "'dev' is running. Stop it and freeze it? It stays stopped (--restart starts it again). \
                    RAM and tmpfs (/tmp, /run) are not kept. [y/N] no";
    // Each row once, as the user sees it in the end.
    let rows: String = rows(&screen, 40).concat();
    assert_eq!(rows.matches(question).count(), 1, "{rows:?}: {screen:?}");
    assert_eq!(rows.matches("'dev' is running. Stop").count(), 1, "{rows:?}: {screen:?}");
}

/// The rows of a screen that is this wide, after all that was printed.
fn rows(printed: &str, columns: usize) -> Vec<String> {
    let (mut rows, mut column) = (vec![Vec::new()], 0);
    let mut rest = printed.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\n' => rows.push(Vec::new()),
            '\x1b' => {
                let sequence: String = rest.by_ref().take_while(|c| !c.is_ascii_alphabetic()).collect();
                if sequence == "[2" {
                    rows.last_mut().unwrap().clear();
                }
            }
            c => {
                if column == columns {
                    rows.push(Vec::new());
                    column = 0;
                }
                let row = rows.last_mut().unwrap();
                row.resize(row.len().max(column + 1), ' ');
                row[column] = c;
                column += 1;
            }
        }
    }
    rows.into_iter().map(String::from_iter).collect()
}

#[test]
fn help_fits_a_narrow_terminal() {
    let world = World::new();
    for line in ["--help", "-h", "freeze --help", "snapshot --help", "snapshot prune --help"] {
        let screen = plain(&on_terminal(&world, line, 40, "C"));
        // A longer word stays in one piece, and so does the usage.
        let mut long = screen.lines().filter(|line| columns(line) > 40);
        assert!(long.all(|line| line.starts_with("Usage: ") || !line.trim().contains(' ')), "{line}: {screen}");
    }
}

#[test]
fn a_terminal_without_colors_gets_none() {
    let world = World::new();
    world.vm("dev").running();
    for (variable, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        for line in ["--help", "freeze --no-such-option", "ls", "freeze dev --yes --restart"] {
            let mut command = world.line(line);
            let mut session = Session::start_on(command_with(&mut command, variable, value), [true; 3], 80);
            session.wait();
            let screen = session.all_printed();
            let colors = screen
                .split("\x1b[")
                .skip(1)
                .filter(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'));
            assert_eq!(colors.count(), 0, "{variable}, {line}: {screen:?}");
            assert!(variable != "TERM" || !screen.contains('\x1b'), "{line}: {screen:?}");
        }
    }
}

#[test]
fn a_dumb_terminal_is_asked_without_control_codes() {
    for (key, status, answer) in [("y", 0, "yes"), ("\x04", 6, "no"), ("\x03", 130, "")] {
        let world = World::new();
        world.vm("dev").running();
        let mut command = world.line("rm dev");
        let mut session = Session::start_on(command_with(&mut command, "TERM", "dumb"), [true; 3], 80);
        session.wait_for("[y/N]");
        session.press(key);
        assert_eq!(session.wait(), Some(status), "{}", session.screen());
        let screen = session.all_printed();
        assert!(!screen.contains('\x1b') && screen.contains(&format!("[y/N] {answer}\r\n")), "{screen:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let world = library();
    for line in [
        "ls",
        "ls --json",
        "ls -q",
        "snapshot ls",
        "snapshot show dev",
        "snapshot verify --all",
        "help freeze",
        "--help",
        "--version",
        "completions bash",
        "completions zsh",
        "freeze dev --dry-run",
        "freeze dev --json",
        "start dev",
    ] {
        let mut command = world.line(line);
        let run = command.stdout(closed_pipe()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(0), "{line}: {said}");
        assert!(!said.contains("error") && !said.contains("panic"), "{line}: {said}");
    }
    assert_eq!(world.state("dev"), "running");
    for (line, status) in [("freeze dev --yes", 0), ("stop nosuch", 4), ("freeze dev --nosuch", 2)] {
        let run = world.line(line).stdout(Stdio::null()).stderr(closed_pipe()).status().unwrap();
        assert_eq!(run.code(), Some(status), "{line}, with stderr closed");
    }
}

#[test]
fn without_utf8_names_are_printed_unchanged() {
    let world = library();
    for locale in ["C", "C.UTF-8"] {
        let mut command = world.line("snapshot ls");
        let run = command.env("LC_ALL", locale).output().unwrap();
        assert!(String::from_utf8_lossy(&run.stdout).contains("日本語"));
    }
}

// ------------------------------------------------------------------------------------------------- helpers

/// A stopped VM, and a snapshot of it with a long note.
fn library() -> World {
    let world = World::new();
    world.vm("dev").stopped();
    let note = "日本語 the toolchain, and the database with all that is in it";
    crate::support::finish(world.command(["freeze", "dev", "-t", "ready", "-m", note])).success();
    world
}

/// A pipe whose reader has gone away.
fn closed_pipe() -> Stdio {
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    pipe.into()
}

fn command_with(command: &mut Command, variable: &str, value: &str) -> Command {
    command.env(variable, value);
    std::mem::replace(command, Command::new("true"))
}

/// The output of a command on a terminal of this width.
fn on_terminal(world: &World, line: &str, columns: u16, locale: &str) -> String {
    let mut command = world.line(line);
    let mut session = Session::start_on(command_with(&mut command, "LC_ALL", locale), [true; 3], columns);
    assert_eq!(session.wait(), Some(0), "{line}: {}", session.screen());
    session.all_printed()
}

/// The width in columns of a text without control characters.
fn columns(text: &str) -> usize {
    let width = |c: char| if WIDE.contains(&c) { 2 } else { usize::from(c != COMBINING && c != '\r') };
    text.chars().map(width).sum()
}

/// Without cursor movements, colors and erasures.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        all + part.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).get(1..).unwrap_or_default()
    })
}
