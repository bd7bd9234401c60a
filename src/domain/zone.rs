//! Time zones.

use std::fmt;
use std::str::FromStr;

use chrono_tz::Tz;

use super::word::serde_as_text;

/// A zone of the time zone database, such as Asia/Singapore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(pub Tz);

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
