//! Checks that no campaign or step exceeds its limits.

use super::{Campaign, Invariants};
use crate::domain::{BatchId, Limits, Loaded, Money, Plan, State, StepIndex};

impl Invariants {
    /// Checks the counts against the limits of a campaign and of its steps. The messages may exceed a limit by
    /// `campaign.revived`: these tries counted as not processed until a receipt proved that the provider had them.
    pub(super) async fn check_limits(&self, campaign: &Campaign, rows: &[Loaded]) {
        let plan = &campaign.plan;
        let spent = self.store.spent(campaign.batch).await.unwrap();
        let spent_on = |step: Option<StepIndex>| -> Money {
            spent.iter().filter(|(of, _)| step.is_none_or(|step| *of == step)).map(|(_, spent)| *spent).sum()
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
            assert!(limits.budget.is_none_or(|most| spent <= most), "{spent} were spent: {limits:?}");
        };
        plan.indexed_steps().for_each(|(index, step)| check(&step.limits, Some(index)));
        check(&plan.limits, None);
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
