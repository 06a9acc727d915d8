//! What several subcommands of `snapshot` print.

use crate::app::App;
use crate::contents::ContentsError;
use crate::error::{Failure, Result};
use crate::library::{Broken, Stored, Tag};
use crate::operations::resolve;
use crate::report::Arrived;
use crate::smolvm::Name;
use crate::terminal::Warnings;
use std::io;

/// What is printed if there is no snapshot, or none of that VM.
pub fn no_snapshots(vm: Option<&Name>) -> String {
    let of = vm.map(|vm| format!(" of {vm}")).unwrap_or_default();
    format!("no snapshots{of}; make one with: bottle-freeze freeze {}", vm.map_or("VM", Name::as_str))
}

/// What is printed if there are snapshots, or some of that VM, but none with what was asked for.
pub fn none_with(vm: Option<&Name>, what: &[String]) -> String {
    let of = vm.map(|vm| format!(" of {vm}")).unwrap_or_default();
    format!("no snapshot{of} has {}", what.join(" and "))
}

/// A label, as [`none_with`] names it.
pub fn label_name((key, value): &(String, String)) -> String {
    format!("the label {key}={value}")
}

/// Fails if there is no such VM either: the name of one that has no snapshot may be a typo.
pub fn must_exist(app: &App, vm: &Name) -> Result<()> {
    // Without an engine there are only snapshots to be found.
    let machines = app.engine().and_then(|engine| Ok(engine.machine_ls()?)).unwrap_or_default();
    if machines.iter().any(|machine| machine.name == vm.as_str()) {
        return Ok(());
    }
    resolve::stored(vm.as_str()).map(drop).map_err(|failure| {
        let hint = failure.hint.clone();
        let failure = Failure::new(failure.status, format!("there is no snapshot of '{vm}', and no VM of that name"));
        hint.into_iter().fold(failure, Failure::hint)
    })
}

/// Warns about each damaged folder of the library. Returns what `entry` makes of each and its warnings, for JSON.
pub fn warn_about<T>(app: &App, broken: Vec<Broken>, entry: impl Fn(Broken, Vec<String>) -> T) -> Vec<T> {
    let each = |one: Broken| {
        let warnings = Warnings::new(&app.terminal);
        warnings.warn(one.to_string());
        entry(one, warnings.list())
    };
    broken.into_iter().map(each).collect()
}

/// A snapshot in a question about its removal: with its tags and its age.
pub fn described(one: &Stored) -> String {
    let age = format!("{} old", one.metadata.age());
    let tags = one.metadata.tags.iter().map(|tag| tag.as_str().to_owned());
    format!("{} ({})", one.reference(), tags.chain([age]).collect::<Vec<_>>().join(", "))
}

/// Tags, as people read them.
pub fn list_tags(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(",")
}

/// Prints that a snapshot from elsewhere is in the library now; `done` is what was done to get it there.
/// `earlier` are snapshots that came with it.
pub fn arrived(app: &App, done: &str, one: &Stored, earlier: Vec<String>, from: String, warnings: &Warnings) {
    let reference = one.reference();
    let others = if earlier.is_empty() { String::new() } else { format!(", and before it {}", earlier.join(", ")) };
    let text = format!("{done} {reference}{others}; thaw it with: bottle-freeze thaw {reference}");
    app.terminal.result(&reference, &text);
    let (snapshot, warnings) = (one.metadata.clone(), warnings.list());
    app.terminal.report(&Arrived { reference, from, snapshot, earlier, warnings });
}

/// Why what is in a snapshot is printed only in part.
pub enum Ended {
    /// It cannot be read.
    Contents(ContentsError),
    /// It cannot be printed.
    Unprinted(io::Error),
}

impl From<ContentsError> for Ended {
    fn from(error: ContentsError) -> Self {
        Self::Contents(error)
    }
}
