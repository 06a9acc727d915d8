//! `snapshot diff`: what differs between the files in two snapshots.

use crate::app::App;
use crate::commands::snapshot::print::Ended;
use crate::completion::Offer;
use crate::contents::{Changes, Contents, ContentsError, Difference, Item};
use crate::error::{Failure, Result, Status};
use crate::ext4::Kind;
use crate::library::catalog;
use crate::library::store::Kept;
use crate::operations::resolve::{self, SnapshotSource};
use crate::operations::{contents, packed};
use crate::report::{Compared, DifferentFile, Totals};
use crate::terminal::Printer;
use similar::TextDiff;
use std::ffi::OsString;
use std::time::Duration;

/// The largest file whose lines are compared.
const LARGEST: u64 = 1 << 20;

/// The most bytes of lines that are compared in all.
const LINES: u64 = 256 << 20;
/// How long the shortest list of lines is looked for.
const PATIENCE: Duration = Duration::from_millis(500);

/// List the files that differ between two snapshots
///
/// A line begins with + for a new file, - for one that is gone, and M for one that was changed. With one snapshot, it is
/// compared with its parent; if that is not in the library, the newest snapshot of the VM is compared with it. Times do not
/// count. No engine is needed, and parts that both snapshots share are not read. The exit status is 0 also if files differ.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot diff dev\n  \
    bottle-freeze snapshot diff dev@ready dev --patch")]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG, VM@ID or FILE
    #[arg(add = Offer::AnySnapshots)]
    pub snapshot: OsString,
    /// Later snapshot, to compare with it
    #[arg(add = Offer::AnySnapshots)]
    pub later: Option<OsString>,
    /// Print only how many files differ
    #[arg(long, conflicts_with = "patch")]
    pub stat: bool,
    /// Also print the lines that differ, in text files of up to 1 MiB
    #[arg(short, long)]
    pub patch: bool,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let (old, new, about) = sources(app, args)?;
    let (old_name, new_name) = (old.name(), new.name());
    let kept = Kept::default();
    let (old, new) = (contents::open(app, old, &kept)?, contents::open(app, new, &kept)?);
    let names = format!("{old_name} or {new_name}");
    let mut diff = Diff {
        old: &old.contents,
        new: &new.contents,
        args,
        totals: Totals::default(),
        lines: LINES,
        files: Vec::new(),
        printer: None,
    };
    if !app.terminal.json {
        app.terminal.note(&format!("{old_name} -> {new_name}{about}"));
        diff.printer = Some(app.terminal.printer());
    }
    let compared = new.contents.diff(&old.contents, &mut |difference| diff.add(difference));
    let printed = match compared {
        Err(Ended::Contents(error)) => return Err(contents::failure(&names, error)),
        Err(Ended::Unprinted(error)) => Err(error),
        Ok(()) => Ok(()),
    };
    if let Some(printer) = diff.printer.take() {
        printer.finish(printed);
    }
    let Diff { totals, files, .. } = diff;
    app.terminal.note(&sums(&totals));
    app.terminal.report(&Compared { old: old_name, new: new_name, totals, files });
    Ok(())
}

/// The earlier snapshot, the later one, and how that was chosen.
fn sources(app: &App, args: &Args) -> Result<(SnapshotSource, SnapshotSource, &'static str)> {
    let one = resolve::find(app, &args.snapshot)?;
    if let Some(later) = &args.later {
        return Ok((one, resolve::find(app, later)?, ""));
    }
    let Some(stored) = one.stored().cloned() else {
        let what = format!("{} is a file, and its parent is unknown", one.name());
        return Err(Failure::new(Status::Usage, what).hint("name two snapshots"));
    };
    let parent = stored.metadata.parent.as_deref().map(catalog::find).and_then(std::result::Result::ok);
    if let Some(parent) = parent {
        return Ok((SnapshotSource::of_library(app, &parent.reference())?, one, " (from its parent)"));
    }
    let newest = resolve::readable(&stored.metadata.vm)?;
    if newest.reference() == stored.reference() {
        let what = format!("{} is the newest snapshot of its VM, and has no parent in the library", one.name());
        return Err(
            Failure::new(Status::Usage, what).hint("name two snapshots: `bottle-freeze snapshot ls` lists them")
        );
    }
    Ok((one, SnapshotSource::of_library(app, &newest.reference())?, " (to the newest)"))
}

/// Prints differences.
struct Diff<'a> {
    old: &'a Contents,
    new: &'a Contents,
    args: &'a Args,
    totals: Totals,
    /// Bytes of lines that may still be compared.
    lines: u64,
    /// For programs.
    files: Vec<DifferentFile>,
    /// For people.
    printer: Option<Printer<'a>>,
}

impl Diff<'_> {
    fn add(&mut self, difference: &Difference<'_>) -> std::result::Result<(), Ended> {
        self.totals.add(difference);
        if self.args.stat {
            return Ok(());
        }
        let patch = if self.args.patch { self.patch(difference)? } else { None };
        let Some(printer) = &mut self.printer else {
            self.files.push(DifferentFile::new(difference, patch));
            return Ok(());
        };
        let mut line = match (difference.old, difference.new) {
            (None, _) => b"+  ".to_vec(),
            (_, None) => b"-  ".to_vec(),
            _ => b"M  ".to_vec(),
        };
        line.extend(difference.path);
        line.extend(details(difference).into_bytes());
        printer.line(&line).map_err(Ended::Unprinted)?;
        let mut lines = patch.iter().flat_map(|patch| patch.lines());
        lines.try_for_each(|line| printer.line(line.as_bytes())).map_err(Ended::Unprinted)
    }

    /// The lines that differ, if it is text.
    fn patch(&mut self, difference: &Difference<'_>) -> std::result::Result<Option<String>, ContentsError> {
        if difference.old.is_some() && difference.new.is_some() && !difference.changes.content {
            return Ok(None);
        }
        let bytes = |item: Option<&Item>| item.map_or(0, |item| item.metadata.size);
        let both = bytes(difference.old).saturating_add(bytes(difference.new));
        let Some(left) = self.lines.checked_sub(both) else { return Ok(None) };
        let (old, new) = (text(self.old, difference.old)?, text(self.new, difference.new)?);
        let (Some(old), Some(new)) = (old, new) else { return Ok(None) };
        self.lines = left;
        let path = String::from_utf8_lossy(difference.path);
        let name = |side: &str, is_there: bool| if is_there { format!("{side}{path}") } else { "/dev/null".to_owned() };
        let (from, to) = (name("a", difference.old.is_some()), name("b", difference.new.is_some()));
        Ok(Some(
            TextDiff::configure()
                .timeout(PATIENCE)
                .diff_lines(&old, &new)
                .unified_diff()
                .header(&from, &to)
                .to_string(),
        ))
    }
}

/// The text of a file; empty if there is none. Nothing if it is no text, or too large.
fn text(contents: &Contents, item: Option<&Item>) -> std::result::Result<Option<String>, ContentsError> {
    let Some(item) = item else { return Ok(Some(String::new())) };
    let size = item.metadata.size;
    if item.kind() != Kind::File || size > LARGEST {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    contents.content(item)?.read_at(0, &mut bytes)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

/// What differs besides the content, for people.
fn details(Difference { old, new, changes, .. }: &Difference<'_>) -> String {
    let (Some(old), Some(new)) = (old, new) else { return String::new() };
    let (old, new, mut all) = (&old.metadata, &new.metadata, Vec::new());
    let Changes { kind, content, mode, owner, attributes } = changes;
    if *kind {
        all.push("another kind of file".to_owned());
    }
    if *mode {
        all.push(format!("mode {:04o} -> {:04o}", old.mode, new.mode));
    }
    if *owner {
        all.push(format!("owner {}:{} -> {}:{}", old.uid, old.gid, new.uid, new.gid));
    }
    if *attributes {
        all.push("attributes".to_owned());
    }
    if *content && !all.is_empty() {
        all.insert(0, "content".to_owned());
    }
    if all.is_empty() { String::new() } else { format!("  ({})", all.join(", ")) }
}

/// The sums, for people.
fn sums(totals: &Totals) -> String {
    let size = |bytes| packed::size(bytes).to_string();
    format!(
        "{} new ({}), {} gone ({}), {} changed",
        totals.added,
        size(totals.added_bytes),
        totals.removed,
        size(totals.removed_bytes),
        totals.changed
    )
}
