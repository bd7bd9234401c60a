//! Accepts messages: checks each one, refuses it with a code, or records it.

use super::addressee::Addressee;
use super::content::{self, Kind};
use super::record::{Attempt, Batch, Chain, ChainStep, ClientId, ContentType, Doom, Record};
use super::route::{Said, line_user_id, whatsapp_user_id};
use super::seen::Accepted;
use super::{Model, Reply, words};
use crate::domain::{Channel, Msisdn, Span, Timestamp};
use crate::wire::{self, BatchAnswer, BatchRequest, Content, MessageAnswer, SendRequest, StatusBody, Text, User};

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
    pub(super) scheduled: Option<Timestamp>,
    /// The time at which the message is dropped unless it has been delivered.
    pub(super) expiry: Option<Timestamp>,
}

/// A request as it arrived.
pub(super) struct Arriving<'r, 'a> {
    pub(super) request: &'r SendRequest<'a>,
    /// Its JSON, if the request was written in another form.
    pub(super) body: Option<&'r str>,
}

impl<'r, 'a> Arriving<'r, 'a> {
    const fn of(request: &'r SendRequest<'a>) -> Self {
        Self { request, body: None }
    }
}

const BATCH_MAX: usize = 10_000;
const CLIENT_ID_MAX: usize = 50;

impl Model {
    /// Handles one message, as `POST …/messages` does.
    pub fn send(&mut self, sub_account: &str, request: &SendRequest<'_>, now: Timestamp) -> Reply {
        self.started.get_or_insert(now);
        if let Some(throttled) = self.over_rate(std::slice::from_ref(request), now) {
            return throttled;
        }
        match self.check(sub_account, request, now) {
            Ok(checked) => {
                let n = self.accept(sub_account, &Arriving::of(request), &checked, None, now);
                Reply::ok(&self.accepted_answer(n, request, now))
            }
            Err(refusal) => {
                self.seen.refuse(refusal.channel);
                self.refused(400, refusal.code, now)
            }
        }
    }

    /// Handles many messages, as `POST …/messages/batch` does.
    pub fn batch(&mut self, sub_account: &str, request: BatchRequest<'_>, now: Timestamp) -> Reply {
        self.started.get_or_insert(now);
        let with_messages = request.include_messages_in_response;
        let client_batch_id = request.client_batch_id.clone();
        let code = match request.messages.len() {
            0 => Some(3_012),
            len if len > BATCH_MAX => Some(3_013),
            _ => client_batch_id.as_ref().filter(|id| id.chars().count() > 100).map(|_| 3_014),
        };
        if let Some(code) = code {
            return self.refused(400, code, now);
        }
        let messages = request.into_messages();
        if let Some(throttled) = self.over_rate(&messages, now) {
            return throttled;
        }
        self.seen.batches += 1;
        let batch = self.open_batch(client_batch_id.as_deref());
        let mut answers = Vec::with_capacity(if with_messages { messages.len() } else { 0 });
        let mut rejected = 0;
        for message in &messages {
            let answer = match self.check(sub_account, message, now) {
                Ok(checked) => {
                    let n = self.accept(sub_account, &Arriving::of(message), &checked, Some(batch), now);
                    with_messages.then(|| self.accepted_answer(n, message, now))
                }
                Err(refusal) => {
                    rejected += 1;
                    self.seen.refuse(refusal.channel);
                    with_messages.then(|| self.rejected_answer(message, refusal, now))
                }
            };
            answers.extend(answer);
        }
        let Batch { id, len, .. } = &self.batches[batch as usize];
        Reply::ok(&BatchAnswer {
            batch_id: Some(id.to_string().into()),
            client_batch_id,
            accepted_count: Some(i64::from(*len)),
            rejected_count: Some(rejected),
            messages: answers,
        })
    }

    pub(super) fn open_batch(&mut self, client_id: Option<&str>) -> u32 {
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
    fn over_rate(&mut self, requests: &[SendRequest<'_>], now: Timestamp) -> Option<Reply> {
        if self.profile.channels.values().all(|delivery| delivery.rate.is_none()) {
            return None;
        }
        let mut counts = [0_u64; super::seen::CHANNELS];
        for channel in requests.iter().filter_map(|request| request.known_channels().next()) {
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

    fn check(&self, sub_account: &str, request: &SendRequest<'_>, now: Timestamp) -> Result<Checked, Refusal> {
        if !self.has_sub_account(sub_account) {
            return Err(1_001.into());
        }
        if request.client_message_id.as_ref().is_some_and(|id| id.chars().count() > CLIENT_ID_MAX) {
            return Err(3_009.into());
        }
        let user = request.user.as_ref().ok_or(3_001)?;
        let (to, user_id) = addressee(user)?;
        let kind = request.kind.as_deref().and_then(Kind::parse).ok_or(3_010)?;
        let content = request.content.as_ref().ok_or(3_004)?;
        let steps = self.steps(request, Said { kind, content, user })?;
        let faults = self.faults_now(now);
        let template = content.template.as_ref().filter(|_| kind == Kind::Template);
        let named = template.map(|template| &*template.name);
        if named.is_some() && named == faults.template_missing.as_deref() {
            return Err(3_038.into());
        }
        if let Some(code) = template.and_then(|template| self.template_refusal(template)) {
            return Err(code.into());
        }
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
        let doom = if faults.no_credit {
            Doom::NoCredit
        } else if named.is_some() && named == faults.template_paused.as_deref() {
            Doom::TemplatePaused
        } else {
            self.doom_of(content, template, steps.first())
        };
        let content_type = content::content_type(kind, content);
        Ok(Checked { to, user_id, content_type, steps, doom, scheduled, expiry })
    }

    /// Why the present state of the account lets a message fail.
    fn doom_of(&self, content: &Content<'_>, template: Option<&wire::Template<'_>>, first: Option<&ChainStep>) -> Doom {
        let headers = template.iter().flat_map(|template| &template.components).flat_map(|part| &part.parameters);
        let mut urls = headers.filter_map(|parameter| parameter.url.as_deref()).chain(content.url.as_deref());
        let is_refused = |url| first.is_some_and(|step| self.files.is_refused(url, step.channel));
        if urls.any(is_refused) {
            return Doom::MediaRefused;
        }
        template.map_or(Doom::None, |template| self.template_doom(template))
    }

    /// Records an accepted message and starts it.
    pub(super) fn accept(
        &mut self,
        sub_account: &str,
        arriving: &Arriving<'_, '_>,
        checked: &Checked,
        batch: Option<u32>,
        now: Timestamp,
    ) -> u32 {
        let request = arriving.request;
        let n = self.next_n();
        let first = checked.steps.first().map_or(Channel::Sms, |step| step.channel);
        let mut record = Record::new(checked.to, now, first);
        record.content_type = checked.content_type;
        record.client_id = ClientId::of(request.client_message_id.as_deref());
        record.previous = self.latest.insert(checked.to, n);
        record.batch = batch;
        record.doom = checked.doom;
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
            self.callbacks.insert(n, url.into());
        }
        if let Some(at) = checked.expiry {
            self.expiries.insert(n, at);
        }
        if self.kept.len() < self.profile.keep_requests {
            let kept = arriving.body.map_or_else(|| serde_json::to_string(request).unwrap_or_default(), str::to_owned);
            self.kept.push(kept.into());
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

    pub(super) fn accepted_answer<'a>(&self, n: u32, request: &SendRequest<'a>, now: Timestamp) -> MessageAnswer<'a> {
        MessageAnswer {
            umid: Some(self.umids.of(n).to_string().into()),
            user: request.user.clone(),
            client_message_id: request.client_message_id.clone(),
            status: StatusBody {
                state: "queued".into(),
                timestamp: Some(now.rfc3339().into()),
                ..StatusBody::default()
            },
        }
    }

    pub(super) fn rejected_answer<'a>(
        &self,
        request: &SendRequest<'a>,
        refusal: Refusal,
        now: Timestamp,
    ) -> MessageAnswer<'a> {
        MessageAnswer {
            umid: Some(self.random_id().into()),
            user: request.user.clone(),
            client_message_id: request.client_message_id.clone(),
            status: StatusBody {
                state: "rejected".into(),
                timestamp: Some(now.rfc3339().into()),
                error_code: Some(refusal.code),
                error_message: Some(Text::from(words::of_answer(refusal.code))),
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
