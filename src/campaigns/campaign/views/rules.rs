//! The rules of a campaign as JSON, with the keys of a campaign file.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use crate::base::domain::{
    BeginsWhen, Channel, Cost, Countries, Country, Limits, Money, Plan, Step, StepIndex, StopRule, Stretch, Timestamp,
};

/// Limits of a campaign or a step.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LimitsView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_messages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Money>,
}

impl From<&Limits> for LimitsView {
    fn from(limits: &Limits) -> Self {
        Self { max_messages: limits.messages, budget: limits.budget }
    }
}

/// Limits and rules that stop a campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StopsView {
    #[serde(flatten)]
    pub limits: LimitsView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_when: Option<StopRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_paid_when: Option<StopRule>,
}

impl From<&Plan> for StopsView {
    fn from(plan: &Plan) -> Self {
        Self {
            limits: LimitsView::from(&plan.limits),
            pause_when: plan.pause_when,
            hold_paid_when: plan.hold_paid_when,
        }
    }
}

/// The rules of a step.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StepRulesView<'a> {
    pub step: u8,
    pub channel: Channel,
    pub lanes: Vec<&'a str>,
    pub fallback_after: Option<String>,
    pub receipt_window: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave_within: Option<String>,
    pub success_status: String,
    #[serde(flatten)]
    pub limits: LimitsView,
    #[serde(skip_serializing_if = "Countries::is_everywhere")]
    pub countries: &'a Countries,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub send_window: &'a [Stretch],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub quiet_hours: &'a [Stretch],
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub holidays: &'a BTreeSet<NaiveDate>,
}

impl<'a> StepRulesView<'a> {
    pub fn of((index, step): (StepIndex, &'a Step)) -> Self {
        Self {
            step: index.get() + 1,
            channel: step.channel,
            lanes: step.lanes.names().collect(),
            fallback_after: step.fallback_after.map(|after| after.to_string()),
            receipt_window: step.receipt_window.to_string(),
            ttl: step.ttl.map(|ttl| ttl.to_string()),
            leave_within: step.leave_within.map(|within| within.to_string()),
            success_status: step.success.to_string(),
            limits: LimitsView::from(&step.limits),
            countries: &step.countries,
            send_window: &step.hours.windows,
            quiet_hours: &step.hours.quiet,
            holidays: &step.hours.holidays,
        }
    }
}

/// All rules of a launched campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RulesView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_start: Option<String>,
    /// What the start waits for besides its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<BeginsWhen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// The filter by the columns of its recipients.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<&'a str>,
    /// Audiences, files or numbers that it leaves out.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub exclude: &'a [String],
    /// The only countries that it is sent to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_countries: Vec<Country>,
    /// What it was to cost when it was launched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<&'a Cost>,
    #[serde(flatten)]
    pub stops: StopsView,
    pub steps: Vec<StepRulesView<'a>>,
}

impl<'a> RulesView<'a> {
    pub fn of(plan: &'a Plan) -> Self {
        let recipients = plan.recipients.as_ref();
        let allowed = recipients.and_then(|rules| rules.allow_countries.as_ref());
        Self {
            filter: recipients.and_then(|rules| rules.filter.as_deref()),
            exclude: recipients.map(|rules| &rules.exclude[..]).unwrap_or_default(),
            allow_countries: allowed.into_iter().flatten().copied().collect(),
            cost: plan.cost.as_ref(),
            starts_at: plan.at.map(Timestamp::rfc3339),
            local_start: local_start(plan),
            when: plan.when,
            over: plan.over.map(|over| over.to_string()),
            end: plan.end.map(Timestamp::rfc3339),
            time_zone: plan.time_zone.map(|zone| zone.to_string()),
            ttl: plan.ttl.map(|ttl| ttl.to_string()),
            stops: StopsView::from(plan),
            steps: plan.indexed_steps().map(StepRulesView::of).collect(),
        }
    }
}

/// The local start time, if the campaign starts by each recipient's own clock.
pub fn local_start(plan: &Plan) -> Option<String> {
    let since = plan.steps.first()?.hours.since?;
    Some(since.format("%Y-%m-%d %H:%M").to_string())
}
