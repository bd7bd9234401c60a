//! `/lanes`: lists lanes, shows one, and carries out decisions about it.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::MutexGuard;
use utoipa::ToSchema;

use super::campaigns::{DecisionReason, current};
use super::extract::{Call, Json, OptionalJson, Path};
use super::page::{Page, ensure_unchanged};
use super::problem::{Answer, Kind, Problem};
use crate::base::config::{Config, Lane};
use crate::base::domain::OverridableSetting;
use crate::base::domain::text::hex;
use crate::campaigns::campaign::{LaneDecision, SettingChange, SettingError, carry_out_on_lane};
use crate::campaigns::status::{LaneDecisionView, LaneView, LaneWithQueuesView, Lanes, queues};
use crate::http::api::Shared;

/// The value that restores the setting of the file.
const FILE: &str = "file";

/// Finds a lane that the caller may use.
fn found<'a>(config: &'a Config, call: &Call, name: &str) -> Answer<&'a Lane> {
    let lane = config.named_lane(name).map_err(|error| Problem::new(Kind::NotFound, error))?;
    call.ensure_lane(lane)?;
    Ok(lane)
}

/// List the lanes of the configuration: rates, tiers and holds.
#[utoipa::path(get, path = "/lanes", operation_id = "list_lanes", tag = "lanes",
    responses((status = 200, description = "All lanes that the key may use.", body = Page<LaneView>)))]
pub(super) async fn list(State(shared): State<Shared>, call: Call, uri: Uri) -> Answer<Response> {
    let known = Lanes::read(shared.store.as_ref(), &shared.config, call.at).await?;
    let config = current(&shared).await?;
    let lanes = config.lanes.iter().filter(|lane| call.may_use_lane(lane));
    Ok(Page { items: lanes.map(|lane| known.view(&config, lane)).collect(), next: None }.answer(&uri))
}

/// Get a lane: its state, its settings, its waiting messages, and what the provider reports.
#[utoipa::path(get, path = "/lanes/{lane}", operation_id = "get_lane", tag = "lanes",
    params(("lane" = String, Path, description = "Name of the lane.")),
    responses((status = 200, description = "The lane.", body = LaneWithQueuesView,
        headers(("ETag" = String, description = "Tag of the settings."))), (status = 404)))]
pub(super) async fn get(State(shared): State<Shared>, Path(name): Path<String>, call: Call) -> Answer<Response> {
    let store = shared.store.as_ref();
    let known = Lanes::read(store, &shared.config, call.at).await?;
    let config = current(&shared).await?;
    let lane = found(&config, &call, &name)?;
    let queues = queues(store, (&config, lane), &known, call.at).await?;
    let tag = tag_of(&known, lane);
    let mut response = JsonAnswer(LaneWithQueuesView { lane: known.view(&config, lane), queues }).into_response();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// The tag of a lane's settings: it changes with each override.
fn tag_of(known: &Lanes, lane: &Lane) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{}\n{}\n{:?}\n", lane.rate, lane.burst, lane.tier));
    for overridden in known.overrides(lane) {
        digest.update(format!("{}\n{}\n{}\n", overridden.setting, overridden.value, overridden.since.millis()));
    }
    format!("\"{}\"", hex(&digest.finalize()[..8]))
}

/// A turn to change the settings of a lane. Of two changes that were decided on the same state, the second one finds another.
pub(in crate::http::api) struct SettingsTurn<'a> {
    _lock: MutexGuard<'a, ()>,
    /// The configuration with overrides.
    pub(in crate::http::api) config: Config,
    pub(in crate::http::api) tag: String,
}

impl<'a> SettingsTurn<'a> {
    pub(in crate::http::api) async fn begin(shared: &'a Shared, call: &Call, name: &str) -> Answer<Self> {
        let lock = shared.0.native.lane_changes.lock().await;
        let known = Lanes::read(shared.store.as_ref(), &shared.config, call.at).await?;
        let config = current(shared).await?;
        let tag = tag_of(&known, found(&config, call, name)?);
        Ok(Self { _lock: lock, config, tag })
    }
}

async fn decide(
    shared: &Shared,
    call: &Call,
    name: &str,
    decision: LaneDecision,
    reason: Option<&str>,
) -> Answer<Response> {
    let (store, config) = (shared.store.as_ref(), shared.config.as_ref());
    let lane = found(config, call, name)?;
    let done = carry_out_on_lane(store, shared.clock.as_ref(), config, lane, &decision, &call.origin(reason)).await?;
    let known = Lanes::read(store, config, shared.clock.now()).await?;
    let current = current(shared).await?;
    let view = LaneDecisionView::new(known.view(&current, found(&current, call, name)?), &done);
    Ok(JsonAnswer(view).into_response())
}

/// Pause a lane. Its queued messages wait; a step with `leave_within` falls back after that time.
#[utoipa::path(post, path = "/lanes/{lane}/pause", operation_id = "pause_lane", tag = "lanes",
    params(("lane" = String, Path, description = "Name of the lane.")), request_body = DecisionReason,
    responses((status = 200, description = "The lane after the decision.", body = LaneDecisionView), (status = 404)))]
pub(super) async fn pause(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<Response> {
    decide(&shared, &call, &name, LaneDecision::Pause, reason.text()?).await
}

/// Resume a lane: release the holds of operators and those of Volley itself.
#[utoipa::path(post, path = "/lanes/{lane}/resume", operation_id = "resume_lane", tag = "lanes",
    params(("lane" = String, Path, description = "Name of the lane.")), request_body = DecisionReason,
    responses((status = 200, description = "The lane after the decision.", body = LaneDecisionView), (status = 404)))]
pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<Response> {
    decide(&shared, &call, &name, LaneDecision::Resume, reason.text()?).await
}

/// New settings of a lane. A missing key keeps its value; `file` restores the value of the file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"rate": "40/s", "reason": "a gentle start"}))]
pub(super) struct LaneChange {
    /// Rate limit, such as `80/s`.
    rate: Option<String>,
    /// Messages that may be sent at once after a pause.
    burst: Option<String>,
    /// Rate limit that all lanes of its account share.
    account_rate: Option<String>,
    /// Recipients in 24 hours for the whole portfolio.
    tier: Option<String>,
    /// Recipients of the last 24 hours whom the database does not know, for the whole portfolio; without another setting.
    tier_used: Option<u32>,
    /// Reason, shown in events and with the lane.
    reason: Option<String>,
}

impl LaneChange {
    fn decision(&self, config: &Config, call: &Call, lane: &Lane) -> Answer<LaneDecision> {
        let Some(recipients) = self.tier_used else { return self.settings(config, call, lane).map(LaneDecision::Set) };
        if [&self.rate, &self.burst, &self.account_rate, &self.tier].iter().any(|setting| setting.is_some()) {
            return Err(Problem::new(Kind::Invalid, "tier_used is changed without another setting").at("/tier_used"));
        }
        let mut of_portfolio = config.lanes.iter().filter(|other| other.portfolio == lane.portfolio);
        of_portfolio.try_for_each(|other| call.ensure_lane(other))?;
        Ok(LaneDecision::TierUsed(recipients))
    }

    fn settings(&self, config: &Config, call: &Call, lane: &Lane) -> Answer<Vec<SettingChange>> {
        // The rate of an account and the tier of a portfolio limit all its lanes.
        let of_account =
            config.lanes.iter().filter(|other| self.account_rate.is_some() && other.account == lane.account);
        let of_portfolio = config.lanes.iter().filter(|other| self.tier.is_some() && other.portfolio == lane.portfolio);
        of_account.chain(of_portfolio).try_for_each(|other| call.ensure_lane(other))?;
        let mut all = Vec::new();
        for (setting, key, value) in [
            (OverridableSetting::Rate, "rate", &self.rate),
            (OverridableSetting::Burst, "burst", &self.burst),
            (OverridableSetting::AccountRate, "account_rate", &self.account_rate),
            (OverridableSetting::Tier, "tier", &self.tier),
        ] {
            let Some(text) = value.as_deref() else { continue };
            let value = Some(text).filter(|text| !text.eq_ignore_ascii_case(FILE));
            let change = SettingChange::new(config, lane, setting, value);
            all.push(change.map_err(|error: SettingError| Problem::new(Kind::Invalid, error).at(format!("/{key}")))?);
        }
        if all.is_empty() {
            let sentence = "specify what to change: rate, burst, account_rate, tier or tier_used";
            return Err(Problem::new(Kind::Invalid, sentence));
        }
        Ok(all)
    }
}

/// Override a lane's rate or burst, its account's rate, or its portfolio's tier, also while it sends.
///
/// An override takes effect at once, survives restarts, and ends when the value in the file changes.
#[utoipa::path(patch, path = "/lanes/{lane}", operation_id = "change_lane", tag = "lanes",
    params(("lane" = String, Path, description = "Name of the lane."),
        ("If-Match" = String, Header, description = "ETag of the settings that the change was decided on.")),
    request_body = LaneChange,
    responses((status = 200, description = "The lane after the change.", body = LaneDecisionView), (status = 404),
        (status = 409), (status = 412), (status = 428)))]
pub(super) async fn change(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    headers: HeaderMap,
    Json(change): Json<LaneChange>,
) -> Answer<Response> {
    let config = shared.config.as_ref();
    let decision = change.decision(config, &call, found(config, &call, &name)?)?;
    let turn = SettingsTurn::begin(&shared, &call, &name).await?;
    ensure_unchanged(&headers, &turn.tag)?;
    let reason = DecisionReason { reason: change.reason };
    decide(&shared, &call, &name, decision, reason.text()?).await
}
