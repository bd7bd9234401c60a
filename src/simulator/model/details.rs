//! The details of a message, as its sender may query them: masked, one record for each channel that was tried.

use super::delivery::detail;
use super::record::{Attempt, ContentType, Record, State};
use super::{Model, Reply, words};
use crate::domain::{Channel, MessagingApi, Span, Timestamp};
use crate::wire::{Detail, Details, StatusBody, Text, User};

/// The provider answers one query a second for each subaccount.
const PAUSE: Span = Span::from_secs(1);

impl Model {
    /// Answers a query about a message.
    pub fn details(&mut self, sub_account: &str, umid: &str, now: Timestamp) -> Reply {
        if !self.has_sub_account(sub_account) {
            return self.refused(400, 1_001, now);
        }
        match self.details_asked.get(sub_account) {
            Some(asked) if now.since(*asked) < PAUSE => return self.throttled(1, now),
            _ => self.details_asked.insert(sub_account.to_owned(), now),
        };
        self.seen.questions += 1;
        let faults = self.faults_now(now).clone();
        if let Some(fault) = self.fault_of_query(&faults, now) {
            return fault;
        }
        match self.find(umid).filter(|n| self.is_of(*n, sub_account) && !faults.details_unknown) {
            Some(n) => self.details_answer(n),
            None => self.refused(404, 4_018, now),
        }
    }

    /// A list with a record for each channel; of the SMS API, the only record alone.
    fn details_answer(&self, n: u32) -> Reply {
        let details = self.details_of(n);
        let is_sms_api = self.records.get(n as usize).is_some_and(|record| record.api == MessagingApi::Sms);
        match details.data.first().filter(|_| is_sms_api) {
            Some(record) => Reply::ok(record),
            None => Reply::ok(&details),
        }
    }

    fn details_of(&self, n: u32) -> Details<'_> {
        let Some(record) = self.records.get(n as usize) else { return Details::default() };
        let batch = record.batch.and_then(|batch| self.batches.get(batch as usize));
        let record_of = |(step, attempt): (i64, Attempt)| Detail {
            umid: self.umids.of(n).to_string().into(),
            sub_account_id: self
                .sub_accounts
                .get(usize::from(record.sub_account))
                .map(|name| Text::from(name.as_str())),
            channel: name(attempt.channel).into(),
            channel_id: self.channel_id(attempt.channel).map(Text::from),
            direction: Some("outbound".into()),
            status: status(record, &attempt),
            user: Some(self.masked_user(n)),
            content_type: Some(content_type(record, attempt.channel).as_str().into()),
            content: Some("**MASKED**".into()),
            created_at: Some(record.accepted.rfc3339().into()),
            client_message_id: record.client_id.text().map(Text::from),
            client_batch_id: batch.and_then(|batch| batch.client_id.as_deref()).map(Text::from),
            batch_id: batch.map(|batch| batch.id.to_string().into()),
            step: Some(step),
            ..Detail::default()
        };
        Details { data: (1..).zip(self.attempts(n)).map(record_of).collect() }
    }

    /// The id of the subaccount's sender on a channel.
    pub(super) fn channel_id(&self, channel: Channel) -> Option<&str> {
        self.profile.channels.get(&channel).map(|delivery| delivery.channel_id.as_str())
    }

    fn masked_user(&self, n: u32) -> User<'static> {
        let number = self.records.get(n as usize).and_then(|record| record.to.number());
        let id = self.user_ids.get(&n);
        User {
            msisdn: number.map(|number| masked(&number.to_string()).into()),
            channel_user_id: id.map(|id| masked(id).into()),
            ..User::default()
        }
    }
}

/// A number or an id with its last four characters hidden.
fn masked(text: &str) -> String {
    let kept = text.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    format!("{}xxxx", &text[..kept])
}

/// The channel as details spell it: "SMS, WhatsApp, RCS, Viber, Line, Facebook, WeChat, Zalo or Kakao".
const fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Line | Channel::LineNotification => "Line",
        Channel::ZaloNotification => "Zalo",
        Channel::Sms | Channel::WhatsApp | Channel::Rcs | Channel::Viber => channel.as_str(),
    }
}

/// An SMS carries text, whatever the message contains.
fn content_type(record: &Record, channel: Channel) -> ContentType {
    if channel == Channel::Sms { ContentType::Text } else { record.content_type }
}

fn status(record: &Record, attempt: &Attempt) -> StatusBody<'static> {
    let code = (attempt.state == State::Undelivered).then_some(i64::from(attempt.code));
    StatusBody {
        state: attempt.state.as_str().into(),
        detail: detail(attempt.state).map(Text::from),
        timestamp: Some(last_time(record, attempt).rfc3339().into()),
        error_code: code,
        error_message: code.map(|code| words::of_receipt(code).into()),
    }
}

fn last_time(record: &Record, attempt: &Attempt) -> Timestamp {
    [attempt.read, attempt.ended, attempt.sent]
        .into_iter()
        .find_map(|offset| record.at(offset))
        .unwrap_or(record.accepted)
}
