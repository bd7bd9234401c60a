//! Fetches the provider's templates, stores them, and says what has changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use super::known::{Catalogue, KnownTemplate, lanes_at, place_of};
use crate::base::clock::Clock;
use crate::base::config::{Config, Lane};
use crate::base::domain::text::plural;
use crate::base::domain::{Channel, Timestamp};
use crate::provider::client::{TemplatesClient, TemplatesError};
use crate::rules::wire::ListedTemplate;
use crate::sending::receipts::{Known, ListedStatus};
use crate::store::{self, AccountEvent, FetchedTemplates, HeldBy, Hold, Store, StoredTemplate, TemplatePlace};

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

/// `promo (en): PAUSED instead of APPROVED`.
impl fmt::Display for TemplateChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, language, what } = self;
        write!(f, "{name} ({language}): ")?;
        match what {
            ChangeKind::Added { status } => write!(f, "new, {status}"),
            ChangeKind::Removed => f.write_str("no longer at the provider"),
            ChangeKind::Status { before, after } => write!(f, "{after} instead of {before}"),
            ChangeKind::Category { before, after } => write!(f, "category {after} instead of {before}"),
            ChangeKind::Content => f.write_str("its content has changed"),
        }
    }
}

impl PulledChannel {
    /// `12 templates; 3 changes`, or why they were not fetched.
    pub fn outcome(&self) -> Result<String, &TemplatesError> {
        let (templates, changes) = self.result.as_ref()?;
        let changed = match changes.len() {
            0 => "nothing has changed".to_owned(),
            changes => plural(small(changes), "change", "changes"),
        };
        Ok(format!("{}; {changed}", plural(small(*templates), "template", "templates")))
    }
}

fn small(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The WhatsApp lanes whose channel the configuration does not name, each with the setting that is missing.
pub fn unnamed(config: &Config) -> Vec<TemplatesError> {
    let lanes = config.lanes_on(Channel::WhatsApp).filter(|lane| place_of(lane).is_none());
    lanes.filter_map(|lane| TemplatesClient::new(lane).err()).collect()
}

/// Fetches the templates of every channel that the configuration names, each once with the key of its first lane.
///
/// A channel that fails keeps its last known templates.
pub async fn pull(store: &dyn Store, clock: &dyn Clock, config: &Config) -> store::Result<Pull> {
    let mut pulled = Pull { skipped: unnamed(config), ..Pull::default() };
    let mut channels: BTreeMap<TemplatePlace, Vec<&Lane>> = BTreeMap::new();
    for lane in config.lanes_on(Channel::WhatsApp) {
        if let Some(place) = place_of(lane) {
            channels.entry(place).or_default().push(lane);
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
    let catalogue = Catalogue::read(store, &config.lanes, None).await?;
    let before: Vec<KnownTemplate> = catalogue.templates.into_iter().filter(is_here).collect();
    let templates: Vec<StoredTemplate> = listed.into_iter().filter_map(stored).collect();
    let changes = changes(stored_before.as_ref().map(|fetched| &fetched.templates[..]), &before, &templates, at);
    let (overrides, reports) = (store.overrides().await?, store.provider_reports().await?);
    let holds = store.holds().await?;
    let known = Known { overrides: &overrides, holds: &holds, reports: &reports };
    let lanes: Vec<&Lane> = lanes_at(&config.lanes, &place).collect();
    let effects = Effects { place: &place, lanes: &lanes, known, at };
    let known_before: HashMap<_, _> = before.iter().map(|former| (former.title(), former)).collect();
    let of_listed = templates.iter().filter_map(|template| {
        let former = known_before.get(&template.title()).copied();
        let is_new = is_news(former, &template.status, at) || effects.is_held_still(template);
        is_new.then(|| effects.of(&template.name, &template.language, &template.status)).flatten()
    });
    let listed: HashSet<_> = templates.iter().map(StoredTemplate::title).collect();
    let is_removed = |former: &&KnownTemplate| !listed.contains(&former.title());
    let of_removed =
        before.iter().filter(is_removed).filter_map(|gone| effects.of(&gone.name, &gone.language, DELETED));
    let events: Vec<AccountEvent> = of_listed.chain(of_removed).collect();
    let count = templates.len();
    store.replace_templates(FetchedTemplates { place, fetched_at: at, templates }, events).await?;
    Ok((count, changes))
}

/// The status of a template that is no longer listed.
const DELETED: &str = "DELETED";

/// What statuses of a list do.
struct Effects<'a> {
    place: &'a TemplatePlace,
    /// The lanes that send on the channel.
    lanes: &'a [&'a Lane],
    known: Known<'a>,
    at: Timestamp,
}

impl Effects<'_> {
    fn of(&self, name: &str, language: &str, status: &str) -> Option<AccountEvent> {
        let TemplatePlace { account_id, channel_id } = self.place;
        let listed = ListedStatus { account_id, channel_id, name, language, status, listed_at: self.at };
        listed.event(self.lanes, self.known)
    }

    /// Whether a template that the list calls approved is still held for an earlier status.
    fn is_held_still(&self, template: &StoredTemplate) -> bool {
        let is_it = |hold: &Hold| {
            hold.by == HeldBy::Event
                && hold.template == template.name
                && (hold.language == template.language || hold.language.is_empty())
                && hold.since < self.at
                && self.lanes.iter().any(|lane| lane.name == hold.lane)
        };
        template.status == "APPROVED" && self.known.holds.iter().any(is_it)
    }
}

impl KnownTemplate {
    /// Its name and language, which tell it apart on its channel.
    fn title(&self) -> (&str, &str) {
        (&self.name, &self.language)
    }
}

impl StoredTemplate {
    fn title(&self) -> (&str, &str) {
        (&self.name, &self.language)
    }
}

/// Whether a status that is listed at a time is one that Volley does not know yet. A new template changes something only if
/// it cannot be sent; and lists call a flagged template approved.
fn is_news(before: Option<&KnownTemplate>, listed: &str, at: Timestamp) -> bool {
    match before {
        None => !matches!(listed, "APPROVED" | "PENDING"),
        Some(before) => match (before.flagged_until, listed) {
            (Some(until), "APPROVED") => until <= at,
            _ => before.status != listed,
        },
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
    at: Timestamp,
) -> Vec<TemplateChange> {
    let Some(stored_before) = stored_before else { return Vec::new() };
    // An account may have thousands of templates.
    let known_before: HashMap<_, _> = before.iter().map(|former| (former.title(), former)).collect();
    let stored_before: HashMap<_, _> = stored_before.iter().map(|stored| (stored.title(), stored)).collect();
    let listed: HashSet<_> = after.iter().map(StoredTemplate::title).collect();
    let mut found = Vec::new();
    let mut add = |name: &str, language: &str, what| {
        found.push(TemplateChange { name: name.to_owned(), language: language.to_owned(), what });
    };
    for template in after {
        let StoredTemplate { name, language, status, category, components, .. } = template;
        let Some(former) = known_before.get(&template.title()).copied() else {
            add(name, language, ChangeKind::Added { status: status.clone() });
            continue;
        };
        if is_news(Some(former), status, at) {
            add(name, language, ChangeKind::Status { before: former.status.clone(), after: status.clone() });
        }
        if former.category_word != *category {
            add(name, language, ChangeKind::Category { before: former.category_word.clone(), after: category.clone() });
        }
        if stored_before.get(&template.title()).is_some_and(|stored| stored.components != *components) {
            add(name, language, ChangeKind::Content);
        }
    }
    for former in before {
        if !listed.contains(&former.title()) {
            add(&former.name, &former.language, ChangeKind::Removed);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::events::{Origin, Subject};
    use crate::store::ProviderReport;

    const LANES: &str = "[quality]\nyellow = \"slow\"\n[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nsub_account = \
                         \"acme\"\naccount_id = \"acme-1\"\nchannel_id = \"wa-1\"\nrate = \"80/s\"\n[[lane]]\nname = \
                         \"other\"\nchannel = \"WhatsApp\"\nsub_account = \"acme\"\naccount_id = \"acme-1\"\nchannel_id = \
                         \"wa-2\"\n";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn config() -> Config {
        let none = std::iter::empty::<(&str, String)>();
        let file = Some((std::path::Path::new("volley.toml"), LANES));
        Config::read(file, std::iter::empty(), none).unwrap().config
    }

    async fn store() -> Arc<dyn Store> {
        let clock = Arc::new(ManualClock::at(at(0))) as Arc<dyn Clock>;
        store::open("sqlite::memory:", clock).await.unwrap()
    }

    /// Takes a list of names, statuses and texts at a second.
    async fn taken(store: &dyn Store, second: i64, list: &[(&str, &str, &str)]) -> Vec<TemplateChange> {
        taken_on(store, "wa-1", second, list).await
    }

    async fn taken_on(
        store: &dyn Store,
        channel: &str,
        second: i64,
        list: &[(&str, &str, &str)],
    ) -> Vec<TemplateChange> {
        let listed = list.iter().map(|(name, status, text)| {
            let template = serde_json::json!({
                "templateName": name, "language": "en", "category": "UTILITY", "status": status,
                "components": [{"type": "BODY", "text": text}],
            });
            serde_json::from_str(&template.to_string()).unwrap()
        });
        let place = TemplatePlace { account_id: "acme-1".to_owned(), channel_id: channel.to_owned() };
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

    /// A webhook about the template promo, as the store keeps it.
    fn webhook(second: i64, reports: Vec<ProviderReport>, holds: Vec<Hold>) -> AccountEvent {
        AccountEvent {
            id: format!("e-{second}"),
            received: at(second),
            happened_at: at(second),
            kind: "template_status_update".to_owned(),
            raw: "{}".to_owned(),
            events: Vec::new(),
            overrides: Vec::new(),
            holds,
            releases: Vec::new(),
            ended: Vec::new(),
            reports,
        }
    }

    fn report(what: &str, value: &str, second: i64) -> ProviderReport {
        let (about, what, value) = (Subject::template("promo", "en"), what.to_owned(), value.to_owned());
        ProviderReport { about, what, value, at: at(second) }
    }

    fn paused(by: HeldBy) -> Hold {
        let [lane, template, language] = ["wa", "promo", "en"].map(str::to_owned);
        Hold { lane, template, language, by, code: None, origin: Origin::provider("paused"), since: at(1) }
    }

    #[tokio::test]
    async fn the_first_list_releases_an_older_hold_of_the_provider() {
        let store = store().await;
        let holds = vec![paused(HeldBy::Event), paused(HeldBy::Operator)];
        store.take_business(vec![webhook(1, Vec::new(), holds)]).await.unwrap();
        taken(&*store, 2, &[("promo", "APPROVED", "Hi")]).await;
        let left: Vec<HeldBy> = store.holds().await.unwrap().iter().map(|hold| hold.by).collect();
        assert_eq!(left, [HeldBy::Operator]);
    }

    #[tokio::test]
    async fn templates_with_one_name_on_two_channels_do_not_disturb_each_other() {
        let store = store().await;
        let held = async || store.holds().await.unwrap().into_iter().map(|hold| hold.lane).collect::<Vec<_>>();
        for second in [1, 3, 5] {
            taken_on(&*store, "wa-1", second, &[("promo", "APPROVED", "Hi")]).await;
            taken_on(&*store, "wa-2", second + 1, &[("promo", "PAUSED", "Hi")]).await;
            assert_eq!(held().await, ["other"], "after second {second}");
        }
        let holds = store.events(store::Cursor::START, 99).await.unwrap().len();
        taken_on(&*store, "wa-1", 7, &[("promo", "APPROVED", "Hi")]).await;
        assert_eq!(store.events(store::Cursor::START, 99).await.unwrap().len(), holds, "nothing has changed");
    }

    #[tokio::test]
    async fn a_list_after_its_day_ends_a_flag() {
        let store = store().await;
        let reports = vec![report("status", "FLAGGED", 1), report("disable_date", "1970-01-01T00:01:00Z", 1)];
        store.take_business(vec![webhook(1, reports, Vec::new())]).await.unwrap();
        let list = [("promo", "APPROVED", "Hi")];
        let status = async || {
            let catalogue = Catalogue::read(&*store, &config().lanes, None).await.unwrap();
            catalogue.templates[0].status.clone()
        };
        taken(&*store, 2, &list).await;
        taken(&*store, 59, &list).await;
        assert_eq!(status().await, "FLAGGED");
        let [before, after] = ["FLAGGED", "APPROVED"].map(str::to_owned);
        assert_eq!(taken(&*store, 60, &list).await, [change("promo", ChangeKind::Status { before, after })]);
        assert_eq!(status().await, "APPROVED");
    }

    #[tokio::test]
    async fn a_template_that_is_no_longer_listed_slows_no_lane() {
        let store = store().await;
        let slowed = store::Override {
            setting: crate::base::domain::OverridableSetting::Rate,
            name: "wa".to_owned(),
            value: "40/s".to_owned(),
            in_file: "80/s".to_owned(),
            origin: Origin::rule("YELLOW"),
            since: at(1),
        };
        let event =
            AccountEvent { overrides: vec![slowed], ..webhook(1, vec![report("quality", "YELLOW", 1)], vec![]) };
        store.take_business(vec![event]).await.unwrap();
        taken(&*store, 2, &[("promo", "APPROVED", "Hi")]).await;
        assert_eq!(store.overrides().await.unwrap().len(), 1);
        taken(&*store, 3, &[]).await;
        assert!(store.overrides().await.unwrap().is_empty());
    }
}
