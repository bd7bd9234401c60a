//! What the provider answered when it was asked: news like any other.

use super::incoming::{Incoming, Parsed};
use super::intake::{Failed, Intake};
use crate::domain::{AttemptId, Channel, Umid};
use crate::wire::{Detail, Details, Receipt, Report, StatusBody};

impl Intake {
    /// Keeps and applies what the provider knows about one attempt of ours, which was handed over on `channel`. Returns,
    /// once it is on disk, whether it says how far the attempt has come.
    pub async fn told(
        &self,
        about: AttemptId,
        channel: Option<Channel>,
        umid: &Umid,
        body: &[u8],
    ) -> Result<bool, Failed> {
        let details: Details<'_> = serde_json::from_slice(body).unwrap_or_default();
        let now = self.now();
        let is_about_it = |record: &&Detail<'_>| {
            let is_inbound = record.direction.as_deref().is_some_and(|way| way.eq_ignore_ascii_case("inbound"));
            !is_inbound && record.known_channel() == channel
        };
        let id = about.to_string();
        let receipts: Vec<Incoming> = details
            .data
            .iter()
            .filter(is_about_it)
            .map(|record| {
                // Without a time of its own, that of its making, so that the same answer twice is the same fact.
                let timestamp = record.status.timestamp.clone().or_else(|| record.created_at.clone());
                let receipt = Receipt {
                    umid: Some(umid.as_str().into()),
                    client_message_id: Some(id.as_str().into()),
                    channel: Some(record.channel.clone()),
                    status: StatusBody { timestamp, ..record.status.clone() },
                    ..Receipt::default()
                };
                Incoming::new(&receipt, now)
            })
            .collect();
        let said = receipts.iter().any(|receipt| receipt.report != Report::Unknown);
        self.keep(Parsed { receipts, ..Parsed::default() }, now).await?;
        Ok(said)
    }
}
