//! Why: the story of one message, told by running the engine over its facts once more.
//!
//! The facts are the hand-overs, the receipts, and when the batch was launched and called off. Deadlines leave no fact
//! of their own: that a step gave way is known from when the next one was queued, or from when the message ended. Nor
//! does the moment at which a cancel or an opt-out got to a message, only that it did (its marks): it stands at the first
//! place among the facts from which the engine ends where the row says. Each line of the story is one decision of the
//! engine with its rule; where the end of the story and the row differ wherever it stands, the story says so.

use serde::Serialize;

use super::moment::moment_within;
use super::words;
use crate::domain::{
    Country, Keyword, MessageId, MessageKey, Msisdn, Outcome, Present, SkipReason, State, StepIndex, Timestamp,
};
use crate::engine::{self, Answer, CallOff, Decision, Event, Obstacle, Silence, Standing, advance};
use crate::store::{Attempt, Batch, Entry, Loaded, Receipt, Result, Store, Verdict, Wish};
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
    /// When the provider was last asked about a hand-over.
    pub asked: Vec<FactLine>,
    pub lines: Vec<Line>,
    /// Whether the engine, run over the facts, ends where the row says.
    pub proven: bool,
}

/// Tells the story of a message. Nothing where there is no such message.
pub async fn explain(store: &dyn Store, batch: &Batch, entry: &Entry, key: MessageKey) -> Result<Option<Story>> {
    let Some(message) = store.load(vec![key]).await?.pop() else { return Ok(None) };
    let attempts = store.attempts(key).await?;
    let receipts = store.receipts(key).await?;
    let about = attempts.iter().map(|attempt| (key, attempt.step)).collect();
    let asked = store.questions(about).await?.into_iter().filter_map(|question| question.asked);
    let recipient = store.recipient(key).await?;
    let country = recipient.as_ref().map(|recipient| recipient.country);
    let stop = stopped(store, batch, &message).await?;
    let telling = Telling::of(batch, entry, &message, country, &attempts, &receipts, stop);
    Ok(Some(Story {
        message: MessageId { key, tag: batch.tag }.to_string(),
        campaign: batch.name.clone(),
        msisdn: message.msisdn,
        client_message_id: recipient.and_then(|recipient| recipient.client_message_id).map(Into::into),
        state: words::state(&message.present),
        step: message.present.step.get() + 1,
        outcome: message.present.outcome(),
        proven: telling.is_proven(),
        attempts: attempts.iter().map(|attempt| words::attempt(attempt, &entry.plan)).collect(),
        receipts: receipts.iter().map(|receipt| words::receipt_line(receipt, &entry.plan)).collect(),
        asked: asked.map(|asked| words::asked(&asked)).collect(),
        lines: telling.lines,
    }))
}

/// The wish that has stopped a message, where one has.
async fn stopped(store: &dyn Store, batch: &Batch, message: &Loaded) -> Result<Option<Wish>> {
    let skipped = matches!(message.present.state, State::Done { skipped: Some(SkipReason::OptedOut), .. });
    if !skipped && !message.present.marks.opted_out() {
        return Ok(None);
    }
    let mut stops = store.wishes(message.msisdn).await?;
    stops.retain(|wish| wish.wants == Keyword::Stop);
    let last_before = stops.iter().rposition(|wish| wish.at < batch.created_at);
    let first_since = stops.iter().position(|wish| wish.at >= batch.created_at);
    Ok(first_since.or(last_before).map(|place| stops.swap_remove(place)))
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

/// A fact, as something that happened at a time.
#[derive(Clone, Copy)]
enum Happening<'a> {
    /// The step before this one had given way by then.
    Queued(StepIndex),
    /// It was claimed to leave.
    Left(StepIndex),
    Attempt(&'a Attempt),
    Receipt(&'a Receipt),
    CalledOff(CallOff),
    End,
}

type Facts<'a> = Vec<(Timestamp, Happening<'a>)>;

struct Telling<'a> {
    batch: &'a Batch,
    entry: &'a Entry,
    message: &'a Loaded,
    country: Option<Country>,
    standing: Standing,
    now: Present,
    lines: Vec<Line>,
    /// How the person opted out, and when.
    stop: Option<Wish>,
}

impl<'a> Telling<'a> {
    fn of(
        batch: &'a Batch,
        entry: &'a Entry,
        message: &'a Loaded,
        country: Option<Country>,
        attempts: &'a [Attempt],
        receipts: &'a [Receipt],
        stop: Option<Wish>,
    ) -> Self {
        let marks = message.present.marks;
        let first = entry.plan.first(marks).unwrap_or(StepIndex::FIRST);
        let facts = facts(first, message, attempts, receipts);
        // What got to the message, and the earliest place that it can have.
        let mut floating = Vec::new();
        if let Some(at) = batch.cancelled_at.filter(|_| marks.cut()) {
            floating.push((CallOff::Cancel, at));
        }
        if marks.opted_out() {
            floating.push((CallOff::OptOut, stop.as_ref().map(|wish| wish.at).unwrap_or_default()));
        }
        let told = |facts: Facts<'_>| {
            let (standing, now) = (Standing::Live, Present::queued(Timestamp::default(), None));
            let stop = stop.clone();
            let mut telling = Self { batch, entry, message, country, standing, now, lines: Vec::new(), stop };
            telling.tell(&facts);
            telling
        };
        let mut orders = placed(vec![facts], &floating).into_iter();
        let first = told(orders.next().unwrap_or_default());
        if first.is_proven() { first } else { orders.map(told).find(Self::is_proven).unwrap_or(first) }
    }

    fn is_proven(&self) -> bool {
        same_end(&self.now, &self.message.present)
    }

    fn tell(&mut self, facts: &[(Timestamp, Happening<'_>)]) {
        let Batch { cancelled_at, created_at, .. } = *self.batch;
        // What was cancelled before its time never began.
        let starts = self.batch.starts_at.filter(|at| cancelled_at.is_none_or(|cancelled| *at <= cancelled));
        let start = self.batch.started_at.or(starts).unwrap_or(created_at);
        // What ended before its campaign began waits for no beginning.
        let start = match self.message.present.state {
            State::Done { at, .. } if at < start => created_at,
            _ => start,
        };
        self.now = engine::begin(&self.entry.plan, self.message.present.marks, start);
        self.say(start, words::launched(self.batch, &self.entry.plan), "launched");
        for text in words::passed_over(&self.entry.plan, &self.message.present, self.country) {
            self.say(start, text, "the step is not for the country");
        }
        if let State::Done { outcome: Outcome::Skipped, skipped, at } = self.message.present.state
            && facts.iter().all(|(_, happening)| matches!(happening, Happening::End | Happening::CalledOff(_)))
        {
            self.now = self.message.present;
            let how = self.how_stopped();
            self.say(at, words::skipped(skipped, &how), "skipped");
            return;
        }
        for (at, happening) in facts {
            match *happening {
                Happening::Queued(step) => self.gave_way(step, *at),
                Happening::Left(step) => self.left(step, *at),
                Happening::Attempt(attempt) => self.handed_over(attempt),
                Happening::Receipt(receipt) => self.receipt(receipt),
                Happening::CalledOff(why) => self.called_off(why, *at),
                Happening::End => self.ended(*at),
            }
        }
        if self.now.outcome().is_none() {
            let text = words::waiting(&self.now, &self.entry.plan, self.batch.state);
            let at = self.lines.last().map_or(start, |line| line.at);
            self.say(at, text, "now");
        }
    }

    fn say(&mut self, at: Timestamp, text: String, rule: &str) {
        self.lines.push(Line { at, text, rule: rule.to_owned() });
    }

    /// Runs the engine; a decision that moves the message becomes a line.
    fn run(&mut self, event: Event, at: Timestamp, fact: &str) {
        let before = self.now;
        match advance(&self.entry.plan, self.standing, &self.now, event, at) {
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
            self.run(Event::Due { silence: Silence::Trusted }, at, "");
        }
    }

    /// What has its turn next, and has no fact of its own to say since when, was queued when the deadline came.
    fn catch_up(&mut self) {
        let step = self.message.present.step;
        if let State::Awaiting { due } = self.now.state
            && self.entry.plan.after(self.now.step, self.now.marks) == Some(step)
        {
            self.gave_way(step, due);
        }
    }

    fn left(&mut self, step: StepIndex, intent: Timestamp) {
        if let State::Queued { not_before, gives_up } = self.now.state
            && self.now.step == step
        {
            // The claim is no line of its own: what came of it is.
            self.now.state = State::Sending { intent, not_before, gives_up };
        }
    }

    fn handed_over(&mut self, attempt: &Attempt) {
        let step = attempt.step;
        // Nothing was meant to go out of what has no intent; it was claimed all the same.
        self.left(step, attempt.answered);
        if self.now.step != step || !matches!(self.now.state, State::Sending { .. }) {
            // A receipt had proven the hand-over before its answer came.
            self.run(Event::Answered { step, answer: Answer::Accepted }, attempt.answered, "");
            return;
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
            Verdict::TierSpent => (Answer::CannotLeave(Obstacle::CouldNotLeave), words::TIER_SPENT.to_owned()),
        };
        self.run(Event::Answered { step, answer }, attempt.answered, &fact);
    }

    fn receipt(&mut self, receipt: &Receipt) {
        let channel = self.entry.plan.step(receipt.step).map(|step| step.channel);
        let fact = words::receipt(receipt, channel);
        let Some(report) = words::report(receipt, channel) else {
            self.say(receipt.received, format!("{fact}; it decides nothing."), "nothing to decide");
            return;
        };
        if let State::Awaiting { due } = self.now.state
            && self.message.present.marks.late()
            && due <= receipt.received
        {
            // The message had ended by then, of which the row no longer tells.
            self.run(Event::Due { silence: Silence::Trusted }, due, "");
        }
        if let State::Queued { not_before, gives_up } = self.now.state
            && self.now.step == receipt.step
        {
            // It overtook the answer of a hand-over that was under way.
            self.now.state = State::Sending { intent: receipt.received, not_before, gives_up };
        }
        self.run(Event::Receipt { step: receipt.step, report }, receipt.received, &fact);
    }

    /// Nobody wanted the message to go on any more.
    fn called_off(&mut self, why: CallOff, at: Timestamp) {
        self.catch_up();
        let at = self.lines.last().map_or(at, |line| line.at.max(at));
        if why == CallOff::Cancel {
            self.standing = Standing::Cancelled;
        }
        let how = if why == CallOff::OptOut { self.how_stopped() } else { String::new() };
        self.run(Event::CalledOff(why), at, &how);
    }

    /// `stop by message on WhatsApp, 14:15:02`.
    fn how_stopped(&self) -> String {
        let zone = self.entry.plan.time_zone;
        let how = |wish: &Wish| format!("{}, {}", wish.source, moment_within(wish.at, zone));
        self.stop.as_ref().map(how).unwrap_or_default()
    }

    /// By `at` the message had its outcome: if the engine has none yet, its time was up.
    fn ended(&mut self, at: Timestamp) {
        if self.now.outcome().is_none() {
            self.catch_up();
            self.run(Event::Due { silence: Silence::Trusted }, at, "");
        }
    }
}

/// What is known of a message that began at the step `first`, in order.
fn facts<'a>(first: StepIndex, message: &Loaded, attempts: &'a [Attempt], receipts: &'a [Receipt]) -> Facts<'a> {
    let mut facts: Vec<(Timestamp, u8, Happening<'_>)> = Vec::new();
    for attempt in attempts {
        if attempt.step > first {
            facts.push((attempt.queued, 1, Happening::Queued(attempt.step)));
        }
        facts.extend(attempt.intent.map(|at| (at, 2, Happening::Left(attempt.step))));
        facts.push((attempt.answered, 3, Happening::Attempt(attempt)));
    }
    facts.extend(receipts.iter().map(|receipt| (receipt.received, 0, Happening::Receipt(receipt))));
    match message.present.state {
        State::Done { at, .. } => facts.push((at, 4, Happening::End)),
        State::Queued { not_before, .. } | State::Sending { not_before, .. } if message.present.step > first => {
            facts.push((not_before, 1, Happening::Queued(message.present.step)));
        }
        State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => {}
    }
    facts.sort_by_key(|(at, order, _)| (*at, *order));
    facts.into_iter().map(|(at, _, happening)| (at, happening)).collect()
}

/// Every order that the facts can have with what got to the message at a time that nobody wrote down, earliest first.
fn placed<'a>(orders: Vec<Facts<'a>>, floating: &[(CallOff, Timestamp)]) -> Vec<Facts<'a>> {
    let Some(((why, earliest), others)) = floating.split_first() else { return orders };
    let mut more = Vec::new();
    for facts in orders {
        let from = facts.partition_point(|(at, _)| at < earliest);
        for place in from..=facts.len() {
            let before = place.checked_sub(1).and_then(|last| facts.get(last));
            let at = before.map_or(*earliest, |(at, _)| *earliest.max(at));
            let mut facts = facts.clone();
            facts.insert(place, (at, Happening::CalledOff(*why)));
            more.push(facts);
        }
    }
    placed(more, others)
}
