//! Threads that may not start: a limit of the user (`ulimit -u`) or of a container may leave none. Then the work is done
//! without, and nothing panics. (clippy.toml forbids the calls that panic.)

use std::io;
use std::thread::{Builder, JoinHandle};

/// The number of cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts a thread.
///
/// # Errors
/// It does not start: the caller does the work itself, or does without.
pub fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    Builder::new().spawn(work)
}

/// Does `work` in this thread and in up to `others` more, and waits for all.
pub fn side_by_side(others: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        let started = |_: usize| Builder::new().spawn_scoped(scope, &work).is_ok();
        // If no more of them start, those that did do all the work.
        let _all = (0..others).all(started);
        work();
    });
}

/// Does `work` in up to `count` more threads, and `lead` in this one, which gets the number of threads that started. Waits
/// for all.
pub fn beside<T>(count: usize, work: impl Fn() + Sync, lead: impl FnOnce(usize) -> T) -> T {
    std::thread::scope(|scope| {
        let started = |_: &usize| Builder::new().spawn_scoped(scope, &work).is_ok();
        lead((0..count).take_while(started).count())
    })
}
