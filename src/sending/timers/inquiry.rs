//! The inquiry: before many messages fall back at once without a webhook, some of them are queried first.

use crate::base::domain::{MessageKey, Span, StepIndex, Timestamp};

/// Fallbacks that are allowed without a webhook and without a query.
const AT_ONCE: usize = 20;
/// Messages that are queried, however recent they are.
const SOME: usize = 3;
/// How long a webhook proves that webhooks arrive, and how long the answers stand for the other messages.
const STANDS_FOR: Span = Span::from_secs(30);
/// After this time without an answer, the deadlines decide as without an inquiry.
const PATIENCE: Span = Span::from_secs(30);

/// An attempt whose deadline has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) key: MessageKey,
    pub(super) step: StepIndex,
    pub(super) accepted: Timestamp,
    /// Whether its umid is known.
    pub(super) can_be_asked: bool,
}

/// The inquiry of one address.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    /// Fallbacks decided by silence since the last webhook or the last inquiry.
    let_through: usize,
    open: Option<Open>,
    confirmed_until: Timestamp,
}

#[derive(Debug)]
struct Open {
    since: Timestamp,
    /// The messages without an answer.
    about: Vec<(MessageKey, StepIndex)>,
}

impl Inquiry {
    /// Whether these messages may fall back now. The last webhook arrived at `webhook_at`.
    pub(super) fn may_fall_back(&mut self, due: &[Due], webhook_at: Timestamp, now: Timestamp) -> bool {
        let newest = due.iter().map(|due| due.accepted).max().unwrap_or_default();
        // A webhook from before the newest acceptance proves nothing about the webhooks since.
        if webhook_at >= newest && now.since(webhook_at) < STANDS_FOR {
            *self = Self::default();
            return true;
        }
        if now < self.confirmed_until {
            return true;
        }
        match &self.open {
            Some(open) if now.since(open.since) < PATIENCE => return false,
            Some(_) => {
                self.confirm(now);
                return true;
            }
            None => {}
        }
        if self.let_through + due.len() <= AT_ONCE {
            self.let_through += due.len();
            return true;
        }
        let about: Vec<_> = due.iter().filter(|due| due.can_be_asked).map(|due| (due.key, due.step)).collect();
        if about.is_empty() {
            return true;
        }
        // Spread over all of them: neighbours were submitted within the same milliseconds.
        let spaced = (0..SOME).map(|index| about[index * (about.len() - 1) / (SOME - 1)]);
        let mut about: Vec<_> = spaced.collect();
        about.dedup();
        self.open = Some(Open { since: now, about });
        false
    }

    /// The next message to query.
    pub(super) fn next(&self) -> Option<(MessageKey, StepIndex)> {
        self.open.as_ref()?.about.first().copied()
    }

    /// Records that the query of a message brought nothing that webhooks had not reported.
    pub(super) fn answered(&mut self, key: MessageKey, now: Timestamp) {
        let Some(open) = &mut self.open else { return };
        open.about.retain(|(about, _)| *about != key);
        if open.about.is_empty() {
            self.confirm(now);
        }
    }

    /// Ends the inquiry: an answer has raised a doubt that holds the deadlines, or a webhook proves enough.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    fn confirm(&mut self, now: Timestamp) {
        *self = Self { confirmed_until: now + STANDS_FOR, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::BatchId;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn due(count: u32) -> Vec<Due> {
        let key = |n| MessageKey { batch: BatchId(1), n };
        let one = |n| Due { key: key(n), step: StepIndex::FIRST, accepted: second(100), can_be_asked: true };
        (0..count).map(one).collect()
    }

    #[test]
    fn more_than_twenty_fallbacks_in_webhook_silence_wait_for_three_answers() {
        let mut inquiry = Inquiry::default();
        assert!(inquiry.may_fall_back(&due(20), second(99), second(120)));
        assert!(!inquiry.may_fall_back(&due(1), second(99), second(121)), "the twenty-first");
        let mut inquiry = Inquiry::default();
        assert!(!inquiry.may_fall_back(&due(60), second(99), second(120)));
        let mut asked = Vec::new();
        while let Some((key, _)) = inquiry.next() {
            assert!(!inquiry.may_fall_back(&due(60), second(99), second(122)), "{asked:?}");
            asked.push(key.n);
            inquiry.answered(key, second(123));
        }
        assert_eq!(asked, [0, 29, 59]);
        assert!(inquiry.may_fall_back(&due(60), second(99), second(124)));
        assert!(!inquiry.may_fall_back(&due(60), second(99), second(154)), "the answers are old by then");
    }

    #[test]
    fn recent_webhooks_and_unanswered_queries_hold_no_fallback() {
        let mut inquiry = Inquiry::default();
        assert!(inquiry.may_fall_back(&due(60), second(110), second(120)), "a webhook came since");
        assert!(!inquiry.may_fall_back(&due(60), second(110), second(140)), "no webhook came for long");
        assert!(inquiry.may_fall_back(&due(60), second(110), second(170)), "the queries are not answered");
        let unknown: Vec<Due> = due(60).into_iter().map(|due| Due { can_be_asked: false, ..due }).collect();
        assert!(Inquiry::default().may_fall_back(&unknown, second(99), second(120)));
    }
}
