//! Turns the provider's answer into the engine's: decides on holds and backoff, and collects the facts to record.
//!
//! The worker reports to the lane's circuit what an answer says about the provider itself.

use std::sync::Arc;

use super::job::{Details, Job, Settled};
use super::lane::RunningLane;
use crate::base::domain::{Fault, MessageId, RefusalSubject, Refused, SenderPart, Span, State, Timestamp};
use crate::provider::client::{Refusal, SendAnswer};
use crate::rules::engine;
use crate::rules::wire::codes;
use crate::sending::book::{hold_for_refusal, hold_for_refusals_alike};
use crate::sending::throttle::{OF_ONE_BATCH, Refuted, Throttling, UnclearRefusal};
use crate::store::{HeldBy, Hold, Recall, ReportedBy, Verdict};

/// Tries after which a message that keeps returning moves to the end of its queue, so that it does not block others.
const TRIES_IN_PLACE: u16 = 3;
/// The status and the code of a throttled request.
const TOO_MANY: u32 = 429;
/// How much later than the end of the queue it is due: doubles with each try.
const SHORTEST_REST: Span = Span::from_secs(8);
const LONGEST_REST: Span = Span::from_secs(600);

/// Applies the answer to a request that began at `begun` to its message and its lane.
pub(super) fn settle(job: Job, lane: &Arc<RunningLane>, answer: SendAnswer, begun: Timestamp) -> Settled {
    let now = lane.clock.now();
    match answer {
        SendAnswer::Accepted { umid } => {
            lane.backoff.reset(begun);
            lane.test.accepted(job.claimed.message.key, begun);
            job.entry.taken(job.step(), ReportedBy::Answer);
            let details = Details { umid: Some(umid), ..Details::default() };
            Settled::new(job, lane, engine::Answer::Accepted, Some((Verdict::Accepted, details)))
        }
        SendAnswer::Unknown { detail, .. } => {
            let details = Details { detail: Some(detail), ..Details::default() };
            Settled::new(job, lane, engine::Answer::Unknown, Some((Verdict::Unknown, details)))
        }
        SendAnswer::NotOffered { .. } => {
            let again = requeue_at(&job, lane, now);
            Settled::new(job, lane, engine::Answer::Unavailable { again }, None)
        }
        SendAnswer::Withdrawn => job.requeue(lane, None),
        SendAnswer::Refused(refusal) if refusal.is_unclear() => unclear(job, lane, refusal, begun),
        SendAnswer::Refused(refusal) => {
            if refusal.fault == Fault::Temporary {
                let Refusal { detail, retry_after, .. } = &refusal;
                let throttling = Throttling { begun, retry_after: *retry_after, reason: detail };
                lane.backoff.apply_throttling(throttling, now, &lane.chance);
            }
            refused(job, lane, refusal, begun)
        }
    }
}

/// Applies a refusal without a known code: another message tests the lane, and this one moves to the end of its queue. If
/// it was to test the lane itself, the lane or its step is held.
fn unclear(job: Job, lane: &Arc<RunningLane>, refusal: Refusal, begun: Timestamp) -> Settled {
    let now = lane.clock.now();
    let message = &job.claimed.message;
    let refused = UnclearRefusal {
        message: MessageId { key: message.key, tag: job.entry.tag },
        step: job.step(),
        recipient: message.address,
        code: refusal.code,
        reason: refusal.detail.clone(),
        is_repeated: message.present.refused != Refused::Never,
        begun,
    };
    let named = |other: &UnclearRefusal| {
        format!("{}; refused alike were {} and {}", refusal.detail, other.named(), refused.named())
    };
    let hold = match lane.test.refused(refused.clone(), now) {
        Some(Refuted::Lane(other)) => {
            // The status of a refusal without a known code tells no remedy.
            lane.holds.put(Hold::on_lane(&lane.config.name, HeldBy::Answer, None, &named(&other), now), begun);
            None
        }
        Some(Refuted::Step(other)) => {
            let step = (job.entry.id, job.step());
            Some((hold_for_refusals_alike(step, OF_ONE_BATCH, &named(&other), now), begun))
        }
        None => None,
    };
    let again = now + lane.chance.back_off(SHORTEST_REST, message.present.tries.into(), LONGEST_REST);
    let answer = engine::Answer::Unclear { again };
    Settled { hold, ..Settled::new(job, lane, answer, Some((Verdict::Refused, refusal.into()))) }
}

fn refused(job: Job, lane: &Arc<RunningLane>, refusal: Refusal, begun: Timestamp) -> Settled {
    let now = lane.clock.now();
    let (fault, recall) = fault_of(&job, &refusal, now);
    // Throttling is not caused by a single message, so it keeps its position however often it is throttled.
    let again = match job.claimed.message.present.state {
        State::Sending { not_before, .. } if refusal.code == Some(TOO_MANY) => not_before,
        // At the end of the queue: a message with an invalid value must not be the first one each time the step
        // resumes.
        _ if recall.is_some() => now,
        _ => requeue_at(&job, lane, now),
    };
    let answer = engine::Answer::Refused { fault, again };
    match fault {
        Fault::Recipient | Fault::RecipientLimit | Fault::OptedOut => {
            // A refusal that concerns one recipient also shows that the provider takes requests.
            lane.backoff.reset(begun);
            Settled::new(job, lane, answer, Some((Verdict::Rejected, refusal.into())))
        }
        Fault::Temporary => Settled::new(job, lane, answer, None),
        Fault::Sender(SenderPart::Step) => {
            let step = (job.entry.id, job.step());
            let Refusal { subject, code, detail, .. } = refusal;
            let hold = hold_for_refusal(step, subject, code, &detail, recall, now);
            Settled { hold: Some((hold, begun)), ..Settled::new(job, lane, answer, None) }
        }
        Fault::Sender(part) => {
            let (lane_name, code) = (&lane.config.name, refusal.code);
            let step = job.entry.plan.step(job.step());
            let hold = step
                .and_then(|step| Hold::for_fault(step, lane_name, part, HeldBy::Answer, code, &refusal.detail, now));
            if let Some(hold) = hold {
                // The hold applies at once; the node's watch stores it.
                lane.holds.put(hold, begun);
            }
            Settled::new(job, lane, answer, None)
        }
    }
}

/// The fault of a refusal in this step, and what to recall if that shows only now.
///
/// A value may be invalid for one recipient. If it is refused twenty times in a row, the sender is at fault.
fn fault_of(job: &Job, refusal: &Refusal, now: Timestamp) -> (Fault, Option<Recall>) {
    let Refusal { fault, subject, code, .. } = *refusal;
    let Some(step) = job.entry.plan.step(job.step()) else { return (fault, None) };
    let message = &job.claimed.message;
    if subject == RefusalSubject::Expiry && message.present.expires.is_some() {
        // The expiry is the message's own. It may have come while the request was on its way.
        return (fault, None);
    }
    let fault = codes::fault_in(step, fault, subject);
    let counted = code.filter(|_| fault == Fault::Recipient && subject != RefusalSubject::Number);
    let recall = counted.and_then(|code| job.entry.refused(message, job.step(), ReportedBy::Answer, code, now));
    (recall.map_or(fault, |_| Fault::Sender(SenderPart::Step)), recall)
}

/// When a returned message is due again: at its old position in the queue, unless it keeps returning.
fn requeue_at(job: &Job, lane: &RunningLane, now: Timestamp) -> Timestamp {
    let present = &job.claimed.message.present;
    match present.state {
        State::Sending { not_before, .. } if present.tries < TRIES_IN_PLACE => not_before,
        State::Sending { .. } | State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => {
            now + lane.chance.back_off(SHORTEST_REST, present.tries.saturating_sub(TRIES_IN_PLACE).into(), LONGEST_REST)
        }
    }
}
