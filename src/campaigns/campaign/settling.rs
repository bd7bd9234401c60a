//! Computes when a campaign settles at the latest: when its last receipt window closes.

use crate::base::domain::{BatchState, Channel, Count, Plan, Span, Step, StepIndex, Tallies, Timestamp};

/// Returns when the last receipt window closes, if the last message is submitted at `last`.
///
/// - `None` if no message can wait for a receipt any more.
/// - A receipt may settle a message earlier. An outage may delay the end, while the provider repeats receipts.
pub fn settled_by(plan: &Plan, tallies: &Tallies, state: BatchState, last: Timestamp) -> Option<Timestamp> {
    let counts = |step, count| tallies.get(step, count) > 0;
    let is_open = |step: StepIndex| match state {
        BatchState::Settled => false,
        // Every message waits on its last step.
        BatchState::Finished => counts(step, Count::AwaitingLast),
        // The step that a message was submitted on last has become its last.
        BatchState::Cancelling | BatchState::Cancelled => !tallies.is_settled() && counts(step, Count::HandedOver),
        BatchState::Launching
        | BatchState::Draft
        | BatchState::Scheduled
        | BatchState::Running
        | BatchState::Paused => is_last_for_some(plan, tallies, step),
    };
    let windows = plan.indexed_steps().filter(|(index, _)| is_open(*index)).map(|(_, step)| step.receipt_window);
    windows.max().map(|window: Span| last + window)
}

/// Whether a step is the last one that applies to the recipients of some country, with or without a number.
fn is_last_for_some(plan: &Plan, tallies: &Tallies, step: StepIndex) -> bool {
    let countries = plan.named_countries().into_iter().map(Some).chain([None]);
    let skips_users = |(index, step): (StepIndex, &Step)| {
        tallies.get(index, Count::PassedOver) > 0 && !step.knows(Some(Channel::WhatsApp))
    };
    let users = plan.indexed_steps().any(skips_users).then_some(Some(Channel::WhatsApp));
    let kinds =
        countries.flat_map(|country| [Some(None), users].into_iter().flatten().map(move |only_on| (country, only_on)));
    kinds.map(|(country, only_on)| plan.marks_at_first(country, only_on)).any(|marks| {
        let applies = plan.step(step).is_some() && !marks.passed_over(step);
        applies && plan.after(step, marks).is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, Countries, Step};

    const HOUR: i64 = 3_600;

    fn hours_of(hours: i64) -> Span {
        Span::from_secs(hours * HOUR)
    }

    /// WhatsApp waits 7 days for receipts, SMS 2; the latter is not for Singapore.
    fn plan() -> Plan {
        let whatsapp = Step { receipt_window: hours_of(7 * 24), ..Step::of_text(Channel::WhatsApp, "wa", "Hi") };
        let countries = Countries::AllBut(["SG".parse().unwrap()].into());
        let sms = Step { receipt_window: hours_of(48), countries, ..Step::of_text(Channel::Sms, "sms", "Hi") };
        Plan::of_steps(vec![whatsapp, sms])
    }

    fn hours(plan: &Plan, counts: &[(u8, Count)], state: BatchState) -> Option<i64> {
        let mut tallies = Tallies::default();
        for (step, count) in counts {
            tallies.add(StepIndex::new(*step).unwrap(), *count, 1);
        }
        let last = Timestamp::from_millis(0);
        settled_by(plan, &tallies, state, last).map(|by| by.since(last).millis() / 1_000 / HOUR)
    }

    #[test]
    fn a_campaign_settles_when_the_last_receipt_window_closes() {
        let whole = plan();
        // Before its end, any recipient may get the last step of their country.
        assert_eq!(hours(&whole, &[(0, Count::Queued)], BatchState::Running), Some(7 * 24));
        let mut everywhere = plan();
        everywhere.steps[1].countries = Countries::Everywhere;
        assert_eq!(hours(&everywhere, &[(0, Count::Queued)], BatchState::Running), Some(48));
        // After it, only the windows that messages wait for count.
        let (first, second) = ((0, Count::AwaitingLast), (1, Count::AwaitingLast));
        assert_eq!(hours(&whole, &[second, (0, Count::HandedOver)], BatchState::Finished), Some(48));
        assert_eq!(hours(&whole, &[first, second], BatchState::Finished), Some(7 * 24));
        assert_eq!(hours(&whole, &[], BatchState::Settled), None);
    }

    #[test]
    fn a_cancelled_campaign_waits_for_the_steps_that_were_submitted() {
        let submitted = [(0, Count::HandedOver), (0, Count::AwaitingLast)];
        assert_eq!(hours(&plan(), &submitted, BatchState::Cancelled), Some(7 * 24));
        assert_eq!(hours(&plan(), &submitted[..1], BatchState::Cancelled), None, "every message has its outcome");
    }
}
