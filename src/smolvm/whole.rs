//! Whether the files of an engine are complete, as far as a pack does not show it: an engine whose libraries or guest's system
//! are empty files packs, but starts no VM.

use super::artifact;
use super::disk::STORAGE_TEMPLATE;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The incomplete libraries and disk templates of `engine`: beside it, or in `$SMOLVM_LIB_DIR`.
pub fn broken_files(engine: &Path) -> Vec<PathBuf> {
    let mut broken: Vec<PathBuf> = files(engine).filter(|path| is_broken(path)).collect();
    broken.sort();
    broken.dedup();
    broken
}

/// Whether `engine` runs VMs itself, with its own libkrun. Another one, such as a script, may have them run elsewhere.
pub fn has_libkrun(engine: &Path) -> bool {
    files(engine).any(|path| is_libkrun(&path.file_name().unwrap_or_default().to_string_lossy()))
}

/// The template of `engine` for the disk that has the changes of an image VM.
pub fn storage_template(engine: &Path) -> Option<PathBuf> {
    files(engine).find(|path| path.file_name() == Some(OsStr::new(STORAGE_TEMPLATE)))
}

/// The files beside `engine`, or in `$SMOLVM_LIB_DIR`.
fn files(engine: &Path) -> impl Iterator<Item = PathBuf> {
    let engine = fs::canonicalize(engine).unwrap_or_else(|_| engine.to_owned());
    let beside = engine.parent().unwrap_or(Path::new("/"));
    let named = std::env::var_os("SMOLVM_LIB_DIR").map(PathBuf::from);
    // The layouts of a wheel, of a release, and of `engine install`.
    let folders = named.map_or_else(
        || vec![beside.to_owned(), beside.join("lib"), beside.with_file_name("lib"), beside.with_file_name("")],
        |named| vec![named],
    );
    folders.into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten().map(|entry| entry.path())
}

fn is_libkrun(name: &str) -> bool {
    name.starts_with("libkrun") && [".so", ".dylib"].iter().any(|suffix| name.contains(suffix))
}

/// Whether this is an incomplete file that the engine needs.
fn is_broken(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let check: fn(&mut File, u64) -> Option<bool> = match () {
        () if is_libkrun(&name) => is_library_whole,
        () if name.ends_with("-template.ext4") => is_ext4,
        () => return false,
    };
    let open = || Some((File::open(path).ok()?, fs::metadata(path).ok()?.len()));
    !open().and_then(|(mut file, bytes)| check(&mut file, bytes)).unwrap_or(false)
}

/// Whether an ELF file is as long as its header says: the table of sections comes last. On macOS a file in another format
/// counts as whole.
fn is_library_whole(file: &mut File, bytes: u64) -> Option<bool> {
    let mut header = [0; 64];
    file.read_exact(&mut header).ok()?;
    if !header.starts_with(b"\x7fELF") {
        return Some(cfg!(target_os = "macos"));
    }
    let table = u64::from_le_bytes(header.get(40..48)?.try_into().ok()?);
    let short = |at: usize| header.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes).map(u64::from);
    Some(table.checked_add(short(58)? * short(60)?)? <= bytes)
}

/// Whether it has the magic number of ext4.
fn is_ext4(file: &mut File, _: u64) -> Option<bool> {
    let mut magic = [0; 2];
    file.seek(SeekFrom::Start(1080)).ok()?;
    file.read_exact(&mut magic).ok()?;
    Some(magic == [0x53, 0xef])
}

/// A program of the guest's system in this artifact that is an empty file. No intact engine has one.
pub fn empty_program(artifact: &Path) -> Option<PathBuf> {
    let assets = zstd::Decoder::new(artifact::assets(artifact).ok()?).ok()?;
    let mut outer = tar::Archive::new(assets);
    let guest = outer.entries().ok()?.flatten().find(|entry| entry.path_bytes().ends_with(b"agent-rootfs.tar"))?;
    let mut guest = tar::Archive::new(guest);
    let is_empty_program = |entry: &tar::Entry<'_, _>| {
        let header = entry.header();
        header.entry_type().is_file() && header.mode().is_ok_and(|mode| mode & 0o111 != 0) && entry.size() == 0
    };
    let empty = guest.entries().ok()?.flatten().find(is_empty_program)?;
    empty.path().ok().map(std::borrow::Cow::into_owned)
}
