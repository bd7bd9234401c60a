//! Computes what limits and budgets still allow, and finds those that are used up.

use super::outlook::crowd_in;
use crate::base::domain::text::shell;
use crate::base::domain::{Count, Crowd, Plan, Spent, StepIndex, Tallies, grouped};
use crate::rules::forecast::as_float;
use crate::rules::forecast::cost;
use crate::rules::forecast::{RemainingLimit, Stop};
use crate::store::{Batch, Result, Store};

/// A limit that allows none of the waiting messages to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedUp {
    /// The step that it limits; `None` for the whole campaign.
    pub step: Option<StepIndex>,
    pub by: Stop,
    /// The limit, for operators: `20.00 EUR`.
    pub limit: String,
    /// What of it is reserved for messages that may still arrive, and free again for those that do not.
    pub reserved: Option<String>,
}

impl UsedUp {
    /// `the campaign can send no further message within its budget of 20.00 EUR`.
    pub fn what(&self) -> String {
        let whose = self.step.map_or("the campaign".to_owned(), |step| format!("step {step}"));
        match self.by {
            Stop::Budget if let Some(reserved) = &self.reserved => {
                format!(
                    "{whose} waits: {reserved} of its budget of {} are reserved for messages that may still arrive",
                    self.limit
                )
            }
            // A few cents may be left.
            Stop::Budget => format!("{whose} can send no further message within its budget of {}", self.limit),
            Stop::MaxMessages | Stop::End => {
                format!("{whose} has sent all that its max_messages of {} allows", self.limit)
            }
        }
    }

    /// The commands that raise the limit and resume. The limit comes first: a campaign resumed below it stops at once.
    pub fn what_to_do(&self, campaign: &str) -> String {
        let campaign = shell(campaign);
        let step = self.step.map(|step| format!(" --step {step}")).unwrap_or_default();
        let raise = match self.by {
            Stop::Budget => "--budget AMOUNT",
            Stop::MaxMessages | Stop::End => "--max-messages N",
        };
        let raise = format!("volley campaign set {campaign}{step} {raise}");
        if self.reserved.is_some() {
            return format!(
                "it goes on when one of them fails or its receipt_window is over; to raise the limit: {raise}"
            );
        }
        format!("raise the limit ({raise}), then: volley campaign resume {campaign}{step}")
    }

    /// What is used up and what to do, in one sentence.
    pub fn sentence(&self, campaign: &str) -> String {
        format!("{}; {}", self.what(), self.what_to_do(campaign))
    }
}

/// Finds the limits of a campaign that must be raised before it can send more.
pub async fn used_up(store: &dyn Store, batch: &Batch) -> Result<Vec<UsedUp>> {
    let limits = reached(store, batch).await?;
    Ok(limits.into_iter().filter(|limit| limit.reserved.is_none()).collect())
}

/// Finds the budgets of a campaign that allow nothing more now, but again for each message that does not arrive.
pub async fn reserved(store: &dyn Store, batch: &Batch) -> Result<Vec<UsedUp>> {
    // Every look at a running campaign asks. Most have nothing reserved, and then the audience need not be counted.
    if store.spent(batch.id).await?.iter().all(|(_, spent)| spent.reserved.is_zero()) {
        return Ok(Vec::new());
    }
    let limits = reached(store, batch).await?;
    Ok(limits.into_iter().filter(|limit| limit.reserved.is_some()).collect())
}

async fn reached(store: &dyn Store, batch: &Batch) -> Result<Vec<UsedUp>> {
    let Some(plan) = store.plan(batch.id).await? else { return Ok(Vec::new()) };
    if !plan.has_limits() {
        return Ok(Vec::new());
    }
    let (tallies, spent) = (store.tallies(batch.id).await?, store.spent(batch.id).await?);
    let crowd = crowd_in(store, batch).await?.unwrap_or_default();
    let caps = caps(&plan, &tallies, &spent).into_iter();
    let reached = caps.filter(|cap| is_used_up(cap, &plan, &tallies, &crowd));
    let describe = |RemainingLimit { step, by, .. }: RemainingLimit| {
        let reserved = in_scope(&spent, step).reserved;
        let is_open = by == Stop::Budget && !reserved.is_zero();
        let reserved = is_open.then(|| reserved.in_currency(plan.currency.as_deref()));
        UsedUp { step, by, limit: limit(&plan, step, by), reserved }
    };
    Ok(reached.map(describe).collect())
}

/// A limit of the plan, for operators.
fn limit(plan: &Plan, step: Option<StepIndex>, by: Stop) -> String {
    let limits = step.map_or(Some(plan.limits), |step| Some(plan.step(step)?.limits)).unwrap_or_default();
    match by {
        Stop::Budget => limits.budget.unwrap_or_default().in_currency(plan.currency.as_deref()),
        Stop::MaxMessages | Stop::End => grouped(limits.messages.unwrap_or_default()),
    }
}

/// Whether the limit does not even allow the cheapest waiting message. Without waiting messages it is not used up.
fn is_used_up(cap: &RemainingLimit, plan: &Plan, tallies: &Tallies, crowd: &Crowd) -> bool {
    let of_it = plan.indexed_steps().filter(|(index, _)| cap.step.is_none_or(|step| step == *index));
    let waiting = of_it.filter(|(index, _)| tallies.get(*index, Count::Queued) > 0);
    let least = waiting.map(|(_, step)| match cap.by {
        Stop::Budget => as_float(cost::least(plan.names(), step, crowd).millionths()),
        Stop::MaxMessages | Stop::End => 1.0,
    });
    least.min_by(f64::total_cmp).is_some_and(|least| cap.left < least || cap.left <= 0.0)
}

/// What a step has spent and reserved; `None` means the whole campaign.
fn in_scope(spent: &[(StepIndex, Spent)], step: Option<StepIndex>) -> Spent {
    spent.iter().filter(|(index, _)| step.is_none_or(|step| step == *index)).map(|(_, spent)| *spent).sum()
}

/// What limits and budgets still allow, after these submissions and this spending.
pub(super) fn caps(plan: &Plan, tallies: &Tallies, spent: &[(StepIndex, Spent)]) -> Vec<RemainingLimit> {
    let of_steps = plan.indexed_steps().map(|(index, step)| (Some(index), step.limits));
    let mut caps = Vec::new();
    for (step, limits) in of_steps.chain([(None, plan.limits)]) {
        let count = |count| step.map_or_else(|| tallies.total(count), |step| tallies.get(step, count));
        let used = (count(Count::HandedOver) + count(Count::Sending)).try_into().unwrap_or(0);
        let spent = in_scope(spent, step).all();
        let messages = limits.messages.map(|most| (Stop::MaxMessages, most.saturating_sub(used)));
        let budget = limits.budget.map(|of| (Stop::Budget, of.millionths().saturating_sub(spent.millionths())));
        caps.extend([messages, budget].into_iter().flatten().map(|(by, left)| RemainingLimit {
            step,
            by,
            left: as_float(left),
        }));
    }
    caps
}
