//! The engine's version.

use std::fmt;
use std::str::FromStr;

/// A released engine version, `MAJOR.MINOR.PATCH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for Version {
    type Err = ();

    /// Reads three numbers; the rest of a pre-release or a build (`-dev`, `+abc`) is ignored.
    fn from_str(text: &str) -> Result<Self, ()> {
        let core = text.split(['-', '+']).next().unwrap_or(text);
        let mut parts = core.split('.').map(|part| part.parse::<u32>().map_err(drop));
        let mut next = || parts.next().unwrap_or(Err(()));
        let version = Self(next()?, next()?, next()?);
        if parts.next().is_some() { Err(()) } else { Ok(version) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(Version(1, 10, 0) > Version(1, 9, 9));
        assert_eq!("1.33.0-rc1".parse(), Ok(Version(1, 33, 0)));
        assert!(["1.2", "1.2.3.4", "x.y.z"].iter().all(|text| text.parse::<Version>().is_err()));
    }
}
