//! Replays the engine over what is on disk about a message.
//!
//! Each fact, and each note in the row, records the rule that decided it and the state that the rule met. The replay
//! asks the engine again in that order, one step at a time. It stops and reports a contradiction where the engine
//! decides differently from the record, or ends in another state than the row. Claims and returned claims leave no
//! record; the replay infers them from the next recorded state of the message.

use super::words;
use crate::base::domain::{Fault, Outcome, Plan, Present, SenderPart, SkipReason, State, StepIndex, Timestamp};
use crate::campaigns::report::{failure, report_of};
use crate::rules::engine::{
    self, Answer, AttemptReport, Cause, Event, Made, Met, Note, OnRecord, Rule, Ruling, Silence, StepObstacle, advance,
};
use crate::rules::wire::codes::{self, Entry};
use crate::store::{Attempt, Batch, Edition, Receipt, Verdict};

/// What is on disk about one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life<'a> {
    pub(super) batch: &'a Batch,
    pub(super) plan: &'a Plan,
    /// Earlier versions of the plan.
    pub(super) editions: &'a [Edition],
    pub(super) row: &'a Present,
    pub(super) notes: &'a [Note],
    pub(super) attempts: &'a [Attempt],
    pub(super) receipts: &'a [Receipt],
}

/// What happened at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment<'a> {
    Claimed,
    /// A claim returned: the provider had refused it for now, or it had not begun.
    HandedBack,
    Answered(&'a Attempt),
    Receipt(&'a Receipt),
    Noted(&'a Note),
}

/// A moment with the engine's decision about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replayed<'a> {
    pub(super) at: Timestamp,
    pub(super) before: Present,
    pub(super) moment: Moment<'a>,
    pub(super) made: Made,
    /// Whether the campaign was cancelled by then.
    pub(super) is_cancelled: bool,
    /// The message after the decision.
    pub(super) after: Present,
}

/// The decisions about a message, as far as the replay came.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) decided: Vec<Replayed<'a>>,
    pub(super) end: Present,
    /// The first contradiction between facts, rules and row, if there is one.
    pub(super) refuted: Option<String>,
}

impl Moment<'_> {
    /// The recorded ruling and the time when it took effect; `None` for a moment without a record.
    const fn record(&self) -> Option<(Ruling, Timestamp)> {
        match self {
            Self::Claimed | Self::HandedBack => None,
            Self::Answered(attempt) => Some((attempt.ruling, attempt.answered)),
            Self::Receipt(receipt) => Some((receipt.ruling, receipt.received)),
            Self::Noted(note) => Some((note.ruling, note.at)),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Claimed => "a claim".to_owned(),
            Self::HandedBack => "a returned claim".to_owned(),
            Self::Answered(attempt) => format!("the result of step {}", attempt.step),
            Self::Receipt(receipt) => format!("a receipt of step {} ({})", receipt.step, receipt.state),
            Self::Noted(note) => match note.cause {
                Cause::Due(_) => "a due time",
                Cause::Doubted(_) => "a deadline in doubt",
                Cause::RefusalRecalled => "a recalled refusal",
                Cause::RefusedAlone => "a refusal of this message alone",
                Cause::Released => "a release",
                Cause::Cancel => "a cancel",
                Cause::OptOut => "an opt-out",
                Cause::HandedBack => "a returned claim",
            }
            .to_owned(),
        }
    }
}

/// When the messages of a batch began to wait for submission.
pub(super) fn begun_at(batch: &Batch) -> Timestamp {
    batch.starts_at.filter(|at| *at > batch.created_at).unwrap_or(batch.created_at)
}

/// Whether the launch skipped a recipient that has a message: the campaign excludes the number, or the recipient had
/// opted out, or lacked a value.
fn is_left_out(row: &Present, begun: &Present) -> bool {
    match row.state {
        State::Done { skipped: Some(SkipReason::Excluded), .. } => true,
        // A later opt-out marks the message, and a suppression ends its step. So does a value that is missing when a step
        // is to be sent.
        State::Done { skipped: Some(SkipReason::OptedOut | SkipReason::MissingVariable), .. } => {
            row.marks == begun.marks
        }
        _ => false,
    }
}

/// Replays the decisions about a message.
pub(super) fn replay(life: Life<'_>) -> Replay<'_> {
    let Life { plan, row, batch, .. } = life;
    let mut begun = engine::begin(plan, row.marks, begun_at(batch), row.expires);
    if is_left_out(life.row, &begun) || begun.outcome().is_some() {
        // A message that is skipped from the beginning has been skipped since the launch; only the row records it.
        begun = Present { state: life.row.state, ..begun };
    }
    let moments = moments(&life);
    let mut run = Run { life, now: begun, decided: Vec::with_capacity(moments.len() + 2) };
    let refuted = moments.into_iter().try_for_each(|moment| run.replay(moment)).and_then(|()| run.arrive()).err();
    Replay { decided: run.decided, end: run.now, refuted }
}

/// The recorded moments of a message, in the order in which they were decided.
fn moments<'a>(life: &Life<'a>) -> Vec<Moment<'a>> {
    let answers = life.attempts.iter().map(Moment::Answered);
    let receipts = life.receipts.iter().map(Moment::Receipt);
    let mut moments: Vec<Moment<'a>> = answers.chain(receipts).chain(life.notes.iter().map(Moment::Noted)).collect();
    moments.sort_by_key(|moment| moment.record().map(|(ruling, at)| (ruling.position(), at)));
    moments
}

/// A replay under way.
struct Run<'a> {
    life: Life<'a>,
    now: Present,
    decided: Vec<Replayed<'a>>,
}

impl<'a> Run<'a> {
    /// Asks the engine about one moment again, and returns the contradiction if it decides differently.
    fn replay(&mut self, moment: Moment<'a>) -> Result<(), String> {
        let Some((ruling, at)) = moment.record() else { return Ok(()) };
        let contradiction =
            |why: &str| Err(format!("{} {why}, on version {} of its row", moment.name(), ruling.version));
        if ruling.made == Made::Nothing {
            self.take(at, moment, Made::Nothing, self.now);
            return Ok(());
        }
        if ruling.made == Made::Moved(Rule::Suppressed) {
            // Only an earlier version made it. Nothing that was sent followed from it.
            let marks = self.life.row.marks;
            let state = State::Done { outcome: Outcome::Skipped, skipped: Some(SkipReason::OptedOut), at };
            self.take(at, moment, ruling.made, Present { state, marks, ..self.now });
            return Ok(());
        }
        if self.is_too_early(moment) {
            return contradiction("was submitted before its step was due");
        }
        if !self.advance_to(ruling, moment, at) {
            return contradiction("met the message in a state that it was not in");
        }
        if let Moment::Receipt(receipt) = moment
            && self.is_superseded(receipt) != (ruling.made == Made::Superseded)
        {
            return contradiction("is recorded as being about another try than it is");
        }
        if ruling.made == Made::Superseded {
            self.take(at, moment, Made::Superseded, self.now);
            return Ok(());
        }
        let decided = |event| {
            let states = [Some(self.now), self.begun_later(moment)].into_iter().flatten();
            let decide =
                |now| plans_at(self.life, at).map(move |plan| advance(plan, ruling.standing(), &now, event, at));
            states.flat_map(decide).find(|decision| Made::of(decision) == ruling.made)
        };
        match self.events(moment, at).into_iter().find_map(decided) {
            Some(decision) => {
                let next = decision.next().copied().unwrap_or(self.now);
                let is_as_begun_later = self.begun_later(moment).is_some_and(|later| later.state == next.state);
                let state = if is_as_begun_later { self.now.state } else { next.state };
                self.take(at, moment, ruling.made, Present { state, ..next });
                Ok(())
            }
            None => contradiction("was not decided according to the rules"),
        }
    }

    /// The same message if it began to wait later than its campaign. A start that is spread, or at the recipient's own
    /// time, leaves no fact, and what is decided about a queued message may depend on when it gives up.
    fn begun_later(&self, moment: Moment<'a>) -> Option<Present> {
        let State::Queued { not_before, gives_up: Some(_) } = self.now.state else { return None };
        let is_on_first = self.now.marks.preceding(self.now.step).is_none() && matches!(moment, Moment::Noted(_));
        is_on_first.then_some(Present { state: State::Queued { not_before, gives_up: None }, ..self.now })
    }

    fn take(&mut self, at: Timestamp, moment: Moment<'a>, made: Made, after: Present) {
        let is_cancelled = moment.record().is_some_and(|(ruling, _)| ruling.is_cancelled);
        self.decided.push(Replayed { at, before: self.now, moment, made, is_cancelled, after });
        self.now = after;
    }

    /// Brings the message to the state in which the ruling met it, through claims and returns, which leave no fact.
    /// Returns `false` if the message cannot be in that state.
    fn advance_to(&mut self, ruling: Ruling, moment: Moment<'a>, at: Timestamp) -> bool {
        match (self.now.state, ruling.met) {
            (State::Queued { .. }, Met::Queued) => self.now.tries = ruling.tries,
            (State::Queued { .. }, Met::Sending) => self.claim(self.intent(ruling, moment, at), ruling.tries),
            (State::Sending { .. }, Met::Queued) => self.hand_back(at, ruling.tries),
            (State::Sending { .. }, Met::Sending) => {
                // In between, the claim may have returned and the message may have been claimed again.
                let intent = self.intent(ruling, moment, at);
                if let State::Sending { intent: claimed, .. } = &mut self.now.state {
                    *claimed = intent;
                }
                self.now.tries = ruling.tries;
            }
            (State::Awaiting { .. }, Met::Awaiting) | (State::Done { .. }, Met::Done) => {}
            (_, Met::Queued | Met::Sending | Met::Awaiting | Met::Done) => return false,
        }
        true
    }

    fn claim(&mut self, intent: Timestamp, tries: u16) {
        let State::Queued { not_before, gives_up } = self.now.state else { return };
        let state = State::Sending { intent, not_before: not_before.min(intent), gives_up };
        let made = Made::Moved(Rule::Claimed);
        self.take(intent, Moment::Claimed, made, Present { state, tries, ..self.now });
    }

    fn hand_back(&mut self, at: Timestamp, tries: u16) {
        let State::Sending { gives_up, .. } = self.now.state else { return };
        let state = State::Queued { not_before: at, gives_up };
        let made = Made::Moved(Rule::HandedBack);
        self.take(at, Moment::HandedBack, made, Present { state, tries, ..self.now });
    }

    /// Whether a step was queued before the step before it fell back.
    fn is_too_early(&self, moment: Moment<'a>) -> bool {
        match (moment, self.now.state) {
            (Moment::Answered(attempt), State::Queued { not_before, .. }) => attempt.queued < not_before,
            _ => false,
        }
    }

    /// When the claim was made that the ruling met: the attempt of that claim records it, or the row does.
    fn intent(&self, ruling: Ruling, moment: Moment<'a>, at: Timestamp) -> Timestamp {
        let is_of_it = |attempt: &&Attempt| attempt.step == self.now.step && attempt.tries == ruling.tries;
        let later = |attempt: &&Attempt| attempt.ruling.version >= ruling.version;
        let of_row = match self.life.row.state {
            State::Sending { intent, .. } if self.life.row.step == self.now.step => Some(intent),
            _ => None,
        };
        match moment {
            Moment::Answered(attempt) => attempt.intent.unwrap_or(at),
            _ => {
                let answered = self.life.attempts.iter().filter(is_of_it).find(later);
                answered.and_then(|attempt| attempt.intent).or(of_row).unwrap_or(at)
            }
        }
    }

    /// The attempts of a step that are on record by now.
    fn on_record(&self, step: StepIndex) -> impl Iterator<Item = &'a Attempt> {
        self.decided.iter().filter_map(move |decided| match decided.moment {
            Moment::Answered(attempt) if attempt.step == step => Some(attempt),
            _ => None,
        })
    }

    /// Whether a receipt about a try is superseded, by the tries that were on record when it came.
    fn is_superseded(&self, receipt: &Receipt) -> bool {
        let step = receipt.step;
        let Some(rules) = self.life.plan.step(step) else { return false };
        let (Some(tries), Some(report)) = (receipt.tries, report_of(receipt, Some(rules))) else { return false };
        let on_record = self.on_record(step).map(|attempt| (attempt.tries, attempt.verdict.was_begun()));
        let latest = OnRecord::of(on_record).latest(&self.now, step);
        !engine::counts(&self.now, step, [tries, latest], report, rules.success)
    }

    /// The events that a moment may have been for the engine. The recorded rule tells which one it was.
    fn events(&self, moment: Moment<'a>, at: Timestamp) -> Vec<Event> {
        match moment {
            Moment::Claimed | Moment::HandedBack => Vec::new(),
            Moment::Answered(attempt) => vec![answered(attempt, &self.now)],
            Moment::Receipt(receipt) => self.received(receipt),
            Moment::Noted(note) => {
                let before = self.now.marks.preceding(self.now.step).unwrap_or(self.now.step);
                let tries = self.on_record(before).map(|attempt| attempt.tries).max().unwrap_or(0);
                vec![note.cause.event(&self.now, tries, at)]
            }
        }
    }

    fn received(&self, receipt: &Receipt) -> Vec<Event> {
        let step = receipt.step;
        let Some(report) = report_of(receipt, self.life.plan.step(step)) else { return Vec::new() };
        let mut reports = vec![report];
        if let AttemptReport::Failed { fault: Fault::Recipient, again } = report
            && failure(receipt).is_some_and(Entry::may_be_senders)
        {
            // The engine may have seen too many equal failures to blame the recipient.
            reports.push(AttemptReport::Failed { fault: Fault::Sender(SenderPart::Step), again });
        }
        reports.into_iter().map(|report| Event::Receipt { step, report }).collect()
    }

    /// Checks that the replay ends in the state of the row.
    fn arrive(&mut self) -> Result<(), String> {
        let row = self.life.row;
        match (self.now.state, row.state) {
            (State::Queued { .. }, State::Sending { intent, .. }) => self.claim(intent, row.tries),
            (State::Sending { .. }, State::Queued { not_before, .. }) => self.hand_back(not_before, row.tries),
            _ => {}
        }
        let is_same_state = match (self.now.state, row.state) {
            (State::Queued { .. }, State::Queued { .. }) | (State::Sending { .. }, State::Sending { .. }) => true,
            // A held deadline is due later than replayed, never earlier.
            (State::Awaiting { due }, State::Awaiting { due: kept }) => kept >= due,
            (ended @ State::Done { .. }, kept @ State::Done { .. }) => ended == kept,
            _ => false,
        };
        let rest = |present: &Present| (present.step, present.marks, present.first_submitted_at, present.accepted);
        if is_same_state && rest(&self.now) == rest(row) {
            return Ok(());
        }
        let position = |present: &Present| {
            let [first, accepted] = [present.first_submitted_at, present.accepted]
                .map(|at| at.map_or_else(|| "never".to_owned(), Timestamp::rfc3339));
            let ended = match present.state {
                State::Done { at, .. } => format!(", ended {}", at.rfc3339()),
                State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => String::new(),
            };
            let position = words::position(present, self.life.plan);
            format!("{position}, first submitted {first}, accepted {accepted}{ended}")
        };
        Err(format!("the row says {}; the facts lead to {}", position(row), position(&self.now)))
    }
}

/// The event by which the engine heard of an attempt's result.
fn answered(attempt: &Attempt, now: &Present) -> Event {
    let (step, is_queued) = (attempt.step, matches!(now.state, State::Queued { .. }));
    match attempt.verdict {
        Verdict::TierSpent if is_queued => Event::TierSpent { step },
        Verdict::CouldNotLeave if is_queued => Event::Due { silence: Silence::Trusted },
        _ => Event::Answered { step, answer: answer(attempt) },
    }
}

fn answer(attempt: &Attempt) -> Answer {
    match attempt.verdict {
        Verdict::Accepted => Answer::Accepted,
        Verdict::Unknown => Answer::Unknown,
        Verdict::Rejected => {
            let fault = match codes::of_answer(400, attempt.code.map(i64::from)).fault {
                fault @ Fault::OptedOut => fault,
                Fault::Recipient | Fault::RecipientLimit | Fault::Sender(_) | Fault::Temporary => Fault::Recipient,
            };
            Answer::Refused { fault, again: attempt.answered }
        }
        Verdict::Refused => Answer::Unclear { again: attempt.answered },
        Verdict::MissingVariable => Answer::CannotLeave(StepObstacle::MissingVariable),
        Verdict::OutsideWindow => Answer::CannotLeave(StepObstacle::OutsideWindow),
        Verdict::OptedOut => Answer::CannotLeave(StepObstacle::OptedOut),
        Verdict::CouldNotLeave | Verdict::TierSpent => Answer::CannotLeave(StepObstacle::CouldNotLeave),
    }
}

/// The plans by which the engine may have decided at `at`: the plan in force first, then every other version.
fn plans_at(life: Life<'_>, at: Timestamp) -> impl Iterator<Item = &Plan> {
    let held = life.editions.iter().find(|edition| at <= edition.until).map_or(life.plan, |edition| &edition.plan);
    std::iter::once(held).chain(life.editions.iter().map(|edition| &edition.plan)).chain([life.plan])
}
