//! Whether there is room for what the freezes of one command may write, before anything is stopped.

use super::context::Freeze;
use super::last::room_to_read;
use super::plan::Step;
use super::request::Request;
use crate::error::{Failure, Result, Status};
use crate::files::free_bytes;
use crate::operations::{packed, several};
use crate::smolvm::Disks;
use std::cmp::Reverse;
use std::path::Path;

/// What the freezes of one command may take. All of them write to one file system: `-o` is for one VM.
pub struct Room {
    /// How many VMs are to share it.
    vms: usize,
    /// How many of them are frozen at the same time.
    at_once: usize,
    /// Those that fit.
    needs: Vec<Need>,
}

/// Bytes that the freeze of a VM may take.
#[derive(Clone, Copy)]
struct Need {
    /// What the snapshot takes.
    kept: u64,
    /// What it takes besides until it is done.
    besides: u64,
}

impl Room {
    /// For the freeze of so many VMs.
    pub fn new(request: &Request, vms: usize) -> Self {
        Self { vms, at_once: several::jobs(request.jobs, vms), needs: Vec::new() }
    }

    /// What they may take: all snapshots, and the most that those take besides that are made at the same time.
    fn taken(&self) -> u64 {
        let mut besides: Vec<u64> = self.needs.iter().map(|need| need.besides).collect();
        besides.sort_unstable_by_key(|bytes| Reverse(*bytes));
        let kept = self.needs.iter().map(|need| need.kept);
        kept.chain(besides.into_iter().take(self.at_once)).fold(0, u64::saturating_add)
    }

    /// Adds a freeze, if there are `free` bytes for all.
    ///
    /// # Errors
    /// There are not: what this one may take, and what the others may.
    fn add(&mut self, need: Need, free: u64) -> Result<(), (u64, u64)> {
        let others = self.taken();
        self.needs.push(need);
        let all = self.taken();
        if all <= free {
            return Ok(());
        }
        self.needs.pop();
        Err((all.saturating_sub(others), others))
    }
}

impl Freeze<'_> {
    /// Checks that the freeze fits in beside the others of the command. An engine that runs out of space fails only when the VM
    /// was stopped, and leaves what it has written.
    ///
    /// # Errors
    /// It may take more than what is free.
    pub fn check_room(&self, disks: &Path, room: &mut Room) -> Result<()> {
        let folder = self.target.folder();
        let (Ok(disks), Some(free)) = (Disks::read(disks), free_bytes(folder)) else { return Ok(()) };
        // What a rough count adds to the needs of one VM, another one may lack.
        let spare = if room.vms > 1 { 0 } else { free };
        let Err((needed, others)) = room.add(self.need(&disks, spare), free) else { return Ok(()) };
        let (vm, how) = (&self.vm, if self.plan.has(&Step::ReadDisks) { "freezing" } else { "packing" });
        let (needed, free, folder) = (packed::size(needed), packed::size(free), folder.display());
        let mut what = format!("{how} '{}' may take {needed} in {folder}, where {free} are free", vm.name);
        if others > 0 {
            what = format!("{what}, and the VMs before it may take {} of that", packed::size(others));
        }
        Err(Failure::new(Status::NotWritable, what)
            .state(format!("'{}' is {} as before", vm.name, vm.state))
            .hint("free some space, choose another place with -o, or skip this check with --no-space-check"))
    }

    /// What it may take, to the byte if that is more than `spare`.
    fn need(&self, disks: &Disks, spare: u64) -> Need {
        if self.plan.has(&Step::ReadDisks) {
            return Need { kept: room_to_read(&self.vm, disks, spare), besides: 0 };
        }
        // Of a live one the RAM as well.
        let ram = if self.plan.is_live() { self.vm.memory_mib.saturating_mul(1 << 20) } else { 0 };
        let kept = disks.room_to_read(&|_| false).saturating_add(ram);
        let peak = if self.plan.is_live() && self.engine_store(self.target.folder()).is_some() {
            // The chunks of the engine, and those of the library, which are written from them.
            kept.saturating_mul(2)
        } else {
            // The RAM as it is, and compressed.
            disks.room_to_pack().saturating_add(ram.saturating_mul(2))
        };
        let kept = if self.cx.request.keeps_whole() { peak } else { kept };
        Need { kept, besides: peak.saturating_sub(kept) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_snapshots_fit_together_and_what_is_written_at_the_same_time_as_well() {
        let needs = [(10, 5), (10, 70), (10, 60), (1, 0)].map(|(kept, besides)| Need { kept, besides });
        for (at_once, taken) in [(1, 101), (2, 161), (9, 166)] {
            let mut room = Room { vms: needs.len(), at_once, needs: Vec::new() };
            assert!(needs.iter().all(|need| room.add(*need, taken).is_ok()));
            assert_eq!(room.taken(), taken);
            assert_eq!(room.add(Need { kept: 1, besides: 0 }, taken), Err((1, taken)));
            assert_eq!(room.taken(), taken);
        }
    }
}
