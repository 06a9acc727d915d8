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
    let found = kvm(device, Path::new("/sys/module/kvm_pvm"));
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

/// `pvm`: what is there if the KVM needs no virtualization by the CPU. It makes VMs and runs a HLT in them, but boots only
/// kernels that are made for it (seen on a hosted VM).
fn kvm(device: &Path, pvm: &Path) -> Found {
    use rustix::io::Errno;
    let shown = device.display();
    match make_vm(device) {
        Ok(()) if pvm.exists() => none(
            format!("{shown} comes from PVM, which boots only kernels made for it"),
            "use a host whose CPU, or whose own hypervisor, virtualizes: grep -wE 'vmx|svm' /proc/cpuinfo",
        ),
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
            let wrong = kvm(Path::new(device), Path::new("/no/pvm")).unwrap_err();
            assert!(wrong.what.starts_with(said) && !wrong.hint.is_empty(), "{wrong:?}");
        }
    }

    #[test]
    fn the_answer_of_the_device_counts_unless_it_boots_no_kernel_of_libkrun() {
        let (device, none, pvm) = (Path::new("/dev/kvm"), Path::new("/no/pvm"), Path::new("/"));
        assert_eq!(kvm(device, none).is_ok(), make_vm(device).is_ok());
        assert!(kvm(device, pvm).is_err());
    }
}
