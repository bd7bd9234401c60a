//! The public part of an API key.

use std::fmt;
use std::str::FromStr;

use super::word::serde_as_text;

/// Names an API key: `vk_0123456789abcdef`. It is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the id of an API key; an id is vk_ and 16 hexadecimal digits, as `volley key list` shows it")]
pub struct InvalidKeyId(String);

impl KeyId {
    pub const PREFIX: &'static str = "vk_";
    /// The length of its text.
    pub const LENGTH: usize = Self::PREFIX.len() + 16;

    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:016x}", Self::PREFIX, self.0)
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let digits =
            text.strip_prefix(Self::PREFIX).filter(|digits| digits.len() == 16 && digits.bytes().all(is_digit));
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.map(Self).ok_or_else(|| InvalidKeyId(text.to_owned()))
    }
}

serde_as_text!(KeyId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        for number in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = KeyId::new(number);
            assert_eq!((id.to_string().len(), id.to_string().parse()), (KeyId::LENGTH, Ok(id)));
        }
        for wrong in [
            "",
            "vk_",
            "vk_0123456789abcde",
            "vk_0123456789abcdef0",
            "vk_0123456789ABCDEF",
            "vk_+123456789abcdef",
            "VK_0123456789abcdef",
            "vk_0123456789abcdé",
        ] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
    }
}
