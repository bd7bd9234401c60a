//! Asks the provider to create and to remove templates, within its limits.

use super::known::place_of;
use crate::clock::{Clock, format_time};
use crate::config::Lane;
use crate::domain::{Span, Timestamp};
use crate::provider::{TemplatesClient, TemplatesError};
use crate::store::{self, Store, TemplateRequest, TemplateRequestKind};
use crate::wire::NewTemplate;

/// The most templates of an account that the provider creates in an hour.
const CREATIONS_MAX: usize = 100;
const HOUR: Span = Span::from_secs(3_600);
/// How long the provider locks the name of a removed template.
const LOCKED: Span = Span::from_secs(30 * 86_400);

/// Why a template was not created or removed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error(
        "{} templates were created within an hour, which is the provider's limit; the next one can be created at {}",
        CREATIONS_MAX,
        format_time(*from, None)
    )]
    TooMany { from: Timestamp },
    #[error(
        "the name \"{name}\" is locked, because its template was removed: the provider accepts it again at {}; use another \
         name",
        format_time(*until, None)
    )]
    NameLocked { name: String, until: Timestamp },
    #[error(transparent)]
    Provider(#[from] TemplatesError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Asks the provider to create a template on a lane's channel. It is pending until it is reviewed.
pub async fn push(
    store: &dyn Store,
    clock: &dyn Clock,
    lane: &Lane,
    template: &NewTemplate,
) -> Result<(), RequestError> {
    let client = TemplatesClient::new(lane)?;
    let account_id = account_of(lane)?;
    let now = clock.now();
    let requests = store.template_requests(account_id.clone(), now - LOCKED).await?;
    let name = template.name.clone().unwrap_or_default();
    may_create(&requests, &name, now)?;
    let created = client.create(template).await;
    let kind = match &created {
        // Without an answer it may have been created, so it counts.
        Ok(()) | Err(TemplatesError::Unavailable { .. }) => TemplateRequestKind::Created,
        Err(TemplatesError::NameLocked { .. }) => TemplateRequestKind::RefusedAsLocked,
        Err(_) => return Ok(created?),
    };
    let language = template.language.clone().unwrap_or_default();
    store.record_template_request(TemplateRequest { account_id, name, language, kind, at: now }).await?;
    Ok(created?)
}

/// Removes a template from a lane's channel, in every language.
pub async fn remove(store: &dyn Store, clock: &dyn Clock, lane: &Lane, name: &str) -> Result<(), RequestError> {
    let client = TemplatesClient::new(lane)?;
    let account_id = account_of(lane)?;
    client.remove(name).await?;
    let (name, language, kind) = (name.to_owned(), String::new(), TemplateRequestKind::Removed);
    store.record_template_request(TemplateRequest { account_id, name, language, kind, at: clock.now() }).await?;
    Ok(())
}

/// The account of a lane. A lane with a client has one.
fn account_of(lane: &Lane) -> Result<String, TemplatesError> {
    let no_account = || TemplatesError::NoAccountId { lane: lane.name.clone() };
    place_of(lane).map(|place| place.account_id).ok_or_else(no_account)
}

/// Checks the provider's limits, by what was asked of it in the last 30 days.
fn may_create(requests: &[TemplateRequest], name: &str, now: Timestamp) -> Result<(), RequestError> {
    let latest = requests.iter().rfind(|request| request.name == name);
    if let Some(locked) = latest.filter(|request| request.kind != TemplateRequestKind::Created) {
        let until = locked.at + LOCKED;
        if now < until {
            return Err(RequestError::NameLocked { name: name.to_owned(), until });
        }
    }
    let created = requests.iter().filter(|request| request.kind == TemplateRequestKind::Created);
    let within: Vec<Timestamp> = created.map(|request| request.at).filter(|at| now.since(*at) < HOUR).collect();
    match within.len().checked_sub(CREATIONS_MAX).and_then(|over| within.get(over)) {
        Some(at) => Err(RequestError::TooMany { from: *at + HOUR }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn request(name: &str, kind: TemplateRequestKind, second: i64) -> TemplateRequest {
        let (account_id, name) = ("acme-1".to_owned(), name.to_owned());
        TemplateRequest { account_id, name, language: "en".to_owned(), kind, at: at(second) }
    }

    #[test]
    fn a_hundred_creations_an_hour_are_allowed() {
        let create = |n: i64| request(&format!("t_{n}"), TemplateRequestKind::Created, n);
        let mut requests: Vec<_> = (0..99).map(create).collect();
        may_create(&requests, "new", at(100)).unwrap();
        requests.push(create(99));
        let Err(RequestError::TooMany { from }) = may_create(&requests, "new", at(3_599)) else { panic!("too many") };
        assert_eq!(from, at(3_600));
        may_create(&requests, "new", at(3_600)).unwrap();
    }

    #[test]
    fn the_name_of_a_removed_template_is_locked_for_thirty_days() {
        let month = 30 * 86_400;
        for kind in [TemplateRequestKind::Removed, TemplateRequestKind::RefusedAsLocked] {
            let requests = [request("promo", TemplateRequestKind::Created, 1), request("promo", kind, 10)];
            let refused = may_create(&requests, "promo", at(10 + month - 1)).unwrap_err().to_string();
            assert!(refused.contains("use another name"), "{refused}");
            may_create(&requests, "promo", at(10 + month)).unwrap();
            may_create(&requests, "other", at(11)).unwrap();
        }
        let created_again =
            [request("promo", TemplateRequestKind::Removed, 1), request("promo", TemplateRequestKind::Created, 2)];
        may_create(&created_again, "promo", at(3)).unwrap();
    }
}
