//! The smolvm engine: the only code that knows its command line, its files, its texts and its false successes.
//!
//! [`Smolvm`] has one method per engine command, named after it. This room never prints, and knows nothing of snapshots.
//!
//! # What holds
//! - Exit status 0 is only a claim: the result is looked up in the engine's own list, or in the file that it wrote.
//! - Everything was learned by running engines. What holds for some of them only is a row of the table in `facts`.
//! - No value can pass for a flag: each is one word with its flag (`--name=NAME`), and a [`Name`] is checked when it is made.
//! - Secrets go through the engine's environment where it allows that, and are masked wherever a command line is shown.
//! - A command runs in a process group of its own, which a signal ends; one that changes something dies with this process.
//!   Its output is bounded.
//!
//! # Where things are
//! - `engine` is [`Smolvm`]; `locate` finds it and remembers its version, for as long as its `fingerprint` is the same;
//!   `installed` are the engines in the library.
//! - `list`, `lifecycle`, `create`, `exec` and `pack` are its commands; `guest_env` passes variables to a guest.
//! - `command` has the command lines that a dry run prints; `call` is one command line, `run` and `supervise` run it; its
//!   result is an `outcome` or an `error`.
//! - `machine` is a VM as it is listed, [`settings`] what a VM made from an artifact keeps of it.
//! - `record` is what the engine's database holds of a VM, and `disk` reads its disks; from these, `direct` makes what the
//!   engine would pack. `image` makes one tar of the files that an image VM sees.
//! - [`artifact`] reads, checks and changes `.smolmachine` files, [`secrets`] are removed from them, and `reference` is the
//!   name of one in a registry.
//! - `trial` packs an empty VM, and `whole` checks the engine's files: whether a freeze works.
//! - `host` is what the engine runs on, and what it leaves behind: disks, processes, helper VMs, folders.

pub mod artifact;
mod call;
mod command;
mod create;
mod direct;
mod disk;
mod engine;
mod error;
mod exec;
mod facts;
mod fingerprint;
mod guest_env;
mod host;
mod image;
pub mod installed;
mod lifecycle;
mod list;
pub mod locate;
mod machine;
mod outcome;
mod pack;
mod record;
mod reference;
mod retry;
mod run;
pub mod secrets;
pub mod settings;
mod state;
mod supervise;
mod trial;
mod version;
mod whole;

pub use artifact::hash_while_written::{StreamedHash, follow};
pub use call::Call;
pub use command::{CheckpointOptions, Command, Exec, PackOptions};
pub use create::{CreateOptions, Source};
pub use direct::down::check_down;
pub use direct::image::{DirectImage, check_image};
pub use direct::{Direct, Known, MissingBase, Open, check_bare, direct, missing_base, unpacked_layer};
pub use disk::{Disk, DiskError, LONGEST_CHAIN, qcow2};
pub use engine::{OnCall, Smolvm};
pub use error::{EngineError, Reason};
pub use exec::ExecEnd;
pub use facts::{ABILITIES, Fact, Proof};
pub use guest_env::EnvVar;
pub use host::helper_vms::end_helpers;
pub use host::processes::{CAN_SEE, end_vmm, is_being_started, process_with_open_disk, processes_using};
pub use host::{Disks, hypervisor, leftovers};
pub use image::{Flat, Listing};
pub use list::machine_ls_at_once;
pub use locate::EngineSource;
pub use machine::{DEFAULT_OVERLAY, DEFAULT_STORAGE, Machine, Name, State, is_local_image};
pub use pack::{CHECKPOINT_SUFFIX, PackStep};
pub use record::Record;
pub use reference::Reference;
pub use version::Version;
pub use whole::{broken_files, empty_program, has_libkrun};
