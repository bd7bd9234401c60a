//! A channel's own ids for recipients.

use std::fmt;
use std::str::FromStr;

use super::{Channel, Country, Msisdn};

/// A recipient as a channel names them, where that is no number: a LINE id or a WhatsApp user id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelUser {
    pub channel: Channel,
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a channel's id for a recipient; write a LINE id such as U4af4980629a1b2c3d4e5f60718293a4b, or a WhatsApp \
     user id such as SG.13491208655302741918"
)]
pub struct InvalidChannelUser(String);

/// The longest id of a channel.
const LONGEST: usize = 128;
/// Characters of a LINE id after its `U`.
const LINE_LEN: usize = 32;

impl ChannelUser {
    /// The most characters of a number behind two letters and a dot.
    pub const LONGEST_UNSURE: usize = "SG.".len() + Msisdn::DIGITS_MAX;

    /// The channel whose form an id has. A mask or a placeholder has none: it is shared by many recipients.
    pub fn channel_of(id: &str) -> Option<Channel> {
        match id {
            _ if id.len() > LONGEST => None,
            _ if is_line_id(id) => Some(Channel::Line),
            _ if is_whatsapp_id(id) => Some(Channel::WhatsApp),
            _ => None,
        }
    }

    /// The user whom a cell of a file names, if it holds an id of WhatsApp.
    pub fn of_whatsapp(cell: &str) -> Option<Self> {
        let id = cell.trim();
        let is_one = Self::channel_of(id) == Some(Channel::WhatsApp);
        is_one.then(|| Self { channel: Channel::WhatsApp, id: id.to_owned() })
    }

    /// Whether it cannot be anything but an id of WhatsApp: it begins with a country and is longer than any number. `NO.12`
    /// may be a house, and `PH.9171234567` a phone.
    pub fn is_surely_of_whatsapp(&self) -> bool {
        self.id.len() > Self::LONGEST_UNSURE && self.country().is_some()
    }

    /// The country with which an id of WhatsApp begins: its user's.
    pub fn country(&self) -> Option<Country> {
        let of_id = || self.id.split_once('.').and_then(|(country, _)| Country::by_code(country));
        Some(self.channel).filter(|channel| *channel == Channel::WhatsApp).and_then(|_| of_id())
    }
}

/// Whether an id is a country and a user in it: `SG.13491208655302741918`. A user without a digit is a name: `MR.TAN`.
fn is_whatsapp_id(id: &str) -> bool {
    let is_country = |country: &str| country.len() == 2 && country.bytes().all(|c| c.is_ascii_uppercase());
    id.split_once('.').is_some_and(|(country, user)| {
        is_country(country)
            && user.bytes().all(|c| c.is_ascii_alphanumeric())
            && user.bytes().any(|c| c.is_ascii_digit())
    })
}

/// Whether an id is `U` and 32 letters or digits. LINE's own have hexadecimal digits; the provider's samples have others too.
fn is_line_id(id: &str) -> bool {
    id.strip_prefix('U').map(str::as_bytes).is_some_and(|rest| {
        rest.len() == LINE_LEN
            && rest.iter().all(u8::is_ascii_alphanumeric)
            && rest.iter().any(|letter| letter != &rest[0])
    })
}

impl FromStr for ChannelUser {
    type Err = InvalidChannelUser;

    fn from_str(text: &str) -> Result<Self, InvalidChannelUser> {
        let id = text.trim();
        let channel = Self::channel_of(id).ok_or_else(|| InvalidChannelUser(id.chars().take(60).collect()))?;
        Ok(Self { channel, id: id.to_owned() })
    }
}

impl fmt::Display for ChannelUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl fmt::Debug for ChannelUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelUser({})", self.channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_channel_and_a_mask_names_none() {
        let channel = |id: &str| id.parse::<ChannelUser>().ok().map(|user| user.channel);
        // The sample of the provider's pages, which has a `g`.
        assert_eq!(channel("Ua12b345678c1de0fg1a1234567891011"), Some(Channel::Line));
        assert_eq!(channel(" U4af4980629a1b2c3d4e5f60718293a4b "), Some(Channel::Line));
        assert_eq!(channel("SG.13491208655302741918"), Some(Channel::WhatsApp));
        let (short, long) = ("Ua12b345678c1de0fg1a123456789101", "Ua12b345678c1de0fg1a12345678910111");
        let mask = format!("U{}", "x".repeat(32));
        for id in ["", "+6591234567", short, long, &mask, "Ua12b345678c1de0fg1a12345678910*1", "SG.", "sg.1", "MR.TAN"]
        {
            assert_eq!(channel(id), None, "{id}");
        }
        assert_eq!(ChannelUser::of_whatsapp(" SG.134912 ").unwrap().country(), "SG".parse().ok());
        let is_sure = |id| ChannelUser::of_whatsapp(id).is_some_and(|user| user.is_surely_of_whatsapp());
        assert!(is_sure("SG.13491208655302741918"));
        assert!(!["NO.12", "PH.9171234567", "QQ.13491208655302741918"].into_iter().any(is_sure));
        assert_eq!(ChannelUser::of_whatsapp("U4af4980629a1b2c3d4e5f60718293a4b"), None);
        assert!(
            "nobody".parse::<ChannelUser>().unwrap_err().to_string().starts_with("\"nobody\" is not a channel's id")
        );
    }
}
