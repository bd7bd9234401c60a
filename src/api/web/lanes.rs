//! The lanes, and their pauses.

use axum::extract::State;
use axum::response::{Redirect, Response};

use super::admit::Session;
use super::form::Form;
use super::frame::page;
use crate::api::Shared;
use crate::api::native::{Answer, Call, Kind, Path, Problem, current};
use crate::campaign::{LaneDecision, carry_out_on_lane};
use crate::domain::Scope;
use crate::pages::{LanesPage, Place};
use crate::status::{Lanes, Slow};

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

async fn decide(shared: &Shared, call: &Call, name: &str, decision: LaneDecision, form: &Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let config = shared.config.as_ref();
    let lane = config.named_lane(name).map_err(|error| Problem::new(Kind::NotFound, error))?;
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
