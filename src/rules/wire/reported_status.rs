//! The meaning of a state on the wire.

use super::answer::StatusBody;
use crate::base::domain::{Channel, Status};

/// The status that the provider reports for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReportedStatus {
    Accepted,
    Sent,
    Delivered,
    Read,
    /// It did not arrive and will not; `codes::of_receipt` tells the cause.
    Negative {
        code: Option<i64>,
    },
    /// It decides nothing: `unknown`, an unknown word, or "still trying".
    Unknown,
}

/// Codes that mean that an SMS route is still trying, whatever the state is.
const STILL_TRYING: [i64; 3] = [4, 5, 22];

impl ReportedStatus {
    /// Reads a status. "Delivered" to the operator is only Sent if the channel can report the handset, or if the channel is
    /// unknown. A step that ends too early cannot be undone; one that ends late only costs time.
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

    /// The status of the attempt, if this reports one.
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

    fn report(channel: Option<Channel>, state: &str, detail: Option<&str>, code: Option<i64>) -> ReportedStatus {
        let status = StatusBody {
            state: state.into(),
            detail: detail.map(Into::into),
            error_code: code,
            ..StatusBody::default()
        };
        ReportedStatus::of(channel, &status)
    }

    #[test]
    fn delivered_means_the_handset_if_the_channel_can_report_it() {
        let operator = Some("delivered_to_operator");
        for (channel, detail, wanted) in [
            (Some(Channel::WhatsApp), operator, ReportedStatus::Sent),
            (Some(Channel::WhatsApp), Some("Delivered_To_Carrier"), ReportedStatus::Sent),
            (Some(Channel::WhatsApp), Some("delivered_to_recipient"), ReportedStatus::Delivered),
            (Some(Channel::Viber), None, ReportedStatus::Delivered),
            (Some(Channel::Sms), operator, ReportedStatus::Delivered),
            (None, operator, ReportedStatus::Sent),
        ] {
            assert_eq!(report(channel, "Delivered", detail, Some(0)), wanted, "{channel:?} {detail:?}");
        }
    }

    #[test]
    fn every_documented_state_has_a_meaning_and_unknown_ones_decide_nothing() {
        let whatsapp = Some(Channel::WhatsApp);
        for (state, wanted) in [
            ("queued", ReportedStatus::Accepted),
            ("accepted", ReportedStatus::Accepted),
            ("ok", ReportedStatus::Accepted),
            ("sent", ReportedStatus::Sent),
            ("READ", ReportedStatus::Read),
            ("undelivered", ReportedStatus::Negative { code: None }),
            ("failed", ReportedStatus::Negative { code: None }),
            ("rejected", ReportedStatus::Negative { code: None }),
            ("error", ReportedStatus::Negative { code: None }),
            ("unknown", ReportedStatus::Unknown),
            ("teleported", ReportedStatus::Unknown),
            ("", ReportedStatus::Unknown),
        ] {
            assert_eq!(report(whatsapp, state, None, None), wanted, "{state}");
        }
        assert_eq!(report(whatsapp, "undelivered", None, Some(15)), ReportedStatus::Negative { code: Some(15) });
    }

    #[test]
    fn a_code_that_means_still_trying_decides_nothing() {
        assert_eq!(report(Some(Channel::Sms), "undelivered", None, Some(22)), ReportedStatus::Unknown);
    }
}
