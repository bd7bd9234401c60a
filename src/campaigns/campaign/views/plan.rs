//! A plan as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rules::{StepRulesView, StopsView};
use crate::base::config::{Config, Sentence};
use crate::base::domain::{AddressFields, Cost, Timestamp};
use crate::campaigns::campaign::{Prepared, Previews, RejectedRows, Transliterated, Warning, message};
use crate::rules::forecast::{CountryCost, ForecastView, Shares};
use crate::rules::template::preview::PreviewLine;

/// A warning of a plan.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WarningView<'a> {
    pub code: &'static str,
    pub step: Option<u8>,
    #[schema(value_type = String)]
    pub sentence: &'a Sentence,
}

impl<'a> WarningView<'a> {
    pub fn new(warning: &'a Warning) -> Self {
        Self { code: warning.code.code(), step: warning.step.map(|step| step.get() + 1), sentence: &warning.sentence }
    }
}

/// A step of a plan.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PlanStepView<'a> {
    #[serde(flatten)]
    pub rules: StepRulesView<'a>,
    /// Recipients that the step applies to.
    pub recipients: u64,
    /// For free text on WhatsApp: recipients with an open 24-hour window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_windows: Option<u64>,
    /// Its cost by country if every message to it is sent, where a price is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub country_costs: Vec<CountryCost>,
    /// What transliteration changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transliterated: Option<&'a Transliterated>,
    /// The status of its template at the provider, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_status: Option<&'a str>,
    pub previews: Vec<PreviewView>,
}

/// What one of the first recipients would read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PreviewView {
    #[serde(flatten)]
    pub to: AddressFields,
    pub lines: Vec<PreviewLine>,
}

/// What a campaign would send, and when.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PlanView<'a> {
    pub ok: bool,
    pub name: Option<&'a str>,
    pub source: &'a str,
    pub recipients: u64,
    pub excluded: usize,
    pub exclude_unreadable: u64,
    pub invalid: u64,
    pub duplicates: u64,
    pub duplicates_across: u64,
    pub opted_out: u64,
    pub not_selected: u64,
    /// Recipients who lack a value for a variable, where that was counted.
    pub lacking_value: u64,
    /// Recipients who have only the id of a WhatsApp user.
    pub without_number: u64,
    pub left_out: &'a [RejectedRows],
    pub countries: BTreeMap<String, u64>,
    pub starts_at: Option<String>,
    /// Set where some countries start later than others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_country_starts_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    #[serde(flatten)]
    pub forecast: ForecastView,
    pub allowed_per_s: f64,
    /// The expected cost, if a price list is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<&'a Cost>,
    #[serde(flatten)]
    pub stops: StopsView,
    pub steps: Vec<PlanStepView<'a>>,
    /// Whether a template could not be checked, because the provider's list was never fetched.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub templates_unchecked: bool,
    /// The messages of some recipients, and the limits that messages break, if that was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub preview: Option<&'a Previews>,
    pub warnings: Vec<WarningView<'a>>,
}

impl<'a> PlanView<'a> {
    /// `config` is the configuration with its overrides.
    pub fn new(prepared: &'a Prepared, finished_by: Option<Timestamp>, config: &Config) -> Self {
        let Prepared { name, recipients, plan, schedule, beginnings, warnings, windows, templates, .. } = prepared;
        let forecast = ForecastView::new(prepared.forecast.as_ref(), finished_by);
        let forecast = if prepared.starts_held() { forecast.without_times() } else { forecast };
        let shares = Shares::of(plan, &recipients.crowd());
        let steps = plan.indexed_steps().map(|(index, step)| PlanStepView {
            rules: StepRulesView::of((index, step)),
            recipients: shares.at(index).recipients,
            open_windows: windows.get(&index).copied(),
            country_costs: CountryCost::of_step((index, step), &prepared.bill),
            transliterated: recipients.transliterated.get(&index),
            template_status: templates.known.get(&index).map(|template| template.status.as_str()),
            previews: recipients
                .first
                .iter()
                .filter(|recipient| step.takers().include(*recipient))
                .map(|recipient| PreviewView {
                    to: recipient.address.clone().into(),
                    lines: message(step, plan.names(), templates.approved(index).as_ref(), recipient)
                        .map(|bubble| bubble.lines())
                        .unwrap_or_default(),
                })
                .collect(),
        });
        Self {
            ok: true,
            name: name.as_deref(),
            source: &recipients.label,
            recipients: recipients.recipients,
            excluded: recipients.excluded.recipients.len(),
            exclude_unreadable: recipients.excluded.unreadable(),
            invalid: recipients.invalid,
            duplicates: recipients.duplicates,
            duplicates_across: recipients.across,
            opted_out: recipients.opted_out,
            not_selected: recipients.not_selected,
            lacking_value: recipients.lacking.recipients(),
            without_number: recipients.without_number.values().sum(),
            left_out: &recipients.left_out,
            countries: recipients.countries.iter().map(|(country, number)| (country.to_string(), *number)).collect(),
            starts_at: (prepared.waits() || schedule.at.is_some()).then(|| beginnings.first.rfc3339()),
            last_country_starts_at: (beginnings.last > beginnings.first).then(|| beginnings.last.rfc3339()),
            over: plan.over.map(|over| over.to_string()),
            forecast,
            allowed_per_s: config.allowed_per_s(plan),
            cost: plan.cost.as_ref(),
            stops: StopsView::from(plan),
            steps: steps.collect(),
            templates_unchecked: templates.is_unchecked,
            preview: recipients.previews.as_ref(),
            warnings: warnings.iter().map(WarningView::new).collect(),
        }
    }
}
