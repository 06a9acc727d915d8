//! A terminal operated only by the test.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A command that runs on its own terminal; killed when dropped.
pub struct Session {
    child: Child,
    /// Held open, so that the terminal can be inspected after the command's end.
    slave: OwnedFd,
    /// None after its end.
    master: Option<std::fs::File>,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Session {
    /// Runs the command with the terminal as stdin, stdout and stderr, and as its controlling terminal.
    pub fn start(command: Command) -> Self {
        Self::start_on(command, [true; 3], 0)
    }

    /// The same, but the terminal is only those of stdin, stdout and stderr that are true; stdin is otherwise empty,
    /// and the others are pipes. It has this many columns, or does not report its width: 0.
    pub fn start_on(mut command: Command, [stdin, stdout, stderr]: [bool; 3], columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave: OwnedFd =
            open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let rows = if columns == 0 { 0 } else { 24 };
        tcsetwinsize(&slave, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let copy = || slave.try_clone().unwrap();
        let on = |terminal: bool, otherwise: Stdio| if terminal { copy().into() } else { otherwise };
        command.stdin(on(stdin, Stdio::null())).stdout(on(stdout, Stdio::piped())).stderr(on(stderr, Stdio::piped()));
        let controlling = copy();
        // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(move || {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(controlling.as_fd())?;
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        let master = std::fs::File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shared) = (master.try_clone().unwrap(), Arc::downgrade(&screen));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Wakes up again and again: while it reads, the terminal could not be closed.
            while let Some(screen) = shared.upgrade() {
                let mut fds = [PollFd::new(&reader, PollFlags::IN)];
                if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 3_000_000 })).unwrap() > 0 {
                    let Ok(count @ 1..) = reader.read(&mut buffer) else { return };
                    screen.lock().unwrap().extend_from_slice(&buffer[..count]);
                }
            }
        });
        Self { child, slave, master: Some(master), screen }
    }

    /// Closes the terminal's window. What was printed is lost.
    pub fn hang_up(&mut self) {
        self.screen = Arc::default();
        self.master = None;
    }

    /// Everything the command has printed, after its end: on the terminal, and elsewhere.
    pub fn all_printed(&mut self) -> String {
        const END: &str = "that was all";
        let mut all = String::new();
        if self.master.is_some() {
            rustix::io::write(&self.slave, END.as_bytes()).unwrap();
            self.wait_for(END);
            all = self.screen().replace(END, "");
        }
        if let Some(stdout) = &mut self.child.stdout {
            stdout.read_to_string(&mut all).unwrap();
        }
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut all).unwrap();
        }
        all
    }

    /// Everything printed so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits for this text, even after the command's end, because the screen is read in the background. After that, the
    /// question can be answered.
    pub fn wait_for(&self, text: &str) {
        super::wait_until(text, || self.screen().contains(text));
    }

    /// Whether the terminal is in the mode that a shell needs.
    pub fn reads_lines(&self) -> bool {
        tcgetattr(self.master.as_ref().unwrap()).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.master.as_ref().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// The process id of the command.
    pub fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// Waits for the end; returns the exit status.
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
