//! Writes the engine in a wheel into a folder, as it is installed, with checks and limits.

use super::error::InstallError;
use crate::signals::{Interrupted, Signals};
use crate::smolvm::installed::WRAPPER;
use crate::{chunk, tarball};
use std::fs::{self, DirBuilder, File, FileType};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path};

/// Limits of one wheel: members, bytes of one file, bytes and members of the guest's system. (The newest has 37 members of
/// at most 41 MB, and 36 MB in the guest's system.)
const MEMBERS: usize = 10_000;
const FILE_LIMIT: u64 = 1 << 30;
const GUEST_LIMIT: u64 = 2 << 30;
const GUEST_MEMBERS: usize = 200_000;
/// Limits of a disk template: its size (the newest has 20 GiB), and the part of it that is not a hole (under 1 MB).
const TEMPLATE_LIMIT: u64 = 64 << 30;
const TEMPLATE_DATA: u64 = 256 << 20;
const CHUNK: usize = 128 << 10;

/// The names of the guest's system and of the templates of its disks.
const GUEST: &str = "agent-rootfs";
const OVERLAY: &str = "overlay-template.ext4";
const STORAGE: &str = "storage-template.ext4";

/// Whether a file of that name and kind can be part of an engine.
pub fn is_part(name: &str, kind: FileType) -> bool {
    match name {
        "bin" | GUEST => kind.is_dir(),
        "smolvm" | OVERLAY | STORAGE => kind.is_file(),
        _ => kind.is_file() && is_library(name),
    }
}

fn is_library(name: &str) -> bool {
    name.contains(".so") || Path::new(name).extension().is_some_and(|ending| ending == "dylib")
}

/// Why an engine could not be laid out.
enum LayoutError {
    /// Something is wrong with the wheel.
    Untrusted(String),
    /// The disk failed.
    Disk(io::Error),
    Interrupted(Interrupted),
}

/// Writes the engine in the wheel `file`, whose name is `name`, into the new folder `target`.
pub fn lay_out(
    file: &Path,
    name: &str,
    target: &Path,
    signals: &Signals,
    tick: &mut dyn FnMut(),
) -> Result<(), InstallError> {
    Layout { target, signals, tick }.of(file).map_err(|error| match error {
        LayoutError::Untrusted(why) => InstallError::Untrusted { name: name.to_owned(), why },
        LayoutError::Disk(source) => InstallError::NotWritable { path: target.to_owned(), source },
        LayoutError::Interrupted(interrupted) => interrupted.into(),
    })
}

struct Layout<'a> {
    target: &'a Path,
    signals: &'a Signals,
    tick: &'a mut dyn FnMut(),
}

impl Layout<'_> {
    fn of(&mut self, file: &Path) -> Result<(), LayoutError> {
        let file = File::open(file).map_err(LayoutError::Disk)?;
        let mut wheel = zip::ZipArchive::new(file).map_err(untrusted)?;
        if wheel.len() > MEMBERS {
            return Err(LayoutError::Untrusted(format!("it has {} members", wheel.len())));
        }
        for folder in ["", "bin"] {
            DirBuilder::new().mode(0o755).create(self.target.join(folder)).map_err(LayoutError::Disk)?;
        }
        for number in 0..wheel.len() {
            let mut member = wheel.by_index(number).map_err(untrusted)?;
            let name = member.name().to_owned();
            if member.enclosed_name().is_none() || name.contains('\\') {
                return Err(LayoutError::Untrusted(format!("it has a member {name:?}")));
            }
            self.member(&name, &mut member)?;
        }
        self.write("bin/smolvm", 0o755, &mut WRAPPER.as_bytes())?;
        for needed in ["smolvm", GUEST] {
            if fs::symlink_metadata(self.target.join(needed)).is_err() {
                return Err(LayoutError::Untrusted(format!("it has no {needed}")));
            }
        }
        Ok(())
    }

    /// Takes a member that an engine needs; there is no other way from a name in a wheel to a name on disk.
    fn member(&mut self, name: &str, content: &mut dyn Read) -> Result<(), LayoutError> {
        let Some(name) = name.strip_prefix("smol/").filter(|name| !name.contains('/')) else { return Ok(()) };
        match name {
            // Under its own name the engine prints a note on every call.
            "smol-vmm" => self.write("smolvm", 0o755, content),
            // Newer wheels have these compressed, and two templates; older ones have no templates.
            "agent-rootfs.tar" => self.guest(content),
            "agent-rootfs.tar.zst" => self.guest(&mut unzstd(content)?),
            "overlay-template.ext4.zst" => self.template(OVERLAY, &mut unzstd(content)?),
            "storage-template.ext4.zst" => self.template(STORAGE, &mut unzstd(content)?),
            _ if is_library(name) && !name.starts_with("_native") => self.write(name, 0o644, content),
            _ => Ok(()),
        }
    }

    fn go_on(&mut self) -> Result<(), LayoutError> {
        (self.tick)();
        self.signals.check().map_err(LayoutError::Interrupted)
    }

    fn create(&self, name: &str, mode: u32) -> Result<File, LayoutError> {
        File::options().write(true).create_new(true).mode(mode).open(self.target.join(name)).map_err(LayoutError::Disk)
    }

    fn write(&mut self, name: &str, mode: u32, content: &mut dyn Read) -> Result<(), LayoutError> {
        let mut file = self.create(name, mode)?;
        self.copy(name, content, FILE_LIMIT, &mut |bytes| file.write_all(bytes))
    }

    /// Writes a disk template; zeros become holes.
    fn template(&mut self, name: &str, content: &mut dyn Read) -> Result<(), LayoutError> {
        let mut file = self.create(name, 0o644)?;
        let (mut size, mut data, zeros) = (0, 0, vec![0; CHUNK]);
        self.copy(name, content, TEMPLATE_LIMIT, &mut |bytes| {
            size += bytes.len() as u64;
            // A comparison byte by byte would take a minute for 30 GiB of zeros.
            if zeros.get(..bytes.len()) == Some(bytes) {
                return Ok(());
            }
            data += bytes.len() as u64;
            if data > TEMPLATE_DATA {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            file.seek(SeekFrom::Start(size - bytes.len() as u64))?;
            file.write_all(bytes)
        })?;
        file.set_len(size).map_err(LayoutError::Disk)
    }

    fn copy(
        &mut self,
        name: &str,
        content: &mut dyn Read,
        limit: u64,
        keep: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), LayoutError> {
        let (mut buffer, mut count) = (vec![0; CHUNK], 0);
        loop {
            self.go_on()?;
            let read = chunk::read(content, &mut buffer).map_err(untrusted)?;
            if read.is_empty() {
                return Ok(());
            }
            count += read.len() as u64;
            if count > limit {
                return Err(LayoutError::Untrusted(format!("{name} in it has more than {limit} bytes")));
            }
            keep(read).map_err(LayoutError::Disk)?;
        }
    }

    /// Unpacks the guest's system: files, folders and links, none of them outside of its folder.
    fn guest(&mut self, content: &mut dyn Read) -> Result<(), LayoutError> {
        let folder = self.target.join(GUEST);
        DirBuilder::new().mode(0o755).create(&folder).map_err(LayoutError::Disk)?;
        let mut number = 0;
        tarball::for_each(content.take(GUEST_LIMIT), untrusted, |entry| {
            self.go_on()?;
            number += 1;
            let path = entry.path().map_err(untrusted)?.into_owned();
            let kind = entry.header().entry_type();
            let is_known = kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link();
            let is_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            if number > GUEST_MEMBERS || !is_known || !is_inside {
                return Err(LayoutError::Untrusted(format!("its guest's system has a member {}", path.display())));
            }
            // This follows no link out of the folder.
            if !entry.unpack_in(&folder).map_err(of_tar)? {
                return Err(LayoutError::Untrusted("its guest's system has a member outside of its folder".into()));
            }
            Ok(())
        })
    }
}

/// `tar` wraps errors of the disk, and keeps their kind.
fn of_tar(error: io::Error) -> LayoutError {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        kind @ (StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied) => LayoutError::Disk(kind.into()),
        _ => untrusted(error),
    }
}

/// It refuses to use more than 128 MiB of memory.
fn unzstd(content: &mut dyn Read) -> Result<impl Read + '_, LayoutError> {
    zstd::Decoder::new(content).map_err(untrusted)
}

fn untrusted(error: impl std::fmt::Display) -> LayoutError {
    LayoutError::Untrusted(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_over_the_limit_is_not_copied() {
        let (mut layout, mut kept) =
            (Layout { target: Path::new("/nowhere"), signals: &Signals::default(), tick: &mut || () }, 0);
        let mut keep = |bytes: &[u8]| {
            kept += bytes.len();
            Ok(())
        };
        let copied = layout.copy("libkrun.so", &mut io::repeat(1), 1 << 20, &mut keep);
        assert!(
            matches!(copied, Err(LayoutError::Untrusted(why)) if why == "libkrun.so in it has more than 1048576 bytes")
        );
        assert!(kept <= 1 << 20);
    }
}
