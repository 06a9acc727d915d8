//! Who uses a folder. Only Linux tells: elsewhere nobody can be ruled out.

use std::path::Path;
#[cfg(target_os = "linux")]
use std::path::PathBuf;

/// Whether it can be told who uses a folder.
pub const CAN_TELL: bool = cfg!(target_os = "linux");

/// The processes that run something in `folder`, have a file in it open or mapped, work in it, or have it as `TMPDIR`, as
/// far as this user may look; none where that cannot be told.
#[cfg(target_os = "linux")]
pub fn users_of(folder: &Path) -> Vec<u32> {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let me = std::process::id();
    processes().filter(|pid| *pid != me && uses(Path::new(&format!("/proc/{pid}")), &folder)).collect()
}

/// Whether an engine is at a `pack` that would put such a folder beside this one: between two of its files it has none of
/// them open. Other users' engines write files of their own.
#[cfg(target_os = "linux")]
pub fn pack_works_beside(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let me = rustix::process::geteuid().as_raw();
    processes().any(|pid| {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let is_mine = std::fs::metadata(&process).is_ok_and(|meta| meta.uid() == me);
        is_mine
            && is_pack(&process)
            && places(&process).is_none_or(|places| places.iter().any(|place| same(place, folder)))
    })
}

#[cfg(target_os = "linux")]
fn is_pack(process: &Path) -> bool {
    let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    let program = words.first().and_then(|word| word.rsplit(|byte| *byte == b'/').next()).unwrap_or_default();
    program.starts_with(b"smol") && words.contains(&&b"pack"[..])
        || words.contains(&&b"_boot-vm"[..]) && is_helper(&words)
}

/// The folders in which an engine with this process's environment makes its own.
#[cfg(target_os = "linux")]
fn places(process: &Path) -> Option<Vec<PathBuf>> {
    use std::os::unix::ffi::OsStrExt;
    let environment = std::fs::read(process.join("environ")).ok()?;
    let variable = |name: &str| {
        let value = environment.split(|byte| *byte == 0).find_map(|one| one.strip_prefix(name.as_bytes()))?;
        Some(PathBuf::from(std::ffi::OsStr::from_bytes(value)))
    };
    let caches = variable("HOME=").map(|home| home.join(".cache")).into_iter().chain(variable("XDG_CACHE_HOME="));
    let temporary = variable("TMPDIR=").unwrap_or_else(|| "/tmp".into());
    Some(caches.map(|cache| cache.join("smolvm")).chain([temporary]).collect())
}

#[cfg(target_os = "linux")]
fn same(place: &Path, folder: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    folder.parent().is_some_and(|parent| real(parent) == real(place))
}

/// The helper VM of a pack: its folder says so in `name`.
#[cfg(target_os = "linux")]
fn is_helper(words: &[&[u8]]) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let config = words.iter().find(|word| word.ends_with(b"/boot-config.json"));
    let folder = config.and_then(|word| Path::new(std::ffi::OsStr::from_bytes(word)).parent());
    folder
        .is_some_and(|folder| std::fs::read_to_string(folder.join("name")).is_ok_and(|name| name.starts_with("pack-")))
}

#[cfg(target_os = "linux")]
fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(target_os = "linux")]
fn uses(process: &Path, folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let leads_in = |link: std::path::PathBuf| std::fs::read_link(link).is_ok_and(|target| target.starts_with(folder));
    let open = |name: &str| std::fs::read_dir(process.join(name)).into_iter().flatten().flatten();
    let name = folder.as_os_str().as_bytes();
    let has = |file: &str, from: &[u8]| {
        let text = std::fs::read(process.join(file)).unwrap_or_default();
        text.split(|byte| *byte == 0 || *byte == b'\n').any(|part| part.starts_with(from) && contains(part, name))
    };
    ["cwd", "root", "exe"].iter().any(|link| leads_in(process.join(link)))
        || open("fd").any(|entry| leads_in(entry.path()))
        || has("maps", b"")
        || has("environ", b"TMPDIR=")
}

#[cfg(target_os = "linux")]
fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part)
}

/// Not to be told here.
#[cfg(not(target_os = "linux"))]
pub fn users_of(_folder: &Path) -> Vec<u32> {
    Vec::new()
}

/// Not to be told here.
#[cfg(not(target_os = "linux"))]
pub fn pack_works_beside(_folder: &Path) -> bool {
    true
}
