//! Phone numbers and countries in the form in which the import stores them.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::word::serde_as_text;

/// A phone number in E.164: up to fifteen digits, stored as one integer. Prints as `+6591234567`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(NonZeroU64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an international phone number: write + and 7 to 15 digits, such as +6591234567")]
pub struct InvalidMsisdn;

impl Msisdn {
    const SHORTEST: u64 = 1_000_000;
    /// The one after it means that a recipient was erased: see [`super::AddressKey::ERASED`].
    pub const LONGEST: u64 = 999_999_999_999_998;
    /// The most digits of a number, with its country code.
    pub const DIGITS_MAX: usize = 15;

    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The calling code of its country: `65`, `1`, `351`.
    pub fn calling_code(self) -> u64 {
        let digits = self.get();
        let scale = 10_u64.pow(digits.ilog10());
        let first = |count: u32| digits / (scale / 10_u64.pow(count - 1));
        match first(2) {
            10..=19 | 70..=79 => first(1),
            20 | 27 | 30..=34 | 36 | 39..=41 | 43..=49 | 51..=58 | 60..=66 | 81 | 82 | 84 | 86 | 90..=95 | 98 => {
                first(2)
            }
            _ => first(3),
        }
    }

    /// Appends the printed form without the formatter, for the hot path.
    pub fn append_to(self, buffer: &mut Vec<u8>) {
        let mut digits = [0_u8; 15];
        let mut from = digits.len();
        let mut left = self.get();
        while left > 0 && from > 0 {
            from -= 1;
            digits[from] = b'0' + u8::try_from(left % 10).unwrap_or_default();
            left /= 10;
        }
        buffer.push(b'+');
        buffer.extend_from_slice(&digits[from..]);
    }

    /// The number with its middle hidden, for logs: `+6591***67`.
    pub fn masked(self) -> impl fmt::Display {
        Masked(self)
    }
}

impl TryFrom<u64> for Msisdn {
    type Error = InvalidMsisdn;

    fn try_from(digits: u64) -> Result<Self, InvalidMsisdn> {
        match NonZeroU64::new(digits) {
            Some(number) if (Self::SHORTEST..=Self::LONGEST).contains(&digits) => Ok(Self(number)),
            _ => Err(InvalidMsisdn),
        }
    }
}

impl TryFrom<i64> for Msisdn {
    type Error = InvalidMsisdn;

    fn try_from(digits: i64) -> Result<Self, InvalidMsisdn> {
        u64::try_from(digits).map_err(|_| InvalidMsisdn)?.try_into()
    }
}

/// Parses only E.164, with or without its plus. The `audience` room reads other spellings.
impl FromStr for Msisdn {
    type Err = InvalidMsisdn;

    fn from_str(text: &str) -> Result<Self, InvalidMsisdn> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if digits.len() > 15 || digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidMsisdn);
        }
        digits.parse::<u64>().map_err(|_| InvalidMsisdn)?.try_into()
    }
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// Masked, because debug output ends up in logs.
impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.masked())
    }
}

struct Masked(Msisdn);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.0.to_string();
        write!(f, "+{}***{}", &digits[..4], &digits[digits.len() - 2..])
    }
}

serde_as_text!(Msisdn);

/// An ISO 3166 country code of two capital letters. Numbers of no country, such as `001`, are [`Country::WORLD`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a country code; write two letters, such as SG or de")]
pub struct InvalidCountry(String);

impl Country {
    /// Numbers of no country, such as satellite phones and international networks.
    pub const WORLD: Self = Self(*b"ZZ");
    pub const UNITED_STATES: Self = Self(*b"US");

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }

    /// Its index among all pairs of letters; `AA` is 0.
    pub(super) fn letter_index(self) -> u16 {
        let [first, second] = self.0.map(|letter| u16::from(letter - b'A'));
        first * 26 + second
    }
}

impl FromStr for Country {
    type Err = InvalidCountry;

    fn from_str(text: &str) -> Result<Self, InvalidCountry> {
        match text.trim().as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(InvalidCountry(text.to_owned())),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(Country);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_e164_is_a_number() {
        for wrong in
            ["", "+", "+12", "065912345678", "+65 9123 4567", "+6591234567890123", "6591234x67", "++6591234567"]
        {
            assert_eq!(wrong.parse::<Msisdn>(), Err(InvalidMsisdn), "{wrong:?}");
        }
        assert_eq!("6591234567".parse::<Msisdn>().map(|n| n.to_string()), Ok("+6591234567".to_owned()));
    }

    #[test]
    fn a_number_begins_with_the_calling_code_of_its_country() {
        for (number, code) in [
            ("+6591234567", 65),
            ("+12125550123", 1),
            ("+79161234567", 7),
            ("+351912345678", 351),
            ("+5511987654321", 55),
            ("+390612345678", 39),
            ("+420601123456", 420),
        ] {
            assert_eq!(number.parse::<Msisdn>().unwrap().calling_code(), code, "{number}");
        }
    }

    #[test]
    fn append_to_matches_the_printed_form() {
        for digits in [1_000_000_u64, 6_591_234_567, Msisdn::LONGEST] {
            let number = Msisdn::try_from(digits).unwrap();
            let mut appended = Vec::new();
            number.append_to(&mut appended);
            assert_eq!(String::from_utf8(appended).unwrap(), number.to_string());
        }
    }

    #[test]
    fn logs_never_show_a_whole_number() {
        let number: Msisdn = "+6591234567".parse().unwrap();
        assert_eq!(format!("{number:?}"), "+6591***67");
    }
}
