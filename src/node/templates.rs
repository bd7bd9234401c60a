//! Keeps the provider's templates up to date while a server runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::domain::{Channel, Span, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::provider::catalogue::{Catalogue, place_of, pull};
use crate::store::{self, Store};

/// How often the server looks whether a webhook has named a template that is not known.
const LOOK: Span = Span::from_secs(60);
/// How old the list becomes while no webhook asks for a new one: a missed webhook is repaired by then.
const REFRESH: Span = Span::from_secs(3_600);
/// The pause after a fetch that failed.
const RETRY: Span = Span::from_secs(600);

/// Templates by name and language, each with the time of the latest report.
type Reported = BTreeMap<(String, String), Timestamp>;

/// Fetches the templates when the server starts, then once an hour, and after a webhook about a template that is not known. A
/// failure is an event, and never stops the server.
#[derive(Debug)]
pub(super) struct TemplateKeeper {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: Arc<Config>,
}

impl TemplateKeeper {
    pub(super) async fn run(self, stop: CancellationToken) {
        if !self.config.lanes_on(Channel::WhatsApp).any(|lane| place_of(lane).is_some()) {
            // No lane names a channel to fetch from.
            return stop.cancelled().await;
        }
        let (mut is_due, mut reported, mut fetched_at) = (true, BTreeMap::new(), self.clock.now());
        let mut asked = Reported::new();
        while !stop.is_cancelled() {
            let mut next = LOOK;
            if is_due {
                fetched_at = self.clock.now();
                // The store reports its own failures, and the next round tries again.
                asked = self.reported().await.unwrap_or(asked);
                // A provider that does not answer must not delay the end of the server.
                let fetched = tokio::select! {
                    () = stop.cancelled() => return,
                    fetched = self.fetch(&mut reported) => fetched,
                };
                if matches!(fetched, Ok(false) | Err(_)) {
                    next = RETRY;
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.clock.sleep(next) => {}
            }
            let is_old = self.clock.now().since(fetched_at) >= REFRESH;
            is_due = next == RETRY || is_old || self.names_unknown_template(&asked).await.unwrap_or(false);
        }
    }

    /// Fetches all templates. Returns whether every channel answered; a reason that was not reported yet becomes an event.
    async fn fetch(&self, reported: &mut BTreeMap<String, String>) -> store::Result<bool> {
        let pulled = pull(self.store.as_ref(), self.clock.as_ref(), &self.config).await?;
        let mut is_whole = true;
        for channel in pulled.channels {
            let (Err(error), Some(lane)) = (channel.result, channel.lanes.into_iter().next()) else { continue };
            is_whole = false;
            let reason = error.to_string();
            if reported.insert(lane.clone(), reason.clone()).as_ref() != Some(&reason) {
                tracing::warn!(lane, reason, "cannot fetch the templates; retrying");
                let (at, subject, kind) = (self.clock.now(), Subject::lane(&lane), EventKind::TemplatesNotFetched);
                self.store.record_event(Event { at, subject, origin: Origin::rule(reason), kind }).await?;
            }
        }
        Ok(is_whole)
    }

    /// The templates that webhooks have reported on.
    async fn reported(&self) -> store::Result<Reported> {
        let mut named = Reported::new();
        for report in self.store.provider_reports().await? {
            let Some((name, language)) = report.template() else { continue };
            let latest = named.entry((name.to_owned(), language.to_owned())).or_insert(report.at);
            *latest = report.at.max(*latest);
        }
        Ok(named)
    }

    /// Whether a webhook has come since the last fetch that reports on a template that is not listed. `asked` are the reports
    /// before that fetch: each asks for one fetch only, whatever the provider's clock says and however old a list is.
    async fn names_unknown_template(&self, asked: &Reported) -> store::Result<bool> {
        let mut named = self.reported().await?;
        named.retain(|template, at| asked.get(template).is_none_or(|asked| *at > *asked));
        if named.is_empty() {
            return Ok(false);
        }
        let names = named.keys().map(|(name, _)| name.clone()).collect();
        let catalogue = Catalogue::read(self.store.as_ref(), &self.config.lanes, Some(names)).await?;
        let is_known = |name: &str, language: &str| {
            catalogue
                .templates
                .iter()
                .any(|known| known.name == name && (known.language == language || language.is_empty()))
        };
        Ok(named.keys().any(|(name, language)| !is_known(name, language)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::store::{AccountEvent, Cursor, FetchedTemplates, ProviderReport, StoredTemplate, TemplatePlace};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    async fn keeper(lane: &str) -> TemplateKeeper {
        let clock = Arc::new(ManualClock::at(at(100))) as Arc<dyn Clock>;
        let text = format!(
            "[provider]\nbase_url = \"http://127.0.0.1:9\"\n[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nsub_account = \"acme\"\n{lane}"
        );
        let none = std::iter::empty::<(&str, String)>();
        let file = Some((std::path::Path::new("volley.toml"), text.as_str()));
        let config = Arc::new(Config::read(file, std::iter::empty(), none).unwrap().config);
        TemplateKeeper { store: store::open("sqlite::memory:", Arc::clone(&clock)).await.unwrap(), clock, config }
    }

    #[tokio::test]
    async fn a_failed_fetch_is_one_event_and_no_stop() {
        // Without a key nothing is asked of the provider.
        let keeper = keeper("account_id = \"acme-1\"\nchannel_id = \"wa-1\"\n").await;
        let mut reported = BTreeMap::new();
        assert!(!keeper.fetch(&mut reported).await.unwrap());
        assert!(!keeper.fetch(&mut reported).await.unwrap());
        let events = keeper.store.events(Cursor::START, 9).await.unwrap();
        let [(_, event)] = &events[..] else { panic!("{events:?}") };
        assert!(event.sentence().contains("add api_key_file"), "{}", event.sentence());
    }

    #[tokio::test]
    async fn a_provider_that_does_not_answer_delays_no_stop() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let lane =
            format!("account_id = \"acme-1\"\nchannel_id = \"wa-1\"\napi_key = \"k\"\nbase_url = \"{base_url}\"\n");
        let (keeper, stop) = (keeper(&lane).await, CancellationToken::new());
        let asked = async {
            let connection = listener.accept().await.unwrap();
            stop.cancel();
            connection
        };
        let stopped = async { tokio::join!(keeper.run(stop.clone()), asked) };
        // Shorter than the 30 s for which an answer is waited for.
        tokio::time::timeout(std::time::Duration::from_secs(20), stopped).await.unwrap();
    }

    fn about(name: &str, second: i64) -> AccountEvent {
        AccountEvent {
            id: format!("{name}-{second}"),
            received: at(second),
            happened_at: at(second),
            kind: "template_status_update".to_owned(),
            raw: "{}".to_owned(),
            events: Vec::new(),
            overrides: Vec::new(),
            holds: Vec::new(),
            releases: Vec::new(),
            ended: Vec::new(),
            reports: vec![ProviderReport {
                about: Subject::template(name, "en"),
                what: "status".to_owned(),
                value: "APPROVED".to_owned(),
                at: at(second),
            }],
        }
    }

    #[tokio::test]
    async fn a_report_on_an_unlisted_template_asks_for_one_fetch() {
        let keeper = keeper("account_id = \"acme-1\"\nchannel_id = \"wa-1\"\n").await;
        let listed = StoredTemplate {
            name: "promo".to_owned(),
            language: "en".to_owned(),
            category: "UTILITY".to_owned(),
            status: "APPROVED".to_owned(),
            components: "[]".to_owned(),
            updated_at: None,
        };
        let place = |channel: &str| TemplatePlace { account_id: "acme-1".to_owned(), channel_id: channel.to_owned() };
        // The list of a channel that no lane names any more stays as old as it is.
        for (channel, second) in [("gone", 1), ("wa-1", 50)] {
            let fetched =
                FetchedTemplates { place: place(channel), fetched_at: at(second), templates: vec![listed.clone()] };
            keeper.store.replace_templates(fetched, Vec::new()).await.unwrap();
        }
        keeper.store.take_business(vec![about("old", 40)]).await.unwrap();
        let asked = keeper.reported().await.unwrap();
        keeper.store.take_business(vec![about("promo", 60)]).await.unwrap();
        assert!(!keeper.names_unknown_template(&asked).await.unwrap(), "one is listed, the other is from before");
        // By the provider's clock, which is an hour ahead.
        keeper.store.take_business(vec![about("new", 3_700)]).await.unwrap();
        assert!(keeper.names_unknown_template(&asked).await.unwrap());
        let asked = keeper.reported().await.unwrap();
        assert!(!keeper.names_unknown_template(&asked).await.unwrap(), "it was asked for");
        keeper.store.take_business(vec![about("new", 3_701)]).await.unwrap();
        assert!(keeper.names_unknown_template(&asked).await.unwrap());
    }
}
