//! Holds in words, and what a campaign has to wait for because of them.

use std::collections::{BTreeMap, BTreeSet};

use super::launch::{LaunchError, Launcher};
use super::lint::{Lint, Warning};
use crate::domain::{Country, Plan, Step, StepIndex};
use crate::store::{HeldBy, Hold, Said};

/// `lane sms is paused by ann`; `lane sms is held: ` and what the provider said, with its code.
pub fn held(hold: &Hold) -> String {
    let code = hold.code.map(|code| format!(" (code {code})")).unwrap_or_default();
    // What a person decided says itself that it holds.
    let is = if hold.by == HeldBy::Person { "is" } else { "is held:" };
    format!("{} {is} {}{code}", what(hold), hold.reason)
}

/// `lane sms` or `template promo on lane promo-sg`.
fn what(hold: &Hold) -> String {
    match hold.template.as_str() {
        "" => format!("lane {}", hold.lane),
        template => format!("{} on lane {}", Said::about_template(template, &hold.language), hold.lane),
    }
}

impl Launcher<'_> {
    /// What a plan has to wait for as long as nobody lifts it.
    pub(super) async fn held(&self, plan: &Plan, people: &BTreeMap<Country, u64>) -> Result<Vec<Warning>, LaunchError> {
        let holds = self.store.holds().await?;
        let of_step = |(index, step): (StepIndex, &Step)| {
            let theirs = people.keys().filter(|country| step.countries.contain(Some(**country)));
            let sends: BTreeSet<&str> = theirs
                .flat_map(|country| step.lanes.shares(*country))
                .map(|(member, _)| member.lane.as_str())
                .collect();
            let members = step.lanes.members().iter().filter(|member| sends.contains(member.lane.as_str()));
            let mut keeps: Vec<&Hold> = members.filter_map(|member| Hold::keeping(&holds, step, member)).collect();
            keeps.dedup();
            let warning = |hold: &Hold| {
                let sentence = format!("{}; messages on it wait until it is released", held(hold));
                Warning { code: Lint::Held, step: Some(index), sentence }
            };
            keeps.into_iter().map(warning).collect::<Vec<_>>()
        };
        Ok(plan.places().flat_map(of_step).collect())
    }
}
