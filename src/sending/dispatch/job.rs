//! A message claimed by a lane, and its result.

use std::sync::Arc;

use super::lane::RunningLane;
use crate::base::domain::{Loaded, Money, Present, State, Step, StepIndex, Timestamp};
use crate::provider::client::Refusal;
use crate::rules::engine::{self, CallOff, Ruling};
use crate::rules::planner::Pass;
use crate::rules::template::To;
use crate::sending::book::{Entry, Suppression};
use crate::sending::throttle::SUBMITTED_WITHIN;
use crate::store::{Attempt, Claimed, StepHold, Verdict};

/// A claimed message with its batch.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entry: Arc<Entry>,
    pub(super) claimed: Claimed,
    /// The latest suppression before the claim. The claim has seen the opt-outs up to it.
    pub(super) suppression: Suppression,
}

impl Job {
    pub(super) const fn step(&self) -> StepIndex {
        self.claimed.message.present.step
    }

    /// Its position in its queue.
    pub(super) fn queued_at(&self) -> Timestamp {
        match self.claimed.message.present.state {
            State::Queued { not_before, .. } | State::Sending { not_before, .. } => not_before,
            State::Awaiting { due: at } | State::Done { at, .. } => at,
        }
    }

    /// When the step's TTL starts: at its submission; for a retry after a temporary failure, at the first submission.
    pub(super) fn ttl_starts_at(&self) -> Timestamp {
        let Present { state, step, marks, accepted, .. } = self.claimed.message.present;
        let intent = match state {
            State::Sending { intent, .. } => intent,
            State::Queued { not_before, .. } => not_before,
            State::Awaiting { due } => due,
            State::Done { at, .. } => at,
        };
        accepted.filter(|_| marks.failed(step)).unwrap_or(intent)
    }

    /// How its request names the recipient.
    pub(super) fn to(&self) -> To<'_> {
        let Claimed { message, user, .. } = &self.claimed;
        let channel = self.entry.plan.step(self.step()).map(|step| step.channel);
        match (message.address.number(), user) {
            (Some(number), _) => To::Number(number),
            (None, Some(user)) if Some(user.channel) == channel => To::User(&user.id),
            (None, _) => To::Unknown,
        }
    }

    /// Whether it is accepted only within 24 hours of the recipient's last message.
    pub(super) fn needs_window(&self) -> bool {
        self.entry.plan.step(self.step()).is_some_and(Step::needs_window)
    }

    /// Whether a program sent it over the API.
    pub(super) fn is_of_a_caller(&self) -> bool {
        self.entry.plan.api.is_some()
    }

    /// Whether its time to be sent has passed. Then it is requeued, and the timer ends its wait.
    pub(super) fn is_too_late(&self, now: Timestamp) -> bool {
        let present = &self.claimed.message.present;
        match present.state {
            State::Sending { gives_up, .. } => {
                gives_up.is_some_and(|at| at <= now) || self.entry.has_ended_for(present, now)
            }
            State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => false,
        }
    }

    /// Whether its hours have ended since the claim. Then it is requeued, and the next claim puts it off.
    pub(super) fn is_out_of_hours(&self, now: Timestamp) -> bool {
        self.entry.timing(self.step()).is_some_and(|timing| !timing.hours.are_open(now, self.claimed.message.zone()))
    }

    /// Whether the reason for which it was claimed no longer allows a submission.
    ///
    /// Either the recipient's window has closed since, or its tier slot would become free less than a day after the
    /// submission. Then it is requeued, and the next claim looks for a slot.
    pub(super) fn has_lost_its_pass(&self, now: Timestamp) -> bool {
        match self.claimed.pass {
            Pass::Window(until) => until <= now,
            Pass::Slot => matches!(self.claimed.message.present.state, State::Sending { intent, .. }
                if intent + SUBMITTED_WITHIN <= now),
            Pass::Uncounted => false,
        }
    }

    /// Whether a receipt or an opt-out since the claim stops it. A recipient whom the claim itself found opted out gets
    /// no request anyway.
    pub(super) fn is_recalled(&self) -> bool {
        let message = &self.claimed.message;
        self.entry.is_recalled(message.key, self.step())
            || (self.claimed.unwanted.is_none() && self.entry.is_suppressed(message.address, self.suppression))
    }

    /// Requeues it unsent, to be sent at `not_before` at the earliest.
    pub(super) fn requeue(self, lane: &Arc<RunningLane>, not_before: Option<Timestamp>) -> Settled {
        self.entry.end_recall(self.claimed.message.key, self.step());
        let answer = not_before.map_or(engine::Answer::NotBegun, |at| engine::Answer::Later { at });
        Settled::new(self, lane, answer, None)
    }
}

/// Facts about an attempt that the engine does not need.
#[derive(Debug, Clone, Default)]
pub(super) struct Details {
    pub(super) umid: Option<crate::base::domain::Umid>,
    pub(super) code: Option<u32>,
    pub(super) detail: Option<String>,
}

impl From<Refusal> for Details {
    fn from(refusal: Refusal) -> Self {
        Self { umid: None, code: refusal.code, detail: Some(refusal.detail) }
    }
}

/// A job with its result: everything needed to decide it, and to decide it again if a receipt was faster.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) entry: Arc<Entry>,
    pub(super) lane: Arc<RunningLane>,
    pub(super) message: Loaded,
    pub(super) step: StepIndex,
    pub(super) answer: engine::Answer,
    /// A further event for the message after it is requeued.
    pub(super) then: Option<CallOff>,
    pub(super) fact: Option<Attempt>,
    /// What the claim counted as spent although nothing was submitted.
    pub(super) refund: Option<Money>,
    /// Why the step must send nothing more, and when the request began that showed it.
    pub(super) hold: Option<(StepHold, Timestamp)>,
    /// When the claim took a tier slot for it. The slot is free again unless the message was submitted after all.
    pub(super) unused_slot: Option<Timestamp>,
}

impl Settled {
    pub(super) fn new(
        job: Job,
        lane: &Arc<RunningLane>,
        answer: engine::Answer,
        fact: Option<(Verdict, Details)>,
    ) -> Self {
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
            // A step that could not be submitted was claimed, but no request was intended.
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
        let unused_slot = claimed_at.filter(|_| has_place && !may_have_been_submitted(answer));
        let spent = job.claimed.fee.spent();
        let refund = (!may_have_been_submitted(answer) && !spent.is_zero()).then_some(spent);
        let lane = Arc::clone(lane);
        Self { entry: job.entry, lane, message, step, answer, then: None, fact, refund, hold: None, unused_slot }
    }
}

/// Whether the message may have been submitted.
const fn may_have_been_submitted(answer: engine::Answer) -> bool {
    match answer {
        engine::Answer::Accepted | engine::Answer::Unknown => true,
        engine::Answer::Refused { .. }
        | engine::Answer::Unclear { .. }
        | engine::Answer::Unavailable { .. }
        | engine::Answer::NotBegun
        | engine::Answer::Later { .. }
        | engine::Answer::CannotLeave(_) => false,
    }
}
