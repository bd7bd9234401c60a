//! The home page.

use axum::extract::State;
use axum::response::Response;

use super::admit::Session;
use super::frame::page;
use crate::base::domain::BatchState;
use crate::campaigns::status::Listed;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, launcher};
use crate::http::pages::{Attention, HomePage, Place, Row};
use crate::store::BatchFilter;

/// Campaigns of one part of the page. The list has the others.
const SHOWN: u32 = 20;
const FINISHED_SHOWN: u32 = 5;

pub(super) async fn home(State(shared): State<Shared>, session: Session, call: Call) -> Answer<Response> {
    use BatchState::{Cancelled, Cancelling, Draft, Finished, Paused, Running, Scheduled, Settled};
    let running = listed(&shared, &call, vec![Running, Paused, Cancelling], SHOWN).await?;
    let next = listed(&shared, &call, vec![Scheduled, Draft], SHOWN).await?;
    let finished = listed(&shared, &call, vec![Finished, Settled, Cancelled], FINISHED_SHOWN).await?;
    let running_rows = rows(&running);
    let mut waiting = rows(&running);
    waiting.extend(rows(&next));
    page(&HomePage {
        frame: session.frame(Place::Home),
        attention: Attention::of(&waiting),
        running: running_rows,
        next: rows(&next),
        finished: rows(&finished),
    })
}

/// The latest campaigns in these states.
async fn listed(shared: &Shared, call: &Call, states: Vec<BatchState>, most: u32) -> Answer<Vec<Listed>> {
    let filter = BatchFilter { states: Some(states), is_campaign: Some(true), ..BatchFilter::default() };
    let page = shared.store.batch_page(filter, None, most).await?;
    Ok(Listed::of(&launcher(shared, &shared.config, call), page.batches).await?)
}

pub(super) fn rows(listed: &[Listed]) -> Vec<Row<'_>> {
    listed.iter().map(|Listed { look, is_test }| Row { look, is_test: *is_test }).collect()
}
