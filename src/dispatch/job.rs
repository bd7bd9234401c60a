//! A message in the hands of a lane, and what came of it.

use std::sync::Arc;

use super::lane::Lane;
use crate::domain::{Channel, Content, Loaded, Present, State, StepIndex, Timestamp};
use crate::engine::{self, CallOff, Ruling};
use crate::planner::Pass;
use crate::provider::Refusal;
use crate::store::{Attempt, Claimed, Entry, Hush, Refund, StepHold, Verdict};
use crate::throttle::LEAVES_WITHIN;

/// A claimed message with its batch.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entry: Arc<Entry>,
    pub(super) claimed: Claimed,
    /// The latest hush before the claim: who had opted out by then the claim has seen.
    pub(super) hush: Hush,
}

impl Job {
    pub(super) const fn step(&self) -> StepIndex {
        self.claimed.message.present.step
    }

    /// What the step's TTL runs from: its hand-over, and where it goes again after a failure in passing, its first one.
    pub(super) fn left(&self) -> Timestamp {
        let Present { state, step, marks, accepted, .. } = self.claimed.message.present;
        let intent = match state {
            State::Sending { intent, .. } => intent,
            State::Queued { not_before, .. } => not_before,
            State::Awaiting { due } => due,
            State::Done { at, .. } => at,
        };
        accepted.filter(|_| marks.failed(step)).unwrap_or(intent)
    }

    /// WhatsApp takes free text only within 24 hours of the person's last message.
    pub(super) fn is_free_text_on_whatsapp(&self) -> bool {
        let step = self.entry.plan.step(self.step());
        step.is_some_and(|step| step.channel == Channel::WhatsApp && matches!(step.content, Content::Text { .. }))
    }

    /// Whether its time to leave is up: it goes back, and the timer ends its waiting.
    pub(super) fn is_too_late(&self, now: Timestamp) -> bool {
        let present = &self.claimed.message.present;
        match present.state {
            State::Sending { gives_up, .. } => {
                gives_up.is_some_and(|at| at <= now) || self.entry.has_ended_for(present, now)
            }
            State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => false,
        }
    }

    /// Whether its hours have ended since it was claimed: it goes back, and the next claim puts it off.
    pub(super) fn is_out_of_hours(&self, now: Timestamp) -> bool {
        self.entry.timing(self.step()).is_some_and(|timing| !timing.hours.are_open(now, self.claimed.message.zone()))
    }

    /// Whether it was claimed because its person had a window open with us, which has closed since, or with a place in the
    /// tier that will be free before a day has passed since its hand-over: it goes back, and the next claim looks for a
    /// place.
    pub(super) fn has_lost_its_pass(&self, now: Timestamp) -> bool {
        match self.claimed.pass {
            Pass::Window(until) => until <= now,
            Pass::Slot => matches!(self.claimed.message.present.state, State::Sending { intent, .. }
                if intent + LEAVES_WITHIN <= now),
            Pass::Uncounted => false,
        }
    }

    /// Whether something has been learned since its claim for which it stays. Whom the claim itself found to have opted out
    /// gets no request anyway.
    pub(super) fn is_recalled(&self) -> bool {
        let message = &self.claimed.message;
        self.entry.is_recalled(message.key, self.step())
            || (!self.claimed.opted_out && self.entry.is_hushed(message.msisdn, self.hush))
    }

    /// Given back unbegun; not to leave before then, where that is said.
    pub(super) fn hand_back(self, lane: &Arc<Lane>, not_before: Option<Timestamp>) -> Settled {
        self.entry.is_back(self.claimed.message.key, self.step());
        let answer = not_before.map_or(engine::Answer::NotBegun, |at| engine::Answer::Later { at });
        Settled::new(self, lane, answer, None)
    }
}

/// What is known of an attempt beside the engine's view of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Details {
    pub(super) umid: Option<crate::domain::Umid>,
    pub(super) code: Option<u32>,
    pub(super) detail: Option<String>,
}

impl From<Refusal> for Details {
    fn from(refusal: Refusal) -> Self {
        Self { umid: None, code: refusal.code, detail: Some(refusal.detail) }
    }
}

/// A job with its end: everything that is needed to decide about it, also a second time should a receipt have been
/// faster.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) entry: Arc<Entry>,
    pub(super) lane: Arc<Lane>,
    pub(super) message: Loaded,
    pub(super) step: StepIndex,
    pub(super) answer: engine::Answer,
    /// What else is to be said about the message once it is back in its queue.
    pub(super) then: Option<CallOff>,
    pub(super) fact: Option<Attempt>,
    /// What the claim counted as spent, and was not: nothing was handed over.
    pub(super) refund: Option<Refund>,
    /// Why nothing more of the step is to be sent, and when the request was begun that tells so.
    pub(super) hold: Option<(StepHold, Timestamp)>,
    /// When the claim took a place in the tier for it, which nobody needs unless it was handed over after all.
    pub(super) spare_place: Option<Timestamp>,
}

impl Settled {
    pub(super) fn new(job: Job, lane: &Arc<Lane>, answer: engine::Answer, fact: Option<(Verdict, Details)>) -> Self {
        let now = lane.clock.now();
        let message = job.claimed.message;
        let step = message.present.step;
        let (claimed_at, queued) = match message.present.state {
            State::Sending { intent, not_before, .. } => (Some(intent), not_before),
            State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => (None, now),
        };
        let fact = fact.map(|(verdict, details)| Attempt {
            step,
            lane: lane.id,
            queued,
            // A step that could not leave was claimed, but nothing was ever meant to go out.
            intent: claimed_at.filter(|_| verdict.was_begun()),
            answered: now,
            verdict,
            tries: message.present.tries,
            code: details.code,
            detail: details.detail,
            umid: details.umid,
            ruling: Ruling::default(),
        });
        let has_place = job.claimed.pass == Pass::Slot;
        let spare_place = claimed_at.filter(|_| has_place && !may_have_left(answer));
        let is_back = !may_have_left(answer) && !job.claimed.cost.is_zero();
        let refund = is_back.then_some(Refund { step, amount: job.claimed.cost });
        let lane = Arc::clone(lane);
        Self { entry: job.entry, lane, message, step, answer, then: None, fact, refund, hold: None, spare_place }
    }
}

/// Whether the person may have got something.
const fn may_have_left(answer: engine::Answer) -> bool {
    match answer {
        engine::Answer::Accepted | engine::Answer::Unknown => true,
        engine::Answer::Refused { .. }
        | engine::Answer::Unavailable { .. }
        | engine::Answer::NotBegun
        | engine::Answer::Later { .. }
        | engine::Answer::CannotLeave(_) => false,
    }
}
