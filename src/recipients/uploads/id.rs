//! The id of an upload.

use std::fmt;
use std::str::FromStr;

/// The id of an upload: `upl_` and 32 hexadecimal digits. It is random, and is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(u128);

impl UploadId {
    const PREFIX: &'static str = "upl_";

    pub(super) const fn from_random(high: u64, low: u64) -> Self {
        Self((high as u128) << 64 | low as u128)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:032x}", Self::PREFIX, self.0)
    }
}

/// The text is no id of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid id of an upload; it is upl_ and 32 hexadecimal digits")]
pub struct InvalidUploadId;

impl FromStr for UploadId {
    type Err = InvalidUploadId;

    fn from_str(text: &str) -> Result<Self, InvalidUploadId> {
        let digits = text.strip_prefix(Self::PREFIX).ok_or(InvalidUploadId)?;
        // The parser of numbers takes a sign too.
        let is_plain = digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = is_plain.then(|| u128::from_str_radix(digits, 16).ok()).flatten();
        number.map(Self).ok_or(InvalidUploadId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_no_path_is_one() {
        let id = UploadId::from_random(7, u64::MAX);
        assert_eq!(id.to_string().parse(), Ok(id));
        let long = format!("{id}0");
        for wrong in
            ["", "upl_", "../upl_", "upl_+0000000000000000000000000000000", "upl_../../../../../../etc/passwd..", &long]
        {
            assert_eq!(wrong.parse::<UploadId>(), Err(InvalidUploadId), "{wrong}");
        }
        assert!(id.to_string().to_uppercase().parse::<UploadId>().is_err());
    }
}
