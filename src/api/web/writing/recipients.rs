//! The recipients: a choice of an imported audience, and a look at what is in it.

use axum::extract::State;
use axum::response::Response;

use super::fields::field;
use super::problems::beside;
use super::{Document, Opened};
use crate::api::Shared;
use crate::api::native::{Answer, Call, Path, launcher};
use crate::api::web::admit::Session;
use crate::api::web::form::Form;
use crate::api::web::frame::page;
use crate::audience::{ImportRecord, Selection, Summary};
use crate::campaign::LaunchError;
use crate::config::Problem;
use crate::pages::{FieldKind, WriteCheck, WriteRecipients, WritingPage};
use crate::store::Audience;

/// Audiences that can be chosen from, by name.
const SHOWN: u32 = 100;

pub(in crate::api::web) async fn recipients(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let opened = Opened::of(&shared, &call, &id).await?;
    let all = shared.store.audience_page(None, SHOWN).await?;
    let listed = all.iter().map(|audience| {
        let at = audience.parts.last().map_or(opened.sketch.created_at, |part| part.begun_at);
        (audience.name.clone(), audience.recipients(), at)
    });
    let writing = opened.writing(&session, WritingPage::Recipients);
    let texts = writing.frame.texts();
    let country = field(
        &opened.document.keys,
        "",
        "country",
        (texts.default_country, texts.default_country_hint),
        FieldKind::Text,
    );
    page(&WriteRecipients { audiences: listed.collect(), chosen: opened.document.audience(), country, writing })
}

pub(in crate::api::web) async fn change_recipients(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let mut opened = Opened::to_change(&shared, &call, &id, &form).await?;
    if let Some(name) = form.entered("audience") {
        opened.document.keys.put_all("audience", std::iter::once(name));
    }
    opened.save(&shared, &call).await?;
    Ok(axum::response::IntoResponse::into_response(axum::response::Redirect::to(&super::path(
        opened.sketch.id,
        WritingPage::Check,
    ))))
}

/// What the import has counted, of all files of an audience.
fn summary(audience: &Audience) -> Option<Summary> {
    let parts = audience.parts.iter().filter_map(|part| ImportRecord::of(part).ok()?.summary);
    parts.reduce(|mut all, part| {
        all.rows += part.rows;
        all.valid += part.valid;
        for (country, count) in part.countries {
            *all.countries.entry(country).or_default() += count;
        }
        for (reason, count) in part.reasons {
            *all.reasons.entry(reason).or_default() += count;
        }
        for field in &mut all.fields {
            field.filled += part.fields.iter().find(|of| of.name == field.name).map_or(0, |of| of.filled);
        }
        all
    })
}

pub(in crate::api::web) async fn check(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let opened = Opened::of(&shared, &call, &id).await?;
    let mut writing = opened.writing(&session, WritingPage::Check);
    let texts = writing.frame.texts();
    let known = match opened.document.audience() {
        Some(name) => shared.store.audience_named(&name).await?,
        None => None,
    };
    let Some(audience) = known else {
        // Nothing is chosen yet, or it was deleted meanwhile.
        return Ok(axum::response::IntoResponse::into_response(axum::response::Redirect::to(&super::path(
            opened.sketch.id,
            WritingPage::Recipients,
        ))));
    };
    let mut filter =
        field(&opened.document.keys, "", "where", (texts.filter_recipients, texts.filter_hint), FieldKind::Text);
    let selected = match selected(&shared, &call, &opened.document).await? {
        Ok(selected) => selected,
        Err(problems) => {
            writing.problems = beside(std::slice::from_mut(&mut filter), problems.iter());
            None
        }
    };
    page(&WriteCheck {
        audience: audience.name.clone(),
        recipients: audience.recipients(),
        selected,
        summary: summary(&audience),
        filter,
        writing,
    })
}

/// Counts the recipients that the filter selects: those of a campaign without a content.
async fn selected(shared: &Shared, call: &Call, document: &Document) -> Answer<Result<Option<u64>, Vec<Problem>>> {
    let filter = document.keys.text("where");
    if filter.is_empty() {
        return Ok(Ok(None));
    }
    if let Err(error) = Selection::parse(&filter) {
        return Ok(Err(vec![Problem::new(None, "where", error)]));
    }
    // A step that every lane can have, because only the recipients are looked at.
    let Some(lane) = shared.config.lanes.iter().find(|lane| lane.channel == crate::domain::Channel::Sms) else {
        return Ok(Ok(None));
    };
    let mut probe = Document::default();
    for key in ["audience", "where", "country"] {
        probe.keys.0.extend(document.keys.0.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    let mut step = super::document::Keys::default();
    step.put("channel", lane.channel.as_str());
    step.put("lane", &lane.name);
    step.put("text", "-");
    step.put("source", "Volley");
    probe.steps.push(step);
    let draft = match probe.draft() {
        Ok(draft) => draft,
        Err(problems) => return Ok(Err(problems)),
    };
    match launcher(shared, &shared.config, call).plan(&draft).await {
        Ok(prepared) => Ok(Ok(Some(prepared.recipients.recipients))),
        Err(LaunchError::Problems(problems)) => Ok(Err(problems)),
        Err(error) => Err(error.into()),
    }
}

pub(in crate::api::web) async fn change_check(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let mut opened = Opened::to_change(&shared, &call, &id, &form).await?;
    opened.document.keys.take(&form, "", &["where"]);
    opened.save(&shared, &call).await?;
    Ok(opened.after(WritingPage::Check, &form))
}
