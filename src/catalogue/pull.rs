//! Fetches the provider's templates, stores them, and says what has changed.

use std::collections::BTreeMap;

use super::known::{Catalogue, KnownTemplate, place_of};
use crate::clock::Clock;
use crate::config::{Config, Lane};
use crate::domain::{Channel, Timestamp};
use crate::provider::{TemplatesClient, TemplatesError};
use crate::receipts::ListedStatus;
use crate::store::{self, FetchedTemplates, Store, StoredTemplate, TemplatePlace};
use crate::wire::ListedTemplate;

/// The result of fetching the templates of every channel.
#[derive(Debug, Default)]
pub struct Pull {
    pub channels: Vec<PulledChannel>,
    /// The WhatsApp lanes whose templates cannot be fetched, because the configuration does not name their channel.
    pub skipped: Vec<TemplatesError>,
}

/// The templates of one channel.
#[derive(Debug)]
pub struct PulledChannel {
    pub place: TemplatePlace,
    /// The lanes that send on it.
    pub lanes: Vec<String>,
    /// How many templates there are, and what has changed since the last time.
    pub result: Result<(usize, Vec<TemplateChange>), TemplatesError>,
}

/// What has changed about a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateChange {
    pub name: String,
    pub language: String,
    pub what: ChangeKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    Added { status: String },
    Removed,
    Status { before: String, after: String },
    Category { before: String, after: String },
    Content,
}

/// Fetches the templates of every channel that the configuration names, each once with the key of its first lane.
///
/// A channel that fails keeps its last known templates.
pub async fn pull(store: &dyn Store, clock: &dyn Clock, config: &Config) -> store::Result<Pull> {
    let mut pulled = Pull::default();
    let mut channels: BTreeMap<TemplatePlace, Vec<&Lane>> = BTreeMap::new();
    for lane in config.lanes_on(Channel::WhatsApp) {
        match place_of(lane) {
            Some(place) => channels.entry(place).or_default().push(lane),
            None => pulled.skipped.extend(TemplatesClient::new(lane).err()),
        }
    }
    for (place, lanes) in channels {
        let Some(first) = lanes.first() else { continue };
        // Before the request: a webhook that arrives meanwhile is newer than the list.
        let begun = clock.now();
        let listed = match TemplatesClient::new(first) {
            Ok(client) => client.list().await,
            Err(error) => Err(error),
        };
        let result = match listed {
            Ok(listed) => Ok(take(store, config, place.clone(), listed, begun).await?),
            Err(error) => Err(error),
        };
        let lanes = lanes.into_iter().map(|lane| lane.name.clone()).collect();
        pulled.channels.push(PulledChannel { place, lanes, result });
    }
    Ok(pulled)
}

/// Stores a channel's templates, with the effects of statuses that no webhook has reported. Returns how many there are, and
/// what has changed.
async fn take(
    store: &dyn Store,
    config: &Config,
    place: TemplatePlace,
    listed: Vec<ListedTemplate>,
    at: Timestamp,
) -> store::Result<(usize, Vec<TemplateChange>)> {
    let is_here = |template: &KnownTemplate| template.place == place;
    let stored_before = store.templates(None).await?.into_iter().find(|fetched| fetched.place == place);
    let before: Vec<KnownTemplate> =
        Catalogue::read(store, None).await?.templates.into_iter().filter(is_here).collect();
    let templates: Vec<StoredTemplate> = listed.into_iter().filter_map(stored).collect();
    let changes = changes(stored_before.as_ref().map(|fetched| &fetched.templates[..]), &before, &templates);
    let events = templates.iter().filter_map(|template| {
        let StoredTemplate { name, language, status, .. } = template;
        let former = before.iter().find(|former| is_same(former, template)).map(|former| former.status.as_str());
        let listed = ListedStatus { account_id: &place.account_id, name, language, status, listed_at: at };
        is_news(former, status).then(|| listed.event(&config.lanes)).flatten()
    });
    let (events, count) = (events.collect::<Vec<_>>(), templates.len());
    let is_latest = store.replace_templates(FetchedTemplates { place, fetched_at: at, templates }).await?;
    if is_latest && !events.is_empty() {
        store.take_business(events).await?;
    }
    Ok((count, changes))
}

fn is_same(known: &KnownTemplate, listed: &StoredTemplate) -> bool {
    known.name == listed.name && known.language == listed.language
}

/// Whether a listed status is one that Volley does not know yet. A new template changes something only if it cannot be sent;
/// and lists call a flagged template approved.
fn is_news(before: Option<&str>, listed: &str) -> bool {
    match before {
        None => !matches!(listed, "APPROVED" | "PENDING"),
        Some("FLAGGED") => !matches!(listed, "APPROVED" | "FLAGGED"),
        Some(before) => before != listed,
    }
}

/// A template as it is stored; `None` if it has no name or no language.
fn stored(listed: ListedTemplate) -> Option<StoredTemplate> {
    let updated_at = listed.updated();
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    Some(StoredTemplate {
        name: filled(listed.template_name)?,
        language: filled(listed.language)?,
        category: listed.category.unwrap_or_default().to_ascii_uppercase(),
        status: listed.status.unwrap_or_default().to_ascii_uppercase(),
        components: listed.components.map(|raw| raw.get().to_owned()).unwrap_or_default(),
        updated_at,
    })
}

/// What a list changes. The first list of a channel changes nothing: all of it is new.
fn changes(
    stored_before: Option<&[StoredTemplate]>,
    before: &[KnownTemplate],
    after: &[StoredTemplate],
) -> Vec<TemplateChange> {
    let Some(stored_before) = stored_before else { return Vec::new() };
    let mut found = Vec::new();
    let mut add = |name: &str, language: &str, what| {
        found.push(TemplateChange { name: name.to_owned(), language: language.to_owned(), what });
    };
    for template in after {
        let StoredTemplate { name, language, status, category, components, .. } = template;
        let Some(former) = before.iter().find(|former| is_same(former, template)) else {
            add(name, language, ChangeKind::Added { status: status.clone() });
            continue;
        };
        if is_news(Some(&former.status), status) {
            add(name, language, ChangeKind::Status { before: former.status.clone(), after: status.clone() });
        }
        if former.category_word != *category {
            add(name, language, ChangeKind::Category { before: former.category_word.clone(), after: category.clone() });
        }
        let stored = stored_before.iter().find(|stored| stored.name == *name && stored.language == *language);
        if stored.is_some_and(|stored| stored.components != *components) {
            add(name, language, ChangeKind::Content);
        }
    }
    for former in before {
        if !after.iter().any(|template| is_same(former, template)) {
            add(&former.name, &former.language, ChangeKind::Removed);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::ManualClock;
    use crate::store::HeldBy;

    const LANE: &str = "[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nsub_account = \"acme\"\naccount_id = \
                        \"acme-1\"\nchannel_id = \"wa-1\"\n";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn config() -> Config {
        let none = std::iter::empty::<(&str, String)>();
        let file = Some((std::path::Path::new("volley.toml"), LANE));
        Config::read(file, std::iter::empty(), none).unwrap().config
    }

    async fn store() -> Arc<dyn Store> {
        let clock = Arc::new(ManualClock::at(at(0))) as Arc<dyn Clock>;
        store::open("sqlite::memory:", clock).await.unwrap()
    }

    /// Takes a list of names, statuses and texts at a second.
    async fn taken(store: &dyn Store, second: i64, list: &[(&str, &str, &str)]) -> Vec<TemplateChange> {
        let listed = list.iter().map(|(name, status, text)| {
            let template = serde_json::json!({
                "templateName": name, "language": "en", "category": "UTILITY", "status": status,
                "components": [{"type": "BODY", "text": text}],
            });
            serde_json::from_str(&template.to_string()).unwrap()
        });
        let place = TemplatePlace { account_id: "acme-1".to_owned(), channel_id: "wa-1".to_owned() };
        take(store, &config(), place, listed.collect(), at(second)).await.unwrap().1
    }

    fn change(name: &str, what: ChangeKind) -> TemplateChange {
        TemplateChange { name: name.to_owned(), language: "en".to_owned(), what }
    }

    #[tokio::test]
    async fn a_second_list_says_what_has_changed() {
        let store = store().await;
        let first = [("gone", "APPROVED", "Hi"), ("orders", "PENDING", "Hi"), ("promo", "APPROVED", "Hi")];
        assert_eq!(taken(&*store, 1, &first).await, [], "all of the first list is new");
        let second = [("new", "PENDING", "Hi"), ("orders", "Approved", "Hi"), ("promo", "APPROVED", "Hello")];
        let [before, after] = ["PENDING", "APPROVED"].map(str::to_owned);
        assert_eq!(
            taken(&*store, 2, &second).await,
            [
                change("new", ChangeKind::Added { status: before.clone() }),
                change("orders", ChangeKind::Status { before, after }),
                change("promo", ChangeKind::Content),
                change("gone", ChangeKind::Removed),
            ]
        );
        assert_eq!(taken(&*store, 3, &second).await, []);
    }

    #[tokio::test]
    async fn a_listed_pause_holds_and_a_listed_approval_releases_once() {
        let store = store().await;
        taken(&*store, 1, &[("promo", "APPROVED", "Hi")]).await;
        assert!(store.holds().await.unwrap().is_empty());
        taken(&*store, 2, &[("promo", "PAUSED", "Hi")]).await;
        let holds = store.holds().await.unwrap();
        let [hold] = &holds[..] else { panic!("{holds:?}") };
        assert_eq!((hold.lane.as_str(), hold.template.as_str(), hold.by), ("wa", "promo", HeldBy::Event));
        // A repeated list adds nothing.
        let seq = store.events(store::Cursor::START, 99).await.unwrap().len();
        taken(&*store, 3, &[("promo", "PAUSED", "Hi")]).await;
        assert_eq!(store.events(store::Cursor::START, 99).await.unwrap().len(), seq);
        taken(&*store, 4, &[("promo", "APPROVED", "Hi")]).await;
        assert!(store.holds().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_new_template_that_cannot_be_sent_is_held() {
        let store = store().await;
        taken(&*store, 1, &[("bad", "REJECTED", "Hi"), ("new", "PENDING", "Hi")]).await;
        let held: Vec<String> = store.holds().await.unwrap().into_iter().map(|hold| hold.template).collect();
        assert_eq!(held, ["bad"]);
    }
}
