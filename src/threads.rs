//! Threads, where the system gives one. A user's limit (`ulimit -u`), or that of a container, may leave none: then the
//! work is done without, and nothing panics. (clippy.toml forbids the calls that would.)

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread.
///
/// # Errors
/// There is none to be had: the caller does the work itself, or does without.
pub fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    Builder::new().spawn(work)
}

/// Does `work` in this thread and in as many `others` as there are to be had, and waits for all.
pub fn side_by_side(others: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        let started = |_: usize| Builder::new().spawn_scoped(scope, &work).is_ok();
        // Where the system gives no more of them, those that are there do it all.
        let _all = (0..others).all(started);
        work();
    });
}
