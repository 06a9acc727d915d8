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

/// What the script prints if the guest keeps keys, with the reason.
const KEPT: [(&str, &str); 2] =
    [("no ssh-keygen", "its guest has no ssh-keygen"), ("dropbear", "those of Dropbear are not made anew")];

/// Its argument is the new machine id. An sshd that runs reads the new keys; its process id may be an old one.
const SCRIPT: &str = r#"set -e
changed=
for file in /etc/machine-id /var/lib/dbus/machine-id; do
  if [ -s "$file" ]; then echo "$1" > "$file"; changed=1; fi
done
set -- /etc/dropbear/dropbear_*_host_key
if [ -e "$1" ]; then echo dropbear; fi
set -- /etc/ssh/ssh_host_*_key
if [ ! -e "$1" ]; then :
elif ! command -v ssh-keygen > /dev/null; then echo no ssh-keygen
else
  changed=1
  rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
  ssh-keygen -A > /dev/null
  if [ -s /run/sshd.pid ] && read -r pid < /run/sshd.pid && [ "$(cat "/proc/$pid/comm")" = sshd ]; then
    kill -HUP "$pid" || :
  fi
fi
if [ -n "$changed" ]; then sync || :; fi
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
        ExecEnd::Guest(0) => {
            for (_, why) in KEPT.iter().filter(|(said, _)| outcome.text().contains(said)) {
                warnings.warn(format!("'{name}' has the SSH host keys of the frozen VM: {why}"));
            }
        }
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

/// A new machine id, in the form of a random UUID.
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
