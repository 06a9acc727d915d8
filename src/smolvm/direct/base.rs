//! What a VM needs of its image on this host, to start and to be packed. It is looked for before a VM is stopped.

use super::origin::{ARCHIVE, FOLDER, ORDER, OWN, is_digest, shared_content};
use crate::smolvm::record::Record;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the engine keeps archives, in the folder for caches. It lends them to the guest at each start.
const STAGED: &str = "smolvm-image-archives";

/// A folder of this host that a VM needs of its image, and that is not there.
#[derive(Debug, PartialEq, Eq)]
pub struct MissingBase {
    /// The folder.
    pub folder: PathBuf,
    /// How to get it back.
    pub hint: &'static str,
}

/// What is missing on this host of the image of the VM with this record and this `folder`. Without it the VM does not start, and
/// the engine does not pack it. If it neither `starts` nor is packed, it does not need its archive: the files are on its disk.
pub fn missing_base(record: &Record, folder: &Path, starts: bool) -> Option<MissingBase> {
    if record.is_of_artifact() {
        let hint = "make another VM from the same artifact: smolvm unpacks it there again";
        return missing_content(record, folder).map(|folder| MissingBase { folder, hint });
    }
    let image = record.get("image").as_str()?;
    let (folder, hint) = if let Some(folder) = image.strip_prefix(FOLDER) {
        (PathBuf::from(folder), "put it back there, or a link to where it is now")
    } else {
        let name = image.strip_prefix(ARCHIVE).filter(|_| starts)?;
        let hint = "make another VM from the same archive: smolvm keeps it there again; or stop this one and freeze it then: its \
                    files are on its disk, but it will not start again";
        (dirs::cache_dir()?.join(STAGED).join(name), hint)
    };
    is_missing(&folder).then_some(MissingBase { folder, hint })
}

/// The folder that is missing in the artifact's content, which all VMs made from it share. Older engines keep it elsewhere.
fn missing_content(record: &Record, folder: &Path) -> Option<PathBuf> {
    let content = shared_content(folder)?;
    // smolvm ignores a note of what is gone: it unpacks the artifact, if that is there, into the VM's own folder.
    let is_source = |source: &str| Path::new(source).exists();
    let can_unpack = record.get("source_smolmachine").as_str().is_some_and(is_source);
    if is_missing(&content) && (can_unpack || folder.join(OWN).join("layers").is_dir()) {
        return None;
    }
    let layers = content.join("layers");
    if is_missing(&layers) {
        return Some(layers);
    }
    let order = fs::read_to_string(layers.join(ORDER)).ok()?;
    let mut all = order.lines().filter(|name| is_digest(name)).map(|name| layers.join(name));
    // Where the engine may not set owners, the guest unpacks the tar.
    all.find(|layer| is_missing(layer) && !layer.with_extension("tar").exists())
}

/// Whether there is no folder at this path. One that cannot be looked into may be there.
fn is_missing(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(meta) => !meta.is_dir(),
        Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_a_vm_needs_of_its_image_and_is_gone_is_known_without_its_disk() {
        let (folder, base) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let missing = |record: &Value, starts| {
            let missing = missing_base(&Record::parse(&record.to_string()).unwrap(), folder.path(), starts);
            missing.map(|missing| missing.folder)
        };
        let of_folder = json!({"image": format!("local-dir:{}", base.path().join("rootfs").display())});
        assert_eq!(missing(&of_folder, false), Some(base.path().join("rootfs")));
        fs::create_dir(base.path().join("rootfs")).unwrap();
        assert_eq!(missing(&of_folder, true), None);
        // What is on its disk is not looked for on this host.
        let of_archive = json!({"image": "local:there-is-no-archive-of-this-name"});
        assert!(
            missing(&of_archive, true).unwrap().ends_with("smolvm-image-archives/there-is-no-archive-of-this-name")
        );
        assert_eq!(missing(&of_archive, false), None);
        assert_eq!(missing(&json!({"image": "alpine"}), true), None);
        // The artifact counts, not the image that it was made from.
        let of_artifact = json!({"image": "local-dir:/missing", "source_smolmachine": "/a.smolmachine"});
        assert_eq!(missing(&of_artifact, true), None);
        fs::write(folder.path().join(".pack-shared"), format!("{}\n", base.path().display())).unwrap();
        let layers = base.path().join("layers");
        assert_eq!(missing(&of_artifact, true), Some(layers.clone()));
        let of_file = json!({"source_smolmachine": folder.path().join(".pack-shared")});
        assert_eq!(missing(&of_file, true), Some(layers.clone()));
        fs::create_dir(&layers).unwrap();
        assert_eq!(missing(&of_artifact, true), None);
        fs::write(layers.join("layer-order"), "aa01\nbb02\n").unwrap();
        fs::create_dir(layers.join("aa01")).unwrap();
        assert_eq!(missing(&of_artifact, true), Some(layers.join("bb02")));
        fs::write(layers.join("bb02.tar"), "").unwrap();
        assert_eq!(missing(&of_artifact, true), None);
        // The engine unpacks it again, or has done so.
        base.close().unwrap();
        assert_eq!(missing(&of_artifact, true), Some(layers));
        assert_eq!(missing(&of_file, true), None);
        fs::create_dir_all(folder.path().join("pack/layers")).unwrap();
        assert_eq!(missing(&of_artifact, true), None);
    }
}
