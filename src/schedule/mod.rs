//! Freezes at regular times, run by the scheduler of the user's session: a systemd timer or a launchd agent; elsewhere a line
//! for crontab(5).

mod call;
mod every;
mod launchd;
mod record;
mod scheduler;
mod systemd;

pub use every::Every;
pub use record::{Schedule, Scheduler};
pub use scheduler::{Earlier, enable, ends_with_session, is_enabled, of_session, paths, remove};
