//! A campaign over time: when its figures are noted, which notes are kept, and the line through them.

use crate::base::domain::{Span, Timestamp};
use crate::store::BatchFigures;

/// A point of a campaign's course.
pub type CoursePoint = BatchFigures;

/// The shortest time between two notes.
const SHORTEST: Span = Span::from_secs(1);
/// A course has no more stretches than this.
const STRETCHES: i64 = 300;

/// The time between two notes of a course that has lasted so long: a second at first, and twice as much whenever the course
/// would have too many notes.
pub fn distance(lasted: Span) -> Span {
    let mut distance = SHORTEST.millis();
    while lasted.millis() / distance >= STRETCHES {
        distance = distance.saturating_mul(2);
    }
    Span::from_millis(distance)
}

/// The notes to forget at a time, of those made so far, oldest first.
///
/// - Of each stretch, the last one is kept, and so is the first of all.
/// - Those after that time are wrong: the clock was set back.
pub fn superfluous(noted: &[Timestamp], now: Timestamp) -> Vec<Timestamp> {
    let Some(first) = noted.first().copied() else { return Vec::new() };
    let stretch = |at: Timestamp| at.since(first).millis() / distance(now.since(first)).millis();
    let is_kept = |index: usize, at: Timestamp| {
        let next = noted.get(index + 1).filter(|next| **next <= now);
        at <= now && (index == 0 || next.is_none_or(|next| stretch(*next) != stretch(at)))
    };
    noted.iter().enumerate().filter(|(index, at)| !is_kept(*index, **at)).map(|(_, at)| *at).collect()
}

/// The line through the notes of a campaign. Nothing is noted while nothing changes, so the line is level there.
///
/// - `present`: the present figures, at which the line ends; of a campaign that is over, the last ones.
/// - `is_over`: whether the campaign ended at the time of the present figures.
pub fn line(noted: &[BatchFigures], present: BatchFigures, is_over: bool) -> Vec<BatchFigures> {
    let (Some(first), Some(last)) = (noted.first(), noted.last()) else { return Vec::new() };
    let step = distance(present.at.max(last.at).since(first.at));
    let has_changed = present.moved_to(last.at) != *last;
    let mut notes = noted;
    // A rate over a moment says nothing, so figures that follow a note at once replace it.
    if has_changed && notes.len() > 1 && present.at.since(last.at) < step {
        notes = notes.split_last().map_or(notes, |(_, before)| before);
    }
    let end = present.moved_to(present.at.max(last.at));
    let mut line = Vec::with_capacity(notes.len() + 3);
    for point in notes.iter().copied().chain(Some(end).filter(|end| has_changed || is_over && end.at > last.at)) {
        if let Some(before) = line.last().copied() {
            level(&mut line, before, point, step);
        }
        line.push(point);
    }
    if !has_changed && !is_over {
        // Rounded, so that the line of a campaign that stands still seldom changes.
        let rounded = present.at.millis() - present.at.since(first.at).millis().rem_euclid(step.millis());
        let rounded = Timestamp::from_millis(rounded);
        if rounded > last.at + step {
            line.push(last.moved_to(rounded));
        }
    }
    line
}

/// Adds the end of a level stretch before a point that comes late.
fn level(line: &mut Vec<BatchFigures>, before: BatchFigures, point: BatchFigures, step: Span) {
    let wait = Span::from_millis(step.millis() * 2);
    if point.at.since(before.at) > wait {
        line.push(before.moved_to(point.at - step));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::BatchId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000) + Span::from_secs(second)
    }

    fn point(second: i64, submitted: i64) -> BatchFigures {
        let batch = BatchId(1);
        BatchFigures { batch, at: at(second), submitted, reached: 0, ended: 0, open: 0, fell_back: 0, allowed: 0 }
    }

    /// The seconds of the notes after a campaign that changes all the time, seen each 200 ms.
    fn noted_for(seconds: i64) -> Vec<Timestamp> {
        let mut noted: Vec<Timestamp> = Vec::new();
        for tick in 0..seconds * 5 {
            let now = at(0) + Span::from_millis(tick * 200);
            let lasted = noted.first().map_or(Span::ZERO, |first| now.since(*first));
            if noted.last().is_none_or(|last| now.since(*last) >= distance(lasted)) {
                noted.push(now);
                let forget = superfluous(&noted, now);
                noted.retain(|at| !forget.contains(at));
            }
        }
        noted
    }

    #[test]
    fn a_short_campaign_has_a_note_a_second_and_a_long_one_no_more_than_300() {
        assert_eq!(noted_for(20).len(), 20);
        for hours in [1, 5, 10] {
            let noted = noted_for(hours * 3_600);
            assert!((140..=301).contains(&noted.len()), "{} notes after {hours} h", noted.len());
            assert_eq!(noted.first(), Some(&at(0)), "the beginning stays");
        }
        assert_eq!(distance(Span::from_secs(30 * 86_400)), Span::from_secs(16_384), "a month");
    }

    #[test]
    fn notes_after_the_present_are_forgotten_once_the_clock_is_set_back() {
        assert_eq!(superfluous(&[at(0), at(1), at(2), at(900)], at(3)), [at(900)]);
        assert_eq!(superfluous(&[at(5)], at(3)), [at(5)]);
        assert!(superfluous(&[], at(3)).is_empty());
    }

    #[test]
    fn a_stretch_without_notes_is_level() {
        let points = [point(0, 0), point(1, 10), point(60, 20)];
        let drawn = |line: Vec<BatchFigures>| -> Vec<(i64, i64)> {
            line.iter().map(|point| (point.at.since(at(0)).millis() / 1_000, point.submitted)).collect()
        };
        assert_eq!(drawn(line(&points, point(61, 20), false)), [(0, 0), (1, 10), (59, 10), (60, 20)]);
        assert_eq!(drawn(line(&points[..2], point(30, 10), false)), [(0, 0), (1, 10), (30, 10)], "it goes on");
        let ended = line(&points[..2], point(4, 12), true);
        assert_eq!(drawn(ended), [(0, 0), (1, 10), (3, 10), (4, 12)], "and ends");
        assert!(line(&[], point(1, 0), false).is_empty());
    }

    #[test]
    fn a_line_ends_at_the_present_figures() {
        let points = [point(0, 0), point(1, 10), point(2, 20)];
        let end = |present, is_over| {
            let drawn = line(&points, present, is_over);
            (drawn.len(), *drawn.last().unwrap())
        };
        assert_eq!(end(point(3, 27), false), (4, point(3, 27)));
        let soon = BatchFigures { at: at(2) + Span::from_millis(100), ..point(2, 21) };
        assert_eq!(end(soon, false), (3, soon), "a moment after a note, they take its place");
        assert_eq!(end(point(2, 22), true), (3, point(2, 22)), "a receipt came after the last note");
        assert_eq!(end(point(2, 20), true), (3, point(2, 20)));
    }
}
