//! What several subcommands of `snapshot` print.

use crate::app::App;
use crate::library::{Broken, Stored, Tag};
use crate::report::Arrived;
use crate::smolvm::Name;
use crate::terminal::Warnings;

/// What is printed if there is no snapshot, or none of that VM.
pub fn no_snapshots(vm: Option<&Name>) -> String {
    let of = vm.map(|vm| format!(" of {vm}")).unwrap_or_default();
    format!("no snapshots{of}; make one with: bottle-freeze freeze {}", vm.map_or("VM", Name::as_str))
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
