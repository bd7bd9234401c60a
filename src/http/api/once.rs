//! Requests with an `Idempotency-Key`: carried out once, and answered as often as they are sent.

use std::panic::AssertUnwindSafe;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::OriginalUri;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use futures_util::FutureExt;
use sha2::{Digest, Sha256};

use super::Shared;
use crate::base::clock::format_time;
use crate::base::domain::{Causes, Span, Timestamp};
use crate::http::access::Caller;
use crate::store::{self, Begun, NewRequest, RequestKey, StoredAnswer};

pub(super) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key.
pub(super) const KEY_MAX: usize = 255;
/// When to repeat a request that is in progress.
pub(super) const LATER: Span = Span::from_secs(1);
/// How often a request is tried to be forgotten.
const FORGET_TRIES: u32 = 5;
/// The largest answer that is stored: that to ten thousand messages is smaller.
const ANSWER_MAX: usize = 32 << 20;
/// The headers of an answer that are repeated with it.
const REPEATED: [HeaderName; 4] = [header::CONTENT_TYPE, header::ETAG, header::LINK, header::LOCATION];

/// A request that is carried out once.
#[derive(Debug)]
pub(super) struct Once {
    of: RequestKey,
    digest: [u8; 32],
}

/// Why a request with a key is not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOnce {
    #[error("an Idempotency-Key is 1 to {KEY_MAX} visible ASCII characters, such as a UUID")]
    InvalidKey,
    #[error("the Idempotency-Key belongs to a request with another path or body; use another key")]
    Reused,
    #[error("a request with this Idempotency-Key is in progress; repeat the request for its answer")]
    InProgress,
    #[error(
        "the server was stopped or has failed while it carried out this request, begun at {}, so its result is not known; \
         check whether the object exists or has the new state, and repeat the request with another Idempotency-Key if not",
        format_time(*begun_at, None)
    )]
    Interrupted { begun_at: Timestamp },
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the answer to a request with an Idempotency-Key cannot be stored")]
    Answer(#[source] axum::Error),
    #[error("a request with an Idempotency-Key has panicked")]
    Panicked,
}

/// The body with which an answer is stored and repeated, because its own body shows a secret once.
#[derive(Debug, Clone)]
pub(super) struct RepeatedBody(pub(super) Vec<u8>);

/// The key of a request, if it names one. Only POST has keys: the other methods may be repeated as they are.
///
/// - The digest of a body with a password is salted by this start of the server: nobody can guess the password from what is
///   stored, and after a restart the same request counts as another.
pub(super) fn named(
    caller: &Caller,
    parts: &Parts,
    body: &Bytes,
    salt: Option<&[u8]>,
) -> Result<Option<Once>, NotOnce> {
    let Some(key) = parts.headers.get(KEY).filter(|_| parts.method == Method::POST) else { return Ok(None) };
    let key = key.to_str().ok().map(str::trim).filter(|key| is_key(key));
    let key = key.ok_or(NotOnce::InvalidKey)?;
    let mut digest = Sha256::new();
    digest.update(salt.unwrap_or_default());
    // Neither a method nor a path and query contains a line end.
    digest.update(format!("{}\n{}\n", parts.method, whole_uri(parts)));
    digest.update(body);
    let of = RequestKey { caller: caller.id.clone(), key: key.to_owned() };
    Ok(Some(Once { of, digest: digest.finalize().into() }))
}

/// What the caller has asked for: a nested router strips what it has matched, such as the subaccount.
pub(super) fn whole_uri(parts: &Parts) -> &Uri {
    parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri)
}

fn is_key(text: &str) -> bool {
    (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Once {
    /// Carries the request out, unless it was carried out before.
    pub(super) async fn run(
        self,
        shared: &Shared,
        carry_out: impl Future<Output = Response>,
    ) -> Result<Response, NotOnce> {
        let (store, now) = (&shared.store, shared.clock.now());
        let new = NewRequest { of: self.of.clone(), digest: self.digest, run: shared.0.run, now };
        match store.begin_request(new).await? {
            Begun::New => {}
            Begun::Finished(answer) => return Ok(repeated(answer)),
            Begun::Other => return Err(NotOnce::Reused),
            Begun::InProgress => return Err(NotOnce::InProgress),
            Begun::Interrupted { begun_at } => return Err(NotOnce::Interrupted { begun_at }),
        }
        let answered = match AssertUnwindSafe(carry_out).catch_unwind().await {
            Ok(response) if may_be_repeated(response.status()) => match self.forget(shared).await {
                Ok(()) => return Ok(response),
                Err(error) => Err(error.into()),
            },
            Ok(response) => self.finish(shared, response).await,
            // The panic itself is in the log.
            Err(_) => Err(NotOnce::Panicked),
        };
        if answered.is_err()
            && let Err(error) = store.interrupt_request(self.of).await
        {
            tracing::warn!(error = %Causes(&error), "a request without an answer stays in progress until the next start");
        }
        answered
    }

    /// Forgets the request. What kept it from being carried out, such as a locked database, may keep it from this too.
    async fn forget(&self, shared: &Shared) -> store::Result<()> {
        for _ in 1..FORGET_TRIES {
            match shared.store.forget_request(self.of.clone()).await {
                Err(error) if error.is_passing() => shared.clock.sleep(LATER).await,
                done => return done,
            }
        }
        shared.store.forget_request(self.of.clone()).await
    }

    async fn finish(&self, shared: &Shared, response: Response) -> Result<Response, NotOnce> {
        let (mut parts, body) = response.into_parts();
        let body = to_bytes(body, ANSWER_MAX).await.map_err(NotOnce::Answer)?;
        let repeated = parts.extensions.remove::<RepeatedBody>();
        let answer = StoredAnswer {
            status: parts.status.as_u16(),
            headers: stored_headers(&parts.headers),
            body: repeated.map_or_else(|| body.to_vec(), |repeated| repeated.0),
        };
        shared.store.finish_request(self.of.clone(), answer, shared.clock.now()).await?;
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}

/// Whether a request with this answer was not carried out, so that its repetition is not a second one.
fn may_be_repeated(status: StatusCode) -> bool {
    [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status)
}

fn stored_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let stored = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned()));
    REPEATED.iter().filter_map(stored).collect()
}

fn repeated(answer: StoredAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
