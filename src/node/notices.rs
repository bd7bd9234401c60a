//! Reports changes of the lanes: holds, throttling, outages and spent tiers. Each change is reported once.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::domain::{Portion, Span, Timestamp};
use crate::base::events::{Actor, Event, EventKind, Origin, Subject};
use crate::sending::dispatch::LaneStatus;
use crate::sending::throttle::StandstillCause;
use crate::store::Hold;

/// An outage is reported after this time.
const LASTS: Span = Span::from_secs(1);
/// An outage is over after this time without a failure. So a provider that fails every other request has one outage, not a
/// hundred.
const QUIET: Span = Span::from_secs(5);
/// Percentage of free slots at which a spent tier is reported as free. A spent tier frees its slots one by one, and each is
/// taken at once.
const FREE_PERCENT: u32 = 10;

/// The state that was last reported.
#[derive(Debug, Default)]
pub(super) struct Notices {
    held: BTreeMap<(String, String, String), Hold>,
    portion: BTreeMap<String, Portion>,
    outages: BTreeMap<String, Outage>,
    /// Portfolios whose tier is spent.
    spent: BTreeSet<String>,
}

#[derive(Debug)]
struct Outage {
    since: Timestamp,
    /// When it was last seen.
    seen: Timestamp,
    is_reported: bool,
}

impl Notices {
    /// Logs the changes to stderr, and returns the events to store.
    pub(super) fn report(&mut self, lanes: &[LaneStatus], holds: &[Hold], now: Timestamp) -> Vec<Event> {
        self.holds(holds, now);
        let mut events = Vec::new();
        for lane in lanes {
            let kinds = [self.throttling(lane), self.outage(lane, now)];
            let of_lane = |(origin, kind)| Event { at: now, subject: Subject::lane(&lane.name), origin, kind };
            events.extend(kinds.into_iter().flatten().map(of_lane));
        }
        events.extend(self.tiers(lanes, now));
        for event in &events {
            event.log();
        }
        events
    }

    /// Holds and releases are only logged here, because the code that makes them records them.
    fn holds(&mut self, holds: &[Hold], now: Timestamp) {
        let held: BTreeMap<_, _> = holds
            .iter()
            .map(|hold| ((hold.lane.clone(), hold.template.clone(), hold.language.clone()), hold.clone()))
            .collect();
        for (_, hold) in held.iter().filter(|(key, hold)| self.held.get(*key) != Some(*hold)) {
            let held = hold.event().sentence();
            tracing::warn!(
                "{held}; queued messages wait; a step with leave_within falls back after that time; see `volley doctor`"
            );
        }
        for (lane, template, language) in self.held.keys().filter(|key| !held.contains_key(*key)) {
            Event::by_server(now, Subject::held(lane, template, language), EventKind::Released).log();
        }
        self.held = held;
    }

    fn throttling(&mut self, lane: &LaneStatus) -> Option<(Origin, EventKind)> {
        let portion = lane.portion;
        let before = self.portion.get(&lane.name).copied().unwrap_or(Portion::WHOLE);
        if portion == before {
            return None;
        }
        self.portion.insert(lane.name.clone(), portion);
        // The rate recovers in many small steps; only the last is reported.
        match portion {
            Portion::WHOLE => Some((Origin::SERVER, EventKind::FullRate { rate: lane.rate })),
            _ if portion < before => Some((PROVIDER, EventKind::throttled(portion, lane.rate))),
            _ => None,
        }
    }

    fn outage(&mut self, lane: &LaneStatus, now: Timestamp) -> Option<(Origin, EventKind)> {
        let now_out = lane.standstill.as_ref().filter(|standstill| standstill.cause == StandstillCause::Outage);
        if let Some(standstill) = now_out {
            let since = standstill.since;
            let outage =
                self.outages.entry(lane.name.clone()).or_insert(Outage { since, seen: now, is_reported: false });
            outage.seen = now;
            let is_new = !outage.is_reported && now.since(outage.since) >= LASTS;
            outage.is_reported |= is_new;
            let began = EventKind::OutageBegan { in_flight: standstill.in_flight };
            return is_new.then(|| (Origin::provider(standstill.reason.clone()), began));
        }
        let outage = self.outages.get(&lane.name).filter(|outage| now.since(outage.seen) >= QUIET)?;
        let ended = EventKind::OutageEnded { lasted: outage.seen.since(outage.since) };
        let was_reported = outage.is_reported;
        self.outages.remove(&lane.name);
        was_reported.then_some((PROVIDER, ended))
    }

    fn tiers(&mut self, lanes: &[LaneStatus], now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        for tier in lanes.iter().filter_map(|lane| lane.tier.as_ref()) {
            let (recipients, of) = (tier.recipients, tier.of);
            let was_reported = self.spent.contains(&tier.portfolio);
            let kind = if tier.is_spent() && !was_reported {
                self.spent.insert(tier.portfolio.clone());
                EventKind::TierSpent { recipients, free_at: tier.free_at }
            } else if was_reported && of.saturating_sub(recipients) * 100 >= of * FREE_PERCENT {
                self.spent.remove(&tier.portfolio);
                EventKind::TierFreed { recipients, of }
            } else {
                continue;
            };
            events.push(Event::by_server(now, Subject::portfolio(&tier.portfolio), kind));
        }
        events
    }
}

/// The provider, without words of its own.
const PROVIDER: Origin = Origin { by: Actor::Provider, reason: None };

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::base::domain::Rate;
    use crate::sending::dispatch::TierUsed;
    use crate::sending::throttle::Standstill;
    use crate::store::HeldBy;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn lane() -> LaneStatus {
        LaneStatus {
            name: "sms".to_owned(),
            rate: Rate::per_second(NonZeroU32::new(80).unwrap()),
            hold: None,
            standstill: None,
            portion: Portion::WHOLE,
            tier: None,
            submitted: 0,
            complaint: None,
        }
    }

    fn sentences(events: &[Event]) -> Vec<String> {
        events.iter().map(Event::sentence).collect()
    }

    #[test]
    fn each_change_of_throttling_is_reported_once() {
        let mut notices = Notices::default();
        let mut reported = Vec::new();
        for (at, portion) in [(0, 16), (1, 8), (2, 8), (3, 4), (8, 5), (9, 5), (63, 16), (64, 16)] {
            let lane = LaneStatus { portion: Portion::of_sixteenths(portion).unwrap(), ..lane() };
            reported.extend(sentences(&notices.report(&[lane], &[], second(at))));
        }
        assert_eq!(
            reported,
            [
                "lane sms: throttled by the provider: sends at 1/2 of its rate of 80/s",
                "lane sms: throttled by the provider: sends at 1/4 of its rate of 80/s",
                "lane sms: sends at its full rate of 80/s again",
            ]
        );
    }

    #[test]
    fn a_provider_that_fails_every_other_request_has_one_outage() {
        let mut notices = Notices::default();
        let mut reported = Vec::new();
        for at in 0..200 {
            // It fails all the time at first, then every other second, then no more.
            let out = at < 20 || (at < 60 && at % 2 == 0);
            let standstill = Standstill {
                cause: StandstillCause::Outage,
                reason: "503".to_owned(),
                since: second(if at < 20 { 0 } else { at }),
                until: second(at + 1),
                in_flight: 3,
            };
            let lane = LaneStatus { standstill: out.then_some(standstill), ..lane() };
            reported.extend(sentences(&notices.report(&[lane], &[], second(at))));
        }
        assert_eq!(reported.len(), 2, "{reported:?}");
        assert!(
            reported[0].contains("outage at the provider: 503; 3 requests in flight when it began")
                && reported[1].ends_with("again, after 58s"),
            "{reported:?}"
        );
    }

    #[test]
    fn a_short_failure_is_not_reported() {
        let mut notices = Notices::default();
        let standstill = Standstill {
            cause: StandstillCause::Outage,
            reason: "503".to_owned(),
            since: second(1),
            until: second(2),
            in_flight: 0,
        };
        let out = LaneStatus { standstill: Some(standstill), ..lane() };
        assert!(notices.report(&[out], &[], second(1)).is_empty());
        assert!((2..60).all(|at| notices.report(&[lane()], &[], second(at)).is_empty()));
    }

    #[test]
    fn a_spent_tier_is_reported_once_while_its_slots_free_up_one_by_one() {
        let mut notices = Notices::default();
        let mut reported = Vec::new();
        for (at, recipients) in [249, 250, 249, 250, 226, 225, 250].into_iter().enumerate() {
            let tier = TierUsed { portfolio: "acme".to_owned(), recipients, of: 250, free_at: None };
            // Two lanes of one portfolio.
            let lanes = [1, 2].map(|_| LaneStatus { tier: Some(tier.clone()), ..lane() });
            reported.extend(sentences(&notices.report(&lanes, &[], second(i64::try_from(at).unwrap()))));
        }
        assert_eq!(reported.len(), 3, "{reported:?}");
        assert!(
            reported[0].contains("its tier is spent: 250 recipients") && reported[1].contains("225 of 250"),
            "{reported:?}"
        );
    }

    #[test]
    fn holds_and_releases_are_logged_but_cause_no_event() {
        let hold = Hold {
            lane: "sms".to_owned(),
            template: String::new(),
            language: String::new(),
            by: HeldBy::Answer,
            code: Some(1_200),
            origin: Origin::provider("the key was refused"),
            since: second(1),
        };
        let mut notices = Notices::default();
        assert!(notices.report(&[lane()], &[hold], second(1)).is_empty());
        assert_eq!(notices.held.len(), 1);
        assert!(notices.report(&[lane()], &[], second(2)).is_empty() && notices.held.is_empty());
    }
}
