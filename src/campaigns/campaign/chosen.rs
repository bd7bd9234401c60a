//! Chooses the steps of a campaign: its own, those of a configured route, or its subaccount's default route.

use crate::base::config::{Config, DraftStep, Problem, Route};
use crate::base::domain::hint;

/// What a campaign says about its steps. An API call that overrides the route of a single message uses the same type,
/// as for a campaign of one message.
#[derive(Debug, Clone, PartialEq)]
pub enum DraftRoute {
    Own(Vec<DraftStep>),
    Named(String),
    /// The default route of this subaccount, or of the installation's own.
    Default {
        sub_account: Option<String>,
    },
}

/// The steps of a campaign.
#[derive(Debug, Clone, Copy)]
pub struct ChosenSteps<'a> {
    /// The route that they come from; `None` for the campaign's own steps.
    pub route: Option<&'a str>,
    /// The subaccount whose lanes they use; `None` if any lane may send them.
    pub sub_account: Option<&'a str>,
    pub steps: &'a [DraftStep],
}

impl<'a> From<&'a Route> for ChosenSteps<'a> {
    fn from(route: &'a Route) -> Self {
        Self { route: Some(&route.name), sub_account: route.sub_account.as_deref(), steps: &route.steps }
    }
}

impl DraftRoute {
    pub fn choose<'a>(&'a self, config: &'a Config) -> Result<ChosenSteps<'a>, Problem> {
        match self {
            Self::Own(steps) => Ok(ChosenSteps { route: None, sub_account: None, steps }),
            Self::Named(name) => match config.routes.iter().find(|route| route.name == *name) {
                Some(route) => Ok(route.into()),
                None => Err(Problem::new(None, "route", no_route(name, config))),
            },
            Self::Default { sub_account } => {
                let whose = sub_account.as_ref().or(config.provider.sub_account.as_ref());
                let of_it = |route: &&Route| route.is_default && route.sub_account.as_ref() == whose;
                match config.routes.iter().find(of_it) {
                    Some(route) => Ok(route.into()),
                    None => Err(no_default(sub_account.as_deref(), config)),
                }
            }
        }
    }
}

fn no_route(name: &str, config: &Config) -> String {
    let known: Vec<&str> = config.routes.iter().map(|route| route.name.as_str()).collect();
    if known.is_empty() {
        return format!("unknown route \"{name}\"; add it to volley.toml as a [[route]], or add [[step]] here");
    }
    format!("unknown route \"{name}\"; {}", hint(name, known))
}

fn no_default(named: Option<&str>, config: &Config) -> Problem {
    if let Some(named) = named {
        let defaults = config.routes.iter().filter(|route| route.is_default);
        let known: Vec<&str> = defaults.filter_map(|route| route.sub_account.as_deref()).collect();
        let what = if known.is_empty() {
            "give one of its routes default = true in volley.toml".to_owned()
        } else {
            hint(named, known)
        };
        return Problem::new(None, "sub_account", format_args!("{named} has no default route; {what}"));
    }
    let sentence = "a campaign needs a step; add [[step]] with a channel and a text or template, or name a [[route]] \
                    of volley.toml: route = \"…\"";
    Problem::new(None, "step", sentence)
}
