//! What differs between the files in two snapshots. Parts that are in the same chunks are not read.

use super::content::Content;
use super::error::{ContentsError, Side};
use super::layer::{Key, Layer};
use super::tree::{Contents, Item};
use super::walk::Seen;
use crate::ext4::Kind;
use std::collections::HashMap;
use std::iter::Peekable;
use std::vec;

/// The most pieces of files that are compared: where files claim the same parts of a disk, there would be no end, also if
/// nothing is read.
const MOST_WINDOWS: u64 = 64 << 20;
/// Bytes that are compared at once.
const WINDOW: usize = 256 << 10;

/// Files that the engine writes at each start of a VM, mostly with what they had (seen on 1.32.2): their times do not count.
const WRITTEN_BY_START: [&[u8]; 2] = [b"/etc/hosts", b"/etc/resolv.conf"];

/// A file that differs.
#[derive(Debug)]
pub struct Difference<'a> {
    /// Its path in the guest.
    pub path: &'a [u8],
    /// What it was; nothing if it is new.
    pub old: Option<&'a Item>,
    /// What it is; nothing if it is gone.
    pub new: Option<&'a Item>,
    /// What differs, if it is in both.
    pub changes: Changes,
}

/// What differs in a file.
#[allow(clippy::struct_excessive_bools, reason = "any of them may differ")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// It is another kind of file.
    pub kind: bool,
    /// The content of a file, the target of a link, the number of a device.
    pub content: bool,
    /// Its permissions.
    pub mode: bool,
    /// Its owner or group.
    pub owner: bool,
    /// Its extended attributes.
    pub attributes: bool,
}

/// Two snapshots that are compared.
struct Comparison<'a> {
    old: &'a Contents,
    new: &'a Contents,
    /// Where the files are that are compared.
    path: Vec<u8>,
    /// Bytes that may still be read: of files that claim the same parts of a disk again and again, there would be no end.
    left: u64,
    /// Pieces of files that may still be compared.
    windows_left: u64,
    /// Whether files with several names are the same.
    compared: HashMap<[(usize, u32); 2], bool>,
    /// What is read of the two files that are compared.
    windows: [Vec<u8>; 2],
    /// Whether what only the file system notes of a file counts, too.
    is_strict: bool,
}

/// Why a comparison ends early.
enum Ended {
    /// Something differs.
    Different,
    Unread(ContentsError),
}

impl From<ContentsError> for Ended {
    fn from(error: ContentsError) -> Self {
        Self::Unread(error)
    }
}

/// A name in a folder of one of two snapshots, or of both.
type Entry = (Box<[u8]>, Option<Item>, Option<Item>);

impl Contents {
    /// Calls `on_difference` for each file that differs from that in `old`, in order: a folder before its files, names by their
    /// bytes. Times do not count.
    ///
    /// # Errors
    /// Files cannot be read, are damaged, or `on_difference` failed.
    pub fn diff<E: From<ContentsError>>(
        &self,
        old: &Self,
        on_difference: &mut dyn FnMut(&Difference<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.compare(old, false, on_difference)
    }

    /// Whether all files are those in `old`, with their times, numbers of names, and flags. The times of folders and links do not
    /// count. Of a VM that was never started, it is not known.
    ///
    /// # Errors
    /// Files cannot be read, or are damaged.
    pub fn has_same_files(&self, old: &Self) -> Result<bool, ContentsError> {
        let is_more =
            |one: &Self| one.is_of_engine(one.root()) || one.read_layers().flatten().any(Layer::is_more_than_files);
        if is_more(self) || is_more(old) {
            return Ok(false);
        }
        match self.compare(old, true, &mut |_| Err(Ended::Different)) {
            Ok(()) => Ok(true),
            Err(Ended::Different) => Ok(false),
            Err(Ended::Unread(error)) => Err(error),
        }
    }

    fn compare<E: From<ContentsError>>(
        &self,
        old: &Self,
        is_strict: bool,
        on_difference: &mut dyn FnMut(&Difference<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let left = old.data().saturating_add(self.data()).saturating_mul(2).max(1 << 30);
        let (compared, windows) = (HashMap::new(), [(); 2].map(|()| vec![0; WINDOW]));
        let windows_left = MOST_WINDOWS;
        let mut comparison =
            Comparison { old, new: self, path: Vec::new(), left, windows_left, compared, windows, is_strict };
        let roots = (Some(old.root()), Some(self.root()));
        if is_strict {
            let changes = comparison.compare(old.root(), self.root())?;
            if changes != Changes::default() || comparison.is_noted_otherwise(roots.0, roots.1) {
                on_difference(&Difference { path: b"/", old: roots.0, new: roots.1, changes })?;
            }
        }
        let mut seen = [Seen::default(), Seen::default()];
        let (first, bytes) = comparison.pairs(roots.0, roots.1, &mut seen)?;
        let mut stack = vec![(0, bytes, first.into_iter())];
        while let Some((length, bytes, rest)) = stack.last_mut() {
            comparison.path.truncate(*length);
            let Some((name, old, new)) = rest.next() else {
                seen.iter_mut().zip(*bytes).for_each(|(seen, bytes)| seen.close(bytes));
                stack.pop();
                continue;
            };
            self.check()?;
            comparison.path.push(b'/');
            comparison.path.extend(&*name);
            let changes = match (&old, &new) {
                (Some(old), Some(new)) => comparison.compare(old, new)?,
                _ => Changes::default(),
            };
            let is_noted_otherwise = comparison.is_noted_otherwise(old.as_ref(), new.as_ref());
            if old.is_none() || new.is_none() || changes != Changes::default() || is_noted_otherwise {
                on_difference(&Difference { path: &comparison.path, old: old.as_ref(), new: new.as_ref(), changes })?;
            }
            let folder = |item: &Option<Item>| item.clone().filter(|item| item.kind() == Kind::Folder);
            let (old, new) = (folder(&old), folder(&new));
            if old.is_some() || new.is_some() {
                let (files, bytes) = comparison.pairs(old.as_ref(), new.as_ref(), &mut seen)?;
                stack.push((comparison.path.len(), bytes, files.into_iter()));
            }
        }
        Ok(())
    }
}

impl Comparison<'_> {
    /// The names in two folders, each once, in order, and the bytes that those of each take in memory.
    fn pairs(
        &self,
        old: Option<&Item>,
        new: Option<&Item>,
        [seen_old, seen_new]: &mut [Seen; 2],
    ) -> Result<(Vec<Entry>, [usize; 2]), ContentsError> {
        let list = |contents: &Contents, folder: Option<&Item>, seen: &mut Seen, side| match folder {
            Some(folder) => contents.open(&self.path, folder, seen).map_err(self.on(side)),
            None => Ok((Vec::new(), 0)),
        };
        let (old, old_bytes) = list(self.old, old, seen_old, Side::Old)?;
        let (new, new_bytes) = list(self.new, new, seen_new, Side::New)?;
        Ok((merged(old.into_iter().peekable(), new.into_iter().peekable()), [old_bytes, new_bytes]))
    }

    /// An error of the file at hand, on that side.
    fn on(&self, side: impl Into<Option<Side>>) -> impl FnOnce(ContentsError) -> ContentsError {
        let side = side.into();
        move |error| error.on_side(&self.path, side)
    }

    /// Whether something differs that only the file system notes: the time of a file, how many names it has, its flags.
    fn is_noted_otherwise(&self, old: Option<&Item>, new: Option<&Item>) -> bool {
        let is_written_by_start = WRITTEN_BY_START.contains(&&*self.path);
        let notes = |contents: &Contents, item: &Item| {
            let (is_file, known) = (item.kind() == Kind::File, &item.metadata);
            let flags = match contents.first_of(item) {
                Ok((_, _, Key::Inode(inode))) => inode.user_flags(),
                _ => 0,
            };
            (is_file.then_some(known.links), (is_file && !is_written_by_start).then_some(known.modified), flags)
        };
        self.is_strict && old.map(|old| notes(self.old, old)) != new.map(|new| notes(self.new, new))
    }

    fn compare(&mut self, old: &Item, new: &Item) -> Result<Changes, ContentsError> {
        let (one, two) = (&old.metadata, &new.metadata);
        let mut changes = Changes {
            kind: one.kind != two.kind,
            mode: one.mode != two.mode,
            owner: (one.uid, one.gid) != (two.uid, two.gid),
            ..Changes::default()
        };
        if !Contents::is_same_inode(old, new) {
            changes.attributes = self.old.attributes(old).map_err(self.on(Side::Old))?
                != self.new.attributes(new).map_err(self.on(Side::New))?;
        }
        changes.content = match (one.kind, two.kind) {
            (Kind::File, Kind::File) => one.size != two.size || !self.is_same_content(old, new)?,
            (Kind::Link, Kind::Link) => {
                self.old.link(old).map_err(self.on(Side::Old))? != self.new.link(new).map_err(self.on(Side::New))?
            }
            _ => one.device != two.device,
        };
        Ok(changes)
    }

    fn is_same_content(&mut self, old: &Item, new: &Item) -> Result<bool, ContentsError> {
        let pair = old.identities().next().zip(new.identities().next()).map(|(old, new)| [old, new]);
        let pair = pair.filter(|_| old.metadata.links > 1 && new.metadata.links > 1);
        if let Some(is_same) = pair.and_then(|pair| self.compared.get(&pair)) {
            return Ok(*is_same);
        }
        let (old, new) = (self.old.content(old), self.new.content(new));
        let (old, new) = (old.map_err(self.on(Side::Old))?, new.map_err(self.on(Side::New))?);
        let is_same = self.is_read_same(&old, &new)?;
        self.compared.extend(pair.map(|pair| (pair, is_same)));
        Ok(is_same)
    }

    fn is_read_same(&mut self, old: &Content<'_>, new: &Content<'_>) -> Result<bool, ContentsError> {
        if old.is_known_same(new).map_err(self.on(None))? {
            return Ok(true);
        }
        let mut ends = 0;
        for (at, end) in places(old, new) {
            // What both have is listed twice.
            let mut at = at.max(ends);
            ends = end.max(ends);
            while at < end {
                let (bytes, is_same) = self.is_next_same(old, new, at, end.saturating_sub(at))?;
                if !is_same {
                    return Ok(false);
                }
                at = at.saturating_add(bytes);
            }
        }
        Ok(true)
    }

    /// The same of the first of so many bytes at this place, and of how many.
    fn is_next_same(
        &mut self,
        old: &Content<'_>,
        new: &Content<'_>,
        at: u64,
        bytes: u64,
    ) -> Result<(u64, bool), ContentsError> {
        self.new.check()?;
        let endless = || ContentsError::damaged("a file system in it", "has files with more data than itself");
        self.windows_left = self.windows_left.checked_sub(1).ok_or_else(endless).map_err(self.on(None))?;
        let (are_zeros, count) = old.next_zeros(at, bytes, WINDOW as u64).map_err(self.on(Side::Old))?;
        if are_zeros {
            let (are_zeros, other) = new.next_zeros(at, count, WINDOW as u64).map_err(self.on(Side::New))?;
            if are_zeros {
                return Ok((other, true));
            }
        }
        let bytes = bytes.min(WINDOW as u64);
        if old.is_known_same_at(new, at, bytes).map_err(self.on(None))? {
            return Ok((bytes, true));
        }
        self.left = self.left.checked_sub(bytes).ok_or_else(endless).map_err(self.on(None))?;
        Ok((bytes, self.is_read_same_at(old, new, at, bytes)?))
    }

    /// The same of so many bytes at this place, at most a window.
    fn is_read_same_at(
        &mut self,
        old: &Content<'_>,
        new: &Content<'_>,
        at: u64,
        bytes: u64,
    ) -> Result<bool, ContentsError> {
        let Self { windows: [one, two], path, .. } = self;
        let count = usize::try_from(bytes).unwrap_or(WINDOW);
        let [one, two] = [one, two].map(|window| window.get_mut(..count).unwrap_or_default());
        old.read_at(at, one).map_err(|error| error.on_side(path, Some(Side::Old)))?;
        new.read_at(at, two).map_err(|error| error.on_side(path, Some(Side::New)))?;
        Ok(one == two)
    }
}

/// Where one of two files has data, in order.
fn places(old: &Content<'_>, new: &Content<'_>) -> Vec<(u64, u64)> {
    let all = old.extents.iter().chain(&new.extents);
    let mut all: Vec<_> = all.map(|extent| (extent.at, extent.at.saturating_add(extent.bytes))).collect();
    all.sort_unstable();
    all
}

type Sorted = Peekable<vec::IntoIter<(Box<[u8]>, Item)>>;

fn merged(mut old: Sorted, mut new: Sorted) -> Vec<Entry> {
    let mut all = Vec::new();
    loop {
        let is_old = match (old.peek(), new.peek()) {
            (None, None) => return all,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some((one, _)), Some((two, _))) => one <= two,
        };
        if !is_old {
            all.extend(new.next().map(|(name, item)| (name, None, Some(item))));
            continue;
        }
        if let Some((name, item)) = old.next() {
            let same = new.next_if(|(other, _)| *other == name).map(|(_, item)| item);
            all.push((name, Some(item), same));
        }
    }
}
