//! Writes the objects of a snapshot.

use super::error::StoreError;
use super::feed::Feed;
use super::frame;
use super::index::Entry;
use super::objects::{OBJECTS, Objects};
use super::queue::CloseOnDrop;
use super::work::{Added, Work};
use crate::publish;
use crate::signals::Signals;
use crate::threads::beside;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Threads that wait for the disk. More of them share one write of its journal.
const FLUSHERS: usize = 8;

/// Writes the objects of a snapshot.
#[derive(Debug)]
pub struct Writer;

impl Writer {
    /// Stores what `feed` gives to the [`Feed`], on all cores. The objects are in `folder`/objects, which is private and
    /// created here, and in the store, and are flushed; the caller flushes `folder`. Returns the members, what the store did
    /// not have before, and what `feed` returned.
    ///
    /// # Errors
    /// Those of `feed`, unless a thread failed before: then that, so `feed` may pass on the errors of [`Feed`] in any form.
    pub fn run<M, E: From<StoreError>>(
        folder: &Path,
        signals: &Signals,
        feed: impl FnOnce(&mut Feed<'_>) -> Result<M, E>,
    ) -> Result<(Vec<Entry>, Added, M), E> {
        Self::run_in(Objects::create()?, folder, signals, feed)
    }

    /// The same for a `folder` that is not in the library: the store gets nothing of it.
    ///
    /// # Errors
    /// See [`Self::run`].
    pub fn run_apart<M, E: From<StoreError>>(
        folder: &Path,
        signals: &Signals,
        feed: impl FnOnce(&mut Feed<'_>) -> Result<M, E>,
    ) -> Result<(Vec<Entry>, Added, M), E> {
        // Each object is known there as soon as it is written.
        Self::run_in(Objects::at(folder.join(OBJECTS)), folder, signals, feed)
    }

    pub(super) fn run_in<M, E: From<StoreError>>(
        objects: Objects,
        folder: &Path,
        signals: &Signals,
        feed: impl FnOnce(&mut Feed<'_>) -> Result<M, E>,
    ) -> Result<(Vec<Entry>, Added, M), E> {
        let (folder, threads) = (folder.join(OBJECTS), frame::threads());
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        created.map_err(StoreError::not_writable(&folder))?;
        let work = Work::new(objects, folder, threads, signals);
        let result = beside(
            FLUSHERS,
            || work.flush_all(),
            |flushers| {
                let _written = CloseOnDrop(&work.written);
                beside(
                    threads,
                    || work.store_all(flushers == 0),
                    |started| {
                        let _jobs = CloseOnDrop(&work.jobs);
                        let mut feeder = Feed::new(&work, started > 0, flushers > 0);
                        let made = feed(&mut feeder);
                        made.and_then(|made| Ok((feeder.finish()?, made))).inspect_err(|_| work.stop())
                    },
                )
            },
        );
        if let Some(failure) = work.failure() {
            return Err(failure.into());
        }
        let (mut entries, made) = result?;
        let flush = |folder: &Path| publish::flush_alone(folder).map_err(StoreError::not_writable(folder));
        flush(&work.folder)?;
        let store = work.objects.folder().to_owned();
        let added = work.finish(&mut entries);
        if added.objects > 0 {
            flush(&store)?;
        }
        Ok((entries, added, made))
    }
}
