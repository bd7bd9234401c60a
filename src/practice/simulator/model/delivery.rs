//! What becomes of accepted messages: their events, in the order of their times.

use std::cmp::Reverse;
use std::sync::Arc;

use super::dice::{Throw, pick, throw};
use super::recipient_key::RecipientKey;
use super::recipients::called_on;
use super::record::{Attempt, Fate};
use super::{Model, webhooks};
use crate::base::domain::{Channel, MessagingApi, Span, Status, Timestamp};
use crate::rules::wire::rules::ContentType;
use crate::rules::wire::{
    AttemptState, Hidden, Receipt, StatusBody, Text, User, WebhookSetting, WhatsApp, webhook_channel,
};

/// A webhook that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where it is posted, if that differs from the target of the server.
    pub address: Option<Arc<WebhookSetting>>,
    /// One event, as JSON.
    pub event: Vec<u8>,
}

/// An event that is due at a time. Events of the same time occur in the order in which they were scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    at: Timestamp,
    order: u64,
    n: u32,
    step: u8,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A scheduled message is sent.
    Begin,
    Sent,
    Undelivered,
    Delivered,
    Read,
    /// The recipient writes back.
    Answered,
    /// A recipient who said STOP says START.
    OptedIn,
    /// The message has expired, and it has not been delivered.
    Expired,
    /// The provider's own deadline of a step.
    FallBack,
    /// A delayed or duplicate receipt of an earlier event.
    Again(Happened),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Happened {
    at: Timestamp,
    /// The index of the state in [`STATES`]; events need an order, and `AttemptState` has none.
    state: u8,
}

const STATES: [AttemptState; 5] =
    [AttemptState::Queued, AttemptState::Sent, AttemptState::Undelivered, AttemptState::Delivered, AttemptState::Read];

impl Model {
    /// Carries out every event that is due by now and returns its webhooks.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Webhook> {
        self.take_due(now, usize::MAX)
    }

    /// The same, but stops after about `max` webhooks; the rest stay due.
    pub fn take_due(&mut self, now: Timestamp, max: usize) -> Vec<Webhook> {
        let mut webhooks = Vec::new();
        while webhooks.len() < max {
            match self.due.peek() {
                Some(Reverse(first)) if first.at <= now => {}
                _ => break,
            }
            if let Some(Reverse(due)) = self.due.pop() {
                self.happen(due, &mut webhooks);
            }
        }
        webhooks
    }

    /// Returns when the next event is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.peek().map(|Reverse(due)| due.at)
    }

    pub(super) fn answer_at(&mut self, at: Timestamp, n: u32, step: u8) {
        self.schedule(at, n, step, What::Answered);
    }

    pub(super) fn opt_in_at(&mut self, at: Timestamp, n: u32, step: u8) {
        self.schedule(at, n, step, What::OptedIn);
    }

    fn schedule(&mut self, at: Timestamp, n: u32, step: u8, what: What) {
        self.due_counter += 1;
        self.due.push(Reverse(Due { at, order: self.due_counter, n, step, what }));
    }

    /// The same, unless the message expires first.
    fn schedule_unless_expired(&mut self, at: Timestamp, n: u32, step: u8, what: What) {
        match self.expiries.get(&n).filter(|expiry| **expiry < at) {
            Some(expiry) => self.schedule(*expiry, n, step, What::Expired),
            None => self.schedule(at, n, step, what),
        }
    }

    /// Returns the code with which the channel refuses this recipient at once, if the dice draw a refusal.
    pub(super) fn rejection(&self, to: RecipientKey, channel: Channel) -> Option<u16> {
        let delivery = self.profile.delivery(channel, to.number())?;
        let nth = self.nth(to, channel, self.latest.get(&to).copied());
        let [fate] = throw(self.seed, to.seed(), channel, nth, Throw::Fate as u64);
        let [which] = throw(self.seed, to.seed(), channel, nth, Throw::Code as u64);
        let code = pick(&delivery.reject_codes, which).filter(|_| fate < delivery.reject)?;
        u16::try_from(code).ok()
    }

    /// Returns how many messages the recipient was sent on the channel, up to and including the given one.
    fn nth(&self, to: RecipientKey, channel: Channel, mut from: Option<u32>) -> u8 {
        let mut count = 0_u8;
        // The dice need not distinguish the hundredth message from the next one.
        while let Some(record) = from.and_then(|n| self.records.get(n as usize)).filter(|_| count < 100) {
            debug_assert_eq!(record.to, to);
            count += u8::from(record.attempt.channel == channel);
            from = record.previous;
        }
        count
    }

    pub(super) fn begin_at(&mut self, n: u32, at: Timestamp) {
        self.schedule(at, n, 0, What::Begin);
    }

    /// Starts the present step of a message.
    pub(super) fn begin(&mut self, n: u32, now: Timestamp) {
        let Some(record) = self.records.get(n as usize) else { return };
        let (to, step, channel) = (record.to, record.step, record.attempt.channel);
        let doomed = record.refused_media.code(channel).or_else(|| record.doom.code(channel));
        let nth = self.nth(to, channel, record.previous);
        let Some(delivery) = self.profile.delivery(channel, to.number()) else { return };
        let is_outside_window = channel == Channel::WhatsApp
            && self.profile.session_window
            && record.content_type != ContentType::Template
            && !self.windows.is_open(to, record.sub_account, now);
        let seed = self.seed;
        let dice = |what: Throw| throw::<2>(seed, to.seed(), channel, nth, what as u64);
        let ([fate, _], [which, _]) = (dice(Throw::Fate), dice(Throw::Code));
        let rejected_to = delivery.reject;
        let undelivered_to = rejected_to + delivery.undelivered;
        let silent_to = undelivered_to + delivery.silent;
        let code = |codes: &[i64]| pick(codes, which).and_then(|code| u16::try_from(code).ok()).unwrap_or(0);
        let (fate, code) = if let Some(code) = doomed {
            (Fate::Undelivered, code)
        } else if is_outside_window {
            (Fate::Undelivered, OUTSIDE_WINDOW)
        } else if fate < rejected_to {
            // A later step of the provider's own route can no longer be refused in the answer.
            (Fate::Undelivered, code(&delivery.reject_codes))
        } else if fate < undelivered_to {
            (Fate::Undelivered, code(&delivery.undelivered_codes))
        } else if fate < silent_to {
            (Fate::Silent, 0)
        } else if fate < silent_to + delivery.delivered {
            (Fate::Delivered, 0)
        } else {
            (Fate::SentOnly, 0)
        };
        let speed = self.profile.speed;
        let first = match fate {
            Fate::Silent => None,
            Fate::Undelivered => {
                Some((delivery.undelivered_after.draw(dice(Throw::EndedAfter), speed), What::Undelivered))
            }
            Fate::SentOnly | Fate::Delivered => {
                Some((delivery.sent_after.draw(dice(Throw::SentAfter), speed), What::Sent))
            }
        };
        self.records[n as usize].attempt = Attempt { fate, code, nth, ..Attempt::on(channel) };
        if self.profile.queued_receipts && fate != Fate::Silent {
            let happened = Happened { at: now, state: 0 };
            self.schedule(now, n, step, What::Again(happened));
        }
        if let Some((after, what)) = first {
            self.schedule_unless_expired(now + after, n, step, what);
        }
        let own_deadline = self.chains.get(&n).and_then(|chain| chain.steps.get(usize::from(step))?.fallback_after);
        if let Some(after) = own_deadline {
            self.schedule(now + self.sped_up(after), n, step, What::FallBack);
        }
    }

    fn sped_up(&self, span: Span) -> Span {
        sped_up(span, self.profile.speed)
    }

    fn happen(&mut self, due: Due, webhooks: &mut Vec<Webhook>) {
        let Due { at, n, step, what, .. } = due;
        let Some(record) = self.records.get(n as usize).filter(|record| !record.is_cancelled()) else { return };
        let (to, present) = (record.to, record.step);
        let Some(attempt) = self.attempt(n, step) else { return };
        let Attempt { channel, fate, nth, .. } = attempt;
        let delivery = self.profile.delivery(channel, to.number());
        let (seed, speed) = (self.seed, self.profile.speed);
        let dice = |what: Throw| throw::<2>(seed, to.seed(), channel, nth, what as u64);
        match what {
            What::Begin => self.begin(n, at),
            What::Again(happened) => {
                self.write_receipt(n, step, STATES[usize::from(happened.state)], happened.at, webhooks);
            }
            What::FallBack => {
                let success = self.chains.get(&n).and_then(|chain| chain.steps.get(usize::from(step)));
                let met = attempt.state.status().zip(success).is_some_and(|(status, step)| status >= step.success);
                if present == step && !met && attempt.state != AttemptState::Undelivered {
                    self.next_step(n, at);
                }
            }
            What::Sent => {
                let after = delivery.map(|delivery| delivery.delivered_after.draw(dice(Throw::EndedAfter), speed));
                self.reach(n, step, AttemptState::Sent, at, webhooks);
                if fate == Fate::Delivered && channel.best_status() >= Status::Delivered {
                    self.schedule_unless_expired(at + after.unwrap_or_default(), n, step, What::Delivered);
                }
            }
            What::Delivered => {
                let reads = delivery.is_some_and(|delivery| dice(Throw::Reads)[0] < delivery.read);
                let after = delivery.map(|delivery| delivery.read_after.draw(dice(Throw::ReadAfter), speed));
                self.reach(n, step, AttemptState::Delivered, at, webhooks);
                if channel.best_status() < Status::Read {
                    self.draw_answer(n, step, at);
                } else if reads {
                    self.schedule(at + after.unwrap_or_default(), n, step, What::Read);
                }
            }
            What::Read => {
                self.reach(n, step, AttemptState::Read, at, webhooks);
                self.draw_answer(n, step, at);
            }
            What::Answered => self.answer(n, step, at, webhooks),
            What::OptedIn => self.opt_in(n, step, at, webhooks),
            What::Expired => {
                if let Some(record) = self.records.get_mut(n as usize).filter(|record| record.step == step) {
                    record.attempt.code = EXPIRED;
                }
                self.reach(n, step, AttemptState::Undelivered, at, webhooks);
            }
            What::Undelivered => {
                self.reach(n, step, AttemptState::Undelivered, at, webhooks);
                if present == step {
                    self.next_step(n, at);
                }
            }
        }
    }

    /// Returns the attempt of a step, present or past.
    pub(super) fn attempt(&self, n: u32, step: u8) -> Option<Attempt> {
        let record = self.records.get(n as usize)?;
        if record.step == step {
            return Some(record.attempt);
        }
        self.chains.get(&n)?.before.get(usize::from(step)).copied()
    }

    fn reach(&mut self, n: u32, step: u8, state: AttemptState, at: Timestamp, webhooks: &mut Vec<Webhook>) {
        let Some(record) = self.records.get_mut(n as usize) else { return };
        let offset = record.offset(at);
        let attempt = if record.step == step {
            Some(&mut record.attempt)
        } else {
            self.chains.get_mut(&n).and_then(|chain| chain.before.get_mut(usize::from(step)))
        };
        let Some(attempt) = attempt else { return };
        attempt.state = state;
        match state {
            AttemptState::Queued => {}
            AttemptState::Sent => attempt.sent = offset,
            AttemptState::Undelivered | AttemptState::Delivered => attempt.ended = offset,
            AttemptState::Read => attempt.read = offset,
        }
        let (to, channel, nth) = (record.to.seed(), attempt.channel, attempt.nth);
        self.seen.reach(channel, state);
        let faults = self.faults_now(at);
        let (duplicate, reorder) = (faults.duplicate, faults.reorder);
        if duplicate == 0.0 && reorder == 0.0 {
            self.write_receipt(n, step, state, at, webhooks);
            return;
        }
        let index = STATES.iter().position(|known| *known == state).and_then(|index| u8::try_from(index).ok());
        let happened = Happened { at, state: index.unwrap_or_default() };
        let seed = self.seed;
        let dice = |what: Throw| throw::<2>(seed, to, channel, nth, ((state as u64) << 8) | what as u64);
        let ([twice, twice_after], [late, late_after]) = (dice(Throw::Duplicate), dice(Throw::Reorder));
        #[expect(clippy::cast_possible_truncation, reason = "from 0 to the constant")]
        let within = |most: Span, share: f64| Span::from_millis((most.millis() as f64 * share) as i64);
        if twice < duplicate {
            let again = at + self.sped_up(within(DUPLICATE_WITHIN, twice_after));
            self.schedule(again, n, step, What::Again(happened));
        }
        if late < reorder {
            let later = at + self.sped_up(within(REORDER_WITHIN, late_after));
            self.schedule(later, n, step, What::Again(happened));
        } else {
            self.write_receipt(n, step, state, at, webhooks);
        }
    }

    /// Moves a message to the next step of the provider's own route, if there is one.
    fn next_step(&mut self, n: u32, at: Timestamp) {
        let Some(record) = self.records.get_mut(n as usize) else { return };
        let Some(chain) = self.chains.get_mut(&n) else { return };
        let Some(next) = chain.steps.get(usize::from(record.step) + 1) else { return };
        chain.before.push(record.attempt);
        record.attempt = Attempt::on(next.channel);
        record.step += 1;
        self.seen.own_fallbacks += 1;
        self.begin(n, at);
    }

    /// The recipient of a message, as the channel names them.
    fn user_of(&self, n: u32, channel: Channel) -> User<'static> {
        let Some(record) = self.records.get(n as usize) else { return User::default() };
        let number = record.to.number();
        let id = match channel {
            Channel::Line => self.user_ids.get(&n).map(ToString::to_string),
            // Elsewhere it is the number without its plus, unless only an id of WhatsApp is known.
            _ => number
                .map(|number| called_on(channel, number).get().to_string())
                .or_else(|| Some(self.user_ids.get(&n)?.to_string())),
        };
        let number = number.map(|number| number.to_string());
        User { channel_user_id: id.map(Into::into), msisdn: number.map(Into::into), ..User::default() }
    }

    /// Writes the receipt.
    fn write_receipt(&mut self, n: u32, step: u8, state: AttemptState, at: Timestamp, webhooks: &mut Vec<Webhook>) {
        if self.faults_now(at).silent_receipts {
            self.seen.receipts_lost += 1;
            return;
        }
        let (Some(record), Some(attempt)) = (self.records.get(n as usize), self.attempt(n, step)) else { return };
        let batch = record.batch.and_then(|batch| self.batches.get(batch as usize));
        let undelivered = state == AttemptState::Undelivered;
        let metas_own = Some(attempt.code).filter(|_| undelivered).and_then(metas_own);
        let sub_account = self.sub_accounts.get(usize::from(record.sub_account)).map(String::as_str);
        // The SMS API has one channel, which it does not name, and a number instead of a user.
        let is_sms_api = record.api == MessagingApi::Sms;
        let destination = record.to.number().filter(|_| is_sms_api);
        let receipt = Receipt {
            umid: Some(self.umids.of(n).to_string().into()),
            sub_account_id: sub_account.map(Text::from),
            channel: (!is_sms_api).then(|| webhook_channel(attempt.channel).into()),
            user: (!is_sms_api).then(|| self.user_of(n, attempt.channel)),
            destination: destination.map(|number| Hidden::from(number.to_string())),
            client_message_id: record.client_id.text().map(Text::from),
            client_batch_id: batch.and_then(|batch| batch.client_id.as_deref()).map(Text::from),
            batch_id: batch.map(|batch| batch.id.to_string().into()),
            status: StatusBody::reported(state, at, undelivered.then_some(i64::from(attempt.code))),
            whatsapp: metas_own.map(|code| WhatsApp { provider_error_code: Some(code), ..WhatsApp::default() }),
            ..Receipt::default()
        };
        let mut event = Vec::with_capacity(512);
        receipt.append_event(&mut event);
        self.seen.receipts += 1;
        let own = self.callbacks.get(&n).map(Arc::clone);
        webhooks.push(Webhook {
            address: own.or_else(|| self.registered(webhooks::Reported::Receipt, sub_account)),
            event,
        });
    }
}

/// A time at the speed of the profile.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
pub(super) fn sped_up(span: Span, speed: f64) -> Span {
    Span::from_millis((span.millis() as f64 / speed) as i64)
}

/// The code of a message that expired.
const EXPIRED: u16 = 36;
/// The code of free-form content on WhatsApp without an open window.
const OUTSIDE_WINDOW: u16 = 1_022;

/// WhatsApp's own code for a failure, where receipts have it.
const fn metas_own(code: u16) -> Option<i64> {
    match code {
        OUTSIDE_WINDOW => Some(131_047),
        1_024 => Some(131_049),
        _ => None,
    }
}
/// Maximum delay of the second copy of a receipt.
const DUPLICATE_WITHIN: Span = Span::from_secs(5);
/// Maximum delay of a receipt that is delayed to reorder it.
const REORDER_WITHIN: Span = Span::from_secs(20);
