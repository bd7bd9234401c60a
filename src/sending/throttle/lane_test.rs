//! The test of a lane after a refusal without a known code: one other message shows whether the lane is refused, or that
//! message alone (rule 2).
//!
//! Where a lane has worked, messages of one batch say little about it: they may have in common what is refused. So the test
//! goes on, and after twenty of them their step is refused. No caller and no campaign can stop what others send.
//!
//! It is in memory only. After a restart the refused messages are sent again, and the next refusal begins another test.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::base::domain::{AddressKey, BatchId, MessageId, MessageKey, StepIndex, Timestamp};

/// A refusal without a known code: the message, its recipient or the sender may be the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnclearRefusal {
    pub message: MessageId,
    pub step: StepIndex,
    pub recipient: AddressKey,
    pub code: Option<u32>,
    pub reason: String,
    /// Whether the message was refused like this before. Then its refusal proves nothing about the lane.
    pub is_repeated: bool,
    /// When the refused request began.
    pub begun: Timestamp,
}

impl UnclearRefusal {
    /// The message and its recipient, as holds and logs name them.
    pub fn named(&self) -> String {
        format!("{} to {}", self.message, self.recipient.masked())
    }
}

/// A message whose refusals wait for the proof that it alone was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub message: MessageKey,
    pub step: StepIndex,
    /// Whether it was refused repeatedly, and the lane accepted a message before. Where no other message is left, that has
    /// to do as the proof.
    pub follows_acceptance: bool,
}

/// Refusals alike of one batch, one after the other, after which its step is refused where the lane has worked.
pub const OF_ONE_BATCH: usize = 20;

/// What refusals alike have shown. Each has the refusal that is like the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refuted {
    /// The lane is refused.
    Lane(UnclearRefusal),
    /// The step of the message is refused; the lane may send what others have.
    Step(UnclearRefusal),
}

/// What a lane may claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestPhase {
    /// No test is open: the lane claims as usual.
    Closed,
    /// The lane claims one message, of another batch than these if it can.
    Wants(BTreeSet<BatchId>),
    /// The message that tests the lane is under way.
    UnderWay,
}

/// The test of one lane.
#[derive(Debug, Default)]
pub struct LaneTest {
    /// Whether a test is open. Most lanes have none, and then a message costs next to nothing.
    is_open: AtomicBool,
    /// Whether a message was accepted since the last test began.
    has_accepted: AtomicBool,
    /// Whether any message was ever accepted.
    has_worked: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    open: Option<Open>,
    /// Messages that alone were refused, until the claimer has recorded that.
    alone: Vec<(MessageKey, StepIndex)>,
}

#[derive(Debug)]
struct Open {
    since: Timestamp,
    /// Whether the lane accepted a message before, after the test before this one.
    follows_acceptance: bool,
    /// Never empty.
    refused: Vec<UnclearRefusal>,
    /// The message that tests the lane, once it is claimed.
    probe: Option<MessageKey>,
}

impl Open {
    /// What the refusal of the message that tests the lane shows.
    fn refuted_by(&self, refusal: &UnclearRefusal, has_worked: bool) -> Option<Refuted> {
        let batch = refusal.message.key.batch;
        let alike = || self.refused.iter().filter(|other| other.code == refusal.code);
        let elsewhere = alike().find(|other| other.message.key.batch != batch);
        match (elsewhere, alike().next()) {
            (Some(other), _) => Some(Refuted::Lane(other.clone())),
            (None, Some(other)) if !has_worked => Some(Refuted::Lane(other.clone())),
            (None, Some(other)) if alike().count() + 1 >= OF_ONE_BATCH => Some(Refuted::Step(other.clone())),
            (None, _) => None,
        }
    }
}

impl LaneTest {
    /// Takes a refusal, and opens a test unless one is open.
    ///
    /// Returns what is refused if this message was to test the lane and another one had the same code: then the test ends.
    /// Requests that were in flight when the test began, and messages that were refused before, prove nothing.
    pub fn refused(&self, refusal: UnclearRefusal, now: Timestamp) -> Option<Refuted> {
        let mut inner = self.inner.lock();
        let open = inner.open.get_or_insert_with(|| {
            let follows_acceptance = self.has_accepted.swap(false, Ordering::AcqRel);
            Open { since: now, follows_acceptance, refused: Vec::new(), probe: None }
        });
        let known = open.refused.iter_mut().find(|known| known.message == refusal.message);
        if let Some(known) = known {
            *known = refusal;
        } else {
            let is_probe = open.probe == Some(refusal.message.key) && !refusal.is_repeated;
            let proof = is_probe.then(|| open.refuted_by(&refusal, self.has_worked.load(Ordering::Acquire))).flatten();
            if proof.is_some() {
                // Once the lane goes on, each of the two may be the last one.
                self.has_accepted.fetch_or(open.follows_acceptance, Ordering::AcqRel);
                inner.open = None;
                self.is_open.store(false, Ordering::Release);
                return proof;
            }
            open.refused.push(refusal);
        }
        self.is_open.store(true, Ordering::Release);
        None
    }

    /// Takes the acceptance of a request that began at `begun`: the lane was not refused then, so each message that was
    /// refused in an earlier request was refused alone.
    pub fn accepted(&self, message: MessageKey, begun: Timestamp) {
        self.has_accepted.store(true, Ordering::Release);
        self.has_worked.store(true, Ordering::Release);
        if !self.is_open.load(Ordering::Acquire) {
            return;
        }
        let mut inner = self.inner.lock();
        let Some(open) = &mut inner.open else { return };
        let proven = open.refused.extract_if(.., |refusal| refusal.message.key == message || refusal.begun <= begun);
        let alone: Vec<_> = proven.map(|refusal| (refusal.message.key, refusal.step)).collect();
        inner.alone.extend(alone.into_iter().filter(|(key, _)| *key != message));
        self.close_if_over(&mut inner);
    }

    /// Whether a claimed message may be sent now: during a test only the one that tests the lane.
    pub fn allows(&self, message: MessageKey) -> bool {
        let is_probe = |open: &Open| open.probe == Some(message);
        !self.is_open.load(Ordering::Acquire) || self.inner.lock().open.as_ref().is_none_or(is_probe)
    }

    pub fn phase(&self) -> TestPhase {
        match &self.inner.lock().open {
            None => TestPhase::Closed,
            Some(Open { probe: Some(_), .. }) => TestPhase::UnderWay,
            Some(open) => TestPhase::Wants(open.refused.iter().map(|refusal| refusal.message.key.batch).collect()),
        }
    }

    /// Lets this message test the lane.
    pub fn begin(&self, message: MessageKey) {
        if let Some(open) = &mut self.inner.lock().open {
            open.probe = Some(message);
        }
    }

    /// Notes that the claim of a message is over. If it was to test the lane and has proven nothing, another one does.
    pub fn ended(&self, message: MessageKey) {
        if self.is_open.load(Ordering::Acquire)
            && let Some(open) = &mut self.inner.lock().open
            && open.probe == Some(message)
        {
            open.probe = None;
        }
    }

    /// Takes the messages that alone were refused. What cannot be recorded yet is to be put back.
    pub fn take_alone(&self) -> Vec<(MessageKey, StepIndex)> {
        std::mem::take(&mut self.inner.lock().alone)
    }

    pub fn put_back(&self, alone: Vec<(MessageKey, StepIndex)>) {
        self.inner.lock().alone.extend(alone);
    }

    /// The messages whose refusals wait for the proof.
    pub fn waiting(&self) -> Vec<Waiting> {
        let inner = self.inner.lock();
        let waiting = |open: &Open, refusal: &UnclearRefusal| Waiting {
            message: refusal.message.key,
            step: refusal.step,
            follows_acceptance: open.follows_acceptance && refusal.is_repeated,
        };
        inner.open.iter().flat_map(|open| open.refused.iter().map(|refusal| waiting(open, refusal))).collect()
    }

    /// Ends the wait of messages whose refusals need no proof any more.
    pub fn forget(&self, messages: &[MessageKey]) {
        let mut inner = self.inner.lock();
        if let Some(open) = &mut inner.open {
            open.refused.retain(|refusal| !messages.contains(&refusal.message.key));
        }
        self.close_if_over(&mut inner);
    }

    /// Since when a test is open, and the latest refusal.
    pub fn standing(&self) -> Option<(Timestamp, UnclearRefusal)> {
        let inner = self.inner.lock();
        let open = inner.open.as_ref()?;
        Some((open.since, open.refused.last()?.clone()))
    }

    fn close_if_over(&self, inner: &mut Inner) {
        if inner.open.as_ref().is_some_and(|open| open.refused.is_empty()) {
            inner.open = None;
            self.is_open.store(false, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Tag;

    fn key(n: u32) -> MessageKey {
        MessageKey { batch: BatchId(1), n }
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn refusal(n: u32, begun: i64) -> UnclearRefusal {
        UnclearRefusal {
            message: MessageId { key: key(n), tag: Tag::from_random(9) },
            step: StepIndex::FIRST,
            recipient: AddressKey::try_from(6_591_234_567).unwrap(),
            code: Some(403),
            reason: "Forbidden".to_owned(),
            is_repeated: false,
            begun: second(begun),
        }
    }

    /// A test after a refusal of message 1, which began at second 1.
    fn open() -> LaneTest {
        let test = LaneTest::default();
        assert_eq!(test.refused(refusal(1, 1), second(2)), None);
        test
    }

    #[test]
    fn during_a_test_only_one_other_message_may_be_sent() {
        let test = open();
        assert!(!test.allows(key(2)) && test.phase() == TestPhase::Wants([BatchId(1)].into()));
        test.begin(key(2));
        assert!(test.allows(key(2)) && !test.allows(key(3)) && test.phase() == TestPhase::UnderWay);
        test.ended(key(2));
        assert_eq!(test.phase(), TestPhase::Wants([BatchId(1)].into()), "it has proven nothing");
    }

    #[test]
    fn an_acceptance_shows_that_the_message_alone_was_refused() {
        let test = open();
        test.accepted(key(2), second(0));
        assert_eq!(test.take_alone(), [], "that request began before the refused one");
        test.accepted(key(2), second(1));
        assert_eq!((test.take_alone(), test.phase()), (vec![(key(1), StepIndex::FIRST)], TestPhase::Closed));
        assert!(test.allows(key(3)));
    }

    #[test]
    fn only_the_message_that_tests_the_lane_proves_that_it_is_refused() {
        let test = open();
        assert_eq!(test.refused(refusal(2, 1), second(2)), None, "it was in flight");
        test.begin(key(1));
        assert_eq!(test.refused(refusal(1, 10), second(10)), None, "it was refused before");
        test.begin(key(3));
        let other = UnclearRefusal { code: Some(4_999), ..refusal(3, 11) };
        assert_eq!(test.refused(other, second(11)), None, "it was not refused alike");
        test.begin(key(4));
        let again = UnclearRefusal { is_repeated: true, ..refusal(4, 12) };
        assert_eq!(test.refused(again, second(12)), None, "it may be refused alone, as before");
        test.begin(key(5));
        assert_eq!(test.refused(refusal(5, 13), second(13)), Some(Refuted::Lane(refusal(1, 10))));
        assert_eq!((test.phase(), test.take_alone()), (TestPhase::Closed, Vec::new()));
    }

    #[test]
    fn repeated_refusals_follow_an_acceptance_only_if_none_came_between() {
        let test = LaneTest::default();
        test.accepted(key(0), second(0));
        test.refused(refusal(1, 1), second(2));
        let waits = |follows_acceptance| Waiting { message: key(1), step: StepIndex::FIRST, follows_acceptance };
        assert_eq!(test.waiting(), [waits(false)], "once proves nothing");
        let again = |begun| UnclearRefusal { is_repeated: true, ..refusal(1, begun) };
        test.refused(again(10), second(10));
        assert_eq!(test.waiting(), [waits(true)]);
        test.forget(&[key(1)]);
        test.refused(again(20), second(20));
        assert_eq!(test.waiting(), [waits(false)], "nothing was accepted since");
    }

    #[test]
    fn a_hold_keeps_what_was_accepted_before_it() {
        let test = LaneTest::default();
        test.accepted(key(0), second(0));
        let elsewhere = |n, begun| {
            let message = MessageId { key: MessageKey { batch: BatchId(2), n }, tag: Tag::from_random(9) };
            UnclearRefusal { message, ..refusal(n, begun) }
        };
        test.refused(refusal(1, 1), second(2));
        test.begin(elsewhere(2, 3).message.key);
        assert_eq!(test.refused(elsewhere(2, 3), second(3)), Some(Refuted::Lane(refusal(1, 1))));
        test.refused(UnclearRefusal { is_repeated: true, ..refusal(1, 60) }, second(60));
        assert!(test.waiting()[0].follows_acceptance, "it may be the last one of its lane");
    }

    #[test]
    fn where_a_lane_has_worked_twenty_of_one_batch_refute_their_step_and_the_next_acceptance_ends_the_test() {
        let test = LaneTest::default();
        test.accepted(key(0), second(0));
        let probe = |n| {
            test.begin(key(n));
            let refuted = test.refused(refusal(n, n.into()), second(n.into()));
            test.ended(key(n));
            refuted
        };
        assert_eq!((1..=12).find_map(probe), None);
        test.begin(key(50));
        test.accepted(key(50), second(50));
        assert_eq!((test.phase(), test.take_alone().len()), (TestPhase::Closed, 12), "each was refused alone");
        assert_eq!((101..120).find_map(probe), None);
        assert_eq!(probe(120), Some(Refuted::Step(refusal(101, 101))));
        assert_eq!(test.phase(), TestPhase::Closed);
    }

    #[test]
    fn a_message_that_is_accepted_after_all_was_not_refused_alone() {
        let test = open();
        test.begin(key(1));
        test.accepted(key(1), second(10));
        assert_eq!((test.phase(), test.take_alone()), (TestPhase::Closed, Vec::new()));
    }
}
