//! Computes when a campaign's first steps may be sent, country by country.

use std::collections::BTreeMap;

use super::lint::{Lint, Warning, named};
use super::time::{ClockChange, Schedule, clock_change};
use crate::base::config::{Problem, Sentence};
use crate::base::domain::{
    Country, Crowd, Hours, Plan, Span, Step, StepIndex, Taker, Timestamp, Zone, by_country, zones_of,
};

/// When the first recipient of each kind may be sent to. The clock of a single recipient is checked when the message
/// comes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginnings {
    /// The earliest time of any first message.
    pub first: Timestamp,
    /// When the last country starts.
    pub last: Timestamp,
    by_taker: BTreeMap<Taker, Timestamp>,
    /// Recipients of countries where some clocks are already past the start time.
    started: BTreeMap<Country, u64>,
    /// Recipients of countries where some hours open only after the campaign's end.
    late: BTreeMap<Country, u64>,
    /// Recipients of countries where some clocks skip the start time.
    skipped: BTreeMap<Country, u64>,
    /// Recipients of countries where some clocks show the start time twice.
    repeated: BTreeMap<Country, u64>,
}

impl Beginnings {
    /// Computes the beginnings of a plan for these recipients, or returns why some would never be
    /// sent anything.
    pub fn of(plan: &Plan, schedule: &Schedule, crowd: &Crowd, now: Timestamp) -> Result<Self, Vec<Problem>> {
        let start = schedule.at.unwrap_or(now).max(now);
        let (mut by_taker, mut never, mut closed_by) = (BTreeMap::new(), BTreeMap::new(), None);
        let (mut started, mut late) = (BTreeMap::new(), BTreeMap::new());
        let (mut skipped, mut repeated) = (BTreeMap::new(), BTreeMap::new());
        let over = schedule.over.unwrap_or(Span::ZERO);
        let mut too_long = None;
        let add = |to: &mut BTreeMap<Country, u64>, country, recipients| *to.entry(country).or_default() += recipients;
        for (taker @ &Taker { country, .. }, &recipients) in crowd {
            let Some(index) = plan.first(plan.marks_of(*taker)) else { continue };
            let Some(hours) = plan.step(index).map(|step| &step.hours) else { continue };
            if hours.since_in(country).is_some_and(|since| since < now) {
                add(&mut started, country, recipients);
            }
            let changes: Vec<ClockChange> = clock_changes(hours, country, now).collect();
            if changes.iter().any(|change| matches!(change, ClockChange::Skipped(_))) {
                add(&mut skipped, country, recipients);
            }
            if changes.iter().any(|change| matches!(change, ClockChange::Repeated)) {
                add(&mut repeated, country, recipients);
            }
            match hours.open_in(country, start) {
                Some(at) if schedule.end.is_none_or(|end| at < end) => {
                    too_long = too_long.max(schedule.end.filter(|end| at + over > *end).map(|_| at));
                    let last = hours.last_open_in(country, start);
                    if schedule.end.is_some_and(|end| last.is_none_or(|last| last >= end)) {
                        add(&mut late, country, recipients);
                    }
                    by_taker.insert(*taker, at);
                }
                Some(_) | None => {
                    add(&mut never, country, recipients);
                    closed_by.get_or_insert((index, hours));
                }
            }
        }
        if let Some(closed_by) = closed_by {
            return Err(vec![leaves_no_time(plan, schedule, closed_by, &never)]);
        }
        let closed = closed_for_good(plan, crowd, start);
        if !closed.is_empty() {
            return Err(closed);
        }
        if let (Some(at), Some(end)) = (too_long, schedule.end) {
            let room = end.since(at);
            let sentence = format!(
                "{over} is longer than the {room} from the first allowed hour until `end`; shorten it, or write a \
                 later `end`"
            );
            return Err(vec![Problem::new(None, "over", sentence)]);
        }
        let first = by_taker.values().min().copied().unwrap_or(start);
        let last = by_taker.values().max().copied().unwrap_or(start);
        Ok(Self { first, last, by_taker, started, late, skipped, repeated })
    }

    /// When messages to such recipients start; for an unknown kind, the earliest start.
    pub fn of_taker(&self, taker: Option<Taker>) -> Timestamp {
        taker.and_then(|taker| self.by_taker.get(&taker).copied()).unwrap_or(self.first)
    }

    /// Warns about messages that some recipients will miss, or get at an unintended time.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> {
        let about = |code, recipients: &BTreeMap<Country, u64>, sentence: fn(String) -> Sentence| {
            let sentence = (!recipients.is_empty()).then(|| sentence(named(recipients).join(", ")));
            sentence.map(|sentence| Warning { code, step: None, sentence })
        };
        let late = about(Lint::EndTooSoon, &self.late, |recipients| {
            Sentence::new("by their own clocks, some of these recipients may be sent to only after the campaign's ")
                .marked_key("end")
                .text(format!(", and get nothing: {recipients}; write a later "))
                .marked_key("end")
        });
        let started = about(Lint::StartPassed, &self.started, |recipients| {
            let effect = " has already passed by some clocks of these countries, so recipients there are sent to as soon as their \
                 hours allow: ";
            Sentence::new("")
                .marked_key("at")
                .text(format!("{effect}{recipients}; write a later "))
                .marked_key("at")
                .for_files(", or a `send_window` that limits the hours")
        });
        let skipped = about(Lint::ClockChange, &self.skipped, |recipients| {
            Sentence::new("").marked_key("at").text(format!(
                " does not exist by some clocks of these countries, because the clock is put forward; the campaign \
                 starts there later by as much as the clock jumps: {recipients}"
            ))
        });
        let repeated = about(Lint::ClockChange, &self.repeated, |recipients| {
            Sentence::new("").marked_key("at").text(format!(
                " occurs twice by some clocks of these countries, because the clock is put back; the first time is \
                 used: {recipients}"
            ))
        });
        late.into_iter().chain(started).chain(skipped).chain(repeated)
    }

    /// The countries with a start time.
    pub fn countries(&self) -> impl Iterator<Item = Country> {
        self.by_taker.keys().map(|taker| taker.country)
    }
}

/// The clock changes that the start time falls into, by the clocks of a country. A start time that has passed counts no
/// more.
fn clock_changes(hours: &Hours, country: Country, now: Timestamp) -> impl Iterator<Item = ClockChange> {
    let is_to_come = move |zone: &Zone| hours.begins(*zone).is_some_and(|begins| begins >= now);
    let zones =
        hours.since.into_iter().flat_map(move |since| zones_of(country).into_iter().map(move |zone| (since, zone)));
    zones.filter(move |(_, zone)| is_to_come(zone)).filter_map(|(since, zone)| clock_change(since, zone))
}

/// The problem that these recipients are never within the hours of their first step.
fn leaves_no_time(
    plan: &Plan,
    schedule: &Schedule,
    (index, hours): (StepIndex, &Hours),
    never: &BTreeMap<Country, u64>,
) -> Problem {
    let (key, remedy) = closing_key(hours);
    let later = if schedule.end.is_some() && key != "end" { ", or write a later `end`" } else { "" };
    let recipients = named(never).join(", ");
    let sentence = format!("leaves no time to send anything to these recipients: {recipients}; {remedy}{later}");
    // Hours of the whole campaign are the hours of every step.
    let step = Some(index).filter(|_| key != "end" && plan.steps.iter().any(|step| step.hours != *hours));
    Problem::new(step, key, sentence)
}

/// The key that leaves no open hours, and what to do about it.
fn closing_key(hours: &Hours) -> (&'static str, &'static str) {
    match (hours.windows.is_empty(), hours.quiet.is_empty(), hours.holidays.is_empty()) {
        (false, true, _) => ("send_window", "widen it"),
        (false, false, _) => ("send_window", "widen it, or shorten the quiet hours"),
        (true, false, _) => ("quiet_hours", "shorten them"),
        (true, true, false) => ("holidays", "list fewer"),
        (true, true, true) => ("end", "write a later one"),
    }
}

/// Finds steps that could never be sent to some of their recipients.
fn closed_for_good(plan: &Plan, crowd: &Crowd, start: Timestamp) -> Vec<Problem> {
    let problem = |(index, step): (StepIndex, &Step)| {
        let takers = step.takers();
        let theirs = crowd.iter().filter(|(taker, _)| takers.include(**taker));
        let never = by_country(theirs.filter(|(taker, _)| step.hours.open_in(taker.country, start).is_none()));
        let (key, remedy) = closing_key(&step.hours);
        let sentence = || {
            let recipients = named(&never).join(", ");
            format!("leaves no time to send the step to these recipients: {recipients}; {remedy}")
        };
        (!never.is_empty()).then(|| Problem::new(Some(index), key, sentence()))
    };
    plan.indexed_steps().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, Countries, Step};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn begins(hours: Hours, schedule: &Schedule) -> Result<Beginnings, String> {
        let step = Step { hours, ..Step::of_text(Channel::Sms, "sms", "Hi") };
        let countries = [("SG", 30), ("US", 20)]
            .map(|(code, recipients)| (Taker::from(code.parse::<Country>().unwrap()), recipients))
            .into();
        let begins = Beginnings::of(&Plan::of_steps(vec![step]), schedule, &countries, at("2026-12-01T00:00:00Z"));
        begins.map_err(|problems| problems[0].to_string())
    }

    fn of(begins: &Beginnings, country: &str) -> String {
        begins.of_taker(Some(country.parse::<Country>().unwrap().into())).rfc3339()
    }

    #[test]
    fn each_country_starts_by_the_earliest_of_its_clocks() {
        let since = Some("2026-12-01T09:00:00".parse().unwrap());
        let begins = begins(Hours { since, ..Hours::default() }, &Schedule::default()).unwrap();
        assert_eq!(of(&begins, "SG"), "2026-12-01T01:00:00.000Z");
        assert_eq!(of(&begins, "US"), "2026-12-01T14:00:00.000Z");
        assert_eq!((begins.first.rfc3339(), begins.last.rfc3339()), (of(&begins, "SG"), of(&begins, "US")));
        assert_eq!(begins.warnings().count(), 0);
    }

    #[test]
    fn a_country_past_its_start_time_starts_at_once_with_a_warning() {
        let since = Some("2026-12-01T07:00:00".parse().unwrap());
        let begins = begins(Hours { since, ..Hours::default() }, &Schedule::default()).unwrap();
        assert_eq!(of(&begins, "SG"), "2026-12-01T00:00:00.000Z");
        let warnings: Vec<_> = begins.warnings().map(|warning| (warning.code, warning.sentence.to_string())).collect();
        assert!(
            matches!(&warnings[..], [(Lint::StartPassed, sentence)] if sentence.contains(": SG 30;")),
            "{warnings:?}"
        );
    }

    #[test]
    fn a_start_time_within_a_clock_change_of_a_country_gets_one_warning() {
        let warned = |since: &str| -> Vec<String> {
            let since = Some(since.parse().unwrap());
            let begins = begins(Hours { since, ..Hours::default() }, &Schedule::default()).unwrap();
            begins.warnings().map(|warning| warning.to_string()).collect()
        };
        // Put forward at 02:00 to 03:00 on 14 March, put back at 02:00 to 01:00 on 7 November; never in Singapore.
        let skipped = warned("2027-03-14T02:30:00");
        assert!(
            matches!(&skipped[..], [one] if one.contains("does not exist") && one.ends_with(": US 20 [clock_change]")),
            "{skipped:?}"
        );
        let repeated = warned("2027-11-07T01:30:00");
        assert!(
            matches!(&repeated[..], [one] if one.contains("occurs twice") && one.ends_with(": US 20 [clock_change]")),
            "{repeated:?}"
        );
        assert_eq!(warned("2027-03-14T04:30:00"), [""; 0]);
    }

    #[test]
    fn hours_that_leave_no_time_until_the_end_are_refused() {
        let office = || Hours { windows: vec!["Mon-Fri 09:00-18:00".parse().unwrap()], ..Hours::default() };
        let until = |end| Schedule { end: Some(at(end)), ..Schedule::default() };
        assert!(begins(office(), &until("2026-12-01T15:00:00Z")).is_ok());
        let sentence = begins(office(), &until("2026-12-01T00:30:00Z")).unwrap_err();
        assert!(
            sentence.starts_with("send_window: leaves no time to send anything to these recipients: SG 30;"),
            "{sentence}"
        );
        let never = Hours { quiet: vec!["08:00-20:00".parse().unwrap()], ..office() };
        assert!(begins(never.clone(), &Schedule::default()).unwrap_err().contains("SG 30, US 20"));
        // The problem names the step whose hours are closed, even if it is not the first one.
        let malaysia = Step {
            countries: Countries::Only(["MY".parse().unwrap()].into()),
            ..Step::of_text(Channel::Sms, "sms", "Hi")
        };
        let singapore = Step { hours: never.clone(), ..Step::of_text(Channel::Sms, "sms", "Hi") };
        let (plan, now) = (Plan::of_steps(vec![malaysia, singapore]), at("2026-12-01T00:00:00Z"));
        let countries = [("SG".parse::<Country>().unwrap().into(), 5)].into();
        let sentence = Beginnings::of(&plan, &Schedule::default(), &countries, now).unwrap_err()[0].to_string();
        assert!(sentence.starts_with("step 2, send_window: ") && !sentence.contains("`end`"), "{sentence}");
        // A later step with hours that never open is refused too.
        let [first, second] = [office(), never].map(|hours| Step { hours, ..Step::of_text(Channel::Sms, "sms", "Hi") });
        let countries = [("SG".parse::<Country>().unwrap().into(), 30)].into();
        let now = at("2026-12-01T00:00:00Z");
        let problems = Beginnings::of(&Plan::of_steps(vec![first, second]), &Schedule::default(), &countries, now);
        let sentence = problems.unwrap_err()[0].to_string();
        assert!(sentence.contains("step 2") && sentence.contains("to these recipients: SG 30;"), "{sentence}");
    }
}
