//! Why: the story of one message, told by running the engine over its facts once more.
//!
//! The facts are the hand-overs, the receipts, and when the batch was launched and called off. Deadlines leave no fact
//! of their own: that a step gave way is known from when the next one was queued, or from when the message ended. Each
//! line of the story is one decision of the engine with its rule; where the end of the story and the row differ, the
//! story says so.

use serde::Serialize;

use super::words;
use crate::domain::{
    BatchState, Country, MessageId, MessageKey, Msisdn, Outcome, Present, State, StepIndex, Timestamp,
};
use crate::engine::{self, Answer, CallOff, Decision, Event, Obstacle, Silence, Standing, advance};
use crate::store::{Attempt, Batch, Entry, Loaded, Receipt, Result, Store, Verdict};
use crate::wire::codes;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    pub text: String,
    /// The rule behind it, in a few words.
    pub rule: String,
}

fn as_text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.rfc3339())
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactLine {
    pub step: u8,
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    pub text: String,
}

/// Everything about one message.
#[derive(Debug, Clone, Serialize)]
pub struct Story {
    pub message: String,
    pub campaign: Option<String>,
    pub msisdn: Msisdn,
    pub client_message_id: Option<String>,
    pub state: &'static str,
    pub step: u8,
    pub outcome: Option<Outcome>,
    /// Each hand-over, and each receipt, as they are on disk.
    pub attempts: Vec<FactLine>,
    pub receipts: Vec<FactLine>,
    pub lines: Vec<Line>,
    /// Whether the engine, run over the facts, ends where the row says.
    pub proven: bool,
}

/// Tells the story of a message. Nothing where there is no such message.
pub async fn explain(store: &dyn Store, batch: &Batch, entry: &Entry, key: MessageKey) -> Result<Option<Story>> {
    let Some(message) = store.load(vec![key]).await?.pop() else { return Ok(None) };
    let attempts = store.attempts(key).await?;
    let receipts = store.receipts(key).await?;
    let recipient = store.recipient(key).await?;
    let mut telling = Telling {
        entry,
        cancelled: batch.state.is_cancelled(),
        now: Present::queued(Timestamp::default(), None),
        lines: Vec::new(),
    };
    let country = recipient.as_ref().map(|recipient| recipient.country);
    telling.tell(batch, &message, country, &attempts, &receipts);
    Ok(Some(Story {
        message: MessageId { key, tag: batch.tag }.to_string(),
        campaign: batch.name.clone(),
        msisdn: message.msisdn,
        client_message_id: recipient.and_then(|recipient| recipient.client_message_id).map(Into::into),
        state: words::state(&message.present),
        step: message.present.step.get() + 1,
        outcome: message.present.outcome(),
        proven: same_end(&telling.now, &message.present),
        attempts: attempts.iter().map(|attempt| words::attempt(attempt, &entry.plan)).collect(),
        receipts: receipts.iter().map(|receipt| words::receipt_line(receipt, &entry.plan)).collect(),
        lines: telling.lines,
    }))
}

/// Whether two presents mean the same; times inside may differ by how long a timer took to fire.
fn same_end(told: &Present, row: &Present) -> bool {
    let state = |present: &Present| match present.state {
        State::Done { outcome, skipped, .. } => (3, Some(outcome), skipped),
        State::Queued { .. } => (0, None, None),
        // A story has no in-between: what is claimed has not been answered yet.
        State::Sending { .. } => (0, None, None),
        State::Awaiting { .. } => (2, None, None),
    };
    state(told) == state(row) && told.step == row.step
}

struct Telling<'a> {
    entry: &'a Entry,
    cancelled: bool,
    now: Present,
    lines: Vec<Line>,
}

/// A fact, as something that happened at a time.
enum Happening<'a> {
    /// The step before this one had given way by then.
    Queued(StepIndex),
    Attempt(&'a Attempt),
    Receipt(&'a Receipt),
    End,
}

impl Telling<'_> {
    fn tell(
        &mut self,
        batch: &Batch,
        message: &Loaded,
        country: Option<Country>,
        attempts: &[Attempt],
        receipts: &[Receipt],
    ) {
        let start = batch.started_at.or(batch.starts_at).unwrap_or(batch.created_at);
        self.now = engine::begin(&self.entry.plan, message.present.marks, start);
        self.say(start, words::launched(batch, &self.entry.plan), "launched");
        for text in words::passed_over(&self.entry.plan, &message.present, country) {
            self.say(start, text, "the step is not for the country");
        }
        if let State::Done { outcome: Outcome::Skipped, skipped, at } = message.present.state
            && attempts.is_empty()
            && receipts.is_empty()
        {
            self.now = message.present;
            self.say(at, words::skipped(skipped), "skipped");
            return;
        }

        let mut happenings: Vec<(Timestamp, u8, Happening<'_>)> = Vec::new();
        for attempt in attempts {
            if attempt.step > self.now.step {
                happenings.push((attempt.queued, 1, Happening::Queued(attempt.step)));
            }
            happenings.push((attempt.answered, 2, Happening::Attempt(attempt)));
        }
        happenings.extend(receipts.iter().map(|receipt| (receipt.received, 0, Happening::Receipt(receipt))));
        match message.present.state {
            State::Done { at, .. } => happenings.push((at, 3, Happening::End)),
            State::Queued { not_before, .. } | State::Sending { not_before, .. }
                if message.present.step > self.now.step =>
            {
                happenings.push((not_before, 1, Happening::Queued(message.present.step)));
            }
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => {}
        }
        happenings.sort_by_key(|(at, order, _)| (*at, *order));
        for (at, _, happening) in happenings {
            match happening {
                Happening::Queued(step) => self.gave_way(step, at),
                Happening::Attempt(attempt) => self.handed_over(attempt),
                Happening::Receipt(receipt) => self.receipt(receipt),
                Happening::End => self.ended(at),
            }
        }
        if self.now.outcome().is_none() {
            let text = words::waiting(&self.now, &self.entry.plan, batch.state == BatchState::Paused);
            let at = self.lines.last().map_or(start, |line| line.at);
            self.say(at, text, "now");
        }
    }

    fn say(&mut self, at: Timestamp, text: String, rule: &str) {
        self.lines.push(Line { at, text, rule: rule.to_owned() });
    }

    /// Runs the engine; a decision that moves the message becomes a line.
    fn run(&mut self, standing: Standing, event: Event, at: Timestamp, fact: &str) {
        let before = self.now;
        match advance(&self.entry.plan, standing, &self.now, event, at) {
            Decision::Moved { next, rule } => {
                self.now = next;
                let (text, name) = words::decision(&before, &next, rule, &self.entry.plan, fact);
                self.say(at, text, name);
            }
            Decision::Ignored(why) => {
                if !fact.is_empty() {
                    self.say(at, format!("{fact}; {}.", words::ignored(why)), "nothing to decide");
                }
            }
        }
    }

    /// By `at`, `step` stood in its queue: if the engine is not there yet, a deadline was due.
    fn gave_way(&mut self, step: StepIndex, at: Timestamp) {
        if self.now.step < step && self.now.outcome().is_none() {
            self.run(Standing::Live, Event::Due { silence: Silence::Trusted }, at, "");
        }
    }

    fn handed_over(&mut self, attempt: &Attempt) {
        let step = attempt.step;
        if self.now.step != step || !matches!(self.now.state, State::Queued { .. }) {
            // A receipt had proven the hand-over before its answer came.
            self.run(Standing::Live, Event::Answered { step, answer: Answer::Accepted }, attempt.answered, "");
            return;
        }
        // The claim is no line of its own: what came of it is.
        let intent = attempt.intent.unwrap_or(attempt.answered);
        if let State::Queued { not_before, gives_up } = self.now.state {
            self.now.state = State::Sending { intent, not_before, gives_up };
        }
        let (answer, fact) = match attempt.verdict {
            Verdict::Accepted => (Answer::Accepted, words::accepted(attempt)),
            Verdict::Unknown => (Answer::Unknown, words::broke(attempt)),
            Verdict::Rejected => {
                let entry = codes::of_answer(400, attempt.code.map(i64::from));
                let fault = match entry.fault {
                    person @ crate::domain::Fault::Person => person,
                    _ => crate::domain::Fault::Recipient,
                };
                (Answer::Refused { fault, again: attempt.answered }, words::rejected(attempt))
            }
            Verdict::MissingVariable => (Answer::CannotLeave(Obstacle::MissingVariable), words::missing(attempt)),
            Verdict::OutsideWindow => (Answer::CannotLeave(Obstacle::OutsideWindow), String::new()),
            Verdict::CouldNotLeave => (Answer::CannotLeave(Obstacle::CouldNotLeave), String::new()),
        };
        self.run(Standing::Live, Event::Answered { step, answer }, attempt.answered, &fact);
    }

    fn receipt(&mut self, receipt: &Receipt) {
        let channel = self.entry.plan.step(receipt.step).map(|step| step.channel);
        let fact = words::receipt(receipt, channel);
        let Some(report) = words::report(receipt, channel) else {
            self.say(receipt.received, format!("{fact}; it decides nothing."), "nothing to decide");
            return;
        };
        if let State::Queued { not_before, gives_up } = self.now.state
            && self.now.step == receipt.step
        {
            // It overtook the answer of a hand-over that was under way.
            self.now.state = State::Sending { intent: receipt.received, not_before, gives_up };
        }
        self.run(Standing::Live, Event::Receipt { step: receipt.step, report }, receipt.received, &fact);
    }

    /// By `at` the message had its outcome: if the engine has none yet, its time was up, or it was called off.
    fn ended(&mut self, at: Timestamp) {
        if self.now.outcome().is_some() {
            return;
        }
        let silence = Silence::Trusted;
        let due = advance(&self.entry.plan, Standing::Live, &self.now, Event::Due { silence }, at);
        if due.next().is_some() {
            self.run(Standing::Live, Event::Due { silence }, at, "");
        } else if self.cancelled {
            self.run(Standing::Cancelled, Event::CalledOff(CallOff::Cancel), at, "");
        }
    }
}
