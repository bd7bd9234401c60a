//! Carries out decisions of an operator about a lane: to pause it, to resume it, and to override its settings.

use std::num::NonZeroU32;

use super::noted::{Noted, noted};
use crate::base::clock::Clock;
use crate::base::config::{Config, Lane};
use crate::base::domain::{OverridableSetting, Rate, Tier};
use crate::base::events::Origin;
use crate::sending::throttle::{in_file, with_overrides};
use crate::store::{self, HeldBy, Hold, Override, Store, UnknownSlots};

/// A decision of an operator about a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneDecision {
    Pause,
    /// Releases every hold of the lane.
    Resume,
    Set(Vec<SettingChange>),
    /// Says to how many recipients, unknown to the database, its portfolio has sent in the last day.
    TierUsed(u32),
}

/// A decision about a lane that was carried out.
#[derive(Debug, Clone)]
pub struct LaneCarriedOut {
    /// The number of holds that a resume released.
    pub released: Option<u32>,
    pub noted: Noted,
    /// Who had paused the lane before, and why; that reason stays.
    pub already: Option<Origin>,
}

/// Why a decision about a lane was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum LaneDecisionError {
    #[error(
        "the {setting} has a newer override, from a time that is later than this machine's clock; check the clock",
        setting = .0
    )]
    Outdated(OverridableSetting),

    #[error("lane {0} has no limited tier; only WhatsApp has messaging tiers")]
    NoTier(String),

    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A requested override of a lane's setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    pub setting: OverridableSetting,
    /// The name of the lane, account or portfolio that has the setting.
    name: String,
    /// The value, in the notation of the file; `None` restores the value of the file.
    pub value: Option<String>,
}

/// Why a setting cannot be overridden.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    #[error("account {0} has no rate to override; add one to its [[account]] in volley.toml")]
    NoAccountRate(String),

    #[error("lane {} is on {}, but only WhatsApp has messaging tiers", .0.name, .0.channel)]
    NoTier(Box<Lane>),

    #[error("{setting}: {problem}")]
    Value { setting: OverridableSetting, problem: String },
}

impl SettingChange {
    /// Checks a new value of a lane's setting; `None` restores the value of the file.
    pub fn new(
        config: &Config,
        lane: &Lane,
        setting: OverridableSetting,
        value: Option<&str>,
    ) -> Result<Self, SettingError> {
        let name = match setting {
            OverridableSetting::Rate | OverridableSetting::Burst => &lane.name,
            OverridableSetting::AccountRate => {
                if config.account(&lane.account).is_none_or(|account| account.rate.is_none()) {
                    return Err(SettingError::NoAccountRate(lane.account.clone()));
                }
                &lane.account
            }
            OverridableSetting::Tier => lane.tiered().ok_or_else(|| SettingError::NoTier(Box::new(lane.clone())))?,
        };
        let value = value.map(|text| in_notation(lane, setting, text)).transpose();
        let value = value.map_err(|problem| SettingError::Value { setting, problem })?;
        Ok(Self { setting, name: name.to_owned(), value })
    }
}

/// The value in the notation of the file.
fn in_notation(lane: &Lane, setting: OverridableSetting, text: &str) -> Result<String, String> {
    match setting {
        OverridableSetting::Rate | OverridableSetting::AccountRate => {
            let rate = text.parse::<Rate>().map_err(|error| error.to_string())?;
            match lane.highest_rate().filter(|_| setting == OverridableSetting::Rate) {
                Some(highest) if rate.is_above(highest) => {
                    Err(format!("the number of lane {} is also used in the app, and takes {highest}", lane.name))
                }
                _ => Ok(rate.to_string()),
            }
        }
        OverridableSetting::Burst => text
            .parse::<NonZeroU32>()
            .map(|burst| burst.to_string())
            .map_err(|_| format!("invalid value \"{text}\"; write a whole number of at least 1")),
        OverridableSetting::Tier => {
            text.parse::<Tier>().map(|tier| tier.to_string()).map_err(|error| error.to_string())
        }
    }
}

/// Carries out a decision about a lane. A repeated decision succeeds. `config` is the configuration without overrides.
pub async fn carry_out_on_lane(
    store: &dyn Store,
    clock: &dyn Clock,
    config: &Config,
    lane: &Lane,
    decision: &LaneDecision,
    by: &Origin,
) -> Result<LaneCarriedOut, LaneDecisionError> {
    let (mut released, mut already) = (None, None);
    let seq = match decision {
        LaneDecision::Pause => {
            already = paused_by(store, lane).await?;
            let since = clock.now();
            if already.is_some() {
                store.seq().await?
            } else {
                store.hold(Hold::by_operator(&lane.name, "", by.clone(), since), since).await?
            }
        }
        LaneDecision::Resume => {
            released = Some(store.release(lane.name.clone(), String::new(), clock.now(), by.clone()).await?);
            store.seq().await?
        }
        LaneDecision::Set(changes) => {
            for change in changes {
                set(store, clock, config, change, by).await?;
            }
            store.seq().await?
        }
        LaneDecision::TierUsed(recipients) => {
            // Whether there is a tier may have been changed while servers run.
            let present = with_overrides(config, &store.overrides().await?);
            let portfolio = present.lane(&lane.name).and_then(Lane::limited_portfolio);
            let portfolio = portfolio.ok_or_else(|| LaneDecisionError::NoTier(lane.name.clone()))?;
            let now = clock.now();
            // What counts as unknown since a restore ends a day after it; before the first start, that has not begun.
            let is_new_copy = store.copied_at().await?.is_some();
            let known = store.unknown_slots(now - Tier::HELD).await?;
            let at = known.get(portfolio).filter(|_| !is_new_copy).map_or(now, |slots| slots.at);
            let slots = UnknownSlots { recipients: *recipients, at, is_told: true };
            store.note_unknown_slots(portfolio, slots, by.clone(), now).await?
        }
    };
    Ok(LaneCarriedOut { released, noted: noted(store, clock, seq).await?, already })
}

async fn paused_by(store: &dyn Store, lane: &Lane) -> store::Result<Option<Origin>> {
    let is_pause = |hold: &Hold| hold.lane == lane.name && hold.template.is_empty() && hold.by == HeldBy::Operator;
    Ok(store.holds().await?.into_iter().find(is_pause).map(|hold| hold.origin))
}

/// Stores an override, or removes it.
async fn set(
    store: &dyn Store,
    clock: &dyn Clock,
    config: &Config,
    change: &SettingChange,
    by: &Origin,
) -> Result<(), LaneDecisionError> {
    let (setting, name, origin, now) = (change.setting, change.name.clone(), by.clone(), clock.now());
    let Some(value) = change.value.clone() else {
        store.end_override(setting, name, origin, now).await?;
        return Ok(());
    };
    let in_file = in_file(config, setting, &name).unwrap_or_default();
    let is_same = |other: &Override| {
        (other.setting, &other.name, &other.value, &other.in_file) == (setting, &name, &value, &in_file)
    };
    // The same value without a reason keeps the recorded reason.
    if by.reason.is_none() && store.overrides().await?.iter().any(is_same) {
        return Ok(());
    }
    let overridden = Override { setting, name, value, in_file, origin, since: now };
    match store.set_override(overridden, now).await? {
        Some(_) => Ok(()),
        None => Err(LaneDecisionError::Outdated(setting)),
    }
}
