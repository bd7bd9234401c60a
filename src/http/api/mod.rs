//! The HTTP API. Thin: extract, call one room, answer.
//!
//! In: requests. Out: answers, and verified webhooks for the intake of the room `receipts`. The operations of Volley's own
//! API are in `native`, with their document; those of the 8x8 API in `compatible`; the pages for operators in `web`.
//! Promises: a webhook is answered with 200 once it is on disk, and with an error otherwise, so that the provider repeats
//! it; every path but the health checks requires a proof (`/metrics` unless it is open) or a session; bodies
//! are bounded, and unverified ones share one bound.
//! May not: decide anything, or build SQL.

mod commands;
mod compatible;
mod computing;
mod door;
mod health;
mod metrics;
mod native;
mod once;
mod rate;
#[cfg(test)]
mod tests;
mod unproven;
mod web;
mod webhook;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use futures_util::future::{Either, join, join3, select, try_join};
use tokio::net::TcpListener;

use crate::base::clock::{Chance, Clock};
use crate::base::config::{Config, Database, Loaded};
use crate::http::accept::Desk;
use crate::http::access::Access;
use crate::http::metrics::Sources;
use crate::recipients::uploads::UploadFolder;
use crate::sending::receipts::{Intake, Verifier};
use crate::store::Store;
use computing::Computing;
use door::{LimitReports, LimitedListener, Peer, Renewal};
use native::Native;
use rate::Rates;
use unproven::Budget;
use webhook::WEBHOOK_MAX;

pub use commands::{CommandLine, CommandLines, CommandNeeds, Output, Printed, Stream, Terminal};
pub use door::{Certificate, Door, NoCertificate, ServeError, listen};

/// What the operations of the API work with.
#[derive(Debug)]
pub struct ApiParts {
    pub config: Arc<Config>,
    /// The same configuration as it was read at the start, with the source of each value.
    pub loaded: Arc<Loaded>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<Chance>,
    pub intake: Intake,
    pub verifier: Arc<Verifier>,
    pub door: Arc<Door>,
    pub sources: Arc<Sources>,
    /// Runs command lines for callers; `None` if it runs none.
    pub commands: Option<Arc<dyn CommandLines>>,
}

#[derive(Debug)]
struct Inner {
    parts: ApiParts,
    access: Access,
    /// Accepts requests of the 8x8 API.
    desk: Desk,
    unproven: Budget,
    /// The memory for the bodies of callers.
    bodies: Budget,
    native: Native,
    /// The computations of callers.
    computing: Computing,
    /// The requests of each key in the last second.
    rates: Rates,
    /// The campaigns that somebody looks at now.
    hub: web::Hub,
    /// The campaigns that are counted by country and code.
    countings: web::Countings,
    /// The failed attempts to sign in.
    sign_ins: web::Failures,
    /// Those of them that the audit log has.
    recorded_failures: web::RecordedFailures,
    /// The links to reports that showed nothing.
    wrong_links: web::Failures,
    /// New secrets whose operators have not seen them yet.
    new_secrets: web::NewSecrets,
    /// The imports of corrected rows.
    corrections: web::Corrections,
    /// The latest answers of the provider to questions of operators.
    asked: web::LatestAnswers,
    /// The start of this server, among all starts.
    run: u64,
}

/// The parts of the API as each operation holds them.
#[derive(Debug, Clone)]
struct Shared(Arc<Inner>);

impl Shared {
    /// Starts what accepts messages. It ends with the door.
    fn new(parts: ApiParts, access: Access, uploads: Arc<UploadFolder>) -> Self {
        // 0 is the start of a request whose result is not known.
        let run = parts.chance.bits().max(1);
        let budget = || Budget::new(Arc::clone(&parts.clock));
        let desk = Desk::start(
            Arc::clone(&parts.config),
            Arc::clone(&parts.store),
            Arc::clone(&parts.clock),
            Arc::clone(&parts.chance),
            parts.door.stopping(),
        );
        let (unproven, bodies, native) = (budget(), budget(), Native::new(&parts, uploads));
        let rates = Rates::new(Arc::clone(&parts.clock));
        let (computing, recorded_failures) = (Computing::default(), web::RecordedFailures::default());
        let (hub, countings, sign_ins, wrong_links, new_secrets, corrections, asked) = Default::default();
        Self(Arc::new(Inner {
            parts,
            access,
            desk,
            unproven,
            bodies,
            native,
            computing,
            rates,
            hub,
            countings,
            sign_ins,
            recorded_failures,
            wrong_links,
            new_secrets,
            corrections,
            asked,
            run,
        }))
    }
}

impl Deref for Shared {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.0.parts
    }
}

/// Serves until the door is closed, then finishes the requests in progress.
pub async fn serve(listener: TcpListener, parts: ApiParts) -> Result<(), ServeError> {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    let (clock, door) = (Arc::clone(&parts.clock), Arc::clone(&parts.door));
    let renewal = door.certificate().map(|certificate| Renewal::new(Arc::clone(certificate), parts.store.clone()));
    let access = Access::new(Arc::clone(&parts.store));
    let uses = access.uses();
    let Database::Sqlite { path } = &parts.config.database;
    let (folder, most) = (UploadFolder::beside(path), parts.config.server.uploads_max);
    let uploads = UploadFolder::open(folder.clone(), most, Arc::clone(&clock), Arc::clone(&parts.chance))
        .map_err(|source| ServeError::Uploads { folder, source })?;
    let reports = LimitReports::new(Arc::clone(&door), parts.store.clone(), Arc::clone(&parts.verifier));
    let shared = Shared::new(parts, access, uploads);
    let imports = shared.0.native.imports().clone();
    let routes = routes(shared).layer(middleware::from_fn_with_state(Arc::clone(&door), door::visit));
    let stop = door.stopping();
    let serving = axum::serve(
        LimitedListener::new(listener, Arc::clone(&door)),
        routes.into_make_service_with_connect_info::<Peer>(),
    )
    .with_graceful_shutdown(stop.clone().cancelled_owned());
    let renewing = async {
        if let Some(renewal) = renewal {
            renewal.run(Arc::clone(&clock), stop.clone()).await;
        }
    };
    let serving = async {
        let beside = join(renewing, door.cut_rest());
        tokio::pin!(beside);
        match select(serving.into_future(), beside).await {
            Either::Left((served, _)) => served,
            // All connections were cut.
            Either::Right((_, serving)) => serving.await,
        }
        .map_err(|source| ServeError::Failed { address, source })
    };
    // They end only with `stop`, so a failure is answered first.
    let recording = async {
        let reporting = reports.run(Arc::clone(&clock), stop.clone());
        join3(uses.record_until(clock.as_ref(), &stop), imports.run(), reporting).await;
        Ok(())
    };
    try_join(serving, recording).await.map(drop)
}

fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/webhooks/8x8", post(webhook::webhook).layer(DefaultBodyLimit::max(WEBHOOK_MAX)))
        .merge(native::routes(&shared))
        .merge(compatible::routes(&shared))
        .merge(web::routes(&shared))
        .with_state(shared)
}
