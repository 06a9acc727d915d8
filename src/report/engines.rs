//! What the commands print that act on installed engines.

use super::JsonPath;
use crate::smolvm::installed::Installed;
use schemars::JsonSchema;
use serde::Serialize;

/// An engine installed by bottle-freeze.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InstalledEngine {
    /// Its version.
    pub version: String,
    /// Whether it is the one in use, unless another is named.
    pub in_use: bool,
    /// The path of its executable.
    pub path: JsonPath,
}

impl From<&Installed> for InstalledEngine {
    fn from(one: &Installed) -> Self {
        Self { version: one.version.to_string(), in_use: one.in_use, path: JsonPath(one.executable()) }
    }
}

/// An engine that was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RemovedEngine {
    /// Its version.
    pub version: String,
    /// True: one that is still there is a failure.
    pub removed: bool,
}
