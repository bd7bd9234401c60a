//! Records each request that may change something in the audit log, once its answer is known and before it is given.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::extract::Asked;
use super::frame::RequestId;
use super::masked::{shown_path, shown_value};
use super::problem::{Answer, Kind, Problem};
use super::{PREFIX, Shared};
use crate::base::domain::Causes;
use crate::http::access::Caller;
use crate::store::AuditRequest;

/// Marks an answer whose change has its entry already, in the transaction of the change.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::api) struct Recorded;

/// What a request was about that its path does not name.
#[derive(Debug, Clone)]
pub(in crate::http::api) struct About(pub(in crate::http::api) String);

/// The request, as the audit log records it.
pub(super) fn asked(parts: &Parts, peer: IpAddr) -> AuditRequest {
    AuditRequest {
        id: parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default(),
        peer,
        method: parts.method.to_string(),
        path: format!("{PREFIX}{}", shown_path(parts.uri.path())),
    }
}

/// An entry of the audit log that waits for the answer.
pub(in crate::http::api) struct Entry {
    caller: Arc<Caller>,
    request: AuditRequest,
    /// What the path names, such as `Promo step 2`.
    named: Option<String>,
}

impl Entry {
    pub(in crate::http::api) async fn of(caller: Arc<Caller>, parts: &mut Parts) -> Answer<Self> {
        let Asked(request) = Asked::from_request_parts(parts, &()).await?;
        let named = RawPathParams::from_request_parts(parts, &()).await.ok().and_then(|params| named(&params));
        Ok(Self { caller, request, named })
    }

    /// Records the request with its answer. A success without its entry is no success.
    ///
    /// - Costs one transaction, which the writer groups with others. Requests that change something are few: messages that
    ///   are sent one by one are not recorded.
    pub(in crate::http::api) async fn record(self, shared: &Shared, response: Response) -> Answer<Response> {
        if response.extensions().get::<Recorded>().is_some() {
            return Ok(response);
        }
        let (status, object) = (response.status(), about(&response).or_else(|| created(&response)).or(self.named));
        let now = shared.clock.now();
        let recorded = shared.0.access.record_request(&self.caller, self.request, object, status.as_u16(), now).await;
        match recorded {
            Ok(()) => Ok(response),
            Err(error) if status.is_success() => {
                tracing::error!(error = %Causes(&error), "cannot write the audit log");
                let sentence = format!(
                    "the request was carried out, but its entry of the audit log cannot be written: {error}; look at its \
                     object before you repeat it"
                );
                Err(Problem::new(Kind::Failed, sentence))
            }
            Err(error) => {
                tracing::warn!(error = %Causes(&error), %status, "cannot write the audit log about a failed request");
                Ok(response)
            }
        }
    }
}

/// The first name of a path alone, and the others with what they are. Recipients are masked.
fn named(params: &RawPathParams) -> Option<String> {
    let mut params = params.iter().map(|(name, value)| (name, shown_value(name, value)));
    let (_, first) = params.next()?;
    Some(params.fold(first.into_owned(), |named, (name, value)| format!("{named} {name} {value}")))
}

fn about(response: &Response) -> Option<String> {
    response.extensions().get::<About>().map(|About(about)| about.clone())
}

/// The id of what was created. A page answers with a redirect to where its operator goes on.
fn created(response: &Response) -> Option<String> {
    if response.status() != StatusCode::CREATED {
        return None;
    }
    let place = response.headers().get(header::LOCATION)?.to_str().ok()?;
    place.rsplit('/').next().map(str::to_owned)
}
