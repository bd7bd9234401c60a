//! Receipts over HTTP. Three servers get the same [`load`] from another process: the product, a bare handler that
//! parses the same JSON and stores nothing, and one that only stores it.

mod load;

pub use load::{Arrivals, Load, load};

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::post;

use super::dispatch::{self, config};
use super::journal::Journal;
use super::served::{Server, from_another_process, served};
use super::sink::AUTHORIZATION;
use super::{Error, Run, Stock};
use crate::base::clock::{Chance, Clock};
use crate::base::domain::{Count, Timestamp};
use crate::rules::wire;
use crate::store::{self, Cursor, StrayKind};

const PATH: &str = "/webhooks/8x8";

/// The limit: parses every body and answers.
pub async fn bare(load: &Load, clock: &dyn Clock) -> Result<Run, Error> {
    let routes = Router::new().route(PATH, post(parse).layer(DefaultBodyLimit::disable()));
    served(routes, &load.sending(), clock).await
}

/// The limit of a server that only stores what it acknowledges.
pub async fn journal(load: &Load, clock: &dyn Clock) -> Result<Run, Error> {
    super::journal::journal(Journal { path: PATH, is_understood }, &load.sending(), clock).await
}

async fn parse(body: Bytes) -> StatusCode {
    if is_understood(&body) { StatusCode::OK } else { StatusCode::BAD_REQUEST }
}

/// Parses a body. Returns whether all its events are receipts.
fn is_understood(body: &[u8]) -> bool {
    wire::parse_events(body).iter().all(|event| matches!(event, wire::WebhookEvent::Receipt(_)))
}

/// The product: a whole server on a [`Stock`], which gets receipts for its messages.
pub async fn product(database: &Path, load: &Load, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let nothing =
        dispatch::Load { messages: 0, connections: ONE, batch: ONE, receipts: 0, with_rules: false, viewers: 0 };
    let config = Arc::new(config(&nothing, "http://127.0.0.1:9")?);
    let server = Server::start(config, Arc::clone(&store), Arc::clone(&clock), chance).await?;
    let measured = from_another_process(&load.sending(), &server.address, clock.as_ref()).await?;
    server.stop().await?;
    // Everything that was acknowledged has to be applied, with none of it among the strays.
    let tallies = store.tallies(Stock::BATCH).await?;
    let strays = store.strays(StrayKind::NoAttempt, Timestamp::default(), Cursor::START, 1).await?;
    store.close().await;
    let expected = load.arrivals().counts();
    let applied = [Count::Sent, Count::Delivered, Count::Read].map(|count| tallies.total(count));
    if applied != expected || !strays.is_empty() {
        return Err(format!("{applied:?} of {expected:?} were applied; {} or more are strays", strays.len()).into());
    }
    Ok(measured)
}

const ONE: std::num::NonZeroU32 = std::num::NonZeroU32::MIN;
