//! The lanes, their pauses, and the settings that can be changed while they send.

#[cfg(test)]
mod tests;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::admit::Session;
use super::form::Form;
use super::frame::{page, refused, too_late};
use crate::base::config::{Config, Lane};
use crate::base::domain::{OverridableSetting, Scope};
use crate::campaigns::campaign::{LaneDecision, SettingChange, SettingError, carry_out_on_lane};
use crate::campaigns::status::{Lanes, Slow};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, SettingsTurn, current};
use crate::http::pages::{Field, LaneSettingsPage, LanesPage, Part, Place, texts};

pub(super) async fn list(State(shared): State<Shared>, session: Session, call: Call) -> Answer<Response> {
    let known = Lanes::read(shared.store.as_ref(), &shared.config, call.at).await?;
    let config = current(&shared).await?;
    let slow = Slow::all(&config, &known.servers, call.at);
    page(&LanesPage {
        frame: session.frame(Place::Lanes),
        lanes: config.lanes.iter().map(|lane| known.view(&config, lane)).collect(),
        slow: slow.into_iter().map(|slow| (slow.lane.clone(), slow.what())).collect(),
    })
}

fn named<'a>(config: &'a Config, name: &str) -> Answer<&'a Lane> {
    config.named_lane(name).map_err(|error| Problem::new(Kind::NotFound, error))
}

/// Carries out a decision on a lane of the file.
async fn decide(shared: &Shared, call: &Call, name: &str, decision: LaneDecision, form: &Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let config = shared.config.as_ref();
    let lane = named(config, name)?;
    let by = call.origin(form.reason()?);
    carry_out_on_lane(shared.store.as_ref(), shared.clock.as_ref(), config, lane, &decision, &by).await?;
    Ok(Redirect::to("/lanes"))
}

pub(super) async fn pause(
    State(shared): State<Shared>,
    Path(lane): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &lane, LaneDecision::Pause, &form).await
}

pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(lane): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &lane, LaneDecision::Resume, &form).await
}

/// The settings of a lane that can be changed while it sends, with their present values.
fn fields(config: &Config, lane: &Lane) -> Vec<(OverridableSetting, Field)> {
    let own = texts().sending;
    let mut fields = vec![
        (OverridableSetting::Rate, Field::text("rate", (own.lane_rate, own.lane_rate_hint), lane.rate.to_string())),
        (OverridableSetting::Burst, Field::text("burst", (own.burst, own.burst_hint), lane.burst.to_string())),
    ];
    if let Some(rate) = config.account(&lane.account).and_then(|account| account.rate) {
        let label = own.account_rate(&lane.account);
        let field = Field::text("account_rate", (label, own.account_rate_hint), rate.to_string());
        fields.push((OverridableSetting::AccountRate, field));
    }
    if let Some(portfolio) = lane.tiered() {
        let field = Field::text("tier", (own.tier_of(portfolio), own.tier_hint), lane.tier.to_string());
        fields.push((OverridableSetting::Tier, field));
    }
    fields
}

/// Recipients of the last 24 hours whom the database does not know, for a lane with a tier.
fn tier_used_field(lane: &Lane) -> Option<Field> {
    let own = texts().sending;
    let portfolio = lane.limited_portfolio()?;
    let label = own.recipients_of(portfolio);
    Some(Field::text("tier_used", (label, own.tier_used_hint), String::new()))
}

fn settings_page(
    session: &Session,
    lane: &Lane,
    fields: Vec<(OverridableSetting, Field)>,
    (tag, form): (String, &Form),
) -> LaneSettingsPage {
    let own = texts().sending;
    let reason = form.get("reason").unwrap_or_default().to_owned();
    LaneSettingsPage {
        frame: session.frame(Place::Below(Part::Sending)),
        lane: lane.name.clone(),
        tag,
        fields: fields.into_iter().map(|(_, field)| field).collect(),
        reason: Field::text("reason", (own.reason, own.lane_reason_hint), reason),
        problem: None,
        tier_used: tier_used_field(lane),
    }
}

pub(super) async fn ask_settings(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let SettingsTurn { config, tag, .. } = SettingsTurn::begin(&shared, &call, &name).await?;
    let lane = named(&config, &name)?;
    page(&settings_page(&session, lane, fields(&config, lane), (tag, &Form::default())))
}

/// Takes how many recipients the database does not know.
pub(super) async fn tell_tier_used(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let entered = form.get("tier_used").unwrap_or_default().trim();
    let Ok(recipients) = entered.parse() else {
        let SettingsTurn { config, tag, .. } = SettingsTurn::begin(&shared, &call, &name).await?;
        let lane = named(&config, &name)?;
        let mut shown = settings_page(&session, lane, fields(&config, lane), (tag, &form));
        let Some(field) = &mut shown.tier_used else { return Ok(Redirect::to("/lanes").into_response()) };
        entered.clone_into(&mut field.value);
        field.problem = Some(texts().sending.tier_used_problem.to_owned());
        return refused(&shown);
    };
    Ok(decide(&shared, &call, &name, LaneDecision::TierUsed(recipients), &form).await?.into_response())
}

/// Takes what was entered, and returns the changes. An empty field restores the value of the file.
fn entered(
    config: &Config,
    lane: &Lane,
    fields: &mut [(OverridableSetting, Field)],
    form: &Form,
) -> Vec<SettingChange> {
    let mut changes = Vec::new();
    for (setting, field) in fields {
        let Some(text) = form.get(&field.name).map(str::trim).filter(|text| *text != field.value) else { continue };
        text.clone_into(&mut field.value);
        match SettingChange::new(config, lane, *setting, Some(text).filter(|text| !text.is_empty())) {
            Ok(change) => changes.push(change),
            Err(SettingError::Value { problem, .. }) => field.problem = Some(problem),
            Err(error) => field.problem = Some(error.to_string()),
        }
    }
    changes
}

pub(super) async fn change_settings(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let turn = SettingsTurn::begin(&shared, &call, &name).await?;
    let lane = named(&turn.config, &name)?;
    let mut fields = fields(&turn.config, lane);
    if form.get("tag") != Some(&turn.tag) {
        let mut late = settings_page(&session, lane, fields, (turn.tag.clone(), &form));
        late.problem = Some(texts().sending.lane_changed_meanwhile);
        return page(&late).map(too_late);
    }
    let in_file = shared.config.as_ref();
    let changes = entered(in_file, named(in_file, &name)?, &mut fields, &form);
    if fields.iter().any(|(_, field)| field.problem.is_some()) {
        return refused(&settings_page(&session, lane, fields, (turn.tag.clone(), &form)));
    }
    if changes.is_empty() {
        return Ok(Redirect::to("/lanes").into_response());
    }
    Ok(decide(&shared, &call, &name, LaneDecision::Set(changes), &form).await?.into_response())
}
