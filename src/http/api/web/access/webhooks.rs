//! The webhooks that Volley sends, and decisions about them.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::secrets::{self, NewSecret};
use super::{DoneQuery, done, field, overlap, saying};
use crate::base::config::Secret;
use crate::base::domain::{Scope, Span, Timestamp};
use crate::http::api::Shared;
use crate::http::api::native::{About, Answer, Call, Kind, Path, Problem, Query, desk};
use crate::http::api::web::admit::Session;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::{page, refused};
use crate::http::outgoing::{EVENT_TYPES, Failed, Wanted};
use crate::http::pages::{
    AccessDone, AccessState, AskPage, FieldKind, Frame, NewWebhookPage, Part, Place, SecretKind, TypeGroup, WebhookRow,
    WebhooksPage,
};
use crate::store::{Receiver, ReceiverHealth, ReceiverKind, Subscription, WebhookFormat};

const LIST: &str = "/webhooks";
/// Webhooks of which is read whether deliveries wait: as many as an installation has.
const WEBHOOKS_MAX: u32 = 100;
/// The word of the provider's form.
const PROVIDER: &str = "8x8";

/// Finds a webhook by its id: a name can be used again.
pub(super) async fn found(shared: &Shared, id: &str) -> Answer<Subscription> {
    let all = shared.store.subscriptions().await?;
    let unknown = || Problem::new(Kind::NotFound, format_args!("unknown webhook \"{id}\"; it may have been removed"));
    all.into_iter().find(|webhook| webhook.id.to_string() == id).ok_or_else(unknown)
}

/// Webhooks with what became of their deliveries.
pub(super) async fn rows(shared: &Shared, webhooks: Vec<Subscription>, now: Timestamp) -> Answer<Vec<WebhookRow>> {
    let receivers = webhooks.iter().map(|webhook| Receiver::Subscription(webhook.id)).collect();
    let health = shared.store.receiver_health(receivers).await?;
    let waiting = shared.store.waiting_receivers(ReceiverKind::Subscription, None, WEBHOOKS_MAX).await?;
    let row = |webhook: Subscription| {
        let receiver = Receiver::Subscription(webhook.id);
        let health = health.iter().find(|known| known.receiver == receiver);
        let waiting = waiting.iter().find(|(of, _)| *of == receiver).map(|(_, next)| *next);
        row(webhook, health, waiting, now)
    };
    Ok(webhooks.into_iter().map(row).collect())
}

fn row(
    webhook: Subscription,
    health: Option<&ReceiverHealth>,
    waiting: Option<Timestamp>,
    now: Timestamp,
) -> WebhookRow {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let former = webhook.secrets.iter().filter_map(|secret| secret.until).map(Timestamp::from_millis).max();
    WebhookRow {
        id: webhook.id.to_string(),
        state: if webhook.is_enabled() { AccessState::Enabled } else { AccessState::Disabled },
        name: webhook.name,
        url: webhook.url,
        is_unsigned: webhook.format == WebhookFormat::Provider,
        sub_account: webhook.sub_account,
        has_authorization: webhook.authorization.is_some(),
        types: webhook.types,
        disabled: webhook.disabled.map(|(at, origin)| (at, origin.because("disabled"))),
        created_at: webhook.created_at,
        delivered: health.map_or(0, |known| number(known.delivered)),
        given_up: health.map_or(0, |known| number(known.given_up)),
        waiting,
        succeeded_at: health.and_then(|known| known.succeeded_at),
        failing_since: health.and_then(|known| known.failing_since),
        former_until: former.filter(|until| now < *until),
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<DoneQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhooks = shared.store.subscriptions().await?;
    page(&WebhooksPage {
        frame: saying(session.frame(Place::Webhooks), query.done),
        webhooks: rows(&shared, webhooks, call.at).await?,
    })
}

/// The types of events by their groups, with those checked that a form names.
fn groups(form: &Form) -> Vec<TypeGroup> {
    let checked: Vec<&str> = form.all("type").collect();
    let mut groups: Vec<TypeGroup> = Vec::new();
    for known in EVENT_TYPES {
        let (name, _) = known.name.split_once('.').unwrap_or((known.name, ""));
        let entry = (known.name, known.meaning, checked.contains(&known.name));
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.types.push(entry),
            None => {
                let is_whole = checked.iter().any(|pattern| pattern.strip_suffix(".*") == Some(name));
                groups.push(TypeGroup { name, is_whole, types: vec![entry] });
            }
        }
    }
    groups
}

/// The field that an error is about: none for one that is about the whole form or about the server.
const fn field_of(error: &Failed) -> Option<&'static str> {
    match error {
        Failed::Name(_) | Failed::Taken(_) => Some("name"),
        Failed::Url { .. } => Some("url"),
        Failed::Type { .. } | Failed::NoProviderForm => Some("types"),
        Failed::SubAccount => Some("sub_account"),
        Failed::Authorization => Some("authorization"),
        _ => None,
    }
}

/// The form of a new webhook, with what is wrong with it.
fn form_page(frame: Frame, form: &Form, error: Option<&Failed>) -> NewWebhookPage {
    let own = frame.texts().access;
    let problem = |name| error.filter(|error| field_of(error) == Some(name)).map(ToString::to_string);
    let formats = [("volley", own.format_volley), (PROVIDER, own.format_8x8)];
    let formats = formats.map(|(value, label)| (value.to_owned(), label.to_owned()));
    let mut format = field(form, "format", (own.format, own.format_hint), None);
    format.kind = FieldKind::Choice(formats.to_vec());
    let (name, url) = (own.name, own.address);
    NewWebhookPage {
        name: field(form, "name", (name, own.webhook_name_hint), problem("name")),
        url: field(form, "url", (url, own.address_hint), problem("url")),
        groups: groups(form),
        types_problem: problem("types"),
        format,
        sub_account: field(
            form,
            "sub_account",
            (own.webhook_sub_account, own.webhook_sub_account_hint),
            problem("sub_account"),
        ),
        authorization_problem: problem("authorization"),
        problem: error.filter(|error| field_of(error).is_none()).map(ToString::to_string),
        frame,
    }
}

pub(super) async fn ask_new(session: Session, call: Call) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    page(&form_page(session.frame(Place::Below(Part::Server)), &Form::default(), None))
}

fn wanted(form: &Form) -> Wanted {
    let is_provider = form.get("format") == Some(PROVIDER);
    Wanted {
        name: form.entered("name").unwrap_or_default().to_owned(),
        url: form.entered("url").unwrap_or_default().to_owned(),
        format: if is_provider { WebhookFormat::Provider } else { WebhookFormat::Volley },
        types: form.all("type").map(str::to_owned).collect(),
        sub_account: form.entered("sub_account").map(str::to_owned),
        authorization: form.entered("authorization").map(str::to_owned),
    }
}

pub(super) async fn create(State(shared): State<Shared>, session: Session, call: Call, form: Form) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let (wanted, now) = (wanted(&form), shared.clock.now());
    let name = wanted.name.clone();
    let mut waiting = shared.0.new_secrets.hold(now).await;
    match desk(&shared).create(wanted, call.origin(None)).await {
        Ok(created) => {
            let path = format!("{LIST}/{}", created.view.id);
            let response = match created.secret {
                Some(secret) => {
                    let secret = NewSecret {
                        session: call.caller.session,
                        path: format!("{path}/secret"),
                        name,
                        secret: Secret::new(secret),
                        former_until: None,
                        made_at: now,
                    };
                    let response = Redirect::to(&secret.path).into_response();
                    waiting.keep(secret);
                    response
                }
                None => done(&path, AccessDone::WebhookCreated),
            };
            Ok(about(response, &created.view.name))
        }
        Err(error) => match waiting.made(call.caller.session, LIST, &name) {
            // The second click on the button.
            Some(path) if matches!(error, Failed::Taken(_)) => Ok(Redirect::to(&path).into_response()),
            _ if field_of(&error).is_some() || matches!(error, Failed::TooMany) => {
                refused(&form_page(session.frame(Place::Below(Part::Server)), &form, Some(&error)))
            }
            _ => Err(error.into()),
        },
    }
}

/// The answer to a change, whose entry of the audit log has the name of the webhook.
pub(super) fn about(mut response: Response, name: &str) -> Response {
    response.extensions_mut().insert(About(name.to_owned()));
    response
}

/// Shows a new signing secret once.
pub(super) async fn secret(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    let path = format!("{LIST}/{}", webhook.id);
    secrets::show(&shared, (&session, &call), (SecretKind::Webhook, webhook.name), &path, &path).await
}

pub(super) async fn ask_rotate(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    let (frame, path) = (session.frame(Place::Below(Part::Server)), format!("{LIST}/{}", webhook.id));
    let own = frame.texts().access;
    page(&AskPage {
        list: (LIST, own.webhooks),
        title: own.rotate_title(SecretKind::Webhook, &webhook.name),
        lead: vec![own.rotate_webhook_lead],
        action: format!("{path}/rotate"),
        confirm: own.rotate,
        back: path,
        overlap_hint: Some(own.rotate_webhook_overlap_hint),
        frame,
    })
}

pub(super) async fn rotate(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let (webhook, overlap, now) = (found(&shared, &id).await?, overlap(&form)?, shared.clock.now());
    let path = format!("{LIST}/{}/secret", webhook.id);
    let mut waiting = shared.0.new_secrets.hold(now).await;
    // The second click on the button.
    if !waiting.waits(call.caller.session, &path) {
        let made = desk(&shared).rotate(&webhook.name, overlap, call.origin(None)).await?;
        waiting.keep(NewSecret {
            session: call.caller.session,
            path: path.clone(),
            name: made.name,
            secret: Secret::new(made.secret),
            former_until: (overlap > Span::ZERO).then(|| now + overlap),
            made_at: now,
        });
    }
    Ok(about(Redirect::to(&path).into_response(), &webhook.name))
}

pub(super) async fn ask_remove(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    let (frame, path) = (session.frame(Place::Below(Part::Server)), format!("{LIST}/{}", webhook.id));
    let own = frame.texts().access;
    page(&AskPage {
        list: (LIST, own.webhooks),
        title: own.remove_title(&webhook.name),
        lead: vec![own.remove_lead],
        action: format!("{path}/remove"),
        confirm: own.remove_confirm,
        back: path,
        overlap_hint: None,
        frame,
    })
}

pub(super) async fn remove(State(shared): State<Shared>, Path(id): Path<String>, call: Call) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    desk(&shared).remove(&webhook.name, call.origin(None)).await?;
    shared.0.new_secrets.hold(call.at).await.forget(&format!("{LIST}/{}/secret", webhook.id));
    Ok(about(done(LIST, AccessDone::Removed), &webhook.name))
}

pub(super) async fn enable(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    desk(&shared).enable(&webhook.name, call.origin(form.reason()?)).await?;
    Ok(about(done(&format!("{LIST}/{}", webhook.id), AccessDone::WebhookEnabled), &webhook.name))
}

pub(super) async fn disable(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    let webhook = found(&shared, &id).await?;
    desk(&shared).disable(&webhook.name, call.origin(form.reason()?)).await?;
    Ok(about(done(&format!("{LIST}/{}", webhook.id), AccessDone::WebhookDisabled), &webhook.name))
}
