//! What an event is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::domain::{BatchId, OverridableSetting, StepIndex};

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Subject {
    /// The running server.
    Server,
    /// A campaign, or one step of it. A batch of API calls has no name.
    Campaign {
        batch: BatchId,
        name: Option<String>,
        step: Option<StepIndex>,
    },
    Lane {
        lane: String,
    },
    /// A template: on one lane, or wherever it is used. Without a language: in all of them.
    Template {
        template: String,
        language: Option<String>,
        lane: Option<String>,
    },
    /// Lanes that share a rate at the provider.
    Account {
        account: String,
    },
    /// Accounts that share a tier.
    Portfolio {
        portfolio: String,
    },
    /// The company's account at the provider as a whole.
    ProviderAccount,
    /// An account at the provider that no lane belongs to.
    UnknownAccount {
        account: String,
    },
    /// A number that no lane sends with, in digits.
    UnknownNumber {
        number: String,
    },
    OptOuts,
    /// A receiver of webhooks.
    Subscription {
        subscription: String,
    },
}

impl Subject {
    pub const fn is_template(&self) -> bool {
        matches!(self, Self::Template { .. })
    }

    pub fn campaign(batch: BatchId, name: Option<&str>) -> Self {
        Self::Campaign { batch, name: name.map(str::to_owned), step: None }
    }

    pub fn step(batch: BatchId, name: Option<&str>, step: StepIndex) -> Self {
        Self::Campaign { batch, name: name.map(str::to_owned), step: Some(step) }
    }

    pub fn lane(lane: &str) -> Self {
        Self::Lane { lane: lane.to_owned() }
    }

    pub fn portfolio(portfolio: &str) -> Self {
        Self::Portfolio { portfolio: portfolio.to_owned() }
    }

    pub fn subscription(name: &str) -> Self {
        Self::Subscription { subscription: name.to_owned() }
    }

    /// A template wherever it is used. An empty language is none.
    pub fn template(template: &str, language: &str) -> Self {
        let language = Some(language.to_owned()).filter(|language| !language.is_empty());
        Self::Template { template: template.to_owned(), language, lane: None }
    }

    /// A lane, or a template on it. An empty name is none.
    pub fn held(lane: &str, template: &str, language: &str) -> Self {
        if template.is_empty() {
            return Self::lane(lane);
        }
        let language = Some(language.to_owned()).filter(|language| !language.is_empty());
        Self::Template { template: template.to_owned(), language, lane: Some(lane.to_owned()) }
    }

    /// What a setting belongs to.
    pub fn of_setting(setting: OverridableSetting, name: &str) -> Self {
        match setting {
            OverridableSetting::Rate | OverridableSetting::Burst => Self::lane(name),
            OverridableSetting::AccountRate => Self::Account { account: name.to_owned() },
            OverridableSetting::Tier => Self::portfolio(name),
        }
    }

    /// Whether it is this lane, or a template on it.
    pub fn is_on_lane(&self, name: &str) -> bool {
        match self {
            Self::Lane { lane } | Self::Template { lane: Some(lane), .. } => lane == name,
            _ => false,
        }
    }

    /// Whether it is this campaign, or a step of it.
    pub fn is_of_batch(&self, id: BatchId) -> bool {
        matches!(self, Self::Campaign { batch, .. } if *batch == id)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("server"),
            Self::Campaign { batch, name, step } => {
                match name {
                    Some(name) => write!(f, "campaign {name}")?,
                    None => write!(f, "batch {batch}")?,
                }
                step.map_or(Ok(()), |step| write!(f, ", step {step}"))
            }
            Self::Lane { lane } => write!(f, "lane {lane}"),
            Self::Template { template, language, lane } => {
                write!(f, "template {template}")?;
                language.as_ref().map_or(Ok(()), |language| write!(f, " ({language})"))?;
                lane.as_ref().map_or(Ok(()), |lane| write!(f, " on lane {lane}"))
            }
            Self::Account { account } => write!(f, "account {account}"),
            Self::Portfolio { portfolio } => write!(f, "portfolio {portfolio}"),
            Self::ProviderAccount => f.write_str("account at the provider"),
            Self::UnknownAccount { account } => write!(f, "unknown account {account}"),
            Self::UnknownNumber { number } => write!(f, "unknown number {number}"),
            Self::OptOuts => f.write_str("opt-outs"),
            Self::Subscription { subscription } => write!(f, "subscription {subscription}"),
        }
    }
}
