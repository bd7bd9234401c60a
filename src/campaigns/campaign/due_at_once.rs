//! What came due while a campaign was paused. A start that is spread over a time counts from the begin of the campaign, also
//! while it is paused, so a resume sends at once what was due meanwhile.

use crate::base::domain::text::{plural, span};
use crate::base::domain::{BatchState, Count, Outcome, Plan, Span, Tallies, Timestamp};
use crate::store::Batch;

/// The messages of a paused campaign that are due before it is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueAtOnce {
    /// About how many, because send hours and starts by the clocks of recipients are left out.
    pub messages: i64,
    /// The time over which the start is spread.
    pub over: Span,
}

impl DueAtOnce {
    /// Those of a paused campaign whose start is spread over a time; `None` if there are none. It needs counters alone: the
    /// messages begin evenly, in their order.
    pub fn of(batch: &Batch, plan: &Plan, tallies: &Tallies, now: Timestamp) -> Option<Self> {
        let over = plan.over.filter(|over| *over > Span::ZERO && batch.state == BatchState::Paused)?;
        let begun = batch.starts_at.or(batch.started_at).unwrap_or(batch.created_at);
        let messages = due_of(batch.messages, tallies, now.since(begun), over);
        (messages > 0).then_some(Self { messages, over })
    }

    /// What a resume does with them: `about 300 messages are due already, …`.
    pub fn sentence(&self) -> String {
        let messages = plural(self.messages, "message is", "messages are");
        format!(
            "about {messages} due already and will be sent at once, as fast as the lanes allow, because the time of {} over \
             which the start is spread goes on during a pause",
            span(self.over)
        )
    }
}

/// Of the messages of a campaign. Those that were skipped take no part of the time.
fn due_of(messages: u32, tallies: &Tallies, elapsed: Span, over: Span) -> i64 {
    let skipped = Count::OUTCOMES.iter().filter(|(_, outcome)| *outcome == Outcome::Skipped);
    let skipped: i64 = skipped.map(|(count, _)| tallies.total(*count)).sum();
    due_at_once(i64::from(messages) - skipped, tallies.total(Count::NeverLeft), elapsed, over)
}

/// Of all messages that begin evenly over a time, those that are due and were never submitted.
fn due_at_once(all: i64, waiting: i64, elapsed: Span, over: Span) -> i64 {
    let elapsed = elapsed.max(Span::ZERO).min(over);
    let due = i128::from(all) * i128::from(elapsed.millis()) / i128::from(over.millis());
    i64::try_from(due).unwrap_or(all) - (all - waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::StepIndex;

    #[test]
    fn messages_that_came_due_during_a_pause_are_counted() {
        let minutes = |minutes: i64| Span::from_secs(minutes * 60);
        // 100 of 600 were sent within ten minutes of an hour, before the pause.
        let after = |elapsed| due_at_once(600, 500, minutes(elapsed), minutes(60));
        assert_eq!([-5, 10, 11, 40, 60, 600].map(after), [-100, 0, 10, 300, 500, 500]);
        // Of 1,000 recipients, 300 had opted out. 140 were sent in two of ten hours, and two hours passed since.
        let mut tallies = Tallies::default();
        tallies.add(StepIndex::FIRST, Count::SkippedOptedOut, 300);
        tallies.add(StepIndex::FIRST, Count::NeverLeft, 560);
        assert_eq!(due_of(1_000, &tallies, minutes(240), minutes(600)), 140);
        let due = DueAtOnce { messages: 1_200, over: minutes(180) };
        assert!(due.sentence().starts_with("about 1,200 messages are due already and will be sent at once"));
    }
}
