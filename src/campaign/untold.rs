//! What leaves no fact: moments that a replay assumes, each only where something that is on disk tells of it.

use super::dated::Fact;
use super::replay::{Moment, Place, Search, Told, sending};
use super::words;
use crate::domain::{Ending, Fault, Present, SenderPart, State, Timestamp};
use crate::engine::{Answer, CallOff, Decision, Event, Report};
use crate::store::{Attempt, Receipt, Verdict};
use crate::wire::codes::Entry;

impl Search<'_> {
    /// The batch is called off: at once for the message too, or for it only later.
    pub(super) fn cancel(&mut self, place: Place, at: Timestamp) -> bool {
        let at = self.life.batch.cancelled_at.map_or(at, |cancelled| at.max(cancelled));
        let (before, place) = (place.now, Place { cancelled: true, ..place });
        let was_cut = self.life.row.marks.cut();
        was_cut && self.moves(place, at, before, Event::CalledOff(CallOff::Cancel), Moment::CalledOff)
            || self.tell(place, at, Told { at, before, moment: Moment::Cancelled, decision: None })
    }

    /// The refusal by which the step before has given way was the sender's fault: told by what that step did afterwards, or
    /// by the row, which has it end in another way.
    pub(super) fn recall(&mut self, place: Place, at: Timestamp) -> bool {
        let (now, row) = (place.now, self.life.row);
        let Some(step) = now.marks.preceding(now.step).filter(|_| matches!(now.state, State::Queued { .. })) else {
            return false;
        };
        let ending = now.marks.ending(step);
        let goes_again = || self.unused(&place).any(|dated| matches!(dated.fact, Fact::Left(of, _) if of == step));
        let was_refused = matches!(ending, Ending::Rejected | Ending::Undelivered);
        if !was_refused || (row.marks.ending(step) == ending && !goes_again()) {
            return false;
        }
        let of_step = |attempt: &&Attempt| attempt.step == step;
        let Some(tries) = self.used_attempts(&place).filter(of_step).map(|attempt| attempt.tries).max() else {
            return false;
        };
        // From then on it waits in its queue.
        let queued = self.unused_attempts(&place).filter(of_step).map(|attempt| attempt.queued);
        let waits = self.row_waits_since().filter(|_| row.step == step);
        let mut moments: Vec<Timestamp> = queued.chain(waits).filter(|moment| *moment > at).collect();
        moments.push(at);
        let event = Event::RefusalRecalled { step, tries };
        moments.into_iter().any(|moment| self.moves(place, moment, now, event, Moment::Recalled))
    }

    /// Bad news that was one too many alike to be its recipient's fault, which only the row tells.
    pub(super) fn was_the_senders(&mut self, place: &Place, receipt: &Receipt, report: Report, at: Timestamp) -> bool {
        let Report::Failed { fault: Fault::Recipient, again } = report else { return false };
        if !words::failure(receipt).is_some_and(Entry::may_be_senders) {
            return false;
        }
        let report = Report::Failed { fault: Fault::Sender(SenderPart::Step), again };
        let event = Event::Receipt { step: receipt.step, report };
        self.moves(*place, at, place.now, event, Moment::Recalled)
    }

    /// When the present step's time is up: its own, or the campaign's.
    pub(super) fn time_is_up(&self, place: &Place) -> Option<Timestamp> {
        let unsent = matches!(place.now.state, State::Queued { .. }) && place.now.first_left.is_none();
        let end = self.plans.get(place.plan).and_then(|(_, plan)| plan.end).filter(|_| unsent);
        place.now.timer().into_iter().chain(end).min()
    }

    /// Whether what comes next cannot have come before the present step's time was up.
    pub(super) fn must_be_due_by(&self, place: &Place, next: Timestamp) -> bool {
        let Some(due) = self.time_is_up(place).filter(|due| *due <= next) else { return false };
        let later = self.unused_attempts(place).any(|attempt| attempt.step > place.now.step && attempt.queued < next);
        let queued = self.life.row.step > place.now.step && self.row_waits_since().is_some_and(|at| at < next);
        later || queued || (self.life.row.marks.late() && due < next)
    }

    /// The campaign's end is moved; who has left by then does not notice.
    pub(super) fn change(&mut self, place: Place, at: Timestamp) -> bool {
        let place = Place { plan: place.plan + 1, ..place };
        self.tell(place, at, Told { at, before: place.now, moment: Moment::Changed, decision: None })
    }

    /// What leaves no fact.
    pub(super) fn without_a_fact(&mut self, place: Place, at: Timestamp, horizon: Timestamp) -> bool {
        let (now, row) = (place.now, self.life.row);
        if place.cancelled
            && !now.marks.cut()
            && self.moves(place, at, now, Event::CalledOff(CallOff::Cancel), Moment::CalledOff)
        {
            return true;
        }
        if row.marks.opted_out() && !now.marks.opted_out() {
            let mut moments = vec![at];
            if let State::Done { at: ended, .. } = row.state {
                moments.extend((ended > at && ended <= horizon).then_some(ended));
            }
            let why = CallOff::OptOut;
            if moments.into_iter().any(|at| self.moves(place, at, now, Event::CalledOff(why), Moment::CalledOff)) {
                return true;
            }
        }
        self.unrecorded(place, at, horizon) || self.given_back(place, at)
    }

    /// A claim whose hand-over nobody has recorded: the process died, and a receipt had told of it by the next start.
    fn unrecorded(&mut self, place: Place, at: Timestamp, horizon: Timestamp) -> bool {
        let now = place.now;
        let State::Queued { .. } = now.state else { return false };
        let told_of = self.unused(&place).filter_map(|dated| match dated.fact {
            Fact::Receipt(receipt) if receipt.step == now.step => Some(dated.at),
            _ => None,
        });
        let Some(told_of) = told_of.min() else { return false };
        if self.unused_attempts(&place).any(|attempt| attempt.step == now.step) {
            return false;
        }
        let known = self.life.row.first_left.filter(|_| now.first_left.is_none());
        let moments = [known, Some(told_of)].into_iter().flatten().filter(|moment| *moment >= at && *moment <= horizon);
        moments.collect::<Vec<_>>().into_iter().any(|moment| {
            let State::Queued { not_before, gives_up } = now.state else { return false };
            let before = Present { state: State::Queued { not_before: not_before.min(moment), gives_up }, ..now };
            self.moves(place, moment, before, Event::Claimed, Moment::Claimed)
        })
    }

    /// What was given back may have been taken all the same, so a receipt can tell of it.
    fn given_back(&mut self, place: Place, at: Timestamp) -> bool {
        let before = place.now;
        let tries = self.most_tries(before.step);
        if tries <= before.tries || !matches!(before.state, State::Queued { .. }) {
            return false;
        }
        let place = Place { now: Present { tries, ..before }, ..place };
        self.tell(place, at, Told { at, before, moment: Moment::GivenBack, decision: None })
    }

    /// A message that was claimed for a step with nothing to say: of the claim there is no fact before what came of it, and
    /// a receipt may have come in between.
    pub(super) fn claimed_in_vain(&self, place: &Place, at: Timestamp) -> Option<Present> {
        let now = place.now;
        let timed = |verdict| matches!(verdict, Verdict::CouldNotLeave | Verdict::TierSpent);
        let in_vain = |attempt: &&Attempt| {
            attempt.step == now.step && attempt.intent.is_none() && attempt.answered >= at && !timed(attempt.verdict)
        };
        let attempt = self.unused_attempts(place).find(in_vain)?;
        matches!(now.state, State::Queued { .. }).then(|| sending(&now, at, attempt.tries))
    }

    /// What a receipt makes of a message that was claimed to leave just then, and was handed back unbegun because its
    /// person wants no more, be it by this receipt: of that there is no fact but that it counts as opted out.
    pub(super) fn met_a_claim(&self, place: &Place, event: Event, at: Timestamp) -> Option<Decision> {
        let row = self.life.row.marks;
        if !row.opted_out() || place.now.marks.opted_out() || !matches!(place.now.state, State::Queued { .. }) {
            return None;
        }
        let claimed = sending(&place.now, at, 0);
        let mut met = *self.advance(place, &claimed, event, at).next()?;
        if !met.marks.opted_out() {
            met = *self.advance(place, &met, Event::CalledOff(CallOff::OptOut), at).next()?;
        }
        let back = Event::Answered { step: met.step, answer: Answer::NotBegun };
        let decision = self.advance(place, &met, back, at);
        matches!(decision, Decision::Moved { .. }).then_some(decision)
    }
}
