//! The cookie of a session.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::own_origin::is_own;
use crate::http::access::{Denied, SESSION_MAX, SignedIn};
use crate::http::api::Shared;
use crate::http::api::door::Client;
use crate::http::api::native::{Answer, Kind, Problem};

/// The names of the cookie. A browser takes the first over TLS only, for this host only.
const OVER_TLS: &str = "__Host-volley";
const PLAIN: &str = "volley";
/// What a script of our pages sends with its requests to `/v1`.
const FORM_TOKEN: HeaderName = HeaderName::from_static("x-form-token");

/// The secret of a session that a request presents.
pub(in crate::http::api) fn presented(shared: &Shared, client: Client, headers: &HeaderMap) -> Option<String> {
    let name = name(shared, client);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(of, _)| *of == name).map(|(_, secret)| secret.to_owned())
}

/// Checks that a change comes from a script of a page of the session.
pub(in crate::http::api) fn proven_by_page(
    shared: &Shared,
    client: Client,
    session: &SignedIn,
    (method, headers): (&Method, &HeaderMap),
) -> Answer<()> {
    if [Method::GET, Method::HEAD].contains(method) {
        return Ok(());
    }
    let given = headers.get(FORM_TOKEN).and_then(|token| token.to_str().ok()).unwrap_or_default();
    ensure_own(shared, client, session, (headers, given))
}

/// Checks that a form comes from a page of the session.
pub(super) fn ensure_own(
    shared: &Shared,
    client: Client,
    session: &SignedIn,
    (headers, form_token): (&HeaderMap, &str),
) -> Answer<()> {
    if is_own(headers, is_secure(shared, client)) && session.form_token.matches(form_token) {
        return Ok(());
    }
    Err(Problem::new(Kind::Forbidden, "this form is from another session or from another site; open the page again"))
}

/// The cookie that gives a browser the secret of its session.
pub(super) fn cookie(shared: &Shared, client: Client, secret: &str) -> Answer<HeaderValue> {
    written(shared, client, secret, SESSION_MAX.millis() / 1_000)
}

/// The cookie that takes it away.
pub(super) fn no_cookie(shared: &Shared, client: Client) -> Answer<HeaderValue> {
    written(shared, client, "", 0)
}

fn written(shared: &Shared, client: Client, secret: &str, seconds: i64) -> Answer<HeaderValue> {
    let secure = if is_secure(shared, client) { "; Secure" } else { "" };
    let text = format!("{}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", name(shared, client));
    HeaderValue::try_from(text).map_err(|error| Problem::failed(&error))
}

fn name(shared: &Shared, client: Client) -> &'static str {
    if is_secure(shared, client) { OVER_TLS } else { PLAIN }
}

/// Whether browsers reach the pages over TLS: of this server, or of a proxy before it.
pub(super) fn is_secure(shared: &Shared, client: Client) -> bool {
    let server = &shared.config.server;
    client.is_over_tls || server.tls.is_some() || server.public_url.starts_with("https://")
}

/// The session of a request.
pub(super) async fn of(shared: &Shared, client: Client, headers: &HeaderMap) -> Result<SignedIn, Denied> {
    let secret = presented(shared, client, headers).ok_or(Denied::NoSession)?;
    shared.0.access.session(&secret, shared.clock.now()).await
}
