//! The engine, run once more over what is on disk about a message.
//!
//! Each fact, and each note in the row, says which rule decided by it and on what. In that order the engine is asked again,
//! one step at a time: where it decides otherwise than is recorded, or ends elsewhere than the row, the replay stops and
//! says so. Claims, and claims that came back, leave nothing behind; that one happened is seen from where the message
//! stood next.

use super::words;
use crate::domain::{Fault, Plan, Present, SenderPart, SkipReason, State, StepIndex, Timestamp};
use crate::engine::{
    self, Answer, Cause, Event, Made, Met, Note, Obstacle, OnRecord, Report, Ruling, Silence, advance,
};
use crate::store::{Attempt, Batch, Edition, Receipt, Verdict};
use crate::wire::codes::{self, Entry};

/// What is on disk about one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life<'a> {
    pub(super) batch: &'a Batch,
    pub(super) plan: &'a Plan,
    /// What the plan was before.
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
    /// A claim came back: the provider had refused it for now, or it had not begun.
    HandedBack,
    Answered(&'a Attempt),
    Receipt(&'a Receipt),
    Noted(&'a Note),
}

/// A moment with what the engine made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) at: Timestamp,
    pub(super) before: Present,
    pub(super) moment: Moment<'a>,
    pub(super) made: Made,
    /// Whether the campaign was cancelled by then.
    pub(super) is_cancelled: bool,
    /// As it stood afterwards.
    pub(super) after: Present,
}

/// A message's life, as far as it can be told.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) told: Vec<Told<'a>>,
    pub(super) end: Present,
    /// Where facts, rules and row contradict each other.
    pub(super) refuted: Option<String>,
}

impl Moment<'_> {
    /// What is kept with it, and when it took effect; nothing where nothing is kept.
    const fn kept(&self) -> Option<(Ruling, Timestamp)> {
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
            Self::HandedBack => "a claim that came back".to_owned(),
            Self::Answered(attempt) => format!("what came of step {}", attempt.step),
            Self::Receipt(receipt) => format!("a receipt of step {} ({})", receipt.step, receipt.state),
            Self::Noted(note) => match note.cause {
                Cause::Due(_) => "a time that was up",
                Cause::Doubted(_) => "a deadline that was doubted",
                Cause::RefusalRecalled => "a refusal that was recalled",
                Cause::Cancel => "a cancel",
                Cause::OptOut => "an opt-out",
                Cause::HandedBack => "a claim that came back",
            }
            .to_owned(),
        }
    }
}

/// From when its messages waited to leave.
pub(super) fn begun_at(batch: &Batch) -> Timestamp {
    batch.starts_at.filter(|at| *at > batch.created_at).unwrap_or(batch.created_at)
}

/// Whether the launch left somebody out whom it had a message for: the campaign excludes them, or they had opted out.
fn is_left_out(row: &Present, begun: &Present) -> bool {
    match row.state {
        State::Done { skipped: Some(SkipReason::Excluded), .. } => true,
        // Whoever opts out later is marked, and what suppresses a step ends it.
        State::Done { skipped: Some(SkipReason::OptedOut), .. } => row.marks == begun.marks,
        _ => false,
    }
}

/// Tells a message's life.
pub(super) fn replay(life: Life<'_>) -> Replay<'_> {
    let mut begun = engine::begin(life.plan, life.row.marks, begun_at(life.batch));
    if is_left_out(life.row, &begun) || begun.outcome().is_some() {
        // Who is skipped from the beginning is so since the launch; of that there is no other fact than the row.
        begun = Present { state: life.row.state, ..begun };
    }
    let moments = moments(&life);
    let mut run = Run { life, now: begun, told: Vec::with_capacity(moments.len() + 2) };
    let refuted = moments.into_iter().try_for_each(|moment| run.tell(moment)).and_then(|()| run.arrive()).err();
    Replay { told: run.told, end: run.now, refuted }
}

/// What is kept about a message, in the order in which it was decided.
fn moments<'a>(life: &Life<'a>) -> Vec<Moment<'a>> {
    let answers = life.attempts.iter().map(Moment::Answered);
    let receipts = life.receipts.iter().map(Moment::Receipt);
    let mut moments: Vec<Moment<'a>> = answers.chain(receipts).chain(life.notes.iter().map(Moment::Noted)).collect();
    moments.sort_by_key(|moment| moment.kept().map(|(ruling, at)| (ruling.place(), at)));
    moments
}

/// A replay under way.
struct Run<'a> {
    life: Life<'a>,
    now: Present,
    told: Vec<Told<'a>>,
}

impl<'a> Run<'a> {
    fn tell(&mut self, moment: Moment<'a>) -> Result<(), String> {
        let Some((ruling, at)) = moment.kept() else { return Ok(()) };
        let otherwise = |why: &str| Err(format!("{} {why}, on version {} of its row", moment.name(), ruling.version));
        if ruling.made == Made::Nothing {
            self.take(at, moment, Made::Nothing, self.now);
            return Ok(());
        }
        if self.is_too_early(moment) {
            return otherwise("left before its turn had come");
        }
        if !self.meets(ruling, moment, at) {
            return otherwise("met it in a state that it was not in");
        }
        if let Moment::Receipt(receipt) = moment
            && self.is_superseded(receipt) != (ruling.made == Made::Superseded)
        {
            return otherwise("is said to speak of another try than it does");
        }
        if ruling.made == Made::Superseded {
            self.take(at, moment, Made::Superseded, self.now);
            return Ok(());
        }
        let decided = |event| {
            let plans = plans_at(self.life, at);
            let mut decisions = plans.map(|plan| advance(plan, ruling.standing(), &self.now, event, at));
            decisions.find(|decision| Made::of(decision) == ruling.made)
        };
        match self.events(moment, at).into_iter().find_map(decided) {
            Some(decision) => {
                self.take(at, moment, ruling.made, decision.next().copied().unwrap_or(self.now));
                Ok(())
            }
            None => otherwise("was not decided as the rules decide"),
        }
    }

    fn take(&mut self, at: Timestamp, moment: Moment<'a>, made: Made, after: Present) {
        let is_cancelled = moment.kept().is_some_and(|(ruling, _)| ruling.is_cancelled);
        self.told.push(Told { at, before: self.now, moment, made, is_cancelled, after });
        self.now = after;
    }

    /// Brings the message to where something met it, by what leaves no fact. Says whether it can have got there.
    fn meets(&mut self, ruling: Ruling, moment: Moment<'a>, at: Timestamp) -> bool {
        match (self.now.state, ruling.met) {
            (State::Queued { .. }, Met::Queued) => self.now.tries = ruling.tries,
            (State::Queued { .. }, Met::Sending) => self.claim(self.intent(ruling, moment, at), ruling.tries),
            (State::Sending { .. }, Met::Queued) => self.hand_back(at, ruling.tries),
            (State::Sending { .. }, Met::Sending) => {
                // It may have come back and been claimed anew in between.
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
        let made = Made::Moved(engine::Rule::Claimed);
        self.take(intent, Moment::Claimed, made, Present { state, tries, ..self.now });
    }

    fn hand_back(&mut self, at: Timestamp, tries: u16) {
        let State::Sending { gives_up, .. } = self.now.state else { return };
        let state = State::Queued { not_before: at, gives_up };
        let made = Made::Moved(engine::Rule::HandedBack);
        self.take(at, Moment::HandedBack, made, Present { state, tries, ..self.now });
    }

    /// Whether a step was queued before the one before it gave way.
    fn is_too_early(&self, moment: Moment<'a>) -> bool {
        match (moment, self.now.state) {
            (Moment::Answered(attempt), State::Queued { not_before, .. }) => attempt.queued < not_before,
            _ => false,
        }
    }

    /// When the claim was made that something met: the fact of what came of it says so, or the row.
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
        self.told.iter().filter_map(move |told| match told.moment {
            Moment::Answered(attempt) if attempt.step == step => Some(attempt),
            _ => None,
        })
    }

    /// Whether news of a try counts no longer, by the tries that were on record when it came.
    fn is_superseded(&self, receipt: &Receipt) -> bool {
        let step = receipt.step;
        let Some(rules) = self.life.plan.step(step) else { return false };
        let (Some(tries), Some(report)) = (receipt.tries, words::report(receipt, Some(rules))) else { return false };
        let on_record = self.on_record(step).map(|attempt| (attempt.tries, attempt.verdict.was_begun()));
        let latest = OnRecord::of(on_record).latest(&self.now, step);
        !engine::counts(&self.now, step, [tries, latest], report, rules.success)
    }

    /// What it may have been for the engine. Which of these, the recorded rule tells.
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
        let Some(report) = words::report(receipt, self.life.plan.step(step)) else { return Vec::new() };
        let mut reports = vec![report];
        if let Report::Failed { fault: Fault::Recipient, again } = report
            && words::failure(receipt).is_some_and(Entry::may_be_senders)
        {
            // One too many alike to be its recipient's fault.
            reports.push(Report::Failed { fault: Fault::Sender(SenderPart::Step), again });
        }
        reports.into_iter().map(|report| Event::Receipt { step, report }).collect()
    }

    /// Whether it ends where the row says.
    fn arrive(&mut self) -> Result<(), String> {
        let row = self.life.row;
        match (self.now.state, row.state) {
            (State::Queued { .. }, State::Sending { intent, .. }) => self.claim(intent, row.tries),
            (State::Sending { .. }, State::Queued { not_before, .. }) => self.hand_back(not_before, row.tries),
            _ => {}
        }
        let stands = match (self.now.state, row.state) {
            (State::Queued { .. }, State::Queued { .. }) | (State::Sending { .. }, State::Sending { .. }) => true,
            // What was held is due later; nothing is earlier.
            (State::Awaiting { due }, State::Awaiting { due: kept }) => kept >= due,
            (ended @ State::Done { .. }, kept @ State::Done { .. }) => ended == kept,
            _ => false,
        };
        let told = |present: &Present| (present.step, present.marks, present.first_left, present.accepted);
        if stands && told(&self.now) == told(row) {
            return Ok(());
        }
        let stands = |present: &Present| {
            let [first, accepted] = [present.first_left, present.accepted]
                .map(|at| at.map_or_else(|| "never".to_owned(), Timestamp::rfc3339));
            let ended = match present.state {
                State::Done { at, .. } => format!(", ended {}", at.rfc3339()),
                State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => String::new(),
            };
            let stands = words::stands(present, self.life.plan);
            format!("{stands}, first left {first}, accepted {accepted}{ended}")
        };
        Err(format!("the row says {}; the facts lead to {}", stands(row), stands(&self.now)))
    }
}

/// What came of a step, as the engine was told.
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
                person @ Fault::Person => person,
                Fault::Recipient | Fault::Sender(_) | Fault::Passing => Fault::Recipient,
            };
            Answer::Refused { fault, again: attempt.answered }
        }
        Verdict::MissingVariable => Answer::CannotLeave(Obstacle::MissingVariable),
        Verdict::OutsideWindow => Answer::CannotLeave(Obstacle::OutsideWindow),
        Verdict::CouldNotLeave | Verdict::TierSpent => Answer::CannotLeave(Obstacle::CouldNotLeave),
    }
}

/// The plans by which it may have been decided then: the one that held, and those that began to hold or were replaced.
fn plans_at(life: Life<'_>, at: Timestamp) -> impl Iterator<Item = &Plan> {
    let held = life.editions.iter().find(|edition| at <= edition.until).map_or(life.plan, |edition| &edition.plan);
    std::iter::once(held).chain(life.editions.iter().map(|edition| &edition.plan)).chain([life.plan])
}
