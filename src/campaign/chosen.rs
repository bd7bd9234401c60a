//! Whose steps a campaign takes: its own, those of a route of the configuration, or its subaccount's default.

use crate::config::{Config, DraftStep, Problem, Route, hint};

/// What a campaign says about its steps. An API call that overrides the route of a single message says the same thing of
/// a campaign of one, in the same words.
#[derive(Debug, Clone, PartialEq)]
pub enum DraftRoute {
    Own(Vec<DraftStep>),
    Named(String),
    /// Nothing: the default route of this subaccount, or of the installation's own.
    Default {
        sub_account: Option<String>,
    },
}

/// The steps that a campaign takes.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    /// The route that they come from; nothing where they are the campaign's own.
    pub route: Option<&'a str>,
    /// Whose lanes they use; nothing where any lane will do.
    pub sub_account: Option<&'a str>,
    pub steps: &'a [DraftStep],
}

impl<'a> From<&'a Route> for Chosen<'a> {
    fn from(route: &'a Route) -> Self {
        Self { route: Some(&route.name), sub_account: route.sub_account.as_deref(), steps: &route.steps }
    }
}

impl DraftRoute {
    pub fn choose<'a>(&'a self, config: &'a Config) -> Result<Chosen<'a>, Problem> {
        match self {
            Self::Own(steps) => Ok(Chosen { route: None, sub_account: None, steps }),
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
        return format!("there is no route {name}; add it to volley.toml as a [[route]], or add [[step]] here");
    }
    format!("there is no route {name}; {}", hint(name, known))
}

fn no_default(said: Option<&str>, config: &Config) -> Problem {
    if let Some(said) = said {
        let defaults = config.routes.iter().filter(|route| route.is_default);
        let known: Vec<&str> = defaults.filter_map(|route| route.sub_account.as_deref()).collect();
        let what = if known.is_empty() {
            "give one of its routes default = true in volley.toml".to_owned()
        } else {
            hint(said, known)
        };
        return Problem::new(None, "sub_account", format_args!("{said} has no default route; {what}"));
    }
    let sentence = "a campaign needs a step; add [[step]] with a channel and what to say, or take a [[route]] of \
                    volley.toml by route = \"…\"";
    Problem::new(None, "step", sentence)
}
