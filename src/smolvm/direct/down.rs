//! What shows of a VM that is not up, before its disks are read.

use super::image;
use super::known::{check_files, check_vm, disk_file};
use crate::smolvm::machine::Machine;
use crate::smolvm::record::Record;
use std::path::Path;

/// Whether a VM that is not up can be frozen without the engine, as far as that shows without reading its disks to the end.
/// `trial` is the record of an empty VM, if there is one.
///
/// # Errors
/// Why only the engine can pack it, as a sentence.
pub fn check_down(vm: &Machine, record: &Record, trial: Option<&Record>, folder: &Path) -> Result<(), String> {
    check_vm(vm, record, trial.unwrap_or(record))?;
    if vm.image.is_some() {
        return image::check_found(vm, record, folder);
    }
    check_files(folder)?;
    disk_file(folder, "overlay").map(drop)
}
