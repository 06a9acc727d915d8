//! The terminal: results on stdout; questions, progress, warnings and errors on stderr, for people or for programs.
//! Text from outside reaches a terminal only escaped. Knows neither the engine nor snapshots.

mod events;
mod handle;
mod keyboard;
mod progress;
mod prompt;
mod results;
mod screen;
mod spinners;
mod text;
mod warnings;

pub use dialoguer::console::Color;
pub use events::{About, Error, ErrorLine, Event};
pub use handle::{Format, Phases, Terminal};
pub use progress::Progress;
pub use prompt::Unconfirmed;
pub use results::Printer;
pub use screen::{columns, is_utf8, painted};
pub use text::{one_line, printable, wrapped};
pub use warnings::Warnings;
