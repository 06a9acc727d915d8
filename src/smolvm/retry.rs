//! Tries again what failed for a transient reason, and has changes of this program take turns.

use super::error::{Reason, Result};
use super::outcome::Outcome;
use crate::signals::Signals;
use crate::{files, home};
use std::fs::{self, File};
use std::time::{Duration, Instant};

/// The first and the longest pause between two tries.
pub const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long a change is tried again that another engine command disturbed.
const RETRY: Duration = Duration::from_secs(20);

/// The pause that follows `pause`.
pub fn longer(pause: Duration) -> Duration {
    pause.saturating_mul(2).min(PAUSES.1)
}

/// Runs `run` again while it fails for a transient reason: three times at least, and for [`RETRY`].
pub fn transient(mut run: impl FnMut() -> Result<Outcome>) -> Result<Outcome> {
    let (started, mut pause, mut tries) = (Instant::now(), PAUSES.0, 1);
    loop {
        match run() {
            Err(error)
                if error.reason() == Reason::Transient
                    && (tries < 3 || started.elapsed().saturating_add(pause) < RETRY) =>
            {
                std::thread::sleep(pause);
                (pause, tries) = (longer(pause), tries + 1);
            }
            result => return result,
        }
    }
}

/// The turn of a change, until it is dropped.
pub struct Turn(#[expect(dead_code, reason = "the lock ends with the file")] File);

/// Waits for this program's other changes to end. Without a turn after `limit`, or where there is no lock, the change
/// runs anyway, and is tried again.
pub fn turn(limit: Duration, signals: &Signals) -> Result<Option<Turn>> {
    let began = Instant::now();
    let open = || {
        let folder = home::cache_folder()?;
        fs::create_dir_all(&folder).ok()?;
        files::open_or_create(&folder.join("engine.lock")).ok()
    };
    let Some(file) = open() else { return Ok(None) };
    loop {
        match files::try_lock(&file, false) {
            Ok(true) => return Ok(Some(Turn(file))),
            Ok(false) if began.elapsed() < limit => {}
            _ => return Ok(None),
        }
        signals.check()?;
        std::thread::sleep(PAUSES.0);
    }
}
