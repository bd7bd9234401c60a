//! The own password of an operator.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{DoneQuery, done, recorded, saying};
use crate::base::config::Secret;
use crate::http::access::{AccessError, By, Denied};
use crate::http::api::Shared;
use crate::http::api::door::Client;
use crate::http::api::native::{Answer, Asked, Call, Query};
use crate::http::api::web::admit::Session;
use crate::http::api::web::failures::{too_many_attempts, wait_and_retry};
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::page;
use crate::http::api::web::session as cookies;
use crate::http::pages::{AccessDone, Frame, PasswordPage, Place, texts};

const PATH: &str = "/password";

pub(super) async fn ask(Query(query): Query<DoneQuery>, session: Session) -> Answer<Response> {
    let frame = saying(session.frame(Place::Elsewhere), query.done);
    page(&PasswordPage { frame, other: None, present_problem: None, new_problem: None })
}

/// The form with what is wrong.
fn refused(frame: Frame, present: Option<String>, new: Option<String>) -> Answer<Response> {
    let shown = page(&PasswordPage { frame, other: None, present_problem: present, new_problem: new })?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, shown).into_response())
}

/// Changes it, which ends all sessions, and begins another session for this browser.
///
/// - A wrong present password counts as a failed attempt to sign in: a browser that was left alone is no way to guess it.
pub(super) async fn change(
    State(shared): State<Shared>,
    session: Session,
    call: Call,
    client: Client,
    Asked(asked): Asked,
    form: Form,
) -> Answer<Response> {
    let (frame, now, caller) = (session.frame(Place::Elsewhere), shared.clock.now(), &call.caller);
    let secret = |name: &str| Secret::new(form.get(name).unwrap_or_default());
    let password = secret("password");
    if password != secret("repeated") {
        let problem = texts().access.passwords_differ.to_owned();
        return refused(frame, None, Some(problem));
    }
    let sign_ins = &shared.0.sign_ins;
    if let Some(wait) = sign_ins.must_wait(asked.peer, now) {
        let present_problem = Some(too_many_attempts());
        return Ok(wait_and_retry(
            wait,
            page(&PasswordPage { frame, other: None, present_problem, new_problem: None })?,
        ));
    }
    // Before the password is hashed, so that many requests at once are counted too.
    sign_ins.failed(asked.peer, now);
    match shared.0.access.sign_in(&caller.name, secret("present")).await {
        Ok(_) => sign_ins.succeeded(asked.peer),
        Err(denied @ Denied::Unavailable { .. }) => return Err(denied.into()),
        Err(_) => {
            tracing::warn!(peer = %asked.peer, "a wrong password was given to change it");
            let problem = texts().access.wrong_password.to_owned();
            return refused(frame, Some(problem), None);
        }
    }
    match shared.0.access.set_password(&caller.name, password, &By::caller(caller, asked.clone()), now).await {
        Ok(_) => {}
        Err(error @ AccessError::Password(_)) => {
            return refused(frame, None, Some(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    }
    let begun = shared.0.access.begin_session(caller, session.0.zone, asked, now).await?;
    let mut response = done(PATH, AccessDone::OwnPassword);
    response.headers_mut().insert(header::SET_COOKIE, cookies::cookie(&shared, client, begun.expose())?);
    Ok(recorded(response))
}
