//! The campaigns of a month, on their days, and the days on which their hours are closed.

use std::collections::BTreeMap;
use std::ops::Range;

use axum::extract::State;
use axum::response::Response;
use chrono::NaiveDate;
use serde::Deserialize;

use crate::base::clock::{day_of, machine_zone, start_of_day, zone_name};
use crate::base::domain::text::hours;
use crate::base::domain::{BatchState, Hours, Plan, Timestamp, Zone, closed_days};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Query};
use crate::http::api::web::admit::Session;
use crate::http::api::web::frame::page;
use crate::http::pages::{CalendarEntry, CalendarPage, DayPage, Month, Place, campaign_path};
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
        let of_day = entries(&shared, day..next, zone, call.at).await?;
        // A campaign that starts before the day may be closed on it.
        let since = Month::of(day).unwrap_or_default().first();
        let of_month = entries(&shared, since..next, zone, call.at).await?;
        let zone = zone_name(zone);
        return page(&DayPage { frame, day, is_today: day == today, zone, entries: of_day, of_month });
    }
    let month = Month::parse(&query.month).or_else(|| Month::of(today)).unwrap_or_default();
    let entries = entries(&shared, month.first()..month.after_last(), zone, call.at).await?;
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

async fn entries(
    shared: &Shared,
    days: Range<NaiveDate>,
    zone: Option<Zone>,
    now: Timestamp,
) -> Answer<Vec<CalendarEntry>> {
    let (from, until) = (start_of_day(days.start, zone), start_of_day(days.end, zone));
    let batches = shared.store.campaigns_between(from, until, SHOWN).await?;
    let open = batches.iter().filter(|batch| BatchState::OPEN.contains(&batch.state)).map(|batch| batch.id);
    let plans = shared.store.plans(open.collect()).await?;
    let entry = |batch: &Batch| match plans.get(&batch.id) {
        Some(plan) => with_hours(entry(batch, now), plan, days.clone(), zone),
        None => entry(batch, now),
    };
    Ok(batches.iter().map(entry).collect())
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
        hours: None,
        closed: BTreeMap::new(),
    }
}

/// Adds the send hours of an open campaign, and the days from its start to its end on which they are closed.
fn with_hours(entry: CalendarEntry, plan: &Plan, days: Range<NaiveDate>, zone: Option<Zone>) -> CalendarEntry {
    let all: Vec<Hours> = plan.steps.iter().map(|step| step.hours.clone()).collect();
    let from = day_of(entry.begins, zone).max(days.start);
    let after = |end| day_of(end, zone).succ_opt().unwrap_or(days.end);
    let until = plan.end.map_or(days.end, after).min(days.end);
    let closed = zone.or_else(machine_zone).map(|zone| closed_days(&all, from..until, zone));
    CalendarEntry { hours: all.first().and_then(hours), closed: closed.unwrap_or_default(), ..entry }
}
