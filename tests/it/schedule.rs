//! `schedule`: a VM is frozen at regular times, by a real `systemd --user` where one runs, else by a line for crontab.

use crate::support::namespace::{disk, in_a_namespace};
use crate::support::{World, finish, names_in, stdout, wait_until};
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const SYSTEMD: &str = "/usr/lib/systemd/systemd";

fn json(world: &World, line: &str) -> Value {
    serde_json::from_str(&stdout(&world.run(&format!("{line} --json")).success())).unwrap()
}

/// The command of a crontab line, run as cron does.
fn run_as_cron(world: &World, line: &str) -> Assert {
    let command = line.splitn(6, ' ').nth(5).unwrap().replace("\\%", "%");
    let mut shell = Command::new("/bin/sh");
    world.set_environment(&mut shell);
    shell.arg("-c").arg(command);
    finish(shell)
}

#[test]
fn without_a_scheduler_a_line_for_crontab_is_printed_and_works() {
    let world = World::new();
    world.vm("dev").made_here().stopped();
    let said = stdout(&world.run("schedule dev --every 6h --keep-last 2 --keep-within 30d").success());
    assert!(said.contains("add this line to your crontab"), "{said}");
    let line = said.lines().find(|line| line.starts_with("0 */6 * * * ")).unwrap();
    for _ in 0..4 {
        world.write_guest("dev", "root/x", crate::support::random_bytes(100));
        let run = run_as_cron(&world, line).success();
        assert_eq!((stdout(&run), crate::support::stderr(&run)), (String::new(), String::new()), "cron mails nothing");
    }
    assert_eq!(json(&world, "snapshot ls").as_array().unwrap().len(), 4, "all within 30 days");
    let listed = json(&world, "schedule");
    assert_eq!((&listed[0]["vm"], &listed[0]["every_seconds"]), (&json!("dev"), &json!(21600)));
    assert_eq!((&listed[0]["scheduler"], &listed[0]["overdue"]), (&json!("crontab"), &json!(false)));
    assert!(listed[0]["last_success"].is_string(), "{listed}");
    world.run("schedule").success().stdout(contains("0s ago").or(contains("1s ago")));
    world.run("schedule dev --remove").success().stdout(contains("remove its line from your crontab"));
    assert_eq!(json(&world, "schedule"), json!([]));
    assert_eq!(names_in(&world.path("home/.local/state/bottle-freeze/schedules")), [""; 0]);
}

#[test]
fn a_freeze_that_fails_is_no_success() {
    let world = World::new();
    world.vm("dev").stopped();
    let line = stdout(&world.run("schedule dev --every 1d").success());
    world.run("rm dev --yes").success();
    run_as_cron(&world, line.lines().next_back().unwrap()).failure();
    assert!(json(&world, "schedule")[0]["last_success"].is_null());
}

#[test]
fn doctor_says_when_a_freeze_last_succeeded_and_when_it_is_overdue() {
    let world = World::new();
    world.vm("dev").stopped();
    let schedules = || {
        let checks = json(&world, "doctor")["checks"].clone();
        checks.as_array().unwrap().iter().find(|check| check["name"] == "schedules").cloned()
    };
    assert_eq!(schedules(), None);
    let line = stdout(&world.run("schedule dev --every 1h").success());
    let check = schedules().unwrap();
    assert!(check["verdict"] == "ok" && check["what"].to_string().contains("never succeeded"), "{check}");
    run_as_cron(&world, line.lines().next_back().unwrap()).success();
    let success = world.path("home/.local/state/bottle-freeze/schedules/dev.success");
    assert!(schedules().unwrap()["what"].to_string().contains("succeeded 0s ago"));
    for (ago, verdict) in [("119 minutes", "ok"), ("121 minutes", "warning")] {
        let touched = Command::new("touch").args(["-d", &format!("{ago} ago")]).arg(&success).status();
        assert!(touched.unwrap().success());
        assert_eq!(schedules().unwrap()["verdict"], verdict, "{ago}");
    }
    assert!(schedules().unwrap()["what"].to_string().contains("which is overdue"));
    let hint = schedules().unwrap()["hint"].as_str().unwrap().to_owned();
    let mut shell = Command::new("/bin/sh");
    world.set_environment(&mut shell);
    finish({
        shell.arg("-c").arg(hint);
        shell
    })
    .success();
    assert_eq!(schedules().unwrap()["verdict"], "ok", "the hint helps");
}

#[test]
fn what_makes_no_schedule_is_refused() {
    let world = World::new();
    world.vm("dev").stopped();
    for (line, status, why) in [
        ("schedule nosuch --every 1d", 4, "nosuch"),
        ("schedule dev --every 7m", 2, "minutes that divide an hour"),
        ("schedule dev --keep-last 3", 2, "say how often too"),
        ("schedule --every 1d", 2, "NAME"),
        ("schedule dev --every 1d --remove", 2, "cannot be used with"),
        ("schedule dev", 4, "'dev' has no schedule"),
        ("schedule dev --remove", 4, "'dev' has no schedule"),
    ] {
        world.run(line).code(status).stderr(contains(why));
    }
    assert!(!world.path("home/.local/state").exists());
}

#[test]
fn a_record_that_cannot_be_read_is_reported_and_removed() {
    let world = World::new();
    world.vm("dev").stopped();
    world.run("schedule dev --every 1d").success();
    fs::write(world.path("home/.local/state/bottle-freeze/schedules/dev.json"), "{").unwrap();
    world.run("schedule").success().stderr(contains("the schedule of 'dev' cannot be read"));
    let doctor = json(&world, "doctor")["checks"].to_string();
    assert!(doctor.contains("the schedule of 'dev' cannot be read"), "{doctor}");
    world.run("schedule dev --remove").success();
    world.run("schedule dev --remove").code(4);
}

#[test]
fn the_engine_that_was_chosen_is_the_one_that_freezes() {
    let world = World::new();
    world.vm("dev").stopped();
    let engine = crate::support::fake::fake_smolvm();
    std::os::unix::fs::symlink(&engine, world.path("work/my-smolvm")).unwrap();
    let mut command = world.line("schedule dev --every 1d --json");
    // What decides which VMs there are is kept, too.
    command.env("SMOLVM", "./my-smolvm").env("SMOLVM_PACK_STAGING", world.path("tmp"));
    let said: Value = serde_json::from_str(&stdout(&finish(command).success())).unwrap();
    let named = said["command"].as_array().unwrap().iter().find_map(|word| word.as_str()?.strip_prefix("--smolvm="));
    let named = Path::new(named.unwrap());
    assert!(named.is_absolute() && named.exists(), "{said}");
    let line = said["crontab"].as_str().unwrap();
    assert!(line.contains("SMOLVM_PACK_STAGING=/") && !line.contains(" SMOLVM=./"), "{line}");
}

/// A `systemd --user` of this world.
struct Systemd<'a> {
    world: &'a World,
    process: Child,
}

impl<'a> Systemd<'a> {
    /// Starts it; nothing if this machine has none.
    fn start(world: &'a World) -> Option<Self> {
        if !Path::new(SYSTEMD).exists() {
            println!("NOT RUN: there is no {SYSTEMD}");
            return None;
        }
        disk(Path::new("/run"), "size=64m");
        // It runs only where systemd is the init.
        fs::create_dir_all("/run/systemd/system").unwrap();
        fs::create_dir(world.path("run")).unwrap();
        fs::set_permissions(world.path("run"), fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = Command::new(SYSTEMD);
        world.set_environment(&mut command);
        command.arg("--user").env("XDG_RUNTIME_DIR", world.path("run")).stdout(Stdio::null()).stderr(Stdio::null());
        let systemd = Self { world, process: command.spawn().unwrap() };
        wait_until("systemd answers", || {
            systemd.run(Command::new("systemctl").args(["--user", "show-environment"])).is_ok()
        });
        Some(systemd)
    }

    fn run(&self, command: &mut Command) -> Result<String, String> {
        let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut inside = Command::new(command.get_program());
        self.world.set_environment(&mut inside);
        let output = inside.args(words).env("XDG_RUNTIME_DIR", self.world.path("run")).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    fn systemctl(&self, line: &str) -> String {
        self.run(Command::new("systemctl").arg("--user").args(line.split(' '))).unwrap()
    }

    fn bottle_freeze(&self, line: &str) -> Assert {
        let mut command = self.world.line(line);
        command.env("XDG_RUNTIME_DIR", self.world.path("run"));
        finish(command)
    }
}

impl Drop for Systemd<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn units(world: &World) -> PathBuf {
    world.path("home/.config/systemd/user")
}

#[test]
fn a_timer_of_systemd_freezes_a_running_vm_which_runs_on() {
    in_a_namespace(|| {
        let world = World::new();
        let Some(systemd) = Systemd::start(&world) else { return };
        world.vm("dev").running();
        let said = stdout(&systemd.bottle_freeze("schedule dev --every 1d --keep-last 1").success());
        assert!(said.starts_with("dev is frozen every 1d by systemd --user"), "{said}");
        let timers = systemd.systemctl("list-timers --no-pager");
        assert!(timers.contains("bottle-freeze-dev.timer"), "{timers}");
        for _ in 0..2 {
            world.write_guest("dev", "root/x", crate::support::random_bytes(100));
            systemd.systemctl("start bottle-freeze-dev.service");
            let vmm = world.vmm("dev");
            assert!(world.state("dev") == "running" && crate::support::is_alive(vmm));
        }
        assert_eq!(json(&world, "snapshot ls").as_array().unwrap().len(), 1);
        let verified = systemd.run(
            Command::new("systemd-analyze")
                .args(["--user", "verify"])
                .args(["service", "timer"].map(|kind| units(&world).join(format!("bottle-freeze-dev.{kind}")))),
        );
        assert_eq!(verified.as_deref(), Ok(""));
        let listed: Value = serde_json::from_str(&stdout(&systemd.bottle_freeze("schedule --json").success())).unwrap();
        assert_eq!((&listed[0]["enabled"], &listed[0]["scheduler"]), (&json!(true), &json!("systemd --user")));
        assert!(listed[0]["last_success"].is_string(), "{listed}");
        systemd.bottle_freeze("schedule dev --every 6h").success();
        assert!(
            fs::read_to_string(units(&world).join("bottle-freeze-dev.timer")).unwrap().contains("OnCalendar=0/6:00")
        );
        systemd.bottle_freeze("schedule dev --remove").success();
        assert_eq!(systemd.systemctl("list-timers --all --no-pager --no-legend"), "");
        let left: Vec<String> = names_in(&units(&world)).into_iter().filter(|name| name.contains("dev")).collect();
        assert_eq!(left, [""; 0]);
    });
}

#[test]
fn a_timer_that_cannot_be_reached_is_not_forgotten() {
    in_a_namespace(|| {
        let world = World::new();
        let Some(systemd) = Systemd::start(&world) else { return };
        world.vm("dev").stopped();
        systemd.bottle_freeze("schedule dev --every 1d").success();
        // As in a session of `su`: systemd is there, but not for this command.
        world.run("schedule dev --remove").code(1).stderr(contains("it is still there"));
        world.run("schedule dev --every 6h").code(1);
        assert!(systemd.systemctl("list-timers --no-pager").contains("bottle-freeze-dev.timer"));
        systemd.bottle_freeze("schedule dev --remove").success();
        assert_eq!(systemd.systemctl("list-timers --all --no-pager --no-legend"), "");
    });
}

#[test]
fn a_schedule_goes_on_if_its_change_fails() {
    in_a_namespace(|| {
        let world = World::new();
        let Some(systemd) = Systemd::start(&world) else { return };
        world.vm("dev").stopped();
        systemd.bottle_freeze("schedule dev --every 1d").success();
        // A systemctl that refuses to start a timer as often as there are lines in `refused`.
        fs::create_dir(world.path("bin")).unwrap();
        let script = "#!/bin/sh\ncase \"$*\" in *restart*) [ ! -s REFUSED ] || { sed -i 1d REFUSED; exit 1; } ;; esac\n\
                      PATH=${PATH#*:} exec systemctl \"$@\"\n";
        let refused = world.path("refused");
        let program = world.path("bin/systemctl");
        fs::write(&program, script.replace("REFUSED", refused.to_str().unwrap())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", world.path("bin").display(), std::env::var("PATH").unwrap());
        let change = |refusals: &str| {
            fs::write(&refused, refusals).unwrap();
            let mut command = world.line("schedule dev --every 6h");
            command.env("XDG_RUNTIME_DIR", world.path("run")).env("PATH", &path);
            finish(command)
        };
        change("once\n").code(1).stderr(contains("its earlier schedule goes on"));
        assert!(systemd.systemctl("list-timers --no-pager").contains("bottle-freeze-dev.timer"));
        let listed: Value = serde_json::from_str(&stdout(&systemd.bottle_freeze("schedule --json").success())).unwrap();
        assert_eq!((&listed[0]["every_seconds"], &listed[0]["enabled"]), (&json!(86_400), &json!(true)));
        change("once\ntwice\n").code(1).stderr(contains("'dev' has no schedule now"));
        assert_eq!(systemd.systemctl("list-timers --all --no-pager --no-legend"), "");
        assert_eq!(stdout(&systemd.bottle_freeze("schedule --json").success()).trim(), "[]");
    });
}

#[test]
fn what_systemd_would_expand_is_given_as_it_is() {
    in_a_namespace(|| {
        let world = World::new();
        let Some(systemd) = Systemd::start(&world) else { return };
        world.vm("dev").stopped();
        let odd = world.path(r#"home/a $HOME %h "b" \n 'c' ;"#);
        let mut command = world.command(["--home".as_ref(), odd.as_os_str(), "schedule".as_ref(), "dev".as_ref()]);
        command.args(["--every", "1h"]).env("XDG_RUNTIME_DIR", world.path("run"));
        finish(command).success();
        systemd.systemctl("start bottle-freeze-dev.service");
        assert_eq!(names_in(&odd.join("snapshots/dev")).len(), 1);
    });
}

#[test]
fn a_unit_that_another_program_wrote_stays() {
    in_a_namespace(|| {
        let world = World::new();
        let Some(systemd) = Systemd::start(&world) else { return };
        world.vm("dev").stopped();
        fs::create_dir_all(units(&world)).unwrap();
        let unit = units(&world).join("bottle-freeze-dev.timer");
        fs::write(&unit, "[Timer]\nOnCalendar=daily\n").unwrap();
        systemd.bottle_freeze("schedule dev --every 1d").code(7).stderr(contains("bottle-freeze did not write it"));
        assert_eq!(fs::read_to_string(&unit).unwrap(), "[Timer]\nOnCalendar=daily\n");
        assert_eq!(names_in(&units(&world)), ["bottle-freeze-dev.timer"]);
        assert_eq!(json(&world, "schedule"), json!([]));
        fs::remove_file(&unit).unwrap();
        systemd.bottle_freeze("schedule dev --every 1d").success();
        fs::write(&unit, "[Timer]\nOnCalendar=weekly\n").unwrap();
        systemd.bottle_freeze("schedule dev --remove").success();
        assert_eq!(fs::read_to_string(&unit).unwrap(), "[Timer]\nOnCalendar=weekly\n");
    });
}
