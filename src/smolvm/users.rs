//! Who uses a folder. Only Linux tells: elsewhere nobody can be ruled out.

use std::path::Path;

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

/// Whether an engine of any user is at a `pack`: between two of its files it has none of them open.
#[cfg(target_os = "linux")]
pub fn packs_run() -> bool {
    processes().any(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let program = words.first().and_then(|word| word.rsplit(|byte| *byte == b'/').next()).unwrap_or_default();
        program.starts_with(b"smol") && words.contains(&&b"pack"[..])
            || words.contains(&&b"_boot-vm"[..]) && is_helper(&words)
    })
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
pub fn packs_run() -> bool {
    true
}
