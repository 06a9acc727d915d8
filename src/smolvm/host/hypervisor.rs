//! Whether VMs can run here: KVM on Linux, Hypervisor.framework on macOS.

mod permission;

use std::path::Path;

/// Why VMs cannot run here.
#[derive(Debug)]
pub struct NoHypervisor {
    /// What is wrong.
    pub what: String,
    /// The command that fixes it.
    pub hint: String,
}

type Found = Result<String, NoHypervisor>;

fn none(what: String, hint: impl Into<String>) -> Found {
    Err(NoHypervisor { what, hint: hint.into() })
}

/// Checks the hypervisor, on Linux by making an empty VM: its answer counts, whatever the CPU is said to be able to do.
/// `engine` is the engine that runs VMs, if there is one.
///
/// # Errors
/// There is none, or this user must not use it.
pub fn check(engine: Option<&Path>) -> Found {
    if cfg!(target_os = "macos") {
        return framework();
    }
    let device = Path::new("/dev/kvm");
    let found = kvm(device);
    match engine {
        Some(engine) if found.is_ok() && permission::keeps_vms_of_root_out(device, engine) => none(
            format!("each VM of root runs under a uid of its own, which may not use {}", device.display()),
            "export SMOLVM_VM_UID_DROP=off",
        ),
        _ => found,
    }
}

/// Apple's own test for it: `sysctl kern.hv_support`.
fn framework() -> Found {
    let output = std::process::Command::new("/usr/sbin/sysctl").args(["-n", "kern.hv_support"]).output();
    if output.is_ok_and(|output| output.stdout.starts_with(b"1")) {
        return Ok("Hypervisor.framework works".into());
    }
    none("this Mac has no Hypervisor.framework".into(), "use a Mac with Apple silicon, or a host that nests VMs")
}

fn kvm(device: &Path) -> Found {
    use rustix::io::Errno;
    let shown = device.display();
    match make_vm(device) {
        Ok(()) => Ok(format!("{shown} works")),
        Err(Errno::ACCESS) => none(format!("you may not use {shown}"), permission::command(device)),
        // The answer of a container's device rules.
        Err(Errno::PERM) => {
            none(format!("this container may not use {shown}"), format!("start the container with --device {shown}"))
        }
        Err(Errno::NOENT) => none(
            format!("there is no {shown}"),
            "sudo modprobe kvm_intel || sudo modprobe kvm_amd  # virtualization on in firmware?",
        ),
        Err(error) => none(format!("{shown} makes no VM: {error}"), "sudo dmesg | grep -i kvm"),
    }
}

/// Why VMs may not boot, although the hypervisor makes them. Seen on a hosted VM: `/dev/kvm` makes VMs and runs a HLT in them,
/// but no kernel boots. Other hypervisors hide the flags, and boot all.
pub fn doubt() -> Option<String> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    (cfg!(target_arch = "x86_64") && has_no_flag(&cpuinfo)).then(|| {
        "this CPU shows neither vmx nor svm: if no VM boots, switch on nested virtualization on the host".to_owned()
    })
}

fn has_no_flag(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    flags.is_some_and(|flags| !flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"))
}

/// Makes an empty VM, and removes it.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn make_vm(device: &Path) -> rustix::io::Result<()> {
    use rustix::fd::{FromRawFd, OwnedFd};
    use rustix::fs::{Mode, OFlags};
    use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
    use std::ffi::c_void;

    /// `KVM_CREATE_VM` of `linux/kvm.h`, for a VM of the default type.
    struct CreateVm;

    // SAFETY: its argument is a number, 0, and its result a file that nothing else owns.
    unsafe impl Ioctl for CreateVm {
        type Output = OwnedFd;
        const IS_MUTATING: bool = false;
        fn opcode(&self) -> Opcode {
            opcode::none(0xae, 1)
        }
        fn as_ptr(&mut self) -> *mut c_void {
            std::ptr::null_mut()
        }
        unsafe fn output_from_ptr(answer: IoctlOutput, _: *mut c_void) -> rustix::io::Result<OwnedFd> {
            // SAFETY: the kernel has just opened it.
            Ok(unsafe { OwnedFd::from_raw_fd(answer) })
        }
    }

    let kvm = rustix::fs::open(device, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    // SAFETY: a device other than KVM returns an error.
    unsafe { ioctl(&kvm, CreateVm) }.map(drop)
}

#[cfg(not(target_os = "linux"))]
fn make_vm(_: &Path) -> rustix::io::Result<()> {
    Err(rustix::io::Errno::NOSYS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_wrong_device_is_reported_with_a_hint() {
        for (device, said) in [("/no/kvm", "there is no /no/kvm"), ("/dev/null", "/dev/null makes no VM")] {
            let wrong = kvm(Path::new(device)).unwrap_err();
            assert!(wrong.what.starts_with(said) && !wrong.hint.is_empty(), "{wrong:?}");
        }
    }

    #[test]
    fn the_answer_of_the_device_counts_and_not_the_flags_of_the_cpu() {
        let device = Path::new("/dev/kvm");
        assert_eq!(kvm(device).is_ok(), make_vm(device).is_ok());
        assert!(has_no_flag("processor: 0\nflags\t\t: fpu hypervisor\n"));
        assert!(!has_no_flag("flags\t\t: fpu vmx\n") && !has_no_flag("flags : svm") && !has_no_flag("Features : fp"));
    }
}
