//! The provider's templates: the list, one of them, and holds.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{Redirect, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::base::domain::{Channel, Scope};
use crate::campaigns::campaign::{TemplateDecision, carry_out_on_template, lanes_to_hold};
use crate::campaigns::status::{TemplateHistory, TemplateView, Templates, holds};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, launcher};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::{with_cursor, without_cursor};
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::page;
use crate::http::api::web::writing::begin_like;
use crate::http::pages::{
    FetchedLanes, FetchedTemplates, Part, Place, TemplateDone, TemplateHold, TemplateInLanguage, TemplatePage,
    TemplateRow, TemplatesPage, template_path,
};
use crate::provider::catalogue::{Catalogue, KnownTemplate, Pull, TemplateChange, lanes_at, pull, unnamed};

/// Templates of a page.
const SHOWN: usize = 50;
/// Changes of a channel's templates that are listed after a fetch.
const CHANGES_SHOWN: usize = 20;

/// Which templates are listed.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct TemplatesQuery {
    name: String,
    /// The provider's word.
    status: String,
    held: bool,
    #[serde(skip_serializing)]
    cursor: String,
}

impl TemplatesQuery {
    fn selects(&self, view: &TemplateView) -> bool {
        let name = self.name.trim().to_lowercase();
        let has_status = || view.at_provider.iter().any(|known| known.status == self.status);
        (name.is_empty() || view.name.to_lowercase().contains(&name))
            && (self.status.is_empty() || has_status())
            && (!self.held || !view.holds.is_empty())
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<TemplatesQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let cursors = shared.cursors("template-pages", &query).await?;
    let after = cursors.position::<String>(&query.cursor)?;
    let known = Templates::read(&launcher(&shared, &shared.config, &call)).await?;
    // They are in the order of their names.
    let is_next = |view: &&TemplateView| after.as_ref().is_none_or(|after| view.name > *after);
    let mut found = known.views.iter().filter(|view| query.selects(view)).filter(is_next);
    let views: Vec<&TemplateView> = found.by_ref().take(SHOWN).collect();
    let last = views.last().filter(|_| found.next().is_some());
    let next = last.map(|last| cursors.write(&last.name)).transpose()?;
    page(&TemplatesPage {
        frame: session.frame(Place::Templates),
        rows: views.into_iter().map(TemplateRow::new).collect(),
        statuses: statuses(&known.views),
        is_fetched: known.is_fetched,
        fetched: fetched(&known.views),
        answer: shared.0.asked.templates.known().map(|asked| FetchedTemplates {
            at: asked.at,
            by: asked.by.clone(),
            channels: asked.answer.clone(),
        }),
        missing_settings: unnamed(&shared.config).iter().map(ToString::to_string).collect(),
        name: query.name.trim().to_owned(),
        status: query.status.clone(),
        held: query.held,
        is_later: after.is_some(),
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

/// The provider's words that templates have now.
fn statuses(views: &[TemplateView]) -> Vec<String> {
    let all = views.iter().flat_map(|view| &view.at_provider).map(|known| known.status.clone());
    all.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// The lanes of each channel, and when its templates were fetched.
fn fetched(views: &[TemplateView]) -> Vec<(Vec<String>, crate::base::domain::Timestamp)> {
    let mut found: Vec<(Vec<String>, crate::base::domain::Timestamp)> = Vec::new();
    for known in views.iter().flat_map(|view| &view.at_provider) {
        if !found.iter().any(|(lanes, _)| *lanes == known.lanes) {
            found.push((known.lanes.clone(), known.fetched_at));
        }
    }
    found
}

/// Fetches the provider's lists.
pub(super) async fn fetch(State(shared): State<Shared>, call: Call, _form: Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let question = async {
        // A lane that is skipped lacks a setting, which the page says in any case.
        let Pull { channels, skipped: _ } = pull(shared.store.as_ref(), shared.clock.as_ref(), &shared.config).await?;
        let fetched = channels.iter().map(|channel| FetchedLanes {
            lanes: channel.lanes.clone(),
            outcome: channel.outcome().map_err(ToString::to_string),
            changes: channel.result.as_ref().map(|(_, changes)| first(changes)).unwrap_or_default(),
        });
        Ok(fetched.collect())
    };
    shared.0.asked.templates.ask(call.at, &call.caller.name, question).await?;
    Ok(Redirect::to("/templates"))
}

/// The first changes in words, and how many more there are.
fn first(changes: &[TemplateChange]) -> Vec<String> {
    let mut shown: Vec<String> = changes.iter().take(CHANGES_SHOWN).map(ToString::to_string).collect();
    if changes.len() > CHANGES_SHOWN {
        shown.push(crate::http::pages::texts().sending.and_more(changes.len() - CHANGES_SHOWN));
    }
    shown
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DoneQuery {
    #[serde(deserialize_with = "crate::http::api::web::form::known")]
    done: Option<TemplateDone>,
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<DoneQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let config = &shared.config;
    let TemplateHistory { template, history, holds } =
        TemplateHistory::read(&launcher(&shared, config, &call), &name).await?;
    let catalogue = Catalogue::read(shared.store.as_ref(), &config.lanes, Some(vec![name])).await?;
    let of_language = |known: &KnownTemplate| TemplateInLanguage {
        account: known.place.account_id.clone(),
        channel: known.place.channel_id.clone(),
        language: known.language.clone(),
        is_approved: known.is_approved(),
        bubble: known.bubble(),
        parameters: known.parameters(),
    };
    let waiting = |hold: &crate::store::Hold| {
        template.holds.iter().find(|view| view.lane == hold.lane).map_or(0, |view| view.waiting)
    };
    let shown = holds.iter().map(|hold| TemplateHold {
        sentence: holds::sentence_since(hold, waiting(hold), call.at),
        what_to_do: holds::what_to_do(hold),
    });
    let mut frame = session.frame(Place::Below(Part::Sending));
    frame.notice = query.done.map(|done| frame.texts().sending.done(done).to_owned());
    page(&TemplatePage {
        frame,
        holds: shown.collect(),
        languages: catalogue.templates.iter().map(of_language).collect(),
        lanes: config.lanes_on(Channel::WhatsApp).map(|lane| lane.name.clone()).collect(),
        history: history.iter().rev().map(|event| (event.at, event.sentence.clone())).collect(),
        template: &template,
    })
}

/// Begins to write a campaign whose first step has this template, in the language and on the channel of the form.
pub(super) async fn begin_campaign(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let lanes = &shared.config.lanes;
    let catalogue = Catalogue::read(shared.store.as_ref(), lanes, Some(vec![name.clone()])).await?;
    let is_chosen = |known: &&KnownTemplate| {
        known.is_approved()
            && form.get("language") == Some(&known.language)
            && form.get("account") == Some(&known.place.account_id)
            && form.get("channel") == Some(&known.place.channel_id)
    };
    let unapproved = || Problem::new(Kind::NotFound, format_args!("the template \"{name}\" is not approved there"));
    let known = catalogue.templates.iter().find(is_chosen).ok_or_else(unapproved)?;
    let mut step = json!({
        "channel": Channel::WhatsApp.as_str(),
        "template": {"name": known.name, "language": known.language, "category": known.category_word},
    });
    // Where several lanes could send the step, it names one that has the template.
    if shared.config.lanes_on(Channel::WhatsApp).nth(1).is_some()
        && let Some(lane) = lanes_at(lanes, &known.place).next()
    {
        step["lane"] = json!(lane.name);
    }
    begin_like(&shared, &call, Map::from_iter([("step".to_owned(), json!([step]))])).await
}

/// The lane that the form names, if it names one.
fn lane(form: &Form) -> Option<&str> {
    form.entered("lane")
}

pub(super) async fn hold(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let lanes = lanes_to_hold(&shared.config, lane(&form))?;
    decide(&shared, &call, &name, TemplateDecision::Hold { lanes: &lanes }, &form).await?;
    Ok(done(&name, TemplateDone::Held))
}

pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    decide(&shared, &call, &name, TemplateDecision::Resume { on: lane(&form) }, &form).await?;
    Ok(done(&name, TemplateDone::Resumed))
}

async fn decide(shared: &Shared, call: &Call, name: &str, decision: TemplateDecision<'_>, form: &Form) -> Answer<()> {
    let by = call.origin(form.reason()?);
    carry_out_on_template(shared.store.as_ref(), shared.clock.as_ref(), &shared.config, name, decision, &by).await?;
    Ok(())
}

fn done(name: &str, done: TemplateDone) -> Redirect {
    Redirect::to(&format!("{}?done={}", template_path(name), done.as_str()))
}
