//! The result of a group of receipts: changes of messages, and the effects on lanes, steps, tiers and recipients.

use std::collections::{BTreeMap, BTreeSet};

use super::callbacks::{SlotChange, Throttled};
use super::incoming::Incoming;
use super::working::{Working, hold, step_hold};
use crate::base::domain::{
    AddressKey, BatchId, Channel, Ending, Fault, Present, SenderPart, State, Status, StepIndex, Timestamp,
};
use crate::rules::engine::{self, Decision, Event, Rule, Ruling};
use crate::rules::wire::codes;
use crate::store::{self, Alias, Change, FoundAttempt, Hold, OptOut, Receipt, ReportedBy, StepHold};

/// The result of a group of receipts.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) receipts: Vec<Receipt>,
    pub(super) changes: Vec<Change>,
    /// Each with the time of the submission that it is about.
    pub(super) holds: Vec<(Hold, Timestamp)>,
    /// Each with the time of the submission that it is about.
    pub(super) step_holds: BTreeMap<(BatchId, StepIndex), (StepHold, Timestamp)>,
    /// Each with the key of its address.
    pub(super) opt_outs: Vec<(AddressKey, OptOut)>,
    pub(super) aliases: Vec<Alias>,
    /// Lanes whose receipts turned out to carry our ids.
    pub(super) naming: BTreeSet<String>,
    pub(super) slots: Vec<SlotChange>,
    pub(super) throttled: Vec<Throttled>,
    pub(super) strays: Vec<store::Stray>,
}

/// Passes one report to the engine, and adds its effects beyond the message.
pub(super) fn advance_by(
    message: &mut Working,
    incoming: &Incoming,
    found: &FoundAttempt,
    report: engine::AttemptReport,
    now: Timestamp,
    outcome: &mut Outcome,
) -> Ruling {
    let step = found.step;
    let decide =
        |report| message.case.decide(&message.entry.plan, Event::Receipt { step, report }, incoming.counts_from);
    let mut decision = decide(report);
    let Decision::Moved { mut rule, .. } = decision else { return message.case.apply(&decision, now) };
    let recall = is_counted(incoming, report, rule).and_then(|code| {
        message.entry.refused(&message.case.message, step, ReportedBy::Receipt, code, incoming.counts_from)
    });
    if let (Some(_), engine::AttemptReport::Failed { again, .. }) = (recall, report) {
        // Too many equal failures to be the recipients' fault.
        let fault = Fault::Sender(SenderPart::Step);
        let kept = decide(engine::AttemptReport::Failed { fault, again });
        if let Decision::Moved { rule: by, .. } = kept {
            (decision, rule) = (kept, by);
        }
    }
    if matches!(report, engine::AttemptReport::Reached(status) if status >= Status::Sent) {
        message.entry.taken(step, ReportedBy::Receipt);
    }
    let before = message.case.now;
    let ruling = message.case.apply(&decision, now);
    outcome.throttled.extend(throttled(message, found, incoming, submitted_at(&before, now)));
    if let Rule::KeptForSender(part) = rule {
        let begun = submitted_at(&before, now);
        if part == SenderPart::Step {
            if let Some((step, hold)) = step_hold(message, found, incoming, recall, now) {
                let held = outcome.step_holds.entry(step).or_insert((hold.clone(), begun));
                if held.1 < begun {
                    *held = (hold, begun);
                }
            }
        } else {
            outcome.holds.extend(hold(message, found, part, incoming, now).map(|hold| (hold, begun)));
        }
    }
    ruling
}

/// The code of a failure that ends a step and is not about the recipient's number. Many of these in a row are the
/// sender's fault.
fn is_counted(incoming: &Incoming, report: engine::AttemptReport, rule: Rule) -> Option<u32> {
    let of_recipient = matches!(report, engine::AttemptReport::Failed { fault: Fault::Recipient, .. });
    let ends = matches!(rule, Rule::FellBack(Ending::Undelivered) | Rule::Ended(Ending::Undelivered));
    let may_be_senders = incoming.failure().is_some_and(codes::Entry::may_be_senders);
    (of_recipient && ends && may_be_senders).then_some(incoming.code)
}

/// When a message was last submitted.
fn submitted_at(message: &Present, now: Timestamp) -> Timestamp {
    match message.state {
        State::Sending { intent, .. } => intent,
        _ => message.accepted.unwrap_or(now),
    }
}

/// The throttling that a receipt reports: the provider accepted the message and throttled it afterwards.
fn throttled(message: &Working, found: &FoundAttempt, incoming: &Incoming, begun: Timestamp) -> Option<Throttled> {
    let code = incoming.failure().filter(|code| code.throttles)?;
    let lane = message.entry.lane_of(&message.case.message, found.step)?.to_owned();
    Some(Throttled { lane, begun, reason: code.meaning })
}

/// The change of a tier slot: a WhatsApp submission turned out not to have reached the recipient, or to have after all.
pub(super) fn slot_change(
    message: &Working,
    found: &FoundAttempt,
    tries: Option<u16>,
    lived: bool,
) -> Option<SlotChange> {
    let (step, lives) = (found.step, message.case.now.marks.may_live(found.step));
    message.entry.plan.step(step).filter(|rules| rules.channel == Channel::WhatsApp && lived != lives)?;
    let (lane, recipient) =
        (message.entry.lane_of(&message.case.message, step)?.to_owned(), message.case.message.address);
    Some(SlotChange { message: message.case.message.key, step, lane, recipient, tries, is_free: !lives })
}
