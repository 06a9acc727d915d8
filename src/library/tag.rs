//! Tags: names for snapshots, chosen by the user.

use super::layout::{SUFFIXES, is_id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands for the newest snapshot of a VM, unless an older version gave one this tag.
pub const LATEST: &str = "latest";

/// A name for a snapshot, unique among the snapshots of its VM: 1–64 of `[A-Za-z0-9._-]`, starting with a letter or a
/// digit. A new tag must not look like an id or a file, and is not `latest`; older versions allowed that.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, description = "A tag.", extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
pub struct Tag(String);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A tag that an existing snapshot may have.
    ///
    /// # Errors
    /// No snapshot can have it.
    pub fn existing(text: &str) -> Result<Self, &'static str> {
        let is_start_valid = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let is_valid = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if is_start_valid && is_valid && text.len() <= 64 {
            return Ok(Self(text.to_owned()));
        }
        Err("a tag has 1 to 64 letters, digits, '.', '_' and '-', and starts with a letter or a digit")
    }

    /// Checks that this can be a new tag.
    ///
    /// # Errors
    /// It looks like an id or a file, or stands for something else.
    pub fn check_new(&self) -> Result<(), &'static str> {
        if is_id(&self.0) {
            return Err("eight hexadecimal digits could be the id of a snapshot");
        }
        if self.0 == LATEST {
            return Err("VM@latest is the newest snapshot of a VM, whatever its tags");
        }
        if SUFFIXES.iter().any(|suffix| self.0.ends_with(suffix)) {
            return Err("a tag with this ending could be a file");
        }
        Ok(())
    }
}

impl TryFrom<String> for Tag {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::existing(&text)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl std::str::FromStr for Tag {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tag = Self::existing(text)?;
        tag.check_new().map(|()| tag)
    }
}
