//! How a recipient is reached: by a number, or by a channel's own id.

use std::fmt;
use std::str::FromStr;

use super::text::visible;
use super::{Channel, ChannelUser, Msisdn};

/// A number, or a channel and an id. It is what opt-outs, windows, slots and histories belong to.
///
/// Two spellings of a number are one address: see [`Msisdn::canonical`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    Number(Msisdn),
    User(ChannelUser),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither a number with + and its country code, such as +6591234567, nor a channel's id")]
pub struct InvalidAddress(String);

impl Address {
    /// The address that a channel calls by this name.
    pub fn on(channel: Channel, called: &str) -> Self {
        let number = || called.strip_prefix('+').and_then(|_| called.parse().ok());
        number().map_or_else(|| Self::User(ChannelUser { channel, id: called.to_owned() }), Self::Number)
    }

    /// The address that somebody asks for. A number may lack its plus: no id is of digits alone.
    pub fn asked(text: &str) -> Result<Self, InvalidAddress> {
        text.trim().parse().map(Self::Number).or_else(|_| text.parse())
    }

    pub const fn number(&self) -> Option<Msisdn> {
        match self {
            Self::Number(number) => Some(*number),
            Self::User(_) => None,
        }
    }

    pub const fn user(&self) -> Option<&ChannelUser> {
        match self {
            Self::Number(_) => None,
            Self::User(user) => Some(user),
        }
    }
}

impl From<Msisdn> for Address {
    fn from(number: Msisdn) -> Self {
        Self::Number(number)
    }
}

impl From<ChannelUser> for Address {
    fn from(user: ChannelUser) -> Self {
        Self::User(user)
    }
}

/// Reads a number with its plus, which may be any of E.164, or an id of a channel.
impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        let number = text.strip_prefix('+').and_then(|_| text.parse().ok()).map(Self::Number);
        let invalid = || InvalidAddress(text.chars().take(60).collect());
        number.or_else(|| text.parse().ok().map(Self::User)).ok_or_else(invalid)
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads what a caller asks for.
impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        Self::asked(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::User(user) => user.fmt(f),
        }
    }
}

/// Whom a message is to, as fields of a JSON object. An erased recipient has neither.
#[derive(Clone, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct AddressFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<Msisdn>,
    /// A channel's id for a recipient whose number is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_user: Option<String>,
}

impl From<Option<Address>> for AddressFields {
    fn from(address: Option<Address>) -> Self {
        match address {
            Some(Address::Number(number)) => Self { msisdn: Some(number), channel_user: None },
            Some(Address::User(user)) => Self { msisdn: None, channel_user: Some(user.id) },
            None => Self::default(),
        }
    }
}

/// Masked, because debug output ends up in logs.
impl fmt::Debug for AddressFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.msisdn {
            Some(number) => write!(f, "{number:?}"),
            None => f.write_str(if self.channel_user.is_some() { "an id" } else { "erased" }),
        }
    }
}

/// As in tables: `–` for an erased recipient.
impl fmt::Display for AddressFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.msisdn, &self.channel_user) {
            (Some(number), _) => number.fmt(f),
            (None, Some(id)) => f.pad(&visible(id)),
            (None, None) => f.pad("–"),
        }
    }
}

/// Masked, because debug output ends up in logs.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:?}"),
            Self::User(user) => write!(f, "{user:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_what_it_prints() {
        for text in ["+6591234567", "+551187654321", "SG.13491208655302741918", "U4af4980629a1b2c3d4e5f60718293a4b"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.user().is_none(), text.starts_with('+'));
        }
        for wrong in ["", "6591234567", "+65 9123 4567", "nobody"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
        assert_eq!(Address::asked("6591234567"), "+6591234567".parse());
        assert!(Address::asked("nobody").is_err() && Address::asked("SG.13491208655302741918").is_ok());
    }

    #[test]
    fn a_channel_calls_a_recipient_by_a_number_or_by_an_id() {
        let number = "+5511987654321".parse().unwrap();
        assert_eq!(Address::on(Channel::WhatsApp, "+5511987654321"), Address::Number(number));
        // LINE's ids may be digits.
        assert!(Address::on(Channel::Line, "5511987654321").user().is_some());
    }
}
