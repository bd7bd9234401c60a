//! Checks that no campaign or step exceeds its limits.

use std::collections::BTreeMap;

use super::{Campaign, Invariants};
use crate::domain::{BatchId, Charged, Ending, Limits, Loaded, Money, Plan, Spent, State, Status, Step, StepIndex};

/// Whether the provider charges a delivery, as far as it is known: also of a message that has reached its success status.
fn is_charged(row: &Loaded, step: StepIndex) -> bool {
    let marks = row.present.marks;
    match marks.status(step) {
        Some(Status::Delivered | Status::Read) => true,
        _ => marks.reached_by() == Some(step),
    }
}

/// What a step may cost beyond its budget: messages that were delivered after their step had ended.
fn charged_late(step: &Step, index: StepIndex, rows: &[Loaded]) -> Money {
    let price = |row: &Loaded| step.prices.of(row.country).filter(|tariff| tariff.charged == Charged::Delivery);
    let had_ended = |row: &&Loaded| {
        let marks = row.present.marks;
        let is_behind = row.present.step != index || !matches!(marks.ending(index), Ending::Open | Ending::Success);
        is_charged(row, index) && (is_behind || marks.late())
    };
    rows.iter().filter(had_ended).filter_map(|row| Some(price(row)?.price)).sum()
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
            let late: Money = plan
                .indexed_steps()
                .filter(|(index, _)| step.is_none_or(|step| step == *index))
                .map(|(index, step)| charged_late(step, index, rows))
                .sum();
            assert!(limits.budget.is_none_or(|most| spent <= most.plus(late)), "{spent} were spent: {limits:?}");
        };
        plan.indexed_steps().for_each(|(index, step)| check(&step.limits, Some(index)));
        check(&plan.limits, None);
    }

    /// Checks what is spent and reserved for steps that are charged for their deliveries: each delivered message has its
    /// price, and a message in flight that may still arrive has its reservation.
    pub(super) async fn check_charges(&self, campaign: &Campaign, rows: &[Loaded]) {
        let all: BTreeMap<StepIndex, Spent> = self.store.spent(campaign.batch).await.unwrap().into_iter().collect();
        for (index, step) in campaign.plan.indexed_steps() {
            let in_flight = |row: &&Loaded| row.present.step == index && !row.reserved.is_zero();
            let reserved: Money = rows.iter().filter(in_flight).map(|row| row.reserved).sum();
            let Spent { spent, reserved: kept } = all.get(&index).copied().unwrap_or_default();
            assert_eq!(kept, reserved, "the reservations of step {index}");
            let of = |row: &Loaded| step.prices.of(row.country).filter(|tariff| tariff.charged == Charged::Delivery);
            for row in rows.iter().filter(in_flight) {
                assert_eq!(of(row).map(|tariff| tariff.price), Some(row.reserved), "{row:?}");
                let may_arrive = matches!(row.present.state, State::Sending { .. } | State::Awaiting { .. });
                assert!(may_arrive && !is_charged(row, index), "nothing is reserved for what is over: {row:?}");
            }
            let charged: Money =
                rows.iter().filter(|row| is_charged(row, index)).filter_map(|row| Some(of(row)?.price)).sum();
            if step.prices.all().all(|tariff| tariff.charged == Charged::Delivery) {
                assert_eq!(spent, charged, "step {index} is charged for what was delivered, and for nothing else");
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
