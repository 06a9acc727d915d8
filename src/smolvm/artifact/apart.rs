//! Takes an artifact apart: the members of its tar, and their content.

use super::content::{Artifact, Content};
use super::error::ArtifactError;
use super::member::{CONTENT_LIMIT, MEMBERS, Member, MemberKind, Part};
use super::together::{BLOCK, END, headers, padding};
use crate::signals::Signals;
use std::io::{self, Write};
use std::path::Path;
use std::{mem, vec};
use tar::{EntryType, GnuExtSparseHeader, GnuSparseHeader, Header};
use zstd::stream::raw::{self, DParameter};
use zstd::stream::write::Decoder;

/// The largest window of zstd, as a power of two: what the format recommends to support. The engine's is 2 MiB.
pub const WINDOW: u32 = 23;
/// The most entries in the map of a sparse file: one per 4 KiB of 1 GiB, if it is as fragmented as can be.
const FRAGMENTS: usize = 1 << 18;
/// The most bytes of data that a small artifact can have, and that each compressed byte adds. A store must
/// keep them, and compressing them anew makes more of what was made to be smallest as a whole.
const DATA: u64 = 1 << 30;
const DATA_PER_BYTE: u64 = 64;
/// What is wrong with one that has more.
pub const TOO_LARGE: &str = "it is much larger than its compressed size allows";
/// How many zeros that are data cost as much as a byte of other data: no space, but time.
const ZEROS_PER_BYTE: usize = 16;

/// The most bytes of data that so many compressed ones may become.
pub fn most_data(compressed: u64) -> u64 {
    compressed.saturating_mul(DATA_PER_BYTE).saturating_add(DATA)
}

/// Reads the file once, checks it as [`super::verify`] does, and passes the members of its tar and their content to `on_part`.
/// `edit` may return another manifest. Returns what the artifact says about itself, and its manifest, both as edited.
///
/// # Errors
/// As `verify`, or of `on_part`, which may have got any part of the content by then. [`ArtifactError::Unknown`]: `verify` accepts
/// it, but parts that are put together again would not be the same tar.
pub fn take_apart<E: From<ArtifactError>>(
    path: &Path,
    signals: &Signals,
    edit: impl FnOnce(&str) -> Option<String>,
    on_part: &mut dyn FnMut(Part<'_>) -> Result<(), E>,
) -> Result<(Artifact, String), E> {
    let mut decoder = raw::Decoder::new().map_err(ArtifactError::Io)?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW)).map_err(ArtifactError::Io)?;
    let mut decoder = Decoder::with_decoder(Tar::new(signals, on_part), decoder);
    let read =
        Content::read(path, signals, |assets| decode(&mut decoder, |decoder| decoder.write_all(assets), assets.len()));
    let finished = read.and_then(|content| {
        decode(&mut decoder, Decoder::do_finish, 0)?;
        Ok(content)
    });
    let stopped = mem::take(&mut decoder.get_mut().stopped);
    if let Some(Stop::Caller(error)) = stopped {
        return Err(error);
    }
    let content = finished?;
    let content = match std::str::from_utf8(&content.manifest).ok().and_then(edit) {
        Some(manifest) => content.with(manifest.into_bytes())?,
        None => content,
    };
    let artifact = content.artifact()?;
    if let Some(Stop::Unknown(why)) = stopped {
        return Err(ArtifactError::Unknown(why).into());
    }
    decoder.get_ref().expect_end()?;
    let manifest = String::from_utf8(content.manifest);
    let manifest = manifest.map_err(|_| ArtifactError::Unknown("its manifest is not UTF-8".into()))?;
    Ok((artifact, manifest))
}

/// Decompresses more. After something unknown the rest is only read, for its CRC-32.
fn decode<'a, E: From<ArtifactError>>(
    decoder: &mut Decoder<'static, Tar<'a, E>>,
    step: impl FnOnce(&mut Decoder<'static, Tar<'a, E>>) -> io::Result<()>,
    compressed: usize,
) -> Result<(), ArtifactError> {
    if decoder.get_ref().stopped.is_some() {
        return Ok(());
    }
    decoder.get_mut().data_limit += compressed as u64 * DATA_PER_BYTE;
    let Err(error) = step(decoder) else { return Ok(()) };
    let why = || Stop::Unknown(format!("its assets cannot be decompressed: {error}"));
    match decoder.get_mut().stopped.get_or_insert_with(why) {
        Stop::Unknown(_) => Ok(()),
        Stop::Caller(_) => Err(ArtifactError::Io(error)),
    }
}

/// Why the tar was not read to its end.
enum Stop<E> {
    Unknown(String),
    Caller(E),
}

fn unknown<T, E>(why: impl Into<String>) -> Result<T, Stop<E>> {
    Err(Stop::Unknown(why.into()))
}

/// A tar that is written to it. (The crate `tar` turns holes into zeros.)
struct Tar<'a, E> {
    signals: &'a Signals,
    on_part: &'a mut dyn FnMut(Part<'_>) -> Result<(), E>,
    next: Next,
    /// The blocks of a member's header so far.
    header: Vec<u8>,
    members: usize,
    /// Bytes of the content that its members may still have, with holes.
    content_limit: u64,
    data_limit: u64,
    stopped: Option<Stop<E>>,
}

/// What the next bytes are.
enum Next {
    /// A header of a member.
    Header,
    /// More of the map of a sparse file.
    Map(Member, Vec<(u64, u64)>),
    /// Its data.
    Data(Data),
    /// This many zeros.
    Padding(usize),
    /// The end: this many zeros so far.
    End(usize),
}

struct Data {
    /// The place in the file.
    at: u64,
    /// Data in one piece from there.
    left: u64,
    /// The pieces after that.
    pieces: vec::IntoIter<(u64, u64)>,
    size: u64,
    padding: usize,
}

impl<E: From<ArtifactError>> Write for Tar<'_, E> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.take(rest) {
                Ok(more) => rest = more,
                Err(stop) => {
                    self.stopped = Some(stop);
                    return Err(io::ErrorKind::Other.into());
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a, E: From<ArtifactError>> Tar<'a, E> {
    fn new(signals: &'a Signals, on_part: &'a mut dyn FnMut(Part<'_>) -> Result<(), E>) -> Self {
        let (next, header) = (Next::Header, Vec::new());
        let (members, content_limit, data_limit) = (0, CONTENT_LIMIT, most_data(0));
        Self { signals, on_part, next, header, members, content_limit, data_limit, stopped: None }
    }

    /// Takes some of the bytes, and returns the others.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Stop<E>> {
        self.signals.check().map_err(|interrupted| Stop::Caller(ArtifactError::from(interrupted).into()))?;
        let (next, others) = match mem::replace(&mut self.next, Next::Header) {
            next @ (Next::Header | Next::Map(..)) => {
                let (part, others) = split(bytes, BLOCK - self.header.len() % BLOCK);
                self.header.extend_from_slice(part);
                let is_whole = self.header.len() % BLOCK == 0;
                (if is_whole { self.block(next)? } else { next }, others)
            }
            Next::Data(mut data) => {
                let (piece, others) = split(bytes, usize::try_from(data.left).unwrap_or(usize::MAX));
                self.count(piece)?;
                self.part(Part::Data(piece))?;
                data.at += piece.len() as u64;
                data.left -= piece.len() as u64;
                (self.go_on(data)?, others)
            }
            Next::Padding(left) => {
                let (zeros, others) = split(bytes, left);
                if !is_zero(zeros) {
                    return unknown("there is data between its members");
                }
                let left = left - zeros.len();
                (if left == 0 { Next::Header } else { Next::Padding(left) }, others)
            }
            Next::End(zeros) if is_zero(bytes) && zeros + bytes.len() <= END.len() => {
                (Next::End(zeros + bytes.len()), Default::default())
            }
            Next::End(_) => return unknown("its tar does not end as smolvm ends it"),
        };
        self.next = next;
        Ok(others)
    }

    /// Reads the last block of a header.
    fn block(&mut self, next: Next) -> Result<Next, Stop<E>> {
        let Some(block) = self.header.last_chunk::<BLOCK>() else { return Ok(next) };
        let is_end = is_zero(block);
        let (member, map, is_extended) = match next {
            Next::Map(member, mut map) => {
                let mut header = GnuExtSparseHeader::new();
                *header.as_mut_bytes() = *block;
                add(&mut map, header.sparse())?;
                (member, map, header.is_extended())
            }
            _ if is_end => {
                self.header.clear();
                return Ok(Next::End(BLOCK));
            }
            _ => {
                let mut header = Header::new_gnu();
                *header.as_mut_bytes() = *block;
                let Some(member) = member(&header) else {
                    return unknown("it has a member that smolvm does not write");
                };
                let (mut map, mut is_extended) = (Vec::new(), false);
                if let Some(gnu) = header.as_gnu().filter(|_| member.kind == MemberKind::Sparse) {
                    add(&mut map, &gnu.sparse)?;
                    is_extended = gnu.is_extended();
                }
                (member, map, is_extended)
            }
        };
        if is_extended { Ok(Next::Map(member, map)) } else { self.begin(&member, map) }
    }

    /// Begins the content of a member, all headers of which were read.
    fn begin(&mut self, member: &Member, mut map: Vec<(u64, u64)>) -> Result<Next, Stop<E>> {
        if member.kind == MemberKind::Sparse && map.last().is_some_and(|(_, length)| *length == 0) {
            map.pop();
        }
        // Pieces without a hole between them, or empty ones, would become one when they are put together again.
        let end = map.iter().try_fold(None, |end, (offset, length)| {
            let is_apart = *length > 0 && end.is_none_or(|end| *offset > end);
            is_apart.then(|| offset.checked_add(*length)).flatten().map(Some)
        });
        if end.is_none_or(|end| end.unwrap_or(0) > member.size) {
            return unknown("a map of holes in it contradicts itself");
        }
        member.check().map_err(|why| Stop::Unknown(why.into()))?;
        if headers(member, &map) != mem::take(&mut self.header) && !is_live(&member.path) {
            return unknown("it has a header that smolvm does not write");
        }
        self.members += 1;
        if self.members > MEMBERS {
            return unknown(format!("it has more than {MEMBERS} members"));
        }
        match self.content_limit.checked_sub(member.size) {
            Some(left) => self.content_limit = left,
            None => return unknown(format!("it has more than {CONTENT_LIMIT} bytes of content")),
        }
        self.part(Part::Member(member))?;
        let padding = padding(member, &map);
        if member.kind == MemberKind::File {
            map.push((0, member.size));
        }
        self.go_on(Data { at: 0, left: 0, pieces: map.into_iter(), size: member.size, padding })
    }

    /// Goes on to the next data of a member, or past its end.
    fn go_on(&mut self, mut data: Data) -> Result<Next, Stop<E>> {
        while data.left == 0 {
            let piece = data.pieces.next();
            let (offset, length) = piece.unwrap_or((data.size, 0));
            if offset > data.at {
                self.part(Part::Zeros(offset - data.at))?;
            }
            if piece.is_none() {
                return Ok(if data.padding == 0 { Next::Header } else { Next::Padding(data.padding) });
            }
            (data.at, data.left) = (offset, length);
        }
        Ok(Next::Data(data))
    }

    fn count(&mut self, data: &[u8]) -> Result<(), Stop<E>> {
        let cost = |chunk: &[u8]| if is_zero(chunk) { chunk.len().div_ceil(ZEROS_PER_BYTE) } else { chunk.len() };
        let count = data.chunks(ZEROS.len()).map(cost).sum::<usize>();
        match self.data_limit.checked_sub(count as u64) {
            Some(left) => self.data_limit = left,
            None => return unknown(TOO_LARGE),
        }
        Ok(())
    }

    fn part(&mut self, part: Part<'_>) -> Result<(), Stop<E>> {
        (self.on_part)(part).map_err(Stop::Caller)
    }

    fn expect_end(&self) -> Result<(), ArtifactError> {
        match self.next {
            Next::End(zeros) if zeros == END.len() => Ok(()),
            _ => Err(ArtifactError::Unknown("its tar has no end".into())),
        }
    }
}

static ZEROS: [u8; 4096] = [0; 4096];

fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}

fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

/// Whether it belongs to a running VM. The engine leaves fields of such headers empty, from some version on: what is put together
/// again has them, and the same content.
fn is_live(path: &str) -> bool {
    path.starts_with("checkpoint/")
}

/// The member with this header, which may have other values than the engine writes.
fn member(header: &Header) -> Option<Member> {
    let gnu = header.as_gnu()?;
    let path = std::str::from_utf8(gnu.name.split(|byte| *byte == 0).next()?).ok()?.to_owned();
    let id = |id: std::io::Result<u64>| match id {
        Err(_) if is_live(&path) => Some(0),
        id => u32::try_from(id.ok()?).ok(),
    };
    let (kind, size) = match header.entry_type() {
        EntryType::Regular => (MemberKind::File, header.entry_size()),
        EntryType::Directory => (MemberKind::Folder, header.entry_size()),
        EntryType::GNUSparse => (MemberKind::Sparse, gnu.real_size()),
        _ => return None,
    };
    Some(Member {
        kind,
        mode: header.mode().ok()?,
        uid: id(header.uid())?,
        gid: id(header.gid())?,
        path,
        mtime: header.mtime().ok()?,
        size: size.ok()?,
    })
}

/// Adds the entries of a block to a map.
fn add<E>(map: &mut Vec<(u64, u64)>, entries: &[GnuSparseHeader]) -> Result<(), Stop<E>> {
    for entry in entries.iter().filter(|entry| !entry.is_empty()) {
        let (Ok(offset), Ok(length)) = (entry.offset(), entry.length()) else {
            return unknown("a map of holes in it cannot be read");
        };
        map.push((offset, length));
    }
    if map.len() > FRAGMENTS { unknown("a file in it has too many holes") } else { Ok(()) }
}
