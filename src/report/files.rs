//! What the commands print that look into snapshots.

use crate::contents::{Changes, Contents, ContentsError, Difference, Item, Side};
use crate::ext4::Kind;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A path in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct GuestPath {
    /// The path in the guest; what is not UTF-8 in it is printed as U+FFFD.
    pub path: String,
    /// The bytes of the path in hexadecimal digits, if it is not UTF-8; else missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^([0-9a-f]{2})+$"))]
    pub path_bytes: Option<String>,
}

impl From<&[u8]> for GuestPath {
    fn from(path: &[u8]) -> Self {
        let is_text = std::str::from_utf8(path).is_ok();
        let path_bytes = (!is_text).then(|| base16ct::lower::encode_string(path));
        Self { path: String::from_utf8_lossy(path).into_owned(), path_bytes }
    }
}

/// A file in a snapshot.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListedFile {
    /// Where it is.
    #[serde(flatten)]
    pub path: GuestPath,
    /// What it is.
    #[serde(flatten)]
    pub state: FileState,
    /// When its content was changed, in RFC 3339; null if no calendar has that time.
    pub modified: Option<String>,
    /// How many names it has, in the layer that it is from.
    pub links: u64,
    /// Its extended attributes: the bytes of each value in hexadecimal digits.
    pub attributes: BTreeMap<String, String>,
}

impl ListedFile {
    /// This file, with this path.
    ///
    /// # Errors
    /// The target of a link, or attributes, cannot be read.
    pub fn new(contents: &Contents, path: &[u8], item: &Item) -> Result<Self, ContentsError> {
        let metadata = &item.metadata;
        let attributes = contents.attributes(item)?.into_iter();
        Ok(Self {
            path: path.into(),
            state: FileState::new(contents, item)?,
            modified: time(metadata.modified).map(|time| time.to_string()),
            links: metadata.links,
            attributes: attributes
                .map(|(name, value)| {
                    (String::from_utf8_lossy(&name).into_owned(), base16ct::lower::encode_string(&value))
                })
                .collect(),
        })
    }
}

/// A time in a file system, unless no calendar has it.
pub fn time((seconds, nanoseconds): (i64, u32)) -> Option<Timestamp> {
    Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
}

/// What differs between the files in two snapshots.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Compared {
    /// The earlier snapshot, VM@ID, or a file; with --image `the image of VM@ID`.
    pub old: String,
    /// The later one.
    pub new: String,
    /// How many files differ.
    #[serde(flatten)]
    pub totals: Totals,
    /// They, in order; none with --stat.
    pub files: Vec<DifferentFile>,
}

/// How many files differ.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Totals {
    /// Files that are new.
    pub added: u64,
    /// Bytes of their content.
    pub added_bytes: u64,
    /// Files that are gone.
    pub removed: u64,
    /// Bytes of their content.
    pub removed_bytes: u64,
    /// Files that were changed.
    pub changed: u64,
}

impl Totals {
    /// Counts a file.
    pub fn add(&mut self, difference: &Difference<'_>) {
        let bytes = |item: &Item| if item.kind() == Kind::File { item.metadata.size } else { 0 };
        let (count, sum, item) = match (difference.old, difference.new) {
            (None, Some(new)) => (&mut self.added, &mut self.added_bytes, new),
            (Some(old), None) => (&mut self.removed, &mut self.removed_bytes, old),
            _ => {
                self.changed = self.changed.saturating_add(1);
                return;
            }
        };
        *count = count.saturating_add(1);
        *sum = sum.saturating_add(bytes(item));
    }
}

/// A file that differs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DifferentFile {
    /// Where it is.
    #[serde(flatten)]
    pub path: GuestPath,
    /// Whether it is new, gone, or was changed.
    pub change: FileChange,
    /// What differs, if it was changed; else empty.
    pub differs: Vec<Differs>,
    /// What it was; null if it is new.
    pub old: Option<FileState>,
    /// What it is; null if it is gone.
    pub new: Option<FileState>,
    /// The names of the extended attributes that differ; of a new file, of all that it has.
    pub attributes: Vec<String>,
    /// With --patch: the lines that differ, as a unified diff; missing if they are not known, or if it is another kind of file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// With --patch: why the lines that differ are not known. It is not text, it is over 1 MiB (`too-large`), or 256 MiB of text
    /// were compared before it (`too-much`); else missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_patch: Option<NoPatch>,
}

/// Why the lines of a file that differ are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum NoPatch {
    NotText,
    TooLarge,
    TooMuch,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum FileChange {
    Added,
    Removed,
    Changed,
}

/// What differs in a file.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum Differs {
    Kind,
    Content,
    Mode,
    Owner,
    Attributes,
}

/// A file in one of two snapshots.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileState {
    /// What it is.
    pub kind: Kind,
    /// Permissions in octal digits: `0644`.
    #[schemars(regex(pattern = "^[0-7]{4}$"))]
    pub mode: String,
    /// The number of its owner.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// Bytes of its content.
    pub bytes: u64,
    /// The target of a symbolic link; else null.
    pub target: Option<String>,
    /// Major and minor number of a device; else null.
    pub device: Option<[u32; 2]>,
}

impl FileState {
    fn new(contents: &Contents, item: &Item) -> Result<Self, ContentsError> {
        let file = &item.metadata;
        let (kind, mode) = (file.kind, format!("{:04o}", file.mode));
        let target = if kind == Kind::Link { Some(contents.link(item)?) } else { None };
        let target = target.map(|target| String::from_utf8_lossy(&target).into_owned());
        let device =
            matches!(kind, Kind::CharacterDevice | Kind::BlockDevice).then_some([file.device.0, file.device.1]);
        Ok(Self { kind, mode, uid: file.uid, gid: file.gid, bytes: file.size, target, device })
    }
}

impl DifferentFile {
    /// This file of one of two snapshots, or of both; and the lines that differ, or why they are not known.
    ///
    /// # Errors
    /// The target of a link, or attributes, cannot be read.
    pub fn new(
        difference: &Difference<'_>,
        [old, new]: [&Contents; 2],
        (patch, no_patch): (Option<String>, Option<NoPatch>),
    ) -> Result<Self, ContentsError> {
        let Changes { kind, content, mode, owner, attributes } = difference.changes;
        let on = |side| move |error: ContentsError| error.on_side(difference.path, side);
        let all = [
            (kind, Differs::Kind),
            (content, Differs::Content),
            (mode, Differs::Mode),
            (owner, Differs::Owner),
            (attributes, Differs::Attributes),
        ];
        Ok(Self {
            path: difference.path.into(),
            change: match (difference.old, difference.new) {
                (None, _) => FileChange::Added,
                (_, None) => FileChange::Removed,
                _ => FileChange::Changed,
            },
            differs: all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, differs)| differs).collect(),
            old: difference.old.map(|item| FileState::new(old, item)).transpose().map_err(on(Side::Old))?,
            new: difference.new.map(|item| FileState::new(new, item)).transpose().map_err(on(Side::New))?,
            attributes: attributes_that_differ(difference, [old, new])?,
            patch,
            no_patch,
        })
    }

    /// Bytes that it takes in memory, about.
    pub fn memory(&self) -> usize {
        let targets = [&self.old, &self.new].into_iter().flatten().filter_map(|state| state.target.as_ref());
        let texts = targets.chain(&self.attributes).chain(&self.patch).chain(&self.path.path_bytes);
        let sum = texts.map(|text| text.len().saturating_add(size_of::<String>())).fold(0, usize::saturating_add);
        sum.saturating_add(self.path.path.len()).saturating_add(size_of::<Self>())
    }
}

/// The names of the extended attributes that differ, or that a new file has.
fn attributes_that_differ(
    difference: &Difference<'_>,
    [old, new]: [&Contents; 2],
) -> Result<Vec<String>, ContentsError> {
    if difference.new.is_none() || difference.old.is_some() && !difference.changes.attributes {
        return Ok(Vec::new());
    }
    let of = |contents: &Contents, item: Option<&Item>, side| {
        let all = item.map_or(Ok(Vec::new()), |item| contents.attributes(item)).map(BTreeMap::from_iter);
        all.map_err(|error| error.on_side(difference.path, side))
    };
    let (old, new) = (of(old, difference.old, Side::Old)?, of(new, difference.new, Side::New)?);
    let names: BTreeSet<_> = old.keys().chain(new.keys()).filter(|name| old.get(*name) != new.get(*name)).collect();
    Ok(names.into_iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}
