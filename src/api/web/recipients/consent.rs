//! Opts one recipient out or in, and asks before.

use axum::extract::State;
use axum::response::{Redirect, Response};

use super::super::admit::Session;
use super::super::form::Form;
use super::super::frame::page;
use super::show::{known, present};
use crate::api::Shared;
use crate::api::native::{Answer, Call, Kind, Path, Problem, decided_how};
use crate::domain::{ChannelUser, Keyword, Msisdn, Scope};
use crate::optout::{self, ConsentView};
use crate::pages::{ConsentDone, ConsentPage, Part, Place, WishLine, recipient_path, user_path};

async fn ask(shared: &Shared, session: &Session, call: &Call, number: &str, wants: Keyword) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let number = known(number)?;
    let view = ConsentView::read(shared.store.as_ref(), number.into()).await?;
    page(&ConsentPage {
        frame: session.frame(Place::Below(Part::Audiences)),
        whom: number.to_string(),
        wants,
        action: decision_path(number, wants),
        back: recipient_path(number),
        opt_out: present(&view),
    })
}

fn decision_path(number: Msisdn, wants: Keyword) -> String {
    let word = match wants {
        Keyword::Stop => "opt-out",
        Keyword::Start => "opt-in",
    };
    format!("{}/{word}", recipient_path(number))
}

async fn decide(shared: &Shared, call: &Call, number: &str, wants: Keyword, form: &Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let number = known(number)?;
    let how = decided_how(call, None, form.reason()?);
    let changed = optout::change(shared.store.as_ref(), &[number.into()], wants, shared.clock.now(), &how).await?;
    Ok(Redirect::to(&format!("{}?done={}", recipient_path(number), done(wants, changed).as_str())))
}

const fn done(wants: Keyword, changed: u64) -> ConsentDone {
    match (changed, wants) {
        (0, _) => ConsentDone::Unchanged,
        (_, Keyword::Stop) => ConsentDone::Out,
        (_, Keyword::Start) => ConsentDone::In,
    }
}

pub(super) async fn ask_opt_out(
    State(shared): State<Shared>,
    Path(number): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    ask(&shared, &session, &call, &number, Keyword::Stop).await
}

pub(super) async fn ask_opt_in(
    State(shared): State<Shared>,
    Path(number): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    ask(&shared, &session, &call, &number, Keyword::Start).await
}

pub(super) async fn opt_out(
    State(shared): State<Shared>,
    Path(number): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &number, Keyword::Stop, &form).await
}

pub(super) async fn opt_in(
    State(shared): State<Shared>,
    Path(number): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &number, Keyword::Start, &form).await
}

/// The channel user of an address.
fn user_of(id: &str) -> Answer<ChannelUser> {
    id.parse().map_err(|error| Problem::new(Kind::NotFound, error))
}

pub(super) async fn ask_remove_user(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let user = user_of(&id)?;
    let wish = shared.store.opt_out_of(user.clone().into()).await?;
    let opt_out = wish.map(|wish| WishLine { at: wish.since, wants: Keyword::Stop, by: wish.from, how: wish.source });
    page(&ConsentPage {
        frame: session.frame(Place::Below(Part::Audiences)),
        action: user_path(&user.id),
        whom: user.id,
        wants: Keyword::Start,
        back: "/opt-outs".to_owned(),
        opt_out,
    })
}

pub(super) async fn remove_user(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let user = user_of(&id)?;
    let how = decided_how(&call, None, form.reason()?);
    let (store, now) = (shared.store.as_ref(), shared.clock.now());
    let changed = optout::change(store, &[user.into()], Keyword::Start, now, &how).await?;
    Ok(Redirect::to(&format!("/opt-outs?done={}", done(Keyword::Start, changed).as_str())))
}
