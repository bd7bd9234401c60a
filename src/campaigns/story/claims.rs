//! The claims of an audit, and what refutes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::audit::{AuditClaim, AuditExample};
use super::replay::{Life, Replayed, begun_at, replay};
use crate::base::domain::{
    AddressKey, Channel, Country, Ending, Marks, MessageId, MessageKey, Outcome, Plan, Span, State, StepIndex, Tallies,
    Timestamp,
};
use crate::campaigns::report::{Report, UNKNOWN_SHOWN};
use crate::rules::engine::{Made, REPEATED_FOR, Rule};
use crate::store::{Frame, MessageFacts, Verdict};

/// Examples of each refuted claim.
const EXAMPLES: usize = 5;
/// How long a writer may wait for the database. A decision may be on disk this much later than its time.
const WRITER_WAIT: Span = Span::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Plan,
    HandOvers,
    Order,
    Umids,
    Outcomes,
    Rules,
    Deadlines,
    InTime,
    Conditions,
    Counters,
    Report,
    Totals,
    Numbers,
}

const ALL: [(Of, &str, &str, &str); 13] = [
    (
        Of::HandOvers,
        "hand_overs",
        "No message was submitted twice on a step, unless the first attempt failed or is unknown",
        "attempts",
    ),
    (Of::Order, "order", "Each attempt was queued, then claimed, then answered", "attempts"),
    (Of::Umids, "umids", "No two attempts have the same provider id", "attempts"),
    (Of::Outcomes, "outcomes", "Every message has exactly one outcome, or is open", "messages"),
    (
        Of::Rules,
        "rules",
        "Every decision about a message follows the rules, step by step, and they lead to its present state",
        "decisions",
    ),
    (Of::Deadlines, "deadlines", "No deadline and no receipt window ended early", "steps"),
    (
        Of::InTime,
        "in_time",
        "No step was submitted after its TTL, the campaign's end, a cancel or an opt-out",
        "attempts",
    ),
    (Of::Conditions, "conditions", "Each step was submitted only to recipients that it applies to", "messages"),
    (Of::Plan, "plan", "The plan is the one that the campaign was launched with", "plan"),
    (Of::Counters, "counters", "The counters are the sums of the messages", "counters"),
    (Of::Report, "report", "The report agrees with the facts", "figures"),
    (
        Of::Totals,
        "totals",
        "Outcomes and open messages sum to the audience, and each step's figures add up",
        "messages",
    ),
    (Of::Numbers, "numbers", "Each message was addressed to the number in the audience", "messages"),
];

#[derive(Debug, Clone, Default)]
struct Found {
    checked: u64,
    refuted: u64,
    examples: Vec<AuditExample>,
}

/// The steps that do not apply to a kind of recipient.
#[derive(Debug, Clone, Copy)]
struct PassedOver {
    country: Option<Country>,
    only_on: Option<Channel>,
    marks: Marks,
}

/// An audit under way.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) frame: Arc<Frame>,
    /// Periods in which no event from recipients could be stored.
    gaps: Vec<(Timestamp, Timestamp)>,
    found: [Found; ALL.len()],
    /// The counters that the rows add up to.
    of_rows: Tallies,
    /// The counters that the facts add up to.
    of_facts: Tallies,
    /// The recipient of the latest message that was checked, and the steps that do not apply to them.
    latest: Option<PassedOver>,
    pub(super) messages: u64,
    pub(super) attempts: u64,
    /// Attempts that retried a step.
    pub(super) retried: u64,
    pub(super) receipts: u64,
    pub(super) unknown: Vec<(MessageKey, AddressKey, StepIndex)>,
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
            retried: 0,
            receipts: 0,
            unknown: Vec::new(),
            unknown_count: 0,
        };
        checks.looks(Of::Plan, 1);
        if !checks.frame.plan_is_whole {
            checks.refute(Of::Plan, None, "its text does not match its digest".to_owned());
        }
        checks
    }

    fn found(&mut self, of: Of) -> &mut Found {
        &mut self.found[of as usize]
    }

    pub(super) fn looks(&mut self, of: Of, at: u64) {
        self.found(of).checked += at;
    }

    pub(super) fn refute(&mut self, of: Of, message: Option<MessageKey>, what: String) {
        let tag = self.frame.batch.tag;
        let found = self.found(of);
        found.refuted += 1;
        if found.examples.len() < EXAMPLES {
            let message = message.map(|key| MessageId { key, tag }.to_string());
            found.examples.push(AuditExample { message, what });
        }
    }

    pub(super) fn claims(&self) -> Vec<AuditClaim> {
        let claim = |(of, claim, says, what): &(Of, &'static str, &'static str, &'static str)| {
            let Found { checked, refuted, examples } = self.found[*of as usize].clone();
            AuditClaim { claim, says, checked, unit: what, refuted, examples }
        };
        ALL.iter().map(claim).collect()
    }

    /// Checks one message against every claim.
    pub(super) fn message(&mut self, whole: &MessageFacts) {
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
        self.looks(Of::Numbers, 1);
        if let Some(own) = whole.recipient_address.filter(|address| *address != whole.message.address) {
            let what = format!("it is to {}, and the audience has {}", shown(whole.message.address), shown(own));
            self.refute(Of::Numbers, Some(whole.message.key), what);
        }
    }

    /// Replays the engine over the message, and checks the times of its decisions.
    fn rules(&mut self, whole: &MessageFacts) {
        let (key, row) = (whole.message.key, &whole.message.present);
        let frame = Arc::clone(&self.frame);
        let Frame { batch, plan, editions, .. } = frame.as_ref();
        let MessageFacts { notes, attempts, receipts, .. } = whole;
        let replay = replay(Life { batch, plan, editions, row, notes, attempts, receipts });
        self.looks(Of::Rules, replay.decided.len() as u64);
        self.of_facts.weigh(plan.steps.len(), &replay.end, 1);
        for decided in &replay.decided {
            self.deadline(whole, decided, plan);
        }
        if let Some(what) = replay.refuted {
            self.refute(Of::Rules, Some(key), what);
        }
    }

    fn outcome(&mut self, whole: &MessageFacts) {
        self.looks(Of::Outcomes, 1);
        let (key, row) = (whole.message.key, &whole.message.present);
        let State::Done { outcome, skipped, .. } = row.state else { return };
        let by = row.marks.reached_by();
        let what = match outcome {
            Outcome::Reached if by.is_none() => "reached, although no step met its success status",
            Outcome::Skipped if skipped.is_none() => "skipped, without a reason",
            Outcome::Skipped => return,
            _ if skipped.is_some() => "not skipped, although it has a reason to be skipped",
            Outcome::Reached => return,
            _ if by.is_some() => "a step met its success status, but the message does not count as reached",
            _ => return,
        };
        self.refute(Of::Outcomes, Some(key), what.to_owned());
    }

    /// A deadline must not fire early: neither its decision nor the queueing of the next step may come before it.
    fn deadline(&mut self, whole: &MessageFacts, decided: &Replayed<'_>, plan: &Plan) {
        let Made::Moved(Rule::FellBack(Ending::Deadline)) = decided.made else { return };
        let (key, step) = (whole.message.key, decided.before.step);
        self.looks(Of::Deadlines, 1);
        let Some(after) = plan.step(step).and_then(|step| step.fallback_after) else {
            return self.refute(
                Of::Deadlines,
                Some(key),
                format!("step {step} fell back, although it has no deadline"),
            );
        };
        let next = whole.attempts.iter().find(|attempt| attempt.step == decided.after.step);
        let fell_back = next.map_or(decided.at, |attempt| attempt.queued.min(decided.at));
        if let Some(until) = decided.before.accepted.map(|at| at + after).filter(|until| fell_back < *until) {
            let what = format!("step {step} fell back {} before its deadline of {after}", until.since(fell_back));
            self.refute(Of::Deadlines, Some(key), what);
        }
    }

    /// A receipt window must not close early.
    fn window(&mut self, whole: &MessageFacts) {
        let row = &whole.message.present;
        let (State::Done { outcome: Outcome::Silent | Outcome::Unknown, at, .. }, Some(accepted), false) =
            (row.state, row.accepted, row.marks.waived())
        else {
            return;
        };
        let Some(last) = row.marks.last_handed_over() else { return };
        // The plan at its acceptance set the window. A new category of its template may have changed it since.
        let former = self.frame.editions.iter().filter(|edition| edition.until + WRITER_WAIT >= accepted);
        let plans = former.map(|edition| &edition.plan).chain([&self.frame.plan]);
        let windows = plans.filter_map(|plan| plan.step(last)).map(|step| step.receipt_window);
        let Some(window) = windows.min() else { return };
        self.looks(Of::Deadlines, 1);
        if at < accepted + window {
            let early = (accepted + window).since(at);
            let what = format!("its receipt window of {window} closed {early} early");
            self.refute(Of::Deadlines, Some(whole.message.key), what);
        }
    }

    fn in_time(&mut self, whole: &MessageFacts) {
        let (key, row) = (whole.message.key, &whole.message.present);
        let cancelled = self.frame.batch.cancelled_at;
        let (ttl, begun) = (self.frame.plan.ttl, begun_at(&self.frame.batch));
        for attempt in &whole.attempts {
            let Some(intent) = attempt.intent else { continue };
            self.looks(Of::InTime, 1);
            let step = attempt.step;
            let late = |until: Timestamp| intent.since(until);
            let first = row.first_submitted_at.unwrap_or(intent);
            let leave_within = self.frame.plan.step(step).and_then(|step| step.leave_within);
            // A claim checks for opt-outs. If its process died during the claim, nothing shows whether the message was
            // submitted.
            let is_obeyed = attempt.verdict != Verdict::Unknown && !self.frame.plan.confirms_opt_out;
            let opted_out = whole.opted_out.filter(|_| is_obeyed);
            let leave_by = leave_within.filter(|_| attempt.tries == 0).map(|within| attempt.queued + within);
            let ttl_up = ttl.filter(|_| intent > first).map(|ttl| first + ttl);
            // The submission that counts as the first may have been undone, and then the row has no first submission.
            let before = whole.attempts.iter().filter(|other| other.verdict.may_have_left());
            let is_retry =
                row.first_submitted_at.is_none() && before.map(|other| other.intent).any(|at| at < Some(intent));
            let end_up = self.ends(intent).filter(|_| intent <= first && !is_retry);
            let what = if intent < begun {
                format!("step {step} was submitted {} before the campaign began", begun.since(intent))
            } else if let Some(until) = ttl_up.filter(|until| intent >= *until) {
                format!("step {step} was submitted {} after the TTL of its message", late(until))
            } else if let Some(until) = row.expires.filter(|until| intent >= *until) {
                format!("step {step} was submitted {} after its message had expired", late(until))
            } else if let Some(until) = end_up.filter(|until| intent >= *until) {
                format!("step {step} was submitted {} after the campaign's end", late(until))
            } else if let Some(until) = leave_by.filter(|until| intent >= *until) {
                format!("step {step} was submitted {} after its `leave_within`", late(until))
            } else if let Some(until) = cancelled.filter(|until| intent > *until + WRITER_WAIT) {
                format!("step {step} was submitted {} after the campaign was cancelled", late(until))
            } else if let Some(until) = opted_out.filter(|until| intent > self.recorded_by(*until) + WRITER_WAIT) {
                format!("step {step} was submitted {} after the recipient had opted out", late(until))
            } else {
                continue;
            };
            self.refute(Of::InTime, Some(key), what);
        }
    }

    /// The latest campaign end in force when a step was claimed at `at`; `None` if the campaign had no end.
    fn ends(&self, at: Timestamp) -> Option<Timestamp> {
        // A claim made while a change of the plan waited to be written used the plan before.
        let former = self.frame.editions.iter().filter(|edition| edition.until + WRITER_WAIT >= at);
        let ends = former.map(|edition| edition.plan.end).chain([self.frame.plan.end]);
        ends.map(|end| end.unwrap_or(Timestamp::MAX)).max().filter(|end| *end < Timestamp::MAX)
    }

    /// When an event received at `at` was on disk at the latest. During a gap the provider repeats what could not be
    /// stored.
    fn recorded_by(&self, at: Timestamp) -> Timestamp {
        let ends = self.gaps.iter().filter(|(from, until)| *from <= at && at <= *until).map(|(_, until)| *until);
        ends.max().map_or(at, |until| until + REPEATED_FOR)
    }

    fn conditions(&mut self, whole: &MessageFacts) {
        if whole.message.address == AddressKey::ERASED {
            // The recipient is erased, and so is the country.
            return;
        }
        self.looks(Of::Conditions, 1);
        let (country, only_on) = (whole.country, self.frame.plan.only_on(whole.message.address));
        let marks = match self.latest {
            Some(latest) if (latest.country, latest.only_on) == (country, only_on) => latest.marks,
            _ => {
                let marks = self.frame.plan.marks_at_first(country, only_on);
                self.latest = Some(PassedOver { country, only_on, marks });
                marks
            }
        };
        let (key, row) = (whole.message.key, &whole.message.present);
        if row.marks.at_first() != marks {
            self.refute(
                Of::Conditions,
                Some(key),
                "the steps that it skips are not the ones for its recipient".to_owned(),
            );
        }
        for attempt in whole.attempts.iter().filter(|attempt| marks.passed_over(attempt.step)) {
            self.refute(
                Of::Conditions,
                Some(key),
                format!(
                    "step {} was submitted, although it does not apply to its \
                                                            country",
                    attempt.step
                ),
            );
        }
    }

    fn note_unknown(&mut self, whole: &MessageFacts) {
        let message = &whole.message;
        for step in StepIndex::all().filter(|step| message.present.marks.unknown(*step)) {
            self.unknown_count += 1;
            if self.unknown.len() < UNKNOWN_SHOWN as usize {
                self.unknown.push((message.key, message.address, step));
            }
        }
    }

    /// Checks the claims that need all messages, once every message has been checked.
    pub(super) fn close(&mut self) {
        let mut stored = self.frame.tallies.clone();
        if !stored.follows_messages() {
            // The batch was created by a version that did not keep these counts.
            [&mut stored, &mut self.of_rows, &mut self.of_facts].into_iter().for_each(Tallies::unfollow);
        }
        let mut differ = self.of_rows.clone();
        stored.entries().for_each(|(step, count, n)| differ.add(step, count, -n));
        let known = stored.entries().count().max(self.of_rows.entries().count());
        self.looks(Of::Counters, known as u64);
        for (step, count, by) in differ.entries().collect::<Vec<_>>() {
            let counter = stored.get(step, count);
            let what =
                format!("step {step}, {count}: the counter says {counter}, the messages add up to {}", counter + by);
            self.refute(Of::Counters, None, what);
        }
        let report = |tallies| Report::of(&self.frame.batch, Some(&self.frame.plan), tallies);
        let (reported, derived) = (figures(&report(&stored)), figures(&report(&self.of_facts)));
        self.looks(Of::Report, reported.len() as u64);
        // Either may omit a figure that is zero.
        let names: BTreeSet<&String> = reported.keys().chain(derived.keys()).collect();
        let of = |figures: &BTreeMap<String, i64>, name: &String| figures.get(name).copied().unwrap_or(0);
        for name in names.into_iter().filter(|name| of(&reported, name) != of(&derived, name)) {
            let (reported, derived) = (of(&reported, name), of(&derived, name));
            let what = format!("{name}: the report says {reported}, the facts add up to {derived}");
            self.refute(Of::Report, None, what);
        }
        let audience = i64::from(self.frame.batch.messages);
        self.looks(Of::Totals, self.messages);
        if i64::try_from(self.messages) != Ok(audience) {
            let what = format!("the audience has {audience} recipients, but there are {} messages", self.messages);
            self.refute(Of::Totals, None, what);
        }
        let report = Report::of(&self.frame.batch, Some(&self.frame.plan), &stored);
        let sum = report.outcomes.0.values().sum::<i64>() + report.open;
        if sum != audience {
            self.refute(
                Of::Totals,
                None,
                format!("outcomes and open messages sum to {sum}, the audience to {audience}"),
            );
        }
        report.imbalances().into_iter().for_each(|what| self.refute(Of::Totals, None, what));
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
                list.iter().zip(1..).for_each(|(value, number)| add(figures, &format!("{name} {number}"), value));
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

/// An address as an auditor sees it: ids by the number of their row.
fn shown(key: AddressKey) -> String {
    key.number().map_or_else(|| key.masked().to_string(), |number| number.to_string())
}
