//! What the model has seen, for tests and operators who check the sender.

use serde::Serialize;
use serde_json::value::RawValue;

use super::Model;
use super::recipient_key::RecipientKey;
use super::record::{Attempt, Record};
use crate::base::domain::{Channel, Msisdn, Timestamp, stable_hash};
use crate::rules::wire::{AttemptState, SendRequest};

pub(super) const CHANNELS: usize = Channel::ALL.len();

/// Totals.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SeenTotals {
    /// Posts with an accepted key, batches included.
    pub requests: u64,
    pub batches: u64,
    /// Accepted messages.
    pub messages: u64,
    pub rejected: u64,
    pub cancelled: u64,
    /// Queries for a message, without those that came too soon.
    pub questions: u64,
    /// Recipients with at least one accepted message.
    pub people: u64,
    /// Client ids that were accepted more than once.
    pub duplicates: u64,
    pub without_client_id: u64,
    /// Fallbacks that the provider made by itself.
    pub own_fallbacks: u64,
    /// Accepted messages that named no channel, or several.
    pub not_one_channel: u64,
    /// Accepted messages with a fallback text.
    pub with_fallback_text: u64,
    /// Accepted messages whose channel had a deadline or a success status.
    pub with_fallback_rule: u64,
    pub throttled: u64,
    pub errors: u64,
    pub cut: u64,
    pub keys_refused: u64,
    /// Receipts written, duplicates included.
    pub receipts: u64,
    pub receipts_lost: u64,
    /// Messages that recipients wrote.
    pub answers: u64,
    pub channels: Vec<ChannelSeen>,
}

/// Totals of one channel. A state counts once for each message, however often it was reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelSeen {
    pub channel: Channel,
    pub accepted: u64,
    pub rejected: u64,
    pub sent: u64,
    pub delivered: u64,
    pub read: u64,
    pub undelivered: u64,
    /// The highest number accepted in any second, with a resolution of a tenth.
    pub peak_per_second: u64,
}

/// One message as the model has seen it.
#[derive(Debug, Clone, Serialize)]
pub struct MessageSeen {
    pub umid: String,
    pub client_message_id: Option<String>,
    /// Absent if the request named the recipient by an id alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<String>,
    /// The recipient's id on a channel, if the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    pub sub_account: String,
    pub batch_id: Option<String>,
    pub accepted_at: String,
    pub cancelled: bool,
    /// One step, unless the provider fell back by itself.
    pub steps: Vec<StepSeen>,
    /// The request, if it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<RawValue>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct StepSeen {
    pub channel: Channel,
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undelivered_at: Option<String>,
}

/// How many messages were accepted in the last second, in tenths of a second.
#[derive(Debug, Default)]
pub(super) struct RecentRate {
    latest: i64,
    tenths: [u64; 10],
    most: u64,
}

impl RecentRate {
    fn advance(&mut self, now: Timestamp) {
        let tenth = now.millis() / 100;
        for passed in self.latest + 1..=tenth.min(self.latest + 10) {
            self.tenths[slot(passed)] = 0;
        }
        self.latest = self.latest.max(tenth);
    }

    fn note(&mut self, now: Timestamp) {
        self.advance(now);
        self.tenths[slot(self.latest)] += 1;
        self.most = self.most.max(self.tenths.iter().sum());
    }

    pub(super) fn in_last_second(&mut self, now: Timestamp) -> u64 {
        self.advance(now);
        self.tenths.iter().sum()
    }
}

fn slot(tenth: i64) -> usize {
    usize::try_from(tenth.rem_euclid(10)).unwrap_or_default()
}

/// A message that was just accepted.
#[derive(Clone, Copy)]
pub(super) struct Taken<'r, 'a> {
    pub(super) n: u32,
    pub(super) channel: Channel,
    pub(super) request: &'r SendRequest<'a>,
}

impl SeenTotals {
    fn channel(&mut self, channel: Channel) -> &mut ChannelSeen {
        let index = usize::from(channel.code());
        while self.channels.len() <= index {
            let channel = Channel::ALL[self.channels.len()];
            self.channels.push(ChannelSeen {
                channel,
                accepted: 0,
                rejected: 0,
                sent: 0,
                delivered: 0,
                read: 0,
                undelivered: 0,
                peak_per_second: 0,
            });
        }
        &mut self.channels[index]
    }

    pub(super) fn refuse(&mut self, channel: Option<Channel>) {
        self.rejected += 1;
        if let Some(channel) = channel {
            self.channel(channel).rejected += 1;
        }
    }

    pub(super) fn reach(&mut self, channel: Channel, state: AttemptState) {
        let seen = self.channel(channel);
        match state {
            AttemptState::Queued => {}
            AttemptState::Sent => seen.sent += 1,
            AttemptState::Undelivered => seen.undelivered += 1,
            AttemptState::Delivered => seen.delivered += 1,
            AttemptState::Read => seen.read += 1,
        }
    }
}

impl Model {
    pub(super) fn note(&mut self, taken: Taken<'_, '_>, now: Timestamp) {
        let Taken { n, channel, request } = taken;
        let index = usize::from(channel.code());
        self.rates[index].note(now);
        let most = self.rates[index].most;
        let seen = &mut self.seen;
        seen.messages += 1;
        seen.channel(channel).accepted += 1;
        seen.channel(channel).peak_per_second = most;
        seen.people += u64::from(self.records[n as usize].previous.is_none());
        seen.not_one_channel += u64::from(request.channels.len() != 1);
        let fallback_text = request.content.as_ref().and_then(|content| content.fallback_text.as_ref());
        seen.with_fallback_text += u64::from(fallback_text.is_some());
        let rule = request.channels.iter().any(|step| step.fallback_after.is_some() || step.success_status.is_some());
        seen.with_fallback_rule += u64::from(rule);
        match request.client_message_id.as_deref() {
            None => seen.without_client_id += 1,
            Some(id) => {
                let known = self.client_ids.get_mut(&stable_hash(id.bytes()));
                match known {
                    Some(counted) if *counted => {}
                    Some(counted) => {
                        *counted = true;
                        seen.duplicates += 1;
                    }
                    None => {
                        self.client_ids.insert(stable_hash(id.bytes()), false);
                    }
                }
            }
        }
    }

    pub const fn seen(&self) -> &SeenTotals {
        &self.seen
    }

    /// Returns the number of messages.
    pub fn message_count(&self) -> u32 {
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    /// Returns one message by its index in the order of acceptance.
    pub fn message(&self, n: u32) -> Option<MessageSeen> {
        let record = self.records.get(n as usize)?;
        let sub_account = self.sub_accounts.get(usize::from(record.sub_account)).cloned().unwrap_or_default();
        let kept = self.kept.get(n as usize).and_then(|json| RawValue::from_string(json.to_string()).ok());
        Some(MessageSeen {
            umid: self.umids.of(n).to_string(),
            client_message_id: record.client_id.text(),
            msisdn: record.to.number().map(|number| number.to_string()),
            user_id: self.user_ids.get(&n).map(ToString::to_string),
            sub_account,
            batch_id: self.batch_id(record),
            accepted_at: record.accepted.rfc3339(),
            cancelled: record.is_cancelled(),
            steps: self.attempts(n).iter().map(|attempt| step_seen(record, attempt)).collect(),
            request: kept,
        })
    }

    /// Returns all messages accepted for a number, the latest first.
    pub fn messages_to(&self, to: Msisdn) -> Vec<MessageSeen> {
        self.messages_of(to.into())
    }

    /// The same for a recipient whom requests name by an id alone.
    pub fn messages_to_user(&self, id: &str) -> Vec<MessageSeen> {
        self.messages_of(RecipientKey::of_user_id(id))
    }

    fn messages_of(&self, to: RecipientKey) -> Vec<MessageSeen> {
        let mut found = Vec::new();
        let mut next = self.latest.get(&to).copied();
        while let Some(n) = next {
            found.extend(self.message(n));
            next = self.records.get(n as usize).and_then(|record| record.previous);
        }
        found
    }

    fn batch_id(&self, record: &Record) -> Option<String> {
        record.batch.and_then(|batch| self.batches.get(batch as usize)).map(|batch| batch.id.to_string())
    }

    pub(super) fn attempts(&self, n: u32) -> Vec<Attempt> {
        let last = self.records.get(n as usize).map_or(0, |record| record.step);
        (0..=last).filter_map(|step| self.attempt(n, step)).collect()
    }
}

fn step_seen(record: &Record, attempt: &Attempt) -> StepSeen {
    let time = |offset| record.at(offset).map(Timestamp::rfc3339);
    let undelivered = attempt.state == AttemptState::Undelivered;
    StepSeen {
        channel: attempt.channel,
        state: attempt.state.as_str(),
        error_code: undelivered.then_some(attempt.code),
        sent_at: time(attempt.sent),
        delivered_at: time(attempt.ended).filter(|_| !undelivered),
        read_at: time(attempt.read),
        undelivered_at: time(attempt.ended).filter(|_| undelivered),
    }
}
