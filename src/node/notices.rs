//! What a server says when its lanes change: held and free, slower and faster, an outage and its end, a tier that is
//! spent. Each change once, however often it is looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::campaign::moment;
use crate::dispatch::LaneStatus;
use crate::domain::{Portion, Span, Timestamp, grouped};
use crate::store::{Event, Hold};
use crate::throttle::Cause;

/// An outage is told once it has lasted so long, and is over once nobody has complained for so long: a provider that
/// takes one request and breaks the next has one outage and not a hundred.
const LASTS: Span = Span::from_secs(1);
const QUIET: Span = Span::from_secs(5);
/// A spent tier gives its places back one by one, and each is taken at once. It is told to be free when this part of it
/// is, of a hundred.
const FREE_AGAIN: u32 = 10;

/// What has been told.
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
    is_told: bool,
}

/// Something that has changed.
struct Notice {
    subject: String,
    text: String,
    is_bad: bool,
    /// Whether nobody else writes it down.
    is_event: bool,
}

impl Notices {
    /// Tells what is new on stderr, and returns what people should be able to read later.
    pub(super) fn tell(&mut self, lanes: &[LaneStatus], holds: &[Hold], now: Timestamp) -> Vec<Event> {
        let mut news = Vec::new();
        self.holds(holds, &mut news);
        for lane in lanes {
            self.pace(lane, &mut news);
            self.outage(lane, now, &mut news);
        }
        self.tiers(lanes, &mut news);
        let mut events = Vec::new();
        for Notice { subject, text, is_bad, is_event } in news {
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

    /// Whoever puts or lifts a hold writes that down, so it is only said here.
    fn holds(&mut self, holds: &[Hold], news: &mut Vec<Notice>) {
        let held: BTreeMap<_, _> = holds
            .iter()
            .map(|hold| ((hold.lane.clone(), hold.template.clone(), hold.language.clone()), hold.clone()))
            .collect();
        for (key, hold) in held.iter().filter(|(key, hold)| self.held.get(*key) != Some(*hold)) {
            let code = hold.code.map(|code| format!(" (code {code})")).unwrap_or_default();
            let text = format!(
                "held: {}{code}; queued messages wait, until their leave_within at most; `volley doctor` says what to do",
                hold.reason
            );
            news.push(Notice { subject: Event::of_lane(&key.0, &key.1), text, is_bad: true, is_event: false });
        }
        for key in self.held.keys().filter(|key| !held.contains_key(*key)) {
            let text = "released; its messages are sent again".to_owned();
            news.push(Notice { subject: Event::of_lane(&key.0, &key.1), text, is_bad: false, is_event: false });
        }
        self.held = held;
    }

    fn pace(&mut self, lane: &LaneStatus, news: &mut Vec<Notice>) {
        let portion = lane.portion;
        let before = self.portion.get(&lane.name).copied().unwrap_or(Portion::WHOLE);
        if portion == before {
            return;
        }
        self.portion.insert(lane.name.clone(), portion);
        let is_bad = portion < before;
        // It comes back in many small steps, of which the last is worth a word.
        let text = match portion {
            Portion::WHOLE => format!("goes at its whole rate of {} again", lane.rate),
            _ if is_bad => format!("throttled by the provider; goes at {portion} of its rate of {}", lane.rate),
            _ => return,
        };
        news.push(Notice { subject: Event::of_lane(&lane.name, ""), text, is_bad, is_event: true });
    }

    fn outage(&mut self, lane: &LaneStatus, now: Timestamp, news: &mut Vec<Notice>) {
        let now_out = lane.standstill.as_ref().filter(|standstill| standstill.cause == Cause::Outage);
        let mut say = |text, is_bad| {
            news.push(Notice { subject: Event::of_lane(&lane.name, ""), text, is_bad, is_event: true });
        };
        if let Some(standstill) = now_out {
            let since = standstill.since;
            let outage = self.outages.entry(lane.name.clone()).or_insert(Outage { since, seen: now, is_told: false });
            outage.seen = now;
            if !outage.is_told && now.since(outage.since) >= LASTS {
                outage.is_told = true;
                let text = format!(
                    "trouble at the provider: {}; {} in flight when it began; queued messages wait, and it is tried again \
                     by itself",
                    standstill.reason,
                    requests(standstill.in_flight),
                );
                say(text, true);
            }
        } else if let Some(outage) = self.outages.get(&lane.name)
            && now.since(outage.seen) >= QUIET
        {
            if outage.is_told {
                let lasted = outage.seen.since(outage.since);
                say(format!("the provider takes messages again, after {}", lasted.rounded()), false);
            }
            self.outages.remove(&lane.name);
        }
    }

    fn tiers(&mut self, lanes: &[LaneStatus], news: &mut Vec<Notice>) {
        for tier in lanes.iter().filter_map(|lane| lane.tier.as_ref()) {
            let subject = || format!("portfolio {}", tier.portfolio);
            let told = self.spent.contains(&tier.portfolio);
            if tier.is_spent() && !told {
                self.spent.insert(tier.portfolio.clone());
                let free_at =
                    tier.free_at.map(|at| format!(", the next comes free at {}", moment(at, None))).unwrap_or_default();
                let text = format!(
                    "its tier is spent: {} people in the last day{free_at}; whoever is new waits for a place, or goes on to \
                     the next step where the step says so",
                    tier.people
                );
                news.push(Notice { subject: subject(), text, is_bad: true, is_event: true });
            } else if told && tier.of.saturating_sub(tier.people) * 100 >= tier.of * FREE_AGAIN {
                self.spent.remove(&tier.portfolio);
                let text = format!("its tier has places again: {} of {} people are counted", tier.people, tier.of);
                news.push(Notice { subject: subject(), text, is_bad: false, is_event: true });
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
    fn each_change_of_pace_is_told_once() {
        let mut notices = Notices::default();
        let mut told = Vec::new();
        for (at, portion) in [(0, 16), (1, 8), (2, 8), (3, 4), (8, 5), (9, 5), (63, 16), (64, 16)] {
            let lane = LaneStatus { portion: Portion::of_sixteenths(portion).unwrap(), ..lane() };
            told.extend(texts(&notices.tell(&[lane], &[], second(at))));
        }
        assert_eq!(
            told,
            [
                "lane sms: throttled by the provider; goes at 1/2 of its rate of 80/s",
                "lane sms: throttled by the provider; goes at 1/4 of its rate of 80/s",
                "lane sms: goes at its whole rate of 80/s again",
            ]
        );
    }

    #[test]
    fn a_provider_that_takes_one_and_breaks_the_next_has_one_outage() {
        let mut notices = Notices::default();
        let mut told = Vec::new();
        for at in 0..200 {
            // It complains at first all the time, then every other second, then no more.
            let out = at < 20 || (at < 60 && at % 2 == 0);
            let standstill = Standstill {
                cause: Cause::Outage,
                reason: "503".to_owned(),
                since: second(if at < 20 { 0 } else { at }),
                until: second(at + 1),
                in_flight: 3,
            };
            let lane = LaneStatus { standstill: out.then_some(standstill), ..lane() };
            told.extend(texts(&notices.tell(&[lane], &[], second(at))));
        }
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].contains("trouble at the provider: 503; 3 requests were in flight")
                && told[1].ends_with("again, after 58s"),
            "{told:?}"
        );
    }

    #[test]
    fn a_hiccup_is_no_outage() {
        let mut notices = Notices::default();
        let standstill = Standstill {
            cause: Cause::Outage,
            reason: "503".to_owned(),
            since: second(1),
            until: second(2),
            in_flight: 0,
        };
        let out = LaneStatus { standstill: Some(standstill), ..lane() };
        assert!(notices.tell(&[out], &[], second(1)).is_empty());
        assert!((2..60).all(|at| notices.tell(&[lane()], &[], second(at)).is_empty()));
    }

    #[test]
    fn a_spent_tier_is_told_once_although_its_places_come_back_one_by_one() {
        let mut notices = Notices::default();
        let mut told = Vec::new();
        for (at, people) in [249, 250, 249, 250, 226, 225, 250].into_iter().enumerate() {
            let tier = TierUsed { portfolio: "acme".to_owned(), people, of: 250, free_at: None };
            // Two lanes of one portfolio.
            let lanes = [1, 2].map(|_| LaneStatus { tier: Some(tier.clone()), ..lane() });
            told.extend(texts(&notices.tell(&lanes, &[], second(i64::try_from(at).unwrap()))));
        }
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("its tier is spent: 250 people") && told[1].contains("225 of 250"), "{told:?}");
    }

    #[test]
    fn what_is_held_is_written_down_by_whoever_holds_it() {
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
        assert!(notices.tell(&[lane()], &[hold], second(1)).is_empty());
        assert_eq!(notices.held.len(), 1);
        assert!(notices.tell(&[lane()], &[], second(2)).is_empty() && notices.held.is_empty());
    }
}
