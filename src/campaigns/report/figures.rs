//! A campaign's figures, from the counters alone, so the cost is the same for ten recipients and ten million.

use std::collections::BTreeMap;

use serde::Serialize;

use super::steps::{StepReport, steps};
use super::stranded::Stranded;
use crate::base::domain::{
    AddressFields, AddressKey, BatchState, Count, MessageId, MessageKey, Money, Outcome, Plan, Present, SkipReason,
    Spent, State, StepIndex, Tallies, Zone,
};
use crate::recipients::audience::{Corrected, ImportRecord, Reason};
use crate::store::{Addresses, AudiencePart, Batch, ReplyCount, Result, Store};

/// Unknown attempts that a report lists; `unknown_count` has all of them.
pub(crate) const UNKNOWN_SHOWN: u32 = 1_000;
/// Kinds and choices of replies that a report lists.
const REPLIES_SHOWN: u32 = 200;

/// The present state of a campaign.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Show {
    pub id: String,
    pub name: String,
    pub state: BatchState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub counts: Counts,
    pub rate: RateNow,
    /// Steps that cannot be sent, because their lanes are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stranded: Vec<Stranded>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Counts {
    pub queued: i64,
    /// Refused while others are accepted: they wait for an operator.
    pub set_aside: i64,
    pub sending: i64,
    pub awaiting: i64,
    pub done: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RateNow {
    /// Submissions a second, as last measured.
    pub now: f64,
    /// The sum of the rates of its lanes.
    pub allowed: f64,
}

/// How messages ended. The outcomes and `open` sum to the audience.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Outcomes(pub BTreeMap<String, i64>);

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Report {
    pub id: String,
    pub name: String,
    pub state: BatchState,
    pub audience: i64,
    pub open: i64,
    /// Of `open`: refused while others are accepted, so they wait for an operator.
    #[serde(skip_serializing_if = "is_zero")]
    pub set_aside: u64,
    pub outcomes: Outcomes,
    /// Rows of its sources that became no messages, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, u64>,
    /// Those of them that were corrected and imported as another source, so that the recipients include them.
    #[serde(skip_serializing_if = "is_zero")]
    pub corrected: u64,
    /// Why messages were skipped.
    pub skipped: BTreeMap<String, i64>,
    pub delivered_twice: i64,
    pub late: i64,
    /// Messages that no step applies to, however they ended.
    #[serde(skip)]
    pub never_entered: i64,
    /// Attempts with an unknown result; the first thousand of `unknown_count`.
    pub unknown: Vec<Unknown>,
    pub unknown_count: i64,
    pub steps: Vec<StepReport>,
    /// The replies to each step by kind and by the chosen button or list row: the 200 commonest rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reply_counts: Vec<ReplyReport>,
    /// The currency of `spent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The zone in which its times are shown.
    #[serde(skip)]
    pub zone: Option<Zone>,
}

/// How many replies to a step are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReplyReport {
    pub step: u8,
    /// The provider's word for the kind of message, in lower case.
    pub kind: String,
    /// The title or payload of the button, or the list row.
    pub choice: Option<String>,
    pub count: u32,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Unknown {
    pub message: String,
    #[serde(flatten)]
    pub address: AddressFields,
    pub step: u8,
}

impl Unknown {
    /// Names attempts of a batch, each with the address of its recipient.
    pub async fn all(
        store: &dyn Store,
        batch: &Batch,
        attempts: Vec<(MessageKey, AddressKey, StepIndex)>,
    ) -> Result<Vec<Self>> {
        let addresses = Addresses::read(store, attempts.iter().map(|(_, address, _)| *address)).await?;
        let named = attempts.into_iter().map(|(key, address, step)| Self {
            message: MessageId { key, tag: batch.tag }.to_string(),
            address: addresses.of(address).into(),
            step: step.get() + 1,
        });
        Ok(named.collect())
    }
}

impl Counts {
    /// Messages that are still to be submitted, claimed or not. In a cancelled campaign there are none, whatever the
    /// rows say.
    pub const fn to_hand_over(&self, state: BatchState) -> i64 {
        if state.is_cancelled() { 0 } else { self.queued + self.sending }
    }

    /// Submitted messages that may still get receipts. In a cancelled campaign they include those in a queue: a cancel
    /// ends unsubmitted messages at once, so a queued message was submitted by an earlier step.
    pub const fn to_come(&self, state: BatchState) -> i64 {
        if state.is_cancelled() { self.awaiting + self.queued + self.sending } else { self.awaiting }
    }

    /// Counts the messages in each state. A cancel counts at once, before the rows are changed.
    pub fn of(state: BatchState, tallies: &Tallies) -> Self {
        let (cancelled, aside) = (cancelled_at_once(state, tallies), tallies.total(Count::SetAside));
        let set_aside = if state.is_cancelled() { 0 } else { aside };
        Self {
            queued: tallies.total(Count::Queued) + aside - set_aside - cancelled,
            set_aside,
            sending: tallies.total(Count::Sending),
            awaiting: tallies.total(Count::AwaitingOpen) + tallies.total(Count::AwaitingLast),
            done: tallies.done() + cancelled,
        }
    }
}

/// Queued messages that the cancel of their batch ends: those that were never submitted.
fn cancelled_at_once(state: BatchState, tallies: &Tallies) -> i64 {
    if state.is_cancelled() { tallies.total(Count::NeverLeft) } else { 0 }
}

/// A message as it counts: the cancel of its campaign ends an unsubmitted message at once, before its row is changed.
pub fn as_counted(batch: &Batch, message: &Present) -> Present {
    let is_over = batch.state.is_cancelled() && message.first_submitted_at.is_none();
    match message.state {
        State::Queued { .. } if is_over => {
            let at = batch.cancelled_at.unwrap_or(batch.created_at);
            Present { state: State::Done { outcome: Outcome::Cancelled, skipped: None, at }, ..*message }
        }
        _ => *message,
    }
}

impl Show {
    /// `allowed` is the number of submissions a second that the campaign's lanes allow.
    pub fn new(batch: &Batch, tallies: &Tallies, allowed: f64, stranded: Vec<Stranded>) -> Self {
        let is_sending = batch.state == BatchState::Running;
        Self {
            id: batch.public_id().to_string(),
            name: batch.display_name(),
            state: batch.state,
            reason: batch.why(),
            counts: Counts::of(batch.state, tallies),
            rate: RateNow { now: if is_sending { batch.pace.0 } else { 0.0 }, allowed },
            stranded,
        }
    }
}

impl Report {
    /// What is charged if all messages that may still arrive are delivered.
    pub fn reserved(&self) -> Money {
        self.steps.iter().filter_map(|step| step.reserved).sum()
    }

    /// The same in words; `None` if nothing is.
    pub fn reserved_words(&self) -> Option<String> {
        let reserved = Some(self.reserved()).filter(|reserved| !reserved.is_zero())?;
        Some(format!("{} more if all that may still arrive is delivered", reserved.rounded(self.currency.as_deref())))
    }

    pub async fn read(store: &dyn Store, batch: &Batch) -> Result<Self> {
        let tallies = store.tallies(batch.id).await?;
        let plan = store.plan(batch.id).await?;
        let unknown = store.unknown(batch.id, UNKNOWN_SHOWN).await?;
        let mut report = Self::of(batch, plan.as_ref(), &tallies);
        for (step, recipients) in store.replied(batch.id).await? {
            if let Some(step) = report.steps.get_mut(step.index()) {
                step.replied = i64::from(recipients);
            }
        }
        let replies = store.reply_counts(batch.id, REPLIES_SHOWN).await?.into_iter();
        report.reply_counts = replies
            .map(|ReplyCount { step, kind, choice, replies: count }| ReplyReport {
                step: step.get() + 1,
                kind,
                choice,
                count,
            })
            .collect();
        for (step, Spent { spent, reserved }) in store.spent(batch.id).await? {
            if let Some(step) = report.steps.get_mut(step.index()) {
                step.spent = Some(spent);
                step.reserved = step.reserved.map(|_| reserved);
            }
        }
        if batch.open_until.is_none() && plan.as_ref().is_none_or(|plan| !plan.is_again) {
            let parts = store.parts_of(batch.id).await?;
            // Purged audiences no longer show which rows were left out.
            if parts.len() == batch.audience_ids.len() {
                let unselected = plan.as_ref().map_or(0, |plan| plan.unselected);
                report.left_out = left_out(&parts, batch.messages, unselected);
                report.corrected = Corrected::of(parts.iter()).recipients;
            }
        }
        report.unknown = Unknown::all(store, batch, unknown).await?;
        Ok(report)
    }

    /// Makes the report from the counters, without the list of unknown attempts, the replies, the costs and the
    /// rejected rows.
    pub fn of(batch: &Batch, plan: Option<&Plan>, tallies: &Tallies) -> Self {
        let cancelled = cancelled_at_once(batch.state, tallies);
        let mut outcomes: BTreeMap<String, i64> =
            Outcome::ALL.iter().map(|outcome| (outcome.to_string(), tallies.outcome(*outcome))).collect();
        *outcomes.entry(Outcome::Cancelled.to_string()).or_default() += cancelled;
        let counts = Counts::of(batch.state, tallies);
        let skipped = SkipReason::ALL.iter().filter_map(|reason| {
            let count = tallies.total(Count::of_skip(*reason));
            (count != 0).then(|| (reason.to_string(), count))
        });
        Self {
            id: batch.public_id().to_string(),
            name: batch.display_name(),
            state: batch.state,
            // Messages may join an open batch between two reads; the counters are a single read.
            audience: if batch.open_until.is_some() { tallies.messages() } else { i64::from(batch.messages) },
            open: counts.queued + counts.set_aside + counts.sending + counts.awaiting,
            set_aside: counts.set_aside.unsigned_abs(),
            outcomes: Outcomes(outcomes),
            left_out: BTreeMap::new(),
            corrected: 0,
            skipped: skipped.collect(),
            delivered_twice: tallies.total(Count::DeliveredTwice),
            late: tallies.total(Count::Late),
            never_entered: tallies.total(Count::NeverEntered),
            unknown: Vec::new(),
            reply_counts: Vec::new(),
            unknown_count: tallies.total(Count::Unknown),
            steps: plan.map(|plan| steps(plan, batch.state, tallies)).unwrap_or_default(),
            currency: plan.and_then(|plan| plan.currency.clone()),
            zone: plan.and_then(|plan| plan.time_zone),
        }
    }

    pub fn outcome(&self, outcome: Outcome) -> i64 {
        self.outcomes.0.get(outcome.as_str()).copied().unwrap_or(0)
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The name of rows that a filter did not select, beside the reasons of rejected rows.
const NOT_SELECTED: &str = "not selected";

/// The rows that were rejected at the import of the parts, those that the campaign did not select, of which the parts have
/// `unselected` as recipients, and those that an earlier part already had.
fn left_out(parts: &[AudiencePart], messages: u32, unselected: u64) -> BTreeMap<String, u64> {
    let mut reasons = BTreeMap::<String, u64>::new();
    let mut add = |reason: String, rows: u64| {
        if rows > 0 {
            *reasons.entry(reason).or_default() += rows;
        }
    };
    let all: Vec<&AudiencePart> = parts.iter().collect();
    let records = parts.iter().map(|part| ImportRecord::of(part).unwrap_or_default());
    // A corrected row that is still wrong counts where it was rejected first.
    for record in records.filter(|record| !record.corrects_one_of(&all)) {
        let summary = record.summary.unwrap_or_default();
        summary.reasons.into_iter().for_each(|(reason, rows)| add(reason.to_string(), rows));
        add(NOT_SELECTED.to_owned(), summary.not_selected);
    }
    let recipients: u64 = parts.iter().map(|part| u64::from(part.recipients)).sum();
    add(NOT_SELECTED.to_owned(), unselected);
    let across = recipients.saturating_sub(u64::from(messages)).saturating_sub(unselected);
    add(Reason::EarlierSource.to_string(), across);
    reasons
}
