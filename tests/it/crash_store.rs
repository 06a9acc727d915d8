//! The crash matrix of the store: commands that write or remove objects are killed at random moments, alone and two at a time.
//! Afterwards every snapshot that was there is whole, and after the next sweep no object is without an owner.
//!
//! `BOTTLE_FREEZE_FAULTS=long` kills 1,000 times, and freezes of a real VM from its disks too. `SEED` repeats a run.

use crate::leftovers::{left, wait_for_the_dead};
use crate::support::chaos::{Random, is_long};
use crate::support::library::{Reader, snapshots, stored_objects};
use crate::support::{World, end_of, finish, names_in, random_bytes, real, signal, stderr};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Kills of one command, and of one of two at a time.
const KILLS: u32 = 10;
const LONG_KILLS: u32 = 500;
/// Kills on a real engine.
const REAL_KILLS: u32 = 24;

#[test]
fn commands_that_are_killed_alone_leave_every_snapshot_whole() {
    Ground::new(&world(), false).kill(1, if is_long() { LONG_KILLS } else { KILLS });
}

#[test]
fn commands_that_are_killed_two_at_a_time_leave_every_snapshot_whole() {
    Ground::new(&world(), false).kill(2, if is_long() { LONG_KILLS } else { KILLS });
}

#[test]
fn freezes_from_the_disks_that_are_killed_leave_every_snapshot_whole() {
    if !is_long() {
        println!("NOT RUN: set BOTTLE_FREEZE_FAULTS=long");
        return;
    }
    let world = World::new();
    for vm in VMS {
        real::vm(&world, vm, 2);
    }
    fs::create_dir(world.path("elsewhere")).unwrap();
    Ground::new(&world, true).kill(1, REAL_KILLS);
}

/// No paths.
const NONE: [PathBuf; 0] = [];
/// The VMs that are frozen, and the one that is frozen while it runs.
const VMS: [&str; 2] = ["one", "two"];
const LIVE: &str = "three";

fn world() -> World {
    let world = World::new();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    fs::create_dir(world.path("elsewhere")).unwrap();
    let shared = random_bytes(1 << 20);
    for vm in VMS.into_iter().chain(["spare"]) {
        world.vm(vm).stopped();
        world.write_guest(vm, "root/shared", &shared);
    }
    world.vm(LIVE).running();
    world.write_guest(LIVE, "root/shared", &shared);
    world.run("freeze one -t first").success();
    world.run("snapshot export one@first -o kept.tar").success();
    world.run("snapshot push one@first registry.test:5000/one:first --yes").success();
    world
}

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Freeze,
    Live,
    Remove,
    Prune,
    Sweep,
    Import,
    Pull,
}

/// A command that is killed, and which snapshots it may remove: those whose reference begins like this.
struct Victim {
    kind: Kind,
    line: String,
    removes: Option<String>,
}

/// Where commands are killed.
struct Ground<'a> {
    world: &'a World,
    is_real: bool,
    random: Random,
    reader: Reader,
    /// How long each takes.
    times: BTreeMap<Kind, Duration>,
    /// How often each was killed, and how often it was done before.
    seen: BTreeMap<(Kind, bool), u32>,
}

impl<'a> Ground<'a> {
    fn new(world: &'a World, is_real: bool) -> Self {
        let (random, reader) = (Random::new(), Reader::default());
        let mut ground = Self { world, is_real, random, reader, times: BTreeMap::new(), seen: BTreeMap::new() };
        let kinds: &[Kind] = if is_real { &REAL_KINDS } else { &KINDS };
        for kind in kinds {
            let victim = ground.victim(*kind);
            let began = Instant::now();
            finish(ground.line(&victim.line)).success();
            // The shortest: a busy machine makes it longer.
            let time = began.elapsed();
            ground.times.entry(*kind).and_modify(|least| *least = time.min(*least)).or_insert(time);
        }
        ground
    }

    /// Runs so many at a time until so many were killed.
    fn kill(mut self, at_a_time: usize, kills: u32) {
        let mut round = 0;
        while self.seen.iter().filter(|((_, is_killed), _)| *is_killed).map(|(_, count)| count).sum::<u32>() < kills {
            self.round(at_a_time, round);
            round += 1;
        }
        println!("{round} rounds; killed or not: {:?}", self.seen);
    }

    fn round(&mut self, at_a_time: usize, number: u32) {
        let before = snapshots(self.world);
        let victims: Vec<Victim> = (0..at_a_time).map(|_| self.any_victim()).collect();
        let lines: Vec<&str> = victims.iter().map(|victim| victim.line.as_str()).collect();
        let round = format!("round {number}, {lines:?}");
        for (victim, (status, delay)) in victims.iter().zip(self.run_and_kill(&victims, &round)) {
            *self.seen.entry((victim.kind, status.is_none())).or_default() += 1;
            if status.is_some() {
                // It takes less than was measured: a later kill would miss it again.
                self.times.entry(victim.kind).and_modify(|least| *least = delay.min(*least));
            }
        }
        wait_for_the_dead(self.world);
        let may_be_gone = |name: &str| {
            let removes = victims.iter().filter_map(|victim| victim.removes.as_deref());
            removes.into_iter().any(|prefix| name.starts_with(prefix))
        };
        let now = snapshots(self.world);
        for name in before.keys().filter(|name| !may_be_gone(name)) {
            assert!(now.contains_key(name), "{round}: {name} is gone");
        }
        self.assert_whole(&now, &round);
        self.sweep(number, &round);
        self.assert_whole(&snapshots(self.world), &round);
    }

    /// Starts all of them, and kills each at a random moment. Their exit statuses, if they were done before, and the moments.
    fn run_and_kill(&mut self, victims: &[Victim], round: &str) -> Vec<(Option<i32>, Duration)> {
        let mut running: Vec<(Duration, usize, Child)> = Vec::new();
        let began = Instant::now();
        for (number, victim) in victims.iter().enumerate() {
            let share = u32::try_from(self.random.below(1000)).unwrap();
            let delay = self.times[&victim.kind].mul_f64(f64::from(share) / 1000.0);
            let child = self.line(&victim.line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            running.push((delay, number, child));
        }
        running.sort_by_key(|(delay, ..)| *delay);
        for (delay, _, child) in &running {
            // The random moment is the test: there is no condition to wait for.
            std::thread::sleep(delay.saturating_sub(began.elapsed()));
            signal(i32::try_from(child.id()).unwrap(), Signal::KILL);
        }
        running.sort_by_key(|(_, number, _)| *number);
        let ended = running.into_iter().map(|(delay, _, child)| (end_of(child), delay));
        let allowed: &[i32] = if victims.len() == 1 { &[0] } else { &[0, 3, 4, 7, 11] };
        let status = |(ended, delay): (std::process::Output, Duration)| {
            let (status, said) = (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned());
            assert!(status.is_none_or(|status| allowed.contains(&status)), "{round}: {status:?}: {said}");
            (status, delay)
        };
        ended.map(status).collect()
    }

    fn any_victim(&mut self) -> Victim {
        let kinds: &[Kind] = if self.is_real { &REAL_KINDS } else { &KINDS };
        let kind = kinds[usize::try_from(self.random.below(kinds.len() as u64)).unwrap()];
        self.victim(kind)
    }

    fn victim(&mut self, kind: Kind) -> Victim {
        let vm = VMS[usize::try_from(self.random.below(2)).unwrap()];
        let pruned = [VMS[0], VMS[1], LIVE][usize::try_from(self.random.below(3)).unwrap()];
        let (all, number) = (snapshots(self.world), self.random.below(1 << 32));
        let (line, removes) = match kind {
            Kind::Freeze => {
                self.change(vm);
                (format!("freeze {vm}"), None)
            }
            Kind::Live => {
                self.change(LIVE);
                (format!("freeze {LIVE} --live"), None)
            }
            Kind::Remove => match all.keys().nth(usize::try_from(number).unwrap() % all.len().max(1)) {
                Some(name) => (format!("snapshot rm {name} --yes"), Some(name.clone())),
                None => return self.victim(Kind::Freeze),
            },
            Kind::Prune => (format!("snapshot prune {pruned} --keep-last 2 --yes"), Some(format!("{pruned}@"))),
            Kind::Sweep => ("snapshot prune --keep-last 999 --yes".to_owned(), None),
            // A new name each time: there can be no snapshot of it yet.
            Kind::Import => (format!("snapshot import kept.tar --as i{number}"), None),
            Kind::Pull => (format!("snapshot pull registry.test:5000/one:first --as p{number}"), None),
        };
        Victim { kind, line, removes }
    }

    /// Changes what is on the VM's disk; and now and then, what the library has of the real engine, so that it is made again.
    fn change(&mut self, vm: &str) {
        if !self.is_real {
            return self.world.write_guest(vm, "root/changed", random_bytes(40 << 10));
        }
        real::change(self.world, vm, 40 << 10);
        let runtimes = self.world.path("home/library/store/runtimes");
        for name in names_in(&runtimes).iter().filter(|_| self.random.below(4) == 0) {
            fs::write(runtimes.join(name).join("record.json"), "{}").unwrap();
        }
    }

    fn assert_whole(&mut self, snapshots: &BTreeMap<String, PathBuf>, round: &str) {
        for (name, folder) in snapshots {
            self.reader.check(folder).unwrap_or_else(|why| panic!("{round}: {name}: {why}"));
        }
    }

    /// The next command of any kind removes what was left.
    fn sweep(&mut self, number: u32, round: &str) {
        let oldest = snapshots(self.world).into_keys().next();
        let line = match (number % 4, oldest) {
            (0, Some(name)) => format!("snapshot rm {name} --yes"),
            (1, _) if !self.is_real => "freeze spare --if-changed".to_owned(),
            (2, _) if !self.is_real => "freeze spare -o ../elsewhere/spare --force".to_owned(),
            _ => "snapshot prune --keep-last 999 --yes".to_owned(),
        };
        let run = finish(self.line(&line));
        assert!(run.get_output().status.success(), "{round}: {line}: {}", stderr(&run));
        assert_eq!(left(self.world), NONE, "{round}: after {line}");
        assert_eq!(names_in(&self.world.path("home/library/work")), [""; 0], "{round}: after {line}");
        let is_owned = |path: &PathBuf| fs::metadata(path).unwrap().nlink() > 1;
        let unused: Vec<_> = stored_objects(self.world).into_iter().filter(|path| !is_owned(path)).collect();
        assert_eq!(unused, NONE, "{round}: after {line}");
    }

    fn line(&self, line: &str) -> Command {
        if self.is_real { real::line(self.world, line) } else { self.world.line(line) }
    }
}

const KINDS: [Kind; 9] = [
    Kind::Live,
    Kind::Freeze,
    Kind::Freeze,
    Kind::Remove,
    Kind::Remove,
    Kind::Prune,
    Kind::Sweep,
    Kind::Import,
    Kind::Pull,
];
const REAL_KINDS: [Kind; 4] = [Kind::Freeze, Kind::Freeze, Kind::Freeze, Kind::Remove];
