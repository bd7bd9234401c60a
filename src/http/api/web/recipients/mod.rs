//! A recipient, the opt-outs and the replies.

mod consent;
mod opt_outs;
mod replies;
mod replies_csv;
mod show;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::http::Uri;
use axum::routing::{get, post};

use crate::base::domain::Msisdn;
use crate::http::api::Shared;
pub(super) use show::is_known;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/recipients/{address}", get(show::show))
        .route("/recipients/{address}/opt-out", get(consent::ask_opt_out).post(consent::opt_out))
        .route("/recipients/{address}/opt-in", get(consent::ask_opt_in).post(consent::opt_in))
        .route("/opt-outs", get(opt_outs::list))
        .route("/opt-outs/add", get(opt_outs::ask).post(opt_outs::add))
        .route("/opt-outs/export", get(opt_outs::export))
        .route("/replies", get(replies::list))
        .route("/replies/decide", post(replies::decide))
        .route("/replies/csv", get(replies_csv::all))
        .route("/campaigns/{campaign}/replies", get(replies::of_campaign))
        .route("/campaigns/{campaign}/replies/csv", get(replies_csv::of_campaign))
}

/// The forms with a file.
pub(super) fn uploads() -> Router<Shared> {
    Router::new().route("/opt-outs/file", post(opt_outs::add_file))
}

/// Whether operators write it between the digits of a number.
pub(super) fn is_separator(c: char) -> bool {
    c.is_whitespace() || "-()./".contains(c)
}

/// Reads a number as an operator writes it: with its country code, and with any separators.
pub(super) fn number_of(text: &str) -> Option<Msisdn> {
    let text: String = text.chars().filter(|c| !is_separator(*c)).collect();
    text.strip_prefix("00").unwrap_or(&text).parse().ok()
}

/// The address of the next page of a list without filters. It does not say again what was done.
fn after_cursor(uri: &Uri, cursor: &str) -> String {
    format!("{}?cursor={cursor}", uri.path())
}
