//! WhatsApp templates: which are in use, which are on hold, and what the provider reports about them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::StatusError;
use super::holds::HoldView;
use crate::base::clock::format_time;
use crate::base::config::Lane;
use crate::base::domain::{BatchState, Timestamp, nearest, rfc3339_option};
use crate::base::events::{Event, Subject};
use crate::campaigns::campaign::{Flagged, Launcher};
use crate::campaigns::report::QueuedMessages;
use crate::provider::catalogue::{Catalogue, KnownTemplate, TemplateTextView, lanes_at};
use crate::store::{self, Batch, Batches, Cursor, Hold};

/// A template that an active campaign uses, or that is on hold.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub struct TemplateView {
    pub name: String,
    pub languages: Vec<String>,
    pub lanes: Vec<String>,
    /// Active campaigns that use it.
    pub campaigns: Vec<String>,
    pub holds: Vec<HoldView>,
    /// What the provider reports about it, by language.
    pub reports: Vec<TemplateReportView>,
    /// Active campaigns that would still send it when the provider disables it.
    pub runs_past: Vec<String>,
    /// What the provider lists of it, by language and channel.
    pub at_provider: Vec<KnownTemplateView>,
}

/// A template in one language as the provider lists it, and as its webhooks have reported since.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct KnownTemplateView {
    pub account_id: String,
    pub channel_id: String,
    /// The lanes that send on the channel.
    pub lanes: Vec<String>,
    pub language: String,
    pub category: String,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
    /// Why the provider rejected it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<String>,
    pub text: TemplateTextView,
    #[serde(serialize_with = "rfc3339_option::serialize", skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    #[serde(serialize_with = "Timestamp::as_text")]
    pub fetched_at: Timestamp,
}

impl KnownTemplateView {
    /// The account and the channel that have it.
    pub fn channel(&self) -> (&str, &str) {
        (&self.account_id, &self.channel_id)
    }

    fn new(known: KnownTemplate, lanes: &[Lane]) -> Self {
        let category = known.category();
        Self {
            lanes: lanes_at(lanes, &known.place).map(|lane| lane.name.clone()).collect(),
            text: known.parts.map(|parts| TemplateTextView::of(&parts, category)).unwrap_or_default(),
            account_id: known.place.account_id,
            channel_id: known.place.channel_id,
            language: known.language,
            category: known.category_word,
            status: known.status,
            quality: known.quality,
            rejection: known.rejection,
            updated_at: known.updated_at,
            fetched_at: known.fetched_at,
        }
    }
}

/// A template with its history.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TemplateHistory {
    #[serde(flatten)]
    pub template: TemplateView,
    /// The latest events about it, latest last.
    pub history: Vec<TemplateEventView>,
    #[serde(skip)]
    pub holds: Vec<Hold>,
}

/// An event about a template.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TemplateEventView {
    #[serde(serialize_with = "Timestamp::as_text")]
    pub at: Timestamp,
    pub sentence: String,
}

/// The events among which those of a template are looked for.
const EVENTS_READ: u32 = 20_000;
/// The most events of a template that are shown.
const EVENTS_SHOWN: usize = 20;

impl TemplateHistory {
    pub async fn read(launcher: &Launcher<'_>, name: &str) -> Result<Self, StatusError> {
        let Templates { views, mut holds, .. } = Templates::read(launcher).await?;
        let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
        let nearest = nearest(name, names).map(str::to_owned);
        let Some(template) = views.into_iter().find(|view| view.name == name) else {
            return Err(StatusError::UnknownTemplate { name: name.to_owned(), nearest });
        };
        holds.retain(|hold| hold.template == name);
        let about = |event: &Event| matches!(&event.subject, Subject::Template { template, .. } if template == name);
        let events = launcher.store.events(Cursor::START, EVENTS_READ).await?;
        let mut history: Vec<_> = events.into_iter().map(|(_, event)| event).filter(about).collect();
        history.drain(..history.len().saturating_sub(EVENTS_SHOWN));
        let shown = |event: &Event| TemplateEventView { at: event.at, sentence: event.sentence() };
        Ok(Self { template, history: history.iter().map(shown).collect(), holds })
    }
}

/// What the provider reports about a template.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TemplateReportView {
    pub language: String,
    /// The lane whose channel or account it is about, if it is not about every lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    pub what: String,
    pub value: String,
    #[serde(serialize_with = "Timestamp::as_text")]
    pub at: Timestamp,
}

impl TemplateReportView {
    /// `template promo (en): its status is PAUSED, reported by the provider at …`.
    pub fn sentence(&self, template: &str) -> String {
        let Self { language, lane, what, value, at } = self;
        let language = if language.is_empty() { String::new() } else { format!(" ({language})") };
        let lane = lane.as_ref().map(|lane| format!(" on lane {lane}")).unwrap_or_default();
        format!(
            "template {template}{language}{lane}: its {what} is {value}, reported by the provider at {}",
            format_time(*at, None)
        )
    }
}

impl TemplateView {
    /// The status that the provider reported last, in any language.
    pub fn status(&self) -> Option<&str> {
        let statuses = self.reports.iter().filter(|report| report.what == "status");
        statuses.max_by_key(|report| report.at).map(|report| report.value.as_str())
    }
}

/// Collects the templates in use and on hold, by name.
async fn in_use(store: &dyn Batches, all: &[Hold], waiting: &QueuedMessages) -> store::Result<Vec<TemplateView>> {
    let mut found: BTreeMap<String, TemplateView> = BTreeMap::new();
    let active = vec![BatchState::Scheduled, BatchState::Running, BatchState::Paused];
    for batch in store.batches(Some(active)).await? {
        let Some(plan) = store.plan(batch.id).await? else { continue };
        for step in &plan.steps {
            let Some(template) = step.content.template() else { continue };
            let shown = found.entry(template.name.to_owned()).or_default();
            add_name(&mut shown.languages, template.language);
            step.lanes.names().for_each(|lane| add_name(&mut shown.lanes, lane));
            add_name(&mut shown.campaigns, &batch.display_name());
        }
    }
    for hold in all {
        let shown = found.entry(hold.template.clone()).or_default();
        add_name(&mut shown.lanes, &hold.lane);
        shown.holds.push(HoldView::new(hold, waiting));
    }
    Ok(found.into_iter().map(|(name, shown)| TemplateView { name, ..shown }).collect())
}

/// Adds what the provider lists, also of templates that are not in use.
fn add_known(views: &mut Vec<TemplateView>, catalogue: Catalogue, lanes: &[Lane]) {
    let mut views_by_name: BTreeMap<String, TemplateView> =
        std::mem::take(views).into_iter().map(|view| (view.name.clone(), view)).collect();
    for known in catalogue.templates {
        let new = || TemplateView { name: known.name.clone(), ..TemplateView::default() };
        let view = views_by_name.entry(known.name.clone()).or_insert_with(new);
        view.at_provider.push(KnownTemplateView::new(known, lanes));
    }
    views.extend(views_by_name.into_values());
}

fn add_name(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// The templates in use and on hold.
#[derive(Debug)]
pub struct Templates {
    pub views: Vec<TemplateView>,
    pub holds: Vec<Hold>,
    pub waiting: QueuedMessages,
    /// Whether the provider's list was ever fetched.
    pub is_fetched: bool,
    /// The active campaigns that would still send a flagged template when the provider disables it, with the effect.
    pub flagged: Vec<(Batch, Flagged, String)>,
}

impl Templates {
    pub async fn read(launcher: &Launcher<'_>) -> Result<Self, StatusError> {
        let store = launcher.store;
        let mut holds = store.holds().await?;
        holds.retain(|hold| !hold.template.is_empty());
        let waiting = QueuedMessages::everywhere(store).await?;
        let mut views = in_use(store, &holds, &waiting).await?;
        let catalogue = Catalogue::read(store, &launcher.config.lanes, None).await?;
        let is_fetched = !catalogue.fetched.is_empty();
        add_known(&mut views, catalogue, &launcher.config.lanes);
        for report in store.provider_reports().await?.into_iter().filter(|report| !report.value.is_empty()) {
            let Some((name, language)) = report.template() else { continue };
            // The provider also reports on templates that no campaign here uses: skip them.
            let Some(view) = views.iter_mut().find(|view| view.name == name) else { continue };
            let (language, lane, at) = (language.to_owned(), report.lane().map(str::to_owned), report.at);
            view.reports.push(TemplateReportView { language, lane, what: report.what, value: report.value, at });
        }
        let flagged = launcher.flagged_everywhere().await?;
        for view in &mut views {
            let runs_past = flagged.iter().filter(|(_, flagged, _)| flagged.template == view.name);
            view.runs_past = runs_past.map(|(batch, ..)| batch.display_name()).collect();
        }
        Ok(Self { views, holds, waiting, is_fetched, flagged })
    }
}
