//! `snapshot push` and `snapshot pull`, on the fake engine, whose registry is a folder; and, if
//! `BOTTLE_FREEZE_REAL_ENGINES` is set as for the conformance tests, on the real 1.32.2 with Debian's
//! `docker-registry`.

use crate::support::library::{ARTIFACT, IN_CHUNKS, artifact, damage};
use crate::support::{World, finish, is_alive, names_in, real, stderr, stdout, wait_until};
use assert_cmd::assert::Assert;
use bottle_freeze::engine::{Member, Part, take_apart};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// What a pull of something hostile must never print.
const HARMFUL: [char; 4] = ['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}'];
const EVIL: &str = "x\u{1b}[2J\u{9b}2J\u{202e}\u{7}\nerror: forged";

// ----------------------------------------------------------------------------------------- where it happens

/// A world with a snapshot of `dev` in its library, and a registry.
struct Ground {
    world: World,
    registry: Option<Registry>,
}

/// Runs the test on the fake engine, and on the real one if requested.
fn on_both(test: impl Fn(&Ground)) {
    test(&Ground::fake());
    on_the_real_one(test);
}

fn on_the_real_one(test: impl Fn(&Ground)) {
    if real::is_asked_for() {
        test(&Ground::real());
    }
}

const VM: &str = "--cpus 1 --mem 256 -e SECRET=hunter2 --label team=a";
const FREEZE: &str = "freeze dev -t ready -m 'all set' --label k=v --launcher";

impl Ground {
    fn fake() -> Self {
        let world = World::new();
        world.vm("dev").with(VM).stopped();
        world.run(FREEZE).success();
        fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
        Self { world, registry: None }
    }

    fn real() -> Self {
        let world = World::new();
        copy_folder(frozen(), &world.path("home/library"));
        let registry = Some(Registry::start(&world));
        Self { world, registry }
    }

    fn line(&self, line: &str) -> Command {
        if self.registry.is_some() { real::line(&self.world, line) } else { self.world.line(line) }
    }

    /// `bottle-freeze` on the engine of this ground.
    fn run(&self, line: &str) -> Assert {
        finish(self.line(line))
    }

    /// The engine itself.
    fn engine(&self, line: &str) {
        if self.registry.is_some() {
            real::smolvm(&self.world, line);
        } else {
            let output = self.world.smolvm(line);
            assert!(output.status.success(), "{line}: {output:?}");
        }
    }

    /// The address of the registry.
    fn host(&self) -> String {
        self.registry.as_ref().map_or("registry.test:5000".to_owned(), |registry| at(registry.port))
    }

    /// An address where no registry answers.
    fn dead_host(&self) -> &str {
        if self.registry.is_some() { "127.0.0.1:1" } else { "gone.test:5000" }
    }

    /// The tags of a name in the registry.
    fn tags(&self, name: &str) -> Vec<String> {
        match &self.registry {
            Some(registry) => {
                names_in(&registry.storage.join("docker/registry/v2/repositories").join(name).join("_manifests/tags"))
            }
            None => names_in(&self.world.path("fake/registry/registry.test:5000").join(name)),
        }
    }

    /// The folder of the only snapshot of a VM.
    fn folder(&self, vm: &str) -> PathBuf {
        let folder = self.world.path("home/library/snapshots").join(vm);
        let names = names_in(&folder);
        assert_eq!(names.len(), 1, "{names:?}");
        folder.join(&names[0])
    }

    fn metadata(&self, vm: &str) -> Value {
        serde_json::from_slice(&fs::read(self.folder(vm).join("snapshot.json")).unwrap()).unwrap()
    }

    fn artifact(&self, vm: &str) -> Vec<u8> {
        artifact(&self.world, vm)
    }

    /// The current state, to compare with a later one.
    fn state(&self) -> State {
        let home = names_in(&self.world.path("home")).into_iter().filter(|name| !name.starts_with('.')).collect();
        let mut files = BTreeMap::new();
        for folder in ["snapshots", "store"] {
            read_all(&self.world.path("home/library").join(folder), &mut files);
        }
        State { files, names: [home, names_in(&self.world.path("")), names_in(&self.world.path("work"))] }
    }

    /// Everything is as it was, and no process is at work.
    #[track_caller]
    fn assert_as(&self, before: &State, what: &str) {
        let now = self.state();
        assert_eq!(now.names, before.names, "{what}");
        let names = |state: &State| state.files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&now), names(before), "{what}");
        assert!(now.files == before.files, "{what}: a file of the library was changed");
        self.assert_idle(what);
    }

    /// Nothing of a run is left.
    #[track_caller]
    fn assert_idle(&self, what: &str) {
        for empty in ["tmp", "home/library/work", "home/library/locks", "home/.cache/smolvm-registry"] {
            assert_eq!(names_in(&self.world.path(empty)), [""; 0], "{what}: {empty}");
        }
    }

    /// Fails with that status, and changes nothing.
    #[track_caller]
    fn refuses(&self, line: &str, status: i32) -> Assert {
        let before = self.state();
        let run = self.run(line).code(status);
        self.assert_as(&before, line);
        run
    }
}

/// The files of the library, and the names of other files.
struct State {
    files: BTreeMap<PathBuf, Vec<u8>>,
    names: [Vec<String>; 3],
}

fn read_all(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for name in names_in(folder) {
        let path = folder.join(name);
        if path.is_dir() {
            files.insert(path.clone(), Vec::new());
            read_all(&path, files);
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

/// A library into which the real engine has frozen `dev`, once for all tests. (A static is never dropped: this stays
/// until the next run replaces it.)
fn frozen() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let world = World::new();
        real::vm_with(&world, "dev", VM, 1);
        finish(real::line(&world, FREEZE)).success();
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("registry-library");
        let _ = fs::remove_dir_all(&library);
        copy_folder(&world.path("home/library"), &library);
        library
    })
}

fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Debian's `docker-registry` on loopback; killed when dropped.
struct Registry {
    process: Child,
    port: u16,
    storage: PathBuf,
}

impl Registry {
    fn start(world: &World) -> Self {
        // Another process may take a free port first.
        (0..20).find_map(|_| Self::try_start(world)).expect("a docker-registry that listens")
    }

    fn try_start(world: &World) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = world.path("registry");
        let storage = folder.join("storage");
        fs::create_dir_all(&storage).unwrap();
        let config = json!({
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": storage}},
            // Identifies our registry.
            "http": {"addr": at(port), "headers": {"X-World": [storage]}},
        });
        // JSON is YAML too.
        fs::write(folder.join("config.yml"), config.to_string()).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(folder.join("config.yml")).env_clear().env("HOME", &folder);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("docker-registry: apt-get install docker-registry");
        let mut registry = Self { process, port, storage };
        let began = Instant::now();
        while registry.process.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(60) {
            if registry.answers() {
                return Some(registry);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    fn answers(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).map(|_| answer)
        };
        ask().is_ok_and(|answer| String::from_utf8_lossy(&answer).contains(&*self.storage.to_string_lossy()))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A proxy to a registry that passes this many bytes, over all connections, and then closes every connection. Its
/// threads end with the test.
fn cut_after(port: u16, up: usize, down: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let (up, down) = (Arc::new(Mutex::new(up)), Arc::new(Mutex::new(down)));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            pump(&client, &server, &up);
            pump(&server, &client, &down);
        }
    });
    own
}

fn pump(from: &TcpStream, to: &TcpStream, left: &Arc<Mutex<usize>>) {
    let (mut from, mut to, left) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(left));
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            {
                let mut left = left.lock().unwrap();
                *left = left.saturating_sub(count);
                if *left == 0 {
                    break;
                }
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}

/// A registry that accepts connections and never answers.
struct Mute(TcpListener);

impl Mute {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn host(&self) -> String {
        at(self.0.local_addr().unwrap().port())
    }

    /// Waits for the engine.
    fn connected(&self) -> TcpStream {
        let found = Mutex::new(None);
        wait_until("the engine asks the registry", || {
            let Ok((stream, _)) = self.0.accept() else { return false };
            *found.lock().unwrap() = Some(stream);
            true
        });
        found.into_inner().unwrap().unwrap()
    }
}

/// Waits until the other side closes the connection.
fn wait_for_the_end(mut stream: TcpStream) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut asked = Vec::new();
    match stream.read_to_end(&mut asked) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the engine still runs"),
        _ => {}
    }
}

// ----------------------------------------------------------------------------------------- there and back

#[test]
fn a_pushed_snapshot_is_pulled_identically_with_its_snapshot_json() {
    on_both(|ground| {
        let to = format!("{}/team/dev:r1", ground.host());
        let (artifact, mut metadata) = (ground.artifact("dev"), ground.metadata("dev"));
        let said = stdout(&ground.run(&format!("snapshot push dev {to} --yes --allow-secrets")).success());
        assert!(said.contains("pushed dev@") && said.contains(&format!("snapshot pull {to}")), "{said}");
        assert!(ground.tags("team/dev").contains(&"r1".to_owned()), "{:?}", ground.tags("team/dev"));
        ground.assert_idle("push");
        ground.run("snapshot rm dev --yes").success();
        ground.run(&format!("snapshot pull {to}")).success().stderr(contains("without a snapshot.json").not());
        ground.assert_idle("pull");
        // It is compressed anew, in chunks.
        let in_chunks = ground.artifact("dev");
        assert!(contents(&in_chunks) == contents(&artifact), "another artifact came back");
        let mut pulled = ground.metadata("dev");
        assert_eq!(pulled["artifact"]["bytes"], in_chunks.len());
        assert_eq!(pulled["origin"]["kind"], "pulled");
        pulled["origin"] = metadata["origin"].clone();
        // It is counted in the library that it comes from; and the launcher is not pushed.
        metadata.as_object_mut().unwrap().remove("sequence");
        for key in ["format", "files", "artifact"] {
            metadata[key] = pulled[key].clone();
        }
        assert_eq!(pulled, metadata);
        assert_eq!(names_in(&ground.folder("dev")), IN_CHUNKS);
        ground.run("snapshot verify dev@ready").success();
        ground.refuses(&format!("snapshot pull {to}"), 7);
        // Under another name it belongs to another VM; and it can be pushed again from there.
        ground.run(&format!("snapshot pull {to} --as other")).success();
        assert!(ground.artifact("other") == in_chunks);
        ground.run(&format!("snapshot push other {to} --yes --allow-secrets")).success();
        ground.run("snapshot rm other --yes").success();
        ground.run(&format!("snapshot pull {to}")).success();
        assert!(ground.artifact("other") == in_chunks, "the same chunks made another artifact");
    });
}

#[test]
fn the_engine_makes_a_vm_from_a_pushed_snapshot() {
    on_both(|ground| {
        let to = format!("{}/dev:r1", ground.host());
        ground.run(&format!("snapshot push dev {to} --yes --allow-secrets")).success();
        ground.engine(&format!("pack pull --output=own.smolmachine -- {to}"));
        ground.engine(&format!("pack inspect -- {to}"));
        ground.engine("machine create --name again --from own.smolmachine");
        ground.run("verify own.smolmachine").success();
    });
}

#[test]
fn a_push_reports_the_digest_of_what_it_pushed() {
    on_both(|ground| {
        let to = format!("{}/team/dev", ground.host());
        let run = ground.run(&format!("snapshot push dev {to}:r1 --yes --allow-secrets --json")).success();
        let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        let digest = report["digest"].as_str().unwrap();
        let hex = digest.strip_prefix("sha256:").unwrap();
        assert!(hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
        if let Some(registry) = &ground.registry {
            let blob = registry.storage.join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data");
            let manifest = fs::read_to_string(blob).unwrap();
            assert!(manifest.contains("application/vnd.oci.image.manifest.v1+json"), "{manifest}");
            ground.run(&format!("snapshot pull {to}@{digest} --as signed")).success();
        }
    });
}

#[test]
fn an_artifact_pushed_by_the_engine_gets_a_snapshot_json() {
    on_both(|ground| {
        let to = format!("{}/plain:1", ground.host());
        let (artifact, file) = (ground.artifact("dev"), ground.folder("dev").join(ARTIFACT));
        ground.engine(&format!("pack push --file={} -- {to}", file.display()));
        ground.run("snapshot rm dev --yes").success();
        ground.run(&format!("snapshot pull {to}")).success().stderr(contains("without a snapshot.json"));
        ground.assert_idle("pull");
        let metadata = ground.metadata("dev");
        assert!(contents(&ground.artifact("dev")) == contents(&artifact), "another artifact came");
        assert_eq!(metadata["id"], sha256(&artifact)[..8]);
        assert_eq!(names_in(&ground.folder("dev")), IN_CHUNKS);
        let machine = &metadata["machine"];
        assert_eq!(
            (&machine["cpus"], &machine["memory_mib"], &machine["storage_gb"]),
            (&1.into(), &256.into(), &Value::Null)
        );
        assert_eq!((&metadata["vm"], &metadata["engine_version"]), (&"dev".into(), &"1.32.2".into()));
        assert!(metadata["warnings"][0].as_str().unwrap().contains("without a snapshot.json"), "{metadata}");
        ground.run("snapshot verify dev").success();
        ground.refuses(&format!("snapshot pull {to}"), 7);
        // A file can be pushed without one, too.
        let file = ground.world.write("x.smolmachine", &artifact);
        let line = format!("snapshot push {} {}/file:1 --yes --allow-secrets", file.display(), ground.host());
        ground.run(&line).success().stderr(contains("a file is pushed without a snapshot.json"));
        ground.run(&format!("snapshot pull {}/file:1 --as other", ground.host())).success();
        assert!(contents(&ground.artifact("other")) == contents(&artifact));
    });
}

#[test]
fn a_tag_that_another_snapshot_has_does_not_move() {
    let ground = Ground::fake();
    let to = format!("{}/dev:r1", ground.host());
    ground.run(&format!("snapshot push dev {to} --yes --allow-secrets")).success();
    ground.run("snapshot rm dev --yes").success();
    ground.run("freeze dev -t ready").success();
    let newer = ground.metadata("dev")["id"].as_str().unwrap().to_owned();
    let pulled = ground.run(&format!("snapshot pull {to}")).success();
    assert!(stderr(&pulled).contains(&format!("the tag ready stays with dev@{newer}")), "{}", stderr(&pulled));
}

// ------------------------------------------------------------------------------------------------- refusals

#[test]
fn pushing_requires_confirmation_and_lists_variables_without_values() {
    on_both(|ground| {
        let line = format!("snapshot push dev {}/dev:r1 --allow-secrets", ground.host());
        let said = stderr(&ground.refuses(&line, 6));
        for expected in
            ["SECRET", "'all set'", "the tags ready", "k, team", "'vm' is not pushed", "nothing was pushed", "--yes"]
        {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(ground.tags("dev"), [""; 0]);
    });
}

#[test]
fn a_name_or_tag_missing_in_the_registry_is_reported() {
    on_both(|ground| {
        let host = ground.host();
        ground.run(&format!("snapshot push dev {host}/dev:r1 --yes --allow-secrets")).success();
        for missing in ["nosuch:r1", "dev:nosuch", "dev"] {
            let said = stderr(&ground.refuses(&format!("snapshot pull {host}/{missing} --as x"), 4));
            assert!(said.contains("check its name and its tag") && said.contains("the library is as it was"), "{said}");
        }
        ground.refuses(&format!("snapshot push nosuch {host}/dev:r1 --yes"), 4);
    });
}

#[test]
fn an_invalid_reference_is_a_usage_error() {
    let ground = Ground::fake();
    let digest = format!("registry.test:5000/dev@sha256:{}", "0a".repeat(32));
    for bad in ["A/B", "http://registry.test:5000/dev", "registry.test:5000/../dev", "-- --file=x", "localhost/dev:1"] {
        ground.refuses(&format!("snapshot push --yes dev {bad}"), 2);
        ground.refuses(&format!("snapshot pull {bad}"), 2);
    }
    let said = stderr(&ground.refuses(&format!("snapshot push dev {digest} --yes --allow-secrets"), 2));
    assert!(said.contains("is a digest"), "{said}");
    ground.refuses(&format!("snapshot pull {}/dev:r1 --as ../x", ground.host()), 2);
    assert!(!ground.world.commands().iter().any(|call| call.starts_with("pack pu")), "the engine was called");
}

#[test]
fn a_registry_that_is_down_is_reported() {
    on_both(|ground| {
        let host = ground.dead_host();
        for line in ["snapshot push dev HOST/dev:r1 --yes --allow-secrets", "snapshot pull HOST/dev:r1"] {
            let said = stderr(&ground.refuses(&line.replace("HOST", host), 1));
            assert!(
                said.contains(&format!("check that {host} can be reached")) && said.contains("is as it was"),
                "{said}"
            );
        }
    });
}

#[test]
fn errors_of_the_registry_are_explained() {
    let ground = Ground::fake();
    let to = format!("{}/dev:r1", ground.host());
    for (said, status, help) in [
        ("registry push: registry authentication failed: no token", 1, "docker login registry.test:5000"),
        ("registry push: registry returned 401: x", 1, "docker login"),
        ("registry push: registry returned 403: x", 1, "docker login"),
        ("registry push: digest mismatch: expected sha256:0, got sha256:1", 10, "damaged copy"),
        ("registry push: registry returned 500: x", 1, "registry returned 500"),
    ] {
        let stderr_ = format!("Error: agent operation failed: {said}\n");
        let fail = |on: &str| json!({"on": on, "do": {"fail": {"status": 1, "stderr": stderr_}}});
        ground.world.fault(json!([fail("pack push"), fail("pack pull")]));
        for line in [format!("snapshot push dev {to} --yes --allow-secrets"), format!("snapshot pull {to}")] {
            ground.refuses(&line, status).stderr(contains(help));
        }
    }
}

#[test]
fn a_live_snapshot_is_not_pushed() {
    let world = World::new();
    world.vm("dev").running();
    world.run("freeze dev --live").success();
    fs::create_dir_all(world.path("fake/registry/registry.test:5000")).unwrap();
    let ground = Ground { world, registry: None };
    let said = stderr(&ground.refuses("snapshot push dev registry.test:5000/dev:r1 --yes --allow-secrets", 5));
    assert!(said.contains("RAM") && said.contains("snapshot export"), "{said}");
    ground.world.run("freeze dev --live -o x.checkpoint").success();
    ground.refuses("snapshot push ./x.checkpoint registry.test:5000/dev:r1 --yes --allow-secrets", 5);
    assert_eq!(ground.tags("dev"), [""; 0]);
}

#[test]
fn a_damaged_snapshot_is_not_pushed() {
    on_both(|ground| {
        // In chunks, too.
        ground.run("snapshot export dev -o x.tar --allow-secrets").success();
        ground.run("snapshot import x.tar --as other").success();
        flip(&ground.folder("dev").join(ARTIFACT), 300);
        damage(&ground.folder("other"));
        ground.refuses(&format!("snapshot push dev {}/dev:r1 --yes --allow-secrets", ground.host()), 10);
        // The store forgets the damaged object.
        let run = ground.run(&format!("snapshot push other {}/dev:r1 --yes --allow-secrets", ground.host())).code(10);
        run.stderr(contains("1 object is damaged"));
        ground.assert_idle("push");
        assert_eq!(ground.tags("dev"), [""; 0]);
    });
}

#[test]
fn a_tampered_artifact_is_not_pulled() {
    on_both(|ground| {
        let to = format!("{}/dev:r1", ground.host());
        ground.run(&format!("snapshot push dev {to} --yes --allow-secrets")).success();
        match &ground.registry {
            Some(registry) => {
                let mut files = BTreeMap::new();
                read_all(&registry.storage, &mut files);
                let layers: Vec<_> = files.into_iter().filter(|(_, bytes)| bytes.len() > 1 << 20).collect();
                assert_eq!(layers.len(), 1);
                flip(&layers[0].0, 9000);
            }
            None => flip(&ground.world.path("fake/registry/registry.test:5000/dev/r1"), 300),
        }
        ground.refuses(&format!("snapshot pull {to} --as x"), 10).stderr(contains("damaged"));
    });
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

// ---------------------------------------------------------------------------------- cut and killed on the way

#[test]
fn an_interrupted_upload_leaves_no_tag() {
    on_the_real_one(|ground| {
        let port = cut_after(ground.registry.as_ref().unwrap().port, 3_000_000, usize::MAX);
        let said = stderr(&ground.refuses(&format!("snapshot push dev {}/dev:r1 --yes --allow-secrets", at(port)), 1));
        assert!(said.contains("is as it was"), "{said}");
        assert_eq!(ground.tags("dev"), [""; 0]);
        ground.refuses(&format!("snapshot pull {}/dev:r1 --as x", ground.host()), 4);
    });
}

#[test]
fn an_interrupted_download_leaves_nothing() {
    on_the_real_one(|ground| {
        let registry = ground.registry.as_ref().unwrap();
        ground.run(&format!("snapshot push dev {}/dev:r1 --yes --allow-secrets", ground.host())).success();
        let port = cut_after(registry.port, usize::MAX, 3_000_000);
        let said = stderr(&ground.refuses(&format!("snapshot pull {}/dev:r1 --as x", at(port)), 1));
        assert!(said.contains("the library is as it was"), "{said}");
    });
    let ground = Ground::fake();
    ground.run(&format!("snapshot push dev {}/dev:r1 --yes --allow-secrets", ground.host())).success();
    let lost = json!({"fail": {"status": 1, "stderr": "Error: agent operation failed: HTTP request failed: lost\n"}});
    ground.world.fault(json!({"on": "pack pull", "at": "half", "do": lost}));
    ground.refuses(&format!("snapshot pull {}/dev:r1 --as x", ground.host()), 1);
    // An engine that reports success for half a file.
    ground.world.fault(json!({"on": "pack pull", "at": "half", "do": {"lie": true}}));
    ground.refuses(&format!("snapshot pull {}/dev:r1 --as x", ground.host()), 10);
}

const HANGING: [&str; 2] = ["snapshot push dev HOST/dev:r1 --yes --allow-secrets", "snapshot pull HOST/dev:r1"];

#[test]
fn a_signal_ends_the_wait_for_a_registry_that_hangs() {
    on_the_real_one(|ground| {
        for line in HANGING {
            let (before, mute) = (ground.state(), Mute::new());
            let running = spawn(ground, &line.replace("HOST", &mute.host()));
            let stream = mute.connected();
            crate::support::signal(running.pid(), Signal::TERM);
            running.ends_with(143);
            wait_for_the_end(stream);
            ground.assert_as(&before, line);
        }
    });
    let ground = Ground::fake();
    ground.run(&format!("snapshot push dev {}/dev:r1 --yes --allow-secrets", ground.host())).success();
    ground.world.fault(json!([
        {"on": "pack push", "at": "before", "do": "hang"}, {"on": "pack pull", "at": "half", "do": "hang"}
    ]));
    for line in HANGING {
        let before = ground.state();
        ground.world.forget_calls();
        let running = spawn(&ground, &line.replace("HOST", &ground.host()));
        wait_until("the engine is called", || ground.world.commands().iter().any(|call| call.starts_with("pack pu")));
        crate::support::signal(running.pid(), Signal::TERM);
        running.ends_with(143);
        ground.assert_as(&before, line);
    }
}

#[test]
fn leftovers_of_a_killed_push_or_pull_are_removed_by_the_next_freeze() {
    on_the_real_one(|ground| {
        ground.world.vm("other").stopped();
        ground.world.run("freeze other").success();
        for line in HANGING {
            ground.world.run("snapshot rm other --yes").success();
            let (before, mute) = (ground.state(), Mute::new());
            let running = spawn(ground, &line.replace("HOST", &mute.host()));
            let stream = mute.connected();
            crate::support::signal(running.pid(), Signal::KILL);
            running.ends();
            // The engine ends with it.
            wait_for_the_end(stream);
            let left = |ground: &Ground| {
                names_in(&ground.world.path("home/library/snapshots")).iter().any(|name| name.starts_with('.'))
            };
            assert!(left(ground), "{line}: nothing to sweep");
            ground.world.run("freeze other").success();
            assert!(!left(ground), "{line}");
            ground.world.run("snapshot rm other --yes").success();
            ground.assert_as(&before, line);
            ground.world.run("freeze other").success();
        }
    });
}

/// A running `bottle-freeze`; killed when dropped.
struct Spawned(Child);

fn spawn(ground: &Ground, line: &str) -> Spawned {
    Spawned(ground.line(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

impl Spawned {
    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn ends(mut self) -> Option<i32> {
        let pid = self.pid();
        wait_until("it ends", || !is_alive(pid));
        self.0.wait().unwrap().code()
    }

    #[track_caller]
    fn ends_with(self, status: i32) {
        assert_eq!(self.ends(), Some(status));
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// ---------------------------------------------------------------------------------------- hostile registries

#[test]
fn a_hostile_snapshot_json_is_refused_and_writes_nothing() {
    on_both(|ground| {
        let plain = plain();
        let good = embedded(&plain);
        let but = |key: &str, value: Value| {
            let mut embedded = good.clone();
            embedded[key] = value;
            embedded.to_string()
        };
        let recorded = good["files"][ARTIFACT].clone();
        let mut in_chunks = good.clone();
        in_chunks["format"] = 2.into();
        in_chunks["files"]["index.json"] = recorded.clone();
        in_chunks["artifact"] = json!({"bytes": plain.len(), "added": 0});
        let deep = format!("{{\"format\":1,\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        // With --as, the VM that it names does not matter.
        let vms = ["../x", "/tmp/x", "..", ".bottle-freeze-x", EVIL, ""].map(|vm| but("vm", vm.into()));
        let others = [
            but("id", "../../x".into()),
            but("id", EVIL.into()),
            but("id", "".into()),
            but("id", "a".repeat(300).into()),
            but("tags", json!([EVIL])),
            but("tags", json!(["../x"])),
            but("note", "x".repeat(2 << 20).into()),
            but("format", 2.into()),
            but("files", json!({})),
            in_chunks.to_string(),
            but("files", json!({"vm.checkpoint": recorded})),
            but("files", json!({"../x": recorded, ARTIFACT: recorded})),
            but("files", json!({EVIL: recorded, "a/b": recorded, ARTIFACT: recorded})),
            but("files", json!({ARTIFACT: {"bytes": plain.len(), "sha256": "0".repeat(64)}})),
            format!("{good},\"bottle_freeze\":{good}"),
            "null".to_owned(),
            "[]".to_owned(),
            "\"\\u001b[2J\"".to_owned(),
            deep,
        ];
        let before = ground.state();
        for (embedded, named) in vms
            .iter()
            .map(|embedded| (embedded, ""))
            .chain(others.iter().flat_map(|embedded| [(embedded, ""), (embedded, " --as x")]))
        {
            let what = &embedded[..embedded.len().min(500)];
            let to = put(ground, &with_embedded(&plain, embedded));
            let run = ground.run(&format!("snapshot pull {to}{named}"));
            assert_eq!(run.get_output().status.code(), Some(10), "{what}: {}", stderr(&run));
            ground.assert_as(&before, what);
            assert_harmless(&run, what);
        }
    });
}

/// Nothing that it prints moves the cursor, passes for our words, or is endless.
#[track_caller]
fn assert_harmless(run: &Assert, what: &str) {
    let said = format!("{}{}", stdout(run), stderr(run));
    assert!(!said.contains(HARMFUL), "{what}: {said:?}");
    assert!(!said.lines().any(|line| line.starts_with("error: forged")), "{what}: {said}");
    assert!(said.len() < 4000, "{what}: {} bytes", said.len());
}

#[test]
fn hostile_text_of_a_pulled_snapshot_is_escaped() {
    on_both(|ground| {
        let plain = plain();
        let mut embedded = embedded(&plain);
        for key in ["note", "created", "engine_version", "tool_version", "platform"] {
            embedded[key] = EVIL.into();
        }
        embedded["labels"] = json!({EVIL: EVIL});
        embedded["warnings"] = json!([EVIL]);
        embedded["later"] = json!({EVIL: EVIL});
        // Such text never gets into an engine command or a question: it is refused, just as harmlessly.
        let mut refused = embedded.clone();
        refused["machine"]["image"] = EVIL.into();
        let to = put(ground, &with_embedded(&plain, &refused.to_string()));
        let run = ground.run(&format!("snapshot pull {to}"));
        assert_eq!(run.get_output().status.code(), Some(10));
        assert_harmless(&run, "a refused pull");
        let to = put(ground, &with_embedded(&plain, &embedded.to_string()));
        for line in [
            &*format!("snapshot pull {to}"),
            "snapshot ls",
            "snapshot ls --json",
            "snapshot show hostile",
            "ls",
            &*format!("snapshot push hostile {to}"),
        ] {
            let run = ground.run(line);
            assert!([0, 6].contains(&run.get_output().status.code().unwrap()), "{line}: {}", stderr(&run));
            assert_harmless(&run, line);
        }
        // Only its origin and its time of creation are replaced.
        let mut metadata = ground.metadata("hostile");
        assert_eq!(metadata["origin"]["kind"], "pulled");
        assert!(metadata["created"].as_str().unwrap().starts_with("20"));
        for key in ["origin", "created", "warnings"] {
            metadata[key] = embedded[key].clone();
        }
        // It is in chunks now.
        for key in ["format", "files"] {
            metadata[key] = embedded[key].clone();
        }
        metadata.as_object_mut().unwrap().retain(|key, _| embedded.get(key).is_some());
        assert_eq!(metadata, embedded);
        assert!(contents(&ground.artifact("hostile")) == contents(&plain));
    });
}

#[test]
fn a_file_that_is_not_an_artifact_is_not_pulled() {
    let ground = Ground::fake();
    let good = with_embedded(&plain(), &embedded(&plain()).to_string());
    let place = ground.world.path("fake/registry/registry.test:5000/dev");
    fs::create_dir_all(&place).unwrap();
    for bytes in [&[][..], b"SMOLPACK", &good[..good.len() - 1], &good[1..], &[0; 4096]] {
        fs::write(place.join("r1"), bytes).unwrap();
        ground.refuses("snapshot pull registry.test:5000/dev:r1 --as x", 10);
    }
}

/// A small, real artifact.
fn plain() -> Vec<u8> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/artifact");
    fs::read(corpus.join("1.32.2.smolmachine")).unwrap()
}

/// A good `snapshot.json` for it.
fn embedded(artifact: &[u8]) -> Value {
    json!({
        "format": 1, "id": "1234abcd", "vm": "hostile", "created": "2026-01-01T00:00:00.000Z", "tags": [], "note": null,
        "labels": {}, "engine_version": "1.32.2", "tool_version": "0.1.0", "platform": null, "machine": {
            "cpus": 1, "memory_mib": 256, "storage_gb": null, "overlay_gb": null, "network": false,
            "network_known": false, "allowed_cidrs": null, "ports": null, "volumes": null, "env": [], "image": null,
            "labels": {},
        },
        "files": {ARTIFACT: {"bytes": artifact.len(), "sha256": sha256(artifact)}}, "downtime_seconds": null,
        "warnings": [],
    })
}

/// The artifact with that in its manifest, and a valid checksum.
fn with_embedded(artifact: &[u8], embedded: &str) -> Vec<u8> {
    let (content, footer) = artifact.split_at(artifact.len() - 64);
    let end = content.iter().rposition(|byte| *byte == b'}').unwrap();
    let bytes = [&content[..end], b",\"bottle_freeze\":", embedded.as_bytes(), &content[end..]].concat();
    let assets = usize::try_from(u64::from_le_bytes(footer[28..36].try_into().unwrap())).unwrap();
    let mut footer = footer.to_vec();
    footer[44..52].copy_from_slice(&((bytes.len() - assets) as u64).to_le_bytes());
    footer[52..56].copy_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    [bytes, footer].concat()
}

/// Pushes these bytes with the engine itself; returns the reference.
fn put(ground: &Ground, artifact: &[u8]) -> String {
    let to = format!("{}/hostile:1", ground.host());
    let file = ground.world.write("hostile.smolmachine", artifact);
    ground.engine(&format!("pack push --file=hostile.smolmachine -- {to}"));
    fs::remove_file(file).unwrap();
    to
}

/// The manifest of an artifact, its members, and their blocks that are not zero: however it is compressed, and whatever it
/// calls a hole.
fn contents(artifact: &[u8]) -> (String, Vec<(Member, Blocks)>) {
    const BLOCK: u64 = 512;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), artifact).unwrap();
    let (mut members, mut at): (Vec<(Member, Blocks)>, u64) = (Vec::new(), 0);
    let (_, manifest) = take_apart(file.path(), &mut |part| {
        match part {
            Part::Member(member) => {
                members.push((member.clone(), BTreeMap::new()));
                at = 0;
            }
            Part::Zeros(length) => at += length,
            Part::Data(mut bytes) => {
                let blocks = &mut members.last_mut().unwrap().1;
                while !bytes.is_empty() {
                    let start = usize::try_from(at % BLOCK).unwrap();
                    let (piece, rest) = bytes.split_at(bytes.len().min(512 - start));
                    if piece != &[0; 512][..piece.len()] {
                        let block = blocks.entry(at / BLOCK).or_insert([0; 512]);
                        block[start..start + piece.len()].copy_from_slice(piece);
                    }
                    at += piece.len() as u64;
                    bytes = rest;
                }
            }
        }
        Ok(())
    })
    .unwrap();
    (manifest, members)
}

type Blocks = BTreeMap<u64, [u8; 512]>;

fn sha256(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}
