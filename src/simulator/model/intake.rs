//! Accepts messages: checks each one, refuses it with a code, or records it.

use std::sync::Arc;

use super::addressee::Addressee;
use super::content::{self, Kind};
use super::form::{self, Arriving, ArrivingBatch, Form};
use super::record::{Attempt, Batch, Chain, ChainStep, ClientId, ContentType, Doom, Record, RefusedMedia};
use super::route::{Said, line_user_id, whatsapp_user_id};
use super::seen::Accepted;
use super::{Model, Reply, words};
use crate::domain::{Channel, MessagingApi, Msisdn, Span, Timestamp};
use crate::wire::{
    self, BatchAnswer, MessageAnswer, NotificationRequest, SendRequest, SmsBatchAnswer, StatusBody, Text, User,
    WebhookSetting,
};

/// Why a message is refused.
pub(super) struct Refusal {
    pub(super) code: i64,
    pub(super) channel: Option<Channel>,
}

impl From<i64> for Refusal {
    fn from(code: i64) -> Self {
        Self { code, channel: None }
    }
}

/// A valid request.
pub(super) struct Checked {
    pub(super) to: Addressee,
    /// The recipient's id on a channel, if the request names one.
    pub(super) user_id: Option<Box<str>>,
    pub(super) content_type: ContentType,
    pub(super) steps: Vec<ChainStep>,
    pub(super) doom: Doom,
    pub(super) refused_media: RefusedMedia,
    pub(super) scheduled: Option<Timestamp>,
    /// The time at which the message is dropped unless it has been delivered.
    pub(super) expiry: Option<Timestamp>,
}

const CLIENT_ID_MAX: usize = 50;

impl Model {
    /// Handles one message, as `POST …/messages` and `POST …/lon` do.
    pub(super) fn send(&mut self, sub_account: &str, message: &Arriving<'_>, now: Timestamp) -> Reply {
        if let Some(throttled) = self.over_rate(std::slice::from_ref(message), now) {
            return throttled;
        }
        let result = self.take(sub_account, message, None, now);
        match (&message.form, &result) {
            (_, Err(refusal)) => self.refused(400, refusal.code, now),
            (Form::Sms(sms), Ok(_)) => Reply::ok(&self.sms_answer(sms, &result)),
            (Form::ChatApps | Form::Notification(_), Ok(_)) => Reply::ok(&self.answer_about(message, &result, now)),
        }
    }

    /// Handles many messages, as `POST …/messages/batch` and `POST …/lon/batch` do.
    pub(super) fn batch(&mut self, sub_account: &str, arriving: &ArrivingBatch<'_>, now: Timestamp) -> Reply {
        let messages = &arriving.messages;
        if let Some(code) = arriving.refusal() {
            return self.refused(400, code, now);
        }
        if let Some(throttled) = self.over_rate(messages, now) {
            return throttled;
        }
        self.seen.batches += 1;
        let batch = self.open_batch(arriving.client_batch_id.as_deref());
        let results: Vec<Result<u32, Refusal>> =
            messages.iter().map(|message| self.take(sub_account, message, Some(batch), now)).collect();
        let accepted = i64::from(self.batches[batch as usize].len);
        let rejected = i64::try_from(results.len()).unwrap_or(i64::MAX) - accepted;
        let batch_id = Text::from(self.batches[batch as usize].id.to_string());
        let client_batch_id = arriving.client_batch_id.clone();
        let answered = || messages.iter().zip(&results).filter(|_| arriving.include_messages_in_response);
        if messages.first().and_then(Arriving::sms).is_some() {
            return Reply::ok(&SmsBatchAnswer {
                batch_id,
                client_batch_id,
                accepted_count: accepted,
                rejected_count: rejected,
                messages: answered()
                    .filter_map(|(message, result)| Some(self.sms_answer(message.sms()?, result)))
                    .collect(),
            });
        }
        Reply::ok(&BatchAnswer {
            batch_id: Some(batch_id),
            client_batch_id,
            accepted_count: Some(accepted),
            rejected_count: Some(rejected),
            messages: answered().map(|(message, result)| self.answer_about(message, result, now)).collect(),
        })
    }

    /// Checks and records a message.
    fn take(
        &mut self,
        sub_account: &str,
        message: &Arriving<'_>,
        batch: Option<u32>,
        now: Timestamp,
    ) -> Result<u32, Refusal> {
        match self.check(sub_account, message, now) {
            Ok(checked) => Ok(self.accept(sub_account, message, &checked, batch, now)),
            Err(refusal) => {
                self.seen.refuse(refusal.channel);
                Err(refusal)
            }
        }
    }

    fn open_batch(&mut self, client_id: Option<&str>) -> u32 {
        let batch = u32::try_from(self.batches.len()).unwrap_or(u32::MAX);
        let id = self.random_id().parse().unwrap_or_default();
        self.batch_of.insert(id, batch);
        self.batches.push(Batch { id, client_id: client_id.map(Into::into), first: self.next_n(), len: 0 });
        batch
    }

    fn next_n(&self) -> u32 {
        // Four billion messages would not fit into memory.
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    /// Refuses the whole request if it exceeds a channel's rate in the last second, as a strict gateway does.
    fn over_rate(&mut self, messages: &[Arriving<'_>], now: Timestamp) -> Option<Reply> {
        if self.profile.channels.values().all(|delivery| delivery.rate.is_none()) {
            return None;
        }
        let mut counts = [0_u64; super::seen::CHANNELS];
        for channel in messages.iter().filter_map(|message| message.request.known_channels().next()) {
            counts[usize::from(channel.code())] += 1;
        }
        for (channel, delivery) in &self.profile.channels {
            let index = usize::from(channel.code());
            let Some(rate) = delivery.rate.filter(|_| counts[index] > 0) else { continue };
            if self.rates[index].in_last_second(now) + counts[index] > rate.within(Span::from_secs(1)) {
                return Some(self.throttled(1, now));
            }
        }
        None
    }

    /// Whether the subaccount exists and is ours.
    pub(super) fn has_sub_account(&self, name: &str) -> bool {
        let is_well_formed = (3..=50).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._&".contains(&byte));
        let known = &self.profile.sub_accounts;
        is_well_formed && (known.is_empty() || known.iter().any(|known| known == name))
    }

    fn check(&self, sub_account: &str, message: &Arriving<'_>, now: Timestamp) -> Result<Checked, Refusal> {
        if !self.has_sub_account(sub_account) {
            return Err(1_001.into());
        }
        if let Form::Sms(sms) = &message.form {
            form::check_sms(sms)?;
            return self.check_message(&message.request, now);
        }
        if message.request.client_message_id.as_ref().is_some_and(|id| id.chars().count() > CLIENT_ID_MAX) {
            return Err(3_009.into());
        }
        match &message.form {
            Form::Notification(notification) => self.check_notification(notification, now),
            Form::ChatApps | Form::Sms(_) => self.check_message(&message.request, now),
        }
    }

    fn check_message(&self, request: &SendRequest<'_>, now: Timestamp) -> Result<Checked, Refusal> {
        let user = request.user.as_ref().ok_or(3_001)?;
        let (to, user_id) = addressee(user)?;
        let kind = request.kind.as_deref().and_then(Kind::parse).ok_or(3_010)?;
        let content = request.content.as_ref().ok_or(3_004)?;
        let steps = self.steps(request, Said { kind, content, user })?;
        let faults = self.faults_now(now);
        let template = content.template.as_ref().filter(|_| kind == Kind::Template);
        let doom = template.map_or(Ok(Doom::None), |template| self.template_standing(template, faults))?;
        let scheduled = match request.scheduled.as_deref().map(wire::instant) {
            Some(None) => return Err(1_011.into()),
            Some(at) => at.filter(|at| *at > now),
            None => None,
        };
        let expiry = match request.expiry.as_deref().map(wire::instant) {
            Some(at) => Some(at.filter(|at| *at > now).ok_or(1_006)?),
            None => None,
        };
        if let Some(code) = steps.first().and_then(|step| self.rejection(to, step.channel)) {
            let channel = steps.first().map(|step| step.channel);
            return Err(Refusal { code: i64::from(code), channel });
        }
        let doom = if faults.no_credit { Doom::NoCredit } else { doom };
        let refused_media = self.files.refused_by(kind, content, steps.iter().map(|step| step.channel));
        let content_type = content::content_type(kind, content);
        Ok(Checked { to, user_id, content_type, steps, doom, refused_media, scheduled, expiry })
    }

    /// A notification is an approved template, and its SMS a step of its own.
    fn check_notification(&self, notification: &NotificationRequest<'_>, now: Timestamp) -> Result<Checked, Refusal> {
        let (to, user_id) = addressee(notification.user.as_ref().ok_or(3_001)?)?;
        if to.number().is_none() {
            return Err(3_002.into());
        }
        form::check_notification(notification)?;
        let channel = Channel::LineNotification;
        if let Some(code) = self.rejection(to, channel) {
            return Err(Refusal { code: code.into(), channel: Some(channel) });
        }
        let sms = notification.sms_fallback.as_ref().and_then(|sms| sms.text.as_ref()).filter(|text| !text.is_empty());
        let channels = [channel].into_iter().chain(sms.map(|_| Channel::Sms));
        let step = |channel: Channel| ChainStep { channel, fallback_after: None, success: channel.default_success() };
        Ok(Checked {
            to,
            user_id,
            content_type: ContentType::Template,
            steps: channels.map(step).collect(),
            doom: if self.faults_now(now).no_credit { Doom::NoCredit } else { Doom::None },
            refused_media: RefusedMedia::default(),
            scheduled: None,
            expiry: None,
        })
    }

    /// Records an accepted message and starts it.
    fn accept(
        &mut self,
        sub_account: &str,
        message: &Arriving<'_>,
        checked: &Checked,
        batch: Option<u32>,
        now: Timestamp,
    ) -> u32 {
        let request = &message.request;
        let n = self.next_n();
        let first = checked.steps.first().map_or(Channel::Sms, |step| step.channel);
        let mut record = Record::new(checked.to, now, first);
        record.content_type = checked.content_type;
        record.client_id = ClientId::of(request.client_message_id.as_deref());
        record.previous = self.latest.insert(checked.to, n);
        record.batch = batch;
        record.doom = checked.doom;
        record.refused_media = checked.refused_media;
        if message.sms().is_some() {
            record.api = MessagingApi::Sms;
        }
        record.sub_account = self.sub_account(sub_account);
        if let Some(at) = checked.scheduled {
            record.schedule(at);
        }
        self.records.push(record);
        if let Some(batch) = batch.and_then(|batch| self.batches.get_mut(batch as usize)) {
            batch.len += 1;
        }
        if checked.steps.len() > 1 {
            self.chains.insert(n, Box::new(Chain { steps: checked.steps.clone(), before: Vec::<Attempt>::new() }));
        }
        if let Some(id) = &checked.user_id {
            self.user_ids.insert(n, id.clone());
        }
        if let Some(url) = request.dlr_callback_url.as_deref() {
            let callback = WebhookSetting { url: url.to_owned(), ..WebhookSetting::default() };
            self.callbacks.insert(n, Arc::new(callback));
        }
        if let Some(at) = checked.expiry {
            self.expiries.insert(n, at);
        }
        if let Some(content) = &request.content {
            self.keep_choices(n, checked, content);
        }
        if self.kept.len() < self.profile.keep_requests {
            self.kept.push(message.kept().into());
        }
        self.note(Accepted { n, channel: first, request }, now);
        match checked.scheduled {
            Some(at) => self.begin_at(n, at),
            None => self.begin(n, now),
        }
        n
    }

    pub(super) fn sub_account(&mut self, name: &str) -> u16 {
        let index = self.sub_accounts.iter().position(|known| known == name).unwrap_or_else(|| {
            self.sub_accounts.push(name.to_owned());
            self.sub_accounts.len() - 1
        });
        u16::try_from(index).unwrap_or(u16::MAX)
    }

    /// The answer of the chat-apps API about one message.
    fn answer_about<'a>(
        &self,
        message: &Arriving<'a>,
        result: &Result<u32, Refusal>,
        now: Timestamp,
    ) -> MessageAnswer<'a> {
        let (umid, state, code) = match result {
            Ok(n) => (self.umids.of(*n).to_string(), "queued", None),
            Err(refusal) => (self.random_id(), "rejected", Some(refusal.code)),
        };
        MessageAnswer {
            umid: Some(umid.into()),
            user: message.request.user.clone(),
            client_message_id: message.request.client_message_id.clone(),
            status: StatusBody {
                state: state.into(),
                timestamp: Some(now.rfc3339().into()),
                error_code: code,
                error_message: code.map(|code| Text::from(words::of_answer(code))),
                ..StatusBody::default()
            },
        }
    }
}

/// Whom a request is for, with their id on a channel if it names one. A number that is not E.164 is refused even beside an
/// id.
pub(super) fn addressee(user: &User<'_>) -> Result<(Addressee, Option<Box<str>>), i64> {
    if user.msisdn.as_ref().is_some_and(|number| number.parse::<Msisdn>().is_err()) {
        return Err(1_002);
    }
    let id = line_user_id(user).or_else(|| whatsapp_user_id(user));
    let to = user.number().map(Addressee::from).or_else(|| id.map(Addressee::of_user_id)).ok_or(3_002)?;
    Ok((to, id.map(Into::into)))
}
