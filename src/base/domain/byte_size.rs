//! A number of bytes, as operators write it.

use std::fmt;
use std::str::FromStr;

/// A number of bytes. Written with a unit: `500MB`, `20GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

/// The units, largest first. They are powers of ten, as disks are sold.
const UNITS: [(&str, u64); 5] =
    [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1)];

impl ByteSize {
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        let (name, unit) = whole.unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

/// The text is no number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid size \"{0}\"; write a whole number and a unit, such as 500MB or 20GB")]
pub struct InvalidByteSize(String);

impl FromStr for ByteSize {
    type Err = InvalidByteSize;

    fn from_str(text: &str) -> Result<Self, InvalidByteSize> {
        let text = text.trim();
        let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (number, name) = text.split_at(split);
        let unit = UNITS.iter().find(|(unit, _)| unit.eq_ignore_ascii_case(name.trim()));
        let bytes = || number.parse::<u64>().ok()?.checked_mul(unit?.1).filter(|bytes| *bytes > 0);
        bytes().map(Self).ok_or_else(|| InvalidByteSize(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_reads_back_as_it_is_written() {
        for (text, bytes, shown) in [
            ("20GB", 20_000_000_000, "20GB"),
            ("500 mb", 500_000_000, "500MB"),
            ("1500KB", 1_500_000, "1500KB"),
            ("7B", 7, "7B"),
            ("2000GB", 2_000_000_000_000, "2TB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, shown));
            assert_eq!(shown.parse(), Ok(size));
        }
        for wrong in ["", "20", "GB", "0GB", "-1GB", "1.5GB", "1 GiB", "99999999999TB"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
    }
}
