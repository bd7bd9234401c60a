//! Finds out which templates an operator may mean.

use std::collections::BTreeSet;

use crate::base::config::{Config, Lane, UnknownLane};
use crate::base::domain::{BatchState, Content, nearest, suggestion};
use crate::sending::book::Book;
use crate::store::{self, Store};

/// Why a template cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// No campaign, route, hold or report names the template; `nearest` is the name that was probably meant.
    #[error("unknown template \"{name}\": no campaign or route uses it; {}", suggestion(nearest.as_deref(), "see `volley template list`"))]
    Unknown { name: String, nearest: Option<String> },

    #[error("lane {} is on {}; only WhatsApp lanes have templates", .0.name, .0.channel)]
    NotOnWhatsApp(Box<Lane>),

    #[error("no lane is on WhatsApp, the only channel with templates; add one to volley.toml, or name one with --lane")]
    NoLane,

    #[error(transparent)]
    UnknownLane(#[from] UnknownLane),

    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Checks that a template is known: a draft or a campaign in play uses it, a route of the configuration uses it, it is on
/// hold, or the provider lists it or has reported about it. A hold of any other name would hold nothing.
pub(super) async fn check_template(store: &dyn Store, config: &Config, name: &str) -> Result<(), TemplateError> {
    let known = known(store, config).await?;
    if known.contains(name) {
        return Ok(());
    }
    let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Err(TemplateError::Unknown { name: name.to_owned(), nearest })
}

async fn known(store: &dyn Store, config: &Config) -> store::Result<BTreeSet<String>> {
    let template = |content: &Content| content.template().map(|template| template.name.to_owned());
    let routes = config.routes.iter().flat_map(|route| &route.steps);
    let mut known: BTreeSet<String> = routes.filter_map(|step| template(&step.content)).collect();
    let states = Book::IN_PLAY.into_iter().chain([BatchState::Draft]).collect();
    for batch in store.batches(Some(states)).await? {
        let plan = store.plan(batch.id).await?;
        known.extend(plan.iter().flat_map(|plan| &plan.steps).filter_map(|step| template(&step.content)));
    }
    known.extend(store.holds().await?.into_iter().map(|hold| hold.template).filter(|name| !name.is_empty()));
    known.extend(
        store.templates(None).await?.into_iter().flat_map(|fetched| fetched.templates).map(|listed| listed.name),
    );
    let reports = store.provider_reports().await?;
    known.extend(reports.iter().filter_map(|report| Some(report.template()?.0.to_owned())));
    Ok(known)
}
