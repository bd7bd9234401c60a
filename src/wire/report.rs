//! What a state on the wire means to us.

use super::answer::StatusBody;
use crate::domain::{Channel, Status};

/// What the provider says about an attempt, in our words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Report {
    Accepted,
    Sent,
    Delivered,
    Read,
    /// It did not arrive and will not; `codes::of_receipt` knows whose fault that is.
    Negative {
        code: Option<i64>,
    },
    /// Nothing that decides anything: `unknown`, a word we have never seen, or "still trying".
    Unknown,
}

/// Codes by which an SMS route says that it goes on trying. Whatever state they come with, nothing has been decided.
const STILL_TRYING: [i64; 3] = [4, 5, 22];

impl Report {
    /// "Delivered" at the operator is only Sent where the channel can tell the handset, and where we do not know the
    /// channel: a step that ends too early cannot be taken back, one that ends late only costs a wait.
    pub fn of(channel: Option<Channel>, status: &StatusBody<'_>) -> Self {
        let is = |word: &str| status.state.eq_ignore_ascii_case(word);
        if is("delivered") {
            let only_operator = status.detail.as_deref().is_some_and(|detail| {
                detail.eq_ignore_ascii_case("delivered_to_operator")
                    || detail.eq_ignore_ascii_case("delivered_to_carrier")
            });
            let tells_handset = channel.is_none_or(Channel::knows_the_handset);
            if only_operator && tells_handset { Self::Sent } else { Self::Delivered }
        } else if is("read") {
            Self::Read
        } else if is("sent") {
            Self::Sent
        } else if is("queued") || is("accepted") || is("ok") {
            Self::Accepted
        } else if status.is_negative() {
            match status.error_code {
                Some(code) if STILL_TRYING.contains(&code) => Self::Unknown,
                code => Self::Negative { code },
            }
        } else {
            Self::Unknown
        }
    }

    /// How far the attempt has come, where this says so.
    pub const fn status(self) -> Option<Status> {
        match self {
            Self::Accepted => Some(Status::Accepted),
            Self::Sent => Some(Status::Sent),
            Self::Delivered => Some(Status::Delivered),
            Self::Read => Some(Status::Read),
            Self::Negative { .. } | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(channel: Option<Channel>, state: &str, detail: Option<&str>, code: Option<i64>) -> Report {
        let status = StatusBody {
            state: state.into(),
            detail: detail.map(Into::into),
            error_code: code,
            ..StatusBody::default()
        };
        Report::of(channel, &status)
    }

    #[test]
    fn delivered_means_the_handset_where_the_channel_knows_it() {
        let operator = Some("delivered_to_operator");
        for (channel, detail, wanted) in [
            (Some(Channel::WhatsApp), operator, Report::Sent),
            (Some(Channel::WhatsApp), Some("Delivered_To_Carrier"), Report::Sent),
            (Some(Channel::WhatsApp), Some("delivered_to_recipient"), Report::Delivered),
            (Some(Channel::Viber), None, Report::Delivered),
            (Some(Channel::Sms), operator, Report::Delivered),
            (None, operator, Report::Sent),
        ] {
            assert_eq!(report(channel, "Delivered", detail, Some(0)), wanted, "{channel:?} {detail:?}");
        }
    }

    #[test]
    fn every_documented_state_has_a_meaning_and_others_decide_nothing() {
        let whatsapp = Some(Channel::WhatsApp);
        for (state, wanted) in [
            ("queued", Report::Accepted),
            ("accepted", Report::Accepted),
            ("ok", Report::Accepted),
            ("sent", Report::Sent),
            ("READ", Report::Read),
            ("undelivered", Report::Negative { code: None }),
            ("failed", Report::Negative { code: None }),
            ("rejected", Report::Negative { code: None }),
            ("error", Report::Negative { code: None }),
            ("unknown", Report::Unknown),
            ("teleported", Report::Unknown),
            ("", Report::Unknown),
        ] {
            assert_eq!(report(whatsapp, state, None, None), wanted, "{state}");
        }
        assert_eq!(report(whatsapp, "undelivered", None, Some(15)), Report::Negative { code: Some(15) });
    }

    #[test]
    fn still_trying_is_no_end() {
        assert_eq!(report(Some(Channel::Sms), "undelivered", None, Some(22)), Report::Unknown);
    }
}
