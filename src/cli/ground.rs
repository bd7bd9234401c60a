//! What a command stands on: the configuration, the store, the clock, and who asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;

use super::exit::Usage;
use crate::campaign::Launcher;
use crate::clock::{Chance, Clock, RealClock};
use crate::config::{self, Config, Database, Loaded, Source};
use crate::domain::{Plan, Span, Timestamp};
use crate::store::{self, LaneState, Node, Store, Unwritable};
use crate::throttle::turned;

/// A node that has not been seen for so long does not run.
const NODE_SILENT: Span = Span::from_secs(5);

#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) loaded: Loaded,
    pub(super) config: Arc<Config>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<Chance>,
    /// Who decides, for the record.
    pub(super) by: String,
}

impl Ground {
    /// The configuration as file, environment and `flags` make it.
    pub(super) fn new(file: Option<&Path>, flags: Vec<(&'static str, String)>) -> anyhow::Result<Self> {
        let loaded = Config::load_with(file, std::env::vars(), flags).map_err(|error| match error {
            config::Error::Value { at, problem } if at.source == Source::Flag => {
                anyhow::Error::from(Usage(format!("--{}: {problem}", at.key)))
            }
            error => error.into(),
        });
        Ok(Self::on(loaded?))
    }

    pub(super) fn on(loaded: Loaded) -> Self {
        let by = std::env::var("USER").ok().filter(|user| !user.trim().is_empty());
        Self {
            config: Arc::new(loaded.config.clone()),
            loaded,
            clock: Arc::new(RealClock::new()),
            chance: Arc::new(Chance::from_entropy()),
            by: by.unwrap_or_else(|| "a person".to_owned()),
        }
    }

    /// Who does something, and why: `ann: the text is wrong`.
    pub(super) fn by_because(&self, reason: Option<&str>) -> String {
        match reason.map(str::trim).filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("{}: {reason}", self.by),
            None => self.by.clone(),
        }
    }

    /// The same by a clock that begins anew.
    pub(super) fn by_the_clock_of_now(self) -> Self {
        Self { clock: Arc::new(RealClock::new()), ..self }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn database(&self) -> &Path {
        let Database::Sqlite { path } = &self.config.database;
        path
    }

    /// The store, made where there is none yet: for commands that put something into it.
    pub(super) async fn store(&self) -> anyhow::Result<Arc<dyn Store>> {
        let url = format!("sqlite://{}", self.database().display());
        Ok(store::open(&url, Arc::clone(&self.clock)).await?)
    }

    /// Says on stderr which database something was put into: it may be another than somebody thinks, and a new one.
    pub(super) fn say_where(&self, was_there: bool) {
        let path = self.database();
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let made = if was_there { "" } else { ", which was made for it" };
        super::out::talk(format_args!("Kept in the database {}{made}.", whole.display()));
    }

    /// The store that is there: for commands that would find nothing in a new one.
    pub(super) async fn existing_store(&self) -> anyhow::Result<Arc<dyn Store>> {
        let path = self.database();
        if !path.exists() {
            bail!(
                "there is no database {} yet; `volley serve` and `volley audience import` make it, or name another with \
                 --config or VOLLEY_DATABASE_URL",
                path.display()
            );
        }
        self.store().await
    }

    /// The store where there is one, else an empty one in memory: for commands that only look something up on the way.
    pub(super) async fn store_to_look_into(&self) -> anyhow::Result<Arc<dyn Store>> {
        if self.database().exists() {
            return self.store().await;
        }
        Ok(store::open("sqlite::memory:", Arc::clone(&self.clock)).await?)
    }

    /// The servers that are running on this database.
    pub(super) async fn nodes(&self, store: &dyn Store) -> store::Result<Vec<Node>> {
        store.nodes(self.now() - NODE_SILENT).await
    }

    /// Whether the server that is running cannot write to this database.
    pub(super) async fn unwritable(&self, store: &dyn Store) -> store::Result<Option<Unwritable>> {
        store.unwritable(self.now() - NODE_SILENT).await
    }

    /// Who plans, launches and changes campaigns.
    pub(super) fn launcher<'a>(&'a self, store: &'a dyn Store) -> Launcher<'a> {
        Launcher { store, clock: self.clock.as_ref(), chance: &self.chance, config: &self.config }
    }

    /// How lanes go, as the servers that are running say.
    pub(super) async fn lane_states(&self, store: &dyn Store) -> store::Result<Vec<LaneState>> {
        store.lane_states(self.now() - NODE_SILENT).await
    }

    /// The same with everything that was turned while a server ran.
    pub(super) async fn as_turned(&self, store: &dyn Store) -> store::Result<Self> {
        Ok(Self { config: Arc::new(turned(&self.config, &store.dials().await?)), ..self.clone() })
    }

    /// What the lanes of a route may hand over in a second, each account once.
    pub(super) fn allowed(&self, plan: &Plan) -> f64 {
        let mut lanes: Vec<&config::Lane> = plan.steps.iter().flat_map(|step| self.config.lanes_of(step)).collect();
        lanes.sort_by(|a, b| (&a.account, &a.name).cmp(&(&b.account, &b.name)));
        lanes.dedup_by(|a, b| a.name == b.name);
        let of_account = |lanes: &[&config::Lane]| {
            let own: f64 = lanes.iter().map(|lane| lane.rate.each_second()).sum();
            let account = lanes.first().and_then(|lane| self.config.account(&lane.account)?.rate);
            account.map_or(own, |rate| rate.each_second().min(own))
        };
        lanes.chunk_by(|a, b| a.account == b.account).map(of_account).sum()
    }

    /// The configuration file as somebody would name it to another command; nothing where it is found anyway.
    pub(super) fn config_flag(&self) -> String {
        match &self.loaded.file {
            Some(file) if file != &PathBuf::from(config::DEFAULT_PATH) => {
                format!(" --config {}", super::words::shell(&file.display().to_string()))
            }
            Some(_) | None => String::new(),
        }
    }
}
