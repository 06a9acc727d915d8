//! Questions: what each key does, what happens without a user, and that a terminal is left as it was found.

use crate::support::World;
use crate::support::pty::Session;
use predicates::str::contains;
use std::process::Command;

const FREEZE: &str = "freeze dev -o x.smolmachine";

/// A running VM, and a terminal on which the command has asked its question.
fn asked(line: &str) -> (World, Session) {
    let world = World::new();
    world.vm("dev").running();
    world.warm();
    let session = Session::start(world.line(line));
    session.wait_for("[y/N]");
    (world, session)
}

#[test]
fn confirming_the_prompt_freezes_the_vm() {
    for key in ["y", "Y"] {
        let (world, mut session) = asked(FREEZE);
        session.press(key);
        assert_eq!(session.wait(), Some(0), "{}", session.screen());
        assert_eq!(world.state("dev"), "stopped");
        world.assert_clean(&["x.smolmachine"]);
    }
}

#[test]
fn declining_the_prompt_leaves_the_vm_running() {
    assert_key_declines("n");
    assert_key_declines("N");
}

#[test]
fn enter_is_no() {
    assert_key_declines("\r");
}

#[test]
fn end_of_input_is_no() {
    assert_key_declines("\x04");
}

/// The arrow is three bytes, and the first of them alone is the key that cancels.
#[test]
fn an_arrow_is_no_answer() {
    for _ in 0..10 {
        let (world, mut session) = asked("rm dev");
        session.press("\x1b[A");
        session.press("y");
        assert_eq!(session.wait(), Some(0), "{}", session.screen());
        assert!(!world.path("fake/vms/dev").exists());
    }
}

#[test]
fn a_key_pressed_as_soon_as_the_question_appears_answers_it() {
    for key in ["\x04", "n", "\x03"].iter().cycle().take(30) {
        let (world, mut session) = asked("rm dev");
        session.press(key);
        assert_eq!(session.wait(), Some(if *key == "\x03" { 130 } else { 6 }), "{key:?} {}", session.screen());
        assert_eq!(world.state("dev"), "running");
    }
}

#[test]
fn input_typed_before_the_question_is_not_an_answer() {
    let world = World::new();
    world.vm("dev").running();
    let typed = world.path("typed");
    world.warm().fault(serde_json::json!({"on": "machine ls", "nth": 1, "do": {"await": &typed}}));
    let mut session = Session::start(world.line("rm dev"));
    session.press("yy\x04");
    // The terminal echoes it.
    session.wait_for("yy");
    std::fs::write(&typed, "").unwrap();
    session.wait_for("[y/N]");
    session.press("n");
    assert_eq!(session.wait(), Some(6), "{}", session.screen());
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn other_keys_are_not_answers() {
    let (world, mut session) = asked(FREEZE);
    session.press("x?1 n");
    assert_eq!(session.wait(), Some(6));
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn interrupting_the_freeze_prompt_leaves_the_vm_running() {
    let (world, mut session) = asked(FREEZE);
    session.press("\x03");
    assert_eq!(session.wait(), Some(130), "{}", session.screen());
    assert_nothing_happened(&world, &session);
}

#[test]
fn a_signal_at_the_prompt_leaves_the_vm_and_the_terminal_as_they_were() {
    for (signal, status) in [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143)] {
        let (world, mut session) = asked(FREEZE);
        crate::support::signal(session.pid(), signal);
        assert_eq!(session.wait(), Some(status));
        assert_nothing_happened(&world, &session);
    }
}

#[test]
fn the_question_says_what_stops_and_what_is_lost() {
    let (_world, session) = asked(FREEZE);
    let screen = session.screen();
    for text in ["'dev' is running", "RAM", "tmpfs"] {
        assert!(screen.contains(text), "{screen}");
    }
}

#[test]
fn confirming_the_rm_prompt_deletes_the_vm() {
    let (world, mut session) = asked("rm dev");
    session.wait_for("dev (running, ");
    session.press("y");
    assert_eq!(session.wait(), Some(0));
    assert_eq!(world.state("dev"), "missing");
}

#[test]
fn anything_but_yes_at_the_rm_prompt_deletes_nothing() {
    for (key, status) in [("n", 6), ("\r", 6), ("\x04", 6), ("\x03", 130)] {
        let (world, mut session) = asked("rm dev");
        session.press(key);
        assert_eq!(session.wait(), Some(status), "{key:?}: {}", session.screen());
        assert_nothing_happened(&world, &session);
    }
}

#[test]
fn without_a_terminal_rm_refuses_and_names_the_flag() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().run("rm dev").code(6).stderr(contains("--yes"));
    assert_eq!(world.commands(), ["machine ls"]);
    assert_eq!(world.state("dev"), "running");
}

#[test]
fn a_stopped_vm_is_frozen_on_a_terminal_without_a_question() {
    let world = World::new();
    world.vm("dev").stopped();
    let mut session = Session::start(world.line(FREEZE));
    assert_eq!(session.wait(), Some(0));
    assert!(!session.screen().contains("[y/N]"));
}

#[test]
fn ctrl_c_during_a_pack_restores_everything() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().fault(serde_json::json!({"on": "pack create", "at": "half", "do": "hang"}));
    let mut session = Session::start(world.line("freeze dev -o x.smolmachine --yes"));
    crate::support::wait_until("the pack runs", || world.commands().contains(&"pack create".to_owned()));
    session.press("\x03");
    assert_eq!(session.wait(), Some(130), "{}", session.screen());
    session.wait_for("running again");
    assert!(session.reads_lines());
    assert_eq!(world.state("dev"), "running");
    world.assert_clean(&[]);
}

#[test]
fn closing_the_terminal_during_a_pack_restores_everything() {
    let world = World::new();
    world.vm("dev").running();
    world.warm().fault(serde_json::json!({"on": "pack create", "at": "half", "do": "hang"}));
    let mut session = Session::start(world.line("freeze dev -o x.smolmachine --yes"));
    crate::support::wait_until("the pack runs", || world.commands().contains(&"pack create".to_owned()));
    session.hang_up();
    assert_eq!(session.wait(), Some(129));
    assert_eq!(world.state("dev"), "running");
    world.assert_clean(&[]);
}

#[test]
fn under_nohup_a_freeze_survives_its_terminal() {
    let (world, hung_up) = (World::new(), "work/hung-up");
    world.vm("dev").running();
    world.warm();
    let pause = serde_json::json!({"on": "pack create", "at": "half", "do": {"await": world.path(hung_up)}});
    world.fault(pause);
    // Its result goes elsewhere, because a result that cannot be printed is a failure.
    let freeze = nohup(&world, "freeze dev -o x.smolmachine --yes --restart");
    let mut session = Session::start_on(freeze, [true, false, true], 0);
    crate::support::wait_until("the pack runs", || world.commands().contains(&"pack create".to_owned()));
    session.hang_up();
    std::fs::write(world.path(hung_up), "").unwrap();
    assert_eq!(session.wait(), Some(0));
    assert_eq!(world.state("dev"), "running");
    world.run("verify x.smolmachine").success();
}

/// The command, started with SIGHUP ignored.
fn nohup(world: &World, line: &str) -> Command {
    let command = world.line(line);
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    nohup.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?)))).current_dir(world.path("work"));
    nohup
}

/// What the user does when the question appears.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Key(&'static str),
    Terminate,
    CloseTheTerminal,
}

/// Each answer, and the exit status. The last one is yes: the others change nothing.
const ANSWERS: [(Answer, i32); 6] = [
    (Answer::Key("n"), 6),
    (Answer::Key("\x04"), 6),
    (Answer::Key("\x03"), 130),
    (Answer::Terminate, 143),
    (Answer::CloseTheTerminal, 129),
    (Answer::Key("y"), 0),
];

#[test]
fn each_answer_to_each_question_does_what_it_says() {
    let terminals = (0..8).map(|bits| [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0]);
    let flags = ["", "--yes", "--no-input", "--yes --no-input", "--quiet", "--verbose", "--json"];
    let cases: Vec<_> = terminals.flat_map(|terminal| flags.map(|flags| (terminal, flags))).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        while let Some((terminal, flags)) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            play(*terminal, flags);
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
}

/// A freeze for which all or only some of stdin, stdout and stderr are the terminal.
fn play(terminal: [bool; 3], flags: &str) {
    let world = World::new();
    world.vm("dev").running();
    world.warm();
    let is_answered = flags.contains("--yes");
    let is_asked = terminal[0] && terminal[2] && !is_answered && flags != "--no-input";
    let answers: Vec<(Option<Answer>, i32)> = match (is_asked, is_answered) {
        (true, _) => ANSWERS.map(|(answer, status)| (Some(answer), status)).into(),
        (false, true) => vec![(None, 0)],
        (false, false) => vec![(None, 6)],
    };
    for (answer, expected) in answers {
        let case = format!("stdin, stdout, stderr {terminal:?}, {flags:?}, {answer:?}");
        println!("{case}");
        let mut session = Session::start_on(world.line(&format!("{FREEZE} {flags}")), terminal, 0);
        if let Some(answer) = answer {
            session.wait_for("[y/N]");
            give(&mut session, answer);
        }
        assert_eq!(session.wait(), Some(expected), "{case}: {}", session.screen());
        let all = session.all_printed();
        assert_eq!(all.contains("[y/N]"), is_asked && answer != Some(Answer::CloseTheTerminal), "{case}: {all}");
        assert!(is_asked || is_answered || all.contains("--yes"), "{case}: {all}");
        assert!(all.rfind("\x1b[?25l") <= all.rfind("\x1b[?25h"), "the cursor stays hidden: {case}: {all:?}");
        if expected == 0 {
            assert_eq!(world.state("dev"), "stopped", "{case}");
            world.assert_clean(&["x.smolmachine"]);
        } else {
            assert_untouched(&world);
        }
        assert!(answer == Some(Answer::CloseTheTerminal) || session.reads_lines(), "raw mode: {case}");
    }
}

fn give(session: &mut Session, answer: Answer) {
    match answer {
        Answer::Key(key) => session.press(key),
        Answer::Terminate => crate::support::signal(session.pid(), rustix::process::Signal::TERM),
        Answer::CloseTheTerminal => session.hang_up(),
    }
}

fn assert_key_declines(key: &str) {
    let (world, mut session) = asked(FREEZE);
    session.press(key);
    assert_eq!(session.wait(), Some(6), "{}", session.screen());
    assert_nothing_happened(&world, &session);
}

fn assert_nothing_happened(world: &World, session: &Session) {
    assert!(session.reads_lines(), "the terminal was left in raw mode");
    assert_untouched(world);
}

fn assert_untouched(world: &World) {
    let asks = |command: &String| ["machine ls", "machine data-dir"].contains(&command.as_str());
    assert!(world.commands().iter().all(asks), "{:?}", world.commands());
    assert_eq!(world.state("dev"), "running");
    world.assert_clean(&[]);
}
