//! The claims of an audit, and what refutes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::audit::{Claim, Example};
use super::replay::{Life, Told, begun_at, replay};
use super::report::{Report, UNKNOWN_SHOWN, Unknown};
use crate::domain::{
    Country, Ending, Marks, MessageId, MessageKey, Msisdn, Outcome, Plan, Span, State, StepIndex, Tallies, Timestamp,
};
use crate::engine::{Made, REPEATED_FOR, Rule};
use crate::store::{Frame, Verdict, Whole};

/// Examples of each refuted claim.
const EXAMPLES: usize = 5;
/// How long a writer may wait for its turn: what was decided meanwhile may be that much later on disk.
const TURN: Span = Span::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Plan,
    HandOvers,
    Umids,
    Outcomes,
    Rules,
    Deadlines,
    InTime,
    Conditions,
    Counters,
    Report,
    Totals,
}

const ALL: [(Of, &str, &str, &str); 11] = [
    (
        Of::HandOvers,
        "hand_overs",
        "No message was handed over twice on a step, unless the first came to nothing or is unknown, nor out of turn",
        "attempts",
    ),
    (Of::Umids, "umids", "No two attempts carry the same id of the provider's", "attempts"),
    (Of::Outcomes, "outcomes", "Every message has exactly one outcome, or is open", "messages"),
    (
        Of::Rules,
        "rules",
        "Every message was decided about as the rules decide, step by step, and is where they lead",
        "decisions",
    ),
    (Of::Deadlines, "deadlines", "No deadline came early, nor closed a receipt window", "steps"),
    (Of::InTime, "in_time", "No step left after its TTL, the campaign's end, a cancel or an opt-out", "hand-overs"),
    (Of::Conditions, "conditions", "Steps went to the countries that they are for, and to no others", "messages"),
    (Of::Plan, "plan", "The plan is the one that the campaign was launched with", "plan"),
    (Of::Counters, "counters", "The counters are the sums of the messages", "counters"),
    (Of::Report, "report", "The report is what the facts come to", "figures"),
    (
        Of::Totals,
        "totals",
        "Outcomes and what is open sum to the audience, and nobody is missing or somebody else",
        "messages",
    ),
];

#[derive(Debug, Clone, Default)]
struct Found {
    looked_at: u64,
    refuted: u64,
    examples: Vec<Example>,
}

/// An audit under way.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) frame: Arc<Frame>,
    /// Times in which nothing that people said could be kept.
    gaps: Vec<(Timestamp, Timestamp)>,
    found: [Found; ALL.len()],
    /// What the rows are worth, and what the facts come to.
    of_rows: Tallies,
    of_facts: Tallies,
    /// The steps that are not for people of the country looked at last.
    latest: Option<(Option<Country>, Marks)>,
    pub(super) messages: u64,
    pub(super) attempts: u64,
    /// Of these, those by which a step was tried again.
    pub(super) tried_again: u64,
    pub(super) receipts: u64,
    pub(super) unknown: Vec<Unknown>,
    pub(super) unknown_count: u64,
}

impl Checks {
    pub(super) fn new(frame: Frame, gaps: Vec<(Timestamp, Timestamp)>) -> Self {
        let mut checks = Self {
            frame: Arc::new(frame),
            gaps,
            found: Default::default(),
            of_rows: Tallies::default(),
            of_facts: Tallies::default(),
            latest: None,
            messages: 0,
            attempts: 0,
            tried_again: 0,
            receipts: 0,
            unknown: Vec::new(),
            unknown_count: 0,
        };
        checks.looks(Of::Plan, 1);
        if !checks.frame.plan_is_whole {
            checks.refute(Of::Plan, None, "its text is not what its digest was made of".to_owned());
        }
        checks
    }

    fn found(&mut self, of: Of) -> &mut Found {
        &mut self.found[of as usize]
    }

    pub(super) fn looks(&mut self, of: Of, at: u64) {
        self.found(of).looked_at += at;
    }

    pub(super) fn refute(&mut self, of: Of, message: Option<MessageKey>, what: String) {
        let tag = self.frame.batch.tag;
        let found = self.found(of);
        found.refuted += 1;
        if found.examples.len() < EXAMPLES {
            let message = message.map(|key| MessageId { key, tag }.to_string());
            found.examples.push(Example { message, what });
        }
    }

    pub(super) fn claims(&self) -> Vec<Claim> {
        let claim = |(of, claim, says, what): &(Of, &'static str, &'static str, &'static str)| {
            let Found { looked_at, refuted, examples } = self.found[*of as usize].clone();
            Claim { claim, says, looked_at, of: what, refuted, examples }
        };
        ALL.iter().map(claim).collect()
    }

    /// Holds one message against every claim.
    pub(super) fn message(&mut self, whole: &Whole) {
        self.messages += 1;
        self.attempts += whole.attempts.len() as u64;
        self.receipts += whole.receipts.len() as u64;
        let steps = self.frame.plan.steps.len();
        self.of_rows.weigh(steps, &whole.message.present, 1);
        self.rules(whole);
        self.hand_overs(whole);
        self.outcome(whole);
        self.window(whole);
        self.in_time(whole);
        self.conditions(whole);
        self.note_unknown(whole);
        if let Some(number) = whole.number.filter(|number| *number != whole.message.msisdn) {
            let what = format!("it is to {}, and the audience says {number}", whole.message.msisdn);
            self.refute(Of::Totals, Some(whole.message.key), what);
        }
    }

    /// Asks the engine about each step of its life again, and looks at the times of what it decided.
    fn rules(&mut self, whole: &Whole) {
        let (key, row) = (whole.message.key, &whole.message.present);
        let frame = Arc::clone(&self.frame);
        let Frame { batch, plan, editions, .. } = frame.as_ref();
        let Whole { notes, attempts, receipts, .. } = whole;
        let replay = replay(Life { batch, plan, editions, row, notes, attempts, receipts });
        self.looks(Of::Rules, replay.told.len() as u64);
        self.of_facts.weigh(plan.steps.len(), &replay.end, 1);
        for told in &replay.told {
            self.deadline(whole, told, plan);
        }
        if let Some(what) = replay.refuted {
            self.refute(Of::Rules, Some(key), what);
        }
    }

    fn outcome(&mut self, whole: &Whole) {
        self.looks(Of::Outcomes, 1);
        let (key, row) = (whole.message.key, &whole.message.present);
        let State::Done { outcome, skipped, .. } = row.state else { return };
        let by = row.marks.reached_by();
        let what = match outcome {
            Outcome::Reached if by.is_none() => "reached, and no step met its success status",
            Outcome::Skipped if skipped.is_none() => "skipped, without a reason",
            Outcome::Skipped => return,
            _ if skipped.is_some() => "not skipped, with a reason to be",
            Outcome::Reached => return,
            _ if by.is_some() => "a step met its success status, and the message does not count as reached",
            _ => return,
        };
        self.refute(Of::Outcomes, Some(key), what.to_owned());
    }

    /// A deadline must not fire early: neither the decision nor the next step's place in the queue may be before it.
    fn deadline(&mut self, whole: &Whole, told: &Told<'_>, plan: &Plan) {
        let Made::Moved(Rule::GaveWay(Ending::Deadline)) = told.made else { return };
        let (key, step) = (whole.message.key, told.before.step);
        self.looks(Of::Deadlines, 1);
        let Some(after) = plan.step(step).and_then(|step| step.fallback_after) else {
            return self.refute(Of::Deadlines, Some(key), format!("step {step} gave way, and has no deadline"));
        };
        let next = whole.attempts.iter().find(|attempt| attempt.step == told.after.step);
        let gave_way = next.map_or(told.at, |attempt| attempt.queued.min(told.at));
        if let Some(until) = told.before.accepted.map(|at| at + after).filter(|until| gave_way < *until) {
            let what = format!("step {step} gave way {} before its deadline of {after}", until.since(gave_way));
            self.refute(Of::Deadlines, Some(key), what);
        }
    }

    /// No window closes before its time.
    fn window(&mut self, whole: &Whole) {
        let row = &whole.message.present;
        let (State::Done { outcome: Outcome::Silent | Outcome::Unknown, at, .. }, Some(accepted), false) =
            (row.state, row.accepted, row.marks.waived())
        else {
            return;
        };
        let last = row.marks.last_handed_over().and_then(|last| self.frame.plan.step(last));
        let Some(window) = last.map(|last| last.receipt_window) else { return };
        self.looks(Of::Deadlines, 1);
        if at < accepted + window {
            let early = (accepted + window).since(at);
            let what = format!("its receipt window of {window} closed {early} early");
            self.refute(Of::Deadlines, Some(whole.message.key), what);
        }
    }

    fn in_time(&mut self, whole: &Whole) {
        let (key, row) = (whole.message.key, &whole.message.present);
        let cancelled = self.frame.batch.cancelled_at;
        let (ttl, begun) = (self.frame.plan.ttl, begun_at(&self.frame.batch));
        for attempt in &whole.attempts {
            let Some(intent) = attempt.intent else { continue };
            self.looks(Of::InTime, 1);
            let step = attempt.step;
            let late = |until: Timestamp| intent.since(until);
            let first = row.first_left.unwrap_or(intent);
            let leave_within = self.frame.plan.step(step).and_then(|step| step.leave_within);
            // A claim finds out who has opted out; where its process died of it nobody knows that nothing left.
            let opted_out = whole.opted_out.filter(|_| attempt.verdict != Verdict::Unknown);
            let leave_by = leave_within.filter(|_| attempt.tries == 0).map(|within| attempt.queued + within);
            let ttl_up = ttl.filter(|_| intent > first).map(|ttl| first + ttl);
            // The hand-over that made it the first may have been undone with this one.
            let before = whole.attempts.iter().filter(|other| other.verdict.may_have_left());
            let is_again = row.first_left.is_none() && before.map(|other| other.intent).any(|at| at < Some(intent));
            let end_up = self.ends(intent).filter(|_| intent <= first && !is_again);
            let what = if intent < begun {
                format!("step {step} left {} before the campaign began", begun.since(intent))
            } else if let Some(until) = ttl_up.filter(|until| intent >= *until) {
                format!("step {step} left {} after the TTL of its message", late(until))
            } else if let Some(until) = end_up.filter(|until| intent >= *until) {
                format!("step {step} left {} after the campaign's end", late(until))
            } else if let Some(until) = leave_by.filter(|until| intent >= *until) {
                format!("step {step} left {} after its `leave_within`", late(until))
            } else if let Some(until) = cancelled.filter(|until| intent > *until + TURN) {
                format!("step {step} left {} after the campaign was cancelled", late(until))
            } else if let Some(until) = opted_out.filter(|until| intent > self.kept_by(*until) + TURN) {
                format!("step {step} left {} after the person had opted out", late(until))
            } else {
                continue;
            };
            self.refute(Of::InTime, Some(key), what);
        }
    }

    /// The latest end that held when a step was claimed to leave; nothing where it might at any time.
    fn ends(&self, at: Timestamp) -> Option<Timestamp> {
        // Whoever was claimed while a change waited for its turn left by the plan before.
        let former = self.frame.editions.iter().filter(|edition| edition.until + TURN >= at);
        let held = former.map(|edition| edition.plan.end).chain([self.frame.plan.end]);
        held.map(|end| end.unwrap_or(Timestamp::MAX)).max().filter(|end| *end < Timestamp::MAX)
    }

    /// By when what was said then was on disk. What could not be kept at once the provider has repeated.
    fn kept_by(&self, said: Timestamp) -> Timestamp {
        let ends = self.gaps.iter().filter(|(from, until)| *from <= said && said <= *until).map(|(_, until)| *until);
        ends.max().map_or(said, |until| until + REPEATED_FOR)
    }

    fn conditions(&mut self, whole: &Whole) {
        if whole.message.msisdn == Msisdn::ERASED {
            // Which recipient it was is erased, and the country with that.
            return;
        }
        self.looks(Of::Conditions, 1);
        let marks = match self.latest {
            Some((country, marks)) if country == whole.country => marks,
            _ => {
                let marks = self.frame.plan.marks_at_first(whole.country);
                self.latest = Some((whole.country, marks));
                marks
            }
        };
        let (key, row) = (whole.message.key, &whole.message.present);
        if row.marks.at_first() != marks {
            self.refute(
                Of::Conditions,
                Some(key),
                "the steps that it passes over are not those of its country".to_owned(),
            );
        }
        for attempt in whole.attempts.iter().filter(|attempt| marks.passed_over(attempt.step)) {
            self.refute(Of::Conditions, Some(key), format!("step {} left, which is not for its country", attempt.step));
        }
    }

    fn note_unknown(&mut self, whole: &Whole) {
        let message = &whole.message;
        for step in StepIndex::all().filter(|step| message.present.marks.unknown(*step)) {
            self.unknown_count += 1;
            if self.unknown.len() < UNKNOWN_SHOWN as usize {
                let id = MessageId { key: message.key, tag: self.frame.batch.tag };
                self.unknown.push(Unknown { message: id.to_string(), msisdn: message.msisdn, step: step.get() + 1 });
            }
        }
    }

    /// What can only be said once every message has been looked at.
    pub(super) fn close(&mut self) {
        let kept = self.frame.tallies.clone();
        let mut differ = self.of_rows.clone();
        kept.entries().for_each(|(step, count, n)| differ.add(step, count, -n));
        let known = kept.entries().count().max(self.of_rows.entries().count());
        self.looks(Of::Counters, known as u64);
        for (step, count, by) in differ.entries().collect::<Vec<_>>() {
            let is = kept.get(step, count);
            let what = format!("step {step}, {count}: {is} are kept, and {} are there", is + by);
            self.refute(Of::Counters, None, what);
        }
        let report = |tallies| Report::of(&self.frame.batch, Some(&self.frame.plan), tallies);
        let (said, told) = (figures(&report(&kept)), figures(&report(&self.of_facts)));
        self.looks(Of::Report, said.len() as u64);
        // What is nought may be left out of either.
        let names: BTreeSet<&String> = said.keys().chain(told.keys()).collect();
        let of = |figures: &BTreeMap<String, i64>, name: &String| figures.get(name).copied().unwrap_or(0);
        for name in names.into_iter().filter(|name| of(&said, name) != of(&told, name)) {
            let what = format!("{name}: the report says {}, the facts come to {}", of(&said, name), of(&told, name));
            self.refute(Of::Report, None, what);
        }
        let audience = i64::from(self.frame.batch.messages);
        self.looks(Of::Totals, self.messages);
        if i64::try_from(self.messages) != Ok(audience) {
            let what = format!("{} people are in the audience, and {} messages are there", audience, self.messages);
            self.refute(Of::Totals, None, what);
        }
        let report = Report::of(&self.frame.batch, Some(&self.frame.plan), &kept);
        let sum = report.outcomes.0.values().sum::<i64>() + report.open;
        if sum != audience {
            self.refute(Of::Totals, None, format!("outcomes and open sum to {sum}, of {audience} in the audience"));
        }
    }
}

/// Every figure of a report, by name.
fn figures(report: &Report) -> BTreeMap<String, i64> {
    fn add(figures: &mut BTreeMap<String, i64>, name: &str, value: &serde_json::Value) {
        match value {
            serde_json::Value::Number(number) => figures.extend(number.as_i64().map(|n| (name.to_owned(), n))),
            serde_json::Value::Object(object) => {
                object.iter().for_each(|(key, value)| add(figures, &format!("{name} {key}"), value));
            }
            serde_json::Value::Array(list) => {
                list.iter().zip(1..).for_each(|(value, place)| add(figures, &format!("{name} {place}"), value));
            }
            _ => {}
        }
    }
    let mut figures = BTreeMap::new();
    if let Ok(serde_json::Value::Object(whole)) = serde_json::to_value(report) {
        whole.iter().for_each(|(key, value)| add(&mut figures, key, value));
    }
    figures
}
