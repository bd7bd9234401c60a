//! What the operations about campaigns have in common.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::api::Shared;
use crate::api::native::extract::Call;
use crate::api::native::problem::{Answer, Kind, Problem};
use crate::campaign::{FindError, Launcher, find_exactly};
use crate::config::Config;
use crate::store::Batch;

/// Finds a campaign by its id or its name. A batch of API calls is none.
pub(in crate::api::native) async fn found(shared: &Shared, name: &str) -> Answer<Batch> {
    let unknown = || FindError::Unknown { name: name.to_owned(), nearest: None };
    let batch = find_exactly(shared.store.as_ref(), name).await.map_err(|error| match error {
        FindError::InvalidId(_) => unknown(),
        error => error,
    })?;
    Ok(batch.ok_or_else(unknown)?)
}

/// The launcher of a caller, with a configuration.
pub(in crate::api::native) fn launcher<'a>(shared: &'a Shared, config: &'a Config, call: &Call) -> Launcher<'a> {
    Launcher {
        store: shared.store.as_ref(),
        clock: shared.clock.as_ref(),
        chance: &shared.chance,
        config,
        by: call.origin(None),
    }
}

/// The tag of a campaign's plan: it changes with each edition.
fn tag_of(batch: &Batch) -> String {
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

/// Checks that a change was decided on the present plan.
#[expect(dead_code, reason = "the change of a plan follows")]
pub(super) fn ensure_unchanged(headers: &HeaderMap, batch: &Batch) -> Answer<()> {
    let Some(wanted) = headers.get(header::IF_MATCH) else {
        return Err(Problem::new(
            Kind::NoPrecondition,
            "a change needs the header If-Match with the ETag of the campaign that it was decided on; get the campaign first",
        ));
    };
    let tag = tag_of(batch);
    let matches = wanted.to_str().is_ok_and(|wanted| wanted == "*" || wanted.split(',').any(|one| one.trim() == tag));
    if matches {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Changed,
        "the campaign was changed meanwhile; get it again, and repeat the change if it still applies",
    ))
}
