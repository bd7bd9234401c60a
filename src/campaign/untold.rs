//! What leaves no fact: moments that a replay assumes, each only where something that is on disk tells of it.

use super::dated::Fact;
use super::replay::{Moment, Place, Search, Told, sending};
use crate::domain::{OnTierSpent, OnUnknown, Present, State, Timestamp};
use crate::engine::{Answer, CallOff, Decision, Event};
use crate::store::Verdict;

impl Search<'_> {
    /// The batch is called off: at once for the message too, or for it only later.
    pub(super) fn cancel(&mut self, place: Place, at: Timestamp) -> bool {
        let at = self.life.batch.cancelled_at.map_or(at, |cancelled| at.max(cancelled));
        let (before, place) = (place.now, Place { cancelled: true, ..place });
        let was_cut = self.life.row.marks.cut();
        was_cut && self.moves(place, at, before, Event::CalledOff(CallOff::Cancel), Moment::CalledOff)
            || self.tell(place, at, Told { at, before, moment: Moment::Cancelled, decision: None })
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
        self.not_waiting(place, at)
            || self.unrecorded(place, at, horizon)
            || self.overwritten(place, at, horizon)
            || self.given_back(place, at)
    }

    /// A step that does not wait for a place in a spent tier, of which there is a fact already: it had left before.
    fn not_waiting(&mut self, place: Place, at: Timestamp) -> bool {
        let (now, step) = (place.now, place.now.step);
        let falls_back = self.life.plan.step(step).is_some_and(|step| step.on_tier_spent == OnTierSpent::FallBack);
        if !falls_back || !now.marks.handed_over(step) {
            return false;
        }
        let later = self.unused_attempts(&place).filter(|attempt| attempt.step > step).map(|attempt| attempt.queued);
        let mut moments: Vec<Timestamp> = later.chain(self.row_waits_since()).chain([at]).collect();
        moments.retain(|moment| *moment >= at);
        moments.into_iter().any(|at| self.moves(place, at, now, Event::TierSpent { step }, Moment::TierSpent))
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

    /// Whether the present step has left before the try that is on record: a receipt had come by then, or the row knows
    /// of more than the record.
    pub(super) fn must_have_left_before(&self, place: &Place) -> bool {
        let (now, row) = (&place.now, self.life.row);
        let step = now.step;
        let mut of_step =
            self.unused_attempts(place).filter(|attempt| attempt.step == step && attempt.tries > now.tries);
        let Some(attempt) = of_step.next().filter(|_| matches!(now.state, State::Queued { .. })) else { return false };
        let left = matches!(attempt.verdict, Verdict::Accepted | Verdict::Unknown);
        let intent = attempt.intent.unwrap_or(attempt.answered);
        self.is_told_of_before(place, intent)
            || (now.first_left.is_none() && row.first_left.is_some_and(|first| first < intent))
            || (!now.marks.handed_over(step) && row.marks.handed_over(step) && !left)
            || (!now.marks.unknown(step) && row.marks.unknown(step) && attempt.verdict != Verdict::Unknown)
    }

    /// A hand-over of the present step before the one that is on record.
    /// Whether a receipt of the present step came before that: then it speaks of a try before the one on record.
    fn is_told_of_before(&self, place: &Place, intent: Timestamp) -> bool {
        self.unused(place).any(|dated| match dated.fact {
            Fact::Receipt(receipt) => receipt.step == place.now.step && dated.at < intent,
            Fact::Left(..) | Fact::Answered(_) => false,
        })
    }

    pub(super) fn overwritten(&mut self, place: Place, at: Timestamp, horizon: Timestamp) -> bool {
        let (now, row) = (place.now, self.life.row);
        if !matches!(now.state, State::Queued { .. }) {
            return false;
        }
        let on_record = self.unused_attempts(&place).find(|attempt| attempt.step == now.step);
        let Some(on_record) = on_record.filter(|attempt| attempt.tries > now.tries) else { return false };
        let left = on_record.intent.unwrap_or(on_record.answered);
        let told_of = self.unused(&place).filter_map(|dated| match dated.fact {
            Fact::Receipt(receipt) if receipt.step == now.step => Some(dated.at),
            _ => None,
        });
        // Its deadline ran from its first try, and was over when the next step was queued.
        let after = self.life.plan.step(now.step).and_then(|step| step.fallback_after);
        let latest = after.and_then(|after| Some(self.gave_way_by(&place).into_iter().min()? - after));
        let told_of = told_of.min();
        let first = row.first_left.filter(|_| now.first_left.is_none());
        let accepted = row.accepted.filter(|_| row.marks.last_handed_over() == Some(now.step));
        // What goes again after a failure keeps the time of its first try, whenever it went.
        let known = match told_of {
            Some(told_of) if now.marks.failed(now.step) => [Some(told_of), None, None, None, None],
            // The row knows when the first of all left.
            told_of => [first, accepted, told_of, latest, Some(at)],
        };
        let mut moments: Vec<Timestamp> =
            known.into_iter().flatten().filter(|moment| *moment >= at && *moment <= horizon).collect();
        moments.dedup();
        let place = Place { guessed: true, ..place };
        // What was unknown and went again was told of by nothing in between.
        let mut answers = [Answer::Accepted, Answer::Unknown];
        if self.life.plan.on_unknown == OnUnknown::Resend && !self.is_told_of_before(&place, left) {
            answers.reverse();
        }
        moments.into_iter().any(|moment| {
            answers.iter().any(|answer| {
                let event = Event::Answered { step: now.step, answer: *answer };
                let before = sending(&now, moment, 0);
                self.moves(place, moment, before, event, Moment::Overwritten(*answer))
            })
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
