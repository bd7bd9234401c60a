//! The campaigns of a month, on their days.

use axum::extract::State;
use axum::response::Response;
use chrono::NaiveDate;
use serde::Deserialize;

use crate::api::Shared;
use crate::api::native::{Answer, Call, Query};
use crate::api::web::admit::Session;
use crate::api::web::frame::page;
use crate::clock::{day_of, start_of_day, zone_name};
use crate::domain::{BatchState, Timestamp};
use crate::pages::{CalendarEntry, CalendarPage, DayPage, Month, Place, campaign_path};
use crate::store::Batch;

/// Campaigns of a month, or of a day: those that were sent, and those that are to start.
const SHOWN: u32 = 200;
/// Campaigns without a date, below the days.
const UNDATED: usize = 20;

/// The month, such as `2026-12`, or one of its days.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CalendarQuery {
    month: String,
    day: String,
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Query(query): Query<CalendarQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let frame = session.frame(Place::Calendar);
    let zone = frame.zone;
    let today = day_of(call.at, zone);
    // A word that is no month was written by hand.
    let day = query.day.parse::<NaiveDate>().ok().filter(|day| Month::of(*day).is_some());
    if let Some((day, next)) = day.and_then(|day| Some((day, day.succ_opt()?))) {
        let (from, until) = (start_of_day(day, zone), start_of_day(next, zone));
        let entries = entries(&shared, (from, until), call.at).await?;
        let zone = zone_name(zone);
        return page(&DayPage { frame, day, is_today: day == today, zone, entries });
    }
    let month = Month::parse(&query.month).or_else(|| Month::of(today)).unwrap_or_default();
    let (from, until) = (start_of_day(month.first(), zone), start_of_day(month.after_last(), zone));
    let entries = entries(&shared, (from, until), call.at).await?;
    let undated = shared.store.batches(Some(vec![BatchState::Draft, BatchState::Scheduled])).await?;
    let undated = undated.iter().filter(|batch| batch.name.is_some() && batch.starts_at.is_none());
    page(&CalendarPage::new(
        frame,
        month,
        today,
        zone_name(zone),
        entries,
        undated.rev().take(UNDATED).map(|batch| entry(batch, call.at)).collect(),
    ))
}

async fn entries(shared: &Shared, (from, until): (Timestamp, Timestamp), now: Timestamp) -> Answer<Vec<CalendarEntry>> {
    let batches = shared.store.campaigns_between(from, until, SHOWN).await?;
    Ok(batches.iter().map(|batch| entry(batch, now)).collect())
}

fn entry(batch: &Batch, now: Timestamp) -> CalendarEntry {
    let begins = batch.started_at.or(batch.starts_at).unwrap_or(now);
    let over = batch.finished_at.or(batch.cancelled_at);
    // One that has not started is on the day of its start. One that is being sent is on its days until now.
    let ends = if batch.started_at.is_some() { over.unwrap_or(now) } else { begins };
    CalendarEntry {
        name: batch.display_name(),
        path: campaign_path(&batch.public_id().to_string()),
        state: batch.state,
        recipients: batch.messages,
        begins,
        ends: ends.max(begins),
        has_started: batch.started_at.is_some(),
        is_over: batch.started_at.is_some() && over.is_some(),
    }
}
