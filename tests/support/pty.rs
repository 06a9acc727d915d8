//! A terminal with nobody before it but the test.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

/// A command that runs on a terminal of its own; killed when dropped.
pub struct Session {
    child: Child,
    /// Held open, so that the terminal can be looked at after the command's end.
    _slave: OwnedFd,
    master: std::fs::File,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Session {
    /// Runs the command with the terminal as stdin, stdout and stderr, and as its controlling terminal.
    pub fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave: OwnedFd = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let copy = || slave.try_clone().unwrap();
        command.stdin(copy()).stdout(copy()).stderr(copy());
        // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(std::io::stdin().as_fd())?;
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        let master = std::fs::File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shared) = (master.try_clone().unwrap(), screen.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Linux says EIO when the last user of the terminal has gone.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                shared.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { child, _slave: slave, master, screen }
    }

    /// All that was printed so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Awaits what is printed, also after the command's end: the screen is read beside it. Whoever sees a question may
    /// answer.
    pub fn wait_for(&self, text: &str) {
        super::wait_until(text, || self.screen().contains(text));
    }

    /// Whether the terminal is as a shell wants it.
    pub fn reads_lines(&self) -> bool {
        tcgetattr(&self.master).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// The process number of the command.
    pub fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// Awaits the end; the exit status.
    pub fn wait(&mut self) -> Option<i32> {
        let began = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < super::PATIENCE, "still running: {}", self.screen());
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
