//! The harness: a [`World`] is a user's computer with the fake engine, and nothing of the real computer.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, reason = "a test may panic")]

pub mod chaos;
pub mod fake;
pub mod forged;
pub mod guest_files;
pub mod library;
pub mod namespace;
pub mod pty;
pub mod real;
pub mod resealed;
pub mod schema;
pub mod seeded;

use assert_cmd::assert::Assert;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No command in a test takes longer, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A private HOME, state folder, working folder (`work`) and temporary folder.
pub struct World {
    dir: TempDir,
    version: String,
}

impl World {
    /// With the newest engine.
    pub fn new() -> Self {
        Self::with_engine("1.32.2")
    }

    /// With an engine of that version.
    pub fn with_engine(version: &str) -> Self {
        Self::in_folder(TempDir::new().unwrap(), version)
    }

    /// In that folder.
    pub fn in_folder(dir: TempDir, version: &str) -> Self {
        reap_vmms();
        restore_sighup();
        for folder in ["home", "work", "tmp", "fake/vms"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        Self { dir, version: version.to_owned() }
    }

    /// A path of this world: `work/x`, `home/x` …
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// The file that locks a VM of this world.
    pub fn vm_lock(&self, name: &str) -> PathBuf {
        use sha2::{Digest, Sha256};
        let state = fs::canonicalize(self.path("home")).unwrap().join(".local/share/smolvm");
        let digest = base16ct::lower::encode_string(&Sha256::digest(state.as_os_str().as_encoded_bytes()));
        let user = rustix::process::geteuid().as_raw();
        PathBuf::from(format!("/tmp/bottle-freeze-{user}/vm-{name}-{}.lock", &digest[..32]))
    }

    /// Sets the environment of this world for a command.
    pub fn set_environment(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "xterm")
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("BOTTLE_FREEZE_HOME", self.path("home/library"))
            .env("SMOLVM", fake::fake_smolvm())
            .env("FAKE_SMOLVM_DIR", self.path("fake"))
            .env("FAKE_SMOLVM_VERSION", &self.version)
            .current_dir(self.path("work"))
            .stdin(Stdio::null());
    }

    /// `bottle-freeze` with these arguments, not yet run.
    pub fn command<S: Into<OsString>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bottle-freeze"));
        command.args(words.into_iter().map(Into::into));
        self.set_environment(&mut command);
        command
    }

    /// `bottle-freeze` with a line of arguments, quoted as for a shell, not yet run.
    pub fn line(&self, line: &str) -> Command {
        self.command(shlex::split(line).expect("a quoted line"))
    }

    /// Runs `bottle-freeze` with a line of arguments.
    pub fn run(&self, line: &str) -> Assert {
        finish(self.line(line))
    }

    /// Starts it, without waiting.
    pub fn spawn(&self, line: &str) -> Running {
        let mut command = self.line(line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(Some(command.spawn().unwrap()), command)
    }

    /// Runs the engine itself.
    pub fn smolvm(&self, line: &str) -> Output {
        let mut command = Command::new(fake::fake_smolvm());
        self.set_environment(&mut command);
        command.env_remove("SMOLVM").args(shlex::split(line).unwrap()).output().unwrap()
    }

    /// Fills the version cache, and clears the log of calls.
    pub fn warm(&self) -> &Self {
        self.run("ls").success();
        self.forget_calls();
        self
    }

    /// Adds a VM to this world.
    pub fn vm<'a>(&'a self, name: &'a str) -> Vm<'a> {
        Vm { world: self, name, flags: String::new(), is_ours: false }
    }

    /// The engine's calls since the log was cleared, without `--version`.
    pub fn calls(&self) -> Vec<Vec<String>> {
        self.all_calls().into_iter().filter(|argv| argv != &["--version"]).collect()
    }

    /// The same with `--version`.
    pub fn all_calls(&self) -> Vec<Vec<String>> {
        self.call_log().iter().map(|call| serde_json::from_value(call["argv"].clone()).unwrap()).collect()
    }

    /// The same with environment, folder and process ids.
    pub fn call_log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.path("fake/calls.jsonl")).unwrap_or_default();
        // A line that is still being written does not count.
        let whole = &log[..log.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The subcommands called: `["machine ls", "pack create"]`.
    pub fn commands(&self) -> Vec<String> {
        self.all_calls().iter().map(|argv| argv.iter().take(2).cloned().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Clears the log of calls.
    pub fn forget_calls(&self) {
        let _ = fs::remove_file(self.path("fake/calls.jsonl"));
    }

    /// Makes the engine fail from now on, as described in the fake's README: one fault, or an array of them.
    #[allow(clippy::needless_pass_by_value)]
    pub fn fault(&self, fault: Value) -> &Self {
        let all = if fault.is_array() { fault } else { Value::Array(vec![fault]) };
        fs::write(self.path("fake/faults.json"), all.to_string()).unwrap();
        self
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        let _ = fs::remove_file(self.path("fake/faults.json"));
    }

    /// What the engine would list, whatever its faults: this is no call.
    pub fn list(&self) -> Vec<Value> {
        let mut look = Command::new(fake::fake_smolvm());
        self.set_environment(&mut look);
        look.env_remove("SMOLVM").env("FAKE_SMOLVM_LOOK", "1");
        let listed = look.args(["machine", "ls", "--json"]).output().unwrap();
        serde_json::from_slice(&listed.stdout).unwrap()
    }

    /// The state of a VM as listed by the engine; `missing` if there is none.
    pub fn state(&self, name: &str) -> String {
        let found = self.list().into_iter().find(|vm| vm["name"] == name);
        found.map_or("missing".into(), |vm| vm["state"].as_str().unwrap().to_owned())
    }

    /// The record of a VM.
    pub fn record(&self, name: &str) -> Value {
        let path = self.path(&format!("fake/vms/{name}/record.json"));
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// Writes what real engines record of a VM, which the stand-in does not: then its disks may be read without the engine.
    pub fn record_as_real_engines_do(&self, vm: &str) {
        self.record_of_real_engines(vm, &serde_json::json!({}));
    }

    /// The same with this as its record.
    pub fn record_of_real_engines(&self, vm: &str, record: &Value) {
        let folder = self.path("home/.local/share/smolvm/server");
        fs::create_dir_all(&folder).unwrap();
        let database = rusqlite::Connection::open(folder.join("smolvm.db")).unwrap();
        database.execute_batch("create table if not exists vms (name text primary key, data blob)").unwrap();
        database.execute("insert into vms values (?1, cast(?2 as blob))", [vm, record.to_string().as_str()]).unwrap();
    }

    /// Changes one key of the record of a VM.
    #[allow(clippy::needless_pass_by_value)]
    pub fn edit(&self, name: &str, key: &str, value: Value) {
        let mut record = self.record(name);
        record[key] = value;
        fs::write(self.path(&format!("fake/vms/{name}/record.json")), record.to_string()).unwrap();
    }

    /// The process id of a VM's VMM.
    pub fn vmm(&self, name: &str) -> i32 {
        i32::try_from(self.record(name)["pid"].as_i64().expect("a running VM")).unwrap()
    }

    /// Writes a file onto a VM's disk: `root/x` or `workspace/x`.
    pub fn write_guest(&self, name: &str, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(&format!("fake/vms/{name}/disk/{path}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Makes a symbolic link on a VM's disk.
    pub fn link_guest(&self, name: &str, path: &str, target: &str) {
        let path = self.path(&format!("fake/vms/{name}/disk/{path}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Reads a file from a VM's disk.
    pub fn read_guest(&self, name: &str, path: &str) -> Option<String> {
        fs::read_to_string(self.path(&format!("fake/vms/{name}/disk/{path}"))).ok()
    }

    /// Writes a file into the working folder.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("work").join(path);
        fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file of the working folder.
    pub fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path("work").join(path)).unwrap()).into_owned()
    }

    /// A snapshot, in the working folder, of a VM that is already deleted.
    pub fn snapshot(&self, file: &str) -> PathBuf {
        self.vm("source-of-snapshot").stopped();
        self.write_guest("source-of-snapshot", "root/hello", "from the snapshot");
        self.run(&format!("freeze source-of-snapshot -o {file}")).success();
        self.smolvm("machine delete -f --name source-of-snapshot");
        self.forget_calls();
        self.path("work").join(file)
    }

    /// Only `expected` is in the working folder, and nothing is in the temporary one.
    pub fn assert_clean(&self, expected: &[&str]) {
        assert_eq!(names_in(&self.path("work")), expected, "in the working folder");
        assert_eq!(names_in(&self.path("tmp")), [""; 0], "in the temporary folder");
        let cache = self.path("home/.cache/smolvm");
        assert!(names_in(&cache).is_empty(), "the engine left {:?}", names_in(&cache));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for vm in names_in(&self.path("fake/vms")) {
            let record = fs::read(self.path(&format!("fake/vms/{vm}/record.json"))).unwrap_or_default();
            let record: Value = serde_json::from_slice(&record).unwrap_or_default();
            let pid = record["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
            // Only VMMs of this world: the process id may have been reused.
            let mine = |pid: &i32| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains("_boot-vm")
            };
            if let Some(pid) = pid.filter(mine) {
                signal(pid, Signal::KILL);
            }
        }
    }
}

/// Adopts and reaps VMMs whose engine has ended: in a container without an init they would stay as zombies, and a
/// freeze waits for them to disappear.
#[cfg(target_os = "linux")]
fn reap_vmms() {
    use rustix::process::{WaitOptions, getpid, set_child_subreaper, waitpid};
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let me = getpid();
        set_child_subreaper(Some(me)).unwrap();
        let children = format!("/proc/{0}/task/{0}/children", me.as_raw_nonzero());
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(5));
                let pids = fs::read_to_string(&children).unwrap_or_default();
                for pid in pids.split_whitespace() {
                    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                    let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
                    // State, parent, group, session: only a VMM leads a session. Other children have their own waiters.
                    if rest.starts_with('Z') && rest.split_whitespace().nth(3) == Some(pid) {
                        let _ = waitpid(Pid::from_raw(pid.parse().unwrap()), WaitOptions::NOHANG);
                    }
                }
            }
        });
    });
}

#[cfg(not(target_os = "linux"))]
fn reap_vmms() {}

/// The commands in tests react to SIGHUP even if the tests run under `nohup`.
fn restore_sighup() {
    // SAFETY: no handler is installed.
    #[allow(unsafe_code)]
    unsafe {
        libc::signal(libc::SIGHUP, libc::SIG_DFL);
    }
}

/// A VM to be created.
pub struct Vm<'a> {
    world: &'a World,
    name: &'a str,
    flags: String,
    is_ours: bool,
}

impl Vm<'_> {
    /// More flags for its creation.
    pub fn with(mut self, flags: &str) -> Self {
        flags.clone_into(&mut self.flags);
        self
    }

    /// Made by bottle-freeze, which then knows what the engine does not report.
    pub fn made_here(mut self) -> Self {
        self.is_ours = true;
        self
    }

    /// Never started: it has no disk.
    pub fn created(self) {
        if self.is_ours {
            self.world.run(&format!("create {} {}", self.name, self.flags)).success();
            return self.world.forget_calls();
        }
        let version: Vec<u32> = self.world.version.split('.').map(|part| part.parse().unwrap()).collect();
        let (name, flags) = (self.name, &self.flags);
        let named = if version >= vec![1, 0, 2] { format!("--name={name}") } else { name.to_owned() };
        self.engine(&format!("machine create {flags} {named}"));
        self.world.forget_calls();
    }

    /// Running.
    pub fn running(self) {
        let (world, name) = (self.world, self.name);
        self.created();
        world.vm(name).engine(&format!("machine start --name {name}"));
        world.forget_calls();
    }

    /// Stopped.
    pub fn stopped(self) {
        self.in_state("stopped");
    }

    /// With a disk and no process, in any state.
    pub fn in_state(self, state: &str) {
        let (world, name) = (self.world, self.name);
        self.created();
        for disk in ["root", "workspace"] {
            fs::create_dir_all(world.path(&format!("fake/vms/{name}/disk/{disk}"))).unwrap();
        }
        world.edit(name, "state", state.into());
    }

    /// Running, with its VMM suspended.
    pub fn unreachable(self) {
        let (world, name) = (self.world, self.name);
        self.running();
        signal(world.vmm(name), Signal::STOP);
        wait_until("the VMM is suspended", || world.state(name) == "unreachable");
    }

    fn engine(&self, line: &str) {
        let output = self.world.smolvm(line);
        assert!(output.status.success(), "smolvm {line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A running `bottle-freeze`; killed when dropped.
pub struct Running(Option<Child>, Command);

impl Running {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.0.as_ref().unwrap().id()).unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal_: Signal) {
        signal(self.pid(), signal_);
    }

    /// Sends a signal again and again, as an impatient user does, until it ends: those of the first second count as
    /// one.
    pub fn signal_until_it_ends(self, signal_: Signal) -> Assert {
        let pid = self.pid();
        let waiting = std::thread::spawn(move || self.wait());
        while !waiting.is_finished() {
            signal(pid, signal_);
            std::thread::sleep(Duration::from_millis(50));
        }
        waiting.join().unwrap()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Assert {
        let mut child = self.0.take().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let began = Instant::now();
        let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > PATIENCE {
                signal(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let output = Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() };
        schema::check(&schema::words(&self.1), &output);
        Assert::new(output)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for the end of a command; a hanging one is killed, and so does not end as it should.
pub fn end_of(child: Child) -> Output {
    let pid = i32::try_from(child.id()).unwrap();
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let limit = std::thread::spawn(move || {
        if end.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            signal(pid, Signal::KILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    limit.join().unwrap();
    output
}

fn drain(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut all).unwrap();
        }
        all
    })
}

/// Runs a command to its end; a hanging one fails the test.
pub fn finish(command: Command) -> Assert {
    let words = schema::words(&command);
    let run = assert_cmd::Command::from_std(command).timeout(PATIENCE).assert();
    schema::check(&words, run.get_output());
    run
}

/// Runs a command to its end with that stdin.
pub fn finish_with_stdin(mut command: Command, stdin: &str) -> Assert {
    command.stdin(Stdio::piped());
    assert_cmd::Command::from_std(command).timeout(PATIENCE).write_stdin(stdin).assert()
}

/// Waits for a condition.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Sends a signal to a process that may be gone already.
pub fn signal(pid: i32, signal: Signal) {
    let _gone = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Whether the process handles signals yet: before that, a signal hits a program that has done nothing.
pub fn handles_signals(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
    let all = [Signal::INT, Signal::TERM, Signal::HUP].iter().fold(0, |all, signal| all | 1 << (signal.as_raw() - 1));
    caught.is_some_and(|mask| u64::from_str_radix(mask, 16).unwrap() & all == all)
}

/// Whether a process is alive; a zombie is not.
pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// What the command printed on stdout.
pub fn stdout(run: &Assert) -> String {
    String::from_utf8_lossy(&run.get_output().stdout).into_owned()
}

/// What the command printed on stderr.
pub fn stderr(run: &Assert) -> String {
    String::from_utf8_lossy(&run.get_output().stderr).into_owned()
}

/// The names in a folder, sorted; none if it is missing.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The manifest of a snapshot, located by its footer.
pub fn manifest(file: &Path) -> Value {
    let bytes = fs::read(file).unwrap();
    let footer = &bytes[bytes.len() - 64..];
    let long = |at: usize| usize::try_from(u64::from_le_bytes(footer[at..at + 8].try_into().unwrap())).unwrap();
    serde_json::from_slice(&bytes[long(36)..long(36) + long(44)]).unwrap()
}

/// Bytes that no compression makes fewer.
pub fn random_bytes(count: usize) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = Vec::new();
    fs::File::open("/dev/urandom").unwrap().take(count as u64).read_to_end(&mut bytes).unwrap();
    bytes
}
