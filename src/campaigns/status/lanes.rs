//! Lanes: their settings, holds, overrides, and what a server and the provider report about them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::holds::HoldView;
use super::overrides::{OverrideView, concerns};
use super::reports::ReportedView;
use super::servers::Servers;
use super::slow::LaneNowView;
use crate::base::config::{Config, Lane};
use crate::base::domain::text::about;
use crate::base::domain::{Channel, Country, Tier, Timestamp};
use crate::base::events::Subject;
use crate::campaigns::campaign::LaneCarriedOut;
use crate::campaigns::report::QueuedMessages;
use crate::sending::throttle::is_over;
use crate::store::{Hold, Override, ProviderReport, Result, StepHold, Store};

/// The tier of a lane's portfolio.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TierView {
    pub portfolio: String,
    pub tier: String,
    /// Recipients that messages were submitted to in the last 24 hours.
    pub recipients_in_24h: u32,
}

/// A lane: its settings and its present state.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LaneView<'a> {
    pub name: &'a str,
    pub channel: Channel,
    pub rate: String,
    pub burst: u32,
    pub account: &'a str,
    pub account_rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierView>,
    /// The countries that it sends to; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<Country>,
    pub holds: Vec<HoldView>,
    /// Messages that are queued on it, including those that it shares with other lanes.
    pub queued: i64,
    /// Whether a server is running on this database.
    pub server: bool,
    /// Its current state; `None` if no running server has reported it yet.
    pub now: Option<LaneNowView>,
    /// The overrides of its settings.
    pub overrides: Vec<OverrideView>,
    /// What the provider reports about it.
    pub reports: Vec<ReportedView>,
}

/// A lane after an operator's decision.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LaneDecisionView<'a> {
    #[serde(flatten)]
    pub lane: LaneView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<u32>,
    pub noted: Option<bool>,
}

impl<'a> LaneDecisionView<'a> {
    pub const fn new(lane: LaneView<'a>, done: &LaneCarriedOut) -> Self {
        Self { lane, released: done.released, noted: done.noted.by_all() }
    }
}

/// The stored state of all lanes.
#[derive(Debug)]
pub struct Lanes {
    pub holds: Vec<Hold>,
    pub waiting: QueuedMessages,
    pub servers: Servers,
    pub overrides: Vec<Override>,
    pub reports: Vec<ProviderReport>,
    pub step_holds: Vec<StepHold>,
    /// For each portfolio, the recipients that count against its tier.
    pub recipients: BTreeMap<String, u32>,
}

impl Lanes {
    /// `in_file` is the configuration without overrides.
    pub async fn read(store: &dyn Store, in_file: &Config, now: Timestamp) -> Result<Self> {
        let (holds, waiting) = (store.holds().await?, QueuedMessages::everywhere(store).await?);
        let counts = |overridden: &Override| !is_over(in_file, overridden);
        let overrides = store.overrides().await?.into_iter().filter(counts).collect();
        let step_holds = store.step_holds().await?;
        let recipients = store.tiers_used(now - Tier::HELD).await?;
        let reports = store.provider_reports().await?.into_iter().filter(|said| !said.value.is_empty()).collect();
        let servers = Servers::look(store, now).await?;
        Ok(Self { holds, waiting, servers, overrides, reports, step_holds, recipients })
    }

    pub fn overrides<'a>(&'a self, lane: &'a Lane) -> impl Iterator<Item = &'a Override> {
        self.overrides.iter().filter(|overridden| concerns(overridden, lane))
    }

    pub fn reports(&self, lane: &Lane) -> impl Iterator<Item = &ProviderReport> {
        let about = Subject::lane(&lane.name);
        // What the provider reports about the account concerns all WhatsApp lanes.
        let is_whatsapp = lane.channel == Channel::WhatsApp;
        self.reports
            .iter()
            .filter(move |said| said.about == about || is_whatsapp && said.about == Subject::ProviderAccount)
    }

    /// What the provider reports about the configured lanes, each report once.
    pub fn all_reports(&self, config: &Config) -> Vec<&ProviderReport> {
        let mut all: Vec<&ProviderReport> = Vec::new();
        for report in config.lanes.iter().flat_map(|lane| self.reports(lane)) {
            if !all.contains(&report) {
                all.push(report);
            }
        }
        all
    }

    /// `lane promo-sg: the provider last complained 3 min ago: too many requests`; a complaint of any age.
    pub fn complaint(&self, lane: &Lane, now: Timestamp) -> Option<String> {
        let (at, why) = self.servers.lane(&lane.name)?.complaint.as_ref()?;
        Some(format!("lane {}: the provider last complained {} ago: {why}", lane.name, about(now.since(*at))))
    }

    /// Describes a lane. `config` is the configuration with overrides.
    pub fn view<'a>(&self, config: &'a Config, lane: &'a Lane) -> LaneView<'a> {
        let tier = lane.tiered().map(|portfolio| TierView {
            portfolio: portfolio.to_owned(),
            tier: lane.tier.to_string(),
            recipients_in_24h: self.recipients.get(portfolio).copied().unwrap_or(0),
        });
        LaneView {
            name: &lane.name,
            channel: lane.channel,
            rate: lane.rate.to_string(),
            burst: lane.burst.get(),
            account: &lane.account,
            account_rate: config.account(&lane.account).and_then(|account| account.rate).map(|rate| rate.to_string()),
            tier,
            countries: lane.countries.iter().copied().collect(),
            holds: self
                .holds
                .iter()
                .filter(|hold| hold.lane == lane.name)
                .map(|hold| HoldView::new(hold, &self.waiting))
                .collect(),
            queued: self.waiting.on_lane(&lane.name),
            server: self.servers.is_running(),
            now: self.servers.lane(&lane.name).map(|state| LaneNowView::new(lane, state, &self.servers)),
            overrides: self.overrides(lane).map(OverrideView::new).collect(),
            reports: self.reports(lane).map(ReportedView::new).collect(),
        }
    }
}
