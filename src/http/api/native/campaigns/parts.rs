//! What the operations about campaigns have in common.

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::base::config::Config;
use crate::campaigns::campaign::{FindError, Launcher, find_exactly};
use crate::http::api::Shared;
use crate::http::api::native::extract::Call;
use crate::http::api::native::problem::Answer;
use crate::store::Batch;

/// Finds a campaign by its id or its name that the caller may use. A batch of API calls is none.
pub(in crate::http::api) async fn found(shared: &Shared, call: &Call, name: &str) -> Answer<Batch> {
    let unknown = || FindError::Unknown { name: name.to_owned(), nearest: None };
    let batch = find_exactly(shared.store.as_ref(), name).await.map_err(|error| match error {
        FindError::InvalidId(_) => unknown(),
        error => error,
    })?;
    let batch = batch.ok_or_else(unknown)?;
    call.ensure_batch(shared, &batch).await?;
    Ok(batch)
}

/// The launcher of a caller, with a configuration.
pub(in crate::http::api) fn launcher<'a>(shared: &'a Shared, config: &'a Config, call: &Call) -> Launcher<'a> {
    Launcher {
        store: shared.store.as_ref(),
        clock: shared.clock.as_ref(),
        chance: &shared.chance,
        config,
        by: call.origin(None),
    }
}

/// The tag of a campaign's plan: it changes with each edition.
pub(super) fn tag_of(batch: &Batch) -> String {
    format!("\"{}-{}\"", batch.public_id(), batch.edition)
}

/// An answer with the tag of the campaign's plan.
pub(super) fn tagged(batch: &Batch, view: &impl Serialize) -> Response {
    let mut response = Json(view).into_response();
    if let Ok(tag) = HeaderValue::try_from(tag_of(batch)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
