//! Whether no more has left than may.

use super::{Campaign, Holds};
use crate::domain::{Count, Limits, Money, StepIndex, Tallies};

impl Holds {
    /// Holds what is counted against the limits of a campaign and of its steps. More may count as handed over than was
    /// claimed: of a try that came to nothing news may tell that it has arrived after all.
    pub(super) async fn check_limits(&self, campaign: &Campaign, counted: &Tallies) {
        let plan = &campaign.plan;
        let spent = self.store.spent(campaign.batch).await.unwrap();
        let on = |step: Option<StepIndex>| -> Money {
            spent.iter().filter(|(of, _)| step.is_none_or(|step| *of == step)).map(|(_, spent)| *spent).sum()
        };
        let left = |step: Option<StepIndex>| {
            let of = |count| step.map_or_else(|| counted.total(count), |step| counted.get(step, count));
            u64::try_from(of(Count::HandedOver) + of(Count::Sending)).unwrap()
        };
        let check = |limits: &Limits, step: Option<StepIndex>| {
            let (left, on) = (left(step), on(step));
            assert!(limits.messages.is_none_or(|most| left <= most + campaign.revived), "{left} left: {limits:?}");
            assert!(limits.budget.is_none_or(|most| on <= most), "{on} were spent: {limits:?}");
        };
        plan.places().for_each(|(index, step)| check(&step.limits, Some(index)));
        check(&plan.limits, None);
    }
}
