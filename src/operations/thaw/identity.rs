//! Gives the guest of a thawed VM an identity of its own: a machine id, and SSH host keys, where the frozen VM had them.

use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::smolvm::{Exec, ExecEnd, Name, Smolvm};
use crate::terminal::Warnings;
use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

/// How long the guest may take. RSA keys take a few seconds in an emulated machine.
const LIMIT: Duration = Duration::from_secs(120);

/// What the script prints if there are keys, and nothing that makes others.
const NO_KEYGEN: &str = "no ssh-keygen";

/// Its argument is the new machine id. An sshd that runs reads the new keys; its process id may be an old one.
const SCRIPT: &str = r#"set -e
for file in /etc/machine-id /var/lib/dbus/machine-id; do
  if [ -s "$file" ]; then echo "$1" > "$file"; fi
done
set -- /etc/ssh/ssh_host_*_key
[ -e "$1" ] || exit 0
if ! command -v ssh-keygen > /dev/null; then echo no ssh-keygen; exit 0; fi
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
ssh-keygen -A > /dev/null
if [ -s /run/sshd.pid ] && read -r pid < /run/sshd.pid && [ "$(cat "/proc/$pid/comm")" = sshd ]; then kill -HUP "$pid"; fi
"#;

/// Gives the running guest of a new VM its own identity.
///
/// # Errors
/// The guest could not change it.
pub(super) fn renew(app: &App, engine: &Smolvm, name: &Name, warnings: &Warnings) -> Result<()> {
    let id = machine_id().map_err(|error| Failure::unread(format!("/dev/urandom cannot be read: {error}"), &error))?;
    let command = ["sh", "-c", SCRIPT, "sh", &id].map(Into::into).into();
    let exec = Exec { command, ..Exec::default() };
    let text = format!("giving {name} an identity of its own");
    let outcome = app.terminal.phase("identify", &text, || engine.machine_exec(name, &exec, LIMIT))?;
    match outcome.exec_end() {
        ExecEnd::Guest(0) if outcome.text().contains(NO_KEYGEN) => {
            warnings.warn(format!("'{name}' has the SSH host keys of the frozen VM: its guest has no ssh-keygen"));
        }
        ExecEnd::Guest(0) => {}
        ExecEnd::NoSuchCommand => {
            warnings.warn(format!("'{name}' has the identity of the frozen VM: its guest has no sh to change it"));
        }
        _ => {
            let said = outcome.stderr.lines().last().unwrap_or_default();
            let what = format!("the guest of '{name}' could not change its machine id and SSH host keys: {said}");
            return Err(Failure::new(Status::Failed, what + " (--same-identity keeps those of the frozen VM)"));
        }
    }
    Ok(())
}

/// A new machine id, in the form of a random UUID: the guests of a live snapshot would all make the same one.
fn machine_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let random = u128::from_be_bytes(bytes);
    let (version, variant) = (0xf << 76, 0x3 << 62);
    Ok(format!("{:032x}", random & !version & !variant | 0x4 << 76 | 0x2 << 62))
}

#[cfg(test)]
mod tests {
    use super::machine_id;

    #[test]
    fn a_machine_id_is_a_random_uuid() {
        let (one, other) = (machine_id().unwrap(), machine_id().unwrap());
        assert!(one.len() == 32 && one != other, "{one} {other}");
        assert_eq!(&one[12..13], "4");
        assert!("89ab".contains(&one[16..17]), "{one}");
    }
}
