//! The pages on which a campaign is written, one after the other. Each is saved before the next, so nothing is lost.
//!
//! What is written is a campaign file in the database ([`Document`]): each page sets some of its keys, and what is planned
//! and launched is what the API and the commands would read.

mod cards;
mod content;
mod count;
mod document;
mod fields;
mod known;
mod list;
pub(in crate::http::api::web) mod outlook;
mod problems;
mod recipients;
mod review;
mod route;
mod template;
#[cfg(test)]
pub(super) mod tests;
mod time;
mod unchecked;
mod upload;
mod words;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::admit::Session;
use super::form::Form;
use super::frame::page;
use crate::base::config;
use crate::base::domain::{Scope, SketchId};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem};
use crate::http::pages::{DiscardPage, Part, Place, Writing, WritingPage};
use crate::store::{Audience, Sketch};
pub(super) use content::{change_content, content};
pub(super) use count::count;
use document::Document;
pub(super) use list::{list, unfinished};
use problems::page_of;
pub(super) use recipients::{change_check, change_recipients, check, recipients};
pub(super) use review::{launch, review, test, to_review};
pub(super) use route::{change_route, route};
pub(super) use time::{change_time, time};
pub(super) use upload::{import, importing, upload};

/// Begins to write a campaign.
pub(super) async fn begin(State(shared): State<Shared>, call: Call) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    begin_as(&shared, &call, Document::default().stored()).await
}

/// Begins to write a campaign that has these keys already.
pub(in crate::http::api::web) async fn begin_like(
    shared: &Shared,
    call: &Call,
    keys: Map<String, Value>,
) -> Answer<Redirect> {
    begin_as(shared, call, Value::Object(keys).to_string()).await
}

async fn begin_as(shared: &Shared, call: &Call, campaign: String) -> Answer<Redirect> {
    let id = create(shared, call, campaign).await?;
    Ok(Redirect::to(&path(id, WritingPage::Recipients)))
}

/// Begins to write a campaign with an audience.
pub(super) async fn begin_with(shared: &Shared, call: &Call, audience: &str) -> Answer<Redirect> {
    let mut document = Document::default();
    document.add_audience(audience);
    let id = create(shared, call, document.stored()).await?;
    Ok(Redirect::to(&path(id, WritingPage::Check)))
}

async fn create(shared: &Shared, call: &Call, campaign: String) -> Answer<SketchId> {
    let sketch = Sketch {
        id: SketchId::new(shared.chance.bits()),
        campaign,
        version: 1,
        created_at: call.at,
        changed_at: call.at,
        changed_by: call.caller.name.clone(),
        launch: None,
    };
    let id = sketch.id;
    shared.store.create_sketch(sketch).await?;
    Ok(id)
}

/// The unfinished campaigns with an audience: name and address of each.
pub(super) fn with_audience(sketches: &[Sketch], audience: &str) -> Vec<(String, String)> {
    let of = |sketch: &Sketch| {
        let document = Document::read(&sketch.campaign);
        let has_it = document.audiences().iter().any(|name| name == audience);
        has_it.then(|| (document.keys.text("name"), path(sketch.id, WritingPage::Recipients)))
    };
    sketches.iter().filter_map(of).collect()
}

/// Asks before what was written is discarded.
pub(super) async fn ask_discard(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let opened = Opened::of(&shared, &call, &id).await?;
    page(&DiscardPage { writing: opened.writing(&session, WritingPage::Review) })
}

/// Discards what was written.
pub(super) async fn discard(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    let mut opened = Opened::to_change(&shared, &call, &id, &form).await?;
    // Nobody changes it meanwhile.
    opened.claim(&shared, &call).await?;
    shared.store.remove_sketch(opened.sketch.id).await?;
    Ok(Redirect::to("/new"))
}

/// What a link of a review asks of a page.
const FROM_REVIEW: &str = "from=review";

/// Whether a page, or its form, says that the review led to it.
fn is_from_review(from: Option<&str>) -> bool {
    from.is_some_and(|from| from == WritingPage::Review.as_str())
}

/// How a page was reached.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Way {
    from: Option<String>,
    /// It was saved just before: `true`.
    saved: String,
}

fn path(id: SketchId, page: WritingPage) -> String {
    format!("/new/{id}/{}", page.as_str())
}

/// The address of the review of an unfinished campaign.
pub(in crate::http::api::web) fn review_path(id: SketchId) -> String {
    path(id, WritingPage::Review)
}

/// A change of a page.
enum Changed {
    Saved(Opened),
    /// Another operator was faster: the campaign as it is now, with the change in it, which is not saved.
    Late(Opened),
}

/// An unfinished campaign, as it was read.
struct Opened {
    sketch: Sketch,
    document: Document,
    /// Whether the review led to the page.
    is_from_review: bool,
}

impl Opened {
    async fn of(shared: &Shared, call: &Call, id: &str) -> Answer<Self> {
        call.caller.check(Scope::Manage)?;
        let unknown = || {
            let sentence = "this campaign is no longer unfinished: it was launched or discarded";
            Problem::new(Kind::NotFound, sentence)
        };
        let id: SketchId = id.parse().map_err(|_| unknown())?;
        let sketch = shared.store.sketch(id).await?.ok_or_else(unknown)?;
        Ok(Self { document: Document::read(&sketch.campaign), sketch, is_from_review: false })
    }

    /// The same for a page that was reached by a link.
    async fn by(shared: &Shared, call: &Call, id: &str, way: &Way) -> Answer<Self> {
        Ok(Self { is_from_review: is_from_review(way.from.as_deref()), ..Self::of(shared, call, id).await? })
    }

    /// The same for the form of a page that was reached by a link.
    async fn sent(shared: &Shared, call: &Call, id: &str, form: &Form) -> Answer<Self> {
        Ok(Self { is_from_review: is_from_review(form.get("from")), ..Self::of(shared, call, id).await? })
    }

    /// The same for a change that was decided on one version.
    async fn to_change(shared: &Shared, call: &Call, id: &str, form: &Form) -> Answer<Self> {
        let opened = Self::of(shared, call, id).await?;
        opened.ensure_version(form.get("version").unwrap_or_default())?;
        Ok(opened)
    }

    /// Makes the change of a form, if it was decided on the present version.
    async fn change(
        shared: &Shared,
        call: &Call,
        (id, form): (&str, &Form),
        mut apply: impl FnMut(&mut Document) + Send,
    ) -> Answer<Changed> {
        let mut opened = Self::sent(shared, call, id, form).await?;
        let is_present = opened.ensure_version(form.get("version").unwrap_or_default()).is_ok();
        apply(&mut opened.document);
        if is_present {
            match opened.save(shared, call).await {
                Ok(()) => return Ok(Changed::Saved(opened)),
                Err(problem) if problem.kind == Kind::Changed => {
                    opened = Self::sent(shared, call, id, form).await?;
                    apply(&mut opened.document);
                }
                Err(problem) => return Err(problem),
            }
        }
        Ok(Changed::Late(opened))
    }

    /// What the pages have in common, for one whose change came too late: it shows what was entered.
    fn late(&self, session: &Session, page: WritingPage) -> Writing {
        Writing { late: Some(self.sketch.changed_by.clone()), ..self.writing(session, page) }
    }

    /// The audiences that are chosen and still exist.
    async fn audiences(&self, shared: &Shared) -> Answer<Vec<Audience>> {
        let mut audiences = Vec::new();
        for name in self.document.audiences() {
            audiences.extend(shared.store.audience_named(&name).await?);
        }
        Ok(audiences)
    }

    fn ensure_version(&self, version: &str) -> Answer<()> {
        if version.parse() == Ok(self.sketch.version) { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Problem {
        let who = &self.sketch.changed_by;
        let sentence =
            format!("{who} has changed this campaign meanwhile; go back, load the page again, and repeat your change");
        Problem::new(Kind::Changed, sentence)
    }

    /// Stores the document, unless somebody else was faster.
    async fn save(&mut self, shared: &Shared, call: &Call) -> Answer<()> {
        let campaign = self.document.stored();
        if campaign == self.sketch.campaign {
            return Ok(());
        }
        self.sketch.campaign = campaign;
        self.claim(shared, call).await
    }

    /// Makes the next version. Of two who do so with the same one, one succeeds.
    async fn claim(&mut self, shared: &Shared, call: &Call) -> Answer<()> {
        self.sketch.version = self.sketch.version.saturating_add(1);
        self.sketch.changed_at = call.at;
        self.sketch.changed_by.clone_from(&call.caller.name);
        match shared.store.change_sketch(self.sketch.clone()).await? {
            true => Ok(()),
            false => match shared.store.sketch(self.sketch.id).await? {
                Some(sketch) => Err(Self { sketch, document: Document::default(), is_from_review: false }.changed()),
                None => Err(Problem::new(Kind::NotFound, "this campaign was launched or discarded meanwhile")),
            },
        }
    }

    /// What the pages have in common.
    fn writing(&self, session: &Session, page: WritingPage) -> Writing {
        Writing {
            frame: session.frame(Place::Below(Part::Campaigns)),
            id: self.sketch.id.to_string(),
            page,
            version: self.sketch.version,
            name: self.document.keys.text("name"),
            changed_at: self.sketch.changed_at,
            changed_by: self.sketch.changed_by.clone(),
            problems: Vec::new(),
            is_from_review: self.is_from_review,
            late: None,
        }
    }

    /// The address of the page that a form was on.
    fn again(&self, page: WritingPage) -> String {
        let path = path(self.sketch.id, page);
        if self.is_from_review { format!("{path}?{FROM_REVIEW}") } else { path }
    }

    /// The same, for a page that then also says what is still missing.
    fn saved(&self, page: WritingPage) -> String {
        let path = self.again(page);
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{path}{joint}saved=true")
    }

    /// Leads to a step of the same page.
    fn to_step(&self, page: WritingPage, number: usize) -> Response {
        Redirect::to(&format!("{}#step-{number}", self.again(page))).into_response()
    }

    /// Where a page leads: to itself after `save`, to another one after `to-time`, else to the next one, or back to the review
    /// that led to it.
    fn after(&self, page: WritingPage, form: &Form) -> Response {
        let named = form.get("do").and_then(|to| to.strip_prefix("to-"));
        let named = named.and_then(|to| WritingPage::ALL.into_iter().find(|page| page.as_str() == to));
        if let Some(to) = named {
            return Redirect::to(&path(self.sketch.id, to)).into_response();
        }
        let to = match form.get("do") {
            Some("next") if self.is_from_review => path(self.sketch.id, WritingPage::Review),
            Some("next") => path(self.sketch.id, page.next()),
            _ if page == WritingPage::Content => self.saved(page),
            _ => self.again(page),
        };
        Redirect::to(&to).into_response()
    }

    /// The same, but a page with a wrong field does not lead on: it is shown again, and what was entered is kept.
    fn after_checked(&self, page: WritingPage, form: &Form, problems: &[config::Problem]) -> Response {
        let mut of_page = problems.iter().filter(|problem| page_of(problem) == page);
        match of_page.next() {
            Some(problem) if form.get("do") == Some("next") => {
                let field = words::field_of(problem).map(|(_, field)| format!("#{field}")).unwrap_or_default();
                Redirect::to(&format!("{}{field}", self.again(page))).into_response()
            }
            _ => self.after(page, form),
        }
    }
}
