//! Accepts messages: checks each one, refuses it with a code, or records it.

use std::sync::Arc;

use super::recipient_key::RecipientKey;
use super::record::{Attempt, Batch, Chain, ChainStep, ClientId, Doom, Record, RefusedMedia};
use super::seen::Taken;
use super::{Model, NOT_OURS, Reply, north_america};
use crate::base::domain::{Channel, MessagingApi, Span, Timestamp};
use crate::practice::simulator::{Profile, RouteStep};
use crate::rules::wire::rules::{
    self, AcceptedContent, Arriving, ArrivingBatch, ContentType, Kind, NamedStep, Refusal, Subaccount,
};
use crate::rules::wire::{ErrorAnswer, WebhookSetting};

/// A valid request.
pub(super) struct Checked {
    pub(super) to: RecipientKey,
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

impl Model {
    /// Handles one message, as `POST …/messages` and `POST …/lon` do.
    pub(super) fn send(&mut self, sub_account: &str, message: &Arriving<'_>, now: Timestamp) -> Reply {
        if let Some(throttled) = self.over_rate(std::slice::from_ref(message), now) {
            return throttled;
        }
        match self.take(sub_account, message, None, now) {
            Ok(n) => Reply::ok(&message.answer(self.umids.of(n).to_string(), None, now)),
            Err(refusal) => self.error(&ErrorAnswer::Refused(refusal.code), now),
        }
    }

    /// Handles many messages, as `POST …/messages/batch` and `POST …/lon/batch` do.
    pub(super) fn batch(&mut self, sub_account: &str, arriving: &ArrivingBatch<'_>, now: Timestamp) -> Reply {
        let messages = &arriving.messages;
        if let Some(code) = arriving.refusal() {
            return self.error(&ErrorAnswer::Refused(code), now);
        }
        if let Some(throttled) = self.over_rate(messages, now) {
            return throttled;
        }
        self.seen.batches += 1;
        let batch = self.open_batch(arriving.client_batch_id.as_deref());
        let results: Vec<Result<u32, Refusal>> =
            messages.iter().map(|message| self.take(sub_account, message, Some(batch), now)).collect();
        let umid = |result: &Result<u32, Refusal>| match result {
            Ok(n) => self.umids.of(*n).to_string(),
            Err(_) => self.random_id().to_string(),
        };
        Reply::ok(&arriving.answer(self.batches[batch as usize].id.to_string(), &results, umid, now))
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
        let id = self.random_id();
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
        let known = &self.profile.sub_accounts;
        rules::is_sub_account_id(name) && (known.is_empty() || known.iter().any(|known| known == name))
    }

    /// Checks a message by the provider's rules, then by what this provider knows of templates, recipients and files.
    fn check(&self, sub_account: &str, message: &Arriving<'_>, now: Timestamp) -> Result<Checked, Refusal> {
        if !self.has_sub_account(sub_account) {
            return Err(NOT_OURS.code().into());
        }
        let accepted = rules::check(message, &self.profile, now)?;
        let to = RecipientKey::from(&accepted.to);
        let faults = self.faults_now(now);
        let (doom, refused_media) = match accepted.content {
            AcceptedContent::Message { kind, content } => {
                let template = content.template.as_ref().filter(|_| kind == Kind::Template);
                let doom = template.map_or(Ok(Doom::None), |template| self.template_standing(template, faults))?;
                let is_american = accepted.to.number().is_some_and(north_america::is_of_the_united_states);
                let is_withheld =
                    doom == Doom::None && is_american && template.is_some_and(|one| self.is_marketing(one));
                let doom = if is_withheld { Doom::UsMarketing } else { doom };
                (doom, self.files.refused_by(kind, content, accepted.steps.iter().map(|step| step.channel)))
            }
            AcceptedContent::Notification(_) => (Doom::None, RefusedMedia::default()),
        };
        let first = accepted.steps.first().map(|step| step.channel);
        if let Some(code) = first.and_then(|channel| self.rejection(to, channel)) {
            return Err(Refusal { code: i64::from(code), channel: first });
        }
        Ok(Checked {
            to,
            user_id: accepted.to.user_id().map(Into::into),
            content_type: accepted.content.content_type(),
            steps: accepted.steps.into_iter().map(ChainStep::from).collect(),
            doom: if faults.no_credit { Doom::NoCredit } else { doom },
            refused_media,
            scheduled: accepted.scheduled,
            expiry: accepted.expiry,
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
            // Plain structs and texts cannot fail to serialize.
            self.kept.push(message.json().unwrap_or_default().into());
        }
        self.note(Taken { n, channel: first, request }, now);
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
}

/// The practice provider takes any id of a sender: an operator practises with those of the real account.
impl Subaccount for Profile {
    fn has_channel(&self, channel: Channel) -> bool {
        self.channels.contains_key(&channel)
    }

    fn has_sender(&self, _channel: Channel, _channel_id: &str) -> bool {
        true
    }

    fn can_call(&self, _url: &str) -> bool {
        true
    }

    fn route(&self) -> Vec<NamedStep<'_>> {
        let step = |own: &RouteStep| NamedStep {
            fallback_after: own.fallback_after,
            success: own.success_status.unwrap_or(own.channel.default_success()),
            ..NamedStep::on(own.channel)
        };
        self.route.iter().map(step).collect()
    }
}
