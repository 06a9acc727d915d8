//! `engine install`, `ls`, `use` and `rm`, with an index that this test serves on loopback.
//!
//! One test downloads a real wheel with pip, only with `BOTTLE_FREEZE_REAL_ENGINES`, as in `make conformance`; another
//! uses pypi.org itself, only with `BOTTLE_FREEZE_REAL_INDEX`.

use crate::support::{World, finish, names_in, stderr, stdout, wait_until};
use rustix::process::Signal;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use zip::write::SimpleFileOptions;

/// The response for a path of the index.
#[derive(Clone)]
struct Answer {
    kind: &'static str,
    body: Vec<u8>,
    /// Send this many bytes, then close the connection.
    cut: Option<usize>,
    /// Send this many bytes, then nothing.
    stall: Option<usize>,
}

/// A package index on loopback.
pub struct Index {
    address: String,
    pages: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Index {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let index = Self { address, pages: Arc::default(), asked: Arc::default() };
        let (pages, asked) = (index.pages.clone(), index.asked.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (pages, asked) = (pages.clone(), asked.clone());
                std::thread::spawn(move || serve(&connection, &pages, &asked));
            }
        });
        index
    }

    fn put(&self, path: &str, kind: &'static str, body: impl Into<Vec<u8>>) -> &Self {
        let answer = Answer { kind, body: body.into(), cut: None, stall: None };
        self.pages.lock().unwrap().insert(path.to_owned(), answer);
        self
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut Answer)) {
        change(self.pages.lock().unwrap().get_mut(path).unwrap());
    }

    /// Offers these wheels with correct hashes.
    pub fn offer(&self, wheels: &[(&str, Vec<u8>)]) -> &Self {
        let files: Vec<_> = wheels
            .iter()
            .map(|(version, wheel)| {
                let name = wheel_name(version);
                self.put(&format!("/files/{name}"), "application/zip", wheel.clone());
                let sha256 = base16ct::lower::encode_string(&Sha256::digest(wheel));
                serde_json::json!({"filename": name, "url": format!("../../files/{name}"), "hashes": {"sha256": sha256}, "size": wheel.len()})
            })
            .collect();
        let page = serde_json::json!({"meta": {"api-version": "1.1"}, "name": "smolmachines", "files": files});
        self.put("/simple/smolmachines/", "application/vnd.pypi.simple.v1+json", page.to_string())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut connection: &TcpStream, pages: &Mutex<HashMap<String, Answer>>, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    let Some(path) = lines.next().and_then(|line| Some(line.split(' ').nth(1)?.to_owned())) else { return };
    let _rest = lines.take_while(|line| !line.is_empty()).count();
    let answer = pages.lock().unwrap().get(&path).cloned();
    asked.lock().unwrap().push(path);
    let Some(answer) = answer else {
        let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return;
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.kind,
        answer.body.len()
    );
    let end = answer.cut.or(answer.stall).unwrap_or(answer.body.len());
    let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&answer.body[..end]));
    if answer.stall.is_some() {
        // Until the other side closes the connection.
        let _ = std::io::copy(&mut connection, &mut std::io::sink());
    }
}

#[test]
fn json_reports_the_engine_that_is_installed_now() {
    let (world, index) = (World::new(), Index::new());
    index.offer(&[("1.32.2", wheel("1.32.2")), ("1.4.0", wheel("1.4.0"))]);
    let run = |line: &str| {
        let mut command = world.line(&format!("{line} --json --error-format json --progress=json"));
        command.env("PIP_INDEX_URL", format!("{}/simple/", index.address));
        finish(command)
    };
    let result = |line: &str| serde_json::from_str::<serde_json::Value>(&stdout(&run(line).success())).unwrap();
    for (version, in_use) in [("1.32.2", true), ("1.4.0", false)] {
        let engine = result(&format!("engine install --version {version}"));
        assert_eq!((&engine["version"], &engine["in_use"]), (&version.into(), &in_use.into()));
    }
    assert_eq!(result("engine install --version 1.4.0")["in_use"], false);
    assert_eq!(result("engine use 1.4.0")["in_use"], true);
    assert_eq!(result("engine ls")[0]["version"], "1.4.0");
    let none = run("engine rm 1.4.0 1.2.3").code(13);
    assert!(stderr(&none).contains("nothing was removed") && stdout(&none).is_empty(), "{}", stderr(&none));
    assert_eq!(result("engine rm 1.32.2")["version"], "1.32.2");
    assert_eq!(result("engine rm 1.4.0")["removed"], true);
}

fn wheel_name(version: &str) -> String {
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", _) => "macosx_11_0_arm64".to_owned(),
        (_, arch) => format!("manylinux_2_28_{arch}"),
    };
    format!("smolmachines-{version}-cp39-abi3-{platform}.whl")
}

/// An engine that prints its version, and lists no VMs.
fn engine(version: &str) -> Vec<u8> {
    format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'smolvm {version}' || echo '[]'\n").into_bytes()
}

fn rootfs() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o755);
    tar.append_data(&mut header, "sbin/init", &b"hello"[..]).unwrap();
    tar.into_inner().unwrap()
}

fn zip_of(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A wheel like those on PyPI, but small.
pub fn wheel(version: &str) -> Vec<u8> {
    wheel_with_guest(version, rootfs())
}

/// The same with this guest system.
pub fn wheel_with_guest(version: &str, guest: Vec<u8>) -> Vec<u8> {
    zip_of(&[
        ("smol/__init__.py", b"import nothing".to_vec()),
        ("smol/_native.abi3.so", b"of Python".to_vec()),
        ("smol/smol-vmm", engine(version)),
        ("smol/libkrun.so", b"library".to_vec()),
        ("smol/agent-rootfs.tar", guest),
    ])
}

/// `bottle-freeze` without any other engine, using this index.
pub fn command(world: &World, index: &Index, line: &str) -> Command {
    let mut command = world.line(line);
    command
        .env_remove("SMOLVM")
        .env("PATH", "/usr/bin:/bin")
        .env("NO_PROXY", "127.0.0.1")
        .env("PIP_INDEX_URL", format!("{}/simple", index.address));
    command
}

fn installed(world: &World) -> Vec<String> {
    names_in(&world.path("home/library/engines"))
}

/// Fails with this status and leaves nothing half-made; an engine that was there stays usable.
fn fails(world: &World, index: &Index, line: &str, code: i32, said: &str) {
    let before = installed(world);
    let run = finish(command(world, index, line)).code(code);
    assert!(stderr(&run).contains(said), "{}", stderr(&run));
    assert_eq!(installed(world), before, "{said}");
    assert_eq!(names_in(&world.path("home/library/work")), [""; 0], "{said}");
}

#[test]
fn a_newcomer_gets_the_newest_engine_and_freezes_with_it() {
    let (world, index) = (World::new(), Index::new());
    index.offer(&[("1.4.0", wheel("1.4.0")), ("1.10.0", wheel("1.10.0"))]);
    let lost = finish(command(&world, &index, "ls")).code(13);
    assert!(stderr(&lost).contains("bottle-freeze engine install"), "{}", stderr(&lost));
    assert_eq!(index.asked(), [""; 0], "nothing is downloaded unless requested");
    let run = finish(command(&world, &index, "engine install")).success();
    assert!(stdout(&run).contains("installed smolvm 1.10.0"), "{}", stdout(&run));
    finish(command(&world, &index, "ls")).success();
    let folder = world.path("home/library/engines/1.10.0");
    assert_eq!(names_in(&folder), ["agent-rootfs", "bin", "libkrun.so", "smolvm"]);
    assert_eq!(fs::read(folder.join("agent-rootfs/sbin/init")).unwrap(), b"hello");
    assert_eq!(fs::metadata(folder.join("smolvm")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(installed(&world), ["1.10.0", "in-use"]);
}

#[test]
fn engines_are_listed_chosen_and_removed() {
    let (world, index) = (World::new(), Index::new());
    index.offer(&[("1.4.0", wheel("1.4.0")), ("1.10.0", wheel("1.10.0"))]);
    for version in ["1.4.0", "1.10.0"] {
        finish(command(&world, &index, &format!("engine install --version {version}"))).success();
    }
    let list = |line: &str| stdout(&finish(command(&world, &index, line)).success());
    assert_eq!(list("engine ls -q"), "1.4.0\n1.10.0\n");
    assert!(list("engine ls").contains("1.4.0    yes"), "{}", list("engine ls"));
    list("engine use 1.10.0");
    let json: serde_json::Value = serde_json::from_str(&list("engine ls --json")).unwrap();
    assert_eq!((&json[0]["in_use"], &json[1]["in_use"]), (&false.into(), &true.into()));
    assert!(list("engine rm 1.10.0").contains("engine use 1.4.0"));
    let none = finish(command(&world, &index, "ls")).code(13);
    assert!(stderr(&none).contains("engine use 1.4.0"), "{}", stderr(&none));
    fails(&world, &index, "engine use 9.9.9", 13, "smolvm 9.9.9 is not installed");
    fails(&world, &index, "engine rm 9.9.9", 13, "smolvm 9.9.9 is not installed");
    list("engine rm 1.4.0");
    assert_eq!(installed(&world), [""; 0]);
}

#[test]
fn an_installed_version_is_not_downloaded_again() {
    let (world, index) = (World::new(), Index::new());
    index.offer(&[("1.4.0", wheel("1.4.0"))]);
    for _ in 0..2 {
        finish(command(&world, &index, "engine install --version 1.4.0")).success();
    }
    assert_eq!(index.asked().len(), 2, "{:?}", index.asked());
}

#[test]
fn an_engine_on_path_comes_first_and_another_program_there_is_refused() {
    let (world, index) = (World::new(), Index::new());
    index.offer(&[("1.4.0", wheel("1.4.0"))]);
    finish(command(&world, &index, "engine install")).success();
    fs::create_dir(world.path("bin")).unwrap();
    let other = world.path("bin/smolvm");
    fs::write(&other, "#!/usr/bin/env python3\nprint('smolvm 0.0.36')\n").unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    let mut refused = command(&world, &index, "ls");
    refused.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
    let refused = finish(refused).code(13);
    assert!(stderr(&refused).contains("is not the smolvm engine"), "{}", stderr(&refused));
}

#[test]
fn a_failed_download_leaves_the_old_engine_and_nothing_else() {
    let (world, index) = (World::new(), Index::new());
    index.offer(&[("1.4.0", wheel("1.4.0"))]);
    finish(command(&world, &index, "engine install")).success();
    let page = "/simple/smolmachines/";
    let file = format!("/files/{}", wheel_name("1.5.0"));
    let offer = || {
        index.offer(&[("1.5.0", wheel("1.5.0"))]);
    };

    fails(&world, &index, "engine install --version 9.9.9", 13, "no smolvm 9.9.9 for");
    offer();
    index.change(&file, |answer| answer.cut = Some(100));
    fails(&world, &index, "engine install", 1, "cannot be downloaded");
    offer();
    index.change(&file, |answer| answer.body.push(0));
    fails(&world, &index, "engine install", 1, "it is larger than");
    offer();
    index.change(&file, |answer| answer.body[10] ^= 1);
    fails(&world, &index, "engine install", 1, "its SHA-256 is");
    index.change(page, |answer| answer.body.truncate(20));
    fails(&world, &index, "engine install", 1, "it is not an index of packages in JSON");
    index.pages.lock().unwrap().clear();
    fails(&world, &index, "engine install", 1, "404");
    finish(command(&world, &index, "ls")).success();
}

#[test]
fn a_wheel_without_an_engine_is_refused() {
    let (world, index) = (World::new(), Index::new());
    let mut evil = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.as_gnu_mut().unwrap().name[..9].copy_from_slice(b"../escape");
    header.set_cksum();
    evil.append(&header, &b""[..]).unwrap();
    let evil = evil.into_inner().unwrap();
    let mut sly = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Symlink);
    sly.append_link(&mut header, "etc", world.path("tmp")).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    sly.append_data(&mut header, "etc/escape", &b""[..]).unwrap();
    let sly = sly.into_inner().unwrap();
    let vmm = ("smol/smol-vmm", engine("1.4.0"));
    let guest = ("smol/agent-rootfs.tar", rootfs());
    for (members, said) in [
        (vec![("smol/__init__.py", vec![])], "it has no smolvm"),
        (vec![vmm.clone()], "it has no agent-rootfs"),
        (vec![("../escape", vec![]), vmm.clone(), guest.clone()], "it has a member"),
        (vec![vmm.clone(), ("smol/agent-rootfs.tar", evil)], "its guest's system has a member"),
        (vec![vmm.clone(), ("smol/agent-rootfs.tar", sly)], "is not an engine to be trusted"),
        (vec![("smol/smol-vmm", engine("1.5.0")), guest.clone()], "reports version 1.5.0"),
        (vec![vmm, ("smol/agent-rootfs.tar.zst", b"no zstd".to_vec())], "is not an engine to be trusted"),
    ] {
        index.offer(&[("1.4.0", zip_of(&members))]);
        fails(&world, &index, "engine install", 1, said);
    }
    assert_eq!(names_in(&world.path("tmp")), [""; 0]);
    index.offer(&[("1.4.0", b"no zip".to_vec())]);
    fails(&world, &index, "engine install", 1, "is not an engine to be trusted");
    let broken = zip_of(&[("smol/smol-vmm", b"#!/bin/sh\nexit 3\n".to_vec()), guest]);
    index.offer(&[("1.4.0", broken)]);
    fails(&world, &index, "engine install", 13, "does not run on this machine");
}

#[test]
fn an_interrupted_install_leaves_nothing_and_a_killed_one_is_cleaned_up() {
    let (world, index) = (World::new(), Index::new());
    index.offer(&[("1.4.0", wheel("1.4.0"))]);
    let file = format!("/files/{}", wheel_name("1.4.0"));
    index.change(&file, |answer| answer.stall = Some(100));
    let started = |count: usize| {
        let mut child = command(&world, &index, "engine install");
        let child = child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        wait_until("the wheel is requested", || index.asked().iter().filter(|path| **path == file).count() == count);
        child
    };
    let mut interrupted = started(1);
    crate::support::signal(i32::try_from(interrupted.id()).unwrap(), Signal::INT);
    assert_eq!(interrupted.wait().unwrap().code(), Some(130));
    assert_eq!(installed(&world), [""; 0]);
    let mut killed = started(2);
    let locked = finish(command(&world, &index, "engine install")).code(11);
    assert!(stderr(&locked).contains("in use by another bottle-freeze"), "{}", stderr(&locked));
    killed.kill().unwrap();
    killed.wait().unwrap();
    index.change(&file, |answer| answer.stall = None);
    finish(command(&world, &index, "engine install")).success();
    assert_eq!(installed(&world), ["1.4.0", "in-use"]);
    assert_eq!(names_in(&world.path("home/library/work")), [""; 0]);
}

#[test]
fn pypi_is_asked_unless_the_environment_names_another_index() {
    let (world, index) = (World::new(), Index::new());
    let mut pypi = command(&world, &index, "engine install");
    // Through a proxy that does not exist.
    pypi.env_remove("PIP_INDEX_URL").env("HTTPS_PROXY", "http://127.0.0.1:1");
    let said = stderr(&finish(pypi).code(1));
    assert!(said.contains("https://pypi.org/simple/smolmachines/ cannot be downloaded"), "{said}");
    assert!(said.contains("nothing was installed"), "{said}");
}

#[test]
fn an_unusable_proxy_is_not_bypassed() {
    let (world, index) = (World::new(), Index::new());
    for (name, proxy) in [
        ("HTTPS_PROXY", "socks5://user:secret@127.0.0.1:1"),
        ("ALL_PROXY", "socks4://127.0.0.1:1"),
        ("http_proxy", "nonsense://user:secret@host"),
        ("HTTPS_PROXY", "http://[::1"),
    ] {
        let mut refused = command(&world, &index, "engine install");
        refused.env(name, proxy);
        let said = stderr(&finish(refused).code(1));
        assert!(said.contains(&format!("${name} names no usable proxy")), "{said}");
        assert!(said.contains("nothing was installed") && !said.contains("secret"), "{said}");
    }
    // An empty variable counts as unset: the index is used, and has no page for the package.
    let mut asks = command(&world, &index, "engine install");
    asks.env("HTTPS_PROXY", "");
    assert!(stderr(&finish(asks).code(1)).contains("404"));
}

#[test]
fn the_password_of_an_index_is_not_printed() {
    let (world, index) = (World::new(), Index::new());
    for address in ["http://user:secret@127.0.0.1:1/simple", "http://user:secret@ 127.0.0.1/simple"] {
        let mut refused = command(&world, &index, "engine install");
        let said = stderr(&finish({
            refused.env("PIP_INDEX_URL", address);
            refused
        }));
        assert!(said.contains("***@") && !said.contains("secret"), "{said}");
    }
}

/// The engine can list its VMs, so it runs.
fn lists_no_vms(mut ls: Command) {
    ls.env_remove("SMOLVM").env("PATH", "/usr/bin:/bin").env("SMOLVM_USAGE_DIR", "");
    assert_eq!(stdout(&finish(ls).success()).trim(), "[]");
}

#[test]
fn a_real_wheel_gives_a_real_engine() {
    if std::env::var_os("BOTTLE_FREEZE_REAL_ENGINES").is_none() {
        println!("NOT RUN: BOTTLE_FREEZE_REAL_ENGINES is not set; `make conformance` downloads a real wheel with pip");
        return;
    }
    let (world, index) = (World::new(), Index::new());
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "smolmachines==1.32.2"]);
    assert!(pip.current_dir(world.path("work")).status().unwrap().success());
    let wheel = fs::read(world.path("work").join(&names_in(&world.path("work"))[0])).unwrap();
    index.offer(&[("1.32.2", wheel)]);
    finish(command(&world, &index, "engine install")).success();
    lists_no_vms(world.line("ls --json"));
}

/// Not part of `make conformance`: the other tests cover everything without pypi.org.
#[test]
fn the_real_index_gives_a_real_engine() {
    if std::env::var_os("BOTTLE_FREEZE_REAL_INDEX").is_none() {
        println!("NOT RUN: BOTTLE_FREEZE_REAL_INDEX is not set");
        return;
    }
    let world = World::new();
    let mut install = Command::new(env!("CARGO_BIN_EXE_bottle-freeze"));
    install.args(["engine", "install", "--version", "1.32.2"]);
    install.env("HOME", world.path("home")).env("BOTTLE_FREEZE_HOME", world.path("home/library"));
    let output = install.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lists_no_vms(world.line("ls --json"));
}

#[test]
fn a_foreign_file_in_the_place_of_an_engine_is_not_removed() {
    let (world, index) = (World::new(), Index::new());
    index.offer(&[("1.4.0", wheel("1.4.0")), ("1.10.0", wheel("1.10.0"))]);
    finish(command(&world, &index, "engine install --version 1.4.0")).success();
    let folder = world.path("home/library/engines/1.10.0");
    for (file, named) in [("thesis.txt", "thesis.txt"), ("smolvm/thesis.txt", "smolvm")] {
        fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
        fs::write(folder.join(file), "years of work").unwrap();
        let run = finish(command(&world, &index, "engine install --version 1.10.0")).code(8);
        assert!(stderr(&run).contains(named), "{}", stderr(&run));
        assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), "years of work");
        assert_eq!(installed(&world), ["1.10.0", "1.4.0", "in-use"]);
        fs::remove_dir_all(&folder).unwrap();
    }
    // A file of that name is kept too.
    fs::write(&folder, "years of work").unwrap();
    finish(command(&world, &index, "engine install --version 1.10.0")).code(8);
    assert_eq!(fs::read_to_string(&folder).unwrap(), "years of work");
}
