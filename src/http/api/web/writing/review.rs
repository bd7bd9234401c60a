//! The review: what a launch would do, a test of it, and the launch.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::document::Keys;
use super::fields::field;
use super::unchecked::unchecked;
use super::{Document, FROM_REVIEW, Opened, outlook, path, words};
use crate::base::config::{Config, Problem};
use crate::base::domain::text::capital;
use crate::base::domain::{BatchState, Causes, StepIndex, Timestamp};
use crate::campaigns::campaign::{
    HowToLaunch, LaunchError, Lint, MessagePreview, Prepared, PreviewRequest, Previews, TEST_PROBLEM, Trial, Warning,
    rules,
};
use crate::http::api::Shared;
use crate::http::api::native::{
    About, Answer, Call, Kind, Path, Problem as ApiProblem, Query, current, draft_of, found, launcher,
};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::to_campaign;
use crate::http::api::web::decisions::ask_restored;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::{page, too_late};
use crate::http::pages::{
    Done, Field, FieldKind, Outlook, PreviewMessage, PreviewStep, TestForm, WriteReview, Writing, WritingPage,
    campaign_path,
};
use crate::rules::template::PARTS_MAX;
use crate::store;

/// Plans what is written, with previews. Recipients are chosen by chance, but always the same.
pub(super) async fn planned(
    shared: &Shared,
    config: &Config,
    call: &Call,
    document: &Document,
) -> Result<Prepared, LaunchError> {
    ensure_route(document)?;
    let draft = document.draft().map_err(LaunchError::Problems)?;
    let request = PreviewRequest { to: Vec::new(), seed: 1, sms_parts_max: PARTS_MAX };
    launcher(shared, config, call).plan_with_preview(&draft, request, |_| ()).await
}

/// Refuses what has no route yet. A campaign file without steps takes the default route, which no page has shown.
fn ensure_route(document: &Document) -> Result<(), LaunchError> {
    if document.steps.is_empty() && !document.keys.0.contains_key("route") {
        let sentence = crate::http::pages::texts().review.no_route;
        return Err(LaunchError::Problems(vec![Problem::new(None, "step", sentence)]));
    }
    Ok(())
}

/// The messages of some recipients, by step.
pub(super) fn previews(prepared: &Prepared) -> Vec<PreviewStep<'_>> {
    let Some(Previews { steps, .. }) = &prepared.recipients.previews else { return Vec::new() };
    let of_step = |step: &crate::campaigns::campaign::StepPreview| {
        let channel = StepIndex::new(step.step.saturating_sub(1)).and_then(|index| prepared.plan.step(index));
        let channel = channel.map(|step| step.channel.to_string()).unwrap_or_default();
        (step.step, channel)
    };
    steps
        .iter()
        .map(|step| {
            let (number, channel) = of_step(step);
            PreviewStep {
                title: format!("{number} · {channel}"),
                facts: Vec::new(),
                broken: step
                    .broken
                    .iter()
                    .map(|limit| {
                        let recipients = crate::base::domain::text::plural(limit.recipients, "recipient", "recipients");
                        format!("{}: {recipients}", capital(&limit.broken.to_string()))
                    })
                    .collect(),
                messages: step
                    .shown
                    .iter()
                    .map(|message| PreviewMessage {
                        title: title(message),
                        bubble: &message.bubble,
                        length: message.measures.to_string(),
                        broken: message.broken.iter().map(|broken| capital(&broken.to_string())).collect(),
                    })
                    .collect(),
            }
        })
        .collect()
}

/// The recipient of a message, and why this one is shown.
fn title(message: &MessagePreview) -> String {
    let to = message.to.as_ref().map(ToString::to_string).unwrap_or_default();
    let choices: Vec<&str> = message.chosen_as.iter().map(|choice| choice.as_str()).collect();
    if choices.is_empty() { to } else { format!("{to} ({})", choices.join(", ")) }
}

/// The test that was just sent, for a link to it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http::api::web) struct TestedQuery {
    tested: Option<String>,
}

pub(in crate::http::api::web) async fn review(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<TestedQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let opened = Opened::of(&shared, &call, &id).await?;
    let writing = opened.writing(&session, WritingPage::Review);
    let sent = match &query.tested {
        Some(campaign) => found(&shared, &call, campaign).await.ok(),
        None => None,
    };
    let of = |batch: &store::Batch| {
        let campaign = campaign_path(&batch.public_id().to_string());
        (batch.display_name(), format!("{campaign}?sketch={}", opened.sketch.id))
    };
    let sent = sent.as_ref().map(of);
    planned_page(&shared, &call, &opened, (writing, TestState { sent, ..TestState::default() })).await
}

/// A test: the one that was just sent, or what was entered for one that was not sent, and why.
#[derive(Debug, Default)]
struct TestState {
    /// Name and address of its campaign.
    sent: Option<(String, String)>,
    entered: Keys,
    problem: Option<String>,
}

/// The page of the review with a plan of what is written.
async fn planned_page(
    shared: &Shared,
    call: &Call,
    opened: &Opened,
    (writing, test): (Writing, TestState),
) -> Answer<Response> {
    let config = current(shared).await?;
    let planned = planned(shared, &config, call, &opened.document).await;
    shown((shared, &config), call, (opened, planned), (writing, test)).await
}

/// The page of the review: with the plan, or with what went wrong instead.
async fn shown(
    (shared, config): (&Shared, &Config),
    call: &Call,
    (opened, planned): (&Opened, Result<Prepared, LaunchError>),
    (mut writing, test): (Writing, TestState),
) -> Answer<Response> {
    let texts = writing.frame.texts().review;
    let label = (texts.campaign_name, texts.campaign_name_hint);
    let mut name = field(&opened.document.keys, "", "name", label, FieldKind::Text);
    if name.value.is_empty() {
        name.value = opened.document.audience().unwrap_or_default();
    }
    let (prepared, to_mend) = match planned {
        Ok(prepared) => (Some(prepared), Vec::new()),
        Err(LaunchError::Problems(problems)) => (None, mended(&problems, &writing)),
        Err(error) => {
            writing.problems.push(words::said(&error.to_string(), false));
            if let LaunchError::Store(store::Error::NameTaken { .. }) = error {
                name.problem = Some(error.to_string());
            }
            (None, Vec::new())
        }
    };
    let outlook = match &prepared {
        Some(prepared) => {
            let finished_by = launcher(shared, config, call).finished_by(prepared).await?;
            let rejected = outlook::rejected(shared, opened).await?;
            Some(Outlook { rejected, ..outlook_of(prepared, finished_by, &writing) })
        }
        None => None,
    };
    // The form is far down, so the problem stands above too.
    writing.problems.extend(test.problem.clone());
    let fields = prepared.as_ref().map(|prepared| test_fields(prepared, &test)).unwrap_or_default();
    let test = TestForm { fields, sent: test.sent };
    let previews = prepared.as_ref().map(previews).unwrap_or_default();
    page(&WriteReview { writing, name, outlook, to_mend, previews, test })
}

/// To whom a test goes, and which steps it has.
fn test_fields(prepared: &Prepared, test: &TestState) -> Vec<Field> {
    let texts = crate::http::pages::texts().review;
    let label = (texts.test_numbers, texts.test_numbers_hint);
    let to = field(&test.entered, "", "to", label, FieldKind::Text);
    let mut fields = vec![Field { problem: test.problem.clone(), ..to }];
    if prepared.plan.steps.len() > 1 {
        let steps = (1..).zip(&prepared.plan.steps);
        let steps = steps.map(|(number, step)| (number.to_string(), texts.only_step(number, &step.channel)));
        let whole = (String::new(), texts.whole_route.to_owned());
        let choices = FieldKind::Choice(std::iter::once(whole).chain(steps).collect());
        fields.push(field(&test.entered, "", "step", (texts.test_steps, ""), choices));
    }
    fields
}

/// Each problem with the address of its field.
fn mended(problems: &[Problem], writing: &Writing) -> Vec<(String, Option<String>)> {
    let mended = |problem: &Problem| (words::problem(problem), address(words::field_of(problem), writing));
    problems.iter().map(mended).collect()
}

/// The address of a field on a page.
fn address(of: Option<(WritingPage, String)>, writing: &Writing) -> Option<String> {
    let (page, field) = of?;
    let path = writing.path(page);
    let path = if page == WritingPage::Review { path } else { format!("{path}?{FROM_REVIEW}") };
    Some(if field.is_empty() { path } else { format!("{path}#{field}") })
}

fn outlook_of(prepared: &Prepared, finished_by: Option<Timestamp>, writing: &Writing) -> Outlook {
    let (texts, frame) = (writing.frame.texts(), &writing.frame);
    let Prepared { recipients, plan, forecast, warnings, beginnings, schedule, now, .. } = prepared;
    let own = texts.review;
    let later = (beginnings.first > *now).then(|| frame.full_time(beginnings.first));
    // By the recipients' own clocks, it starts now only where that time has passed.
    let (at_once, starts_at_once) = match schedule.since.is_some() && beginnings.last > *now {
        true => (own.at_once_by_clocks, own.starts_by_clocks),
        false => (own.at_once, own.starts_at_once),
    };
    let mut times = vec![(own.starts, later.clone().unwrap_or_else(|| at_once.to_owned()))];
    let on_their_clocks = rules::on_their_clocks(plan, &recipients.crowd(), beginnings.first.max(*now));
    times.extend((!on_their_clocks.is_empty()).then(|| (own.on_their_clocks, on_their_clocks.join(", "))));
    times.extend(outlook::ends(forecast.as_ref().map(|forecast| forecast.done_at), finished_by, frame));
    let limited_by = forecast.as_ref().map(|forecast| forecast.limited_by()).unwrap_or_default();
    let needs_approval = warnings.iter().find(|warning| warning.code == Lint::NeedsApproval);
    let others = warnings.iter().filter(|warning| warning.code != Lint::NeedsApproval);
    let unchecked = unchecked(prepared).into_iter().map(|(sentence, field)| (sentence, address(Some(field), writing)));
    let warning = |warning: &Warning| (words::warning(warning), address(words::field_of_warning(warning), writing));
    Outlook {
        recipients: recipients.recipients,
        left_out: outlook::left_out(prepared),
        rejected: None,
        times,
        limited_by: capital(limited_by.trim_start_matches("; ")),
        costs: outlook::costs(plan),
        steps: outlook::steps(prepared),
        rules: outlook::rules(plan, false),
        starts: later.map_or_else(|| starts_at_once.to_owned(), |at| own.starts_at(&at)),
        bookings: forecast.as_ref().map(|forecast| forecast.bookings.clone()).unwrap_or_default(),
        warnings: unchecked.chain(others.map(warning)).collect(),
        needs_approval: needs_approval.map(|warning| warning.sentence.to_string()),
    }
}

/// Launches what is written, or saves it as a draft.
///
/// - Claims its version first, and notes the name, so that of two clicks one launches.
/// - After a crash, the campaign of the noted name tells whether it was launched. Under another name it is not launched
///   again.
pub(in crate::http::api::web) async fn launch(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let mut opened = Opened::of(&shared, &call, &id).await?;
    if opened.ensure_version(form.get("version").unwrap_or_default()).is_err() {
        opened.document.keys.take(&form, "", &["name"]);
        let writing = opened.late(&session, WritingPage::Review);
        return planned_page(&shared, &call, &opened, (writing, TestState::default())).await.map(too_late);
    }
    let Some(name) = form.entered("name") else {
        let sentence = "a campaign needs a name; go back and write one";
        return Err(ApiProblem::new(Kind::Invalid, sentence));
    };
    if let Some(done) = begun(&shared, &opened, name).await? {
        return Ok(done);
    }
    opened.document.keys.put("name", name);
    let is_draft = match form.get("do") {
        Some("launch") => false,
        Some("draft") => true,
        // The Enter key in the field of the name.
        _ => {
            opened.save(&shared, &call).await?;
            return Ok(opened.after(WritingPage::Review, &form));
        }
    };
    let draft = draft_of(opened.document.to_value(), &shared)?;
    let config = current(&shared).await?;
    if let Err(missing) = ensure_route(&opened.document) {
        let writing = opened.writing(&session, WritingPage::Review);
        return shown((&shared, &config), &call, (&opened, Err(missing)), (writing, TestState::default())).await;
    }
    let (confirms_restored, written_at) = (form.confirms_restored(), Some(opened.sketch.created_at));
    let how = HowToLaunch { is_draft, confirms_restored, written_at };
    let launcher = launcher(&shared, &config, &call);
    // Before the sketch is claimed: the same form is sent again with the confirmation.
    if let Err(LaunchError::Restored { copied_at }) = launcher.ensure_not_launched_before(how).await {
        let (action, back) = (format!("/new/{id}/launch"), path(opened.sketch.id, WritingPage::Review));
        return ask_restored(&session, &form, (name.to_owned(), copied_at), (action, back));
    }
    opened.sketch.campaign = opened.document.stored();
    let is_noted_here = opened.sketch.launch.is_none();
    opened.sketch.launch = Some(name.to_owned());
    opened.claim(&shared, &call).await?;
    let done = launcher.launch_as(&draft, how, |_| None, async |_| Ok(())).await;
    let error = match done {
        Ok((done, _)) => {
            let what = done_as(done.state, is_draft);
            return Ok(launched(&shared, &opened, &done.id.to_string(), what).await);
        }
        Err(error) => error,
    };
    // Nothing of a failed launch is stored. A note of an earlier launch stays, because that one may still be running.
    if is_noted_here {
        opened.sketch.launch = None;
        opened.claim(&shared, &call).await?;
    }
    let writing = opened.writing(&session, WritingPage::Review);
    shown((&shared, &config), &call, (&opened, Err(error)), (writing, TestState::default())).await
}

/// Leads to the campaign of a launch that has begun before; `None` if there is none, so that another may begin.
async fn begun(shared: &Shared, opened: &Opened, name: &str) -> Answer<Option<Response>> {
    let Some(begun) = &opened.sketch.launch else { return Ok(None) };
    let batch = shared.store.batch_named(begun).await?.filter(|batch| batch.created_at >= opened.sketch.created_at);
    if let Some(batch) = batch {
        let what = done_as(batch.state, true);
        return Ok(Some(launched(shared, opened, &batch.public_id().to_string(), what).await));
    }
    if begun != name {
        let sentence = format!(
            "a launch of this campaign as \"{begun}\" has begun and may still be running; launch it under this name, or \
             wait until it is done"
        );
        return Err(ApiProblem::new(Kind::Conflict, sentence));
    }
    Ok(None)
}

/// What a launch has done; `kept` if it was to keep a draft.
const fn done_as(state: BatchState, kept: bool) -> Done {
    match state {
        BatchState::Draft if kept => Done::Kept,
        BatchState::Draft => Done::Asked,
        BatchState::Scheduled => Done::Scheduled,
        _ => Done::Launched,
    }
}

/// Leads to the campaign. What was written is not needed any more; if it cannot be removed, it still knows its campaign.
async fn launched(shared: &Shared, opened: &Opened, campaign: &str, done: Done) -> Response {
    if let Err(error) = shared.store.remove_sketch(opened.sketch.id).await {
        tracing::warn!(error = %Causes(&error), "cannot remove a campaign that is launched");
    }
    let mut response = to_campaign(campaign, done).into_response();
    response.extensions_mut().insert(About(campaign.to_owned()));
    response
}

/// Leads to the review from the address that its forms have sent to, such as in the history of a browser.
pub(in crate::http::api::web) async fn to_review(Path(id): Path<String>) -> Redirect {
    Redirect::to(&id.parse().map_or_else(|_| "/new".to_owned(), |id| path(id, WritingPage::Review)))
}

/// Sends a test to the operator's own numbers. The review then leads to its result.
pub(in crate::http::api::web) async fn test(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let opened = Opened::of(&shared, &call, &id).await?;
    let to: Vec<String> =
        form.get("to").unwrap_or_default().split(',').map(|number| number.trim().to_owned()).collect();
    let to: Vec<String> = to.into_iter().filter(|number| !number.is_empty()).collect();
    let mut writing = opened.writing(&session, WritingPage::Review);
    let mut state = TestState::default();
    state.entered.take(&form, "", &["to", "step"]);
    if to.is_empty() {
        state.problem = Some("a test needs a number; write one of your own".to_owned());
        return planned_page(&shared, &call, &opened, (writing, state)).await;
    }
    let draft = draft_of(opened.document.to_value(), &shared)?;
    let config = current(&shared).await?;
    let only = form.entered("step").and_then(|step| step.parse().ok());
    let trial = Trial { to, only, ..Trial::default() };
    match launcher(&shared, &config, &call).try_file(&draft, &trial).await {
        Ok(launched) => {
            let review = path(opened.sketch.id, WritingPage::Review);
            Ok(Redirect::to(&format!("{review}?tested={}#test", launched.id)).into_response())
        }
        Err(error) => {
            match error {
                LaunchError::Problems(problems) => {
                    let (of_test, others): (Vec<_>, Vec<_>) =
                        problems.iter().partition(|problem| problem.key == TEST_PROBLEM);
                    let of_test: Vec<String> =
                        of_test.iter().map(|problem| words::said(&problem.sentence, false)).collect();
                    state.problem = Some(of_test.join("; ")).filter(|problem| !problem.is_empty());
                    writing.problems.extend(others.into_iter().map(words::problem));
                }
                error => writing.problems.push(words::said(&error.to_string(), false)),
            }
            planned_page(&shared, &call, &opened, (writing, state)).await
        }
    }
}
