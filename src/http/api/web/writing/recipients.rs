//! The recipients: a choice of an imported audience, and a look at what is in it.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};

use super::count::count_of_filter;
use super::fields::field;
use super::problems::{beside, page_of};
use super::{Changed, Document, Opened, Way, words};
use crate::base::config;
use crate::campaigns::campaign::{Counted, LaunchError, ensure_same_columns};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, Problem, Query, launcher};
use crate::http::api::web::admit::Session;
use crate::http::api::web::audiences::{AudiencesQuery, Found, HowRead, contents, find};
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::{page, too_late};
use crate::http::pages::{
    ChosenAudience, FieldKind, FileFields, WriteCheck, WriteRecipients, Writing, WritingPage, texts,
};
use crate::recipients::audience::{Corrected, ImportRecord, Selection};
use crate::recipients::uploads::UploadId;
use crate::store::Audience;

/// Audiences of a page of the choice.
const SHOWN: u32 = 12;

pub(in crate::http::api::web) async fn recipients(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<AudiencesQuery>,
    Query(way): Query<Way>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let opened = Opened::by(&shared, &call, &id, &way).await?;
    let writing = opened.writing(&session, WritingPage::Recipients);
    shown(&shared, &opened, writing, (&query, &uri), (None, None)).await
}

/// The page of a choice that came too late: the audiences as they are now, and a file that was uploaded but is not imported,
/// with the lines that were chosen for it.
pub(super) async fn late(
    shared: &Shared,
    session: &Session,
    opened: &Opened,
    sent: (Option<&str>, Option<(UploadId, String)>),
) -> Answer<Response> {
    let writing = opened.late(session, WritingPage::Recipients);
    let uri = Uri::try_from(super::path(opened.sketch.id, WritingPage::Recipients));
    let uri = uri.map_err(|error| Problem::failed(&error))?;
    shown(shared, opened, writing, (&AudiencesQuery::default(), &uri), sent).await.map(too_late)
}

async fn shown(
    shared: &Shared,
    opened: &Opened,
    mut writing: Writing,
    (query, uri): (&AudiencesQuery, &Uri),
    (lines, uploaded): (Option<&str>, Option<(UploadId, String)>),
) -> Answer<Response> {
    let Found { rows, name, is_later, first, next } = find(shared, query, SHOWN, uri).await?;
    let (mut chosen, mut known) = (Vec::new(), Vec::new());
    for name in opened.document.audiences() {
        let audience = shared.store.audience_named(&name).await?;
        chosen.push(ChosenAudience { name, recipients: audience.as_ref().map(Audience::recipients) });
        known.extend(audience);
    }
    // The next file is probably read like the one before.
    let before = known.last().and_then(|audience| ImportRecord::of(audience.parts.last()?).ok());
    let usual = before.map(|record| HowRead::of_record(&record).lines).unwrap_or_default();
    let mut file = FileFields::new(&opened.document.keys.text("country"), lines.unwrap_or(&usual));
    let of_page = problems_of_recipients(&opened.document);
    writing.problems = beside(std::slice::from_mut(&mut file.country), of_page.iter());
    let problems = problems_of_audiences(&chosen, &known);
    let uploaded = uploaded.map(|(upload, file)| (upload.to_string(), file));
    let audiences = rows;
    page(&WriteRecipients { writing, chosen, problems, audiences, name, is_later, first, next, file, uploaded })
}

/// The problems of keys that belong to this page, except those of audiences, which need the database.
fn problems_of_recipients(document: &Document) -> Vec<config::Problem> {
    let problems = document.draft().err().unwrap_or_default();
    let is_shown = |problem: &config::Problem| page_of(problem) == WritingPage::Recipients && problem.key != "audience";
    problems.into_iter().filter(is_shown).collect()
}

/// What is wrong with the chosen audiences, in the words of a plan.
fn problems_of_audiences(chosen: &[ChosenAudience], known: &[Audience]) -> Vec<String> {
    let is_missing = |one: &&ChosenAudience| one.recipients.is_none();
    let missing = chosen.iter().filter(is_missing).map(|one| {
        format!("the audience \"{}\" does not exist any more; remove it here, or import it again", one.name)
    });
    let differing =
        known.split_first().into_iter().flat_map(|(first, others)| others.iter().map(move |other| (first, other)));
    let differing = differing.filter_map(|(first, other)| {
        let (first, other) = ((first.name.as_str(), &first.columns[..]), (other.name.as_str(), &other.columns[..]));
        ensure_same_columns(first, other).err().map(|error| error.to_string())
    });
    missing.chain(differing).collect()
}

pub(in crate::http::api::web) async fn change_recipients(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let (added, removed) = (form.entered("audience"), form.entered("remove"));
    let choose = |document: &mut Document| match (added, removed) {
        (Some(name), _) => document.add_audience(name),
        (None, Some(name)) => document.remove_audience(name),
        (None, None) => {}
    };
    match Opened::change(&shared, &call, (&id, &form), choose).await? {
        Changed::Saved(opened) => {
            let next = if added.is_some() { WritingPage::Check } else { WritingPage::Recipients };
            Ok(Redirect::to(&opened.again(next)).into_response())
        }
        // The page has no button to save a choice, so it shows what is saved.
        Changed::Late(_) => {
            late(&shared, &session, &Opened::sent(&shared, &call, &id, &form).await?, (None, None)).await
        }
    }
}

pub(in crate::http::api::web) async fn check(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(way): Query<Way>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let opened = Opened::by(&shared, &call, &id, &way).await?;
    let writing = opened.writing(&session, WritingPage::Check);
    shown_check(&shared, &call, &opened, writing).await
}

async fn shown_check(shared: &Shared, call: &Call, opened: &Opened, mut writing: Writing) -> Answer<Response> {
    let texts = writing.frame.texts();
    let audiences = opened.audiences(shared).await?;
    let corrected = Corrected::of(audiences.iter().flat_map(|audience| &audience.parts));
    let of = |audience: &Audience| contents(audience, Some(opened.sketch.id.to_string()));
    let audiences: Vec<_> = audiences.iter().map(of).collect();
    if audiences.is_empty() || audiences.len() < opened.document.audiences().len() {
        // Nothing is chosen yet, or something was deleted meanwhile; that page says what.
        return Ok(Redirect::to(&super::path(opened.sketch.id, WritingPage::Recipients)).into_response());
    }
    let mut filter =
        field(&opened.document.keys, "", "where", (texts.filter_recipients, texts.filter_hint), FieldKind::Text);
    let all = audiences.iter().map(|audience| u64::from(audience.recipients)).sum();
    let selected = selected(shared, call, (&opened.document, all)).await?;
    filter.count = Some(count_of_filter(opened.sketch.id, selects(all, &selected)));
    let selected = match selected {
        Ok(selected) => selected.map(|counted| counted.recipients),
        Err(problems) => {
            writing.problems = beside(std::slice::from_mut(&mut filter), problems.iter());
            None
        }
    };
    page(&WriteCheck { audiences, corrected, selected, filter, writing })
}

/// The most recipients that are counted while a filter is typed. It takes a fraction of a second.
const COUNTED_AT_ONCE: u64 = 100_000;

/// How many recipients a filter selects that is not saved yet.
pub(super) async fn count_selected(shared: &Shared, call: &Call, id: &str, filter: &str) -> Answer<String> {
    let mut opened = Opened::of(shared, call, id).await?;
    let all = opened.audiences(shared).await?.iter().map(|audience| u64::from(audience.recipients())).sum();
    if all > COUNTED_AT_ONCE {
        return Ok(texts().wizard.save_to_count.to_owned());
    }
    opened.document.keys.put("where", filter);
    Ok(match &selected(shared, call, (&opened.document, all)).await? {
        // What is being typed is unfinished most of the time. Another problem, such as an unknown column, is worth saying.
        Err(problems) if Selection::parse(filter).is_ok() => {
            problems.iter().map(words::problem).collect::<Vec<_>>().join("; ")
        }
        selected => selects(all, selected),
    })
}

/// How many recipients a filter selects, in a sentence.
fn selects(all: u64, selected: &Result<Option<Counted>, Vec<config::Problem>>) -> String {
    match selected {
        Ok(None) => texts().wizard.selects(all, all),
        Ok(Some(Counted { recipients, misread })) => {
            let selected = texts().wizard.selects(*recipients, all);
            [selected].into_iter().chain(misread.iter().map(ToString::to_string)).collect::<Vec<_>>().join("; ")
        }
        Err(_) => texts().wizard.selects_none_yet.to_owned(),
    }
}

/// Counts the recipients that get a message: those whom the filter selects, each number of several audiences once. Returns
/// `None` if they are `all`.
async fn selected(
    shared: &Shared,
    call: &Call,
    (document, all): (&Document, u64),
) -> Answer<Result<Option<Counted>, Vec<config::Problem>>> {
    let filter = document.keys.text("where");
    if filter.is_empty() && (document.audiences().len() < 2 || all > COUNTED_AT_ONCE) {
        return Ok(Ok(None));
    }
    if !filter.is_empty()
        && let Err(error) = Selection::parse(&filter)
    {
        return Ok(Err(vec![config::Problem::new(None, "where", error)]));
    }
    let mut probe = Document::default();
    for key in ["audience", "where", "country"] {
        probe.keys.0.extend(document.keys.0.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    // A campaign needs a step. It is not looked at, so the lane need not exist.
    let mut step = super::document::Keys::default();
    for (key, value) in [("channel", "SMS"), ("lane", "any"), ("text", "-")] {
        step.put(key, value);
    }
    probe.steps.push(step);
    let draft = match probe.draft() {
        Ok(draft) => draft,
        Err(problems) => return Ok(Err(problems)),
    };
    match launcher(shared, &shared.config, call).count(&draft).await {
        Ok(counted) => Ok(Ok(Some(counted))),
        Err(LaunchError::Problems(problems)) => Ok(Err(problems)),
        Err(error) => Err(error.into()),
    }
}

pub(in crate::http::api::web) async fn change_check(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let take = |document: &mut Document| document.keys.take(&form, "", &["where"]);
    match Opened::change(&shared, &call, (&id, &form), take).await? {
        Changed::Saved(opened) => Ok(opened.after(WritingPage::Check, &form)),
        Changed::Late(opened) => {
            let writing = opened.late(&session, WritingPage::Check);
            shown_check(&shared, &call, &opened, writing).await.map(too_late)
        }
    }
}
