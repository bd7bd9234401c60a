//! A webhook with its deliveries, and one of them.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::webhooks::{about, found, rows};
use super::{SHOWN, done, saying};
use crate::base::domain::Scope;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, Query, cut, desk};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::{with_cursor, without_cursor};
use crate::http::api::web::frame::page;
use crate::http::outgoing::Failed;
use crate::http::pages::{AccessDone, DeliveryPage, DeliveryRow, Part, Place, TryRow, WebhookPage, WebhookRow};
use crate::store::{Delivery, DeliveryState, Receiver, Replay, Subscription, WebhookFormat};

/// Which deliveries are listed.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct DeliveriesQuery {
    failed: bool,
    #[serde(skip_serializing)]
    cursor: String,
    #[serde(skip_serializing, deserialize_with = "crate::http::api::web::form::known")]
    done: Option<AccessDone>,
}

fn row(delivery: Delivery) -> DeliveryRow {
    let waits = delivery.state == DeliveryState::Waiting;
    DeliveryRow {
        number: delivery.id,
        event: delivery.what.event,
        kind: delivery.what.kind,
        state: delivery.state.as_str(),
        created_at: delivery.created_at,
        tries: delivery.tries,
        begun_at: delivery.begun_at,
        next_at: waits.then_some(delivery.next_at),
        latest: delivery.latest.map(|latest| TryRow {
            at: latest.at,
            took_ms: latest.took.millis(),
            status: latest.status,
            error: latest.error,
            answer: latest.answer,
        }),
    }
}

async fn webhook_row(shared: &Shared, call: &Call, webhook: Subscription) -> Answer<WebhookRow> {
    let unknown = Failed::Unknown { name: webhook.name.clone(), hint: String::new() };
    rows(shared, vec![webhook], call.at).await?.pop().ok_or_else(|| unknown.into())
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<DeliveriesQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    let cursors = shared.cursors("delivery-pages", &(webhook.id, &query)).await?;
    let before = cursors.position::<i64>(&query.cursor)?;
    let receiver = Receiver::Subscription(webhook.id);
    let mut listed = match query.failed {
        true => shared.store.failed_deliveries(receiver, before, SHOWN + 1).await?,
        false => shared.store.deliveries(receiver, before, SHOWN + 1).await?,
    };
    let next = cut(&mut listed, SHOWN).map(|last| cursors.write(&last.id)).transpose()?;
    page(&WebhookPage {
        frame: saying(session.frame(Place::Below(Part::Server)), query.done),
        webhook: webhook_row(&shared, &call, webhook).await?,
        deliveries: listed.into_iter().map(row).collect(),
        failed: query.failed,
        is_later: before.is_some(),
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

/// One delivery of a webhook.
async fn one(shared: &Shared, webhook: &Subscription, number: i64) -> Answer<Delivery> {
    let found = shared.store.delivery(number).await?;
    let of_it = found.filter(|found| found.what.receiver == Receiver::Subscription(webhook.id));
    of_it.ok_or_else(|| Failed::Delivery { id: number, name: webhook.name.clone() }.into())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeliveryQuery {
    #[serde(deserialize_with = "crate::http::api::web::form::known")]
    done: Option<AccessDone>,
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Path((id, number)): Path<(String, i64)>,
    Query(query): Query<DeliveryQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    let delivery = one(&shared, &webhook, number).await?;
    let is_signed = webhook.format == WebhookFormat::Volley;
    let tried_at = delivery.latest.as_ref().filter(|_| is_signed).map(|latest| latest.at);
    page(&DeliveryPage {
        frame: saying(session.frame(Place::Below(Part::Server)), query.done),
        webhook: webhook_row(&shared, &call, webhook).await?,
        signed_at: tried_at.map(|at| at.millis().div_euclid(1_000)),
        body: pretty(&delivery.what.body),
        delivery: row(delivery),
    })
}

/// A body with an entry a line, in the order of the keys; as it is if it is no JSON.
fn pretty(body: &str) -> String {
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(body);
    parsed.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| body.to_owned())
}

pub(super) async fn test(State(shared): State<Shared>, Path(id): Path<String>, call: Call) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    let number = desk(&shared).test(&webhook.name).await?;
    let path = format!("/webhooks/{}/deliveries/{number}", webhook.id);
    Ok(about(done(&path, AccessDone::Tested), &webhook.name))
}

pub(super) async fn replay(
    State(shared): State<Shared>,
    Path((id, number)): Path<(String, i64)>,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    let replayed = desk(&shared).replay(&webhook.name, Replay::One(number)).await?;
    let path = format!("/webhooks/{}/deliveries/{number}", webhook.id);
    let what = if replayed > 0 { AccessDone::Replayed } else { AccessDone::Waits };
    Ok(about(done(&path, what), &format!("{} delivery {number}", webhook.name)))
}
