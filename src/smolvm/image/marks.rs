//! The marks of overlayfs: what a folder of a layer hides, or shows, of the layers below.

use crate::ext4::Attribute;

/// How the names of attributes of overlayfs begin that only root can set.
const TRUSTED: &[u8] = b"trusted.overlay.";
/// The attributes of overlayfs that change nothing of what a guest sees.
const HARMLESS: [&[u8]; 4] = [b"origin", b"impure", b"uuid", b"upper"];

/// How the kernel of the guest knows what a layer hides. Attributes of the other kind mean nothing to it, and anybody in the
/// guest can set those of `user.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// By attributes of `trusted.overlay.`.
    Trusted,
    /// By attributes of `user.overlay.`, as it is mounted with `userxattr`.
    User,
    /// It is a folder of its own, which hides nothing.
    None,
}

impl Marks {
    /// How the names of these attributes begin.
    pub fn prefix(self) -> Option<&'static [u8]> {
        match self {
            Self::Trusted => Some(TRUSTED),
            Self::User => Some(b"user.overlay."),
            Self::None => None,
        }
    }
}

/// What a folder of a layer lies over.
#[derive(Debug, PartialEq, Eq)]
pub enum Below {
    /// The folders of its name in the layers below.
    There,
    /// Nothing.
    Nowhere,
    /// It was renamed: those of this name in the same folder or, after a slash, of this path.
    Elsewhere(Vec<u8>),
}

impl Below {
    /// What a folder with these attributes lies over: those with this prefix count.
    ///
    /// # Errors
    /// One is not known.
    pub fn of(attributes: &[Attribute], prefix: &[u8]) -> Result<Self, &'static str> {
        let (mut is_opaque, mut renamed) = (false, None);
        for (name, value) in attributes {
            match name.strip_prefix(prefix) {
                None => {}
                Some(b"opaque") if value == b"y" => is_opaque = true,
                // With `userxattr`, Linux renames no folders of lower layers.
                Some(b"redirect") if prefix == TRUSTED && is_path(value) => renamed = Some(value),
                Some(name) if HARMLESS.contains(&name) => {}
                Some(_) => return Err("has a file with an unknown attribute of overlayfs"),
            }
        }
        Ok(match renamed {
            _ if is_opaque => Self::Nowhere,
            Some(path) => Self::Elsewhere(path.clone()),
            None => Self::There,
        })
    }
}

/// Whether overlayfs takes it for what a renamed folder lies over.
fn is_path(path: &[u8]) -> bool {
    let has_names = names_of(path).all(|name| !name.is_empty());
    has_names && (path.starts_with(b"/") || !path.contains(&b'/'))
}

/// The names in such a path.
pub fn names_of(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/')
}
