//! Messages: send, batch, cancel, details.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::answers::{Failed, Path, json};
use crate::http::accept::Refusal;
use crate::http::access::Caller;
use crate::http::api::Shared;

type By = Extension<Arc<Caller>>;

fn answer<T: Serialize>(shared: &Shared, result: Result<T, Refusal>) -> Response {
    match result {
        Ok(body) => json(StatusCode::OK, &body),
        Err(refusal) => Failed::from(refusal).answer(shared),
    }
}

pub(super) async fn send(
    State(shared): State<Shared>,
    Path(sub_account): Path<String>,
    Extension(caller): By,
    body: Bytes,
) -> Response {
    answer(&shared, shared.0.desk.send(&caller, &sub_account, &body).await)
}

pub(super) async fn send_batch(
    State(shared): State<Shared>,
    Path(sub_account): Path<String>,
    Extension(caller): By,
    body: Bytes,
) -> Response {
    answer(&shared, shared.0.desk.send_batch(&caller, &sub_account, &body).await)
}

pub(super) async fn notify(
    State(shared): State<Shared>,
    Path(sub_account): Path<String>,
    Extension(caller): By,
    body: Bytes,
) -> Response {
    answer(&shared, shared.0.desk.notify(&caller, &sub_account, &body).await)
}

pub(super) async fn notify_batch(
    State(shared): State<Shared>,
    Path(sub_account): Path<String>,
    Extension(caller): By,
    body: Bytes,
) -> Response {
    answer(&shared, shared.0.desk.notify_batch(&caller, &sub_account, &body).await)
}

pub(super) async fn cancel_batch(
    State(shared): State<Shared>,
    Path((sub_account, batch)): Path<(String, String)>,
    Extension(caller): By,
) -> Response {
    answer(&shared, shared.0.desk.cancel_batch(&caller, &sub_account, &batch).await)
}

pub(super) async fn details(
    State(shared): State<Shared>,
    Path((sub_account, umid)): Path<(String, String)>,
    Extension(caller): By,
) -> Response {
    answer(&shared, shared.0.desk.details(&caller, &sub_account, &umid).await)
}
