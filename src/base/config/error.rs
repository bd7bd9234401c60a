//! Errors of a configuration. Each says what is wrong, where, and what to do.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::credential::Invalid;
use super::{Problem, Source};
use crate::base::domain::{Channel, Tier};

/// The source, section and key of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    pub source: Source,
    /// `provider`, or `lane promo-sg`.
    pub section: String,
    pub key: &'static str,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.source {
            Source::Environment(variable) => f.write_str(variable),
            Source::File(path) => write!(f, "{}, {}, {}", path.display(), self.section, self.key),
            Source::Flag => write!(f, "flag for {}, {}", self.section, self.key),
            Source::Default => write!(f, "{}, {}", self.section, self.key),
        }
    }
}

/// No configured lane has this name.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown lane \"{name}\"{}",
    hint.as_ref().map_or_else(
        || ": no lanes are configured; add a [[lane]] to volley.toml".to_owned(),
        |hint| format!("; {hint}")
    )
)]
pub struct UnknownLane {
    pub name: String,
    /// What to write instead; `None` if no lanes are configured.
    pub hint: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the configuration file {} cannot be read; check that it exists and that you may read it", path.display())]
    Read { path: PathBuf, source: std::io::Error },

    #[error("{}, line {line}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, message: String },

    #[error("{place}: unknown section \"{name}\"; {hint}")]
    UnknownSection { place: Source, name: String, hint: String },

    #[error("{place}: {section}: unknown key \"{key}\"; {hint}")]
    UnknownKey { place: Source, section: String, key: String, hint: String },

    #[error("{place}: `{name}` must be {wanted}")]
    Shape { place: Source, name: String, wanted: &'static str },

    #[error(
        "{place}: {section} number {number} has no valid name; use letters, digits, - and _, such as name = \"promo-sg\""
    )]
    Unnamed { place: Source, section: &'static str, number: usize },

    #[error(
        "{place}: there are two {section}s named {}; rename one, because VOLLEY_{} would apply to both",
        if first == second { format!("\"{first}\"") } else { format!("\"{first}\" and \"{second}\"") },
        format!("{section}_{first}").to_uppercase().replace('-', "_")
    )]
    SameName { place: Source, section: &'static str, first: String, second: String },

    #[error("unknown variable {variable}; {hint}")]
    UnknownVariable { variable: String, hint: String },

    #[error("{variable}: unknown {section}; {hint}")]
    UnknownName { variable: String, section: &'static str, hint: String },

    #[error("{at}: {problem}")]
    Value { at: At, problem: String },

    #[error("{at}: {what} is not supported yet; {instead}")]
    NotBuilt { at: At, what: &'static str, instead: &'static str },

    #[error("lane {lane} has no {key}; {advice}")]
    Missing { lane: String, key: &'static str, advice: &'static str },

    #[error("{at}: {problem}; {advice}")]
    NotOnChannel { at: At, channel: Channel, problem: &'static str, advice: &'static str },

    #[error("{section} has both {first} and {second}; keep one")]
    Both { section: String, first: &'static str, second: &'static str },

    #[error("{at}: {invalid}")]
    Credential { at: At, invalid: Invalid },

    #[error(
        "portfolio {portfolio} has one tier, but lane {first} states {first_tier} and lane {second} {second_tier} \
         (the default is 250); write the same `tier` on both, as the provider shows it"
    )]
    Tiers { portfolio: String, first: String, first_tier: Tier, second: String, second_tier: Tier },

    #[error(
        "account {account} belongs to one portfolio, but lane {first} says {first_portfolio} and lane {second} says \
         {second_portfolio}; write the same `portfolio` on both, or give one lane another `account`"
    )]
    Portfolios { account: String, first: String, first_portfolio: String, second: String, second_portfolio: String },

    /// One line for each problem, all naming the file.
    #[error("{}", problems.iter().map(|problem| format!("{place}, {problem}")).collect::<Vec<_>>().join("\n"))]
    Routes { place: Source, problems: Vec<Problem> },

    #[error("{variable}: a route does not fit into a variable; write it as a [[route]] in volley.toml")]
    RouteVariable { variable: String },

    #[error("account {account} has no lane, so its rate would have no effect; {hint}")]
    IdleAccount { account: String, hint: String },

    #[error(
        "the server would listen on {listen}, which other machines can reach, but no webhook secret is set; set \
         webhook_authorization_file or webhook_secret_file under [provider], or listen on 127.0.0.1"
    )]
    Unproven { listen: SocketAddr },

    #[error(
        "lane {lane} has no API key; set api_key_file or api_key under [provider] or on the lane, \
         or VOLLEY_PROVIDER_API_KEY"
    )]
    NoKey { lane: String },

    #[error(transparent)]
    Tls(#[from] super::InvalidTls),
}
