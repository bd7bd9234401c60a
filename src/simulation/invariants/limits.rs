//! Checks that no campaign or step exceeds its limits.

use std::collections::BTreeMap;

use super::{Campaign, Invariants, number_of};
use crate::base::domain::{
    BatchId, Charged, Limits, Loaded, Money, Plan, Span, Spent, State, Status, Step, StepIndex, Timestamp,
};

/// Whether the provider charges a delivery, as far as it is known: also of a message that has reached its success status.
fn is_charged(row: &Loaded, step: StepIndex) -> bool {
    let marks = row.present.marks;
    match marks.status(step) {
        Some(Status::Delivered | Status::Read) => true,
        _ => marks.reached_by() == Some(step),
    }
}

/// Whether a step may yet be delivered, and charged for that: it is being sent, or it may have reached the provider and has not failed.
/// While it is queued again, nothing is reserved for it.
fn may_arrive(row: &Loaded, step: StepIndex) -> bool {
    let Loaded { present, .. } = row;
    let is_sending = present.step == step && matches!(present.state, State::Sending { .. });
    let is_queued = present.step == step && matches!(present.state, State::Queued { .. });
    let was_sent = !is_queued && (present.marks.handed_over(step) || present.marks.unknown(step));
    !is_charged(row, step) && (is_sending || was_sent && !present.marks.failed(step))
}

/// The price of a step that is charged for its deliveries.
fn price_of_delivery(step: &Step, row: &Loaded) -> Option<Money> {
    step.prices.of(row.country).filter(|tariff| tariff.charged == Charged::Delivery).map(|tariff| tariff.price)
}

impl Campaign {
    /// What of this change is charged although nothing was reserved for it, or reserved without a claim, on each step. Only these
    /// cases may exceed a budget: a delivery after a failure or after the end of the receipt window, and the proof of a try
    /// that had given its reservation back, because the provider had called it not processed or it was to be sent again.
    pub(super) fn unreserved<'a>(
        &'a self,
        before: &'a Loaded,
        after: &'a Loaded,
        now: Timestamp,
    ) -> impl Iterator<Item = (StepIndex, Money)> + 'a {
        let was_reserved = move |index: StepIndex, step: &Step| {
            let claimed = self.claimed_at.get(&(after.key.n, index)).copied();
            may_arrive(before, index) && claimed.is_none_or(|claimed| now < claimed + step.receipt_window)
        };
        self.plan.indexed_steps().filter_map(move |(index, step)| {
            let is_claimed = matches!(after.present.state, State::Sending { .. }) && after.present.step == index;
            let is_proven = may_arrive(after, index) && !may_arrive(before, index) && !is_charged(before, index);
            let is_new = is_charged(after, index) && !is_charged(before, index) && !was_reserved(index, step);
            (is_new || is_proven && !is_claimed).then_some((index, price_of_delivery(step, after)?))
        })
    }
}

impl Invariants {
    /// Checks the counts against the limits of a campaign and of its steps. The messages may exceed a limit by
    /// `campaign.revived`: these tries counted as not processed until a receipt proved that the provider had them.
    pub(super) async fn check_limits(&self, campaign: &Campaign, rows: &[Loaded]) {
        let plan = &campaign.plan;
        let spent = self.store.spent(campaign.batch).await.unwrap();
        let spent_on = |step: Option<StepIndex>| -> Money {
            spent.iter().filter(|(of, _)| step.is_none_or(|step| *of == step)).map(|(_, spent)| spent.all()).sum()
        };
        // A message counts once, whether it is being retried or a receipt overtook its answer.
        let submitted_on = |step: StepIndex| {
            let was_submitted = |message: &&Loaded| {
                let row = &message.present;
                row.marks.handed_over(step) || (row.step == step && matches!(row.state, State::Sending { .. }))
            };
            rows.iter().filter(was_submitted).count() as u64
        };
        let submitted = |step: Option<StepIndex>| {
            step.map_or_else(|| plan.indexed_steps().map(|(step, _)| submitted_on(step)).sum(), submitted_on)
        };
        if campaign.has_other_limits {
            return;
        }
        let check = |limits: &Limits, step: Option<StepIndex>| {
            let (submitted, spent) = (submitted(step), spent_on(step));
            assert!(
                limits.messages.is_none_or(|most| submitted <= most + campaign.revived),
                "{submitted} were sent: {limits:?}"
            );
            let of_scope = |(index, _): &(&StepIndex, &Money)| step.is_none_or(|step| step == **index);
            let beyond: Money = campaign.unreserved.iter().filter(of_scope).map(|(_, amount)| *amount).sum();
            assert!(limits.budget.is_none_or(|most| spent <= most.plus(beyond)), "{spent} were spent: {limits:?}");
        };
        plan.indexed_steps().for_each(|(index, step)| check(&step.limits, Some(index)));
        check(&plan.limits, None);
    }

    /// Checks what is spent and reserved for steps that are charged for their deliveries.
    ///
    /// - Each delivered message has its price.
    /// - A message that may yet be delivered has its reservation until the step's receipt window is over, whichever step the message has
    ///   come to. It may keep it a little longer, until somebody looks.
    pub(super) async fn check_charges(&self, campaign: &Campaign, rows: &[Loaded], now: Timestamp) {
        let all: BTreeMap<StepIndex, Spent> = self.store.spent(campaign.batch).await.unwrap().into_iter().collect();
        for (index, step) in campaign.plan.indexed_steps() {
            let price = |row: &Loaded| price_of_delivery(step, row);
            let Spent { spent, reserved } = all.get(&index).copied().unwrap_or_default();
            let open = || rows.iter().filter(|row| may_arrive(row, index));
            let most: Money = open().filter_map(price).sum();
            assert!(reserved <= most, "{reserved} are reserved for step {index}, of which {most} may be charged");
            let is_within = |row: &&Loaded| {
                let claimed = campaign.claimed_at.get(&(row.key.n, index));
                claimed.is_some_and(|claimed| now < *claimed + step.receipt_window)
            };
            // A claim of somebody who has opted out is never sent, and reserves nothing. A kill makes it unknown all the same.
            let may_be_sent = |row: &&Loaded| !self.opt_outs.ever_opted_out(number_of(row));
            let least: Money = open().filter(is_within).filter(may_be_sent).filter_map(price).sum();
            assert!(least <= reserved, "only {reserved} of {least} are reserved for step {index}");
            let charged: Money = rows.iter().filter(|row| is_charged(row, index)).filter_map(price).sum();
            if step.prices.all().all(|tariff| tariff.charged == Charged::Delivery) {
                assert_eq!(spent, charged, "step {index} is charged for what was delivered, and for nothing else");
            }
        }
    }

    /// Checks that nothing stays reserved when all is over.
    pub(super) async fn check_nothing_reserved(&self, now: Timestamp) {
        while self.store.end_reservations(now + Span::from_secs(86_400)).await.unwrap() {}
        for campaign in &self.campaigns {
            for (step, spent) in self.store.spent(campaign.batch).await.unwrap() {
                assert_eq!(spent.reserved, Money::ZERO, "is reserved for step {step} of what is over");
            }
        }
    }

    /// Notes that an operator changed the plan.
    pub(in crate::simulation) fn amend(&mut self, batch: BatchId, plan: Plan) {
        if let Some(campaign) = self.campaigns.iter_mut().find(|campaign| campaign.batch == batch) {
            let limits = |plan: &Plan| plan.steps.iter().map(|step| step.limits).collect::<Vec<_>>();
            campaign.has_other_limits |= limits(&campaign.plan) != limits(&plan);
            let former = std::mem::replace(&mut campaign.plan, plan);
            campaign.former.push(former);
        }
    }
}
