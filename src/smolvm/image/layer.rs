//! The layers of an image, and the folder of changes above them.

use super::file::{File, Place};
use super::owner;
use crate::ext4::{Ext4Error, FileSystem, Inode, Kind, Metadata};
use crate::files;
use crate::overlay::{Below, Marks, is_whiteout, names_of};
use crate::smolvm::disk::{Disk, DiskError, Random};
use rustix::fs::{lstat, major, minor};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Bytes of a file that are read at once.
const BUFFER: u64 = 1 << 20;
/// The most names in a folder and those above it: each takes about 1.4 KiB of memory, and a guest could have millions of them.
pub const MOST: usize = 100_000;
/// What a disk with more of them has.
pub const CROWDED: &str = "has more than 100,000 files in a folder and those above it";

/// Fills the buffer with the content of a file from this place on.
type ReadAt<'r> = dyn FnMut(u64, &mut [u8]) -> Result<(), DiskError> + 'r;

/// A folder with files of an image.
#[derive(Debug)]
pub enum Layer<'d> {
    /// On this host.
    Host(PathBuf),
    /// On a disk of the VM.
    Disk(&'d Files<'d>, Inode, Marks),
}

/// The files on a disk of the VM.
#[derive(Debug)]
pub struct Files<'d> {
    /// The file of the disk.
    pub path: PathBuf,
    /// Its file system.
    pub system: FileSystem<Random<'d>>,
}

impl<'d> Files<'d> {
    /// The files on a disk whose file is at this path.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or has features that are unknown here.
    pub fn open(path: &Path, disk: &'d Disk) -> Result<Self, DiskError> {
        let random = disk.random()?;
        let data = random.data();
        let system = FileSystem::open(random, data).map_err(|error| Self::error_of(path, error))?;
        Ok(Self { path: path.to_owned(), system })
    }

    /// The error with the path of the disk.
    pub fn error(&self, error: Ext4Error) -> DiskError {
        Self::error_of(&self.path, error)
    }

    /// The error of the disk at this path.
    fn error_of(path: &Path, error: Ext4Error) -> DiskError {
        let path = path.to_owned();
        match error {
            Ext4Error::Unreadable(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                DiskError::Unknown { path, why: "has files beyond its end".into() }
            }
            Ext4Error::Unreadable(source) => DiskError::Unreadable { path, source },
            Ext4Error::Unknown(why) => DiskError::Unknown { path, why: why.into() },
            error @ Ext4Error::Damaged(..) => DiskError::Unknown { path, why: format!("cannot be read: {error}") },
        }
    }

    /// The names in a folder; none in anything else.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or has too many.
    pub fn names(&self, folder: &Inode) -> Result<Vec<Vec<u8>>, DiskError> {
        let mut names = Vec::new();
        let mut add = |name: &[u8], _| {
            if names.len() == MOST {
                return Err(Ext4Error::Unknown(CROWDED));
            }
            names.push(name.to_vec());
            Ok(())
        };
        if folder.kind == Kind::Folder {
            self.system.entries(folder, &mut add).map_err(|error| self.error(error))?;
        }
        Ok(names)
    }

    /// The folder at this path.
    ///
    /// # Errors
    /// There is none, or the disk cannot be read.
    pub fn folder(&self, path: &str) -> Result<Inode, DiskError> {
        let found = self.find(path)?.filter(|found| found.kind == Kind::Folder);
        found.ok_or_else(|| DiskError::Unknown { path: self.path.clone(), why: format!("has no folder {path}") })
    }

    /// The content of the regular file at this path; nothing if there is none.
    ///
    /// # Errors
    /// It has more than `most` bytes, or the disk cannot be read.
    pub fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
        let Some(file) = self.find(path)?.filter(|file| file.kind == Kind::File) else { return Ok(None) };
        let bytes = usize::try_from(file.size().min(most.saturating_add(1))).unwrap_or(usize::MAX);
        if bytes as u64 > most {
            return Err(DiskError::Unknown { path: self.path.clone(), why: format!("has a large file {path}") });
        }
        let mut content = vec![0; bytes];
        let extents = self.system.extents(&file).map_err(|error| self.error(error))?;
        self.system.read(&extents, 0, &mut content).map_err(|error| self.error(error))?;
        Ok(Some(content))
    }

    /// The file at this path, through folders only; nothing if there is none.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn find(&self, path: &str) -> Result<Option<Inode>, DiskError> {
        let mut found = self.system.inode(crate::ext4::ROOT).map_err(|error| self.error(error))?;
        for name in path.split('/') {
            if found.kind != Kind::Folder {
                return Ok(None);
            }
            let number = self.system.lookup(&found, name.as_bytes()).map_err(|error| self.error(error))?;
            let Some(number) = number else { return Ok(None) };
            found = self.system.inode(number).map_err(|error| self.error(error))?;
        }
        Ok(Some(found))
    }
}

impl Layer<'_> {
    /// The folder itself.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn root(&self) -> Result<File, DiskError> {
        let root = match self {
            Self::Host(path) => {
                let mut root = on_host(path.clone())?;
                owner::set(path, &mut root)?;
                root
            }
            Self::Disk(_, inode, _) => on_disk(inode.clone()),
        };
        if root.metadata.kind == Kind::Folder { Ok(root) } else { Err(self.unknown("is not a folder")) }
    }

    /// The names in a folder of it, in order, with their files.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn entries(&self, folder: &File) -> Result<Vec<(Vec<u8>, File)>, DiskError> {
        let mut all = Vec::new();
        match (self, &folder.place) {
            (_, Place::Host(path)) => {
                let unreadable = |source| DiskError::Unreadable { path: path.clone(), source };
                let are_recorded = owner::are_recorded(path)?;
                for entry in fs::read_dir(path).map_err(unreadable)? {
                    let entry = entry.map_err(unreadable)?;
                    if all.len() == MOST {
                        return Err(self.unknown(CROWDED));
                    }
                    let file = owned(&entry.path(), are_recorded)?;
                    all.push((entry.file_name().as_bytes().to_vec(), file));
                }
            }
            (Self::Disk(files, ..), Place::Disk(inode)) => {
                let mut add = |name: &[u8], number| {
                    if all.len() == MOST {
                        return Err(Ext4Error::Unknown(CROWDED));
                    }
                    all.push((name.to_vec(), on_disk(files.system.inode(number)?)));
                    Ok(())
                };
                files.system.entries(inode, &mut add).map_err(|error| files.error(error))?;
            }
            (Self::Host(path), Place::Disk(_)) => return Err(elsewhere(path)),
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }

    /// The file with this name in a folder of it, if there is one.
    fn lookup(&self, folder: &File, name: &[u8]) -> Result<Option<File>, DiskError> {
        match (self, &folder.place) {
            (_, Place::Host(path)) => match owned(&path.join(OsStr::from_bytes(name)), owner::are_recorded(path)?) {
                Err(DiskError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
                file => file.map(Some),
            },
            (Self::Disk(files, ..), Place::Disk(inode)) => {
                let find = || files.system.lookup(inode, name)?.map(|number| files.system.inode(number)).transpose();
                Ok(find().map_err(|error| files.error(error))?.map(on_disk))
            }
            (Self::Host(path), Place::Disk(_)) => Err(elsewhere(path)),
        }
    }

    /// What a folder lies over.
    ///
    /// # Errors
    /// It cannot be read, or has an attribute of overlayfs that is not known.
    pub fn below(&self, folder: &File) -> Result<Below, DiskError> {
        let (Self::Disk(files, _, marks), Place::Disk(inode)) = (self, &folder.place) else { return Ok(Below::There) };
        let Some(prefix) = marks.prefix() else { return Ok(Below::There) };
        let attributes = files.system.attributes(inode).map_err(|error| files.error(error))?;
        Below::of(&attributes, prefix).map_err(|why| files.error(Ext4Error::Unknown(why)))
    }

    /// Whether a file hides what lies below it under its name, and is itself none that a guest sees.
    pub fn is_whiteout(&self, file: &File) -> bool {
        let hides = !matches!(self, Self::Disk(.., Marks::None));
        hides && is_whiteout(file.metadata.kind, file.metadata.device)
    }

    /// Whether a file of it has only attributes that are known.
    ///
    /// # Errors
    /// It cannot be read, or has an attribute of overlayfs that is not known.
    pub fn check_file(&self, file: &File) -> Result<(), DiskError> {
        if self.below(file)? == Below::There {
            Ok(())
        } else {
            Err(self.unknown("has a file that is marked as a folder"))
        }
    }

    /// The folder with this path below another, if it has that, and whether it hides the layers below: it, or one on the way.
    /// `on_name` is called for each name that is looked up.
    ///
    /// # Errors
    /// It cannot be read, a folder on the way was renamed in this layer, or `on_name` failed.
    pub fn folder_at<E: From<DiskError>>(
        &self,
        top: &File,
        path: &[u8],
        on_name: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<(Option<File>, bool), E> {
        let (mut found, mut hides) = (None, false);
        for name in names_of(path) {
            on_name()?;
            let Some(file) = self.lookup(found.as_ref().unwrap_or(top), name)? else { return Ok((None, hides)) };
            if file.metadata.kind != Kind::Folder {
                return Ok((None, true));
            }
            match self.below(&file)? {
                Below::There => {}
                Below::Nowhere => hides = true,
                Below::Elsewhere(_) => return Err(self.unknown("has a folder that was renamed in two layers").into()),
            }
            found = Some(file);
        }
        Ok((found, hides))
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn link(&self, file: &File) -> Result<Vec<u8>, DiskError> {
        match (self, &file.place) {
            (_, Place::Host(path)) => match fs::read_link(path) {
                Ok(target) => Ok(target.as_os_str().as_bytes().to_vec()),
                Err(source) => Err(DiskError::Unreadable { path: path.clone(), source }),
            },
            (Self::Disk(files, ..), Place::Disk(inode)) => files.system.link(inode).map_err(|error| files.error(error)),
            (Self::Host(path), Place::Disk(_)) => Err(elsewhere(path)),
        }
    }

    /// Passes the content of a regular file to `on_data`, holes as zeros.
    ///
    /// # Errors
    /// It cannot be read, changed meanwhile, or `on_data` failed.
    pub fn read<E: From<DiskError>>(
        &self,
        file: &File,
        on_data: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut buffer = vec![0; usize::try_from(file.metadata.size.min(BUFFER)).unwrap_or(0)];
        let read_at: &mut ReadAt<'_> = match (self, &file.place) {
            (_, Place::Host(path)) => &mut host_reader(path, file)?,
            (Self::Disk(files, ..), Place::Disk(inode)) => {
                let extents = files.system.extents(inode).map_err(|error| files.error(error))?;
                &mut move |at, buffer| files.system.read(&extents, at, buffer).map_err(|error| files.error(error))
            }
            (Self::Host(path), Place::Disk(_)) => return Err(elsewhere(path).into()),
        };
        let mut at = 0;
        while at < file.metadata.size {
            let bytes = usize::try_from((file.metadata.size - at).min(BUFFER)).unwrap_or(0);
            let part = buffer.get_mut(..bytes).unwrap_or_default();
            read_at(at, part)?;
            on_data(part)?;
            at = at.saturating_add(bytes as u64);
        }
        if let Place::Host(path) = &file.place {
            open_unchanged(path, file)?;
        }
        Ok(())
    }

    /// The error for something in it that is not known: completes a sentence that begins with it.
    pub fn unknown(&self, why: impl Into<String>) -> DiskError {
        let (Self::Host(path) | Self::Disk(Files { path, .. }, ..)) = self;
        DiskError::Unknown { path: path.clone(), why: why.into() }
    }
}

/// A file that is not where its layer is: an error of this program.
fn elsewhere(path: &Path) -> DiskError {
    DiskError::Unknown { path: path.to_owned(), why: "has a file that is elsewhere".into() }
}

/// Reads a file of this host, which must not change meanwhile.
fn host_reader(path: &Path, file: &File) -> Result<impl FnMut(u64, &mut [u8]) -> Result<(), DiskError>, DiskError> {
    let (open, path) = (open_unchanged(path, file)?, path.to_owned());
    Ok(move |at, buffer: &mut [u8]| {
        open.read_exact_at(buffer, at).map_err(|source| DiskError::Unreadable { path: path.clone(), source })
    })
}

/// Opens a file of this host, if it is what it was when its folder was read.
fn open_unchanged(path: &Path, file: &File) -> Result<fs::File, DiskError> {
    let unreadable = |source: io::Error| DiskError::Unreadable { path: path.to_owned(), source };
    let open = files::open_existing(path).map_err(unreadable)?;
    if files::stamp(&open.metadata().map_err(unreadable)?) == file.stamp {
        return Ok(open);
    }
    Err(DiskError::Unknown { path: path.to_owned(), why: "was changed while it was read".into() })
}

/// A file of this host, in a folder where owners are recorded or not.
fn owned(path: &Path, are_recorded: bool) -> Result<File, DiskError> {
    let mut file = on_host(path.to_owned())?;
    if are_recorded {
        owner::set(path, &mut file)?;
    }
    Ok(file)
}

fn on_host(path: PathBuf) -> Result<File, DiskError> {
    let unreadable = |source| DiskError::Unreadable { path: path.clone(), source };
    let meta = fs::symlink_metadata(&path).map_err(unreadable)?;
    // In the type of this system, which `meta` does not have.
    let device = lstat(&path).map_err(|error| unreadable(error.into()))?.st_rdev;
    let Some(kind) = Kind::of_mode(meta.mode()) else {
        return Err(DiskError::Unknown { path, why: "is a file of an unknown kind".into() });
    };
    let metadata = Metadata {
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        size: meta.len(),
        modified: (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap_or(0)),
        links: meta.nlink(),
        device: (major(device), minor(device)),
    };
    Ok(File { metadata, number: meta.ino(), stamp: files::stamp(&meta), place: Place::Host(path) })
}

fn on_disk(inode: Inode) -> File {
    let (metadata, number) = (inode.metadata(), inode.number.into());
    File { metadata, number, stamp: [0; 7], place: Place::Disk(inode) }
}
