//! Tests of sending: receivers on this machine, a database in memory and a clock by hand.

mod alerts;
mod crowds;
mod feeds;
mod receiver;
mod retries;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::client::{Client, Names};
use super::desk::{Created, Desk, Wanted};
use super::sending::Outgoing;
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::config::{Alert, Config};
use crate::base::domain::IpNetwork;
use crate::base::domain::{Span, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::store::{self, Delivery, Receiver, Store, WebhookFormat};

/// Names that lead where a test says.
#[derive(Debug, Default)]
struct Given(BTreeMap<&'static str, Vec<SocketAddr>>);

impl Names for Given {
    fn addresses(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        let found = self.0.get(name.as_str()).cloned().unwrap_or_default();
        Box::pin(async move { Ok(found) })
    }
}

/// An installation whose webhooks may go to this machine.
struct Site {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    desk: Desk,
    allow: Vec<IpNetwork>,
    alerts: Arc<[Alert]>,
    names: BTreeMap<&'static str, Vec<SocketAddr>>,
    /// How long a receiver may take, by the real clock.
    limit: Duration,
}

fn config(text: &str) -> Config {
    let none = std::iter::empty::<(&str, String)>();
    Config::read(Some((Path::new("volley.toml"), text)), std::iter::empty(), none).unwrap().config
}

impl Site {
    async fn new() -> Self {
        Self::with("[outgoing]\nallow = [\"127.0.0.0/8\"]").await
    }

    async fn with(text: &str) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let config = config(text);
        let allow = config.outgoing.allow.clone();
        let desk = Desk::new(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>, allow.clone());
        let (names, limit) = (BTreeMap::new(), Duration::from_secs(60));
        Self { store, clock, desk, allow, alerts: config.alerts.into(), names, limit }
    }

    /// What a server has in memory. A second one is the server after a crash of the first.
    fn server(&self) -> Outgoing {
        let network = config("").provider.network;
        let names: Arc<dyn Names> = Arc::new(Given(self.names.clone()));
        let client = Client::over(&names, &self.allow, &network, self.limit).unwrap();
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock) as Arc<dyn Clock>);
        Outgoing::over(client, store, clock, Arc::new(Chance::seeded(1)), Arc::clone(&self.alerts))
    }

    async fn subscribe(&self, name: &str, url: &str) -> Created {
        self.subscribe_to(name, url, &["lane.*"]).await
    }

    async fn subscribe_to(&self, name: &str, url: &str, types: &[&str]) -> Created {
        let wanted = Wanted {
            name: name.to_owned(),
            url: url.to_owned(),
            format: WebhookFormat::Volley,
            types: types.iter().map(|kind| (*kind).to_owned()).collect(),
            sub_account: None,
            authorization: Some("Bearer crm".to_owned()),
        };
        self.desk.create(wanted, Origin::operator("Ann", None)).await.unwrap()
    }

    async fn happens(&self, subject: Subject, kind: EventKind) {
        let origin = Origin::provider("the key was refused");
        self.store.record_event(Event { at: self.clock.now(), subject, origin, kind }).await.unwrap();
    }

    async fn hold(&self, lane: &str) {
        self.happens(Subject::lane(lane), EventKind::Held { code: Some(1_200) }).await;
    }

    async fn release(&self, lane: &str) {
        self.happens(Subject::lane(lane), EventKind::Released).await;
    }

    fn wait(&self, seconds: i64) {
        self.clock.advance(Span::from_secs(seconds));
    }

    async fn log(&self, created: &Created) -> Vec<Delivery> {
        let all = self.store.subscriptions().await.unwrap();
        let found = all.iter().find(|known| known.name == created.view.name).unwrap();
        let receiver = Receiver::Subscription(found.id);
        let mut log = self.store.deliveries(receiver, None, 99).await.unwrap();
        log.reverse();
        log
    }
}
