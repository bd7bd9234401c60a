//! Opts one recipient out or in, and asks before.

use axum::extract::State;
use axum::response::{Redirect, Response};

use super::super::admit::Session;
use super::super::form::Form;
use super::super::frame::page;
use super::opt_outs::asked_of;
use super::show::{known, present};
use crate::base::domain::{Address, Keyword, OptOutOf, Scope, WishSubject};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, decided_how};
use crate::http::pages::{ConsentDone, ConsentPage, Part, Place, purpose_field, recipient_path};
use crate::recipients::optout;

async fn ask(shared: &Shared, session: &Session, call: &Call, address: &str, wants: Keyword) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let address = known(address)?;
    let opt_outs = present(shared.store.opt_outs_of(address.clone()).await?);
    page(&ConsentPage {
        frame: session.frame(Place::Below(Part::Audiences)),
        whom: address.to_string(),
        wants,
        purpose: purpose_field("purpose", OptOutOf::Everything),
        action: decision_path(&address, wants),
        back: recipient_path(&address),
        opt_out: opt_outs.into_iter().next(),
    })
}

fn decision_path(address: &Address, wants: Keyword) -> String {
    let word = match wants {
        Keyword::Stop => "opt-out",
        Keyword::Start => "opt-in",
    };
    format!("{}/{word}", recipient_path(address))
}

async fn decide(shared: &Shared, call: &Call, address: &str, wants: Keyword, form: &Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let address = known(address)?;
    let back = recipient_path(&address);
    let how = decided_how(call, None, form.reason()?);
    // Where somebody opts in again, every opt-out ends.
    let of =
        if wants == Keyword::Stop { asked_of(form.get("purpose").unwrap_or_default())? } else { OptOutOf::Everything };
    let wish = (wants, &WishSubject { of, senders: None });
    let changed = optout::change(shared.store.as_ref(), &[address], wish, shared.clock.now(), &how).await?;
    Ok(Redirect::to(&format!("{back}?done={}", done(wants, changed).as_str())))
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
    Path(address): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    ask(&shared, &session, &call, &address, Keyword::Stop).await
}

pub(super) async fn ask_opt_in(
    State(shared): State<Shared>,
    Path(address): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    ask(&shared, &session, &call, &address, Keyword::Start).await
}

pub(super) async fn opt_out(
    State(shared): State<Shared>,
    Path(address): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &address, Keyword::Stop, &form).await
}

pub(super) async fn opt_in(
    State(shared): State<Shared>,
    Path(address): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &address, Keyword::Start, &form).await
}
