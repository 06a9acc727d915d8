//! systemd: a service that freezes the VM once, and a timer that starts it (systemd.service(5), systemd.timer(5)).

use super::call::run;
use super::record::Schedule;
use crate::smolvm::Name;
use std::io;
use std::path::{Path, PathBuf};

/// The service and the timer, with `ours` in their first lines. A VM that the service starts again lives on after it
/// (`KillMode`).
pub fn files(schedule: &Schedule, ours: &str) -> io::Result<Vec<(PathBuf, String)>> {
    let folder = dirs::config_dir().ok_or(io::ErrorKind::NotFound)?.join("systemd/user");
    let (vm, every) = (&schedule.vm, schedule.every);
    let head =
        format!("# {ours}. To remove it: bottle-freeze schedule {vm} --remove\n[Unit]\nDescription=Freeze the VM {vm}");
    let variables = schedule.variables.iter();
    let variables = variables.map(|(name, value)| format!("Environment={}\n", quoted(&format!("{name}={value}"))));
    let command = schedule.command.iter().map(|word| argument(word)).collect::<Vec<_>>().join(" ");
    let touch = argument(&schedule.success_file()?.to_string_lossy());
    let service = format!(
        "{head}\n\n[Service]\nType=oneshot\nKillMode=process\n{}ExecStart={command}\nExecStartPost=/usr/bin/env touch {touch}\n",
        variables.collect::<String>(),
    );
    let timer = format!(
        "{head} every {every}\n\n[Timer]\nOnCalendar={}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n",
        every.calendar()
    );
    Ok(vec![(folder.join(unit(vm, "service")), service), (folder.join(unit(vm, "timer")), timer)])
}

/// Starts the timer, now and at each login.
pub fn enable(vm: &Name) -> io::Result<()> {
    run("systemctl", &["--user", "daemon-reload"])?;
    run("systemctl", &["--user", "enable", "--quiet", &unit(vm, "timer")])?;
    // Also where an earlier one runs, with another time.
    run("systemctl", &["--user", "restart", &unit(vm, "timer")])
}

/// Stops the timer. One that is not there is stopped.
pub fn disable(vm: &Name) {
    let _ = run("systemctl", &["--user", "disable", "--now", "--quiet", &unit(vm, "timer")]);
}

/// Has systemd read its files again, if it runs.
pub fn reload() {
    let _ = run("systemctl", &["--user", "daemon-reload"]);
}

/// Whether the user's services end with the last session (loginctl(1), enable-linger).
pub fn ends_with_session() -> bool {
    let user = std::env::var("USER").unwrap_or_default();
    !user.is_empty() && !user.contains('/') && !Path::new("/var/lib/systemd/linger").join(user).exists()
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
