//! Accepts messages: checks each one, refuses it with a code, or records it.

use std::borrow::Cow;

use super::record::{Attempt, Batch, Chain, ChainStep, ClientId, Doom, Record};
use super::seen::Accepted;
use super::{Model, Reply, line};
use crate::domain::{Channel, Msisdn, Span, Status, Timestamp};
use crate::wire::{self, BatchAnswer, BatchRequest, Content, MessageAnswer, SendRequest, StatusBody, Text};

/// Why a message is refused.
struct Refusal {
    code: i64,
    message: Cow<'static, str>,
    channel: Option<Channel>,
}

impl From<i64> for Refusal {
    fn from(code: i64) -> Self {
        Self { code, message: wire::codes::of_answer(400, Some(code)).meaning.into(), channel: None }
    }
}

/// A valid request.
struct Checked {
    to: Msisdn,
    steps: Vec<ChainStep>,
    doom: Doom,
    scheduled: Option<Timestamp>,
    /// The time at which the message is dropped unless it has been delivered.
    expiry: Option<Timestamp>,
}

const BATCH_MAX: usize = 10_000;
const CLIENT_ID_MAX: usize = 50;
const TEXT_MAX: usize = 4_096;
const PARAMETER_MAX: usize = 1_024;
const FALLBACK_AFTER: std::ops::RangeInclusive<i64> = 10..=86_400;
const TYPES: [&str; 11] = [
    "text",
    "image",
    "video",
    "audio",
    "file",
    "location",
    "interactive",
    "template",
    "buttons",
    "carousel",
    "richCard",
];

impl Model {
    /// Handles one message, as `POST …/messages` does.
    pub fn send(&mut self, sub_account: &str, request: &SendRequest<'_>, now: Timestamp) -> Reply {
        self.started.get_or_insert(now);
        if let Some(throttled) = self.over_rate(std::slice::from_ref(request), now) {
            return throttled;
        }
        match self.check(sub_account, request, now) {
            Ok(checked) => {
                let n = self.accept(sub_account, request, &checked, None, now);
                Reply::ok(&self.accepted_answer(n, request, now))
            }
            Err(refusal) => {
                self.seen.refuse(refusal.channel);
                self.error(400, refusal.code, &refusal.message, now)
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
            return self.error(400, code, wire::codes::of_answer(400, Some(code)).meaning, now);
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
                    let n = self.accept(sub_account, message, &checked, Some(batch), now);
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

    fn check(&self, sub_account: &str, request: &SendRequest<'_>, now: Timestamp) -> Result<Checked, Refusal> {
        let well_formed = (3..=50).contains(&sub_account.len())
            && sub_account.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._&".contains(&byte));
        let known = &self.profile.sub_accounts;
        if !well_formed || !(known.is_empty() || known.iter().any(|name| name == sub_account)) {
            return Err(1_001.into());
        }
        if request.client_message_id.as_ref().is_some_and(|id| id.chars().count() > CLIENT_ID_MAX) {
            return Err(3_009.into());
        }
        let user = request.user.as_ref().ok_or(3_001)?;
        let to = match user.line_user_id.as_deref().and_then(line::number_of).or_else(|| user.number()) {
            Some(number) => number,
            None if user.msisdn.is_some() => return Err(3_003.into()),
            None => return Err(3_002.into()),
        };
        let steps = self.steps(request)?;
        let kind = request.kind.as_deref().ok_or(3_010)?;
        if !TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
            return Err(3_010.into());
        }
        let content = request.content.as_ref().ok_or(3_004)?;
        let faults = self.faults_now(now);
        let template = check_content(kind, content, &steps)?;
        if template.is_some() && template == faults.template_missing.as_deref() {
            return Err(3_038.into());
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
            return Err(Refusal { channel: steps.first().map(|step| step.channel), ..Refusal::from(i64::from(code)) });
        }
        let doom = if faults.no_credit {
            Doom::NoCredit
        } else if template.is_some() && template == faults.template_paused.as_deref() {
            Doom::TemplatePaused
        } else {
            Doom::None
        };
        Ok(Checked { to, steps, doom, scheduled, expiry })
    }

    /// Returns the channels to try: those of the request, else the subaccount's own route.
    fn steps(&self, request: &SendRequest<'_>) -> Result<Vec<ChainStep>, Refusal> {
        let step = |channel: Channel, fallback_after, success: Option<Status>| {
            if !self.profile.channels.contains_key(&channel) {
                return Err(Refusal::from(3_027));
            }
            Ok(ChainStep { channel, fallback_after, success: success.unwrap_or(channel.default_success()) })
        };
        if request.channels.is_empty() {
            return self
                .profile
                .route
                .iter()
                .map(|own| step(own.channel, own.fallback_after, own.success_status))
                .collect();
        }
        let named = request.channels.iter().map(|named| {
            let channel = named.known().ok_or(3_022)?;
            if named.fallback_after.is_some_and(|seconds| !FALLBACK_AFTER.contains(&seconds)) {
                return Err(3_023.into());
            }
            let success = match named.success_status.as_deref().map(str::parse::<Status>) {
                Some(Err(_)) => return Err(3_024.into()),
                Some(Ok(status)) if status > channel.best_status() => {
                    return Err(if status == Status::Read { 3_026 } else { 3_025 }.into());
                }
                Some(Ok(status)) => Some(status),
                None => None,
            };
            step(channel, named.fallback_after.map(Span::from_secs), success)
        });
        named.collect()
    }

    /// Records an accepted message and starts it.
    fn accept(
        &mut self,
        sub_account: &str,
        request: &SendRequest<'_>,
        checked: &Checked,
        batch: Option<u32>,
        now: Timestamp,
    ) -> u32 {
        let n = self.next_n();
        let first = checked.steps.first().map_or(Channel::Sms, |step| step.channel);
        let mut record = Record::new(checked.to.get(), now, first);
        self.note_line_id(checked.to, request.user.as_ref());
        record.client_id = ClientId::of(request.client_message_id.as_deref());
        record.previous = self.latest.insert(checked.to.get(), n);
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
        if let Some(url) = request.dlr_callback_url.as_deref() {
            self.callbacks.insert(n, url.into());
        }
        if let Some(at) = checked.expiry {
            self.expiries.insert(n, at);
        }
        if self.kept.len() < self.profile.keep_requests {
            self.kept.push(serde_json::to_string(request).unwrap_or_default().into());
        }
        self.note(Accepted { n, channel: first, request }, now);
        match checked.scheduled {
            Some(at) => self.begin_at(n, at),
            None => self.begin(n, now),
        }
        n
    }

    fn sub_account(&mut self, name: &str) -> u16 {
        let index = self.sub_accounts.iter().position(|known| known == name).unwrap_or_else(|| {
            self.sub_accounts.push(name.to_owned());
            self.sub_accounts.len() - 1
        });
        u16::try_from(index).unwrap_or(u16::MAX)
    }

    fn accepted_answer<'a>(&self, n: u32, request: &SendRequest<'a>, now: Timestamp) -> MessageAnswer<'a> {
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

    fn rejected_answer<'a>(&self, request: &SendRequest<'a>, refusal: Refusal, now: Timestamp) -> MessageAnswer<'a> {
        MessageAnswer {
            umid: Some(self.random_id().into()),
            user: request.user.clone(),
            client_message_id: request.client_message_id.clone(),
            status: StatusBody {
                state: "rejected".into(),
                timestamp: Some(now.rfc3339().into()),
                error_code: Some(refusal.code),
                error_message: Some(Text::from(refusal.message.into_owned())),
                ..StatusBody::default()
            },
        }
    }
}

/// Checks the content, and returns the name of the template, if any.
fn check_content<'c>(kind: &str, content: &'c Content<'_>, steps: &[ChainStep]) -> Result<Option<&'c str>, Refusal> {
    let sms = steps.iter().any(|step| step.channel == Channel::Sms);
    if content.sms.as_ref().and_then(|sms| sms.source.as_deref()).is_some_and(|source| source.chars().count() > 16) {
        return Err(3_011.into());
    }
    if kind.eq_ignore_ascii_case("text") {
        let text = content.text.as_deref().unwrap_or_default();
        return match text.chars().count() {
            0 => Err(3_005.into()),
            len if len > TEXT_MAX => Err(3_006.into()),
            _ => Ok(None),
        };
    }
    if !kind.eq_ignore_ascii_case("template") {
        return Ok(None);
    }
    let template = content.template.as_ref().ok_or(3_030)?;
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if template.name.is_empty() || !template.name.chars().all(is_allowed) {
        return Err(3_032.into());
    }
    if template.language.is_empty() {
        return Err(3_036.into());
    }
    // A template has no text for SMS, so a route that includes SMS needs some.
    if sms && content.fallback_text.as_ref().or(content.text.as_ref()).is_none_or(|text| text.is_empty()) {
        return Err(3_005.into());
    }
    for component in &template.components {
        if !["header", "body", "button", "carousel"].iter().any(|known| component.kind.eq_ignore_ascii_case(known)) {
            return Err(3_039.into());
        }
        if component.kind.eq_ignore_ascii_case("button")
            && !component.index.is_some_and(|index| (0..=9).contains(&index))
        {
            return Err(3_053.into());
        }
        for parameter in component.parameters.iter().filter(|parameter| parameter.kind.eq_ignore_ascii_case("text")) {
            match parameter.text.as_deref().unwrap_or_default().chars().count() {
                0 => return Err(3_040.into()),
                len if len > PARAMETER_MAX => return Err(3_043.into()),
                _ => {}
            }
        }
    }
    Ok(Some(&template.name))
}
