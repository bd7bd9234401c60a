//! Invariants of every request that is sent.

use super::{Campaign, Invariants};
use crate::base::domain::{
    BatchState, Content, Ending, Fault, Loaded, OnRecipientLimit, OnUnknown, Present, Span, State, Timestamp,
};
use crate::simulation::blame::No;
use crate::simulation::hours;
use crate::simulation::laid_out::CORRECTED;
use crate::simulation::net::{Arrived, Posted};
use crate::simulation::scene::{country_of, number_of};
use crate::simulation::world::START;

/// How long a decision waits for requests that were sent before it. After that it is acknowledged all the same.
const SENT_BEFORE: Span = Span::from_millis(700);

impl Invariants {
    /// Checks that a request may arrive at the provider now. Once a stop was acknowledged to an operator, nothing
    /// arrives there.
    pub(super) fn check_arrival(&self, arrived: &Arrived) {
        if self.superseded.contains_key(&arrived.life) {
            // The successor noted the stop; it does not know of the requests of its predecessor.
            return;
        }
        let of_it = |campaign: &&Campaign| campaign.batch == arrived.message.batch;
        let stopped_at = self.campaigns.iter().find(of_it).and_then(|campaign| campaign.stopped_at);
        if let Some(stopped_at) = stopped_at.filter(|at| (arrived.sent..=arrived.at).contains(at)) {
            assert!(
                stopped_at >= arrived.sent + SENT_BEFORE,
                "arrived at the provider after the node had noted: {arrived:?}"
            );
        }
    }

    /// Checks a request of a superseded server. It may send for a moment before it learns of its successor, which has
    /// already counted these messages as sent.
    pub(super) fn check_late_post(&self, campaign: &Campaign, posted: &Posted, message: &Loaded, until: Timestamp) {
        let (marks, step) = (message.present.marks, posted.attempt.step);
        let about = || format!("{posted:?} of {:?}", message.present);
        assert!(posted.at < until, "sent by a server that was superseded, after {until:?}: {}", about());
        assert!(marks.handed_over(step) || marks.unknown(step), "sent by two servers: {}", about());
        self.check_copies(campaign, posted, message);
    }

    /// Checks that a request may be sent.
    pub(super) fn check_post(&self, campaign: &Campaign, posted: &Posted, message: &Loaded) {
        let Posted { attempt, channel, lane, at, .. } = *posted;
        let lane = &self.config.lanes[lane].name;
        let (plan, row) = (&campaign.plan, &message.present);
        let about = || format!("{posted:?} of {row:?}");
        let State::Sending { intent, not_before: begun_at, gives_up } = row.state else {
            panic!("sent a message that is not stored as sending: {}", about());
        };
        assert_eq!(row.step, attempt.step, "sent another step than the present one: {}", about());
        let rules = plan.step(attempt.step).unwrap();
        assert_eq!(rules.channel, channel);
        let pool = &rules.lanes;
        let own = &pool.members()[pool.lane_index(message.address, message.country)];
        let may_send = pool.member(lane).is_some_and(|member| member == own || pool.may_replace(member, own));
        assert!(may_send, "sent on {lane}, which is not a lane of its step: {}", about());
        assert!(gives_up.is_none_or(|gives_up| gives_up > at), "sent after its time: {}", about());
        let expires = plan.ttl.zip(row.first_submitted_at).map(|(ttl, first)| first + ttl);
        let ends = campaign.plans().map(|plan| plan.end.unwrap_or(Timestamp::MAX)).max();
        let expires = expires.or(ends.filter(|_| row.first_submitted_at.is_none()));
        assert!(expires.is_none_or(|expires| at < expires), "sent after the campaign's time: {}", about());
        assert!(row.expires.is_none_or(|expires| at < expires), "sent after its own expiry: {}", about());
        let since = campaign.waiting_since.get(&attempt.key.n).copied().unwrap_or(START);
        // A first message that was put off counts from the time to which it was put off.
        let since = if row.first_submitted_at.is_none() && plan.first(row.marks) == Some(row.step) {
            since.max(begun_at)
        } else {
            since
        };
        let leave = rules.leave_within.filter(|_| row.tries == 0 && !row.marks.handed_over(attempt.step));
        assert!(leave.is_none_or(|within| at < since + within), "sent after its leave_within: {}", about());
        let country = country_of(number_of(message));
        let of_step = campaign.plans().filter_map(|plan| plan.step(attempt.step));
        let is_open = of_step.map(|rules| &rules.hours).any(|hours| hours::are_open(hours, at, country.as_str()));
        assert!(is_open, "sent outside its hours: {}", about());
        let begun = campaign.begins_at.is_none_or(|begins| begins <= at);
        assert!(begun, "sent before its campaign began: {}", about());
        assert!(rules.countries.contain(Some(country)), "the step is not for this country: {}", about());
        // A cancel is final. A pause may end as soon as an operator resumes.
        let stopped = match campaign.noted {
            BatchState::Cancelling | BatchState::Cancelled => true,
            BatchState::Paused => !campaign.is_decided,
            _ => false,
        };
        assert!(!stopped, "sent although the node had noted the stop: {}", about());
        assert!(!campaign.held_steps.contains(&attempt.step), "sent although its step was held: {}", about());
        let template = rules.content.template().map_or_else(String::new, |template| template.name.to_owned());
        for held in [String::new(), template] {
            assert!(
                !self.held.contains(&(lane.clone(), held)),
                "sent although its lane or template was held: {}",
                about()
            );
        }
        let (recipient, purpose, channel) = (number_of(message), plan.purpose(rules), rules.channel);
        let stopped = self.opt_outs.since(recipient, purpose, channel).is_some_and(|since| since < intent);
        assert!(!stopped, "sent although the recipient had opted out before the claim: {}", about());
        let has_noted = self.opt_outs.are_noted(recipient, purpose, channel);
        assert!(!has_noted, "sent although the node had noted the opt-out: {}", about());
        if let Content::Text { text, .. } = &rules.content {
            let is_corrected = text.starts_with(CORRECTED);
            assert_eq!(posted.is_corrected, is_corrected, "sent another text than \"{text}\": {}", about());
        }
        assert!(self.can_record, "sent although nothing could be recorded: {}", about());
        assert!(row.marks.reached_by().is_none(), "sent although an earlier step had succeeded: {}", about());

        self.check_copies(campaign, posted, message);
    }

    /// Checks that the provider took no more copies of a step than it may.
    fn check_copies(&self, campaign: &Campaign, posted: &Posted, message: &Loaded) {
        let plan = &campaign.plan;
        let about = || format!("{posted:?} of {:?}", message.present);
        let truth = self.net.truth(posted.attempt);
        let most = if plan.on_unknown == OnUnknown::Resend { 2 } else { 1 };
        let step = plan.step(posted.attempt.step).unwrap();
        let may_be_repeated = |no: &&No| match no.fault(&step.content) {
            Fault::Recipient | Fault::OptedOut => false,
            Fault::RecipientLimit => step.on_recipient_limit == OnRecipientLimit::Retry,
            Fault::Sender(_) | Fault::Temporary => true,
        };
        let in_passing = truth.failed.iter().filter(may_be_repeated).count();
        let taken = truth.accepted.len();
        assert!(taken <= most + in_passing, "the provider took it {taken} times: {}", about());
    }
}

/// Whether a fallback caused by a deadline, and not submitted, returned to awaiting. Its receipt window may have closed
/// there.
pub(super) fn is_taken_back(was: &Present, is: &Present) -> bool {
    let waits = matches!((was.state, is.state), (State::Queued { .. }, State::Awaiting { .. } | State::Done { .. }));
    let fell_back = was.marks.ending(is.step) == Ending::Deadline && is.marks.ending(is.step) == Ending::Open;
    waits && fell_back && was.marks.preceding(was.step) == Some(is.step) && !was.marks.handed_over(was.step)
}

/// Whether a fallback that was not submitted returned to the queue of the step whose refusal had caused it.
pub(super) fn is_refusal_recalled(was: &Present, is: &Present) -> bool {
    let wait = matches!((was.state, is.state), (State::Queued { .. }, State::Queued { .. }));
    let was_refused = matches!(was.marks.ending(is.step), Ending::Rejected | Ending::Undelivered);
    let undone = was_refused && is.marks.ending(is.step) == Ending::Open && is.tries > 0;
    wait && undone && was.marks.preceding(was.step) == Some(is.step) && !was.marks.handed_over(was.step)
}
