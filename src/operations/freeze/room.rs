//! Whether there is room for what a freeze may write, before the VM is stopped.

use super::context::Freeze;
use super::last::room_to_read;
use super::plan::Step;
use crate::error::{Failure, Result, Status};
use crate::files::free_bytes;
use crate::operations::packed;
use crate::smolvm::Disks;

impl Freeze<'_> {
    /// Checks that there is room. An engine that runs out of space fails only when the VM was stopped, and leaves what it has
    /// written. Of several VMs, those before it may have taken it: so each is checked again at its turn.
    ///
    /// # Errors
    /// It may take more than what is free.
    pub fn check_room(&self) -> Result<()> {
        let folder = self.target.folder();
        let Some(disks) = self.disks.as_deref().filter(|_| !self.cx.request.no_space_check) else { return Ok(()) };
        let (Ok(disks), Some(free)) = (Disks::read(disks), free_bytes(folder)) else { return Ok(()) };
        let needed = self.need(&disks, free);
        if needed <= free {
            return Ok(());
        }
        let how = if self.plan.has(&Step::ReadDisks) { "freezing" } else { "packing" };
        let (needed, free, folder) = (packed::size(needed), packed::size(free), folder.display());
        let what = format!("{how} '{}' may take {needed} in {folder}, where {free} are free", self.vm.name);
        Err(Failure::new(Status::NotWritable, what)
            .state(format!("'{}' is {} as before", self.vm.name, self.vm.state))
            .hint("free some space, choose another place with -o, or skip this check with --no-space-check"))
    }

    /// Bytes that it may take at its peak, to the byte if that is more than what is `free`.
    fn need(&self, disks: &Disks, free: u64) -> u64 {
        if self.plan.has(&Step::ReadDisks) {
            return room_to_read(&self.vm, disks, free, !self.cx.request.no_trim);
        }
        // Of a live one the RAM as well.
        let ram = if self.plan.is_live() { self.vm.memory_mib.saturating_mul(1 << 20) } else { 0 };
        if self.plan.is_live() && self.engine_store(self.target.folder()).is_some() {
            // The chunks of the engine, and those of the library, which are written from them.
            return disks.room_to_read(&|_| false).saturating_add(ram).saturating_mul(2);
        }
        // The RAM as it is, and compressed.
        disks.room_to_pack().saturating_add(ram.saturating_mul(2))
    }
}
