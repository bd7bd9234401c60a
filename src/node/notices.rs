//! Reports changes of the lanes: holds, throttling, outages and spent tiers. Each change is reported once.

use std::collections::{BTreeMap, BTreeSet};

use crate::campaign::moment;
use crate::dispatch::LaneStatus;
use crate::domain::{Portion, Span, Timestamp, grouped};
use crate::store::{Event, Hold};
use crate::throttle::Cause;

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

/// A change to report.
struct Notice {
    subject: String,
    text: String,
    is_bad: bool,
    /// Whether to store it as an event, because nothing else records it.
    is_event: bool,
}

impl Notices {
    /// Logs the changes to stderr, and returns the events to store.
    pub(super) fn report(&mut self, lanes: &[LaneStatus], holds: &[Hold], now: Timestamp) -> Vec<Event> {
        let mut changes = Vec::new();
        self.holds(holds, &mut changes);
        for lane in lanes {
            self.throttling(lane, &mut changes);
            self.outage(lane, now, &mut changes);
        }
        self.tiers(lanes, &mut changes);
        let mut events = Vec::new();
        for Notice { subject, text, is_bad, is_event } in changes {
            if is_bad {
                tracing::warn!("{subject}: {text}");
            } else {
                tracing::info!("{subject}: {text}");
            }
            if is_event {
                events.push(Event { at: now, subject, text });
            }
        }
        events
    }

    /// Holds and releases are only logged here, because the code that makes them records them.
    fn holds(&mut self, holds: &[Hold], changes: &mut Vec<Notice>) {
        let held: BTreeMap<_, _> = holds
            .iter()
            .map(|hold| ((hold.lane.clone(), hold.template.clone(), hold.language.clone()), hold.clone()))
            .collect();
        for (key, hold) in held.iter().filter(|(key, hold)| self.held.get(*key) != Some(*hold)) {
            let code = hold.code.map(|code| format!(" (code {code})")).unwrap_or_default();
            let text = format!(
                "held: {}{code}; queued messages wait, until their leave_within at most; see `volley doctor`",
                hold.reason
            );
            changes.push(Notice { subject: Event::of_lane(&key.0, &key.1), text, is_bad: true, is_event: false });
        }
        for key in self.held.keys().filter(|key| !held.contains_key(*key)) {
            let text = "released; its messages are sent again".to_owned();
            changes.push(Notice { subject: Event::of_lane(&key.0, &key.1), text, is_bad: false, is_event: false });
        }
        self.held = held;
    }

    fn throttling(&mut self, lane: &LaneStatus, changes: &mut Vec<Notice>) {
        let portion = lane.portion;
        let before = self.portion.get(&lane.name).copied().unwrap_or(Portion::WHOLE);
        if portion == before {
            return;
        }
        self.portion.insert(lane.name.clone(), portion);
        let is_bad = portion < before;
        // The rate recovers in many small steps; only the last is reported.
        let text = match portion {
            Portion::WHOLE => format!("sending at its full rate of {} again", lane.rate),
            _ if is_bad => format!("throttled by the provider; sending at {portion} of its rate of {}", lane.rate),
            _ => return,
        };
        changes.push(Notice { subject: Event::of_lane(&lane.name, ""), text, is_bad, is_event: true });
    }

    fn outage(&mut self, lane: &LaneStatus, now: Timestamp, changes: &mut Vec<Notice>) {
        let now_out = lane.standstill.as_ref().filter(|standstill| standstill.cause == Cause::Outage);
        let mut push = |text, is_bad| {
            changes.push(Notice { subject: Event::of_lane(&lane.name, ""), text, is_bad, is_event: true });
        };
        if let Some(standstill) = now_out {
            let since = standstill.since;
            let outage =
                self.outages.entry(lane.name.clone()).or_insert(Outage { since, seen: now, is_reported: false });
            outage.seen = now;
            if !outage.is_reported && now.since(outage.since) >= LASTS {
                outage.is_reported = true;
                let text = format!(
                    "trouble at the provider: {}; {} in flight when it began; queued messages wait, and sending is \
                     retried automatically",
                    standstill.reason,
                    requests(standstill.in_flight),
                );
                push(text, true);
            }
        } else if let Some(outage) = self.outages.get(&lane.name)
            && now.since(outage.seen) >= QUIET
        {
            if outage.is_reported {
                let lasted = outage.seen.since(outage.since);
                push(format!("the provider accepts messages again, after {}", lasted.rounded()), false);
            }
            self.outages.remove(&lane.name);
        }
    }

    fn tiers(&mut self, lanes: &[LaneStatus], changes: &mut Vec<Notice>) {
        for tier in lanes.iter().filter_map(|lane| lane.tier.as_ref()) {
            let subject = || format!("portfolio {}", tier.portfolio);
            let was_reported = self.spent.contains(&tier.portfolio);
            if tier.is_spent() && !was_reported {
                self.spent.insert(tier.portfolio.clone());
                let free_at = tier
                    .free_at
                    .map(|at| format!(", the next slot is free at {}", moment(at, None)))
                    .unwrap_or_default();
                let text = format!(
                    "its tier is spent: {} recipients in the last 24 hours{free_at}; new recipients wait for a slot, or fall \
                     back if their step has `on_tier_spent = \"fall_back\"`",
                    tier.people
                );
                changes.push(Notice { subject: subject(), text, is_bad: true, is_event: true });
            } else if was_reported && tier.of.saturating_sub(tier.people) * 100 >= tier.of * FREE_PERCENT {
                self.spent.remove(&tier.portfolio);
                let text = format!("its tier has free slots again: {} of {} are taken", tier.people, tier.of);
                changes.push(Notice { subject: subject(), text, is_bad: false, is_event: true });
            }
        }
    }
}

fn requests(count: u32) -> String {
    match count {
        0 => "no requests were".to_owned(),
        1 => "1 request was".to_owned(),
        many => format!("{} requests were", grouped(u64::from(many))),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::dispatch::TierUsed;
    use crate::domain::Rate;
    use crate::store::HeldBy;
    use crate::throttle::Standstill;

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
            let_out: 0,
            complaint: None,
        }
    }

    fn texts(events: &[Event]) -> Vec<String> {
        events.iter().map(|event| format!("{}: {}", event.subject, event.text)).collect()
    }

    #[test]
    fn each_change_of_throttling_is_reported_once() {
        let mut notices = Notices::default();
        let mut reported = Vec::new();
        for (at, portion) in [(0, 16), (1, 8), (2, 8), (3, 4), (8, 5), (9, 5), (63, 16), (64, 16)] {
            let lane = LaneStatus { portion: Portion::of_sixteenths(portion).unwrap(), ..lane() };
            reported.extend(texts(&notices.report(&[lane], &[], second(at))));
        }
        assert_eq!(
            reported,
            [
                "lane sms: throttled by the provider; sending at 1/2 of its rate of 80/s",
                "lane sms: throttled by the provider; sending at 1/4 of its rate of 80/s",
                "lane sms: sending at its full rate of 80/s again",
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
                cause: Cause::Outage,
                reason: "503".to_owned(),
                since: second(if at < 20 { 0 } else { at }),
                until: second(at + 1),
                in_flight: 3,
            };
            let lane = LaneStatus { standstill: out.then_some(standstill), ..lane() };
            reported.extend(texts(&notices.report(&[lane], &[], second(at))));
        }
        assert_eq!(reported.len(), 2, "{reported:?}");
        assert!(
            reported[0].contains("trouble at the provider: 503; 3 requests were in flight")
                && reported[1].ends_with("again, after 58s"),
            "{reported:?}"
        );
    }

    #[test]
    fn a_short_failure_is_not_reported() {
        let mut notices = Notices::default();
        let standstill = Standstill {
            cause: Cause::Outage,
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
        for (at, people) in [249, 250, 249, 250, 226, 225, 250].into_iter().enumerate() {
            let tier = TierUsed { portfolio: "acme".to_owned(), people, of: 250, free_at: None };
            // Two lanes of one portfolio.
            let lanes = [1, 2].map(|_| LaneStatus { tier: Some(tier.clone()), ..lane() });
            reported.extend(texts(&notices.report(&lanes, &[], second(i64::try_from(at).unwrap()))));
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
            reason: "the key was refused".to_owned(),
            since: second(1),
        };
        let mut notices = Notices::default();
        assert!(notices.report(&[lane()], &[hold], second(1)).is_empty());
        assert_eq!(notices.held.len(), 1);
        assert!(notices.report(&[lane()], &[], second(2)).is_empty() && notices.held.is_empty());
    }
}
