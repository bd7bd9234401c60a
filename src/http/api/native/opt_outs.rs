//! `/opt-outs`: recipients who have opted out.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::campaigns::DecisionReason;
use super::extract::{Call, Json, OptionalJson, Path, Query};
use super::page::{Limit, Page};
use super::problem::{Answer, Kind, Problem};
use crate::base::domain::{Address, Channel, Keyword, OptOutOf, WishSenders, WishSubject};
use crate::campaigns::campaign::noted;
use crate::http::api::Shared;
use crate::recipients::audience::{DefaultCountry, ListedNumbers, OptOutChangeView, Options};
use crate::recipients::optout::{self, ConsentView, OptOutView};
use crate::store::Cursor;

/// The most numbers of one change.
const NUMBERS_MAX: usize = 10_000;

/// A page of opt-outs.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OptOutQuery {
    /// Number of opt-outs of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    cursor: Option<String>,
}

/// List the opt-outs: in order of the number, then the ids of channels in order of arrival.
#[utoipa::path(get, path = "/opt-outs", operation_id = "list_opt_outs", tag = "opt-outs", params(OptOutQuery),
    responses((status = 200, description = "The opt-outs of the page.", body = Page<OptOutView>)))]
pub(super) async fn list(State(shared): State<Shared>, Query(query): Query<OptOutQuery>, uri: Uri) -> Answer<Response> {
    let cursors = shared.cursors("opt-outs", &()).await?;
    let after = query.cursor.map(|cursor| cursors.read::<Cursor>(&cursor)).transpose()?.unwrap_or(Cursor::START);
    let mut wishes = shared.store.opt_outs(after, query.limit.rows()).await?;
    let next = query.limit.cut(&mut wishes).map(|(last, _)| cursors.write(last)).transpose()?;
    Ok(Page { items: wishes.into_iter().map(|(_, wish)| OptOutView::from(wish)).collect(), next }.answer(&uri))
}

/// Get whether a number or an id of a channel has opted out, with its history and the recipient's other addresses.
#[utoipa::path(get, path = "/opt-outs/{address}", operation_id = "get_opt_out", tag = "opt-outs",
    params(("address" = String, Path,
            description = "Number with its country code, or the id by which LINE or WhatsApp names the recipient.")),
    responses((status = 200, description = "The address.", body = ConsentView)))]
pub(super) async fn get(State(shared): State<Shared>, Path(address): Path<Address>) -> Answer<Response> {
    Ok(JsonAnswer(ConsentView::read(shared.store.as_ref(), address).await?).into_response())
}

/// Numbers and ids of channels to opt out or in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"numbers": ["+6591234567"], "reason": "asked on the phone"}))]
pub(super) struct OptOutChange {
    /// Numbers, and ids of channels.
    #[schema(min_items = 1, max_items = 10_000)]
    numbers: Vec<String>,
    /// Default country for numbers without a country code.
    #[serde(default)]
    country: Option<DefaultCountry>,
    /// What they opt out of or in to.
    #[serde(default)]
    #[schema(default = "everything")]
    purpose: OptOutOf,
    /// The senders on one channel, instead of all.
    #[serde(default)]
    scope: Option<OptOutScope>,
    /// Reason, shown in the history of the number.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// The senders on a channel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OptOutScope {
    channel: Channel,
    /// The one of a subaccount; by default all of the channel.
    #[serde(default)]
    sub_account: Option<String>,
}

/// Opt numbers out of all campaigns, on all channels, or of marketing alone. Their waiting messages are cancelled.
///
/// An opt-out that an operator adds ends only with a removal, not with the recipient's START.
#[utoipa::path(post, path = "/opt-outs", operation_id = "add_opt_outs", tag = "opt-outs", request_body = OptOutChange,
    responses((status = 200, description = "How many have changed.", body = OptOutChangeView)))]
pub(super) async fn add(State(shared): State<Shared>, call: Call, Json(body): Json<OptOutChange>) -> Answer<Response> {
    change(&shared, &call, body, Keyword::Stop).await
}

/// Remove opt-outs, whatever their source. Cancelled messages stay cancelled.
///
/// Without `purpose` and `scope`, every opt-out of a number is removed; with them, those that they cover.
#[utoipa::path(post, path = "/opt-outs/remove", operation_id = "remove_opt_outs", tag = "opt-outs",
    request_body = OptOutChange,
    responses((status = 200, description = "How many have changed.", body = OptOutChangeView)))]
pub(super) async fn remove(
    State(shared): State<Shared>,
    call: Call,
    Json(body): Json<OptOutChange>,
) -> Answer<Response> {
    change(&shared, &call, body, Keyword::Start).await
}

/// A reason.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "agreed with the legal team"}))]
pub(super) struct NarrowBody {
    /// Reason, shown in the history of each number.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// How many opt-outs were narrowed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NarrowView {
    narrowed: u64,
}

/// Narrow the opt-outs of everything that the provider reported to what it had reported: marketing on WhatsApp.
///
/// Earlier versions stored each of them as an opt-out of everything. Recipients who have opted out themselves keep that.
#[utoipa::path(post, path = "/opt-outs/narrow", operation_id = "narrow_opt_outs", tag = "opt-outs",
    request_body = NarrowBody, responses((status = 200, description = "How many were narrowed.", body = NarrowView)))]
pub(super) async fn narrow(
    State(shared): State<Shared>,
    call: Call,
    OptionalJson(NarrowBody { reason }): OptionalJson<NarrowBody>,
) -> Answer<Response> {
    let reason = DecisionReason { reason };
    let why = reason.text()?.map(|reason| format!(": {reason}")).unwrap_or_default();
    let how = format!("by {}, to what the provider reported{why}", call.caller.name);
    let narrowed = optout::narrow(shared.store.as_ref(), shared.clock.now(), &how).await?;
    Ok(JsonAnswer(NarrowView { narrowed }).into_response())
}

async fn change(shared: &Shared, call: &Call, body: OptOutChange, wants: Keyword) -> Answer<Response> {
    if body.numbers.is_empty() || body.numbers.len() > NUMBERS_MAX {
        let sentence = format!("numbers has 1 to {NUMBERS_MAX} entries; split a longer list");
        return Err(Problem::new(Kind::Invalid, sentence).at("/numbers"));
    }
    let sender = |OptOutScope { channel, sub_account }| WishSenders { channel, sub_account };
    let subject = WishSubject { of: body.purpose, senders: body.scope.map(sender) };
    if subject.senders.as_ref().is_some_and(|senders| !shared.config.has_sender(senders)) {
        let sentence = "no lane of this channel sends for this subaccount";
        return Err(Problem::new(Kind::Invalid, sentence).at("/scope/sub_account"));
    }
    let reason = DecisionReason { reason: body.reason };
    let how = decided_how(call, None, reason.text()?);
    let options = list_options(body.country, wants);
    let listed = ListedNumbers::read(body.numbers, None, options).await.map_err(|error| Problem::failed(&error))?;
    if listed.is_empty() {
        let sentence = format!("no valid number found; {}", listed.first_invalid());
        return Err(Problem::new(Kind::Invalid, sentence).at("/numbers"));
    }
    let store = shared.store.as_ref();
    let changed = change_listed(shared, &listed, (wants, &subject), &how).await?;
    let noted = noted(store, shared.clock.as_ref(), store.seq().await?).await?;
    Ok(JsonAnswer(OptOutChangeView::new(&listed, changed, noted.by_all())).into_response())
}

/// How numbers are read that are to be opted out or in. An opt-out applies to every possible reading of a number. A removal
/// applies only to a certain one.
pub(in crate::http::api) fn list_options(country: Option<DefaultCountry>, wants: Keyword) -> Options {
    Options { country, takes_all: wants == Keyword::Stop, ..Options::default() }
}

/// Who decided, from which list and why, for the history of the numbers.
pub(in crate::http::api) fn decided_how(call: &Call, list: Option<&str>, reason: Option<&str>) -> String {
    let from = list.map(|list| format!(" from {list}")).unwrap_or_default();
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("by {}{from}{why}", call.caller.name)
}

/// Opts numbers and ids out of a subject, or in to it. Returns how many have changed.
pub(in crate::http::api) async fn change_listed(
    shared: &Shared,
    listed: &ListedNumbers,
    wish: (Keyword, &WishSubject),
    how: &str,
) -> Answer<u64> {
    let (store, now) = (shared.store.as_ref(), shared.clock.now());
    Ok(optout::change(store, &listed.addresses(), wish, now, how).await?)
}
