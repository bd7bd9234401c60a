//! Whom a request is for: a phone number, or a user id of a channel.

use crate::base::domain::{Channel, Msisdn};
use crate::rules::wire::{Hidden, User};

/// The recipient of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee<'r> {
    Number {
        number: Msisdn,
        /// The id of the same recipient on LINE, if the request names it. WhatsApp knows them by the number.
        line_user_id: Option<Hidden<'r>>,
    },
    /// Only this channel knows the recipient.
    User(Channel, Hidden<'r>),
}

impl<'r> Addressee<'r> {
    /// Reads the recipient of a request. A number that is not E.164 is refused even beside an id.
    pub(super) fn of(user: &'r User<'_>) -> Result<Self, i64> {
        if user.msisdn.as_ref().is_some_and(|number| number.parse::<Msisdn>().is_err()) {
            return Err(1_002);
        }
        let line_user_id = line_user_id(user).map(Hidden::from);
        match (user.number(), line_user_id, whatsapp_user_id(user)) {
            (Some(number), line_user_id, _) => Ok(Self::Number { number, line_user_id }),
            (None, Some(id), _) => Ok(Self::User(Channel::Line, id)),
            (None, None, Some(id)) => Ok(Self::User(Channel::WhatsApp, Hidden::from(id))),
            (None, None, None) => Err(3_002),
        }
    }

    pub const fn number(&self) -> Option<Msisdn> {
        match self {
            Self::Number { number, .. } => Some(*number),
            Self::User(..) => None,
        }
    }

    /// The id that the request names, whichever channel's it is.
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::Number { line_user_id, .. } => line_user_id.as_deref(),
            Self::User(_, id) => Some(id),
        }
    }

    /// The id that a channel takes in place of a number.
    pub fn id_on(&self, channel: Channel) -> Option<&str> {
        match self {
            Self::Number { line_user_id, .. } => line_user_id.as_deref().filter(|_| channel == Channel::Line),
            Self::User(..) => None,
        }
    }
}

/// Whether a channel can reach the user of a request. The error is the provider's code.
pub(super) fn check_reach(user: &User<'_>, channel: Channel) -> Result<(), i64> {
    let (is_reached, refusal) = match channel {
        Channel::Line => (line_user_id(user).is_some(), 3_015),
        Channel::WhatsApp => (user.number().is_some() || whatsapp_user_id(user).is_some(), 3_002),
        Channel::Viber | Channel::Sms | Channel::Rcs | Channel::ZaloNotification | Channel::LineNotification => {
            (user.number().is_some(), 3_002)
        }
    };
    if is_reached { Ok(()) } else { Err(refusal) }
}

/// The id of a LINE user. The document's own sample is not hexadecimal, so any id is taken; newer pages of the provider
/// have it in `channelUserId`.
fn line_user_id<'u>(user: &'u User<'_>) -> Option<&'u str> {
    let newer = || user.channel_user_id.as_deref().filter(|id| id.starts_with('U'));
    user.line_user_id.as_deref().filter(|id| !id.is_empty()).or_else(newer)
}

/// The id by which WhatsApp knows a user whose number it does not show: a country and a user in it.
fn whatsapp_user_id<'u>(user: &'u User<'_>) -> Option<&'u str> {
    user.channel_user_id.as_deref().filter(|id| id.contains('.'))
}
