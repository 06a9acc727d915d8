//! What VMs run on: KVM on Linux, Hypervisor.framework on macOS.

use std::path::Path;

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hypervisor {
    /// VMs can be made.
    Works(String),
    /// VMs can be made, and yet they may not boot.
    Doubtful(String),
    /// There is none, or this user may not use it: what is wrong, and what mends it.
    Fails(String, String),
}

/// Looks, and makes an empty VM where that is possible.
pub fn hypervisor() -> Hypervisor {
    if cfg!(target_os = "macos") { framework() } else { kvm(Path::new("/dev/kvm")) }
}

/// Apple's own test for it: `sysctl kern.hv_support`.
fn framework() -> Hypervisor {
    let told = std::process::Command::new("/usr/sbin/sysctl").args(["-n", "kern.hv_support"]).output();
    if told.is_ok_and(|told| told.stdout.starts_with(b"1")) {
        return Hypervisor::Works("Hypervisor.framework works (kern.hv_support is 1)".into());
    }
    Hypervisor::Fails(
        "this Mac has no Hypervisor.framework (kern.hv_support is not 1)".into(),
        "use a Mac with Apple silicon, not a VM without nested virtualisation".into(),
    )
}

#[cfg(target_os = "linux")]
fn kvm(device: &Path) -> Hypervisor {
    use rustix::fs::{Mode, OFlags};
    let shown = device.display();
    let file = match rustix::fs::open(device, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
            let mend = "sudo usermod -aG kvm \"$USER\", and log in again".to_owned();
            return Hypervisor::Fails(format!("{shown} is not permitted to you"), mend);
        }
        Err(rustix::io::Errno::NOENT) => {
            let mend =
                "sudo modprobe kvm_intel || sudo modprobe kvm_amd (after switching virtualisation on in the firmware)";
            return Hypervisor::Fails(format!("there is no {shown}"), mend.into());
        }
        Err(error) => {
            return Hypervisor::Fails(format!("{shown} cannot be opened: {error}"), "dmesg | grep -i kvm".into());
        }
    };
    if let Err(error) = linux::make_vm(&file) {
        return Hypervisor::Fails(format!("{shown} makes no VM: {error}"), "dmesg | grep -i kvm".into());
    }
    if has_no_virtualisation() {
        return Hypervisor::Doubtful(format!(
            "{shown} makes VMs, but this CPU tells of no vmx or svm: they may not boot"
        ));
    }
    Hypervisor::Works(format!("{shown} makes VMs"))
}

#[cfg(not(target_os = "linux"))]
fn kvm(_device: &Path) -> Hypervisor {
    Hypervisor::Fails("smolvm runs on Linux and macOS".into(), "use one of them".into())
}

/// Seen on a hosted VM whose `/dev/kvm` makes VMs that never boot.
#[cfg(target_os = "linux")]
fn has_no_virtualisation() -> bool {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = told.lines().find(|line| line.starts_with("flags"));
    cfg!(target_arch = "x86_64")
        && flags.is_some_and(|flags| !flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"))
}

/// Two calls of `linux/kvm.h`.
#[cfg(target_os = "linux")]
mod linux {
    use rustix::fd::{AsFd, FromRawFd, OwnedFd};
    use rustix::io::{Errno, Result};
    use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
    use std::ffi::c_void;

    /// A call without an argument, whose answer is a number.
    struct Ask<const OPCODE: Opcode>;

    const GET_API_VERSION: Opcode = opcode::none(0xae, 0);
    const CREATE_VM: Opcode = opcode::none(0xae, 1);
    /// The only stable one, since Linux 2.6.22.
    const VERSION: i32 = 12;

    // SAFETY: both calls take a number, of which 0 is the default, and no pointer.
    #[allow(unsafe_code)]
    unsafe impl<const OPCODE: Opcode> Ioctl for Ask<OPCODE> {
        type Output = i32;
        const IS_MUTATING: bool = false;
        fn opcode(&self) -> Opcode {
            OPCODE
        }
        fn as_ptr(&mut self) -> *mut c_void {
            std::ptr::null_mut()
        }
        unsafe fn output_from_ptr(answer: IoctlOutput, _: *mut c_void) -> Result<i32> {
            Ok(answer)
        }
    }

    /// Makes an empty VM, which goes at once.
    #[allow(unsafe_code)]
    pub fn make_vm(kvm: impl AsFd) -> Result<()> {
        // SAFETY: see above; on a file that is no KVM the kernel answers with an error.
        if unsafe { ioctl(&kvm, Ask::<GET_API_VERSION>) }? != VERSION {
            return Err(Errno::NOSYS);
        }
        // SAFETY: the answer is a file of ours alone.
        drop(unsafe { OwnedFd::from_raw_fd(ioctl(&kvm, Ask::<CREATE_VM>)?) });
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_missing_or_no_kvm_is_told_with_what_mends_it() {
        for (device, said) in [("/no/kvm", "there is no /no/kvm"), ("/dev/null", "/dev/null makes no VM")] {
            let Hypervisor::Fails(what, mend) = kvm(Path::new(device)) else { panic!("{device} works") };
            assert!(what.starts_with(said) && !mend.is_empty(), "{what}");
        }
    }
}
