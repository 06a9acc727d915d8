//! `snapshot files`: list the files in a snapshot.

use crate::app::App;
use crate::commands::snapshot::print::Ended;
use crate::completion::Offer;
use crate::contents::{Contents, ContentsError, Item};
use crate::error::{Failure, Result};
use crate::ext4::Kind;
use crate::library::store::Kept;
use crate::operations::{contents, resolve};
use crate::report::{ListedFile, time};
use crate::terminal::Printer;
use jiff::tz::TimeZone;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// List the files in a snapshot
///
/// Paths are those that the guest sees. No engine is needed, and no VM is started. A snapshot that is not in chunks, like a
/// file, is decompressed first.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  bottle-freeze snapshot files dev /root -l\n  \
    bottle-freeze snapshot files dev@ready -r | grep '\\.env$'")]
pub struct Args {
    /// Snapshot: VM (its newest), VM@TAG, VM@ID or FILE
    #[arg(add = Offer::AnySnapshots)]
    pub snapshot: OsString,
    /// Folder or file in it
    #[arg(default_value = "/", add = Offer::GuestPaths)]
    pub path: OsString,
    /// Also print mode, owner, size, time and the target of a link
    #[arg(short, long)]
    pub long: bool,
    /// Also list the files in folders
    #[arg(short, long)]
    pub recursive: bool,
}

pub fn run(app: &App, args: &Args) -> Result<()> {
    let source = resolve::find(app, &args.snapshot).map_err(|failure| meant(args, failure))?;
    let name = source.name();
    let opened = contents::open(app, source, &Kept::default()).map_err(|failure| meant(args, failure))?;
    // As `ls -l` does: a link with a slash after it is the folder that it leads to.
    let follows = !args.long || args.path.as_bytes().ends_with(b"/");
    let (path, item) = opened.find(args.path.as_bytes(), follows)?;
    let failed = |error| contents::failure(&name, error);
    let (contents, json) = (&opened.contents, app.terminal.json);
    let mut list = List { contents, is_long: args.long, json, printer: None };
    if json {
        // All of it is read before any is printed: what a program gets is whole, however long it is.
        if let Err(Ended::Contents(error)) = list.print(&path, &item, args.recursive) {
            return Err(failed(error));
        }
    }
    list.printer = Some(app.terminal.printer());
    let (printed, result) = match list.print(&path, &item, args.recursive) {
        // What was found before is printed.
        Err(Ended::Contents(error)) => (Err(io::ErrorKind::BrokenPipe.into()), Err(failed(error))),
        Err(Ended::Unprinted(error)) => (Err(error), Ok(())),
        Ok(()) => (Ok(()), Ok(())),
    };
    if let Some(printer) = list.printer {
        printer.finish(printed);
    }
    result
}

/// The failure, with the hint that the path is a word of its own, if it was written as `cat` and `cp` have it.
fn meant(args: &Args, failure: Failure) -> Failure {
    match contents::split(&args.snapshot).filter(|_| !Path::new(&args.snapshot).exists()) {
        Some((name, path)) => failure.hint(contents::list_with(&name.to_string_lossy(), &path.to_string_lossy())),
        None => failure,
    }
}

/// Prints files.
struct List<'a> {
    contents: &'a Contents,
    is_long: bool,
    json: bool,
    /// Nothing: the files are only read.
    printer: Option<Printer<'a>>,
}

impl List<'_> {
    fn print(&mut self, path: &[u8], item: &Item, is_recursive: bool) -> std::result::Result<(), Ended> {
        let contents = self.contents;
        if item.kind() != Kind::Folder {
            return self.add(path, item);
        }
        if is_recursive {
            return contents.walk(path, item, &mut |path, item| self.add(path, item));
        }
        let folder = path.strip_suffix(b"/").unwrap_or(path);
        let files = contents.entries(item).map_err(|error| error.of_file(path))?;
        files.iter().try_for_each(|(name, item)| self.add(&[folder, b"/", name].concat(), item))
    }

    fn add(&mut self, path: &[u8], item: &Item) -> std::result::Result<(), Ended> {
        let failed = |error: ContentsError| error.of_file(path);
        let file = self.json.then(|| ListedFile::new(self.contents, path, item)).transpose().map_err(failed)?;
        let line = (self.is_long && !self.json).then(|| self.long(path, item)).transpose().map_err(failed)?;
        let Some(printer) = &mut self.printer else { return Ok(()) };
        let done = match &file {
            Some(file) => printer.element(file),
            None => printer.line(line.as_deref().unwrap_or(path)),
        };
        done.map_err(Ended::Unprinted)
    }

    /// The line of `ls -l`, without names of users, which only the guest knows.
    fn long(&self, path: &[u8], item: &Item) -> std::result::Result<Vec<u8>, ContentsError> {
        let file = &item.metadata;
        let time =
            time(file.modified).map(|time| time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string());
        let size = match file.kind {
            Kind::CharacterDevice | Kind::BlockDevice => format!("{}, {}", file.device.0, file.device.1),
            _ => file.size.to_string(),
        };
        let (uid, gid, time) = (file.uid, file.gid, time.unwrap_or_else(|| "-".to_owned()));
        let mut line =
            format!("{} {uid:>5} {gid:>5} {size:>11} {time:>16} ", permissions(file.kind, file.mode)).into_bytes();
        line.extend(path);
        if file.kind == Kind::Link {
            line.extend(b" -> ");
            line.extend(self.contents.link(item)?);
        }
        Ok(line)
    }
}

/// Kind and permissions: `-rw-r--r--`.
fn permissions(kind: Kind, mode: u32) -> String {
    let mut text = String::with_capacity(10);
    text.push(match kind {
        Kind::File => '-',
        Kind::Folder => 'd',
        Kind::Link => 'l',
        Kind::CharacterDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    });
    for (shift, special, letters) in [(6, 0o4000, ('s', 'S')), (3, 0o2000, ('s', 'S')), (0, 0o1000, ('t', 'T'))] {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        let (can, cannot) = if mode & special == 0 { ('x', '-') } else { letters };
        text.push(if bits & 1 == 0 { cannot } else { can });
    }
    text
}
