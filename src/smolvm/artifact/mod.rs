//! The `.smolmachine` file: zstd-compressed tar, JSON manifest, 64-byte footer. All engines write the same layout, format
//! version 1; versions 2 and 3 were used before the oldest engine that this program runs.

mod apart;
mod content;
pub mod embedded_metadata;
mod error;
pub mod hash_while_written;
mod manifest;
mod member;
mod together;

pub use apart::{TOO_LARGE, WINDOW, most_data, take_apart};
pub(super) use content::Content;
pub use content::{Artifact, assets, details, verify, verify_and_read};
pub use error::ArtifactError;
pub use manifest::{Details, Manifest};
pub use member::{CONTENT_LIMIT, MEMBERS, Member, MemberKind, Part};
pub use together::{BLOCK, END, footer, headers, padding};
