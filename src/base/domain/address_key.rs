//! An address as one number, as rows and the maps of servers have it.

use std::fmt;
use std::num::NonZeroI64;

use super::Msisdn;

/// The key of an address: a phone number is its own, and an id of a channel has the negative number of its row in the
/// store. Only the store gives keys to ids.
///
/// Two spellings of a number are one address: see [`AddressKey::canonical`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressKey(NonZeroI64);

/// No address has the key 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("0 is no address")]
pub struct InvalidAddressKey;

impl AddressKey {
    /// Replaces the address of an erased recipient. As a number it would have the calling code 999, which no country has.
    pub const ERASED: Self = match NonZeroI64::new(999_999_999_999_999) {
        Some(key) => Self(key),
        None => unreachable!(),
    };

    pub const fn get(self) -> i64 {
        self.0.get()
    }

    /// The phone number; `None` for an id, and for an erased recipient.
    pub fn number(self) -> Option<Msisdn> {
        self.get().try_into().ok()
    }

    /// Whether it is the key of an id.
    pub const fn is_user(self) -> bool {
        self.get() < 0
    }

    /// The key by which a recipient is recognized, whichever spelling a file, a caller or a channel uses.
    #[must_use]
    pub fn canonical(self) -> Self {
        self.number().map_or(self, |number| number.canonical().into())
    }

    /// The key of the other spelling of the number, if it has one.
    pub fn other_spelling(self) -> Option<Self> {
        Some(self.number()?.other_spelling()?.into())
    }

    /// The key itself, and that of the other spelling.
    pub fn spellings(self) -> impl Iterator<Item = Self> {
        std::iter::once(self).chain(self.other_spelling())
    }

    /// The key with its middle hidden, for logs.
    pub fn masked(self) -> impl fmt::Display {
        Masked(self)
    }
}

impl From<Msisdn> for AddressKey {
    fn from(number: Msisdn) -> Self {
        NonZeroI64::try_from(number.get().cast_signed()).map_or(Self::ERASED, Self)
    }
}

impl PartialEq<Msisdn> for AddressKey {
    fn eq(&self, number: &Msisdn) -> bool {
        *self == Self::from(*number)
    }
}

impl TryFrom<i64> for AddressKey {
    type Error = InvalidAddressKey;

    fn try_from(key: i64) -> Result<Self, InvalidAddressKey> {
        NonZeroI64::new(key).map(Self).ok_or(InvalidAddressKey)
    }
}

struct Masked(AddressKey);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.number() {
            Some(number) => number.masked().fmt(f),
            None if self.0.is_user() => write!(f, "id {}", self.0.get().unsigned_abs()),
            None => f.write_str("erased"),
        }
    }
}

/// Masked, because debug output ends up in logs.
impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_number_or_an_id_or_nobodys() {
        let number: Msisdn = "+541123456789".parse().unwrap();
        let key = AddressKey::from(number);
        assert_eq!((key.get(), key.number(), key.is_user()), (541_123_456_789, Some(number), false));
        assert_eq!(key.canonical(), AddressKey::from("+5491123456789".parse::<Msisdn>().unwrap()));
        let id = AddressKey::try_from(-7_i64).unwrap();
        assert_eq!((id.number(), id.is_user(), id.canonical()), (None, true, id));
        assert_eq!(AddressKey::ERASED.number(), None);
        assert!(AddressKey::try_from(0).is_err());
        assert_eq!(format!("{key:?}, {id:?}, {:?}", AddressKey::ERASED), "+5411***89, id 7, erased");
    }
}
