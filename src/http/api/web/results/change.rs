//! What an operator can still change about a campaign that was launched: its name, times, hours, limits, rules and steps.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::base::clock::format_time;
use crate::base::config;
use crate::base::domain::text::grouped;
use crate::base::domain::{
    BatchState, Count, Plan, Scope, StepIndex, Timestamp, Zone, local, object_name, with_offset,
};
use crate::campaigns::campaign::{
    Amend, Amended, Deleted, LaunchError, RenameError, SENDS, StepDecision, carry_out_on_step, delete_draft,
    may_be_corrected, rename, text_of, why_not,
};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, found, launcher};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::{to_campaign, to_plan};
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::page;
use crate::http::pages::{
    ChangePage, ChangeStep, DeleteDraftPage, Done, Field, FieldKind, Part, Place, campaign_path, texts,
};
use crate::store::{Batch, StepHold};

/// Keys whose values are lists.
const LISTS: [&str; 3] = ["quiet_hours", "send_window", "holidays"];
/// What removes a setting.
const NONE: &str = "none";

/// What was just done to a step.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StepQuery {
    step: String,
}

/// What a page of changes shows.
struct Shown {
    batch: Batch,
    plan: Plan,
    held: Vec<StepHold>,
    queued: Vec<i64>,
}

impl Shown {
    async fn of(shared: &Shared, batch: Batch) -> Answer<Self> {
        let plan = shared.store.plan(batch.id).await?.ok_or(LaunchError::NoPlan)?;
        let tallies = shared.store.tallies(batch.id).await?;
        let held = shared.store.step_holds().await?.into_iter().filter(|hold| hold.batch == batch.id).collect();
        let queued = plan.indexed_steps().map(|(step, _)| tallies.get(step, Count::Queued)).collect();
        Ok(Self { batch, plan, held, queued })
    }

    fn is_open(&self) -> bool {
        BatchState::OPEN.contains(&self.batch.state)
    }

    fn page(&self, session: &Session) -> ChangePage {
        let name = Field::text(
            "name",
            (texts().review.campaign_name, texts().results.change_name_hint),
            self.batch.display_name(),
        );
        let steps = if self.is_open() { self.steps() } else { Vec::new() };
        ChangePage {
            frame: session.frame(Place::Below(Part::Campaigns)),
            campaign: self.batch.display_name(),
            campaign_id: self.batch.public_id().to_string(),
            edition: self.batch.edition,
            name,
            groups: if self.is_open() { self.groups(session.0.zone) } else { Vec::new() },
            steps,
            problems: Vec::new(),
            locked: (!self.is_open()).then(|| format!("only the name can be changed: {}", why_not(self.batch.state))),
        }
    }

    /// The fields of the campaign, with their present values.
    fn groups(&self, own_zone: Option<Zone>) -> Vec<(&'static str, Vec<Field>)> {
        let (t, own, plan) = (texts(), texts().results, &self.plan);
        let mut times = Vec::new();
        if self.batch.started_at.is_none() {
            times.push(time("at", (t.start_at, own.change_start_hint), plan.at, (plan.time_zone, own_zone)));
        }
        times.push(time("end", (t.end, own.change_end_hint), plan.end, (plan.time_zone, own_zone)));
        let mut hours = Vec::new();
        // Where steps have hours of their own, the fields of the campaign would replace them.
        if let Some(first) = plan.steps.first().filter(|_| self.hours_are_shared()) {
            hours.push(Field::text("quiet_hours", (t.quiet_hours, t.quiet_hours_hint), joined(&first.hours.quiet)));
            hours.push(Field::text(
                "send_window",
                (own.send_window, own.send_window_hint),
                joined(&first.hours.windows),
            ));
        }
        let holidays = plan.steps.first().map(|step| joined(&step.hours.holidays)).unwrap_or_default();
        hours.push(Field::text("holidays", (own.holidays, own.holidays_hint), holidays));
        let limits = vec![
            Field::text("max_messages", (t.max_messages, t.max_messages_hint), plain(plan.limits.messages)),
            Field::text("budget", (t.budget, t.budget_hint), plain(plan.limits.budget)),
        ];
        let rules = vec![
            Field::text("pause_when", (t.pause_when, t.pause_when_hint), plain(plan.pause_when)),
            Field::text("hold_paid_when", (own.hold_paid_when, own.hold_paid_when_hint), plain(plan.hold_paid_when)),
        ];
        vec![(t.start_group, times), (t.hours_group, hours), (t.limits_group, limits), (own.rules_group, rules)]
    }

    fn hours_are_shared(&self) -> bool {
        let mut hours = self.plan.steps.iter().map(|step| (&step.hours.quiet, &step.hours.windows));
        let first = hours.next();
        hours.all(|other| Some(other) == first)
    }

    /// Whether another text was entered while the first messages were sent.
    fn corrects_too_late(&self, index: Option<StepIndex>, form: &Form) -> bool {
        let Some((index, step)) = self.plan.indexed_steps().find(|(of, _)| Some(*of) == index) else { return false };
        let entered = form.get(&format!("{}-text", index.index() + 1)).map(as_entered);
        entered.is_some() && entered != text_of(&step.content).map(as_entered) && !may_be_corrected(&self.batch)
    }

    fn steps(&self) -> Vec<ChangeStep> {
        let (t, own) = (texts(), texts().results);
        let of_step = |(index, step): (StepIndex, &crate::base::domain::Step)| {
            let number = index.index() + 1;
            let name = |key: &str| format!("{number}-{key}");
            let text = text_of(&step.content).filter(|_| may_be_corrected(&self.batch));
            let text = text.map(|text| Field {
                kind: FieldKind::Area,
                ..Field::text(name("text"), (t.text, own.change_text_hint), as_entered(text))
            });
            let rules = [
                Field::text(name("quiet_hours"), (t.quiet_hours, t.quiet_hours_hint), joined(&step.hours.quiet)),
                Field::text(name("send_window"), (own.send_window, own.send_window_hint), joined(&step.hours.windows)),
                Field::text(name("max_messages"), (t.max_messages, own.of_step_hint), plain(step.limits.messages)),
                Field::text(name("budget"), (t.budget, t.budget_hint), plain(step.limits.budget)),
            ];
            let fields = text.into_iter().chain(rules).collect();
            let held = self.held.iter().find(|hold| hold.step == index).map(|hold| hold.origin.done("paused"));
            let queued = self.queued.get(index.index()).copied().unwrap_or(0);
            ChangeStep { number, title: step.channel.to_string(), fields, problems: Vec::new(), held, queued }
        };
        self.plan.indexed_steps().map(of_step).collect()
    }
}

/// A time, in the zone of the campaign, which the hint names: operators see other times in their own. Without one, it is written
/// with its offset in the zone of the operator.
fn time(
    name: &str,
    (label, hint): (&'static str, &'static str),
    at: Option<Timestamp>,
    (zone, own): (Option<Zone>, Option<Zone>),
) -> Field {
    let Some(zone) = zone else {
        let text = |at: Timestamp| own.map_or_else(|| at.rfc3339(), |own| with_offset(at, own));
        return Field::text(name, (label, texts().results.with_offset), at.map(text).unwrap_or_default());
    };
    let value = at.map(|at| local(at, zone).format("%Y-%m-%dT%H:%M").to_string()).unwrap_or_default();
    let hint = texts().results.in_zone(zone, hint);
    Field { kind: FieldKind::Instant, ..Field::text(name, (label, hint), value) }
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn plain(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

pub(super) async fn ask(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<StepQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let batch = found(&shared, &call, &campaign).await?;
    let mut shown = Shown::of(&shared, batch).await?.page(&session);
    let own = texts().results;
    shown.frame.notice = match query.step.as_str() {
        "paused" => Some(own.step_paused.to_owned()),
        "resumed" => Some(own.step_resumed.to_owned()),
        _ => None,
    };
    page(&shown)
}

/// A text without spaces around it. Browsers end the lines of a form with both characters.
fn as_entered(text: &str) -> String {
    text.trim().replace("\r\n", "\n")
}

/// The key of a field: its name without the number of a step.
fn key_of(field: &Field) -> &str {
    field.name.rsplit('-').next().unwrap_or_default()
}

/// Takes what was entered into the fields, and returns the keys whose values differ from the present ones.
fn entered<'a>(fields: impl Iterator<Item = &'a mut Field>, form: &Form) -> Map<String, Value> {
    let mut keys = Map::new();
    for field in fields {
        let Some(text) = form.get(&field.name).map(as_entered) else { continue };
        if text == field.value {
            continue;
        }
        field.value.clone_from(&text);
        let key = key_of(field);
        let value = match (text.as_str(), LISTS.contains(&key)) {
            ("", false) if matches!(field.kind, FieldKind::Area) => json!(""),
            ("", true) => json!([NONE]),
            ("", false) => json!(NONE),
            (text, true) => {
                let items: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
                json!(items)
            }
            (text, false) => json!(text),
        };
        keys.insert(key.to_owned(), value);
    }
    keys
}

/// Puts each problem beside the field of its key. Returns the others.
fn beside<'a>(fields: impl Iterator<Item = &'a mut Field>, problems: &[config::Problem]) -> Vec<String> {
    let mut rest: Vec<&config::Problem> = problems.iter().collect();
    for field in fields {
        if let Some(at) = rest.iter().position(|problem| problem.key == key_of(field)) {
            field.problem = Some(rest.remove(at).sentence.clone());
        }
    }
    rest.into_iter().map(ToString::to_string).collect()
}

/// What became of a change.
enum Changed {
    /// Whether something of it is doubtful.
    Yes {
        is_doubtful: bool,
    },
    No,
    /// What is wrong with which key.
    Refused(Vec<config::Problem>),
    /// What is wrong with the whole.
    Impossible(String),
}

async fn amend(
    shared: &Shared,
    call: &Call,
    batch: &Batch,
    (step, keys): (Option<StepIndex>, Map<String, Value>),
) -> Answer<Changed> {
    if keys.is_empty() {
        return Ok(Changed::No);
    }
    let amend = Amend { step, keys, edition: Some(batch.edition) };
    Ok(match launcher(shared, &shared.config, call).amend(batch, &amend).await {
        Ok(Amended::Holds { warnings, .. }) => Changed::Yes { is_doubtful: !warnings.is_empty() },
        Ok(Amended::AsItWas { .. }) => Changed::No,
        Ok(Amended::Outdated) => Changed::Impossible(texts().results.changed_meanwhile.to_owned()),
        Ok(Amended::Over(state)) => Changed::Impossible(format!("it cannot be changed: {}", why_not(state))),
        Ok(Amended::Ended(end)) => {
            Changed::Impossible(format!("it cannot be changed: its end was {}", format_time(end, None)))
        }
        Err(LaunchError::Problems(problems)) => Changed::Refused(problems),
        Err(error) => return Err(error.into()),
    })
}

pub(super) async fn change(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let batch = found(&shared, &call, &campaign).await?;
    let known = Shown::of(&shared, batch).await?;
    let mut shown = known.page(&session);
    if form.get("edition") != Some(known.batch.edition.to_string().as_str()) {
        shown.problems.push(texts().results.changed_meanwhile.to_owned());
        return page(&shown);
    }
    let number = form.entered("step").and_then(|number| number.parse::<usize>().ok());
    let changed = match number.and_then(|number| shown.steps.iter_mut().find(|step| step.number == number)) {
        Some(step) => {
            let index = StepIndex::all().find(|index| index.index() + 1 == step.number);
            let keys = entered(step.fields.iter_mut(), &form);
            if known.corrects_too_late(index, &form) {
                step.problems.push(SENDS.to_owned());
                return page(&shown);
            }
            match amend(&shared, &call, &known.batch, (index, keys)).await? {
                Changed::Refused(problems) => {
                    step.problems = beside(step.fields.iter_mut(), &problems);
                    return page(&shown);
                }
                changed => changed,
            }
        }
        None => {
            let keys = entered(of_groups(&mut shown), &form);
            match amend(&shared, &call, &known.batch, (None, keys)).await? {
                Changed::Refused(problems) => {
                    shown.problems = beside(of_groups(&mut shown), &problems);
                    take_name(&mut shown, &form);
                    return page(&shown);
                }
                changed => changed,
            }
        }
    };
    if let Changed::Impossible(why) = changed {
        shown.problems.push(why);
        return page(&shown);
    }
    let is_renamed = match renamed(&shared, &call, &known.batch, &form).await? {
        Ok(is_renamed) => is_renamed,
        Err(problem) => {
            let mut shown = Shown::of(&shared, found(&shared, &call, &campaign).await?).await?.page(&session);
            take_name(&mut shown, &form);
            shown.name.problem = Some(problem);
            return page(&shown);
        }
    };
    let id = known.batch.public_id().to_string();
    Ok(match changed {
        Changed::Yes { is_doubtful: true } => to_plan(&id),
        Changed::Yes { .. } => to_campaign(&id, Done::Changed),
        _ if is_renamed => to_campaign(&id, Done::Changed),
        _ => to_campaign(&id, Done::Unchanged),
    }
    .into_response())
}

/// The fields of the campaign itself.
fn of_groups(shown: &mut ChangePage) -> impl Iterator<Item = &mut Field> {
    shown.groups.iter_mut().flat_map(|(_, fields)| fields)
}

/// Keeps the name that was entered.
fn take_name(shown: &mut ChangePage, form: &Form) {
    if let Some(name) = form.get("name") {
        name.clone_into(&mut shown.name.value);
    }
}

/// Gives the campaign the name that was entered; whether it has changed, or what is wrong with it.
async fn renamed(shared: &Shared, call: &Call, batch: &Batch, form: &Form) -> Answer<Result<bool, String>> {
    let Some(name) = form.get("name") else { return Ok(Ok(false)) };
    let name = match object_name(name) {
        Ok(name) => name,
        Err(problem) => return Ok(Err(problem)),
    };
    if batch.name.as_deref() == Some(&name) {
        return Ok(Ok(false));
    }
    match rename(shared.store.as_ref(), batch, &name, &call.origin(None), shared.clock.now()).await {
        Ok(()) => Ok(Ok(true)),
        Err(error @ (RenameError::NameTaken { .. } | RenameError::Nameless)) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

async fn decide(
    shared: &Shared,
    call: &Call,
    (campaign, number): (&str, usize),
    decision: StepDecision,
    form: &Form,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let by = call.origin(form.reason()?);
    let batch = found(shared, call, campaign).await?;
    let unknown = || Problem::new(Kind::NotFound, format_args!("no campaign has a step {}", grouped(number as u64)));
    let step = StepIndex::all().find(|index| index.index() + 1 == number).ok_or_else(unknown)?;
    carry_out_on_step(shared.store.as_ref(), shared.clock.as_ref(), &batch, (step, decision), &by).await?;
    let done = match decision {
        StepDecision::Hold => "paused",
        StepDecision::Release => "resumed",
    };
    Ok(Redirect::to(&format!("{}/change?step={done}", campaign_path(&batch.public_id().to_string()))))
}

pub(super) async fn pause_step(
    State(shared): State<Shared>,
    Path((campaign, step)): Path<(String, usize)>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, (&campaign, step), StepDecision::Hold, &form).await
}

pub(super) async fn resume_step(
    State(shared): State<Shared>,
    Path((campaign, step)): Path<(String, usize)>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, (&campaign, step), StepDecision::Release, &form).await
}

/// A draft, or the reason why it cannot be deleted.
async fn draft(shared: &Shared, call: &Call, campaign: &str) -> Answer<Batch> {
    call.caller.check(Scope::Manage)?;
    let batch = found(shared, call, campaign).await?;
    match batch.state {
        BatchState::Draft => Ok(batch),
        state => Err(no_draft(&batch, state)),
    }
}

fn no_draft(batch: &Batch, state: BatchState) -> Problem {
    let (name, why) = (batch.display_name(), why_not(state));
    Problem::new(Kind::Conflict, format_args!("\"{name}\" cannot be deleted: only a draft can, and {why}"))
}

/// Asks before a draft is deleted, which cannot be undone.
pub(super) async fn ask_delete(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = draft(&shared, &call, &campaign).await?;
    page(&DeleteDraftPage {
        frame: session.frame(Place::Below(Part::Campaigns)),
        campaign: batch.display_name(),
        campaign_id: batch.public_id().to_string(),
        messages: batch.messages,
    })
}

pub(super) async fn delete(State(shared): State<Shared>, Path(campaign): Path<String>, call: Call) -> Answer<Redirect> {
    let batch = draft(&shared, &call, &campaign).await?;
    match delete_draft(shared.store.as_ref(), &batch, &call.origin(None), shared.clock.now()).await? {
        Deleted::Gone => Ok(Redirect::to("/campaigns?done=deleted")),
        Deleted::Refused(state) => Err(no_draft(&batch, state)),
    }
}
