//! The certificate of a cancel: the state of every message when the campaign stopped.

use super::noted::Noted;
use crate::base::clock::Clock;
use crate::base::domain::{BatchState, Count, Tallies};
use crate::base::events::{Certificate, Event, EventKind, Subject};
use crate::campaigns::report::Counts;
use crate::store::{Batch, Result, Store};

fn certificate(tallies: &Tallies, noted: Noted) -> Certificate {
    let Counts { queued, sending, awaiting, done, .. } = Counts::of(BatchState::Cancelled, tallies);
    let never_sent = tallies.total(Count::NeverLeft) + tallies.total(Count::OutcomeCancelled);
    let reached = tallies.total(Count::OutcomeReached);
    let stopped_after_ms = match noted {
        Noted::ByAll { after } => Some(after.millis()),
        Noted::NoServer | Noted::Silent { .. } | Noted::NotYet => None,
    };
    let (in_flight, accepted) = (sending, awaiting + queued);
    Certificate { never_sent, in_flight, accepted, reached, over_before: done - never_sent - reached, stopped_after_ms }
}

/// Records the certificate of a cancel as an event, and returns it.
pub async fn certify(store: &dyn Store, clock: &dyn Clock, batch: &Batch, noted: Noted) -> Result<Certificate> {
    let certificate = certificate(&store.tallies(batch.id).await?, noted);
    let subject = Subject::campaign(batch.id, batch.name.as_deref());
    store.record_event(Event::by_server(clock.now(), subject, EventKind::CancelCertified { certificate })).await?;
    Ok(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Marks, Outcome, Present, Span, State, StepIndex, Timestamp};

    #[test]
    fn the_parts_of_a_certificate_sum_to_all_messages() {
        let at = Timestamp::from_millis(1_000);
        let queued = Present::queued(at, None);
        let left = Present {
            marks: Marks::default().with_handed_over(StepIndex::FIRST),
            first_submitted_at: Some(at),
            ..queued
        };
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
        let certificate = certificate(&tallies, Noted::ByAll { after: Span::from_millis(40) });
        assert_eq!(
            certificate.to_string(),
            "7 not sent · 2 being sent, may still be submitted · 5 sent, result pending · 5 reached · 3 had ended before without being reached; stopped after 40 ms"
        );
        let Certificate { never_sent, in_flight, accepted, reached, over_before, .. } = certificate;
        let total = all.iter().map(|(times, _)| *times).sum::<i64>();
        assert_eq!(never_sent + in_flight + accepted + reached + over_before, total);
    }
}
