//! Puts holds into words, and warns about the ones that a campaign has to wait for.

use std::collections::{BTreeMap, BTreeSet};

use super::launch::{LaunchError, Launcher};
use super::lint::{Lint, Warning};
use crate::base::domain::{Country, Plan, Step, StepIndex};
use crate::base::events::Subject;
use crate::store::{HeldBy, Hold};

/// Describes a hold: `lane sms is paused by ann`, `template promo on lane wa is held by ann`, or `lane sms is held: …` with the provider's reason and code.
pub fn held(hold: &Hold) -> String {
    let code = hold.code.map(|code| format!(" (code {code})")).unwrap_or_default();
    // An operator's reason already says that it is paused or held.
    let is = if hold.by == HeldBy::Operator { "is" } else { "is held:" };
    format!("{} {is} {}{code}", what_is_held(hold), hold.reason())
}

/// `lane sms`, `template promo on lane promo-sg`, or `MARKETING on lane promo-sg` for the quality guard.
pub fn what_is_held(hold: &Hold) -> String {
    match hold.template.as_str() {
        "" if hold.by == HeldBy::Quality => format!("MARKETING on lane {}", hold.lane),
        "" => format!("lane {}", hold.lane),
        template => format!("{} on lane {}", Subject::template(template, &hold.language), hold.lane),
    }
}

impl Launcher<'_> {
    /// Warns about holds that the plan's messages have to wait for.
    pub(super) async fn held(
        &self,
        plan: &Plan,
        recipients: &BTreeMap<Country, u64>,
    ) -> Result<Vec<Warning>, LaunchError> {
        let holds = self.store.holds().await?;
        let of_step = |(index, step): (StepIndex, &Step)| {
            let countries = recipients.keys().filter(|country| step.countries.contain(Some(**country)));
            let sends: BTreeSet<&str> = countries
                .flat_map(|country| step.lanes.shares(*country))
                .map(|(member, _)| member.lane.as_str())
                .collect();
            let members = step.lanes.members().iter().filter(|member| sends.contains(member.lane.as_str()));
            let mut keeps: Vec<&Hold> = members.filter_map(|member| Hold::keeping(&holds, step, member)).collect();
            keeps.dedup();
            let warning = |hold: &Hold| {
                let sentence = format!("{}; messages on it wait until it is released", held(hold));
                Warning { code: Lint::Held, step: Some(index), sentence: sentence.into() }
            };
            keeps.into_iter().map(warning).collect::<Vec<_>>()
        };
        Ok(plan.indexed_steps().flat_map(of_step).collect())
    }
}
