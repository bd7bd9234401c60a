//! Time zones.

use std::fmt;
use std::str::FromStr;

use chrono_tz::Tz;

use super::word::serde_as_text;

/// A zone of the time zone database, such as Asia/Singapore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(pub Tz);

impl Zone {
    /// UTC and every zone of a region and a place, in the order of their names. Some zones are listed by an old name as well.
    pub fn all() -> impl Iterator<Item = Self> {
        const OLD: [&str; 7] = ["Etc/", "US/", "Brazil/", "Canada/", "Chile/", "Mexico/", "SystemV/"];
        let is_of_place = |name: &str| name.contains('/') && !OLD.iter().any(|old| name.starts_with(old));
        let of_places = chrono_tz::TZ_VARIANTS.iter().copied().filter(move |zone| is_of_place(zone.name()));
        std::iter::once(Tz::UTC).chain(of_places).map(Self)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name())
    }
}

impl FromStr for Zone {
    type Err = chrono_tz::ParseError;

    fn from_str(text: &str) -> Result<Self, chrono_tz::ParseError> {
        Tz::from_str_insensitive(text).map(Self)
    }
}

serde_as_text!(Zone);
