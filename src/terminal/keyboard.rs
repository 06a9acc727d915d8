//! The keyboard while a question is open. dialoguer reads the terminal by itself and ignores Ctrl-D, which must answer No.
//! So it reads another terminal, on which this program types the user's keys, with another one for Ctrl-D.

use crate::signals::Signals;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read, write};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::stdio::dup2_stdin;
use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::Duration;

const CTRL_D: u8 = 4;
/// How long a terminal that does not block is left alone when no key was pressed.
const PAUSE: Duration = Duration::from_millis(50);

/// Reads each key as it is pressed, until it is dropped.
pub struct Keyboard {
    terminal: OwnedFd,
    before: Termios,
}

impl Keyboard {
    /// Call this before the question is printed: it drops earlier keys, which are no answer.
    pub fn take() -> io::Result<Self> {
        let terminal = io::stdin().as_fd().try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        let mut keys = before.clone();
        keys.make_raw();
        keys.output_modes = before.output_modes;
        // A read ends after a tenth of a second without a key.
        keys.special_codes[SpecialCodeIndex::VMIN] = 0;
        keys.special_codes[SpecialCodeIndex::VTIME] = 1;
        tcsetattr(&terminal, OptionalActions::Flush, &keys)?;
        Ok(Self { terminal, before })
    }

    /// A function that puts the terminal back.
    pub fn restore(&self) -> io::Result<impl Fn() + Send + 'static> {
        let (terminal, before) = (self.terminal.try_clone()?, self.before.clone());
        Ok(move || {
            let _ = tcsetattr(&terminal, OptionalActions::Now, &before);
        })
    }

    /// Runs `ask` with the other terminal as stdin, on which Ctrl-D is the key `ctrl_d`. A signal ends its input.
    pub fn during<T: Send>(
        &self,
        ask: impl FnOnce() -> io::Result<T> + Send,
        ctrl_d: u8,
        signals: &Signals,
    ) -> io::Result<T> {
        let (keys, stdin) = terminal_pair()?;
        dup2_stdin(&stdin)?;
        drop(stdin);
        thread::scope(|scope| {
            let asking = thread::Builder::new().spawn_scoped(scope, ask)?;
            let mut keys = Some(keys);
            while !asking.is_finished() {
                let mut typed = [0; 64];
                match read(&self.terminal, &mut typed) {
                    _ if signals.arrived().is_some() => keys = None,
                    Ok(count @ 1..) => {
                        let typed = typed.iter().take(count).map(|key| if *key == CTRL_D { ctrl_d } else { *key });
                        // In one piece: ESC alone is a key of its own, and cancels.
                        let typed: Vec<u8> = typed.collect();
                        let _ = keys.as_ref().map(|keys| write(keys, &typed));
                    }
                    // Another process has made the terminal non-blocking; macOS cannot poll it.
                    Err(Errno::AGAIN) if isatty(&self.terminal) => thread::sleep(PAUSE),
                    Ok(_) | Err(Errno::INTR) if isatty(&self.terminal) => {}
                    _ => keys = None,
                }
            }
            asking.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
        })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        let _ = dup2_stdin(&self.terminal);
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// The other terminal: where its keys are typed, and the terminal itself.
fn terminal_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    // macOS has no flag that closes it when a command starts; no command starts while a question is open.
    let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&keys)?;
    unlockpt(&keys)?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = open(ptsname(&keys, Vec::new())?, flags, Mode::empty())?;
    let mut raw = tcgetattr(&terminal)?;
    raw.make_raw();
    tcsetattr(&terminal, OptionalActions::Now, &raw)?;
    Ok((keys, terminal))
}
