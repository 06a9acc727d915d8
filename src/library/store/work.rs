//! What the threads of a writer do: hash chunks, find the known ones, compress and write the others, flush them.

use super::digest::Digest;
use super::error::StoreError;
use super::frame::{Frame, Packer};
use super::index::{Chunk, Entry};
use super::objects::{self, Objects, Put};
use super::queue::Queue;
use crate::signals::Signals;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the store did not have before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// The number of objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the file system has no hard links, so that the store has none of them: snapshots share nothing.
    pub is_unshared: bool,
}

impl Added {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            objects: self.objects.saturating_add(other.objects),
            bytes: self.bytes.saturating_add(other.bytes),
            is_unshared: self.is_unshared || other.is_unshared,
        }
    }
}

/// A chunk's place: the number of its member, and its number there.
#[derive(Debug, Clone, Copy)]
pub struct Place(pub usize, pub usize);

/// A chunk to be stored.
pub struct Job {
    pub place: Place,
    pub content: Vec<u8>,
}

/// An object that was written, and is not yet flushed.
pub struct Written {
    file: File,
    name: Digest,
    bytes: u64,
}

/// What all threads of a writer share.
pub struct Work<'r> {
    pub objects: Objects,
    /// The folder of the snapshot's objects.
    pub folder: PathBuf,
    pub signals: &'r Signals,
    pub jobs: Queue<Job>,
    pub written: Queue<Written>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The frames of all objects so far; nothing while a thread makes it.
    frames: HashMap<Digest, Option<Frame>>,
    /// Frames that were compared with their content by an earlier run.
    recorded: HashMap<Digest, Frame>,
    placed: Vec<(Place, Digest)>,
    added: Added,
    failure: Option<StoreError>,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
}

impl<'r> Work<'r> {
    /// Work for `threads` threads.
    pub fn new(objects: Objects, folder: PathBuf, threads: usize, signals: &'r Signals) -> Self {
        let (jobs, written) = (Queue::new(threads + 1), Queue::new(4 * threads));
        Self { objects, folder, signals, jobs, written, state: Mutex::default() }
    }

    /// An empty buffer.
    pub fn buffer(&self) -> Vec<u8> {
        self.state().spare.pop().unwrap_or_default()
    }

    /// Notes the first failure, and ends all work.
    pub fn fail(&self, failure: StoreError) {
        self.state().failure.get_or_insert(failure);
        self.stop();
    }

    /// Ends all work.
    pub fn stop(&self) {
        self.jobs.abandon();
        self.written.abandon();
    }

    /// The first failure, once.
    pub fn failure(&self) -> Option<StoreError> {
        self.state().failure.take()
    }

    /// Stores chunks until there are no more.
    pub fn store_all(&self, is_flushing: bool) {
        let mut storing = None;
        while let Some(job) = self.jobs.pop() {
            if let Err(error) = self.store(job, &mut storing, is_flushing) {
                return self.fail(error);
            }
        }
    }

    /// Stores a chunk; `is_flushing`: and flushes it at once.
    ///
    /// # Errors
    /// It cannot be written, or a signal arrived.
    pub fn store(&self, mut job: Job, storing: &mut Option<Storing>, is_flushing: bool) -> Result<(), StoreError> {
        self.signals.check()?;
        let name = Digest::of(&job.content);
        if self.claim(job.place, name) {
            let storing = match storing {
                Some(storing) => storing,
                None => storing.insert(Storing::new().map_err(StoreError::not_writable(&self.folder))?),
            };
            self.make(&name, &job.content, storing, is_flushing)?;
        }
        job.content.clear();
        self.state().spare.push(job.content);
        Ok(())
    }

    /// Notes which chunk is where. Returns whether this is the first of its name: whoever gets that makes the object.
    pub fn claim(&self, place: Place, name: Digest) -> bool {
        let mut state = self.state();
        state.placed.push((place, name));
        let is_new = !state.frames.contains_key(&name);
        if is_new {
            state.frames.insert(name, None);
        }
        is_new
    }

    /// Notes that a chunk is the object with this name, which another chunk brings: it was handed over before.
    pub fn repeat(&self, place: Place, name: Digest) {
        self.state().placed.push((place, name));
    }

    /// Notes what the frame of a claimed object is.
    pub fn made(&self, name: Digest, frame: Frame) {
        self.state().frames.insert(name, Some(frame));
    }

    /// Notes which frames an earlier run compared with their content.
    pub fn record(&self, frames: impl Iterator<Item = (Digest, Frame)>) {
        self.state().recorded.extend(frames);
    }

    fn make(&self, name: &Digest, content: &[u8], storing: &mut Storing, is_flushing: bool) -> Result<(), StoreError> {
        let Storing { packer, buffer } = storing;
        let recorded = self.state().recorded.get(name).copied();
        if let Some(frame) = self.objects.link(name, content, recorded, &self.folder, packer, buffer) {
            self.made(*name, frame);
            return Ok(());
        }
        let path = self.folder.join(name.to_string());
        let not_writable = StoreError::not_writable(&path);
        let frame = packer.pack(content).map_err(&not_writable)?;
        let file = objects::create(&path, frame).map_err(&not_writable)?;
        self.made(*name, Frame::of(frame));
        let written = Written { file, name: *name, bytes: frame.len() as u64 };
        if is_flushing {
            return self.flush(&written);
        }
        self.written.push(written);
        Ok(())
    }

    /// Flushes objects until there are no more.
    pub fn flush_all(&self) {
        while let Some(written) = self.written.pop() {
            if let Err(error) = self.flush(&written) {
                return self.fail(error);
            }
        }
    }

    /// Flushes an object, and then gives it its name in the store.
    fn flush(&self, written: &Written) -> Result<(), StoreError> {
        let path = self.folder.join(written.name.to_string());
        written.file.sync_data().map_err(StoreError::not_writable(&path))?;
        self.put(&written.name, &path, written.bytes)
    }

    /// Gives a flushed object of `bytes` its name in the store, and counts it if the store did not have it.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put(&self, name: &Digest, path: &Path, bytes: u64) -> Result<(), StoreError> {
        let stored = self.objects.path(name);
        let put = self.objects.put(name, path).map_err(StoreError::not_writable(&stored))?;
        let mut state = self.state();
        state.added.is_unshared |= put == Put::Unshared;
        if put != Put::Known {
            state.added.objects += 1;
            state.added.bytes += bytes;
        }
        Ok(())
    }

    /// Puts the names and frames of all chunks in their places. Returns what the store did not have.
    pub fn finish(self, entries: &mut [Entry]) -> Added {
        let State { frames, placed, added, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (Place(member, chunk), name) in placed {
            let frame = frames.get(&name).copied().flatten();
            let chunk = entries.get_mut(member).and_then(|entry| entry.chunks.get_mut(chunk));
            if let (Some(Chunk::Object(digest, _, bytes, crc32)), Some(frame)) = (chunk, frame) {
                (*digest, *bytes, *crc32) = (name, frame.bytes, frame.crc32);
            }
        }
        added
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a thread needs to store chunks.
pub struct Storing {
    packer: Packer,
    buffer: Vec<u8>,
}

impl Storing {
    fn new() -> std::io::Result<Self> {
        Ok(Self { packer: Packer::new()?, buffer: Vec::new() })
    }
}
