//! Operators, API keys, webhooks and the audit log. All but the own password need the scope `admin`.

mod audit_log;
mod deliveries;
mod keys;
mod operators;
mod password;
mod secrets;
#[cfg(test)]
mod tests;
mod webhooks;

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

pub(super) use secrets::NewSecret;
pub(in crate::http::api) use secrets::NewSecrets;

use super::form::Form;
use super::frame::no_such_method;
use crate::base::domain::Scope;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Recorded};
use crate::http::pages::{AccessDone, Field, Frame, ScopeChoices};

/// Rows of a page.
const SHOWN: u32 = 50;
/// Entries of the audit log that one page looks at, so that it is fast however many there are.
const SEARCHED: u32 = 2_000;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/keys", get(keys::list))
        .route("/keys/new", get(keys::ask_new).post(keys::create))
        .route("/keys/{key}/rotate", get(keys::ask_rotate).post(keys::rotate))
        .route("/keys/{key}/revoke", get(keys::ask_revoke).post(keys::revoke))
        // What asks for the headers alone uses no secret up.
        .route("/keys/{key}/secret", get(keys::secret).head(no_such_method))
        .route("/operators", get(operators::list))
        .route("/operators/new", get(operators::ask_new).post(operators::create))
        .route("/operators/{operator}/password", get(operators::ask_password).post(operators::set_password))
        .route("/operators/{operator}/scopes", get(operators::ask_scopes).post(operators::set_scopes))
        .route("/operators/{operator}/disable", get(operators::ask_disable).post(operators::disable))
        .route("/operators/{operator}/enable", post(operators::enable))
        .route("/password", get(password::ask).post(password::change))
        .route("/webhooks", get(webhooks::list))
        .route("/webhooks/new", get(webhooks::ask_new).post(webhooks::create))
        .route("/webhooks/{webhook}", get(deliveries::list))
        .route("/webhooks/{webhook}/enable", post(webhooks::enable))
        .route("/webhooks/{webhook}/disable", post(webhooks::disable))
        .route("/webhooks/{webhook}/rotate", get(webhooks::ask_rotate).post(webhooks::rotate))
        .route("/webhooks/{webhook}/secret", get(webhooks::secret).head(no_such_method))
        .route("/webhooks/{webhook}/remove", get(webhooks::ask_remove).post(webhooks::remove))
        .route("/webhooks/{webhook}/test", post(deliveries::test))
        .route("/webhooks/{webhook}/deliveries/{delivery}", get(deliveries::show))
        .route("/webhooks/{webhook}/deliveries/{delivery}/replay", post(deliveries::replay))
        .route("/audit-log", get(audit_log::list))
}

/// What was just done, for a sentence on the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DoneQuery {
    #[serde(deserialize_with = "super::form::known")]
    done: Option<AccessDone>,
}

/// The frame of a page that says what was just done.
fn saying(mut frame: Frame, done: Option<AccessDone>) -> Frame {
    frame.notice = done.map(|done| frame.texts().access.done(done).to_owned());
    frame
}

/// Leads to a page that says what was done.
fn done(path: &str, done: AccessDone) -> Response {
    Redirect::to(&format!("{path}?done={}", done.as_str())).into_response()
}

/// The answer to a change that has its entry of the audit log.
fn recorded(mut response: Response) -> Response {
    response.extensions_mut().insert(Recorded);
    response
}

/// A field of a form, with what was entered.
fn field(form: &Form, name: &str, (label, hint): (&'static str, &'static str), problem: Option<String>) -> Field {
    let value = form.get(name).unwrap_or_default().to_owned();
    Field { problem, ..Field::text(name, (label, hint), value) }
}

/// The scopes that a form has checked. A word that does not exist is none: the form has no such box.
fn scopes(form: &Form) -> impl Iterator<Item = Scope> {
    form.all("scope").filter_map(|scope| scope.parse().ok())
}

fn scope_choices(checked: impl Iterator<Item = Scope>, problem: Option<String>) -> ScopeChoices {
    let checked: Vec<Scope> = checked.collect();
    ScopeChoices { scopes: Scope::ALL.iter().map(|scope| (*scope, checked.contains(scope))).collect(), problem }
}

/// Values with commas between them; `None` if there are none.
fn separated(text: Option<&str>) -> Option<Vec<String>> {
    let values = text?.split(',').map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    Some(values.collect()).filter(|values: &Vec<String>| !values.is_empty())
}

/// How long a former secret stays valid, as a form says it.
fn overlap(form: &Form) -> Answer<crate::base::domain::Span> {
    use crate::http::api::native::{Kind, Problem};
    form.entered("overlap").unwrap_or("0s").parse().map_err(|error| Problem::new(Kind::Invalid, error))
}
