//! Signals: which one arrived, and what it does.
//!
//! [`Signals`] is handed in. One thread waits for every signal that would end this process (except those that the parent
//! ignores, as `nohup` does). It ends the running engine commands, each in a process group of its own, or passes the signal
//! on to a guest's `exec`; the work in this process calls [`Signals::check`], and cleans up.
//!
//! One cause may send several signals: npm and `timeout` pass on the Ctrl-C that the terminal sent already, and a terminal
//! that closes sends SIGHUP and SIGTERM. So all signals within a second of the first count as one. A later one ends this
//! process at once.

mod arrivals;
mod children;
mod handlers;
mod interrupted;
mod listen;
mod processes;
mod token;

pub use interrupted::{Interrupted, signal_name};
pub use processes::{end_group, is_alive, stop_group};
pub use token::{ExitNote, Signals};
