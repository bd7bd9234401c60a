//! Sends a campaign again to some of its recipients, or begins to write another campaign like it.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;

use super::report::ensure_kept;
use crate::base::domain::text::list;
use crate::base::domain::{BatchState, Loaded, MessageId, Outcome, Plan, Scope, SkipReason, object_name};
use crate::campaigns::campaign::{LaunchError, LostRecipients, Repeat, Rewritten};
use crate::campaigns::report::{Report, as_counted, message_by_id};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, current, found, launcher};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::to_campaign;
use crate::http::api::web::decisions::ask_restored;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::page;
use crate::http::api::web::writing::begin_like;
use crate::http::pages::{
    AgainOutcome, AgainPage, AgainRecipient, Done, Part, Place, UseAgainPage, campaign_path, texts,
};
use crate::store::{self, Addresses, Batch};

/// Repetitions among which that of a first click is found.
const LOOKED_AT: u32 = 50;

/// Whether a campaign can be sent again to some of its recipients.
pub(in crate::http::api::web) fn may_repeat(batch: &Batch) -> bool {
    batch.state != BatchState::Draft && batch.purged_at.is_none()
}

/// The recipients with an outcome who can be sent to again: not those whom the campaign excluded.
pub(in crate::http::api::web) fn repeatable_of(report: &Report, outcome: Outcome) -> i64 {
    report.outcome(outcome) - if outcome == Outcome::Skipped { excluded(report) } else { 0 }
}

fn excluded(report: &Report) -> i64 {
    report.skipped.get(&SkipReason::Excluded.to_string()).copied().unwrap_or(0)
}

/// Who is chosen when the page is opened: one recipient, those with one outcome, or all who can be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AgainQuery {
    #[serde(deserialize_with = "crate::http::api::web::form::known")]
    outcome: Option<Outcome>,
    /// The message to the one recipient.
    message: Option<String>,
}

/// What an operator has chosen.
struct Chosen {
    outcomes: BTreeSet<Outcome>,
    /// The message to the only recipient.
    only: Option<Loaded>,
    /// Whether those are sent to whom an earlier retry has reached.
    include_reached: bool,
    /// `None` for a name that is free.
    name: Option<String>,
}

impl Chosen {
    async fn of(shared: &Shared, batch: &Batch, form: &Form) -> Answer<Self> {
        let name = Some(form.get("name").unwrap_or_default().to_owned());
        let include_reached = form.get("include_reached").is_some();
        if let Some(message) = form.entered("message") {
            return Ok(Self { name, include_reached, ..Self::only(shared, batch, message).await? });
        }
        let is_chosen = |outcome: &Outcome| form.get(&format!("outcome-{outcome}")).is_some();
        // A page never offers those who were reached.
        let outcomes = Outcome::ALL.iter().copied().filter(|outcome| *outcome != Outcome::Reached);
        Ok(Self { outcomes: outcomes.filter(is_chosen).collect(), only: None, include_reached, name })
    }

    /// What is launched, but for its name.
    fn repeat(&self) -> Repeat {
        let only = self.only.as_ref().map(|message| message.key.n);
        let include_reached = self.include_reached;
        Repeat { outcomes: Some(self.outcomes.clone()), only, include_reached, ..Repeat::default() }
    }

    /// The recipient of one message, if the message has an outcome but `reached`.
    async fn only(shared: &Shared, batch: &Batch, id: &str) -> Answer<Self> {
        let store = shared.store.as_ref();
        let found = message_by_id(store, id).await?.filter(|(of, _)| of.id == batch.id);
        let message = match found {
            Some((_, key)) => store.load(vec![key]).await?.pop(),
            None => None,
        };
        let unknown = || Problem::new(Kind::NotFound, format_args!("unknown message \"{id}\""));
        let message = message.ok_or_else(unknown)?;
        match as_counted(batch, &message.present).outcome() {
            Some(outcome) if outcome != Outcome::Reached => {
                Ok(Self { outcomes: [outcome].into(), only: Some(message), include_reached: false, name: None })
            }
            _ => {
                let sentence = "the recipient was reached, or may still be; nothing can be sent again";
                Err(Problem::new(Kind::Conflict, sentence))
            }
        }
    }
}

/// A campaign that can be repeated.
async fn repeatable(shared: &Shared, call: &Call, campaign: &str) -> Answer<Batch> {
    call.caller.check(Scope::Manage)?;
    let batch = found(shared, call, campaign).await?;
    ensure_kept(&batch)?;
    if batch.state == BatchState::Draft {
        return Err(Problem::new(Kind::Conflict, "a draft was not sent yet; start it, or use it again"));
    }
    Ok(batch)
}

pub(super) async fn ask(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<AgainQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = repeatable(&shared, &call, &campaign).await?;
    if let Some(message) = &query.message {
        let chosen = Chosen::only(&shared, &batch, message).await?;
        return page(&shown(&shared, (&session, &call), &batch, chosen).await?);
    }
    let outcomes = match query.outcome {
        Some(outcome) => [outcome].into(),
        // They may have the message: to send it to them twice is a choice.
        None => Outcome::ALL.iter().copied().filter(|it| !matches!(it, Outcome::Silent | Outcome::Unknown)).collect(),
    };
    page(
        &shown(&shared, (&session, &call), &batch, Chosen { outcomes, only: None, include_reached: false, name: None })
            .await?,
    )
}

/// The page with what is chosen.
async fn shown(
    shared: &Shared,
    (session, call): (&Session, &Call),
    batch: &Batch,
    chosen: Chosen,
) -> Answer<AgainPage> {
    let reached_before = launcher(shared, &shared.config, call).reached_before(batch, &chosen.repeat()).await?;
    let plan = shared.store.plan(batch.id).await?.ok_or(LaunchError::NoPlan)?;
    let report = Report::read(shared.store.as_ref(), batch).await?;
    let name = match chosen.name {
        Some(name) => name,
        None => free_name(shared, &batch.display_name()).await?,
    };
    let excluded = excluded(&report);
    let outcomes = Outcome::ALL.iter().copied().filter(|outcome| *outcome != Outcome::Reached);
    let outcomes = outcomes.map(|outcome| AgainOutcome {
        outcome,
        recipients: repeatable_of(&report, outcome),
        is_chosen: chosen.outcomes.contains(&outcome),
    });
    let only = chosen.only.iter().map(|message| message.address);
    let addresses = Addresses::read(shared.store.as_ref(), only).await?;
    let own = texts().results;
    let left_out = [
        (report.outcome(Outcome::Reached), own.reached_left_out(report.outcome(Outcome::Reached))),
        (report.open, own.open_left_out(report.open)),
        (excluded, own.excluded_left_out(excluded)),
    ];
    let steps = plan.indexed_steps().map(|(index, step)| {
        let lanes: Vec<&str> = step.lanes.names().collect();
        (index.index() + 1, step.channel.to_string(), list(&lanes))
    });
    Ok(AgainPage {
        frame: session.frame(Place::Below(Part::Campaigns)),
        campaign: batch.display_name(),
        campaign_id: batch.public_id().to_string(),
        name,
        name_problem: None,
        problems: Vec::new(),
        only: chosen.only.as_ref().zip(chosen.outcomes.first()).map(|(message, outcome)| AgainRecipient {
            address: addresses.of(message.address).into(),
            message: MessageId { key: message.key, tag: batch.tag }.to_string(),
            outcome: *outcome,
        }),
        outcomes: outcomes.filter(|row| row.recipients > 0).collect(),
        reached_before,
        include_reached: chosen.include_reached,
        left_out: left_out.into_iter().filter(|(number, _)| *number > 0).map(|(_, sentence)| sentence).collect(),
        steps: steps.collect(),
        differences: differences(&plan),
    })
}

/// What differs from the first campaign.
fn differences(plan: &Plan) -> Vec<&'static str> {
    let own = texts().results;
    let has_limits = !plan.limits.are_none() || plan.steps.iter().any(|step| !step.limits.are_none());
    let has_rules = has_limits || plan.pause_when.is_some() || plan.hold_paid_when.is_some();
    let has_times = plan.at.is_some() || plan.end.is_some();
    let is_local = plan.steps.iter().any(|step| step.hours.since.is_some());
    let all = [
        (true, own.opted_out_again),
        (has_rules, own.limits_again),
        (has_times, own.no_times_again),
        (is_local, own.one_clock_again),
    ];
    all.into_iter().filter(|(applies, _)| *applies).map(|(_, sentence)| sentence).collect()
}

/// The name with a number that no campaign has.
async fn free_name(shared: &Shared, name: &str) -> Answer<String> {
    let mut number = 2_u32;
    loop {
        let candidate = format!("{name} {number}");
        if shared.store.batch_named(&candidate).await?.is_none() {
            return Ok(candidate);
        }
        number += 1;
    }
}

/// Launches the repetition, or keeps it as a draft. Two campaigns cannot have one name, so of two clicks one launches.
pub(super) async fn repeat(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let batch = repeatable(&shared, &call, &campaign).await?;
    let chosen = Chosen::of(&shared, &batch, &form).await?;
    let own = texts().results;
    let is_draft = match form.get("do") {
        Some("launch") => false,
        Some("draft") => true,
        // The Enter key in the field of the name.
        _ => return page(&shown(&shared, (&session, &call), &batch, chosen).await?),
    };
    let repeat = chosen.repeat();
    let mut again = shown(&shared, (&session, &call), &batch, chosen).await?;
    let name = match object_name(&again.name) {
        Ok(name) => name,
        Err(problem) => {
            again.name_problem = Some(problem);
            return page(&again);
        }
    };
    if repeat.outcomes.as_ref().is_none_or(BTreeSet::is_empty) {
        again.problems.push(own.choose_an_outcome.to_owned());
        return page(&again);
    }
    let config = current(&shared).await?;
    let confirms_restored = form.confirms_restored();
    let repeat = Repeat { name: Some(name), is_draft, confirms_restored, ..repeat };
    match launcher(&shared, &config, &call).repeat(&batch, &repeat).await {
        Ok(launched) => {
            let done = match launched.state {
                BatchState::Draft => Done::Kept,
                BatchState::Scheduled => Done::Scheduled,
                _ => Done::Launched,
            };
            Ok(to_campaign(&launched.id.to_string(), done).into_response())
        }
        Err(LaunchError::Store(error @ store::Error::NameTaken { .. })) => {
            // A second click leads to what the first has launched.
            if let Some(first) = repetition_named(&shared, &batch, &again.name).await? {
                return Ok(Redirect::to(&campaign_path(&first.public_id().to_string())).into_response());
            }
            again.name_problem = Some(error.to_string());
            page(&again)
        }
        Err(LaunchError::Problems(problems)) => {
            again.problems.extend(problems.iter().map(ToString::to_string));
            page(&again)
        }
        Err(LaunchError::Store(error)) => Err(error.into()),
        Err(LaunchError::Restored { copied_at }) => {
            let back = campaign_path(&batch.public_id().to_string());
            ask_restored(&session, &form, (again.name, copied_at), (format!("{back}/again"), back))
        }
        Err(error) => {
            again.problems.push(error.to_string());
            page(&again)
        }
    }
}

/// The campaign of this name, if it sends this one again.
async fn repetition_named(shared: &Shared, batch: &Batch, name: &str) -> Answer<Option<Batch>> {
    let later = shared.store.repetitions(batch.id, LOOKED_AT).await?.later;
    Ok(later.into_iter().find(|other| other.name.as_deref() == Some(name.trim())))
}

/// Asks before a campaign is written again, and says what is taken over.
pub(super) async fn ask_use(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let batch = found(&shared, &call, &campaign).await?;
    let rewritten = launcher(&shared, &shared.config, &call).rewrite(&batch).await?;
    let mut recipients = 0;
    let names = rewritten.audiences.as_deref().unwrap_or_default();
    for name in names {
        let audience = shared.store.audience_named(name).await?;
        recipients += audience.map_or(0, |audience| u64::from(audience.recipients()));
    }
    let kept_recipients =
        (!names.is_empty()).then(|| texts().results.kept_recipients(names, recipients, batch.messages.into()));
    let (steps, lost) = sentences(&rewritten);
    let kept = kept_recipients.into_iter().chain(steps).collect();
    page(&UseAgainPage {
        frame: session.frame(Place::Below(Part::Campaigns)),
        campaign: batch.display_name(),
        campaign_id: batch.public_id().to_string(),
        kept,
        lost,
    })
}

/// What is taken over besides the recipients, and what is not.
fn sentences(rewritten: &Rewritten) -> (Vec<String>, Vec<String>) {
    let own = texts().results;
    let mut kept = Vec::new();
    let steps = rewritten.keys.get("step").and_then(|steps| steps.as_array());
    for (index, step) in crate::base::domain::StepIndex::all().zip(steps.into_iter().flatten()) {
        let channel = step["channel"].as_str().unwrap_or_default();
        kept.push(own.kept_step(index.index() + 1, channel, !rewritten.lost_contents.contains(&index)));
    }
    kept.extend(rewritten.keys.get("where").and_then(Value::as_str).map(|filter| own.kept_filter(filter)));
    if let Some(Value::Array(left_out)) = rewritten.keys.get("exclude") {
        let names: Vec<&str> = left_out.iter().filter_map(Value::as_str).collect();
        kept.push(own.kept_exclusions(&list(&names)));
    }
    kept.push(own.kept_rules.to_owned());
    let mut lost = Vec::new();
    lost.extend(rewritten.audiences.as_ref().err().map(|why| {
        let why = match why {
            LostRecipients::Unnamed => own.lost_unnamed,
            LostRecipients::OfOutcomes => own.lost_of_outcomes,
            LostRecipients::OfUnknownFilter => own.lost_of_unknown_filter,
        };
        why.to_owned()
    }));
    if !rewritten.lost_contents.is_empty() {
        let steps: Vec<String> = rewritten.lost_contents.iter().map(ToString::to_string).collect();
        lost.push(own.lost_contents(&steps));
    }
    if rewritten.lost_values {
        lost.push(own.lost_values.to_owned());
    }
    lost.push(own.lost_times.to_owned());
    (kept, lost)
}

/// Begins to write a campaign like this one.
pub(super) async fn use_again(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let batch = found(&shared, &call, &campaign).await?;
    let rewritten = launcher(&shared, &shared.config, &call).rewrite(&batch).await?;
    begin_like(&shared, &call, rewritten.keys).await
}
