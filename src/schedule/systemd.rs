//! systemd: a service that freezes the VM once, and a timer that starts it (systemd.service(5), systemd.timer(5)).

use super::call::run;
use super::record::Schedule;
use crate::smolvm::Name;
use std::io;
use std::path::{Path, PathBuf};

/// The service and the timer.
pub fn paths(vm: &Name) -> io::Result<[PathBuf; 2]> {
    let folder = folder()?;
    Ok(["service", "timer"].map(|kind| folder.join(unit(vm, kind))))
}

/// What they say, with `ours` in their first lines. A VM that the service starts again lives on after it (`KillMode`).
pub fn texts(schedule: &Schedule, ours: &str) -> io::Result<[String; 2]> {
    let (vm, every) = (&schedule.vm, schedule.every);
    let head =
        format!("# {ours}. To remove it: bottle-freeze schedule {vm} --remove\n[Unit]\nDescription=Freeze the VM {vm}");
    let variables = schedule.variables.iter();
    let variables = variables.map(|(name, value)| format!("Environment={}\n", quoted(&format!("{name}={value}"))));
    let mut words = schedule.command.iter();
    // No variable is expanded in the path of the program.
    let program = words.next().map(|program| quoted(program)).unwrap_or_default();
    let command = std::iter::once(program).chain(words.map(|word| argument(word))).collect::<Vec<_>>().join(" ");
    let touch = argument(&schedule.success_file()?.to_string_lossy());
    let service = format!(
        "{head}\n\n[Service]\nType=oneshot\nKillMode=process\n{}ExecStart={command}\n\
         ExecStartPost=/usr/bin/env touch {touch}\n",
        variables.collect::<String>(),
    );
    let timer = format!(
        "{head} every {every}\n\n[Timer]\nOnCalendar={}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n",
        every.calendar()
    );
    Ok([service, timer])
}

/// Starts the timer, now and at each login.
pub fn enable(vm: &Name) -> io::Result<()> {
    reload()?;
    run("systemctl", &["--user", "enable", "--quiet", &unit(vm, "timer")])?;
    // Also where an earlier one runs, with another time.
    run("systemctl", &["--user", "restart", &unit(vm, "timer")])
}

/// Whether the timer is started at each login.
pub fn is_enabled(vm: &Name) -> bool {
    let link = || Some(folder().ok()?.join("timers.target.wants").join(unit(vm, "timer")));
    link().is_some_and(|link| link.symlink_metadata().is_ok())
}

/// Stops the timer.
pub fn disable(vm: &Name) -> io::Result<()> {
    run("systemctl", &["--user", "disable", "--now", "--quiet", &unit(vm, "timer")])
}

/// Has systemd read its files again.
pub fn reload() -> io::Result<()> {
    run("systemctl", &["--user", "daemon-reload"])
}

/// Whether the user's services end with the last session (loginctl(1), enable-linger).
pub fn ends_with_session() -> bool {
    let user = std::env::var("USER").unwrap_or_default();
    !user.is_empty() && !user.contains('/') && !Path::new("/var/lib/systemd/linger").join(user).exists()
}

fn folder() -> io::Result<PathBuf> {
    Ok(dirs::config_dir().ok_or(io::ErrorKind::NotFound)?.join("systemd/user"))
}

fn unit(vm: &Name, kind: &str) -> String {
    format!("bottle-freeze-{vm}.{kind}")
}

/// A word of a command line, in which systemd expands nothing.
fn argument(text: &str) -> String {
    quoted(text).replace('$', "$$")
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n").replace('%', "%%");
    format!("\"{text}\"")
}
