//! The details of a message, as its sender may query them: masked, one record for each channel that was tried.

use super::record::{Attempt, Record};
use super::{Model, NOT_OURS, Reply};
use crate::base::domain::{Channel, MessagingApi, Span, Timestamp};
use crate::rules::wire::{
    AttemptState, Detail, Details, ErrorAnswer, MASKED, StatusBody, Text, User, detail_channel, masked,
};

/// The provider answers one query a second for each subaccount.
const PAUSE: Span = Span::from_secs(1);

impl Model {
    /// Answers a query about a message.
    pub fn details(&mut self, sub_account: &str, umid: &str, now: Timestamp) -> Reply {
        if !self.has_sub_account(sub_account) {
            return self.error(&NOT_OURS, now);
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
            None => self.error(&ErrorAnswer::UnknownMessage, now),
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
            channel: detail_channel(attempt.channel).into(),
            channel_id: self.channel_id(attempt.channel).map(Text::from),
            direction: Some("outbound".into()),
            status: status(record, &attempt),
            user: Some(self.masked_user(n)),
            content_type: Some(record.content_type.on(attempt.channel).as_str().into()),
            content: Some(MASKED.into()),
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

fn status(record: &Record, attempt: &Attempt) -> StatusBody<'static> {
    let code = (attempt.state == AttemptState::Undelivered).then_some(i64::from(attempt.code));
    StatusBody::reported(attempt.state, last_time(record, attempt), code)
}

fn last_time(record: &Record, attempt: &Attempt) -> Timestamp {
    [attempt.read, attempt.ended, attempt.sent]
        .into_iter()
        .find_map(|offset| record.at(offset))
        .unwrap_or(record.accepted)
}
