//! Before many messages fall back at once while no webhook comes, some of them are asked about first.

use crate::domain::{MessageKey, Span, StepIndex, Timestamp};

/// So many may fall back without a webhook and without a question.
const AT_ONCE: usize = 20;
/// So many of them are asked about, however young they are.
const SOME: usize = 3;
/// A webhook proves for so long that webhooks come, and so long do the answers stand for the others.
const STANDS_FOR: Span = Span::from_secs(30);
/// After so long without an answer the deadlines decide as they would without the questions.
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

/// What is asked about one address before its messages fall back.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    /// Fallbacks that silence has decided since the last webhook, or since the last inquiry.
    let_through: usize,
    open: Option<Open>,
    confirmed_until: Timestamp,
}

#[derive(Debug)]
struct Open {
    since: Timestamp,
    /// Those without an answer.
    about: Vec<(MessageKey, StepIndex)>,
}

impl Inquiry {
    /// Whether these may fall back now. The last webhook came at `heard_at`.
    pub(super) fn may_fall_back(&mut self, due: &[Due], heard_at: Timestamp, now: Timestamp) -> bool {
        let newest = due.iter().map(|due| due.accepted).max().unwrap_or_default();
        // A webhook from before the newest was accepted says nothing about the webhooks since then.
        if heard_at >= newest && now.since(heard_at) < STANDS_FOR {
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
        // From the whole of them: neighbours were submitted within the same milliseconds.
        let spaced = (0..SOME).map(|place| about[place * (about.len() - 1) / (SOME - 1)]);
        let mut about: Vec<_> = spaced.collect();
        about.dedup();
        self.open = Some(Open { since: now, about });
        false
    }

    /// The next to ask about.
    pub(super) fn next(&self) -> Option<(MessageKey, StepIndex)> {
        self.open.as_ref()?.about.first().copied()
    }

    /// The provider was asked about one and had nothing to tell that webhooks had not told.
    pub(super) fn answered(&mut self, key: MessageKey, now: Timestamp) {
        let Some(open) = &mut self.open else { return };
        open.about.retain(|(about, _)| *about != key);
        if open.about.is_empty() {
            self.confirm(now);
        }
    }

    /// The doubt that an answer has raised takes over, or a webhook that has come says enough.
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
    use crate::domain::BatchId;

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
    fn recent_webhooks_and_unanswerable_questions_hold_nothing_up() {
        let mut inquiry = Inquiry::default();
        assert!(inquiry.may_fall_back(&due(60), second(110), second(120)), "a webhook came since");
        assert!(!inquiry.may_fall_back(&due(60), second(110), second(140)), "and none for long");
        assert!(inquiry.may_fall_back(&due(60), second(110), second(170)), "nobody answers");
        let unknown: Vec<Due> = due(60).into_iter().map(|due| Due { can_be_asked: false, ..due }).collect();
        assert!(Inquiry::default().may_fall_back(&unknown, second(99), second(120)));
    }
}
