//! Ids of sketches: campaigns that operators are writing.

use std::fmt;
use std::str::FromStr;

/// The id of a sketch. It is random, because it is a part of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SketchId(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a campaign that is being written")]
pub struct InvalidSketchId;

impl SketchId {
    /// Makes an id of random bits.
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SketchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for SketchId {
    type Err = InvalidSketchId;

    fn from_str(text: &str) -> Result<Self, InvalidSketchId> {
        let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u64::from_str_radix(text, 16).ok().filter(|_| is_one).map(Self).ok_or(InvalidSketchId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_nothing_else_is_one() {
        for bits in [0, 7, u64::MAX] {
            assert_eq!(SketchId::new(bits).to_string().parse(), Ok(SketchId::new(bits)));
        }
        for wrong in ["", "1", "+000000000000001", "00000000000000000", "000000000000000g", "é00000000000000"] {
            assert!(wrong.parse::<SketchId>().is_err(), "{wrong}");
        }
    }
}
