//! Describes the steps whose messages wait for their send hours, in the same words for every view.

use std::collections::HashSet;

use serde::Serialize;

use super::holds;
use crate::base::clock::format_time;
use crate::base::domain::{
    BatchState, Channel, ClosedBy, Count, Plan, Queue, Span, Step, StepIndex, Tallies, Timestamp, Zone, zones_of,
};
use crate::campaigns::campaign::crowd_in;
use crate::store::{Batch, Result, Store};

/// A message that is due within this time counts as due.
const SOON: Span = Span::from_secs(2);

/// A step of a running campaign whose waiting messages may not be sent before `until`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ClosedHours {
    /// Counted from 1.
    pub step: u8,
    channel: Channel,
    waiting: i64,
    closed_by: ClosedBy,
    /// The first opening in any country.
    #[serde(serialize_with = "Timestamp::as_text")]
    until: Timestamp,
    #[serde(skip)]
    zone: Option<Zone>,
}

impl ClosedHours {
    /// Reads which steps of a campaign wait for their send hours.
    ///
    /// Messages are not counted by country. Where the hours are open in some countries, a step waits if its first
    /// message waits for an opening in another.
    pub async fn read(
        store: &dyn Store,
        batch: &Batch,
        plan: &Plan,
        tallies: &Tallies,
        now: Timestamp,
    ) -> Result<Vec<Self>> {
        let waiting = |index: StepIndex| tallies.get(index, Count::Queued);
        let steps: Vec<_> =
            plan.indexed_steps().filter(|(index, step)| waiting(*index) > 0 && !step.hours.are_all()).collect();
        if batch.state != BatchState::Running || steps.is_empty() {
            return Ok(Vec::new());
        }
        let crowd = crowd_in(store, batch).await?.unwrap_or_default();
        let mut closed = Vec::new();
        for (index, step) in steps {
            let takers = step.takers();
            let matching = crowd.keys().filter(|taker| takers.include(**taker));
            let zones: HashSet<Zone> = matching.flat_map(|taker| zones_of(taker.country)).collect();
            let first = first_due(store, batch, (index, step)).await?;
            closed.extend(closed_until(step, &zones, first, now).map(|(closed_by, until)| Self {
                step: index.get() + 1,
                channel: step.channel,
                waiting: waiting(index),
                closed_by,
                until,
                zone: plan.time_zone,
            }));
        }
        Ok(closed)
    }

    /// `the send window until 2026-12-02 09:00 +08 (Asia/Singapore)`.
    pub fn what_for(&self) -> String {
        let what = match self.closed_by {
            ClosedBy::Start => "its start by each recipient's clock",
            ClosedBy::Holidays => "the end of a holiday",
            ClosedBy::SendWindow => "the send window",
            ClosedBy::QuietHours => "the end of the quiet hours",
        };
        format!("{what} until {}", format_time(self.until, self.zone))
    }

    /// `step 1, WhatsApp, waits for the send window until 2026-12-02 09:00 +08 (Asia/Singapore); 50 messages waiting`.
    pub fn sentence(&self) -> String {
        format!(
            "step {}, {}, waits for {}{}",
            self.step,
            self.channel,
            self.what_for(),
            holds::wait_for_it(self.waiting)
        )
    }
}

/// From when on the first waiting message of a step may be sent, as its row says.
async fn first_due(store: &dyn Store, batch: &Batch, (index, step): (StepIndex, &Step)) -> Result<Option<Timestamp>> {
    let lanes = store.lanes(Vec::new()).await?.into_iter().filter(|lane| step.lanes.contains(&lane.name));
    let queues = lanes.map(|lane| Queue { batch: batch.id, step: index, lane: lane.id }).collect();
    Ok(store.queue_times(queues).await?.into_values().map(|times| times.first).min())
}

/// Which rule closes the hours of a step, and until when; `None` if some message waits for nothing of the kind.
///
/// A row shows the opening only after a claim has looked at it. Before that, the hours have to be closed in every zone.
fn closed_until(
    step: &Step,
    zones: &HashSet<Zone>,
    first: Option<Timestamp>,
    now: Timestamp,
) -> Option<(ClosedBy, Timestamp)> {
    let closed = |zone: &Zone| Some((step.hours.closed_by(now, *zone)?, step.hours.open_from(now, *zone)?));
    let opening = zones.iter().filter_map(closed).min_by_key(|(_, opens)| *opens);
    let is_open = |zone: &Zone| step.hours.closed_by(now, *zone).is_none();
    if !zones.iter().any(is_open) {
        return opening;
    }
    let first = first.filter(|first| first.since(now) > SOON)?;
    zones.iter().filter_map(closed).find(|(_, opens)| *opens == first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Hours;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_step_waits_if_its_hours_are_closed_for_each_waiting_message() {
        let hours = Hours { windows: vec!["09:00-18:00".parse().unwrap()], ..Hours::default() };
        let step = Step { hours, ..Step::of_text(Channel::Sms, "sms", "Hi") };
        let zones = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<HashSet<Zone>>();
        let (asia, both) = (zones(&["Asia/Singapore"]), zones(&["Asia/Singapore", "Europe/London"]));
        let (night, evening) = (at("2026-12-01T20:00:00Z"), at("2026-12-01T12:00:00Z"));
        let opens = at("2026-12-02T01:00:00Z");
        let waits = Some((ClosedBy::SendWindow, opens));
        assert_eq!(closed_until(&step, &asia, Some(night), night), waits, "no claim has looked at its rows");
        assert_eq!(closed_until(&step, &both, Some(opens), night), waits, "London opens later");
        // It is noon in London.
        assert_eq!(closed_until(&step, &both, Some(evening), evening), None, "some may be sent now");
        assert_eq!(closed_until(&step, &both, Some(opens), evening), waits, "those to London are sent");
        let retried = evening + Span::from_secs(60);
        assert_eq!(closed_until(&step, &both, Some(retried), evening), None, "a retry is not for the hours");
    }

    #[test]
    fn closed_hours_name_the_rule_and_the_opening() {
        let closed = ClosedHours {
            step: 1,
            channel: Channel::WhatsApp,
            waiting: 50,
            closed_by: ClosedBy::SendWindow,
            until: at("2026-12-02T01:00:00Z"),
            zone: "Asia/Singapore".parse().ok(),
        };
        assert_eq!(
            closed.sentence(),
            "step 1, WhatsApp, waits for the send window until 2026-12-02 09:00 +08 (Asia/Singapore); 50 messages waiting"
        );
    }
}
