//! launchd: an agent that freezes the VM at regular times (launchd.plist(5)).

use super::call::run;
use super::record::Schedule;
use crate::smolvm::Name;
use std::io;
use std::path::PathBuf;

/// What the agent says, with `ours` in one of its first lines.
pub fn text(schedule: &Schedule, ours: &str) -> io::Result<String> {
    let variables = schedule.variables.iter();
    let variables =
        variables.map(|(name, value)| format!("<key>{}</key><string>{}</string>", escaped(name), escaped(value)));
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- {ours} -->\n<plist version=\"1.0\">\n<dict>\n\
         <key>Label</key><string>{}</string>\n\
         <key>ProgramArguments</key><array><string>/bin/sh</string><string>-c</string><string>{}</string></array>\n\
         <key>EnvironmentVariables</key><dict>{}</dict>\n\
         <key>StartInterval</key><integer>{}</integer>\n</dict>\n</plist>\n",
        label(&schedule.vm),
        escaped(&schedule.shell_line()?),
        variables.collect::<String>(),
        schedule.every.period().as_secs()
    ))
}

/// Loads the agent, now and at each login.
pub fn enable(vm: &Name) -> io::Result<()> {
    run("launchctl", &["bootstrap", &session(), &agent(vm)?.to_string_lossy()])
}

/// Unloads the agent.
pub fn disable(vm: &Name) -> io::Result<()> {
    run("launchctl", &["bootout", &format!("{}/{}", session(), label(vm))])
}

fn session() -> String {
    format!("gui/{}", rustix::process::getuid().as_raw())
}

/// The file of the agent.
pub fn agent(vm: &Name) -> io::Result<PathBuf> {
    let home = dirs::home_dir().ok_or(io::ErrorKind::NotFound)?;
    Ok(home.join("Library/LaunchAgents").join(format!("{}.plist", label(vm))))
}

fn label(vm: &Name) -> String {
    format!("bottle-freeze.{vm}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::record::Scheduler;

    #[test]
    fn the_agent_runs_the_command_and_notes_its_success() {
        let schedule = Schedule {
            vm: "dev".parse().unwrap(),
            scheduler: Scheduler::Launchd,
            every: "6h".parse().unwrap(),
            command: ["/opt/a & b/bottle-freeze", "freeze", "dev"].map(str::to_owned).into(),
            variables: [("PATH".to_owned(), "/a<b".to_owned())].into(),
        };
        let (path, plist) = (agent(&schedule.vm).unwrap(), text(&schedule, "ours").unwrap());
        assert!(path.ends_with("Library/LaunchAgents/bottle-freeze.dev.plist"), "{path:?}");
        assert!(
            plist.contains(
                "<string>&apos;/opt/a &amp; b/bottle-freeze&apos; freeze dev &gt; /dev/null &amp;&amp; touch "
                    .replace("&apos;", "'")
                    .as_str()
            ),
            "{plist}"
        );
        assert!(plist.contains("<key>PATH</key><string>/a&lt;b</string>"), "{plist}");
        assert!(plist.contains("<integer>21600</integer>"), "{plist}");
    }
}
