//! The country of numbers without a country code, as an operator or a client gives it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::number::Home;
use crate::base::domain::Country;

/// A country that is known to have phone numbers. Whatever reads one refuses any other country before it reads a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultCountry {
    country: Country,
    home: Home,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown country \"{0}\"; give the two-letter code of a country with phone numbers, such as SG")]
pub struct UnknownCountry(String);

impl DefaultCountry {
    pub const fn country(self) -> Country {
        self.country
    }

    pub(super) const fn home(self) -> Home {
        self.home
    }
}

impl FromStr for DefaultCountry {
    type Err = UnknownCountry;

    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        let found = || {
            let country: Country = text.parse().ok()?;
            Some(Self { country, home: Home::of(country)? })
        };
        found().ok_or_else(|| UnknownCountry(text.trim().to_owned()))
    }
}

impl fmt::Display for DefaultCountry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.country.fmt(f)
    }
}

impl Serialize for DefaultCountry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.country.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DefaultCountry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for DefaultCountry {
    fn schema() -> RefOr<Schema> {
        Country::schema()
    }
}

impl ToSchema for DefaultCountry {
    fn name() -> Cow<'static, str> {
        Country::name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_country_with_phone_numbers_is_a_default_country() {
        for (text, code) in [("SG", "SG"), (" de ", "DE"), ("UK", "UK")] {
            assert_eq!(text.parse::<DefaultCountry>().map(|it| it.to_string()).as_deref(), Ok(code));
        }
        for wrong in ["XX", "ZZ", "", "Singapore", "S", "\u{dc}\u{df}"] {
            let error = wrong.parse::<DefaultCountry>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("unknown country \"{wrong}\"; give")), "{error}");
            assert!(serde_json::from_value::<DefaultCountry>(wrong.into()).is_err());
        }
    }
}
