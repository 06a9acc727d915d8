//! What `snapshot prune` keeps: the same as the real restic, for each snapshot of random histories; and which snapshot
//! is the newest. Without restic, the comparison reports NOT RUN; with `CI` or `BOTTLE_FREEZE_FAULTS=long` that is a
//! failure.

use crate::support::chaos::{Random, is_long};
use crate::support::{World, finish, names_in, stdout};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use predicates::str::contains;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Zones whose clocks change by an hour, by half an hour, at midnight, by a whole day, or never.
const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
];
const TAGS: [&str; 5] = ["", "", "a", "b", "a,b"];

// ------------------------------------------------------------------------------------------------ as restic does it

#[test]
fn prune_decides_like_restic_for_each_snapshot() {
    let Some(restic) = Restic::new() else { return };
    let (histories, policies) = if is_long() { (50, 10) } else { (4, 4) };
    let mut random = Random::new();
    let all: Vec<History> = (0..histories).map(|number| History::random(&mut random, number, policies)).collect();
    // A restic backup waits a fifth of a second for others.
    for some in all.chunks(8) {
        std::thread::scope(|scope| {
            for history in some {
                scope.spawn(|| compare(&restic, history));
            }
        });
    }
}

/// The snapshots of one VM, and policies to apply to them.
struct History {
    host: String,
    zone: &'static str,
    snapshots: Vec<(Zoned, &'static str)>,
    policies: Vec<Vec<String>>,
}

impl History {
    fn random(random: &mut Random, number: u32, policies: usize) -> Self {
        let zone = ZONES[pick(random, ZONES.len())];
        let moments = random_moments(random, &TimeZone::get(zone).unwrap());
        Self {
            host: format!("h{number}"),
            zone,
            snapshots: moments.into_iter().map(|moment| (moment, TAGS[pick(random, TAGS.len())])).collect(),
            policies: (0..policies).map(|_| random_policy(random)).collect(),
        }
    }
}

fn compare(restic: &Restic, history: &History) {
    let (world, History { host, zone, .. }) = (World::new(), history);
    for (moment, tags) in &history.snapshots {
        restic.backup(host, moment, zone, tags);
    }
    for one in restic.snapshots(host) {
        add_to_library(&world, host, &one);
    }
    for policy in &history.policies {
        let (theirs, ours) = (restic.forget(host, zone, policy), prune(&world, zone, policy));
        assert_eq!(by_moment(&ours), by_moment(&theirs), "{host}, TZ={zone}, {policy:?}");
    }
}

#[test]
fn a_month_of_keep_within_is_a_calendar_month() {
    let world = world_with(&["2026-10-20T12:00:00Z", "2026-05-01T12:00:00Z", "2026-04-19T12:00:00Z"]);
    assert_eq!(kept(&world, "UTC", &["--keep-within", "6m"]), ["2026-10-20T12:00:00Z", "2026-05-01T12:00:00Z"]);
    world.run("snapshot prune --keep-within 6months").code(2).stderr(contains("1y5m7d2h"));
}

#[test]
fn a_day_is_a_day_of_the_local_time_zone() {
    let world = world_with(&["2026-10-20T20:00:00Z", "2026-10-20T10:00:00Z", "2026-10-20T09:00:00Z"]);
    assert_eq!(kept(&world, "UTC", &["--keep-daily", "2"]), ["2026-10-20T20:00:00Z"]);
    let both = ["2026-10-20T20:00:00Z", "2026-10-20T10:00:00Z"];
    assert_eq!(kept(&world, "Asia/Tokyo", &["--keep-daily", "2"]), both);
}

#[test]
fn a_snapshot_from_the_future_does_not_make_the_others_old() {
    let world = world_with(&["2190-01-01T12:00:00Z", "2026-10-20T12:00:00Z", "2026-10-01T12:00:00Z"]);
    assert_eq!(kept(&world, "UTC", &["--keep-within", "30d"]).len(), 3);
    assert_eq!(kept(&world, "UTC", &["--keep-within", "10d"]), ["2190-01-01T12:00:00Z", "2026-10-20T12:00:00Z"]);
}

#[test]
fn unlimited_keeps_all_and_a_negative_number_is_refused() {
    let world = world_with(&["2026-10-20T12:00:00Z", "2025-10-20T12:00:00Z", "2025-10-19T12:00:00Z"]);
    let yearly = ["2026-10-20T12:00:00Z", "2025-10-20T12:00:00Z"];
    assert_eq!(kept(&world, "UTC", &["--keep-yearly", "2"]), yearly);
    assert_eq!(kept(&world, "UTC", &["--keep-last", "unlimited"]).len(), 3);
    world.run("snapshot prune --keep-last -1").code(2).stderr(contains("unlimited"));
    for none in ["--keep-last 0", "--keep-within 0d", "--keep-within ''", "--keep-within -5d"] {
        world.run(&format!("snapshot prune --yes {none}")).code(2);
    }
    assert_eq!(names_in(&world.path("home/library/snapshots/h")).len(), 3);
}

#[test]
fn a_snapshot_must_have_each_tag_of_a_list() {
    let world = World::new();
    for (day, tags) in [(3, json!([])), (2, json!(["a"])), (1, json!(["a", "b"]))] {
        add_to_library(&world, "h", &json!({"time": format!("2026-10-0{day}T12:00:00Z"), "id": day, "tags": tags}));
    }
    let policy = |tags: &str| kept(&world, "UTC", &["--keep-tag", tags]);
    assert_eq!(policy("a,b"), ["2026-10-01T12:00:00Z"]);
    assert_eq!(policy("a"), ["2026-10-02T12:00:00Z", "2026-10-01T12:00:00Z"]);
    assert_eq!(policy(""), ["2026-10-03T12:00:00Z"]);
    world.run("snapshot prune --keep-tag a,,b").code(2).stderr(contains("a tag has"));
}

// ------------------------------------------------------------------------------------- the newest is the one made last

/// Two snapshots of one VM: between them, the clock went back, far or not at all.
fn after_the_clock_went_back() -> (World, String) {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -m first").success();
    world.run("freeze dev -m second").success();
    let second = stdout(&world.run("snapshot show dev --json").success());
    let id = serde_json::from_str::<Value>(&second).unwrap()["id"].as_str().unwrap().to_owned();
    change(&world, &id, "created", json!("2020-01-01T00:00:00.000Z"));
    (world, format!("dev@{id}"))
}

#[test]
fn the_newest_is_the_one_made_last_even_if_the_clock_goes_back() {
    let (world, second) = after_the_clock_went_back();
    assert_eq!(listed(&world).last(), Some(&second));
    let shown: Value = serde_json::from_str(&stdout(&world.run("snapshot show dev --json"))).unwrap();
    assert_eq!(shown["note"], "second");
    world.run("snapshot prune --keep-last 1 --yes").success();
    assert_eq!(listed(&world), [second]);
}

#[test]
fn a_freeze_is_newer_than_a_snapshot_dated_in_the_future() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev").success();
    let first = listed(&world).remove(0);
    let id = first.split_once('@').unwrap().1;
    // As written by 0.1.0, and as written by this version.
    for sequence in [Value::Null, json!(6_942_153_600_000_u64)] {
        change(&world, id, "created", json!("2190-01-01T00:00:00.000Z"));
        change(&world, id, "sequence", sequence);
        world.run("freeze dev -m later").success();
        let later = listed(&world);
        assert_eq!((later.len(), &later[0]), (2, &first));
        world.run(&format!("snapshot rm {} --yes", later[1])).success();
    }
}

#[test]
fn an_imported_snapshot_is_sorted_by_its_date() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("freeze dev -m first").success();
    world.run("freeze dev -m second").success();
    world.run("snapshot export dev -o second.tar").success();
    world.run("snapshot rm dev --yes").success();
    world.run("freeze dev -m third").success();
    world.run("snapshot import second.tar").success();
    let all: Vec<Value> = serde_json::from_str(&stdout(&world.run("snapshot ls --json").success())).unwrap();
    let notes: Vec<&str> = all.iter().map(|one| one["note"].as_str().unwrap()).collect();
    assert_eq!(notes, ["first", "second", "third"]);
}

fn listed(world: &World) -> Vec<String> {
    stdout(&world.run("snapshot ls -q").success()).lines().map(str::to_owned).collect()
}

/// Changes one key of a snapshot.json of `dev`; null removes it.
#[allow(clippy::needless_pass_by_value)]
fn change(world: &World, id: &str, key: &str, value: Value) {
    let file = world.path("home/library/snapshots/dev").join(id).join("snapshot.json");
    let mut metadata: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let keys = metadata.as_object_mut().unwrap();
    if value.is_null() {
        keys.remove(key)
    } else {
        keys.insert(key.to_owned(), value)
    };
    fs::write(file, metadata.to_string()).unwrap();
}

// ------------------------------------------------------------------------------------------------------- a library

/// Puts a snapshot listed by restic into the library, as one of the VM `host`.
fn add_to_library(world: &World, host: &str, one: &Value) {
    let time: Timestamp = one["time"].as_str().unwrap().parse().unwrap();
    let id = one["id"].as_str().map_or_else(|| format!("{:08}", one["id"]), |id| id[..8].to_owned());
    let folder = world.path("home/library/snapshots").join(host).join(&id);
    fs::create_dir_all(&folder).unwrap();
    let tags = if one["tags"].is_null() { json!([]) } else { one["tags"].clone() };
    let metadata = json!({
        "format": 1, "id": id, "vm": host, "created": time.to_string(), "tags": tags, "engine_version": "1.32.2",
        "tool_version": "0.1.0", "machine": {"cpus": 1, "memory_mib": 512, "network": false},
        "files": {"vm.smolmachine": {"bytes": 0, "sha256": ""}},
    });
    fs::write(folder.join("snapshot.json"), metadata.to_string()).unwrap();
}

/// A library of one VM, with snapshots of these moments.
fn world_with(moments: &[&str]) -> World {
    let world = World::new();
    for (id, moment) in moments.iter().enumerate() {
        add_to_library(&world, "h", &json!({"time": moment, "id": id, "tags": null}));
    }
    world
}

/// A decision: when the snapshot was made, whether it stays, and why.
type Decision = (Timestamp, bool, Vec<String>);

/// What `snapshot prune` decides, with no protected tags.
fn prune(world: &World, zone: &str, policy: &[String]) -> Vec<Decision> {
    let mut command = world.command(["snapshot", "prune", "--dry-run", "--json", "--tag", "a", "--tag", "b"]);
    command.args(policy).env("TZ", zone);
    let decided: Vec<Value> = serde_json::from_str(&stdout(&finish(command).success())).unwrap();
    let decision = |one: &Value| {
        let folder = world.path("home/library/snapshots").join(one["reference"].as_str().unwrap().replace('@', "/"));
        let metadata: Value = serde_json::from_slice(&fs::read(folder.join("snapshot.json")).unwrap()).unwrap();
        let reasons = serde_json::from_value(one["reasons"].clone()).unwrap();
        (metadata["created"].as_str().unwrap().parse().unwrap(), one["keep"] == true, reasons)
    };
    decided.iter().map(decision).collect()
}

/// The moments of the snapshots that stay.
fn kept(world: &World, zone: &str, policy: &[&str]) -> Vec<String> {
    let policy: Vec<String> = policy.iter().map(|word| (*word).to_owned()).collect();
    let stay = prune(world, zone, &policy).into_iter().filter(|one| one.1);
    stay.map(|one| one.0.to_string()).collect()
}

/// The decisions by moment. Of two snapshots in the same second, restic takes either one as the newer, so only the
/// decision about the two together is the same.
fn by_moment(all: &[Decision]) -> BTreeMap<Timestamp, (usize, Vec<String>)> {
    let mut moments: BTreeMap<Timestamp, (usize, Vec<String>)> = BTreeMap::new();
    for (moment, keep, reasons) in all {
        assert_eq!(*keep, !reasons.is_empty());
        let entry = moments.entry(*moment).or_default();
        entry.0 += 1;
        entry.1.extend(reasons.iter().cloned());
        entry.1.sort();
    }
    moments
}

// ---------------------------------------------------------------------------------------------------------- chance

fn pick(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).unwrap()
}

/// When the snapshots of a history were made, by the clock of the zone, in the order of creation.
fn random_moments(random: &mut Random, zone: &TimeZone) -> Vec<Zoned> {
    // In the past, so that `now` is after all snapshots, except those that are meant to be in the future.
    let begin: Timestamp = "2008-01-01T00:00:00Z".parse().unwrap();
    let mut at = (begin + i64::try_from(random.below(17 * 365 * 24)).unwrap().hours()).to_zoned(zone.clone());
    let mut all = Vec::new();
    for _ in 0..random.between(2, 14) {
        let amount = i64::try_from(random.between(1, 40)).unwrap();
        let midnight = |at: &Zoned| at.start_of_day().unwrap().checked_add(random_second(amount)).unwrap();
        at = match random.below(9) {
            // Two in one second.
            0 => at,
            1 => at.checked_add((amount * 7).minutes()).unwrap(),
            2 => at.checked_add(amount.hours()).unwrap(),
            3 => at.checked_add((amount % 4).days()).unwrap(),
            4 => at.checked_add((amount % 9).weeks()).unwrap(),
            5 => at.checked_add((amount % 14).months()).unwrap(),
            6 => midnight(&at.checked_add(1.day()).unwrap()),
            // The hours in which the clocks change.
            7 => {
                let change = zone.following(at.timestamp()).next();
                let change = change.map_or(at.timestamp(), |change| change.timestamp());
                (change + ((amount - 20) * 9).minutes()).to_zoned(zone.clone())
            }
            // The clock goes back.
            _ => at.checked_sub((amount * 50).hours()).unwrap(),
        };
        all.push(at.clone());
    }
    if random.below(4) == 0 {
        let days = i64::try_from(random.between(2, 900)).unwrap();
        all.push(Zoned::now().with_time_zone(zone.clone()).checked_add(days.days()).unwrap());
    }
    all
}

/// Around midnight.
fn random_second(amount: i64) -> jiff::Span {
    (amount % 3 - 1).seconds()
}

fn random_policy(random: &mut Random) -> Vec<String> {
    const COUNTED: [&str; 6] = ["last", "hourly", "daily", "weekly", "monthly", "yearly"];
    const WITHIN: [&str; 6] =
        ["within", "within-hourly", "within-daily", "within-weekly", "within-monthly", "within-yearly"];
    let mut policy = Vec::new();
    for _ in 0..random.between(1, 5) {
        let (option, value) = match random.below(9) {
            0..4 => (COUNTED[pick(random, 6)], random.between(1, 9).to_string()),
            4..8 => (WITHIN[pick(random, 6)], random_reach(random)),
            _ => ("tag", ["a", "b", "a,b", "b,a", "nosuch", ""][pick(random, 6)].to_owned()),
        };
        // restic takes the last of two, we refuse the second.
        if option == "tag" || !policy.contains(&format!("--keep-{option}")) {
            policy.extend([format!("--keep-{option}"), value]);
        }
    }
    policy
}

/// Such as `1y5m7d2h`.
fn random_reach(random: &mut Random) -> String {
    let mut reach = String::new();
    for (unit, most) in [("y", 4), ("m", 15), ("d", 70), ("h", 100)] {
        if random.below(3) == 0 {
            reach += &[random.between(1, most).to_string(), unit.to_owned()].concat();
        }
    }
    if reach.is_empty() { "30d".to_owned() } else { reach }
}

// ---------------------------------------------------------------------------------------------------------- restic

/// The real restic, with a repository whose password takes no time to check (`tests/corpus/README.md`).
struct Restic {
    folder: tempfile::TempDir,
}

impl Restic {
    /// None if it is not installed.
    fn new() -> Option<Self> {
        if Command::new("restic").arg("version").output().is_err() {
            assert!(!is_long() && std::env::var_os("CI").is_none_or(|ci| ci != "true"), "restic is not installed");
            println!("NOT RUN: restic is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (corpus, repository) = (Path::new("tests/corpus/restic"), folder.path().join("repository"));
        for part in ["keys", "data", "index", "locks", "snapshots"] {
            fs::create_dir_all(repository.join(part)).unwrap();
        }
        for file in [PathBuf::from("config"), Path::new("keys").join(&names_in(&corpus.join("keys"))[0])] {
            fs::copy(corpus.join(&file), repository.join(&file)).unwrap();
        }
        fs::write(folder.path().join("file"), "content").unwrap();
        Some(Self { folder })
    }

    fn run(&self, words: &[&str], zone: &str) -> Vec<u8> {
        let mut command = Command::new("restic");
        command.args(["--no-cache", "--quiet", "--json"]).args(words).current_dir(self.folder.path());
        command.env("RESTIC_PASSWORD", "x").env("RESTIC_REPOSITORY", "repository").env("TZ", zone);
        let output = command.env("HOME", self.folder.path()).output().unwrap();
        assert!(output.status.success(), "restic {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Creates a snapshot of that moment.
    fn backup(&self, host: &str, moment: &Zoned, zone: &str, tags: &str) {
        let time = moment.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let mut words = vec!["backup", "--host", host, "--time", &time, "file"];
        for tag in tags.split(',').filter(|tag| !tag.is_empty()) {
            words.extend(["--tag", tag]);
        }
        self.run(&words, zone);
    }

    /// Its snapshots of a host.
    fn snapshots(&self, host: &str) -> Vec<Value> {
        serde_json::from_slice(&self.run(&["snapshots", "--host", host], "UTC")).unwrap()
    }

    /// What `forget` decides.
    fn forget(&self, host: &str, zone: &str, policy: &[String]) -> Vec<Decision> {
        let mut words = vec!["--no-lock", "forget", "--dry-run", "--host", host];
        words.extend(policy.iter().map(String::as_str));
        let groups: Vec<Value> = serde_json::from_slice(&self.run(&words, zone)).unwrap();
        let of =
            |key: &str| groups.iter().flat_map(|group| group[key].as_array().cloned().unwrap_or_default()).collect();
        let time = |one: &Value| one["time"].as_str().unwrap().parse().unwrap();
        let (reasons, removed): (Vec<Value>, Vec<Value>) = (of("reasons"), of("remove"));
        let kept = reasons.iter().map(|one| {
            let all = one["matches"].as_array().unwrap().iter().map(|reason| our_word(reason.as_str().unwrap()));
            (time(&one["snapshot"]), true, all.collect::<std::collections::BTreeSet<_>>().into_iter().collect())
        });
        kept.chain(removed.iter().map(|one| (time(one), false, Vec::new()))).collect()
    }
}

/// Our word for a reason of restic: `daily snapshot`, `daily within 10y`, `within 5d`, `has tags [a, b]`.
fn our_word(reason: &str) -> String {
    let mut words = reason.split(' ');
    match (words.next().unwrap(), words.next().unwrap()) {
        ("has", _) => "tag".to_owned(),
        ("within", _) => "within".to_owned(),
        (word, "within") => format!("{word} within"),
        (word, _) => word.to_owned(),
    }
}
