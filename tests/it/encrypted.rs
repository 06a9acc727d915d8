//! Encrypted exports: `snapshot export --recipient` and `snapshot import --identity`, in the format of age.

use crate::support::chaos::Random;
use crate::support::{World, finish, handles_signals, names_in, random_bytes, stderr, wait_until};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file in `tests/corpus/keys`.
fn key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/keys").join(name)
}

/// The public key in a file of ours.
fn public(name: &str) -> String {
    fs::read_to_string(key(&format!("{name}.pub"))).unwrap().trim().to_owned()
}

/// A world with a snapshot of `dev`, which has more than fits in one piece of age.
fn world() -> World {
    let world = World::new();
    world.vm("dev").stopped();
    world.write_guest("dev", "root/large", random_bytes(300_000));
    world.run("freeze dev -t ready -m 'marker of the note'").success();
    world.warm();
    world
}

fn export(world: &World, words: &[&str]) -> assert_cmd::assert::Assert {
    finish(world.command([&["snapshot", "export", "dev", "-o", "dev.age", "--force"], words].concat()))
}

fn import(world: &World, identity: &str) -> assert_cmd::assert::Assert {
    let identity = key(identity);
    finish(world.command(["snapshot", "import", "dev.age", "--as", "new", "-i", identity.to_str().unwrap()]))
}

fn is_empty(world: &World) -> bool {
    names_in(&world.path("home/library/snapshots")) == ["dev"]
}

#[test]
fn each_recipient_can_import_and_no_other() {
    let world = world();
    let all = ["native", "ed25519", "rsa"];
    for name in all {
        let run = export(&world, &["--recipient", &public(name)]).success();
        assert!(stderr(&run).is_empty());
        run.stdout(contains("encrypted for one recipient").and(contains("--identity KEY_FILE")));
        let bytes = fs::read(world.path("work/dev.age")).unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
        assert!(!bytes.windows(6).any(|part| part == b"marker" || part == b"\"form"), "it is not encrypted");
        for other in all.into_iter().filter(|other| *other != name) {
            let run = import(&world, other).code(10);
            assert!(stderr(&run).contains("dev.age") && stderr(&run).contains("not encrypted for this identity"));
            assert!(is_empty(&world));
        }
        import(&world, name).success();
        world.run("snapshot verify new@ready").success();
        world.run("snapshot rm new --yes").success();
        fs::remove_dir(world.path("home/library/snapshots/new")).unwrap_or_default();
    }
    world.assert_clean(&["dev.age"]);
}

#[test]
fn several_recipients_come_from_words_and_files() {
    let world = world();
    let github = [public("ecdsa"), public("rsa"), String::new(), "# a comment".into()].join("\n");
    world.write("team.keys", &github);
    let native = public("native");
    let run = export(&world, &["-r", &native, "-R", "team.keys", "-r", &public("ed25519"), "--json"]).success();
    let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!(report["encrypted"], json!(true));
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1);
    run.stderr(contains("team.keys, line 1: skipped"));
    for name in ["native", "ed25519", "rsa"] {
        import(&world, name).success();
        world.run("snapshot rm new --yes").success();
    }
    // The right key may be any of several.
    let [wrong, right] = ["rsa", "native"].map(|name| key(name).display().to_string());
    export(&world, &["-r", &native]).success();
    world.run(&format!("snapshot import dev.age --as new -i {wrong} -i {right}")).success();
}

#[test]
fn it_goes_through_a_pipe() {
    let (here, there) = (world(), World::new());
    let mut export = here.command(["snapshot", "export", "dev", "-o", "-", "-r", &public("native")]);
    let mut export = export.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut import = there.line(&format!("snapshot import - --identity {}", key("native").display()));
    let import = import.stdin(export.stdout.take().unwrap()).output().unwrap();
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    assert!(export.wait().unwrap().success());
    there.run("snapshot verify dev@ready").success();
}

#[test]
fn an_encrypted_file_says_how_to_decrypt_it() {
    let world = world();
    export(&world, &["-r", &public("native")]).success();
    let said = contains("dev.age cannot be imported: it is encrypted").and(contains("--identity FILE"));
    world.run("snapshot import dev.age").code(2).stderr(said);
    world.write("armored.age", "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n");
    world.run("snapshot import armored.age").code(2).stderr(contains("it is encrypted"));
    world.run("thaw ./dev.age").code(4).stderr(contains("snapshot import ./dev.age --identity KEY_FILE"));
    assert!(is_empty(&world));
    // A plain file needs no key.
    world.run("snapshot export dev -o dev.age --force").success();
    import(&world, "native").success().stderr(contains("--identity was not needed"));
}

#[test]
fn keys_that_cannot_be_used_say_why() {
    let world = world();
    world.write("text", "no key\n");
    world.write("empty", "# nothing\n");
    world.write("locked", "age-encryption.org/v1\n-> scrypt x 18\n");
    world.write("secret", fs::read_to_string(key("native")).unwrap());
    let [native, ecdsa] = ["native", "ecdsa"].map(public);
    let secret = fs::read_to_string(key("native")).unwrap().lines().nth(2).unwrap().to_owned();
    for (words, status, said) in [
        (["-r", "age1nonsense"], 2, "a recipient is age1…"),
        (["-r", "age1yubikey1qwt50d05nh5vutpdz"], 2, "are not supported: name an age1…"),
        (["-r", "age1pq1qwt50d05nh5vutpdz"], 2, "are not supported: name an age1…"),
        (["-r", &ecdsa], 2, "ssh-ed25519 or ssh-rsa"),
        (["-R", "missing"], 4, "missing cannot be read"),
        (["-R", "text"], 2, "text, line 1: a recipient is"),
        (["-R", "empty"], 2, "holds no recipients"),
        (["-R", "secret"], 2, "secret, line 3: this is a secret key"),
    ] {
        let run = export(&world, &words).code(status);
        assert!(stderr(&run).contains(said), "{words:?}: {}", stderr(&run));
        assert!(!stderr(&run).contains(&secret), "{words:?} prints a secret key");
        assert!(!world.path("work/dev.age").exists());
    }
    export(&world, &["-r", &native]).success();
    let passphrase = key("passphrase").display().to_string();
    for (identity, status, said) in [
        ("missing", 4, "missing cannot be read"),
        ("text", 2, "something else than secret keys"),
        ("empty", 2, "holds no secret key"),
        ("locked", 2, "age -d -i locked dev.age | bottle-freeze snapshot import -"),
        (&passphrase, 2, "is protected by a passphrase"),
        (&key("ed25519.pub").display().to_string(), 2, "something else than secret keys"),
    ] {
        let run = world.run(&format!("snapshot import dev.age --as new -i {identity}")).code(status);
        assert!(stderr(&run).contains(said), "{identity}: {}", stderr(&run));
        assert!(is_empty(&world));
    }
}

#[test]
fn a_changed_or_shortened_file_is_not_imported() {
    let world = world();
    export(&world, &["-r", &public("native")]).success();
    let (whole, mut random) = (fs::read(world.path("work/dev.age")).unwrap(), Random::new());
    let pieces = [whole.len() - 1, whole.len() - 16, whole.len() / 2, 70_000, 300, 100, 30];
    let cut = pieces.into_iter().map(|length| whole[..length].to_vec());
    let changed = (0..12).map(|number| {
        let mut bytes = whole.clone();
        let at = if number == 0 { 40 } else { usize::try_from(random.below(whole.len() as u64 - 22)).unwrap() + 22 };
        bytes[at] ^= 1;
        bytes
    });
    let longer = [[&whole[..], b"x"].concat(), [&whole[..], &whole].concat()];
    for bytes in cut.chain(changed).chain(longer) {
        let length = bytes.len();
        fs::write(world.path("work/dev.age"), bytes).unwrap();
        let run = import(&world, "native").code(10);
        assert!(stderr(&run).contains("dev.age"), "{length} of {}: {}", whole.len(), stderr(&run));
        assert!(is_empty(&world), "{length} bytes of {} were imported", whole.len());
    }
    world.assert_clean(&["dev.age"]);
}

/// Runs age, or says why the test does not.
fn age(world: &World, words: &[&str]) -> bool {
    let run = Command::new("age").args(words).current_dir(world.path("work")).stdin(Stdio::null()).output();
    match run {
        Err(_) if std::env::var_os("BOTTLE_FREEZE_REAL_ENGINES").is_none() => {
            println!("NOT RUN: there is no `age` here (Debian's package age)");
            false
        }
        run => {
            let run = run.expect("age is installed where the gate runs");
            assert!(run.status.success(), "{words:?}: {}", String::from_utf8_lossy(&run.stderr));
            true
        }
    }
}

#[test]
fn age_itself_decrypts_it_and_what_age_encrypts_is_imported() {
    let world = world();
    let plain = world.run("snapshot export dev -o -").success().get_output().stdout.clone();
    fs::write(world.path("work/plain.tar"), &plain).unwrap();
    for name in ["native", "ed25519", "rsa"] {
        let (public, secret) = (public(name), key(name).display().to_string());
        export(&world, &["-r", &public]).success();
        if !age(&world, &["-d", "-i", &secret, "-o", "decrypted.tar", "dev.age"]) {
            return;
        }
        assert_eq!(fs::read(world.path("work/decrypted.tar")).unwrap().len(), plain.len());
        world.run("snapshot import decrypted.tar --as new").success();
        world.run("snapshot rm new --yes").success();
        for armor in [&["-a"][..], &[]] {
            age(&world, &[armor, &["-r", &public, "-o", "dev.age", "plain.tar"]].concat());
            import(&world, name).success();
            world.run("snapshot verify new@ready").success();
            world.run("snapshot rm new --yes").success();
        }
    }
}

/// What is given by mistake may be a secret key, and a log may keep what is printed.
#[test]
fn what_is_no_recipient_is_not_repeated() {
    let world = world();
    let secret = "AGE-SECRET-KEY-1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    for text in [secret, &secret.to_lowercase(), "-----BEGIN OPENSSH PRIVATE KEY-----b3BlbnNzaC1rZXk", "age1b3BlbnNz"] {
        let said = stderr(&export(&world, &["-r", text]).code(2));
        assert!(said.starts_with("error: --recipient: ") && !said.contains(text), "{said}");
    }
}

/// `-R <(curl …)` is a FIFO.
#[test]
fn keys_may_come_from_a_fifo_and_a_signal_ends_the_wait_for_one() {
    let world = world();
    let fifo = world.path("work/keys");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for line in ["snapshot export dev -o dev.age -R keys", "snapshot import missing.age -i keys"] {
        let run = world.spawn(line);
        wait_until("it handles signals", || handles_signals(run.pid()));
        run.signal(Signal::INT);
        assert!(stderr(&run.wait().code(130)).contains("interrupted by SIGINT"), "{line}");
        assert!(!world.path("work/dev.age").exists());
    }
    for (line, keys) in [
        ("snapshot export dev -o dev.age -R keys", fs::read(key("native.pub")).unwrap()),
        ("snapshot import dev.age --as new -i keys", fs::read(key("native")).unwrap()),
    ] {
        let run = world.spawn(line);
        // Opening it waits for the reader.
        fs::write(&fifo, keys).unwrap();
        run.wait().success();
    }
}

/// age reads all of the header again for each of its lines.
#[test]
fn a_header_that_does_not_end_is_refused_at_once() {
    let world = world();
    let line = "a".repeat(8 << 20);
    let stanzas = format!("-> X25519 {0}\n{0}\n", "A".repeat(43)).repeat(100_000);
    for rest in [line, stanzas] {
        world.write("dev.age", format!("age-encryption.org/v1\n{rest}"));
        let run = import(&world, "native").code(10);
        assert!(stderr(&run).contains("was changed or cut off"), "{}", stderr(&run));
        assert!(is_empty(&world));
    }
}
