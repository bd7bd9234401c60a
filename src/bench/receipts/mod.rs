//! Receipts over HTTP. Three servers get the same [`load`] from another process: the product, a bare handler that
//! parses the same JSON and stores nothing, and one that only stores it.

mod journal;
mod load;

pub use journal::journal;
pub use load::{Arrivals, Load, load};

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::dispatch::{self, config};
use super::figures::{Begun, Run};
use super::sink::AUTHORIZATION;
use super::{Error, Stock};
use crate::api::{self, ApiParts, Door};
use crate::clock::{Chance, Clock};
use crate::domain::{Count, Timestamp};
use crate::node::{Node, NodeParts, Os};
use crate::store::{self, Cursor, StrayKind};
use crate::wire;

const PATH: &str = "/webhooks/8x8";

/// The limit: parses every body and answers.
pub async fn bare(load: &Load, clock: &dyn Clock) -> Result<Run, Error> {
    served(Router::new().route(PATH, post(parse).layer(DefaultBodyLimit::disable())), load, clock).await
}

async fn parse(body: Bytes) -> StatusCode {
    if is_understood(&body) { StatusCode::OK } else { StatusCode::BAD_REQUEST }
}

/// Parses a body. Returns whether all its events are receipts.
fn is_understood(body: &[u8]) -> bool {
    wire::parse_events(body).iter().all(|event| matches!(event, wire::WebhookEvent::Receipt(_)))
}

/// Serves `routes` until all of `load` is answered.
async fn served(routes: Router, load: &Load, clock: &dyn Clock) -> Result<Run, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = tokio::spawn(serving.into_future());
    let measured = from_another_process(load, &address.to_string(), clock).await;
    stop.cancel();
    serving.await??;
    measured
}

/// The product: a whole server on a [`Stock`], which gets receipts for its messages.
pub async fn product(database: &Path, load: &Load, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let nothing = dispatch::Load { messages: 0, connections: ONE, batch: ONE, receipts: 0, with_rules: false };
    let config = Arc::new(config(&nothing, "http://127.0.0.1:9")?);
    let processes = Arc::new(Os);
    let parts = NodeParts {
        config: Arc::clone(&config),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
        processes,
    };
    let mut node = Node::start(parts).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let door = Door::new(Arc::clone(&clock), None);
    let intake = node.intake().ok_or("the node accepts no receipts")?;
    let parts = ApiParts {
        config,
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        chance,
        intake,
        verifier: node.door(),
        door: Arc::clone(&door),
        sources: node.sources(),
        commands: None,
    };
    let serving = tokio::spawn(api::serve(listener, parts));
    let measured = from_another_process(load, &address.to_string(), clock.as_ref()).await?;
    node.stop_sending().await;
    door.close();
    serving.await??;
    node.stop().await?;
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

/// Runs this program again as the sender of receipts, and adds what this process used to answer them.
async fn from_another_process(load: &Load, address: &str, clock: &dyn Clock) -> Result<Run, Error> {
    let begun = Begun::now(clock);
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["bench", "load", "--address", address])
        .args(load.arguments())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        return Err("the sender of receipts failed".into());
    }
    let seen: Run = serde_json::from_slice(&output.stdout)?;
    let here = Run::since(begun, load.receipts.into(), clock);
    Ok(Run { cpu_us: here.cpu_us, peak_mib: here.peak_mib, ..seen })
}
