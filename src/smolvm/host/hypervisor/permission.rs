//! How a user gets access to a device on this system: not every system has the group `kvm`, or gives it the device.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What the command depends on.
struct System<'a> {
    /// The text of `/etc/group`.
    groups: &'a str,
    /// The user's name.
    user: &'a str,
    /// The group that may read and write the device, if one may.
    gid: Option<u32>,
    /// Whether there is such a command.
    has: &'a dyn Fn(&str) -> bool,
}

/// The command that gives this user access to `device`.
pub fn command(device: &Path) -> String {
    let gid = fs::metadata(device).ok().filter(|meta| meta.mode() & 0o060 == 0o060).map(|meta| meta.gid());
    let (groups, users) = (text("/etc/group"), text("/etc/passwd"));
    let uid = rustix::process::geteuid().as_raw().to_string();
    let user = users.lines().find(|line| line.split(':').nth(2) == Some(&uid)).and_then(|line| line.split(':').next());
    let system = System { groups: &groups, user: user.unwrap_or_default(), gid, has: &has };
    system.command(&device.display().to_string())
}

/// Whether VMs that root starts with `engine` cannot open `device`: the engine gives each its own uid, and the group `kvm` if
/// there is one, unless `$SMOLVM_VM_UID_DROP` is `off`, which a wrapper script may set.
pub fn keeps_vms_of_root_out(device: &Path, engine: &Path) -> bool {
    const VARIABLE: &str = "SMOLVM_VM_UID_DROP";
    let Ok(meta) = fs::metadata(device) else { return false };
    let is_off = || std::env::var_os(VARIABLE).is_some_and(|value| value == "off");
    let is_script_that_sets_it = || {
        let (mut head, file) = (Vec::new(), fs::File::open(engine));
        let read = file.and_then(|file| file.take(64 << 10).read_to_end(&mut head));
        read.is_ok() && head.starts_with(b"#!") && String::from_utf8_lossy(&head).contains(VARIABLE)
    };
    rustix::process::geteuid().is_root()
        && !gives_access(meta.mode(), meta.gid(), &text("/etc/group"))
        && !is_off()
        && !is_script_that_sets_it()
}

/// Whether a process that has no other group than `kvm` may read and write it.
fn gives_access(mode: u32, gid: u32, groups: &str) -> bool {
    let is_kvm =
        || groups.lines().any(|line| line.starts_with("kvm:") && line.split(':').nth(2) == Some(&gid.to_string()));
    mode & 0o006 == 0o006 || (mode & 0o060 == 0o060 && is_kvm())
}

impl System<'_> {
    fn command(&self, device: &str) -> String {
        // Never root's group: it gives access to everything of root.
        let gid = self.gid.filter(|gid| *gid != 0).map(|gid| gid.to_string());
        let group = self.groups.lines().find(|line| gid.is_some() && line.split(':').nth(2) == gid.as_deref());
        let Some((group, rest)) = group.and_then(|line| line.split_once(':')) else {
            let allow = if (self.has)("setfacl") { "setfacl -m u:$(id -un):rw" } else { "chmod o+rw" };
            return format!("{}  # until the next boot", self.as_root(&format!("{allow} {device}")));
        };
        if rest.rsplit(':').next().is_some_and(|members| members.split(',').any(|member| member == self.user)) {
            return format!("exit  # and log in again: you are in the group {group}, but not since this login");
        }
        let join = if (self.has)("usermod") || !(self.has)("addgroup") {
            format!("usermod -aG {group} $(id -un)")
        } else {
            format!("addgroup $(id -un) {group}")
        };
        format!("{}  # and log in again", self.as_root(&join))
    }

    fn as_root(&self, command: &str) -> String {
        match ["sudo", "doas"].into_iter().find(|tool| (self.has)(tool)) {
            Some(tool) => format!("{tool} {command}"),
            None => format!("su -c \"{command}\""),
        }
    }
}

fn text(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Whether there is such a command, for root: a user's PATH may leave out `sbin`.
fn has(command: &str) -> bool {
    which::which(command).is_ok()
        || ["/usr/sbin", "/sbin"].iter().any(|folder| Path::new(folder).join(command).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(gid: u32, groups: &str, tools: &[&str]) -> String {
        let has = |tool: &str| tools.contains(&tool);
        System { groups, user: "ann", gid: Some(gid), has: &has }.command("/dev/kvm")
    }

    #[test]
    fn the_group_that_has_the_device_is_the_one_to_join() {
        let tools = ["sudo", "usermod", "addgroup", "setfacl"];
        assert_eq!(fix(104, "kvm:x:104:bob", &tools), "sudo usermod -aG kvm $(id -un)  # and log in again");
        assert_eq!(fix(36, "qemu:x:36:", &["usermod"]), "su -c \"usermod -aG qemu $(id -un)\"  # and log in again");
        assert!(fix(36, "qemu:x:36:", &["addgroup"]).contains("addgroup $(id -un) qemu"));
    }

    #[test]
    fn without_such_a_group_only_the_user_gets_access() {
        for (gid, groups) in [(104, "root:x:0:"), (0, "root:x:0:\nkvm:x:104:"), (104, "")] {
            let fix = |tools: &[&str]| fix(gid, groups, tools);
            assert!(fix(&["sudo", "usermod", "setfacl"]).starts_with("sudo setfacl -m u:$(id -un):rw /dev/kvm"));
            assert!(fix(&["doas", "usermod"]).starts_with("doas chmod o+rw /dev/kvm"));
        }
    }

    #[test]
    fn vms_of_root_have_access_if_all_have_or_the_group_kvm() {
        let groups = "root:x:0:\nkvm:x:104:\nhypervisors:x:105:";
        for (mode, gid, is_in) in
            [(0o600, 0, false), (0o666, 0, true), (0o660, 104, true), (0o660, 105, false), (0o660, 0, false)]
        {
            assert_eq!(gives_access(0o20_000 | mode, gid, groups), is_in, "{mode:o} {gid}");
        }
    }

    #[test]
    fn a_new_member_of_the_group_logs_in_again() {
        assert!(fix(104, "kvm:x:104:bob,ann", &["usermod"]).starts_with("exit  # and log in again"));
        assert!(fix(104, "kvm:x:104:annette", &["sudo", "usermod"]).starts_with("sudo usermod"));
    }
}
