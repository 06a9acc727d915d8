//! The marks of overlayfs: what a folder of a layer hides, or shows, of the layers below.

use crate::ext4::{Attribute, Kind};

/// How the names of attributes of overlayfs begin that only root can set.
pub const TRUSTED: &[u8] = b"trusted.overlay.";
/// The attributes of overlayfs that change nothing of the names and contents that a guest sees. `nlink` does: with `index=on`,
/// which writes it, other names of the file show its new content without being in the upper layer. The engine mounts without.
const HARMLESS: [&[u8]; 5] = [b"origin", b"impure", b"uuid", b"upper", b"protattr"];
/// How the rest of a name begins if the guest set an attribute with a name of these: it is none for overlayfs.
const ESCAPED: &[u8] = b"overlay.";

/// The most layers that Linux mounts as one (`OVL_MAX_STACK`).
pub const MOST_LAYERS: usize = 500;
/// The longest path, in bytes. No program of the guest can open a longer one, and Linux marks folders with far shorter ones.
pub const LONGEST_PATH: usize = 4096;

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
#[derive(Debug, Clone, PartialEq, Eq)]
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
                Some(b"metacopy") => return Err("has a file whose content is elsewhere, which is not read"),
                Some(name) if HARMLESS.contains(&name) || name.starts_with(ESCAPED) => {}
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
    // On this host, `..` would lead out of the layer.
    let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&0);
    let has_names = path.len() <= LONGEST_PATH && names_of(path).all(is_name);
    has_names && (path.starts_with(b"/") || !path.contains(&b'/'))
}

/// The names in such a path.
pub fn names_of(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/')
}

/// Whether a file of this kind, and with this number of a device, only hides those of its name in the layers below.
pub fn is_whiteout(kind: Kind, device: (u32, u32)) -> bool {
    kind == Kind::CharacterDevice && device == (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIXES: [Marks; 2] = [Marks::Trusted, Marks::User];

    /// What a folder with this attribute of overlayfs lies over.
    fn below(marks: Marks, name: &str, value: &[u8]) -> Result<Below, &'static str> {
        let prefix = marks.prefix().unwrap();
        Below::of(&[([prefix, name.as_bytes()].concat(), value.to_vec())], prefix)
    }

    #[test]
    fn what_linux_writes_without_hiding_anything_changes_nothing() {
        // The last two were set by the guest, as `trusted.overlay.opaque` and so on.
        for name in ["origin", "impure", "uuid", "upper", "protattr", "overlay.opaque", "overlay.whiteout"] {
            for marks in PREFIXES {
                assert_eq!(below(marks, name, b"y"), Ok(Below::There), "{name}");
            }
        }
        let other = vec![(b"user.overlay.opaque".to_vec(), b"y".to_vec()), (b"user.color".to_vec(), b"red".to_vec())];
        assert_eq!(Below::of(&other, TRUSTED), Ok(Below::There), "marks of the other kind");
    }

    #[test]
    fn an_opaque_folder_lies_over_nothing_even_if_it_was_renamed() {
        for marks in PREFIXES {
            assert_eq!(below(marks, "opaque", b"y"), Ok(Below::Nowhere));
        }
        let both = [("redirect", &b"/a"[..]), ("opaque", b"y")];
        let both = both.map(|(name, value)| ([TRUSTED, name.as_bytes()].concat(), value.to_vec()));
        assert_eq!(Below::of(&both, TRUSTED), Ok(Below::Nowhere));
    }

    #[test]
    fn a_renamed_folder_lies_over_a_name_beside_it_or_a_path() {
        for path in ["r", "/a", "/a/b"] {
            let renamed = below(Marks::Trusted, "redirect", path.as_bytes());
            assert_eq!(renamed, Ok(Below::Elsewhere(path.into())));
            assert!(below(Marks::User, "redirect", path.as_bytes()).is_err(), "Linux makes none: {path}");
        }
        for path in ["", "/", "a/b", "/a//b", "/a/"] {
            assert!(below(Marks::Trusted, "redirect", path.as_bytes()).is_err(), "{path}");
        }
    }

    #[test]
    fn a_renamed_folder_neither_leaves_its_layer_nor_lies_over_an_endless_path() {
        for path in ["..", ".", "/..", "/a/../../b", "/a/.", "a\0b"] {
            assert!(below(Marks::Trusted, "redirect", path.as_bytes()).is_err(), "{path:?}");
        }
        let (longest, longer) = ("/a".repeat(LONGEST_PATH / 2), "/a".repeat(LONGEST_PATH / 2 + 1));
        assert!(below(Marks::Trusted, "redirect", longest.as_bytes()).is_ok());
        assert!(below(Marks::Trusted, "redirect", longer.as_bytes()).is_err());
    }

    #[test]
    fn what_may_hide_or_replace_files_in_another_way_is_refused() {
        // `opaque` is `x` in a folder with files that are whiteouts by an attribute.
        let unknown =
            [("opaque", "x"), ("opaque", ""), ("whiteout", "y"), ("whiteouts", "y"), ("nlink", "U+1"), ("new", "")];
        for (name, value) in unknown {
            for marks in PREFIXES {
                let why = below(marks, name, value.as_bytes()).unwrap_err();
                assert_eq!(why, "has a file with an unknown attribute of overlayfs", "{name}={value}");
            }
        }
        for marks in PREFIXES {
            let why = below(marks, "metacopy", b"").unwrap_err();
            assert_eq!(why, "has a file whose content is elsewhere, which is not read");
        }
    }

    #[test]
    fn only_the_device_without_a_number_is_a_whiteout() {
        assert!(is_whiteout(Kind::CharacterDevice, (0, 0)));
        assert!(!is_whiteout(Kind::CharacterDevice, (1, 3)) && !is_whiteout(Kind::BlockDevice, (0, 0)));
        assert!(!is_whiteout(Kind::File, (0, 0)));
    }
}
