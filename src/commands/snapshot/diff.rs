//! `snapshot diff`: what differs between the files in two snapshots.

use crate::app::App;
use crate::commands::snapshot::patch::{Lines, Patches, on_one_line};
use crate::commands::snapshot::print::Ended;
use crate::completion::Offer;
use crate::contents::{Changes, Contents, ContentsError, Difference, Side};
use crate::error::{Failure, Result, Status};
use crate::ext4::Kind;
use crate::library::catalog;
use crate::library::store::Kept;
use crate::operations::resolve::{self, SnapshotSource};
use crate::operations::{contents, packed};
use crate::quoted::quoted;
use crate::report::{Compared, DifferentFile, FileChange, FileState, NoPatch, Totals};
use crate::terminal::Printer;
use std::ffi::OsString;
use std::io;

/// The most bytes of the list for programs, so that it fits into memory.
const MEMORY: usize = 768 << 20;

/// List the files that differ between two snapshots
///
/// A line begins with + for a new file, - for one that is gone, and M for one that was changed. With one snapshot, it is
/// compared with its parent; if that is not in the library, the newest snapshot of the VM is compared with it. With --image, it
/// is compared with the image that its VM was made from, if the freeze read the disk itself; a bare VM, with the small system
/// that the engine brings. Times do not count. No engine is needed, and parts that both snapshots share are not read. The exit
/// status is 0 also if files differ.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot diff dev\n  \
    bottle-freeze snapshot diff dev@ready dev --patch\n  bottle-freeze snapshot diff dev --image --stat")]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG, VM@ID or FILE
    #[arg(add = Offer::AnySnapshots)]
    pub snapshot: OsString,
    /// Later snapshot, to compare with it
    #[arg(add = Offer::AnySnapshots)]
    pub later: Option<OsString>,
    /// Compare with the image that the VM was made from: what was changed since
    #[arg(long, conflicts_with = "later")]
    pub image: bool,
    /// Print only how many files differ
    #[arg(long, conflicts_with = "patch")]
    pub stat: bool,
    /// Also print the lines that differ, in text files of up to 1 MiB
    #[arg(short, long)]
    pub patch: bool,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let (old, new, about) = sources(app, args)?;
    let (mut old_name, new_name) = (old.name(), new.name());
    let (kept, mut open) = (Kept::default(), contents::open as Open);
    if args.image {
        (old_name, open) = (format!("the image of {old_name}"), contents::open_image);
    }
    let (old, new) = (open(app, old, &kept)?, contents::open(app, new, &kept)?);
    let mut diff = Diff {
        old: &old.contents,
        new: &new.contents,
        args,
        totals: Totals::default(),
        patches: Patches::default(),
        files: Vec::new(),
        left: MEMORY,
        printer: None,
    };
    if !app.terminal.json {
        app.terminal.note(&format!("{old_name} -> {new_name}{about}"));
        diff.printer = Some(app.terminal.printer());
    }
    let compared = new.contents.diff(&old.contents, &mut |difference| diff.add(difference));
    let printed = match compared {
        Err(Ended::Contents(error)) => {
            let name = match &error {
                ContentsError::File { side: Some(Side::Old), .. } => old_name,
                ContentsError::File { side: Some(Side::New), .. } => new_name,
                _ => format!("{old_name} or {new_name}"),
            };
            return Err(contents::failure(&name, error));
        }
        Err(Ended::Unprinted(_)) if app.terminal.json => return Err(too_long(&old_name, &new_name)),
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

fn too_long(old: &str, new: &str) -> Failure {
    let what =
        format!("too many files differ between {old} and {new}: their list as JSON is over {} MiB", MEMORY >> 20);
    let hint = "leave out --patch, or count them with --stat; without --json, each is printed as it is found";
    Failure::new(Status::Failed, what).hint(hint)
}

/// How the files of the earlier one are opened.
type Open = fn(&App, SnapshotSource, &Kept) -> Result<contents::Opened>;

/// The earlier snapshot, the later one, and how that was chosen.
fn sources(app: &App, args: &Args) -> Result<(SnapshotSource, SnapshotSource, &'static str)> {
    let one = resolve::find(app, &args.snapshot)?;
    if let Some(later) = &args.later {
        return Ok((one, resolve::find(app, later)?, ""));
    }
    if args.image {
        let same = one.stored().map_or_else(|| args.snapshot.clone(), |stored| stored.reference().into());
        return Ok((resolve::find(app, &same)?, one, ""));
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
    patches: Patches,
    /// For programs.
    files: Vec<DifferentFile>,
    /// Bytes that these may still take in memory.
    left: usize,
    /// For people.
    printer: Option<Printer<'a>>,
}

impl Diff<'_> {
    fn add(&mut self, difference: &Difference<'_>) -> std::result::Result<(), Ended> {
        self.totals.add(difference);
        if self.args.stat {
            return Ok(());
        }
        let lines = if self.args.patch { self.patches.of(self.old, self.new, difference)? } else { Lines::Same };
        let lines = match lines {
            Lines::Same => (None, None),
            Lines::Patch(patch) => (Some(patch), None),
            Lines::Unknown(why) => (None, Some(why)),
        };
        let file = DifferentFile::new(difference, [self.old, self.new], lines)?;
        let Some(printer) = &mut self.printer else {
            let left = self.left.checked_sub(file.memory());
            self.left = left.ok_or_else(|| Ended::Unprinted(io::ErrorKind::OutOfMemory.into()))?;
            self.files.push(file);
            return Ok(());
        };
        // No line of a file can pass for it: those begin with a space, +, - or a backslash.
        let mut line = if self.args.patch { b"diff ".to_vec() } else { Vec::new() };
        line.extend(match file.change {
            FileChange::Added => b"+  ",
            FileChange::Removed => b"-  ",
            FileChange::Changed => b"M  ",
        });
        line.extend(on_one_line(difference.path).as_bytes());
        line.extend(details(difference, &file).into_bytes());
        printer.line(&line).map_err(Ended::Unprinted)?;
        let lines = file.patch.iter().flat_map(|patch| patch.strip_suffix('\n').unwrap_or(patch).split('\n'));
        lines.into_iter().try_for_each(|line| printer.text(line)).map_err(Ended::Unprinted)
    }
}

/// What differs besides the content, for people; and why the lines of that are not known.
fn details(difference: &Difference<'_>, file: &DifferentFile) -> String {
    let mut all = match (&file.old, &file.new) {
        (Some(old), Some(new)) => changed(difference.changes, old, new),
        (None, Some(new)) => {
            // Whoever runs it becomes another user.
            let is_other =
                difference.new.is_some_and(|new| new.kind() == Kind::File && new.metadata.mode & 0o6000 != 0);
            let mode = is_other.then(|| format!("mode {}", new.mode));
            new.target.iter().map(|target| format!("target {}", quoted(target))).chain(mode).collect()
        }
        _ => Vec::new(),
    };
    if !file.attributes.is_empty() {
        let names: Vec<String> = file.attributes.iter().map(|name| quoted(name)).collect();
        all.push(format!("attributes {}", names.join(" ")));
    }
    all.extend(file.no_patch.map(|why| match why {
        NoPatch::NotText => "not text".to_owned(),
        NoPatch::TooLarge => "over 1 MiB".to_owned(),
        NoPatch::TooMuch => "after 256 MiB of text".to_owned(),
    }));
    if all.is_empty() { String::new() } else { format!("  ({})", all.join(", ")) }
}

/// What differs in a file that is in both, for people.
fn changed(changes: Changes, old: &FileState, new: &FileState) -> Vec<String> {
    let mut all = Vec::new();
    let number = |[major, minor]: [u32; 2]| format!("{major}:{minor}");
    if changes.kind {
        let kind = |state: &FileState| {
            let number = state.device.map(|device| format!(" {}", number(device))).unwrap_or_default();
            format!("{}{number}", kind_name(state.kind))
        };
        all.push(format!("{} -> {}", kind(old), kind(new)));
        all.extend(new.target.iter().map(|target| format!("target {}", quoted(target))));
    } else if let (Some(old), Some(new), true) = (&old.target, &new.target, changes.content) {
        all.push(format!("target {} -> {}", quoted(old), quoted(new)));
    } else if let (Some(old), Some(new), true) = (old.device, new.device, changes.content) {
        all.push(format!("device {} -> {}", number(old), number(new)));
    } else if changes.content && (changes.mode || changes.owner || changes.attributes) {
        all.push("content".to_owned());
    }
    if changes.mode {
        all.push(format!("mode {} -> {}", old.mode, new.mode));
    }
    if changes.owner {
        all.push(format!("owner {}:{} -> {}:{}", old.uid, old.gid, new.uid, new.gid));
    }
    all
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Folder => "folder",
        Kind::Link => "link",
        Kind::CharacterDevice => "character device",
        Kind::BlockDevice => "block device",
        Kind::Fifo => "FIFO",
        Kind::Socket => "socket",
    }
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
