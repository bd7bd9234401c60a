//! Volley's own API, under `/v1`: its operations, what they have in common, and their document.
//!
//! An operation parses, calls the same verb or decision as the command of its name, and answers with the same view. What all
//! operations need is around them: `frame` (request ids, problems, panics), `admit` (callers, scopes, rates, bodies, time),
//! `once` (idempotency keys), `page` (cursors), and `document` (OpenAPI).

mod admit;
mod audiences;
mod audit_log;
mod batches;
mod campaigns;
mod commands;
mod contacts;
mod document;
mod events;
mod extract;
mod frame;
mod keys;
mod lanes;
mod limits;
mod masked;
mod messages;
mod of_rooms;
mod operators;
mod opt_outs;
mod page;
mod problem;
mod recorded;
mod reference;
mod replies;
mod rules;
mod table;
mod templates;
#[cfg(test)]
pub(super) mod tests;
mod uploads;
mod values;
mod webhooks;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use bytes::Bytes;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::openapi::OpenApi;
use utoipa_axum::routes;

use super::{ApiParts, Shared};
use crate::base::domain::Scope;
use crate::recipients::uploads::{Imports, UploadFolder};
use admit::Gate;
use commands::Turns;
use page::CursorKey;
use rules::{Operations, Rule};
use table::Tables;

// What the pages share with the operations.
pub(super) use campaigns::{current, draft_of, found, launcher};
pub(super) use extract::{Asked, Call, Path, Query};
pub(super) use frame::{RequestId, framed, panicked, render_problem as render_as_json};
pub(super) use lanes::SettingsTurn;
pub(super) use masked::{SHARED_REPORTS, shown_path};
pub(super) use opt_outs::{change_listed, decided_how, list_options};
pub(super) use page::cut;
pub(super) use problem::{Answer, Kind, Problem};
pub(super) use recorded::{About, Entry, Recorded};
pub(super) use replies::decided;
pub(super) use table::{BYTE_ORDER_MARK, CSV};
pub(super) use webhooks::desk;

/// Where the operations are.
const PREFIX: &str = "/v1";
/// Shorter answers are not compressed.
const COMPRESSED_FROM: u16 = 1_024;

/// What the operations keep in memory.
#[derive(Debug)]
pub(super) struct Native {
    tables: Tables,
    uploads: Arc<UploadFolder>,
    imports: Imports,
    cursor_key: CursorKey,
    /// Salts the digests of requests with guessable secrets, and is stored nowhere.
    salt: [u8; 32],
    /// Held while a lane is changed, from the look at its tag on.
    lane_changes: tokio::sync::Mutex<()>,
    commands: Turns,
}

impl Native {
    /// The permits for tables as answers.
    pub(super) const fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(super) const fn uploads(&self) -> &Arc<UploadFolder> {
        &self.uploads
    }

    /// The imports of uploads, which go on while the server runs.
    pub(super) const fn imports(&self) -> &Imports {
        &self.imports
    }

    pub(super) fn new(parts: &ApiParts, uploads: Arc<UploadFolder>) -> Self {
        let mut salt = [0; 32];
        for word in salt.chunks_exact_mut(8) {
            word.copy_from_slice(&parts.chance.bits().to_le_bytes());
        }
        let (store, clock, stop) = (Arc::clone(&parts.store), Arc::clone(&parts.clock), parts.door.stopping());
        Self {
            tables: Tables::default(),
            imports: Imports::new(Arc::clone(&uploads), store, clock, stop),
            uploads,
            cursor_key: CursorKey::default(),
            salt,
            lane_changes: tokio::sync::Mutex::default(),
            commands: Turns::default(),
        }
    }
}

/// Every operation with its rule, and with its document added to this one, if there is one.
fn operations(document: Option<OpenApi>) -> Operations {
    let (read, manage) = (Rule::of(Scope::Read), Rule::of(Scope::Manage));
    let admin = Rule::of(Scope::Admin);
    // Operations about lanes, and about batches, which have lanes.
    let (find, decide) = (read.by_lane(), manage.by_lane());
    Operations::new(document)
        .add(find, routes!(campaigns::list))
        .add(find, routes!(campaigns::get))
        .add(find.computes(), routes!(campaigns::launch::plan))
        .add(decide.computes(), routes!(campaigns::launch::launch))
        .add(decide.computes(), routes!(campaigns::change::change))
        .add(decide, routes!(campaigns::change::delete))
        .add(decide, routes!(campaigns::change::rename))
        .add(decide.long(), routes!(campaigns::launch::clone))
        .add(decide.long(), routes!(campaigns::launch::retry))
        .add(decide, routes!(campaigns::launch::test))
        .add(decide, routes!(campaigns::change::pause_step))
        .add(decide, routes!(campaigns::change::resume_step))
        .add(find, routes!(campaigns::results::report))
        .add(find, routes!(campaigns::results::events))
        .add(find.stream(), routes!(campaigns::results::watch))
        .add(decide, routes!(campaigns::start))
        .add(decide, routes!(campaigns::refuse))
        .add(decide, routes!(campaigns::pause))
        .add(decide, routes!(campaigns::resume))
        .add(decide, routes!(campaigns::cancel))
        .add(find, routes!(campaigns::export::export))
        .add(read, routes!(audiences::list))
        .add(read, routes!(audiences::get))
        .add(read, routes!(audiences::sample))
        .add(read, routes!(audiences::export))
        .add(manage.long(), routes!(audiences::delete))
        .add(manage, routes!(uploads::begin))
        .add(manage, routes!(uploads::list))
        .add(manage, routes!(uploads::get))
        .add(manage.upload(), routes!(uploads::send))
        .add(manage, routes!(uploads::delete))
        .add(manage.computes(), routes!(uploads::check))
        .add(manage, routes!(uploads::import))
        .add(find, routes!(batches::list))
        .add(find, routes!(batches::get))
        .add(decide, routes!(batches::pause))
        .add(decide, routes!(batches::resume))
        .add(decide, routes!(batches::cancel))
        .add(find, routes!(messages::list))
        .add(find, routes!(messages::get))
        .add(decide, routes!(messages::cancel))
        .add(decide, routes!(messages::release))
        .add(read, routes!(contacts::get))
        .add(find, routes!(lanes::list))
        .add(find, routes!(lanes::get))
        .add(decide, routes!(lanes::change))
        .add(decide, routes!(lanes::pause))
        .add(decide, routes!(lanes::resume))
        .add(read, routes!(templates::list))
        .add(read, routes!(templates::get))
        .add(manage, routes!(templates::hold))
        .add(manage, routes!(templates::resume))
        .add(read, routes!(opt_outs::list))
        .add(read, routes!(opt_outs::get))
        .add(manage, routes!(opt_outs::add))
        .add(manage, routes!(opt_outs::remove))
        .add(manage, routes!(opt_outs::narrow))
        .add(find, routes!(replies::list))
        .add(manage, routes!(replies::decide))
        .add(read, routes!(events::list))
        .add(admin, routes!(keys::list))
        .add(admin, routes!(keys::get))
        .add(admin, routes!(keys::create))
        .add(admin, routes!(keys::rotate))
        .add(admin, routes!(keys::revoke))
        .add(Rule::open(), routes!(keys::set_up))
        .add(admin, routes!(operators::list))
        .add(admin, routes!(operators::get))
        .add(admin.with_secret(), routes!(operators::create))
        .add(admin.with_secret(), routes!(operators::set_password))
        .add(admin, routes!(operators::set_scopes))
        .add(admin, routes!(operators::disable))
        .add(admin, routes!(operators::enable))
        .add(admin, routes!(webhooks::list))
        .add(admin, routes!(webhooks::get))
        .add(admin.with_secret(), routes!(webhooks::create))
        .add(admin, routes!(webhooks::enable))
        .add(admin, routes!(webhooks::disable))
        .add(admin, routes!(webhooks::rotate))
        .add(admin, routes!(webhooks::remove))
        .add(admin, routes!(webhooks::test))
        .add(admin, routes!(webhooks::replay))
        .add(admin, routes!(webhooks::deliveries))
        .add(admin, routes!(webhooks::delivery))
        .add(admin, routes!(audit_log::list))
        .add(read.long().recorded(), routes!(commands::run))
}

/// The document of the operations, and its page.
struct Documents {
    json: Bytes,
    page: Bytes,
}

/// Made when the first caller asks.
static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| {
    let document = document::complete(operations(Some(OpenApi::default())).into_document());
    let page = Bytes::from(reference::page(&document));
    // A document of our own types always has a JSON form.
    Documents { json: Bytes::from(document.to_json().unwrap_or_default()), page }
});

/// The routes of the operations, of their document and of its page.
pub(super) fn routes(shared: &Shared) -> Router<Shared> {
    let (router, rules) = operations(None).into_routes();
    let gate = Gate { shared: shared.clone(), rules };
    let operations = router
        .route_layer(from_fn_with_state(gate, admit::admit))
        .fallback(frame::no_such_path)
        .method_not_allowed_fallback(frame::method_not_allowed)
        // Each operation bounds its body by its own rule.
        .layer(DefaultBodyLimit::disable());
    let documents = Router::new()
        .route("/openapi.json", get(async || ([(header::CONTENT_TYPE, "application/json")], DOCUMENTS.json.clone())))
        .route("/docs", get(async || reference::answer(DOCUMENTS.page.clone())))
        .route("/docs/problems/{code}", get(reference::problem))
        .route("/docs/reference.css", get(async || ([(header::CONTENT_TYPE, "text/css")], reference::STYLE)));
    let compressed =
        SizeAbove::new(COMPRESSED_FROM).and(NotForContentType::SSE).and(NotForContentType::const_new(commands::LINES));
    Router::new()
        .nest(PREFIX, operations)
        .merge(documents)
        .layer(from_fn_with_state(Arc::clone(&shared.chance), frame::frame))
        .layer(CompressionLayer::new().gzip(true).compress_when(compressed))
}
