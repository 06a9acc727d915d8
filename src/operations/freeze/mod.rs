//! Freezes VMs: VM → snapshot, and nothing lost whatever happens on the way.
//!
//! A [`Request`] says what the user asks for. [`plan::Plan`] says what that means for one VM: its steps and warnings, or why
//! it is refused. [`plans()`] gives these steps as commands, and [`freeze()`] runs them.

mod ask;
mod bare;
mod context;
mod disks;
mod hooks;
mod image;
mod last;
mod pattern;
mod plan;
mod prepare;
mod publish;
mod request;
mod room;
mod run;
mod source;
mod stopped;
mod take;
mod unchanged;
mod unread;

pub use context::{Context, Frozen, Job};
pub use last::room_to_read;
pub use prepare::{check_known, plans};
pub use request::{Hook, Live, Request, Restart};
pub use run::{freeze, into_library};
