//! Charts over time, drawn as SVG. Lines differ in style, not only in colour.
//!
//! A chart is as wide as its place. Its lines are stretched to that, and its texts are not. No text is where a line may be:
//! the names of the lines are above them, and the scale is beside them.

use std::fmt::Write as _;

use super::figures::Portion;
use super::texts::ENGLISH;
use crate::base::clock::{format_time_of_day, format_time_short};
use crate::base::domain::text::grouped;
use crate::base::domain::{Span, Timestamp, Zone};
use crate::campaigns::report::CoursePoint;

/// The height of the lines, in pixels.
const HEIGHT: i64 = 160;
/// The space above them: half the height of a number of the scale.
const ABOVE: i64 = 8;
/// Points of a line.
const POINTS: usize = 150;
/// Rows of the table behind.
const ROWS: usize = 40;

/// A line of a chart.
#[derive(Debug)]
pub(super) struct Line {
    /// Its class, which gives it a colour and a style.
    pub class: &'static str,
    pub name: &'static str,
    /// Its last value.
    pub last: String,
    /// Its points, as an attribute of SVG.
    pub points: String,
}

/// A time on the axis.
#[derive(Debug)]
pub(super) struct Tick {
    pub x: String,
    /// The part of the text that is at `x`: `start`, `middle` or `end`.
    pub anchor: &'static str,
    pub text: String,
}

/// A chart.
#[derive(Debug)]
pub(super) struct Chart {
    pub title: &'static str,
    /// What it says, in a sentence.
    pub summary: String,
    pub lines: Vec<Line>,
    /// What is above the scale.
    pub note: Option<String>,
    /// Horizontal lines at the same distance, each with its value, from the top.
    pub grid: Vec<(i64, String)>,
    pub ticks: Vec<Tick>,
}

/// A row of the table behind the charts.
#[derive(Debug)]
pub(super) struct Row {
    pub at: Timestamp,
    pub figures: [String; 5],
}

/// What a line shows: class, name, and its value at each time.
type Values<'a> = (&'static str, &'static str, &'a dyn Fn(&CoursePoint) -> i64);

/// Recipients by what became of them. `None` without two points.
pub(super) fn recipients(course: &[CoursePoint], zone: Option<Zone>) -> Option<Chart> {
    let points = thinned(course, POINTS);
    let (first, last) = (*points.first()?, *points.last()?);
    let top = nice(points.iter().map(|point| point.reached + point.ended + point.open).max()?);
    let values: [Values<'_>; 3] = [
        ("reached", ENGLISH.reached, &|point| point.reached),
        ("missed", ENGLISH.ended_otherwise, &|point| point.ended),
        ("open", ENGLISH.open, &|point| point.open),
    ];
    let scale = Scale::of(first.at, last.at, top)?;
    let lines = values.into_iter().map(|(class, name, value)| {
        let line = points.iter().map(|point| (point.at, value(point)));
        scale.line(class, name, line)
    });
    let [from, until] = [first.at, last.at].map(|at| format_time_short(at, zone));
    Some(Chart {
        title: ENGLISH.on_progress.recipients_over_time,
        summary: ENGLISH.on_progress.recipients_summary([&from, &until], [last.reached, last.ended, last.open]),
        lines: lines.collect(),
        note: None,
        grid: scale.grid(),
        ticks: scale.ticks(zone),
    })
}

/// Submissions a minute, and how many were allowed. `None` without two points.
/// `is_sending`: whether anything is left to submit. If not, the chart ends with the last submission.
pub(super) fn submissions(course: &[CoursePoint], zone: Option<Zone>, is_sending: bool) -> Option<Chart> {
    let all = course.last()?.submitted;
    let until = course.iter().position(|point| point.submitted == all && !is_sending).unwrap_or(course.len());
    let points = thinned(course.get(..=until).unwrap_or(course), POINTS);
    let (first, last) = (*points.first()?, *points.last()?);
    let stretches: Vec<Stretch> = points.windows(2).filter_map(Stretch::of).collect();
    let most = stretches.iter().map(|stretch| stretch.rate).max()?;
    let allowed = stretches.iter().map(|stretch| stretch.allowed).max()?;
    // Lanes often allow far more than a campaign uses. On a scale up to that, its own rate would be a flat line.
    let is_above = most > 0 && allowed > most.saturating_mul(2);
    let scale = Scale::of(first.at, last.at, nice(if is_above { most } else { most.max(allowed) }))?;
    let steps = |value: fn(&Stretch) -> i64| {
        stretches.iter().flat_map(move |stretch| [(stretch.from, value(stretch)), (stretch.until, value(stretch))])
    };
    let own = ENGLISH.on_progress;
    let mut lines = vec![scale.line("rate", own.submitted_a_minute, steps(|stretch| stretch.rate))];
    if !is_above {
        lines.push(scale.line("allowed", own.allowed_a_minute, steps(|stretch| stretch.allowed)));
    }
    let [from, until] = [first.at, last.at].map(|at| format_time_short(at, zone));
    let mean = a_minute(last.submitted - first.submitted, last.at.since(first.at));
    Some(Chart {
        title: own.submissions_over_time,
        summary: own.submissions_summary([&from, &until], [most, mean, allowed]),
        lines,
        note: is_above.then(|| own.allowed_above(allowed)),
        grid: scale.grid(),
        ticks: scale.ticks(zone),
    })
}

/// The numbers behind the charts.
pub(super) fn rows(course: &[CoursePoint]) -> Vec<Row> {
    let row = |point: &CoursePoint| Row {
        at: point.at,
        figures: [point.submitted, point.reached, point.ended, point.open, point.fell_back].map(grouped),
    };
    thinned(course, ROWS).iter().map(row).collect()
}

/// The submissions between two points.
struct Stretch {
    from: Timestamp,
    until: Timestamp,
    /// Submissions a minute.
    rate: i64,
    /// Those that were allowed.
    allowed: i64,
}

impl Stretch {
    fn of(points: &[CoursePoint]) -> Option<Self> {
        let [before, after] = points else { return None };
        let rate = a_minute(after.submitted - before.submitted, after.at.since(before.at));
        // Thousandths a second.
        let allowed = after.allowed.saturating_mul(60) / 1_000;
        Some(Self { from: before.at, until: after.at, rate, allowed })
    }
}

fn a_minute(number: i64, span: Span) -> i64 {
    number.max(0).saturating_mul(60_000) / span.millis().max(1)
}

/// At most about so many points, the first and the last among them.
fn thinned(points: &[CoursePoint], most: usize) -> Vec<CoursePoint> {
    let every = points.len().div_ceil(most).max(1);
    let is_kept = |index: usize| index.is_multiple_of(every) || index + 1 == points.len();
    points.iter().enumerate().filter(|(index, _)| is_kept(*index)).map(|(_, point)| *point).collect()
}

/// The next round number.
fn nice(most: i64) -> i64 {
    let mut unit: i64 = 1;
    loop {
        let found = [1, 2, 3, 4, 5, 6, 8, 10].into_iter().map(|times| unit.saturating_mul(times)).find(|n| *n >= most);
        match found {
            Some(found) => return found,
            None => unit = unit.saturating_mul(10),
        }
    }
}

/// Where times and numbers are in a chart.
#[derive(Clone, Copy)]
struct Scale {
    from: Timestamp,
    lasts: Span,
    top: i64,
}

impl Scale {
    fn of(from: Timestamp, until: Timestamp, top: i64) -> Option<Self> {
        let lasts = until.since(from);
        (lasts > Span::ZERO && top > 0).then_some(Self { from, lasts, top })
    }

    fn y(self, value: i64) -> i64 {
        let part = i128::from(value.clamp(0, self.top)) * i128::from(HEIGHT) / i128::from(self.top);
        HEIGHT - i64::try_from(part).unwrap_or(HEIGHT)
    }

    fn line(self, class: &'static str, name: &'static str, values: impl Iterator<Item = (Timestamp, i64)>) -> Line {
        let (mut points, mut last) = (String::new(), 0);
        for (at, value) in values {
            let x = i128::from(at.since(self.from).millis()) * 1_000 / i128::from(self.lasts.millis());
            let space = if points.is_empty() { "" } else { " " };
            let _ = write!(points, "{space}{x},{}", self.y(value));
            last = value;
        }
        Line { class, name, last: grouped(last), points }
    }

    fn grid(self) -> Vec<(i64, String)> {
        let values = if self.top % 2 == 0 { vec![self.top, self.top / 2, 0] } else { vec![self.top, 0] };
        values.into_iter().map(|value| (ABOVE + self.y(value), grouped(value))).collect()
    }

    fn ticks(self, zone: Option<Zone>) -> Vec<Tick> {
        let step = self.step();
        let mut at = aligned(self.from, step, zone);
        let mut ticks = Vec::new();
        while at <= self.from + self.lasts {
            let portion = Portion::of(at.since(self.from).millis(), self.lasts.millis());
            let anchor = match portion.part.saturating_mul(100) / portion.whole {
                ..10 => "start",
                90.. => "end",
                _ => "middle",
            };
            ticks.push(Tick { x: portion.width(), anchor, text: self.text(at, step, zone) });
            at = at + step;
        }
        ticks
    }

    /// The time between two ticks: the shortest whose texts stand beside each other on a phone.
    fn step(self) -> Span {
        let of = |most| step(self.lasts, most);
        let fits = |most: &i64| most * self.precision(of(*most)).characters() <= CHARACTERS;
        of([4, 3, 2].into_iter().find(fits).unwrap_or(2))
    }

    /// What the texts of ticks have to say, so that they differ.
    fn precision(self, step: Span) -> Precision {
        if step < MINUTE {
            Precision::Second
        } else if self.lasts <= DAY {
            Precision::Minute
        } else if step < DAY {
            Precision::MinuteOfDay
        } else {
            Precision::Day
        }
    }

    /// A time as far as it differs from the others on the axis.
    fn text(self, at: Timestamp, step: Span, zone: Option<Zone>) -> String {
        let (of_day, full) = (format_time_of_day(at, zone), format_time_short(at, zone));
        let text = match self.precision(step) {
            Precision::Second => of_day.get(..8),
            Precision::Minute => of_day.get(..5),
            Precision::MinuteOfDay => full.get(5..16),
            Precision::Day => full.get(..10),
        };
        text.unwrap_or(&full).to_owned()
    }
}

/// How much of its time the text of a tick says.
#[derive(Debug, Clone, Copy)]
enum Precision {
    Second,
    Minute,
    MinuteOfDay,
    Day,
}

impl Precision {
    /// The length of the text.
    const fn characters(self) -> i64 {
        match self {
            Self::Second => 8,
            Self::Minute => 5,
            Self::MinuteOfDay => 11,
            Self::Day => 10,
        }
    }
}

const MINUTE: Span = Span::from_secs(60);
const DAY: Span = Span::from_secs(86_400);
/// The times between two ticks, in seconds.
const STEPS: [i64; 22] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
    1_209_600, 2_592_000,
];

/// Characters of an axis on a phone, with the spaces between the texts.
const CHARACTERS: i64 = 24;

/// The time between two ticks, of which there are at most so many.
fn step(lasts: Span, most: i64) -> Span {
    let fits = |seconds: &i64| lasts.millis() / (seconds * 1_000) < most;
    let seconds = STEPS.into_iter().find(fits).unwrap_or_else(|| lasts.millis() / (most * 1_000));
    Span::from_secs(seconds)
}

/// The first tick: a round time on the clock of the zone. The offsets of zones are quarters of an hour.
fn aligned(from: Timestamp, step: Span, zone: Option<Zone>) -> Timestamp {
    const QUARTER: Span = Span::from_secs(900);
    let grid = step.min(QUARTER).millis();
    let mut at = Timestamp::from_millis(from.millis().div_euclid(grid) * grid);
    if at < from {
        at = at + step.min(QUARTER);
    }
    let minutes = (step.min(DAY).millis() / 60_000).max(1);
    let is_round = |at: Timestamp| {
        let text = format_time_of_day(at, zone);
        let part = |range| text.get(range).and_then(|part: &str| part.parse::<i64>().ok()).unwrap_or_default();
        (part(0..2) * 60 + part(3..5)) % minutes == 0
    };
    // A day has 96 quarters.
    for _ in 0..96 {
        if step <= QUARTER || is_round(at) {
            break;
        }
        at = at + QUARTER;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::BatchId;

    const BEGINS: Timestamp = Timestamp::from_millis(1_799_999_999_000);

    fn course(points: i64, every: Span) -> Vec<CoursePoint> {
        let point = |index: i64| CoursePoint {
            batch: BatchId(1),
            at: BEGINS + Span::from_millis(every.millis() * index),
            submitted: index * 10,
            reached: index * 8,
            ended: index,
            open: points * 9 - index * 9,
            fell_back: 0,
            allowed: 20_000,
        };
        (0..points).map(point).collect()
    }

    #[test]
    fn a_chart_says_its_essence_and_stays_small() {
        let zone = Some(Zone(chrono_tz::Asia::Singapore));
        let course = course(600, Span::from_secs(60));
        let chart = recipients(&course, zone).unwrap();
        assert!(chart.summary.contains("4,792 reached, 599 not reached, 9 open"), "{}", chart.summary);
        assert!(chart.lines.iter().map(|line| line.points.len()).sum::<usize>() < 6_000);
        let times: Vec<&str> = chart.ticks.iter().map(|tick| tick.text.as_str()).collect();
        assert_eq!(times, ["18:00", "21:00", "00:00"], "round times of the operator's clock");
        assert_eq!(chart.grid, [(8, "6,000".to_owned()), (88, "3,000".to_owned()), (168, "0".to_owned())]);
        let rate = submissions(&course, zone, true).unwrap();
        assert_eq!((rate.lines[0].name, rate.lines[0].last.as_str()), ("Submitted a minute", "10"));
        assert_eq!(rate.lines.len(), 1, "1,200 are allowed, which would flatten a rate of 10");
        assert_eq!(
            (rate.grid[0].1.as_str(), rate.note.as_deref()),
            ("10", Some("Allowed: up to 1,200, above this scale"))
        );
        let busy: Vec<CoursePoint> = course.iter().map(|point| CoursePoint { allowed: 300, ..*point }).collect();
        let rate = submissions(&busy, zone, true).unwrap();
        assert_eq!((rate.lines[1].last.as_str(), rate.note), ("18", None));
        // Receipts come for hours after the last submission, which is where this chart ends.
        let last = *course.last().unwrap();
        let later = (1..500).map(|minutes| CoursePoint { at: last.at + Span::from_secs(60 * minutes), ..last });
        let done: Vec<CoursePoint> = course.iter().copied().chain(later).collect();
        let [ends, goes_on] = [false, true].map(|is_sending| submissions(&done, zone, is_sending).unwrap().summary);
        assert_eq!(ends, submissions(&course, zone, false).unwrap().summary);
        assert_ne!(goes_on, ends, "a rate of zero is shown while messages wait");
        assert!(rows(&course).len() <= ROWS + 1);
        assert!(recipients(&course[..1], zone).is_none() && submissions(&[], zone, true).is_none());
    }

    #[test]
    fn the_axis_has_few_round_times_for_any_length() {
        for seconds in [3, 20, 90, 600, 7_000, 90_000, 900_000, 40_000_000] {
            let scale = Scale::of(BEGINS, BEGINS + Span::from_secs(seconds), 10).unwrap();
            let ticks = scale.ticks(Some(Zone(chrono_tz::Asia::Kolkata)));
            assert!((1..=5).contains(&ticks.len()), "{seconds} s: {ticks:?}");
        }
        assert_eq!([0, 1, 7, 11, 61, 950].map(nice), [1, 1, 8, 20, 80, 1_000]);
    }
}
