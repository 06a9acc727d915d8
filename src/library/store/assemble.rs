//! An artifact, put together from objects: frames of tar headers, the objects' frames as they are, manifest and footer.

use super::digest::Digest;
use super::error::StoreError;
use super::frame::{CHUNK, Frame, Packer};
use super::index::{Chunk, Entry, Index};
use super::objects::Objects;
use super::reader::Reader;
use crate::signals::Signals;
use crate::smolvm::artifact::{Artifact, END, MemberKind, footer, headers, padding};
use std::io::Write;
use std::path::Path;

/// A part of an artifact.
enum Asset<'a> {
    /// A frame of what lies between objects.
    Made(&'a [u8]),
    /// The frame of an object, and the bytes of its content.
    Object(&'a Digest, u32, Frame),
}

impl Index {
    /// The artifact that is put together from it, without reading an object.
    ///
    /// # Errors
    /// The manifest is not one of an artifact.
    pub fn artifact(&self) -> Result<Artifact, StoreError> {
        let (mut bytes, mut crc32) = (0_u64, crc32fast::Hasher::new());
        Assets::walk(self, &mut |asset| {
            match asset {
                Asset::Made(frame) => {
                    bytes += frame.len() as u64;
                    crc32.update(frame);
                }
                Asset::Object(_, _, frame) => {
                    bytes += u64::from(frame.bytes);
                    crc32.combine(&crc32fast::Hasher::new_with_initial_len(frame.crc32, frame.bytes.into()));
                }
            }
            Ok(())
        })?;
        let manifest = self.manifest.get();
        crc32.update(manifest.as_bytes());
        let bytes = bytes + manifest.len() as u64 + footer(0, 0, 0).len() as u64;
        Artifact::of_parts(manifest, bytes, crc32.finalize()).map_err(|error| StoreError::Content(error.to_string()))
    }
}

/// Writes the artifact of the snapshot in that folder. Each object is checked by its size and CRC-32; another frame is
/// accepted if its content is right.
///
/// # Errors
/// An object is missing or damaged, also in the store; `to` cannot be written; a signal arrived.
pub fn write_artifact(folder: &Path, index: &Index, to: &mut impl Write, signals: &Signals) -> Result<(), StoreError> {
    write_artifact_in(Objects::existing().ok().flatten(), folder, index, to, signals)
}

pub(super) fn write_artifact_in(
    store: Option<Objects>,
    folder: &Path,
    index: &Index,
    to: &mut impl Write,
    signals: &Signals,
) -> Result<(), StoreError> {
    let (mut bytes, mut crc32) = (0_u64, crc32fast::Hasher::new());
    let mut reader = Reader::new(store, folder);
    Assets::walk(index, &mut |asset| {
        signals.check()?;
        let frame = match asset {
            Asset::Made(frame) => {
                crc32.update(frame);
                frame
            }
            Asset::Object(name, length, recorded) => {
                let Frame { bytes, crc32: known } = reader.read(name, length, recorded)?;
                crc32.combine(&crc32fast::Hasher::new_with_initial_len(known, bytes.into()));
                reader.frame()
            }
        };
        bytes += frame.len() as u64;
        to.write_all(frame).map_err(StoreError::Output)
    })?;
    let manifest = index.manifest.get();
    crc32.update(manifest.as_bytes());
    let footer = footer(bytes, manifest.len() as u64, crc32.finalize());
    to.write_all(manifest.as_bytes()).and_then(|()| to.write_all(&footer)).map_err(StoreError::Output)
}

/// Walks through the assets of an artifact.
struct Assets<'w> {
    on_asset: &'w mut dyn FnMut(Asset<'_>) -> Result<(), StoreError>,
    /// What lies between objects, so far.
    between: Vec<u8>,
    packer: Packer,
    /// The frame of a chunk of zeros.
    zeros: Vec<u8>,
}

impl<'w> Assets<'w> {
    /// Calls `on_asset` for each, in order. The same index gives the same.
    fn walk(index: &Index, on_asset: &'w mut dyn FnMut(Asset<'_>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let packer = Packer::new().map_err(StoreError::Output)?;
        let mut assets = Self { on_asset, between: Vec::new(), packer, zeros: Vec::new() };
        for entry in &index.members {
            assets.add(entry)?;
        }
        assets.between.extend_from_slice(&END);
        assets.flush()
    }

    fn add(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let data = data(entry);
        self.between.extend(headers(&entry.member, &data));
        for chunk in &entry.chunks {
            match chunk {
                Chunk::Object(name, length, bytes, crc32) => {
                    self.flush()?;
                    (self.on_asset)(Asset::Object(name, *length, Frame { bytes: *bytes, crc32: *crc32 }))?;
                }
                Chunk::Zeros((), count) if entry.member.kind == MemberKind::File => self.add_zeros(*count)?,
                Chunk::Zeros(..) => {}
            }
        }
        let padded = self.between.len() + padding(&entry.member, &data);
        self.between.resize(padded, 0);
        // The frames are the same as if they were made later. But until then, many members may come, each with zeros.
        self.flush_to(self.between.len() - self.between.len() % CHUNK)
    }

    /// Zeros that are content, and not a hole.
    fn add_zeros(&mut self, count: u64) -> Result<(), StoreError> {
        let (chunks, rest) = (count / CHUNK as u64, usize::try_from(count % CHUNK as u64).unwrap_or_default());
        if chunks > 0 {
            self.flush()?;
            if self.zeros.is_empty() {
                self.zeros = self.packer.pack(&vec![0; CHUNK]).map_err(StoreError::Output)?.to_owned();
            }
            (0..chunks).try_for_each(|_| (self.on_asset)(Asset::Made(&self.zeros)))?;
        }
        self.between.resize(self.between.len() + rest, 0);
        Ok(())
    }

    /// Ends the frame of what lies between objects.
    fn flush(&mut self) -> Result<(), StoreError> {
        self.flush_to(self.between.len())
    }

    /// Makes frames of so many bytes of what lies between objects: in parts, because the map of a sparse file may be long.
    fn flush_to(&mut self, bytes: usize) -> Result<(), StoreError> {
        for part in self.between.drain(..bytes).as_slice().chunks(CHUNK) {
            let frame = self.packer.pack(part).map_err(StoreError::Output)?;
            (self.on_asset)(Asset::Made(frame))?;
        }
        Ok(())
    }
}

/// Where the data of a member lies: offset and length, in order.
fn data(entry: &Entry) -> Vec<(u64, u64)> {
    let (mut data, mut offset) = (Vec::<(u64, u64)>::new(), 0);
    for chunk in &entry.chunks {
        if matches!(chunk, Chunk::Object(..)) {
            match data.last_mut() {
                Some((start, length)) if *start + *length == offset => *length += chunk.length(),
                _ => data.push((offset, chunk.length())),
            }
        }
        offset += chunk.length();
    }
    data
}
