//! Plans and reports as pages, as files and by links for others; sending again; changes after the launch.

mod again;
mod change;
mod counting;
mod files;
mod plan;
mod report;
mod share;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::frame::no_such_method;
use crate::http::api::Shared;
use crate::http::api::computing::on_own_thread;
pub(super) use again::{may_repeat, repeatable_of};
pub(in crate::http::api) use counting::Countings;
pub(super) use report::ensure_kept;
pub(super) use share::shared;

pub(super) fn routes(shared: &Shared) -> Router<Shared> {
    let computes = from_fn_with_state(shared.clone(), on_own_thread);
    Router::new()
        .route("/campaigns/{campaign}/plan", get(plan::plan))
        .route("/campaigns/{campaign}/report", get(report::report))
        .route("/campaigns/{campaign}/report/tables", get(report::tables).post(report::count))
        .route("/campaigns/{campaign}/report/csv", get(files::csv))
        .route("/campaigns/{campaign}/report/messages.csv", get(files::messages).head(no_such_method))
        .route("/campaigns/{campaign}/report/recipients.xlsx", get(files::xlsx).head(no_such_method))
        .route("/campaigns/{campaign}/report/share", get(share::list).head(no_such_method).post(share::share))
        .route("/campaigns/{campaign}/report/share/end", post(share::end))
        .route("/campaigns/{campaign}/again", get(again::ask).post(again::repeat))
        .route("/campaigns/{campaign}/use-again", get(again::ask_use).post(again::use_again))
        .route("/campaigns/{campaign}/change", get(change::ask).post(change::change).layer(computes))
        .route("/campaigns/{campaign}/steps/{step}/pause", post(change::pause_step))
        .route("/campaigns/{campaign}/steps/{step}/resume", post(change::resume_step))
        .route("/campaigns/{campaign}/delete", get(change::ask_delete).post(change::delete))
}
