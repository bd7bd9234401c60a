//! Applies what the provider answers when it is asked about a message, in the same way as receipts.

use super::incoming::{Incoming, Parsed};
use super::intake::{Intake, NotStored};
use crate::base::domain::{AttemptId, Channel, Status, Timestamp, Umid};
use crate::rules::wire::{Detail, Details, Receipt, ReportedStatus, StatusBody};

/// The result of asking the provider about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Whether the provider reports a status of the attempt.
    pub is_reported: bool,
    /// Since when, by its own account, the provider knows more than that it accepted the attempt.
    pub known_since: Option<Timestamp>,
}

impl Intake {
    /// Stores and applies the provider's answer about one of our attempts, which was submitted on `channel`. Returns
    /// once it is on disk.
    pub async fn apply_details(
        &self,
        about: AttemptId,
        channel: Option<Channel>,
        umid: &Umid,
        body: &[u8],
    ) -> Result<News, NotStored> {
        let details: Details<'_> = serde_json::from_slice(body).unwrap_or_default();
        let now = self.now();
        let is_about_it = |record: &&Detail<'_>| {
            let is_inbound = record.direction.as_deref().is_some_and(|way| way.eq_ignore_ascii_case("inbound"));
            !is_inbound && is_on(record, channel)
        };
        let id = about.to_string();
        let mut known_since = None;
        let receipts: Vec<Incoming> = details
            .data
            .iter()
            .filter(is_about_it)
            .map(|record| {
                // A record without a status time gets its creation time, so the same answer twice is the same fact.
                let timestamp = record.status.timestamp.clone().or_else(|| record.created_at.clone());
                let receipt = Receipt {
                    umid: Some(umid.as_str().into()),
                    client_message_id: Some(id.as_str().into()),
                    channel: channel.map(|channel| channel.as_str().into()),
                    status: StatusBody { timestamp, ..record.status.clone() },
                    price: record.price.clone(),
                    sms_count: record.sms_count,
                    ..Receipt::default()
                };
                let incoming = Incoming::new(&receipt, now);
                let is_bad = matches!(incoming.report, ReportedStatus::Negative { .. });
                if record.status.timestamp.is_some() && (is_bad || incoming.report.status() > Some(Status::Accepted)) {
                    known_since = known_since.max(receipt.at());
                }
                incoming
            })
            .collect();
        let is_reported = receipts.iter().any(|receipt| receipt.report != ReportedStatus::Unknown);
        self.keep(Parsed { receipts, ..Parsed::default() }, now).await?;
        Ok(News { is_reported, known_since })
    }
}

/// Whether a record is of this channel. Details know one LINE: they name no notifications.
fn is_on(record: &Detail<'_>, channel: Option<Channel>) -> bool {
    match record.known_channel() {
        Some(Channel::Line) => matches!(channel, Some(Channel::Line | Channel::LineNotification)),
        named => named == channel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_by_every_name_of_its_channel() {
        for (name, channel, is_it) in [
            ("WhatsApp", Channel::WhatsApp, true),
            ("Zalo", Channel::ZaloNotification, true),
            ("Line", Channel::Line, true),
            ("Line", Channel::LineNotification, true),
            ("Line", Channel::Viber, false),
            ("SMS", Channel::WhatsApp, false),
        ] {
            let record = Detail { channel: name.into(), ..Detail::default() };
            assert_eq!(is_on(&record, Some(channel)), is_it, "{name} {channel}");
        }
    }
}
