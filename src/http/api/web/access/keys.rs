//! The keys of the API.

use std::num::NonZeroU32;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::secrets::{self, NewSecret};
use super::{SHOWN, done, field, overlap, recorded, saying, scope_choices, scopes, separated};
use crate::base::domain::{IpNetwork, Purpose, Scope, Span, Timestamp};
use crate::http::access::{AccessError, By, InvalidKey, Issued, KeyState, NewKey, Scopes, all_keys};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Asked, Call, Path, Query, cut};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::{with_cursor, without_cursor};
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::{page, refused};
use crate::http::pages::{
    AccessDone, AccessState, AskPage, Choices, Field, FieldKind, Frame, KeyRow, KeysPage, NewKeyPage, Part, Place,
    SecretKind, texts,
};
use crate::store::{ApiKey, KeyLimits};

const LIST: &str = "/keys";

/// Which keys are listed.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct KeysQuery {
    revoked: bool,
    #[serde(skip_serializing)]
    cursor: String,
    #[serde(skip_serializing, deserialize_with = "crate::http::api::web::form::known")]
    done: Option<AccessDone>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<KeysQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let cursors = shared.cursors("key-pages", &query.revoked).await?;
    let from = cursors.position::<u32>(&query.cursor)?.unwrap_or(0);
    // An installation has few keys. The order of the store, which is that of random ids, helps to find none.
    let all = all_keys(shared.store.as_ref()).await?;
    let listed = all.iter().filter(|key| query.revoked || key.revoked_at.is_none());
    let mut keys: Vec<&ApiKey> = listed.skip(from as usize).take(SHOWN as usize + 1).collect();
    let next = cut(&mut keys, SHOWN).is_some().then(|| cursors.write(&(from + SHOWN))).transpose()?;
    page(&KeysPage {
        frame: saying(session.frame(Place::Keys), query.done),
        keys: keys.into_iter().map(|key| row(key, call.at)).collect(),
        revoked: query.revoked,
        hides_revoked: !query.revoked && all.iter().any(|key| key.revoked_at.is_some()),
        is_later: from > 0,
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

fn row(key: &ApiKey, now: Timestamp) -> KeyRow {
    KeyRow {
        id: key.id.to_string(),
        name: key.name.clone(),
        state: match KeyState::of(key, now) {
            KeyState::Active => AccessState::Active,
            KeyState::Expired => AccessState::Expired,
            KeyState::Revoked => AccessState::Revoked,
            KeyState::Disabled => AccessState::Disabled,
        },
        scopes: key.scopes.given().collect(),
        limits: limits(&key.limits),
        created_at: key.created_at,
        created_by: key.created_by.clone(),
        last_use: key.last_use.map(|used| (used.at, used.from.to_string())),
        expires_at: key.limits.expires_at,
        former_until: key.former.map(|(_, until)| until).filter(|until| now < *until && key.revoked_at.is_none()),
        revoked_at: key.revoked_at,
    }
}

/// A few words about each limit.
fn limits(limits: &KeyLimits) -> Vec<String> {
    let own = texts().access;
    let networks = |networks: &Vec<IpNetwork>| {
        own.addresses_limit(&networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    };
    let all = [
        limits.lanes.as_ref().map(|lanes| own.lanes_limit(&lanes.join(", "))),
        limits.sub_accounts.as_ref().map(|accounts| own.sub_accounts_limit(&accounts.join(", "))),
        limits.addresses.as_ref().map(networks),
        limits.requests_per_s.map(|number| own.rate_limit(number.get())),
        limits.purpose.map(|purpose| own.for_purpose(purpose)),
    ];
    all.into_iter().flatten().collect()
}

/// What is wrong with a form: the field and the sentence of the command.
type Wrong = (&'static str, String);

/// The form of a new key, with what is wrong with it.
fn form_page(shared: &Shared, frame: Frame, form: &Form, wrong: Option<&Wrong>) -> NewKeyPage {
    let own = frame.texts().access;
    let problem = |name: &str| wrong.filter(|(field, _)| *field == name).map(|(_, sentence)| sentence.clone());
    let text = |name: &str, label, hint| field(form, name, (label, hint), problem(name));
    let checked: Vec<&str> = form.all("lane").collect();
    let lanes = shared.config.lanes.iter().map(|lane| (lane.name.clone(), checked.contains(&lane.name.as_str())));
    NewKeyPage {
        name: text("name", own.name, own.name_hint),
        scopes: scope_choices(scopes(form), problem("scopes")),
        lanes: Choices { values: lanes.collect(), problem: problem("lanes") },
        limits: vec![
            text("expires_after", own.key_expiry, own.key_expiry_hint),
            text("requests_per_s", own.key_rate, own.key_rate_hint),
            text("addresses", own.key_addresses, own.key_addresses_hint),
            text("sub_accounts", own.key_sub_accounts, own.key_sub_accounts_hint),
            Field { kind: FieldKind::Choice(own.purposes()), ..text("purpose", own.key_purpose, own.key_purpose_hint) },
        ],
        frame,
    }
}

/// The key that a form asks for.
fn wanted(shared: &Shared, form: &Form, now: Timestamp) -> Result<NewKey, Wrong> {
    let lanes: Vec<String> = form.all("lane").map(str::to_owned).collect();
    for lane in &lanes {
        shared.config.named_lane(lane).map_err(|error| ("lanes", error.to_string()))?;
    }
    let networks = separated(form.entered("addresses"))
        .map(|texts| texts.iter().map(|text| text.parse::<IpNetwork>()).collect::<Result<Vec<_>, _>>());
    let limits = KeyLimits {
        sub_accounts: separated(form.entered("sub_accounts")),
        lanes: Some(lanes).filter(|lanes| !lanes.is_empty()),
        addresses: networks.transpose().map_err(|error| ("addresses", error.to_string()))?,
        requests_per_s: form
            .entered("requests_per_s")
            .map(|text| text.parse::<NonZeroU32>())
            .transpose()
            .map_err(|_| ("requests_per_s", texts().access.key_rate_problem.to_owned()))?,
        expires_at: form
            .entered("expires_after")
            .map(|text| text.parse::<Span>())
            .transpose()
            .map_err(|error| ("expires_after", error.to_string()))?
            .map(|span| now + span),
        purpose: form
            .entered("purpose")
            .map(|text| text.parse::<Purpose>())
            .transpose()
            .map_err(|error| ("purpose", error.to_string()))?,
    };
    let name = form.entered("name").unwrap_or_default().to_owned();
    Ok(NewKey { name, scopes: scopes(form).collect::<Scopes>(), limits })
}

/// The field that an error is about; an error of the server is about none.
fn wrong(error: AccessError) -> Result<Wrong, AccessError> {
    let field = match &error {
        AccessError::Name(_) | AccessError::KeyExists { .. } => "name",
        AccessError::Key(InvalidKey::NoScope) => "scopes",
        AccessError::Key(InvalidKey::Expired) => "expires_after",
        _ => return Err(error),
    };
    Ok((field, error.to_string()))
}

pub(super) async fn ask_new(State(shared): State<Shared>, session: Session, call: Call) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    page(&form_page(&shared, session.frame(Place::Below(Part::Server)), &Form::default(), None))
}

pub(super) async fn create(
    State(shared): State<Shared>,
    session: Session,
    call: Call,
    Asked(asked): Asked,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let now = shared.clock.now();
    let again =
        |wrong: &Wrong| refused(&form_page(&shared, session.frame(Place::Below(Part::Server)), &form, Some(wrong)));
    let new = match wanted(&shared, &form, now) {
        Ok(new) => new,
        Err(wrong) => return again(&wrong),
    };
    let name = new.name.clone();
    let mut waiting = shared.0.new_secrets.hold(now).await;
    match shared.0.access.create_key(new, &By::caller(&call.caller, asked), now).await {
        Ok(issued) => {
            let path = secret_path(&issued.key);
            waiting.keep(new_secret(&call, issued, now));
            Ok(recorded(Redirect::to(&path).into_response()))
        }
        Err(error) => match waiting.made(call.caller.session, LIST, &name) {
            // The second click on the button.
            Some(path) if matches!(error, AccessError::KeyExists { .. }) => Ok(Redirect::to(&path).into_response()),
            _ => again(&wrong(error)?),
        },
    }
}

fn secret_path(key: &ApiKey) -> String {
    format!("{LIST}/{}/secret", key.id)
}

fn new_secret(call: &Call, Issued { key, text }: Issued, made_at: Timestamp) -> NewSecret {
    NewSecret {
        session: call.caller.session,
        path: secret_path(&key),
        name: key.name,
        secret: text,
        former_until: key.former.map(|(_, until)| until),
        made_at,
    }
}

/// Shows a new secret once.
pub(super) async fn secret(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let key = shared.0.access.key(&name).await?;
    let path = format!("{LIST}/{}", key.id);
    secrets::show(&shared, (&session, &call), (SecretKind::Key, key.name), &path, LIST).await
}

/// Asks before a decision about a key.
fn ask(frame: Frame, title: String, lead: Vec<&'static str>, (key, verb): (&ApiKey, &str)) -> AskPage {
    let own = frame.texts().access;
    let rotates = verb == "rotate";
    AskPage {
        list: (LIST, own.keys),
        title,
        lead,
        action: format!("{LIST}/{}/{verb}", key.id),
        confirm: if rotates { own.rotate } else { own.revoke_confirm },
        back: LIST.to_owned(),
        overlap_hint: rotates.then_some(own.rotate_key_overlap_hint),
        frame,
    }
}

pub(super) async fn ask_rotate(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let key = shared.0.access.key(&name).await?;
    let frame = session.frame(Place::Below(Part::Server));
    let own = frame.texts().access;
    let title = own.rotate_title(SecretKind::Key, &key.name);
    page(&ask(frame, title, vec![own.rotate_key_lead], (&key, "rotate")))
}

pub(super) async fn rotate(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let (overlap, now) = (overlap(&form)?, shared.clock.now());
    let path = secret_path(&shared.0.access.key(&name).await?);
    let mut waiting = shared.0.new_secrets.hold(now).await;
    // The second click on the button. A second rotation would end the secret that is in use.
    if waiting.waits(call.caller.session, &path) {
        return Ok(Redirect::to(&path).into_response());
    }
    let issued = shared.0.access.rotate_key(&name, overlap, &By::caller(&call.caller, asked), now).await?;
    waiting.keep(new_secret(&call, issued, now));
    Ok(recorded(Redirect::to(&path).into_response()))
}

pub(super) async fn ask_revoke(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let key = shared.0.access.key(&name).await?;
    let frame = session.frame(Place::Below(Part::Server));
    let own = frame.texts().access;
    let title = own.revoke_title(&key.name);
    page(&ask(frame, title, vec![own.revoke_lead], (&key, "revoke")))
}

pub(super) async fn revoke(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let now = shared.clock.now();
    let key = shared.0.access.revoke_key(&name, &By::caller(&call.caller, asked), now).await?;
    shared.0.new_secrets.hold(now).await.forget(&secret_path(&key));
    Ok(recorded(done(LIST, AccessDone::Revoked)))
}
