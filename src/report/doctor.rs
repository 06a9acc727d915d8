//! What `doctor` prints.

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Value, json};

/// Whether freezing works here.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// True if no check found a problem.
    pub ok: bool,
    /// The checks, always in this order.
    pub checks: Vec<Check>,
    /// What --fix could not remove.
    pub warnings: Vec<String>,
}

/// One check.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Check {
    /// What was checked.
    #[schemars(extend("enum" = ["engine", "hypervisor", "vms", "library", "space", "leftovers", "completion", "schedules"]))]
    pub name: &'static str,
    /// With a problem, no freeze works; with a warning, freezing still works.
    pub verdict: Verdict,
    /// What was found, for people to read.
    pub what: String,
    /// How to fix it; null if there is nothing to fix.
    pub hint: Option<String>,
    /// What was found, for programs; null if there are no details.
    pub details: Option<Details>,
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, transform = words)]
pub enum Verdict {
    /// As it must be.
    Ok,
    /// A freeze works without it.
    Warning,
    /// No freeze works.
    Problem,
}

/// What was found, for programs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Details {
    /// The engine.
    Engine {
        /// Its version.
        version: String,
        /// The path of its executable.
        path: String,
        /// Where the choice comes from (an option, a variable, PATH, ...).
        from: String,
        /// How its command line names a VM.
        dialect: String,
        /// What it supports.
        can: Vec<String>,
        /// What it does not support.
        cannot: Vec<String>,
    },
    /// The VMs.
    Vms {
        /// The VMs that smolvm lists as down, and whose disks a process has open.
        used: Vec<UsedVm>,
    },
    /// The library.
    Library {
        /// Its path.
        folder: String,
        /// The number of snapshots.
        snapshots: usize,
        /// The number of damaged entries.
        damaged: usize,
        /// The size of all snapshots in bytes.
        bytes: u64,
    },
    /// The free space.
    Space {
        /// Bytes free for the library.
        free_bytes: u64,
    },
    /// What killed commands left.
    Leftovers {
        /// Bytes removed by --fix.
        removed_bytes: u64,
        /// The folders that are left.
        folders: Vec<Folder>,
    },
}

/// A VM that is down, and whose disks a process has open.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct UsedVm {
    /// Its name.
    pub vm: String,
    /// Its state as smolvm lists it.
    pub state: String,
    /// The number of the process.
    pub pid: u32,
}

/// A leftover folder.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Folder {
    /// Its path.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// True if no process uses it.
    pub ownerless: bool,
}

/// An enum of words, whatever is said of each.
fn words(schema: &mut Schema) {
    let Some(Value::Array(variants)) = schema.remove("oneOf") else { return };
    let words: Vec<Value> = variants.iter().filter_map(|variant| variant.get("const").cloned()).collect();
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), Value::Array(words));
}
