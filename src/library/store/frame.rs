//! The compressed form of a chunk: one zstd frame.

use super::digest::Digest;
use crate::{files, threads};
use rustix::buffer::spare_capacity;
use rustix::io::retry_on_intr;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use zstd::bulk::{Compressor, Decompressor};

/// The most bytes of a chunk.
pub const CHUNK: usize = 1 << 20;
/// The most bytes of its frame: more than zstd makes of bytes that it cannot compress.
pub const FRAME: usize = CHUNK + (CHUNK >> 6);
/// Where time and space meet: the level that the engine uses, too.
const LEVEL: i32 = 3;

/// How many threads pack or unpack: not more, because each needs some MiB.
pub fn threads() -> usize {
    threads::cores().min(12)
}

/// A frame, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Its size.
    pub bytes: u32,
    /// The CRC-32 of its bytes.
    pub crc32: u32,
}

impl Frame {
    /// Describes these bytes, at most [`FRAME`].
    pub fn of(frame: &[u8]) -> Self {
        Self { bytes: u32::try_from(frame.len()).unwrap_or(u32::MAX), crc32: crc32fast::hash(frame) }
    }
}

/// Opens the file of an object.
///
/// # Errors
/// It cannot be opened, is not a regular file, or is longer than an object.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = files::open_existing(path)?;
    let meta = file.metadata()?;
    if meta.len() > FRAME as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than an object"));
    }
    Ok((file, meta))
}

/// Reads the file of an object into `buffer`.
///
/// # Errors
/// See [`open`].
pub fn read(path: &Path, buffer: &mut Vec<u8>) -> io::Result<()> {
    read_open(&open(path)?.0, buffer)
}

/// The same from an open file.
///
/// # Errors
/// It cannot be read.
pub fn read_open(file: &File, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    buffer.reserve(FRAME + 1);
    while buffer.len() <= FRAME && retry_on_intr(|| rustix::io::read(file, spare_capacity(buffer)))? > 0 {}
    Ok(())
}

/// Decompresses frames into one buffer.
pub struct Unpacker {
    context: Decompressor<'static>,
    content: Vec<u8>,
}

impl Unpacker {
    /// Has room for a chunk.
    pub fn new() -> Self {
        Self { context: Decompressor::default(), content: Vec::with_capacity(CHUNK) }
    }

    /// The content of these bytes, if they are frames with `length` bytes of it.
    pub fn unpack(&mut self, frame: &[u8], length: usize) -> Option<&[u8]> {
        self.content.clear();
        self.context.decompress_to_buffer(frame, &mut self.content).ok()?;
        Some(&self.content[..]).filter(|content| content.len() == length)
    }

    /// The same, in a buffer of its own.
    pub fn unpacked(&mut self, frame: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut content = Vec::with_capacity(length.min(CHUNK));
        self.context.decompress_to_buffer(frame, &mut content).ok()?;
        Some(content).filter(|content| content.len() == length)
    }

    /// Whether these bytes are the object with that name and content of `length` bytes.
    pub fn is_object(&mut self, frame: &[u8], name: &Digest, length: u32) -> bool {
        self.unpack(frame, length as usize).is_some_and(|content| Digest::of(content) == *name)
    }
}

/// Compresses chunks, and checks the frames.
pub struct Packer {
    context: Compressor<'static>,
    frame: Vec<u8>,
    unpacker: Unpacker,
}

impl Packer {
    /// Has room for a chunk.
    ///
    /// # Errors
    /// zstd refuses its settings.
    pub fn new() -> io::Result<Self> {
        let context = Compressor::new(LEVEL)?;
        Ok(Self { context, frame: Vec::with_capacity(FRAME), unpacker: Unpacker::new() })
    }

    /// The frame of a chunk, which was decompressed and compared.
    ///
    /// # Errors
    /// The chunk is too long, or came out differently: the memory of this computer is not to be trusted.
    pub fn pack(&mut self, content: &[u8]) -> io::Result<&[u8]> {
        self.frame.clear();
        self.context.compress_to_buffer(content, &mut self.frame)?;
        if self.unpacker.unpack(&self.frame, content.len()) == Some(content) {
            return Ok(&self.frame);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "its compressed content cannot be read back"))
    }

    /// Whether these bytes are a frame of this chunk.
    pub fn is_frame_of(&mut self, frame: &[u8], content: &[u8]) -> bool {
        self.unpacker.unpack(frame, content.len()) == Some(content)
    }
}

/// Whether an object that cannot be read is missing or damaged, and not only out of reach for now.
pub fn is_damage(error: &io::Error) -> bool {
    let is_broken_disk = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
    is_broken_disk
        || matches!(
            error.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::InvalidData
                | io::ErrorKind::UnexpectedEof
        )
}
