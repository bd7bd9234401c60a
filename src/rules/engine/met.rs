//! Records which events met messages in which states, and which rules decided. The simulation checks that it has tried
//! them all.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::table::{answers, call_offs, faults, reports, rules, silences};
use super::{Answer, AttemptReport, CallOff, Decision, Event, Rule, Silence, StepObstacle};
use crate::base::domain::{Ending, Fault, Present, SenderPart, State, Status, StepIndex, Timestamp};

/// An event that met a message in a state, as words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pair {
    pub(crate) state: &'static str,
    pub(crate) event: &'static str,
    pub(crate) what: &'static str,
    /// If the event is about a step: its position relative to the present step.
    pub(crate) step: &'static str,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, event, what, step } = self;
        write!(f, "{state:<8} {event:<10} {what:<18} {step:<7}")
    }
}

/// How often each pair and each rule occurred.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage {
    pub(crate) pairs: HashMap<Pair, u64>,
    pub(crate) rules: HashMap<Rule, u64>,
}

impl Coverage {
    pub(crate) fn add(&mut self, other: &Self) {
        for (pair, times) in &other.pairs {
            *self.pairs.entry(*pair).or_default() += times;
        }
        for (rule, times) in &other.rules {
            *self.rules.entry(*rule).or_default() += times;
        }
    }

    pub(crate) fn events(&self) -> u64 {
        self.pairs.values().sum()
    }
}

thread_local! {
    static MET: RefCell<Coverage> = RefCell::default();
}

pub(super) fn note(message: &Present, event: &Event, decision: &Decision) {
    let pair = pair(state(&message.state), event, message.step);
    MET.with_borrow_mut(|met| {
        *met.pairs.entry(pair).or_default() += 1;
        if let Decision::Moved { rule, .. } = decision {
            *met.rules.entry(*rule).or_default() += 1;
        }
    });
}

/// Records a claim by the store, which decides it as the engine would, without calling the engine.
pub(crate) fn note_claim() {
    let pair = Pair { state: QUEUED, event: "claimed", what: "", step: "" };
    MET.with_borrow_mut(|met| {
        *met.pairs.entry(pair).or_default() += 1;
        *met.rules.entry(Rule::Claimed).or_default() += 1;
    });
}

/// Takes what was recorded on this thread since the last time.
pub(crate) fn take() -> Coverage {
    MET.take()
}

/// Restores a record that was taken, and discards what was recorded since.
pub(crate) fn put_back(met: Coverage) {
    MET.set(met);
}

pub(crate) const QUEUED: &str = "queued";
pub(crate) const SENDING: &str = "sending";
pub(crate) const AWAITING: &str = "awaiting";
pub(crate) const DONE: &str = "done";

const fn state(state: &State) -> &'static str {
    match state {
        State::Queued { .. } => QUEUED,
        State::Sending { .. } => SENDING,
        State::Awaiting { .. } => AWAITING,
        State::Done { .. } => DONE,
    }
}

fn pair(state: &'static str, event: &Event, present: StepIndex) -> Pair {
    let relative = |step: StepIndex| match step.cmp(&present) {
        std::cmp::Ordering::Less => "earlier",
        std::cmp::Ordering::Equal => "present",
        std::cmp::Ordering::Greater => "later",
    };
    let (event, what, step) = match event {
        Event::Claimed => ("claimed", "", ""),
        // All answers that arrive too late are treated alike.
        Event::Answered { step, .. } if state != SENDING || *step != present => ("answered", "too late", ""),
        Event::Answered { answer, .. } => ("answered", of_answer(answer), ""),
        Event::Receipt { step, report: AttemptReport::Reached(status) } => {
            ("reached", of_status(*status), relative(*step))
        }
        Event::Receipt { step, report: AttemptReport::Failed { fault, .. } } => {
            ("failed", of_fault(*fault), relative(*step))
        }
        Event::Due { silence } => ("due", of_silence(silence), ""),
        Event::TierSpent { step } => ("tier spent", "", relative(*step)),
        Event::Postponed { .. } => ("put off", "", ""),
        Event::Doubted { silence, .. } => ("doubted", of_silence(silence), ""),
        Event::RefusalRecalled { step, .. } => ("refusal recalled", "", relative(*step)),
        Event::RefusedAlone { step } => ("refused alone", "", relative(*step)),
        Event::Released => ("released", "", ""),
        Event::CalledOff(CallOff::Cancel) => ("called off", "cancel", ""),
        Event::CalledOff(CallOff::OptOut) => ("called off", "opt-out", ""),
    };
    Pair { state, event, what, step }
}

const fn of_answer(answer: &Answer) -> &'static str {
    match answer {
        Answer::Accepted => "accepted",
        Answer::Refused { fault, .. } => of_fault(*fault),
        Answer::Unclear { .. } => "unclear",
        Answer::Unavailable { .. } => "unavailable",
        Answer::Unknown => "unknown",
        Answer::NotBegun => "not begun",
        Answer::Later { .. } => "later",
        Answer::CannotLeave(StepObstacle::CouldNotLeave) => "could not leave",
        Answer::CannotLeave(StepObstacle::OutsideWindow) => "outside window",
        Answer::CannotLeave(StepObstacle::MissingVariable) => "missing variable",
        Answer::CannotLeave(StepObstacle::OptedOut) => "opted out of the step",
    }
}

const fn of_fault(fault: Fault) -> &'static str {
    match fault {
        Fault::Recipient => "by the recipient",
        Fault::RecipientLimit => "by the recipient's limit",
        Fault::Sender(SenderPart::Lane) => "by the lane",
        Fault::Sender(SenderPart::Template) => "by the template",
        Fault::Sender(SenderPart::Step) => "by the step",
        Fault::OptedOut => "by the opt-out",
        Fault::Temporary => "in passing",
    }
}

const fn of_status(status: Status) -> &'static str {
    match status {
        Status::Accepted => "accepted",
        Status::Sent => "sent",
        Status::Delivered => "delivered",
        Status::Read => "read",
    }
}

const fn of_silence(silence: &Silence) -> &'static str {
    match silence {
        Silence::Trusted => "trusted",
        Silence::Held { .. } => "held",
        Silence::Lost => "lost",
        Silence::Filled => "filled",
    }
}

/// Every pair that the types allow.
pub(crate) fn all_pairs() -> Vec<Pair> {
    let now = Timestamp::default();
    let (earlier, present, later) = (StepIndex::FIRST, StepIndex::new(1).unwrap(), StepIndex::new(2).unwrap());
    let steps = [earlier, present, later];
    let mut events = vec![Event::Claimed, Event::Postponed { until: now }];
    for step in steps {
        events.push(Event::TierSpent { step });
        events.extend(answers(now).into_iter().map(|answer| Event::Answered { step, answer }));
        events.extend(reports(now).into_iter().map(|report| Event::Receipt { step, report }));
    }
    events.extend(silences(now).into_iter().map(|silence| Event::Due { silence }));
    events.extend(silences(now).into_iter().map(|silence| Event::Doubted { silence, tries: 0 }));
    events.extend(steps.map(|step| Event::RefusalRecalled { step, tries: 0 }));
    events.extend(steps.map(|step| Event::RefusedAlone { step }));
    events.push(Event::Released);
    events.extend(call_offs().into_iter().map(Event::CalledOff));
    let states = [QUEUED, SENDING, AWAITING, DONE];
    let pairs: BTreeSet<Pair> =
        states.into_iter().flat_map(|state| events.iter().map(move |event| pair(state, event, present))).collect();
    pairs.into_iter().collect()
}

/// Every rule, with each ending and each part that it may contain.
pub(crate) fn all_rules() -> Vec<Rule> {
    let endings = [
        Ending::Deadline,
        Ending::Undelivered,
        Ending::Rejected,
        Ending::CouldNotLeave,
        Ending::OutsideWindow,
        Ending::MissingVariable,
        Ending::OptedOut,
    ];
    let parts = faults().into_iter().filter_map(|fault| match fault {
        Fault::Sender(part) => Some(part),
        Fault::Recipient | Fault::RecipientLimit | Fault::OptedOut | Fault::Temporary => None,
    });
    let parts: Vec<SenderPart> = parts.collect();
    let of_each = |rule: Rule| match rule {
        Rule::FellBack(_) => endings.map(Rule::FellBack).to_vec(),
        Rule::Ended(_) => endings.map(Rule::Ended).to_vec(),
        Rule::KeptForSender(_) => parts.iter().map(|part| Rule::KeptForSender(*part)).collect(),
        other => vec![other],
    };
    rules().into_iter().flat_map(of_each).collect()
}
