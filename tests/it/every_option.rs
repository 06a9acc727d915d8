//! A VM made with any option of `machine create` is frozen and thawed, and the engine then lists the same VM; or a
//! warning names the difference.

use crate::conformance::{Engine, on_engines};
use crate::support::chaos::{Random, is_long};
use crate::support::{World, finish, stderr, stdout};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;

/// Each option of 1.32.2, with the arguments that create a VM with it. `HOME` stands for the folder of the engine.
const OPTIONS: [(&str, &str); 55] = [
    ("--label", "--label owner=a --label b=c"),
    ("--cpus", "--cpus 2"),
    ("--mem", "--mem 512"),
    ("--storage", "--storage 3"),
    ("--overlay", "--overlay 2"),
    ("--block-io", "--block-io async"),
    ("--disk-durability", "--disk-durability deferred"),
    ("--disk", "--disk HOME/a.img --disk HOME/b.img:ro"),
    ("--volume", "--volume HOME/shared:/data"),
    ("--allow-system-mounts", "--allow-system-mounts"),
    ("--port", "--port 18080:80 --port 18081:81/udp"),
    ("--net", "--net"),
    ("--net-backend", "--net --net-backend virtio-net"),
    ("--dns", "--dns 9.9.9.9"),
    ("--dns-option", "--net --dns-option timeout:1 --dns-option use-vc"),
    ("--shm-size", "--shm-size 64m"),
    ("--guest-subnet", "--guest-subnet 10.200.0.0/30"),
    ("--network", "--network lab"),
    ("--allow-cidr", "--allow-cidr 10.0.0.0/8"),
    ("--deny-cidr", "--deny-cidr 10.0.0.0/8"),
    ("--allow-udp", "--allow-udp 1.1.1.1:123"),
    ("--allow-host", "--allow-host localhost"),
    ("--allow-host-pattern", "--allow-host-pattern *.example.com"),
    ("--credential", "--credential token=TOKEN@api.example.com"),
    ("--outbound-localhost-only", "--outbound-localhost-only"),
    ("--block-private", "--block-private"),
    ("--allow-private", "--allow-private 10.1.0.0/16"),
    ("--gpu", "--gpu"),
    ("--gpu-vram", "--gpu --gpu-vram 256"),
    ("--nested", "--nested"),
    ("--rosetta", "--rosetta"),
    ("--expose-socket", "--expose-socket /run/x.sock"),
    ("--mount-socket", "--mount-socket HOME/x.sock:/run/y.sock"),
    ("--init", "--init true"),
    ("--env", "--env A=b"),
    ("--workdir", "--workdir /srv"),
    ("--user", "--user 1000"),
    ("--ssh-agent", "--ssh-agent"),
    ("--stop-on-exit", "--stop-on-exit"),
    ("--stop-signal", "--stop-signal SIGINT"),
    ("--stop-timeout", "--stop-timeout 20"),
    ("--cuda", "--cuda"),
    ("--auto-graph", "--auto-graph"),
    ("--docker-socket", "--docker-socket"),
    ("--secret-env", "--secret-env FOO=HOST_TOKEN"),
    ("--secret-file", "--secret-file BAR=/etc/hostname"),
    ("--secret-keychain", "--secret-keychain BAZ=service/account"),
    ("--cache-disk", "--cache-disk HOME/a.img:/cache"),
    ("--use-host-proxy", "--use-host-proxy"),
    ("--trust-host-certs", "--trust-host-certs"),
    ("--max-image-size", "--max-image-size 1G"),
    ("--restore-cache-entries", "--restore-cache-entries 2"),
    ("--restore-cache-gib", "--restore-cache-gib 4"),
    ("--keep-identity", ""),
    ("--", "-- /bin/sleep 1000"),
];

/// Options that do not change the VM: where it is made from, and how the engine prints. (A VM of an image is packed by
/// a helper VM; the scenarios in the lab freeze those.)
const OTHERS: [&str; 8] =
    ["--help", "--name", "--image", "--from", "--at", "--smolfile", "--error-format", "--state-dir"];

/// What a warning calls a key of the list, if that differs.
const NAMES: [(&str, &str); 21] = [
    ("network", "network"),
    ("allowed_cidrs", "network"),
    ("allowed_hosts", "allowed hosts ("),
    ("dns", "DNS server ("),
    ("dns_options", "DNS options ("),
    ("ports", "port"),
    ("mounts", "mounted host folder"),
    ("disks", "extra disks ("),
    ("gpu_vram_mib", "GPU memory in MiB (256)"),
    ("entrypoint", "entrypoint ("),
    ("cuda", "CUDA"),
    ("labels", "label ("),
    ("storage_gb", "storage disk ("),
    ("overlay_gb", "overlay disk ("),
    ("health_cmd", "health check (true)"),
    ("health_interval_secs", "health check interval in seconds (7)"),
    ("health_timeout_secs", "health check timeout in seconds (3)"),
    ("health_retries", "health check retries (4)"),
    ("health_startup_grace_secs", "health check grace period in seconds (9)"),
    ("restart_policy", "restart policy (on-failure)"),
    ("restart_max_retries", "restart retries (5)"),
];

/// The options of `machine create` in this engine's `--help`.
fn options_of(engine: &Engine) -> BTreeSet<String> {
    let help = engine.smolvm("machine create --help").succeeds().stdout;
    let names = help.lines().filter_map(|line| {
        let words = line.trim_start();
        // After the two columns of an indented option: `-n, ` or nothing.
        let long = words
            .get(..4)
            .filter(|short| short.starts_with('-') && short.ends_with(", "))
            .map_or(words, |_| &words[4..]);
        let end = long.find(|c: char| c != '-' && !c.is_ascii_alphanumeric()).unwrap_or(long.len());
        Some(long[..end].to_owned()).filter(|name| name.starts_with("--") && line.len() - words.len() <= 6)
    });
    names.collect()
}

/// Creates a VM with these arguments, freezes and thaws it, and compares how the engine lists the two. Returns the keys
/// that differ.
fn round_trip(engine: &Engine, words: &str) -> Vec<String> {
    for disk in ["a.img", "b.img"] {
        fs::File::create(engine.path(disk)).unwrap().set_len(16 << 20).unwrap();
    }
    fs::create_dir_all(engine.path("shared")).unwrap();
    // The engine checks whether a guest could reach it.
    let proxy = TcpListener::bind("0.0.0.0:0").unwrap();
    let address = format!("http://127.0.0.1:{}", proxy.local_addr().unwrap().port());
    let words = &words.replace("HOME", engine.path("").to_str().unwrap().trim_end_matches('/'));
    engine.seeded_vm_in(words, &[("HTTPS_PROXY", &address), ("HOST_TOKEN", "secret")]);
    let frozen = engine.bottle_freeze("freeze bare --json").succeeds();
    let thawed = engine.bottle_freeze("thaw bare new --no-start --json").succeeds();
    let (before, after) = (engine.listed("bare").unwrap(), engine.listed("new").unwrap());
    let warnings = |said: &str| -> Vec<String> {
        let report: Value = serde_json::from_str(said).unwrap();
        report["warnings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let (at_freeze, at_thaw) = (warnings(&frozen.stdout).join("\n"), warnings(&thawed.stdout).join("\n"));
    let keys: BTreeSet<&String> = before.as_object().unwrap().keys().chain(after.as_object().unwrap().keys()).collect();
    let own = ["name", "created_at", "state", "pid"];
    let differs = |key: &&&String| !own.contains(&key.as_str()) && before.get(key.as_str()) != after.get(key.as_str());
    let differing: Vec<String> = keys.iter().filter(differs).map(|key| (**key).clone()).collect();
    for key in &differing {
        let what = format!("{}: {words}: {key}: {} → {}", engine.label(), before[key], after[key]);
        let name = NAMES.iter().find(|(known, _)| known == key).unwrap_or_else(|| panic!("{what}: has no name")).1;
        assert!(at_thaw.contains(name), "{what}: not named at the thaw: {at_thaw}");
        let is_never_given = ["health", "restart", "gpu_vram", "mounts"].iter().any(|begin| key.starts_with(begin));
        assert!(!is_never_given || at_freeze.contains(name), "{what}: not named at the freeze: {at_freeze}");
    }
    differing
}

#[test]
fn every_option_of_the_newest_engine_is_known_here() {
    on_engines(
        |engine| engine.version == "1.32.2",
        |engine| {
            let known: BTreeSet<&str> = OPTIONS.iter().map(|(name, _)| *name).chain(OTHERS).collect();
            let there = options_of(engine);
            assert!(there.len() > 20, "{}: {there:?}", engine.label());
            let unknown: Vec<&String> = there.iter().filter(|name| !known.contains(name.as_str())).collect();
            assert!(unknown.is_empty(), "{}: what does a freeze keep of {unknown:?}?", engine.label());
            let gone: Vec<&&str> = known.iter().filter(|name| **name != "--" && !there.contains(**name)).collect();
            assert!(gone.is_empty(), "{}: {gone:?}", engine.label());
        },
    );
}

#[test]
fn a_thawed_vm_has_every_option_or_a_warning_names_the_difference() {
    on_engines(
        |engine| engine.version == "1.32.2",
        |engine| {
            let mut random = Random::new();
            for (_, words) in OPTIONS {
                // On the stand-in, a few are enough, different ones each time.
                if engine.real.is_some() || is_long() || random.below(6) == 0 {
                    round_trip(engine, words);
                    engine.bottle_freeze("rm bare new --yes").succeeds();
                }
            }
        },
    );
}

#[test]
fn every_setting_that_the_engine_can_restore_is_restored() {
    let cases = [
        ("1.32.2", "--block-io async --disk-durability deferred --cuda --gpu --label a=b --storage 3 --overlay 2", ""),
        ("1.27.3", "--block-io async --disk-durability deferred --cuda --gpu --label a=b", ""),
        ("1.18.2", "--block-io async --cuda --disk HOME/b.img:ro --label a=b", ""),
        ("1.14.3", "--block-io async --cuda --label a=b", ""),
        ("1.4.0", "--gpu --storage 3", "entrypoint"),
        ("1.32.2", "--disk HOME/b.img:ro -- /bin/sleep 1000", ""),
        // A disk that is written to has a single owner.
        ("1.32.2", "--disk HOME/a.img --disk HOME/b.img:ro", "disks"),
    ];
    for (version, words, expected) in cases {
        on_engines(
            |engine| engine.version == version,
            |engine| {
                let differing = round_trip(engine, words).join(" ");
                assert_eq!(differing, expected, "{}: {words}", engine.label());
            },
        );
    }
}

/// Settings that only a Smolfile can set, and that no engine restores.
const SMOLFILE: &str = r#"
entrypoint = ["/bin/sh"]
cmd = ["-c", "sleep 1000"]
[health]
exec = ["true"]
interval = "7s"
timeout = "3s"
retries = 4
startup_grace = "9s"
[restart]
policy = "on-failure"
max_retries = 5
"#;

#[test]
fn settings_of_a_smolfile_are_kept_or_named() {
    let newest = |engine: &Engine| ["1.4.0", "1.32.2"].contains(&engine.version);
    on_engines(
        |engine| newest(engine) && engine.real.is_some(),
        |engine| {
            fs::write(engine.path("Smolfile"), SMOLFILE).unwrap();
            let differing = round_trip(engine, "--smolfile HOME/Smolfile");
            assert!(!differing.iter().any(|key| ["entrypoint", "cmd"].contains(&key.as_str())), "{differing:?}");
        },
    );
    // The stand-in reads no Smolfile: its record is what the real engine lists.
    let world = World::new();
    world.vm("dev").made_here().stopped();
    let health = json!({"health_cmd": "true", "health_interval_secs": 7, "restart_policy": "on-failure"});
    world.edit("dev", "settings", health.clone());
    let frozen: Value = serde_json::from_str(&stdout(&world.run("freeze dev --json").success())).unwrap();
    assert_eq!(frozen["snapshot"]["machine"]["settings"], health);
    let expected =
        "these settings: restart policy (on-failure), health check (true), health check interval in seconds (7)";
    assert!(frozen["warnings"][0].as_str().unwrap().contains(expected), "{frozen}");
    let said = stderr(&world.run("thaw dev new --no-start").success());
    assert!(
        said.contains("'new' lacks settings of the frozen VM: restart policy (on-failure), health check (true)"),
        "{said}"
    );
}

#[test]
fn a_file_lacks_the_settings_that_only_the_library_restores() {
    let world = World::new();
    world.vm("dev").with("--disk-durability deferred --cuda").stopped();
    let said = stderr(&world.run("freeze dev -o dev.smolmachine").success());
    assert!(said.contains("these settings: disk durability (deferred), CUDA"), "{said}");
    let said = stderr(&world.run("freeze dev").success());
    assert!(!said.contains("will not have these settings"), "{said}");
}

#[test]
fn an_older_engine_gets_no_options_that_it_does_not_have() {
    let world = World::new();
    world.vm("dev").with("--disk-durability deferred --block-io async --storage 3").stopped();
    world.run("freeze dev").success();
    let mut thaw = world.line("thaw dev new --no-start");
    thaw.env("FAKE_SMOLVM_VERSION", "1.14.3").env("HOME", world.path("tmp"));
    let said = stderr(&finish(thaw).success());
    assert!(said.contains("'new' lacks settings of the frozen VM: disk durability (deferred)"), "{said}");
    let create = world
        .calls()
        .into_iter()
        .find(|call| call[..2] == ["machine", "create"] && call.contains(&"--name=new".to_owned()))
        .unwrap()
        .join(" ");
    assert!(create.contains("--block-io=async") && !create.contains("durability"), "{create}");
}

/// Engines of which no wheel exists: a usage error would come when `--replace` has removed the old VM.
#[test]
fn engines_before_cuda_and_dns_get_neither_option() {
    let world = World::new();
    world.vm("dev").with("--net --cuda --dns 9.9.9.9").stopped();
    world.run("freeze dev").success();
    let mut thaw = world.line("thaw dev dev --no-start --replace --yes --net");
    thaw.env("FAKE_SMOLVM_VERSION", "1.2.2").env("HOME", world.path("tmp"));
    let said = stderr(&finish(thaw).success());
    assert!(said.contains("CUDA") && said.contains("DNS server"), "{said}");
}

#[test]
fn unreported_settings_are_named_unless_the_vm_was_made_here() {
    let world = World::new();
    world.vm("theirs").stopped();
    world.vm("ours").made_here().stopped();
    for (line, word) in [
        ("freeze theirs", "so the snapshot will not hold them: SSH agent"),
        ("thaw theirs new --no-start", "so 'new' has the defaults: SSH agent"),
    ] {
        let said = stderr(&world.run(line).success());
        assert!(said.contains(word), "{line}: {said}");
        for name in ["shm size", "nested virtualization", "guest subnet", "credentials", "folders on the VM's own disk"]
        {
            assert!(said.contains(name), "{line}: {name}: {said}");
        }
    }
    // A thawed VM has what it was given, and nothing else.
    for line in ["freeze ours -q", "thaw ours again --no-start -q", "freeze new -q"] {
        if line.contains("new") {
            world.edit("new", "state", json!("stopped"));
        }
        assert_eq!(stderr(&world.run(line).success()), "", "{line}");
    }
}

#[test]
fn a_foreign_snapshot_gets_no_resources_of_this_host_and_no_dns_server() {
    let world = World::new();
    let disk = world.write("disk.img", "a disk of this host").display().to_string();
    let flags = format!("--disk {disk}:ro --cuda --dns 9.9.9.9 --disk-durability deferred");
    world.vm("dev").with(&flags).stopped();
    world.run("freeze dev").success();
    world.run("snapshot export dev -o dev.tar").success();
    world.run("thaw dev own --no-start --net").success();
    let own = world.record("own")["settings"].clone();
    assert_eq!((&own["disks"][0]["path"], &own["cuda"], &own["dns"]), (&json!(disk), &json!(true), &json!("9.9.9.9")));
    world.run("snapshot rm dev --yes").success();
    world.run("snapshot import dev.tar").success();
    let said = stderr(&world.run("thaw dev new --no-start --net").success());
    assert_eq!(world.record("new")["settings"], json!({"disk_durability": "deferred"}));
    for lost in ["extra disks", "CUDA", "DNS server (9.9.9.9)"] {
        assert!(said.contains(lost), "{lost}: {said}");
    }
}
