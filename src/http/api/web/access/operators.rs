//! Operators: who they are, and their passwords.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::{SEARCHED, SHOWN, done, field, recorded, saying, scope_choices, scopes};
use crate::base::config::Secret;
use crate::base::domain::{AuditAction, Scope, Scopes, Timestamp};
use crate::http::access::{AccessError, By, NewOperator, all_operators};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Asked, Call, Path, Query, cut};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::with_cursor;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::{page, refused};
use crate::http::pages::{
    AccessDone, AccessState, AskPage, Frame, NewOperatorPage, OperatorRow, OperatorScopesPage, OperatorsPage, Part,
    PasswordPage, Place, ScopeChoices, operator_path,
};
use crate::store::{AuditFilter, OperatorAccount};

const LIST: &str = "/operators";

/// Which operators are listed.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct OperatorsQuery {
    cursor: String,
    #[serde(deserialize_with = "crate::http::api::web::form::known")]
    done: Option<AccessDone>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<OperatorsQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let cursors = shared.cursors("operator-pages", &()).await?;
    let after = cursors.position::<String>(&query.cursor)?;
    let is_later = after.is_some();
    let mut operators = shared.store.operators(after, SHOWN + 1).await?;
    let next = cut(&mut operators, SHOWN).map(|last| cursors.write(&last.name)).transpose()?;
    let sign_ins = last_sign_ins(&shared).await?;
    let row = |operator: OperatorAccount| OperatorRow {
        path: operator_path(&operator.name),
        is_own: operator.name == call.caller.name,
        state: if operator.disabled_at.is_some() { AccessState::Disabled } else { AccessState::Active },
        scopes: operator.scopes.given().collect(),
        last_sign_in: sign_ins.get(&operator.name).copied(),
        password_since: operator.password_set_at,
        created_at: operator.created_at,
        created_by: operator.created_by,
        name: operator.name,
    };
    page(&OperatorsPage {
        frame: saying(session.frame(Place::Operators), query.done),
        operators: operators.into_iter().map(row).collect(),
        searched: SEARCHED,
        is_later,
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

/// The last sign-in of each operator, as far as the latest sign-ins in the audit log have it.
async fn last_sign_ins(shared: &Shared) -> Answer<HashMap<String, Timestamp>> {
    let sign_ins = AuditFilter { action: Some(AuditAction::SignedIn), ..AuditFilter::default() };
    let mut found = HashMap::new();
    for (_, entry) in shared.store.audit_entries_before(sign_ins, None, SEARCHED).await? {
        found.entry(entry.object.unwrap_or_default()).or_insert(entry.at);
    }
    Ok(found)
}

fn form_page(frame: Frame, form: &Form, error: Option<&AccessError>) -> NewOperatorPage {
    let own = frame.texts().access;
    let problem = |field| error.filter(|error| field_of(error) == Some(field)).map(ToString::to_string);
    NewOperatorPage {
        name: field(form, "name", (own.name, own.name_hint), problem("name")),
        scopes: scope_choices(scopes(form), problem("scopes")),
        password_problem: problem("password"),
        frame,
    }
}

/// The field that an error is about; an error of the server is about none.
const fn field_of(error: &AccessError) -> Option<&'static str> {
    match error {
        AccessError::Name(_) | AccessError::OperatorExists { .. } => Some("name"),
        AccessError::Key(_) => Some("scopes"),
        AccessError::Password(_) => Some("password"),
        _ => None,
    }
}

pub(super) async fn ask_new(session: Session, call: Call) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    page(&form_page(session.frame(Place::Below(Part::Server)), &Form::default(), None))
}

pub(super) async fn create(
    State(shared): State<Shared>,
    session: Session,
    call: Call,
    Asked(asked): Asked,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let new = NewOperator {
        name: form.entered("name").unwrap_or_default().to_owned(),
        scopes: scopes(&form).collect::<Scopes>(),
        password: Secret::new(form.get("password").unwrap_or_default()),
    };
    match shared.0.access.create_operator(new, &By::caller(&call.caller, asked), shared.clock.now()).await {
        Ok(_) => Ok(recorded(done(LIST, AccessDone::Created))),
        Err(error) if field_of(&error).is_some() => {
            refused(&form_page(session.frame(Place::Below(Part::Server)), &form, Some(&error)))
        }
        Err(error) => Err(error.into()),
    }
}

fn password_page(frame: Frame, name: &str, new_problem: Option<String>) -> PasswordPage {
    let other = Some((name.to_owned(), format!("{}/password", operator_path(name))));
    PasswordPage { frame, other, present_problem: None, new_problem }
}

pub(super) async fn ask_password(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    shared.0.access.operator(&name).await?;
    page(&password_page(session.frame(Place::Below(Part::Server)), &name, None))
}

pub(super) async fn set_password(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
    Asked(asked): Asked,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let password = Secret::new(form.get("password").unwrap_or_default());
    let by = By::caller(&call.caller, asked);
    match shared.0.access.set_password(&name, password, &by, shared.clock.now()).await {
        Ok(_) => Ok(recorded(done(LIST, AccessDone::PasswordSet))),
        Err(error @ AccessError::Password(_)) => {
            let frame = session.frame(Place::Below(Part::Server));
            refused(&password_page(frame, &name, Some(error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

fn scopes_page(session: &Session, call: &Call, name: String, scopes: ScopeChoices) -> OperatorScopesPage {
    let frame = session.frame(Place::Below(Part::Server));
    OperatorScopesPage { is_own: name == call.caller.name, frame, name, scopes }
}

pub(super) async fn ask_scopes(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let operator = shared.0.access.operator(&name).await?;
    page(&scopes_page(&session, &call, name, scope_choices(operator.scopes.given(), None)))
}

pub(super) async fn set_scopes(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
    Asked(asked): Asked,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let by = By::caller(&call.caller, asked);
    match shared.0.access.set_scopes(&name, scopes(&form).collect(), &by, shared.clock.now()).await {
        Ok((operator, is_changed)) => {
            let is_admin = name != call.caller.name || operator.scopes.contain(Scope::Admin);
            // Without the scope, the list of operators cannot be seen any more.
            let response = if is_admin { done(LIST, AccessDone::ScopesSet) } else { Redirect::to("/").into_response() };
            Ok(if is_changed { recorded(response) } else { response })
        }
        Err(error @ (AccessError::Key(_) | AccessError::LastAdmin { .. })) => {
            let choices = scope_choices(scopes(&form), Some(error.to_string()));
            refused(&scopes_page(&session, &call, name, choices))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn ask_disable(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    shared.0.access.operator(&name).await?;
    let is_admin = |other: &OperatorAccount| {
        other.disabled_at.is_none() && other.scopes.contain(Scope::Admin) && other.name != name
    };
    let leaves_admin = all_operators(shared.store.as_ref()).await?.iter().any(is_admin);
    let frame = session.frame(Place::Below(Part::Server));
    let own = frame.texts().access;
    let lead = [
        Some(own.disable_lead),
        (name == call.caller.name).then_some(own.disable_self),
        (!leaves_admin).then_some(own.disable_last),
    ];
    page(&AskPage {
        list: (LIST, own.operators),
        title: own.disable_title(&name),
        lead: lead.into_iter().flatten().collect(),
        action: format!("{}/disable", operator_path(&name)),
        confirm: own.disable_confirm,
        back: LIST.to_owned(),
        overlap_hint: None,
        frame,
    })
}

async fn set_disabled(shared: &Shared, call: &Call, name: &str, (is_disabled, by): (bool, By)) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let (_, is_changed) = shared.0.access.set_disabled(name, is_disabled, &by, shared.clock.now()).await?;
    let response = done(LIST, if is_disabled { AccessDone::Disabled } else { AccessDone::Enabled });
    Ok(if is_changed { recorded(response) } else { response })
}

pub(super) async fn disable(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
) -> Answer<Response> {
    let by = By::caller(&call.caller, asked);
    set_disabled(&shared, &call, &name, (true, by)).await
}

pub(super) async fn enable(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
) -> Answer<Response> {
    let by = By::caller(&call.caller, asked);
    set_disabled(&shared, &call, &name, (false, by)).await
}
