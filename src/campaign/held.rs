//! Holds in words, and what a campaign has to wait for because of them.

use super::launch::{LaunchError, Launcher};
use super::lint::{Lint, Warning};
use crate::domain::{Plan, Step, StepIndex};
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
    pub(super) async fn held(&self, plan: &Plan) -> Result<Vec<Warning>, LaunchError> {
        let holds = self.store.holds().await?;
        let of_step = |(index, step): (StepIndex, &Step)| {
            let mut keeps: Vec<&Hold> =
                step.lanes.members().iter().filter_map(|member| Hold::keeping(&holds, step, member)).collect();
            keeps.dedup();
            let warning = |hold: &Hold| {
                let sentence = format!("{}; what would leave on it waits until that is lifted", held(hold));
                Warning { code: Lint::Held, step: Some(index), sentence }
            };
            keeps.into_iter().map(warning).collect::<Vec<_>>()
        };
        Ok(plan.places().flat_map(of_step).collect())
    }
}
