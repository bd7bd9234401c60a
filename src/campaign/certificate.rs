//! The certificate of a cancel: the state of every message when the campaign stopped.

use std::fmt;

use serde::Serialize;

use super::noted::Noted;
use super::report::Counts;
use crate::clock::Clock;
use crate::domain::{BatchState, Count, Tallies, grouped};
use crate::store::{Batch, Event, Result, Store};

/// The number of messages in each state; the parts sum to all messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Certificate {
    pub never_sent: i64,
    /// Being submitted at that moment; they could not be recalled.
    pub in_flight: i64,
    /// Accepted by the provider, which may still deliver them.
    pub accepted: i64,
    pub reached: i64,
    /// Ended before the cancel without being reached.
    pub over_before: i64,
    /// The time until every server obeyed; `None` if none was running, or one did not confirm.
    pub stopped_after_ms: Option<i64>,
}

impl Certificate {
    fn of(tallies: &Tallies, noted: Noted) -> Self {
        let Counts { queued, sending, awaiting, done } = Counts::of(BatchState::Cancelled, tallies);
        let never_sent = tallies.total(Count::NeverLeft) + tallies.total(Count::OutcomeCancelled);
        let reached = tallies.total(Count::OutcomeReached);
        let stopped_after_ms = match noted {
            Noted::ByAll { after } => Some(after.millis()),
            Noted::NobodyThere | Noted::Silent { .. } | Noted::NotYet => None,
        };
        let (in_flight, accepted) = (sending, awaiting + queued);
        Self { never_sent, in_flight, accepted, reached, over_before: done - never_sent - reached, stopped_after_ms }
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { never_sent, in_flight, accepted, reached, over_before, stopped_after_ms } = self;
        let parts = [
            (never_sent, "not sent"),
            (in_flight, "in flight"),
            (accepted, "sent, result pending"),
            (reached, "reached"),
        ];
        let [never_sent, in_flight, accepted, reached] =
            parts.map(|(count, what)| format!("{} {what}", grouped(*count)));
        write!(f, "{never_sent} · {in_flight} · {accepted} · {reached}")?;
        if *over_before > 0 {
            write!(f, " · {} already failed", grouped(*over_before))?;
        }
        match stopped_after_ms {
            Some(millis) => write!(f, "; stopped after {millis} ms"),
            None => Ok(()),
        }
    }
}

/// Records the certificate of a cancel as an event, and returns it.
pub async fn certify(store: &dyn Store, clock: &dyn Clock, batch: &Batch, noted: Noted) -> Result<Certificate> {
    let certificate = Certificate::of(&store.tallies(batch.id).await?, noted);
    let subject = Event::of_campaign(batch.id, batch.name.as_deref());
    let text = format!("when it was cancelled: {certificate}");
    store.note(Event { at: clock.now(), subject, text }).await?;
    Ok(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Marks, Outcome, Present, Span, State, StepIndex, Timestamp};

    #[test]
    fn the_parts_of_a_certificate_sum_to_all_messages() {
        let at = Timestamp::from_millis(1_000);
        let queued = Present::queued(at, None);
        let left =
            Present { marks: Marks::default().with_handed_over(StepIndex::FIRST), first_left: Some(at), ..queued };
        let state = |state| Present { state, ..left };
        let ended = |outcome| state(State::Done { outcome, skipped: None, at });
        let mut tallies = Tallies::default();
        let all = [
            (7, queued),
            (2, state(State::Sending { intent: at, not_before: at, gives_up: None })),
            (4, state(State::Awaiting { due: at })),
            (5, ended(Outcome::Reached)),
            (3, ended(Outcome::Undelivered)),
            // A message that waits for its second step.
            (1, Present { step: StepIndex::new(1).unwrap(), ..left }),
        ];
        for (times, present) in &all {
            tallies.weigh(2, present, *times);
        }
        let certificate = Certificate::of(&tallies, Noted::ByAll { after: Span::from_millis(40) });
        assert_eq!(
            certificate.to_string(),
            "7 not sent · 2 in flight · 5 sent, result pending · 5 reached · 3 already failed; stopped after 40 ms"
        );
        let Certificate { never_sent, in_flight, accepted, reached, over_before, .. } = certificate;
        let total = all.iter().map(|(times, _)| *times).sum::<i64>();
        assert_eq!(never_sent + in_flight + accepted + reached + over_before, total);
    }
}
