//! The walk along one queue of a claim: the verdict on each due message, in queue order.

use std::sync::Arc;

use super::hours::FirstOf;
use super::limits::Spending;
use super::tier::TierCheck;
use super::{Cap, Capped, Pass, Rest, TierStanding, Timing};
use crate::base::domain::{Fee, Fields, Loaded, Present, Queue, State, Timestamp, Unwanted};

/// A due message of a queue.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub message: Loaded,
    pub fields: Fields,
    /// Why the worker settles it without a request, if its recipient does not want it.
    pub unwanted: Option<Unwanted>,
    pub tier: TierStanding,
}

impl Candidate {
    pub const fn is_never_sent(&self) -> bool {
        self.unwanted.is_some()
    }
}

/// A message that the claim takes: the store marks it `sending`. A message that is never sent is taken too, without slot and
/// cost.
#[derive(Debug, Clone)]
pub struct TakenMessage {
    pub candidate: Candidate,
    pub pass: Pass,
    pub fee: Fee,
}

/// A due message that the claim does not take. It stays queued, and the claimer asks the engine what to do with it.
#[derive(Debug, Clone, Copy)]
pub struct Referral {
    pub message: Loaded,
    pub reason: ReferralReason,
}

/// Why a message is referred to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferralReason {
    /// Outside its send hours, which open then.
    Closed { until: Timestamp },
    /// The tier has no free slot, and the step does not wait for one.
    TierSpent,
}

/// The verdict on one candidate.
enum Verdict {
    Take {
        pass: Pass,
        fee: Fee,
    },
    Refer(ReferralReason),
    /// It has expired. The timers or the housekeeper end it; it blocks no other message.
    Expired,
    /// The tier has no free slot, and the step waits for one. It blocks no other message: the next may need no slot.
    WaitsForSlot,
    /// A limit is reached. The claim takes nothing more of this queue: a limit is used in queue order.
    Capped(Capped),
}

/// One queue, walked from its front.
#[derive(Debug)]
pub(super) struct QueueWalk {
    pub(super) queue: Queue,
    pub(super) timing: Option<Arc<Timing>>,
    pub(super) first_of: FirstOf,
    pub(super) cap: Option<Arc<Cap>>,
    /// The steps of the route, if a message without a free slot in the tier falls back.
    pub(super) route_steps: Option<usize>,
    pub(super) last_first_submission_at: Option<Timestamp>,
    pub(super) after: Option<(Timestamp, u32)>,
    pub(super) taken: Vec<TakenMessage>,
    /// Whether the claim has taken or referred any message of it.
    pub(super) progresses: bool,
    /// Whether any message waits for a free slot in the tier.
    pub(super) waits_for_slot: bool,
    /// Whether the last page held messages that the claim does not take. The next page is then longer.
    pub(super) is_crowded: bool,
    pub(super) rest: Option<Rest>,
}

/// A page that the planner asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) walk: usize,
    pub(super) count: usize,
    /// How many of its messages may be taken.
    pub(super) share: usize,
}

/// The rules that all queues of a claim share.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) now: Timestamp,
    pub(super) tier: Option<TierCheck>,
    pub(super) spending: Spending,
}

impl QueueWalk {
    /// Begins at the front of a queue.
    pub(super) fn of(
        queue: Queue,
        timing: Option<Arc<Timing>>,
        cap: Option<Arc<Cap>>,
        route_steps: Option<usize>,
    ) -> Self {
        Self {
            queue,
            timing,
            first_of: FirstOf::default(),
            cap,
            route_steps,
            last_first_submission_at: None,
            after: None,
            taken: Vec::new(),
            progresses: false,
            waits_for_slot: false,
            is_crowded: false,
            rest: None,
        }
    }

    /// Judges one page. Returns how many of its messages it takes.
    pub(super) fn judge(
        &mut self,
        asked: &Asked,
        page: Vec<Candidate>,
        rules: &mut Rules,
        referred: &mut Vec<Referral>,
    ) -> usize {
        if asked.share == 0 && !page.is_empty() {
            // The other queues have used the limit. This queue stays ready for the next claim.
            return 0;
        }
        let is_short = page.len() < asked.count;
        let before = self.taken.len();
        self.is_crowded = false;
        for candidate in page {
            let taken = self.taken.len() - before;
            if taken == asked.share {
                // The rest of the page waits for the next round, or for the next claim.
                return taken;
            }
            self.after = position(&candidate.message);
            match rules.verdict(self, &candidate) {
                Verdict::Take { pass, fee } => {
                    let taken = TakenMessage { candidate, pass, fee };
                    rules.charge(self, &taken);
                    self.taken.push(taken);
                    self.progresses = true;
                }
                Verdict::Refer(reason) => {
                    referred.push(Referral { message: candidate.message, reason });
                    (self.progresses, self.is_crowded) = (true, true);
                }
                Verdict::Expired => self.is_crowded = true,
                Verdict::WaitsForSlot => (self.waits_for_slot, self.is_crowded) = (true, true),
                Verdict::Capped(capped) => {
                    self.rest = Some(Rest::Capped(capped));
                    return self.taken.len() - before;
                }
            }
        }
        self.rest = self.rest_after(is_short);
        self.taken.len() - before
    }

    /// The queue's rest after a page of which each message was judged; `None` if the next round reads on. A short page
    /// is the last of its queue.
    ///
    /// | the page | messages wait for a slot | the claim took or referred one | rest | why |
    /// | --- | --- | --- | --- | --- |
    /// | full | | | `None` | later messages may be sent |
    /// | short | no | | `Drained` | it has no more due messages |
    /// | short | yes | yes | `More` | a slot may have come back meanwhile |
    /// | short | yes | no | `ForSlot` | only a free slot helps |
    const fn rest_after(&self, is_short: bool) -> Option<Rest> {
        match (is_short, self.waits_for_slot, self.progresses) {
            (false, _, _) => None,
            (true, false, _) => Some(Rest::Drained { next: None }),
            (true, true, true) => Some(Rest::More),
            (true, true, false) => Some(Rest::ForSlot),
        }
    }
}

impl Rules {
    /// Judges one candidate. The first of these decides: expiry, send hours, the tier, limits and budgets.
    fn verdict(&self, walk: &mut QueueWalk, candidate: &Candidate) -> Verdict {
        let message = &candidate.message;
        if has_expired(&message.present, walk.last_first_submission_at, self.now) {
            return Verdict::Expired;
        }
        if let Some(timing) = &walk.timing
            && let Some(until) = timing.closed_until(message, self.now, &mut walk.first_of)
        {
            return Verdict::Refer(ReferralReason::Closed { until });
        }
        // A message that is never sent needs no slot.
        let pass = match &self.tier {
            Some(tier) if !candidate.is_never_sent() => tier.pass(message.address, candidate.tier),
            Some(_) | None => Some(Pass::Uncounted),
        };
        let Some(pass) = pass else {
            let following = |steps| message.present.marks.following(walk.queue.step, steps);
            let can_fall_back = walk.route_steps.and_then(following).is_some();
            return if can_fall_back { Verdict::Refer(ReferralReason::TierSpent) } else { Verdict::WaitsForSlot };
        };
        match walk.cap.as_ref().map(|cap| self.spending.cost(walk.queue, cap, candidate)) {
            Some(Err(capped)) => Verdict::Capped(capped),
            Some(Ok(fee)) => Verdict::Take { pass, fee },
            None => Verdict::Take { pass, fee: Fee::NOTHING },
        }
    }

    /// Counts a taken message against its limits and the tier.
    fn charge(&mut self, walk: &QueueWalk, TakenMessage { candidate, pass, fee }: &TakenMessage) {
        if walk.cap.is_some() {
            self.spending.count_taken(walk.queue, *fee);
        }
        if let Some(tier) = self.tier.as_mut().filter(|_| *pass == Pass::Slot) {
            tier.take_slot(candidate.message.address, candidate.tier);
        }
    }
}

/// Whether a message has expired: its waiting time is over, or the latest time for its first submission has passed.
fn has_expired(present: &Present, last_first_submission_at: Option<Timestamp>, now: Timestamp) -> bool {
    let is_past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let gives_up = if let State::Queued { gives_up, .. } = present.state { gives_up } else { None };
    is_past(gives_up) || present.first_submitted_at.is_none() && is_past(last_first_submission_at)
}

/// A message's position in its queue.
fn position(message: &Loaded) -> Option<(Timestamp, u32)> {
    message.present.not_before().map(|not_before| (not_before, message.key.n))
}
