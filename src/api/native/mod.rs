//! Volley's own API, under `/v1`: its operations, what they have in common, and their document.
//!
//! An operation parses, calls the same verb or decision as the command of its name, and answers with the same view. What all
//! operations need is around them: `frame` (request ids, problems, panics), `admit` (callers, scopes, rates, bodies, time),
//! `once` (idempotency keys), `page` (cursors), and `document` (OpenAPI).

mod admit;
mod batches;
mod campaigns;
mod commands;
mod document;
mod events;
mod extract;
mod frame;
mod lanes;
mod messages;
mod of_rooms;
mod once;
mod opt_outs;
mod page;
mod problem;
mod rate;
mod reference;
mod replies;
mod rules;
mod templates;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa_axum::routes;

use super::unproven::Budget;
use super::{ApiParts, Shared};
use crate::domain::Scope;
use admit::Gate;
use page::CursorKey;
use rate::Rates;
use rules::{Operations, Rule};

/// Where the operations are.
const PREFIX: &str = "/v1";
/// Shorter answers are not compressed.
const COMPRESSED_FROM: u16 = 1_024;

/// What the operations keep in memory.
#[derive(Debug)]
pub(super) struct Native {
    rates: Rates,
    /// The memory for the bodies of requests.
    bodies: Budget,
    /// The start of this server, among all starts.
    run: u64,
    cursor_key: CursorKey,
    /// Bounds the commands that run for callers.
    commands: Arc<Semaphore>,
}

impl Native {
    pub(super) fn new(parts: &ApiParts) -> Self {
        Self {
            rates: Rates::new(Arc::clone(&parts.clock)),
            bodies: Budget::new(Arc::clone(&parts.clock)),
            run: parts.chance.bits(),
            cursor_key: CursorKey::default(),
            commands: Arc::new(Semaphore::new(commands::RUNNING_MAX)),
        }
    }
}

/// Every operation with its rule.
fn operations() -> Operations {
    let (read, manage) = (Rule::of(Scope::Read), Rule::of(Scope::Manage));
    Operations::new()
        .add(read, routes!(campaigns::list))
        .add(read, routes!(campaigns::get))
        .add(read.long(), routes!(campaigns::launch::plan))
        .add(manage.long(), routes!(campaigns::launch::launch))
        .add(manage, routes!(campaigns::change::change))
        .add(manage, routes!(campaigns::change::delete))
        .add(manage, routes!(campaigns::change::rename))
        .add(manage.long(), routes!(campaigns::launch::clone))
        .add(manage.long(), routes!(campaigns::launch::retry))
        .add(manage, routes!(campaigns::launch::test))
        .add(manage, routes!(campaigns::change::pause_step))
        .add(manage, routes!(campaigns::change::resume_step))
        .add(read, routes!(campaigns::results::report))
        .add(read, routes!(campaigns::results::events))
        .add(read.stream(), routes!(campaigns::results::watch))
        .add(manage, routes!(campaigns::start))
        .add(manage, routes!(campaigns::pause))
        .add(manage, routes!(campaigns::resume))
        .add(manage, routes!(campaigns::cancel))
        .add(read, routes!(batches::list))
        .add(read, routes!(batches::get))
        .add(manage, routes!(batches::pause))
        .add(manage, routes!(batches::resume))
        .add(manage, routes!(batches::cancel))
        .add(read, routes!(messages::list))
        .add(read, routes!(messages::get))
        .add(read, routes!(lanes::list))
        .add(read, routes!(lanes::get))
        .add(manage, routes!(lanes::change))
        .add(manage, routes!(lanes::pause))
        .add(manage, routes!(lanes::resume))
        .add(read, routes!(templates::list))
        .add(read, routes!(templates::get))
        .add(manage, routes!(templates::hold))
        .add(manage, routes!(templates::release))
        .add(read, routes!(opt_outs::list))
        .add(read, routes!(opt_outs::get))
        .add(read, routes!(opt_outs::list_users))
        .add(read, routes!(opt_outs::get_user))
        .add(manage, routes!(opt_outs::add))
        .add(manage, routes!(opt_outs::remove))
        .add(read, routes!(replies::list))
        .add(read, routes!(events::list))
        .add(read.long(), routes!(commands::run))
}

/// The routes of the operations, of their document and of its page.
pub(super) fn routes(shared: &Shared) -> Router<Shared> {
    let (router, document, rules) = operations().into_parts();
    let document = document::complete(document);
    let page = Bytes::from(reference::page(&document));
    // A document of our own types always has a JSON form.
    let document = Bytes::from(document.to_json().unwrap_or_default());
    let gate = Gate { shared: shared.clone(), rules };
    let operations = router
        .route_layer(from_fn_with_state(gate, admit::admit))
        .fallback(frame::no_such_path)
        .method_not_allowed_fallback(frame::method_not_allowed)
        // Each operation bounds its body by its own rule.
        .layer(DefaultBodyLimit::disable());
    let documents = Router::new()
        .route("/openapi.json", get(async move || ([(header::CONTENT_TYPE, "application/json")], document.clone())))
        .route("/docs", get(async move || reference::answer(page.clone())))
        .route("/docs/reference.css", get(async || ([(header::CONTENT_TYPE, "text/css")], reference::STYLE)));
    let compressed =
        SizeAbove::new(COMPRESSED_FROM).and(NotForContentType::SSE).and(NotForContentType::const_new(commands::LINES));
    Router::new()
        .nest(PREFIX, operations)
        .merge(documents)
        .layer(from_fn_with_state(Arc::clone(&shared.chance), frame::frame))
        .layer(CompressionLayer::new().gzip(true).compress_when(compressed))
}
