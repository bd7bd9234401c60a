//! Warns about steps whose hours open only after the messages that fall back to them have run out of time.

use super::beginnings::Beginnings;
use super::lint::{Lint, Warning, named};
use crate::base::config::Sentence;
use crate::base::domain::{Crowd, Hours, Plan, Span, Taker, Timestamp, Zone, by_country, usual_zone};

/// Openings of a first step that the check covers: a week of days, and one more.
const OPENINGS: u32 = 8;

/// Warns about later steps that could be sent to no recipient of a country before the campaign's `ttl` ends.
pub(super) fn out_of_reach(plan: &Plan, recipients: &Crowd, beginnings: &Beginnings) -> Vec<Warning> {
    let Some(ttl) = plan.ttl else { return Vec::new() };
    let mut found = Vec::new();
    for (index, step) in plan.indexed_steps().filter(|(_, step)| !step.hours.are_all()) {
        let is_out = |taker: &Taker| {
            let marks = plan.marks_of(*taker);
            let first = plan.first(marks).filter(|first| *first < index && !marks.passed_over(index));
            let first = first.and_then(|first| plan.step(first));
            let (from, zone) = (beginnings.of_taker(Some(*taker)), usual_zone(taker.country));
            first.is_some_and(|first| !is_in_reach(&first.hours, &step.hours, ttl, from, zone))
        };
        let theirs = by_country(recipients.iter().filter(|(taker, _)| is_out(taker)));
        if !theirs.is_empty() {
            let sentence = Sentence::new("its hours open more than the campaign's ")
                .key("ttl")
                .text(format!(
                    " ({ttl}) after those of the first step close, so it is never sent to these recipients: {}; widen \
                     them, or lengthen ",
                    named(&theirs).join(", ")
                ))
                .key("ttl");
            found.push(Warning { code: Lint::AfterTtl, step: Some(index), sentence });
        }
    }
    found
}

/// Whether a step may be sent within `ttl` of the first submission, whenever that is.
fn is_in_reach(first: &Hours, step: &Hours, ttl: Span, from: Timestamp, zone: Zone) -> bool {
    let mut opens = from;
    for _ in 0..OPENINGS {
        let Some(begins) = first.open_from(opens, zone) else { return true };
        let Some(closes) = first.open_until(begins, zone) else { return true };
        let Some(next) = step.open_from(begins, zone) else { return true };
        if next < closes + ttl {
            return true;
        }
        opens = closes;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, Step};
    use crate::campaigns::campaign::Schedule;

    fn warned(first: &str, then: &str, ttl: i64) -> bool {
        let step = |window: &str| {
            let hours = Hours { windows: vec![window.parse().unwrap()], ..Hours::default() };
            Step { hours, ..Step::of_text(Channel::Sms, "sms", "Hi") }
        };
        let ttl = Some(Span::from_secs(ttl * 3_600));
        let plan = Plan { ttl, ..Plan::of_steps(vec![step(first), step(then)]) };
        let recipients = [("SG".parse::<crate::base::domain::Country>().unwrap().into(), 30)].into();
        let now = Timestamp::parse_rfc3339("2026-12-01T00:00:00Z").unwrap();
        let beginnings = Beginnings::of(&plan, &Schedule::default(), &recipients, now).unwrap();
        let found = out_of_reach(&plan, &recipients, &beginnings);
        found.iter().for_each(|warning| {
            assert!(warning.sentence.to_string().contains("recipients: SG 30"), "{}", warning.sentence);
        });
        !found.is_empty()
    }

    #[test]
    fn hours_that_open_after_the_ttl_are_warned_about() {
        let (morning, evening) = ("09:00-12:00", "18:00-20:00");
        assert!(warned(morning, evening, 6), "a message sent before noon has no time left at six");
        assert!(!warned(morning, evening, 7));
        assert!(!warned(morning, "11:00-12:00", 1));
        // On Monday alone it comes too late; on Friday it does not.
        assert!(!warned(morning, "Fri 12:30-13:00", 1));
        assert!(warned("Mon 09:00-12:00", "Fri 12:30-13:00", 24));
    }
}
