//! The pages of the server: each handler reads what the operation of its name in `/v1` reads, and shows it as HTML.
//!
//! What all pages need is around them: `frame` (headers, problems as pages), `admit` (sessions, forms, the audit log), and
//! `live` (the parts that change while a page is open).

mod access;
mod admit;
mod asked;
mod audiences;
mod campaigns;
mod decisions;
mod download;
mod events;
mod failures;
mod find;
mod form;
mod frame;
mod home;
mod kept;
mod lanes;
mod live;
mod messages;
mod own_origin;
mod recipients;
mod results;
mod sending;
mod server;
mod session;
mod sign_in;
#[cfg(test)]
mod tests;
mod writing;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use super::Shared;
use super::computing::on_own_thread;
use crate::http::pages::{ASSETS, Asset, Assets};
pub(super) use access::NewSecrets;
pub(super) use asked::LatestAnswers;
pub(super) use audiences::Corrections;
pub(super) use failures::{Failures, RecordedFailures};
pub(super) use live::Hub;
pub(super) use results::Countings;
pub(super) use session::{presented, proven_by_page};

/// Shorter answers are not compressed.
const COMPRESSED_FROM: u16 = 1_024;

/// The routes of the pages.
pub(super) fn routes(shared: &Shared) -> Router<Shared> {
    let computes = from_fn_with_state(shared.clone(), on_own_thread);
    let signed_in = Router::new()
        .route("/", get(home::home))
        .route("/campaigns", get(campaigns::list))
        .route("/campaigns/{campaign}", get(campaigns::show))
        .route("/campaigns/{campaign}/live", get(live::live))
        .route("/campaigns/{campaign}/course.csv", get(campaigns::course_csv))
        .route("/campaigns/{campaign}/recipients", get(messages::of_campaign))
        .route("/campaigns/{campaign}/recipients.csv", get(messages::list_csv))
        .route("/campaigns/{campaign}/events", get(events::of_campaign))
        .route("/campaigns/{campaign}/start", post(decisions::start))
        .route("/campaigns/{campaign}/refuse", get(decisions::ask_refuse).post(decisions::refuse))
        .route("/campaigns/{campaign}/pause", post(decisions::pause))
        .route("/campaigns/{campaign}/resume", post(decisions::resume))
        .route("/campaigns/{campaign}/cancel", get(decisions::ask_cancel).post(decisions::cancel))
        .route("/messages/{message}", get(messages::show))
        .route("/messages/{message}/cancel", post(messages::cancel))
        .route("/messages/{message}/release", post(messages::release))
        .route("/find", get(find::find))
        .route("/lanes", get(lanes::list))
        .route("/lanes/{lane}/pause", post(lanes::pause))
        .route("/lanes/{lane}/resume", post(lanes::resume))
        .route("/lanes/{lane}/tier-used", post(lanes::tell_tier_used))
        .route("/lanes/{lane}/settings", get(lanes::ask_settings).post(lanes::change_settings))
        .route("/events", get(events::list))
        .route("/new", get(writing::list).post(writing::begin))
        .route("/new/count", get(writing::count).layer(computes.clone()))
        .route("/new/{sketch}/recipients", get(writing::recipients).post(writing::change_recipients))
        .route("/new/{sketch}/import", post(writing::import))
        .route("/new/{sketch}/importing", get(writing::importing))
        .route("/new/{sketch}/check", get(writing::check).post(writing::change_check).layer(computes.clone()))
        .route("/new/{sketch}/route", get(writing::route).post(writing::change_route))
        .route("/new/{sketch}/content", get(writing::content).post(writing::change_content).layer(computes.clone()))
        .route("/new/{sketch}/time", get(writing::time).post(writing::change_time))
        .route("/new/{sketch}/review", get(writing::review).layer(computes.clone()))
        .route("/new/{sketch}/test", get(writing::to_review).post(writing::test).layer(computes.clone()))
        .route("/new/{sketch}/launch", get(writing::to_review).post(writing::launch).layer(computes))
        .route("/new/{sketch}/delete", get(writing::ask_discard).post(writing::discard))
        .route("/zone", post(sign_in::set_zone))
        .route("/sign-out", post(sign_in::sign_out))
        .merge(access::routes())
        .merge(audiences::routes())
        .merge(recipients::routes())
        .merge(results::routes(shared))
        .merge(sending::routes())
        .merge(server::routes())
        .route_layer(from_fn_with_state(shared.clone(), admit::admit));
    // A file is read as it arrives, and so are the fields before it.
    let upload = Router::new()
        .route("/new/{sketch}/upload", post(writing::upload))
        .merge(recipients::uploads())
        .merge(audiences::upload_routes())
        .layer(DefaultBodyLimit::disable())
        .route_layer(from_fn_with_state(shared.clone(), admit::admit_upload));
    let compressed = SizeAbove::new(COMPRESSED_FROM).and(NotForContentType::SSE);
    Router::new()
        .merge(signed_in)
        .merge(upload)
        .route("/sign-in", get(sign_in::ask).post(sign_in::sign_in))
        .route("/setup", get(sign_in::ask_setup).post(sign_in::set_up))
        .route("/shared/{secret}", get(results::shared))
        .route("/assets/{file}", get(asset))
        .fallback(frame::no_such_page)
        .method_not_allowed_fallback(frame::no_such_method)
        .layer(from_fn_with_state(Arc::clone(&shared.chance), frame::frame))
        .layer(CompressionLayer::new().gzip(true).compress_when(compressed))
}

/// A file that pages load. Its name changes with its content, so a browser may keep it.
async fn asset(axum::extract::Path(file): axum::extract::Path<String>, headers: HeaderMap) -> Response {
    match Assets::all().find(&format!("{ASSETS}{file}")) {
        Some(Asset { media_type, content, .. }) => {
            let headers =
                [(header::CONTENT_TYPE, *media_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, *content).into_response()
        }
        None => frame::no_such_page(headers).await,
    }
}
