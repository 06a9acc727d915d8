//! The crash matrix: a freeze over an older snapshot is killed at a random moment. Afterwards, the older snapshot or a
//! complete new one is there, and nothing else.
//!
//! `BOTTLE_FREEZE_FAULTS=long` kills more often, and kills packs of the real engine too. `SEED` repeats a run.

use crate::support::chaos::{Random, is_long};
use crate::support::{World, end_of, finish, handles_signals, names_in, real, wait_until};
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The number of freezes that are killed, and the number in which only the engine is killed.
const ROUNDS: (u64, u64) = (16, 4);
const LONG_ROUNDS: (u64, u64) = (200, 50);

#[test]
fn a_killed_freeze_leaves_the_old_snapshot_or_a_complete_new_one() {
    let world = World::new();
    world.vm("dev").running();
    world.vm("other").stopped();
    // The fake is fast: it sleeps so that a signal can hit every step.
    let pause = |on, at| json!({"on": on, "at": at, "do": {"sleep_ms": 15}});
    let packing = ["start", "staged", "launcher", "half", "end"].map(|at| pause("pack create", at));
    let stopping = ["before", "after"].map(|at| pause("machine stop", at));
    world.warm().fault(json!([packing.as_slice(), stopping.as_slice()].concat()));
    Ground::new(&world, false).kill_again_and_again();
}

#[test]
fn a_killed_real_freeze_leaves_the_old_snapshot_or_a_complete_new_one() {
    if !is_long() {
        println!("NOT RUN: set BOTTLE_FREEZE_FAULTS=long");
        return;
    }
    let world = World::new();
    real::vm(&world, "dev", 4);
    real::vm(&world, "other", 1);
    Ground::new(&world, true).kill_again_and_again();
}

/// What is killed, and how.
#[derive(Debug, Clone, Copy)]
enum Kill {
    Freeze(Signal),
    /// Only the engine's `pack create`.
    Engine,
}

/// Where freezes are killed.
struct Ground<'a> {
    world: &'a World,
    real: bool,
    /// How long an undisturbed freeze takes.
    whole: Duration,
    random: Random,
    /// How often each outcome was seen.
    seen: BTreeMap<String, u32>,
}

impl<'a> Ground<'a> {
    fn new(world: &'a World, real: bool) -> Self {
        fs::create_dir(world.path("elsewhere")).unwrap();
        let mut ground = Self { world, real, whole: Duration::MAX, random: Random::new(), seen: BTreeMap::new() };
        for output in ["x.smolmachine", "pair"] {
            let began = Instant::now();
            finish(ground.freeze(output)).success();
            // The shortest: a busy machine makes it longer, and every round with it.
            ground.whole = ground.whole.min(began.elapsed());
        }
        ground
    }

    fn kill_again_and_again(mut self) {
        let (freezes, engines) = if is_long() { LONG_ROUNDS } else { ROUNDS };
        for round in 0..freezes + engines {
            let kill = match round {
                _ if round >= freezes => Kill::Engine,
                _ => Kill::Freeze(
                    [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL][usize::try_from(round % 4).unwrap()],
                ),
            };
            let output = if self.random.below(4) == 0 { "pair" } else { "x.smolmachine" };
            self.round(kill, output, &format!("round {round}, {kill:?}, {output}"));
        }
        println!("{:?} a freeze; {:#?}", self.whole, self.seen);
    }

    /// Runs one freeze and kills it once.
    fn round(&mut self, kill: Kill, output: &str, round: &str) {
        self.bring_up(round);
        let old = self.files(output);
        let freeze = self.freeze(output).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(freeze.id()).unwrap();
        wait_until("it handles signals", || handles_signals(pid));
        let delay = self.whole.mul_f64(f64::from(u32::try_from(self.random.below(1100)).unwrap()) / 1000.0);
        // The random moment is the test: there is no condition to wait for.
        match kill {
            Kill::Freeze(signal) => {
                std::thread::sleep(delay);
                crate::support::signal(pid, signal);
            }
            Kill::Engine => {
                wait_until("the engine packs", || packing_child(pid).is_some());
                std::thread::sleep(delay / 2);
                if let Some(child) = packing_child(pid) {
                    crate::support::signal(child, Signal::KILL);
                }
            }
        }
        let ended = end_of(freeze);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        let round = format!("{round}, {delay:?} of {:?}: {:?} {said}", self.whole, ended.status);
        let code = ended.status.code();
        let allowed = match kill {
            Kill::Freeze(Signal::INT) => [Some(0), Some(130)],
            Kill::Freeze(Signal::TERM) => [Some(0), Some(143)],
            Kill::Freeze(Signal::HUP) => [Some(0), Some(129)],
            Kill::Freeze(_) => [Some(0), None],
            Kill::Engine => [Some(0), Some(1)],
        };
        assert!(allowed.contains(&code), "{round}");
        let is_new = self.old_or_whole(output, &old, code.is_none(), &round);
        assert!(is_new || code != Some(0), "{round}: done, and nothing was published");
        if !self.real && code.is_some() {
            assert_eq!(self.world.state("dev"), if is_new { "stopped" } else { "running" }, "{round}");
        }
        if code.is_none() {
            self.sweep(&round);
        }
        self.assert_nothing_else(&round);
        let what = if is_new { "a new snapshot" } else { "the old snapshot" };
        *self.seen.entry(format!("{kill:?}, {code:?}: {what}")).or_default() += 1;
    }

    /// Whether the complete new snapshot is there; otherwise checks that the old one is, byte for byte.
    fn old_or_whole(&self, output: &str, old: &[Vec<u8>], killed: bool, round: &str) -> bool {
        let now = self.files(output);
        if now.last() != old.last() {
            let sidecar = sidecar(output);
            finish(self.line(&format!("verify {sidecar}"))).success();
            return true;
        }
        // A pair needs two renames; a kill between them leaves the new launcher, which contains nothing of the VM.
        assert!(now == old || (killed && now.len() == 2), "{round}: another launcher beside the old snapshot");
        false
    }

    /// The files of an output, the sidecar last.
    fn files(&self, output: &str) -> Vec<Vec<u8>> {
        let names = if output == "pair" { vec!["pair", "pair.smolmachine"] } else { vec![output] };
        names.iter().map(|name| fs::read(self.world.path("work").join(name)).unwrap()).collect()
    }

    /// The next freeze, of another VM into another folder, removes what a killed one left behind.
    fn sweep(&self, round: &str) {
        let folder = self.world.path("work");
        wait_until(&format!("the engine is dead: {round}"), || workers(&folder).is_empty());
        finish(self.line("freeze other -o ../elsewhere/y.smolmachine --force")).success();
    }

    fn assert_nothing_else(&self, round: &str) {
        let left = |folder: &str| names_in(&self.world.path(folder));
        assert_eq!(left("work"), ["pair", "pair.smolmachine", "x.smolmachine"], "{round}");
        for empty in ["tmp", "home/library/work", "home/library/locks"] {
            assert_eq!(left(empty), [""; 0], "{round}: {empty}");
        }
        let cache = left("home/.cache/smolvm");
        assert!(!cache.iter().any(|name| name.contains("staging") || name.contains("tmp")), "{round}: {cache:?}");
    }

    /// The VM runs if it can, and its files change, so that two snapshots of it differ.
    fn bring_up(&self, round: &str) {
        if !self.real {
            self.world.write_guest("dev", "root/round", round);
        }
        if !self.real && self.world.state("dev") != "running" {
            assert!(self.world.smolvm("machine start --name dev").status.success());
        }
    }

    fn freeze(&self, output: &str) -> Command {
        self.line(&format!("freeze dev -o {output} --yes --force"))
    }

    fn line(&self, line: &str) -> Command {
        if self.real { real::line(self.world, line) } else { self.world.line(line) }
    }
}

fn sidecar(output: &str) -> String {
    format!("{}.smolmachine", output.trim_end_matches(".smolmachine"))
}

/// The `pack create` process that this process runs, if any.
fn packing_child(pid: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let packs = |child: &i32| command_line(*child).contains("pack create");
    children.split_whitespace().map(|child| child.parse().unwrap()).find(packs)
}

/// The processes that work in a folder, except VMMs: the engine, and a child that a killed freeze was about to exec,
/// which holds its locks until then.
fn workers(folder: &Path) -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| PathBuf::from(entry.file_name()));
    let pids = processes.filter_map(|name| name.to_str()?.parse().ok());
    let works_there = |pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    pids.filter(|pid| works_there(pid) && !command_line(*pid).contains("_boot-vm")).collect()
}

fn command_line(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}
