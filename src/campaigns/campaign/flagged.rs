//! Finds templates that the provider is going to disable, and campaigns that would still send them then.

use super::launch::{LaunchError, Launcher};
use super::lint::{Lint, Warning};
use super::time::instant;
use crate::base::clock::format_time;
use crate::base::domain::{BatchState, Plan, Span, Step, StepIndex, TemplateName, Timestamp, Zone};
use crate::rules::forecast::Forecast;
use crate::store::{Batch, ProviderReport};

/// A flagged template of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flagged {
    pub step: StepIndex,
    pub template: String,
    pub language: String,
    /// When the provider will disable it, unless its quality improves.
    pub disabled_at: Timestamp,
}

impl Flagged {
    /// Finds the flagged templates of a plan, by the latest reports of the provider.
    pub fn of(plan: &Plan, reports: &[ProviderReport]) -> Vec<Self> {
        let of_step = |(step, rules): (StepIndex, &Step)| {
            let template = rules.content.template()?;
            Some(Self {
                step,
                template: template.name.to_owned(),
                language: template.language.to_owned(),
                disabled_at: rules.lanes.names().find_map(|lane| disabled_at(lane, template, reports))?,
            })
        };
        plan.indexed_steps().filter_map(of_step).collect()
    }

    /// The consequence for a campaign that sends the template until `until`; `None` if the campaign is done before.
    /// Without an `until`, the end of the campaign cannot be predicted.
    pub fn sentence(&self, until: Option<Timestamp>, zone: Option<Zone>) -> Option<String> {
        let Self { template, language, disabled_at, .. } = self;
        let until = match until {
            Some(until) if until <= *disabled_at => return None,
            Some(until) => format!("sends until {}", format_time(until, zone)),
            None => "has no predictable end".to_owned(),
        };
        Some(format!(
            "the provider has flagged template {template} ({language}) and will disable it at {} unless its quality \
             improves; this campaign {until}, and messages not sent by then would wait",
            format_time(*disabled_at, zone)
        ))
    }

    /// The latest time at which the template may be sent, where the last first message is sent at `done`.
    fn until(&self, plan: &Plan, done: Option<&Forecast>) -> Option<Timestamp> {
        done.map(|forecast| forecast.done_at + falls_back_after(plan, self.step))
    }
}

/// When the provider will disable a template of a lane. A report about all languages of a template counts for each of them.
fn disabled_at(lane: &str, template: TemplateName<'_>, reports: &[ProviderReport]) -> Option<Timestamp> {
    let reported = |what: &str, language: &str| {
        let about = Some((template.name, language));
        let of_it = |report: &&ProviderReport| report.template() == about && report.applies_on(lane);
        let latest = reports.iter().filter(|report| report.what == what).filter(of_it).max_by_key(|report| report.at);
        latest.map(|report| report.value.as_str())
    };
    let flagged =
        [template.language, ""].into_iter().find(|language| reported("status", language) == Some("FLAGGED"))?;
    instant(reported("disable_date", flagged)?, Some(Zone(chrono_tz::UTC))).ok().map(|instant| instant.at)
}

/// The longest time from a first step until a message falls back to a later one.
fn falls_back_after(plan: &Plan, step: StepIndex) -> Span {
    let before = plan.indexed_steps().filter(|(index, _)| *index < step).filter_map(|(_, rules)| rules.fallback_after);
    Span::from_millis(before.map(Span::millis).sum())
}

impl Launcher<'_> {
    /// Warns about a plan's flagged templates.
    pub(super) async fn flagged(&self, plan: &Plan, forecast: Option<&Forecast>) -> Result<Vec<Warning>, LaunchError> {
        let flagged = Flagged::of(plan, &self.store.provider_reports().await?);
        let warning = |flagged: Flagged| {
            let sentence = flagged.sentence(flagged.until(plan, forecast), plan.time_zone)?;
            Some(Warning { code: Lint::TemplateFlagged, step: Some(flagged.step), sentence: sentence.into() })
        };
        Ok(flagged.into_iter().filter_map(warning).collect())
    }

    /// Finds the active campaigns that still send a flagged template when the provider disables it, each with the
    /// consequence.
    pub async fn flagged_everywhere(&self) -> Result<Vec<(Batch, Flagged, String)>, LaunchError> {
        let reports = self.store.provider_reports().await?;
        if !reports.iter().any(|report| report.what == "status" && report.value == "FLAGGED") {
            return Ok(Vec::new());
        }
        let (now, mut found) = (self.clock.now(), Vec::new());
        let in_play = vec![BatchState::Scheduled, BatchState::Running, BatchState::Paused];
        for batch in self.store.batches(Some(in_play)).await? {
            let Some(plan) = self.store.plan(batch.id).await? else { continue };
            let flagged = Flagged::of(&plan, &reports);
            if flagged.is_empty() {
                continue;
            }
            let forecast = self.forecast_of(&batch, &plan, &self.store.tallies(batch.id).await?, now).await?;
            let runs_past = |flagged: Flagged| {
                let sentence = flagged.sentence(flagged.until(&plan, forecast.as_ref()), plan.time_zone)?;
                Some((batch.clone(), flagged, sentence))
            };
            found.extend(flagged.into_iter().filter_map(runs_past));
        }
        Ok(found)
    }
}
