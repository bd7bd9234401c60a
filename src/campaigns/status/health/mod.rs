//! The health of an installation: findings about the configuration, the database, the server and what Volley receives.

mod campaigns;
mod configuration;
mod disk;
mod provider;
mod rates;
mod receiving;
mod server;
mod templates;

use std::path::Path;

use serde::Serialize;

use super::error::StatusError;
use super::holds;
use super::obstacles::Obstacle;
use super::overrides;
use super::servers::Servers;
use super::slow::Slow;
use crate::base::config::Loaded;
use crate::base::domain::{BatchState, Timestamp};
use crate::base::events::Actor;
use crate::campaigns::campaign::Launcher;
use crate::campaigns::report::QueuedMessages;
use crate::sending::throttle::{is_over, with_overrides};
use crate::store::Store;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Ok,
    Warning,
    /// It prevents Volley from sending.
    Failed,
}

/// The result of a check.
#[derive(Debug, Serialize)]
pub struct FindingView {
    /// The check.
    pub what: &'static str,
    pub health: Health,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_to_do: Option<String>,
}

/// All findings, and whether none of them prevents Volley from sending.
#[derive(Debug, Serialize)]
pub struct HealthView<'a> {
    pub findings: &'a [FindingView],
    pub ok: bool,
}

/// The findings of the checks, in order.
#[derive(Debug, Default)]
pub struct Findings(Vec<FindingView>);

impl Findings {
    pub fn add(&mut self, what: &'static str, health: Health, text: impl Into<String>, what_to_do: Option<&str>) {
        self.0.push(FindingView { what, health, text: text.into(), what_to_do: what_to_do.map(str::to_owned) });
    }

    pub fn add_ok(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(what, Health::Ok, text, None);
    }

    pub fn is_ok(&self) -> bool {
        self.0.iter().all(|finding| finding.health != Health::Failed)
    }

    pub fn all(&self) -> &[FindingView] {
        &self.0
    }

    pub fn view(&self) -> HealthView<'_> {
        HealthView { findings: &self.0, ok: self.is_ok() }
    }

    /// Checks the configuration of this command and its lanes. A server that runs may have got other values when it
    /// started.
    pub async fn check_configuration(&mut self, loaded: &Loaded, store: Option<&dyn Store>, now: Timestamp) {
        let server_runs = match store {
            Some(store) => Servers::look(store, now).await.is_ok_and(|servers| !servers.running.is_empty()),
            None => false,
        };
        configuration::check_configuration(loaded, server_runs, self);
        configuration::check_lanes(&loaded.config, self);
    }

    /// Reports a database that does not exist.
    pub fn add_missing_database(&mut self, path: &Path) {
        let text = format!("{} does not exist yet", path.display());
        let advice = "`volley serve`, an import or a launch creates it";
        self.add("database", Health::Warning, text, Some(advice));
    }

    /// Reports a database that can be opened.
    pub fn add_database(&mut self, path: &Path) {
        self.add_ok("database", format!("{} can be opened, and its schema is up to date", path.display()));
    }

    /// Reports why the database cannot be used.
    pub fn add_broken_database(&mut self, error: &str) {
        self.add("database", Health::Failed, error, None);
    }

    /// Checks only the server. Returns whether one is running that can write to the database.
    pub async fn check_running(&mut self, store: &dyn Store, now: Timestamp) -> Result<bool, StatusError> {
        let servers = Servers::look(store, now).await?;
        server::check_server(store, &servers, now, self).await?;
        Ok(!servers.running.is_empty() && servers.unwritable.is_none())
    }

    /// Checks what the database says about the server, holds, rates, campaigns, and what Volley receives.
    pub async fn check_stored(&mut self, launcher: &Launcher<'_>) {
        if let Err(error) = check_stored(launcher, self).await {
            self.add_broken_database(&error.to_string());
        }
    }
}

/// Checks what the database says: holds, rates, the server, campaigns, and what Volley receives.
async fn check_stored(launcher: &Launcher<'_>, findings: &mut Findings) -> Result<(), StatusError> {
    let (store, config, now) = (launcher.store, launcher.config, launcher.clock.now());
    let holds = store.holds().await?;
    let waiting = QueuedMessages::everywhere(store).await?;
    for hold in &holds {
        let text = holds::sentence_since(hold, waiting.held_by(hold), now);
        findings.add("holds", Health::Warning, text, Some(&holds::what_to_do(hold)));
    }
    if holds.is_empty() {
        findings.add_ok("holds", "no lane or template is on hold");
    }
    let servers = Servers::look(store, now).await?;
    let overrides = store.overrides().await?;
    for slowed in overrides.iter().filter(|known| known.origin.by == Actor::Server && !is_over(config, known)) {
        let remedy = config.lane(&slowed.name).map(|lane| overrides::what_to_do(slowed, lane));
        findings.add("rate", Health::Warning, overrides::sentence_since(slowed, now), remedy.as_deref());
    }
    for slow in Slow::all(&with_overrides(config, &overrides), &servers, now) {
        let text = format!("{}{}", slow.what(), holds::wait_for_it(waiting.on_lane(&slow.lane)));
        findings.add("rate", Health::Warning, text, Some(&slow.what_to_do(now)));
    }
    rates::check_throughput(&with_overrides(config, &overrides), store, now, findings).await?;
    server::check_server(store, &servers, now, findings).await?;
    campaigns::check_campaigns(launcher, now, findings).await?;
    if !servers.running.is_empty() {
        let states = vec![BatchState::Running, BatchState::Paused, BatchState::Finished];
        for doubt in Obstacle::doubts(store, config, &store.batches(Some(states)).await?).await? {
            findings.add("doubt", Health::Failed, doubt.what_since(now), Some(&doubt.what_to_do("", now)));
        }
    }
    receiving::check_gaps(store, now, findings).await?;
    receiving::check_account_events(config, store, now, findings).await?;
    receiving::check_webhooks(config, store, now, findings).await?;
    receiving::check_stand_ins(store, findings).await?;
    receiving::check_reported_opt_outs(store, findings).await?;
    templates::check_templates(config, store, now, findings).await?;
    Ok(())
}
