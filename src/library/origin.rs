//! Where a snapshot comes from.

use crate::clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// How a snapshot came into this library. Written on arrival, over what its own file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// frozen (here), imported or pulled.
    pub kind: String,
    /// The file, or the name in a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When it arrived.
    #[schemars(extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

const FROZEN: &str = "frozen";

impl Origin {
    /// The origin of a snapshot that is frozen here.
    pub fn here() -> Self {
        Self { kind: FROZEN.into(), from: None, at: None }
    }

    /// The origin of a snapshot that arrives now; `kind` is `imported` or `pulled`.
    pub fn elsewhere(kind: &str, from: &str) -> Self {
        Self { kind: kind.into(), from: Some(from.into()), at: Some(clock::rfc3339_millis(SystemTime::now())) }
    }

    /// Whether the snapshot was frozen here.
    pub fn is_here(&self) -> bool {
        self.kind == FROZEN
    }
}
