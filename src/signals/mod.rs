//! Signals: which one arrived, and what it does.
//!
//! [`Signals`] is handed in. A thread of its own waits for every signal that would end this process (unless the parent has
//! it ignored, as `nohup` does). It ends the engine commands that run, each in a process group of its own, or passes the
//! signal on to a guest's `exec`; the commands that run in this process see it by [`Signals::check`] and clean up.
//!
//! One cause may send several signals: npm and `timeout` pass on the Ctrl-C that the terminal has sent already, and a
//! terminal that closes sends SIGHUP and SIGTERM. So all that arrive within a second of the first are one. A later one ends
//! this process at once.

mod arrivals;
mod children;
mod faults;
mod interrupted;
mod listen;
mod processes;
mod token;

pub use interrupted::{Interrupted, signal_name};
pub use processes::{end_group, is_alive, stop_group};
pub use token::{ExitNote, Signals};
