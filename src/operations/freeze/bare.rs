//! Step 5 of the freeze of a bare VM, without the engine: what is read of its disks, and what is taken from its last snapshot.

use super::last::{Last, over_last};
use crate::library::store::{Added, Feed, Index, Runtime, StoreError, Writer};
use crate::signals::Signals;
use crate::smolvm::Direct;
use crate::smolvm::artifact::Part;
use std::path::Path;

/// Writes the members of a bare VM.
pub struct BareWriter<'w> {
    pub direct: &'w Direct,
    /// The folder of the new snapshot.
    pub folder: &'w Path,
    pub runtime: &'w Runtime,
    pub signals: &'w Signals,
    /// Gets the bytes that were read.
    pub on_bytes: &'w dyn Fn(u64),
}

impl BareWriter<'_> {
    /// Writes the chunks: the disks, and all other members from the runtime. Returns the index, and what the store did not
    /// have. If a chunk of the last snapshot is damaged, all disks are read.
    ///
    /// # Errors
    /// The disks cannot be read, the chunks cannot be written, or a signal came.
    pub fn write(&self, last: Option<&Last>) -> Result<(Index, Added), StoreError> {
        let unchanged = last.map_or(&[][..], |last| &last.unchanged);
        over_last(self.folder, last.map(|last| &*last.folder), |is_whole| {
            self.write_over(last, if is_whole { unchanged } else { &[] })
        })
    }

    fn write_over(&self, last: Option<&Last>, unchanged: &[String]) -> Result<(Index, Added), StoreError> {
        let (members, added, ()) = Writer::run(self.folder, self.signals, |feed| {
            if let Some(last) = last {
                feed.trust(&last.index);
            }
            self.write_members(feed, last, unchanged)
        })?;
        Ok((Index::new(self.direct.manifest.clone(), members)?, added))
    }

    fn write_members(&self, feed: &mut Feed<'_>, last: Option<&Last>, unchanged: &[String]) -> Result<(), StoreError> {
        for entry in &self.runtime.index.members {
            let disk = self.direct.disks.iter().find(|(member, _)| member.path == entry.member.path);
            let known = disk.zip(last).filter(|((member, _), _)| unchanged.contains(&member.path));
            let known = known.and_then(|((member, _), last)| Some((last.entry(member)?, last)));
            match (disk, known) {
                (_, Some((entry, last))) => feed.known(&entry, &last.folder)?,
                (None, None) => feed.known(entry, &self.runtime.folder)?,
                (Some((member, disk)), None) => {
                    feed.part(Part::Member(member))?;
                    disk.read(self.signals, &mut |part| {
                        if let Part::Data(bytes) = part {
                            (self.on_bytes)(bytes.len() as u64);
                        }
                        feed.part(part)
                    })?;
                }
            }
        }
        Ok(())
    }
}
