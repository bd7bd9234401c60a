//! Asks the provider to create and to remove templates, within its limits.
//!
//! A request is recorded before it is sent, and removed if the provider refuses it. One without an answer stays recorded: it
//! may have happened.

use super::known::{Catalogue, place_of};
use crate::base::clock::{Clock, format_time};
use crate::base::config::Lane;
use crate::base::domain::{Span, Timestamp};
use crate::provider::client::{TemplatesClient, TemplatesError};
use crate::rules::wire::NewTemplate;
use crate::store::{self, FetchedTemplates, Store, TemplateLimit, TemplatePlace, TemplateRequest, TemplateRequestKind};

/// The most templates that the provider creates in an hour for a WABA. An account has a WABA or several, and the provider does
/// not say which of them a channel belongs to, so all creations of an account count together.
const CREATIONS_MAX: u32 = 100;
const HOUR: Span = Span::from_secs(3_600);
/// How long the provider locks the name of a removed template.
const LOCKED: Span = Span::from_secs(30 * 86_400);
/// The most templates of a business that the provider has not verified; a verified one may have 6,000. Only the provider knows
/// which limit applies.
const UNVERIFIED_MAX: usize = 250;
/// From how many templates on a warning is due.
const NEARLY_UNVERIFIED_MAX: usize = 225;

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
    let request = TemplateRequest {
        place: place(lane)?,
        name: template.name.clone().unwrap_or_default(),
        language: template.language.clone().unwrap_or_default(),
        kind: TemplateRequestKind::Created,
        at: clock.now(),
    };
    let id = begin_creation(store, request).await?;
    finish(store, id, client.create(template).await).await
}

/// Removes a template from a lane's channel, in every language.
pub async fn remove(store: &dyn Store, clock: &dyn Clock, lane: &Lane, name: &str) -> Result<(), RequestError> {
    let client = TemplatesClient::new(lane)?;
    let (place, name, language) = (place(lane)?, name.to_owned(), String::new());
    let request =
        TemplateRequest { place, name: name.clone(), language, kind: TemplateRequestKind::Removed, at: clock.now() };
    let id = store.begin_template_request(request, None).await?;
    finish(store, id, client.remove(&name).await).await
}

/// The warning that a channel has nearly as many templates as it may have while the business is not verified.
pub fn room_warning(catalogue: &Catalogue, lane: &Lane) -> Option<String> {
    let place = place_of(lane)?;
    let count = catalogue.templates.iter().filter(|template| template.place == place).count();
    (count >= NEARLY_UNVERIFIED_MAX).then(|| {
        format!(
            "The channel of lane {} has {count} templates. A business that the provider has not verified may have \
             {UNVERIFIED_MAX}, a verified one 6,000; remove what is no longer used (volley template remove)",
            lane.name
        )
    })
}

/// The channel of a lane. A lane with a client has one.
fn place(lane: &Lane) -> Result<TemplatePlace, TemplatesError> {
    let no_account = || TemplatesError::NoAccountId { lane: lane.name.clone() };
    place_of(lane).ok_or_else(no_account)
}

/// Records a creation that the provider's limits allow, by what was asked of it in the last 30 days.
async fn begin_creation(store: &dyn Store, request: TemplateRequest) -> Result<Option<i64>, RequestError> {
    let account = request.place.account_id.clone();
    let requests = store.template_requests(account.clone(), request.at - LOCKED + Span::from_millis(1)).await?;
    if let Some(removed) = removed(&requests, &request)
        && !is_listed_since(store, removed).await?
    {
        return Err(RequestError::NameLocked { name: request.name, until: removed.at + LOCKED });
    }
    let limit = TemplateLimit { at_most: CREATIONS_MAX, since: request.at - HOUR };
    if let Some(id) = store.begin_template_request(request, Some(limit)).await? {
        return Ok(Some(id));
    }
    // Those that fill the hour; the first of them makes room for the next.
    let mut within = store.template_requests(account, limit.since).await?;
    within.retain(|request| request.kind == TemplateRequestKind::Created && request.at > limit.since);
    let first = within.len().saturating_sub(CREATIONS_MAX as usize);
    let from = within.get(first).map_or(limit.since, |request| request.at) + HOUR;
    Err(RequestError::TooMany { from })
}

/// The request that removed the name of a creation on its channel, unless it was created since.
fn removed<'a>(requests: &'a [TemplateRequest], creation: &TemplateRequest) -> Option<&'a TemplateRequest> {
    let is_same = |request: &&TemplateRequest| request.name == creation.name && request.place == creation.place;
    let latest = requests.iter().rfind(is_same)?;
    (latest.kind == TemplateRequestKind::Removed).then_some(latest)
}

/// Whether a later list still has the template: a removal that got no answer may not have happened.
async fn is_listed_since(store: &dyn Store, removed: &TemplateRequest) -> store::Result<bool> {
    let listed = store.templates(Some(vec![removed.name.clone()])).await?;
    let is_it = |fetched: &FetchedTemplates| {
        fetched.place == removed.place && fetched.fetched_at > removed.at && !fetched.templates.is_empty()
    };
    Ok(listed.iter().any(is_it))
}

/// Forgets a request that the provider has certainly not carried out.
async fn finish(store: &dyn Store, id: Option<i64>, answer: Result<(), TemplatesError>) -> Result<(), RequestError> {
    if let (Some(id), Err(error)) = (id, &answer)
        && !matches!(error, TemplatesError::Unavailable { .. })
    {
        store.forget_template_request(id).await?;
    }
    Ok(answer?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::store::StoredTemplate;
    use crate::store::TemplateRequestKind::{Created, Removed};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn request(channel: &str, name: &str, kind: TemplateRequestKind, second: i64) -> TemplateRequest {
        let place = TemplatePlace { account_id: "acme-1".to_owned(), channel_id: channel.to_owned() };
        TemplateRequest { place, name: name.to_owned(), language: "en".to_owned(), kind, at: at(second) }
    }

    async fn store() -> Arc<dyn Store> {
        let clock = Arc::new(ManualClock::at(at(0))) as Arc<dyn Clock>;
        store::open("sqlite::memory:", clock).await.unwrap()
    }

    async fn create(store: &dyn Store, name: &str, second: i64) -> Result<Option<i64>, RequestError> {
        begin_creation(store, request("wa-1", name, Created, second)).await
    }

    #[tokio::test]
    async fn a_hundred_creations_an_hour_are_allowed_to_an_account() {
        let store = store().await;
        for n in 0..100 {
            // Two numbers of one WABA.
            let channel = if n % 2 == 0 { "wa-1" } else { "wa-2" };
            begin_creation(&*store, request(channel, &format!("t_{n}"), Created, n)).await.unwrap();
        }
        let Err(RequestError::TooMany { from }) = create(&*store, "new", 3_599).await else { panic!("too many") };
        assert_eq!(from, at(3_600));
        let mut elsewhere = request("wa-3", "new", Created, 3_599);
        elsewhere.place.account_id = "acme-2".to_owned();
        begin_creation(&*store, elsewhere).await.unwrap();
        create(&*store, "new", 3_600).await.unwrap();
        let Err(RequestError::TooMany { from }) = create(&*store, "newer", 3_600).await else { panic!("too many") };
        assert_eq!(from, at(3_601));
    }

    #[tokio::test]
    async fn two_creations_at_once_do_not_pass_the_limit_together() {
        let store = store().await;
        for n in 0..99 {
            create(&*store, &format!("t_{n}"), 0).await.unwrap();
        }
        let both = futures_util::join!(create(&*store, "one", 1), create(&*store, "two", 1));
        assert_eq!([both.0.is_ok(), both.1.is_ok()].iter().filter(|created| **created).count(), 1);
    }

    #[tokio::test]
    async fn the_name_of_a_removed_template_is_locked_on_its_channel_for_thirty_days() {
        let (store, month) = (store().await, 30 * 86_400);
        create(&*store, "promo", 1).await.unwrap();
        store.begin_template_request(request("wa-1", "promo", Removed, 10), None).await.unwrap();
        let refused = create(&*store, "promo", 10 + month - 1).await.unwrap_err().to_string();
        assert!(refused.contains("use another name"), "{refused}");
        create(&*store, "other", 11).await.unwrap();
        begin_creation(&*store, request("wa-2", "promo", Created, 11)).await.unwrap();
        create(&*store, "promo", 10 + month).await.unwrap();
        create(&*store, "promo", 11 + month).await.unwrap();
    }

    #[tokio::test]
    async fn a_template_that_a_later_list_has_was_not_removed() {
        let store = store().await;
        let removal = request("wa-1", "promo", Removed, 10);
        store.begin_template_request(removal.clone(), None).await.unwrap();
        let listed =
            |second, templates| FetchedTemplates { place: removal.place.clone(), fetched_at: at(second), templates };
        let promo = StoredTemplate {
            name: "promo".to_owned(),
            language: "de".to_owned(),
            category: "UTILITY".to_owned(),
            status: "APPROVED".to_owned(),
            components: "[]".to_owned(),
            updated_at: None,
        };
        store.replace_templates(listed(9, vec![promo.clone()]), Vec::new()).await.unwrap();
        create(&*store, "promo", 11).await.unwrap_err();
        store.replace_templates(listed(12, Vec::new()), Vec::new()).await.unwrap();
        create(&*store, "promo", 13).await.unwrap_err();
        store.replace_templates(listed(14, vec![promo]), Vec::new()).await.unwrap();
        create(&*store, "promo", 15).await.unwrap();
    }

    #[tokio::test]
    async fn only_a_definite_refusal_is_forgotten() {
        let store = store().await;
        let detail = || "why".to_owned();
        let errors = [
            (TemplatesError::Unavailable { detail: detail() }, 1),
            (TemplatesError::NotSent { detail: detail() }, 0),
            (TemplatesError::NameLocked { detail: detail() }, 0),
            (TemplatesError::Refused { code: None, detail: detail() }, 0),
        ];
        for (n, (error, kept)) in (0..).zip(errors) {
            let kind = if n % 2 == 0 { Created } else { Removed };
            let asked = request(&format!("wa-{n}"), "promo", kind, 1);
            let id = store.begin_template_request(asked.clone(), None).await.unwrap();
            finish(&*store, id, Err(error.clone())).await.unwrap_err();
            let mut left = store.template_requests(asked.place.account_id.clone(), at(0)).await.unwrap();
            left.retain(|request| request.place == asked.place);
            assert_eq!(left.len(), kept, "{error}");
        }
    }

    #[test]
    fn a_channel_that_is_nearly_full_for_an_unverified_business_is_reported() {
        let text = "[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nsub_account = \"acme\"\naccount_id = \"acme-1\"\n\
                    channel_id = \"wa-1\"\n[[lane]]\nname = \"other\"\nchannel = \"WhatsApp\"\nsub_account = \"acme\"\naccount_id = \
                    \"acme-1\"\nchannel_id = \"wa-2\"\n";
        let file = Some((std::path::Path::new("volley.toml"), text));
        let lanes = crate::base::config::Config::read(file, std::iter::empty(), []).unwrap().config.lanes;
        let warned = |count: usize, lane: &Lane| {
            let templates = (0..count).map(|n| StoredTemplate {
                name: format!("t_{n}"),
                language: "en".to_owned(),
                category: "UTILITY".to_owned(),
                status: "APPROVED".to_owned(),
                components: "[]".to_owned(),
                updated_at: None,
            });
            let place = request("wa-1", "promo", Created, 1).place;
            let fetched = FetchedTemplates { place, fetched_at: at(1), templates: templates.collect() };
            room_warning(&Catalogue::of(vec![fetched], &[], &lanes), lane)
        };
        assert_eq!((warned(224, &lanes[0]), warned(225, &lanes[1])), (None, None));
        assert!(warned(225, &lanes[0]).is_some_and(|text| text.contains("lane wa has 225 templates")));
    }
}
