//! Limits how often one sender may write to one recipient, whatever the lane's rate.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::bucket::{GovernorInstant, Ticks};
use crate::base::clock::{Clock, Tick};
use crate::base::domain::{AddressKey, Timestamp};

/// WhatsApp delivers one message per interval to a recipient from the same number,
const INTERVAL: Duration = Duration::from_secs(6);
/// and up to a burst at once to a recipient without recent messages.
const BURST: NonZeroU32 = NonZeroU32::new(45).unwrap();

/// The recipients of one sender, which may have several lanes.
#[derive(Debug)]
pub struct Pairs {
    limiter: RateLimiter<AddressKey, RecentBuckets, Ticks, NoOpMiddleware<GovernorInstant>>,
    recent: RecentBuckets,
}

/// The buckets of recent recipients.
#[derive(Debug, Clone)]
struct RecentBuckets {
    known: Arc<Mutex<Known>>,
    clock: Arc<dyn Clock>,
}

/// When the bucket of each recipient is full again.
///
/// A recipient with a full bucket is forgotten. Of a campaign of millions, only the recipients of six seconds are kept,
/// one by one or in crowds.
#[derive(Debug)]
struct Known {
    full_at: HashMap<AddressKey, Nanos, RandomState>,
    /// Recipients who were forgotten before their buckets were full, the latest last.
    crowds: VecDeque<Crowd>,
    /// No bucket of another recipient is full later than this.
    ///
    /// A server does not know what another sent before it started. So each recipient has one message then, and more as
    /// time passes.
    unknown: Nanos,
    /// The number of known recipients at which full buckets are removed next.
    prune_at: usize,
}

/// With fewer recipients, a removal is not worth its time.
const FEW: usize = 1_024;
/// At so many known recipients, or up to twice as many, those with the fullest buckets join a crowd.
///
/// Each counts there as if its bucket were as empty as the emptiest one of the crowd: too strict for some seconds,
/// never too generous.
const MANY: usize = 50_000;
/// More crowds than this, half a megabyte each, are covered by `unknown`.
const CROWDS: usize = 8;

/// When the bucket of a recipient with one message left is full.
fn with_one_left(now: Tick) -> Nanos {
    let refills = INTERVAL * (BURST.get() - 1);
    now.later_by(u64::try_from(refills.as_nanos()).unwrap_or(u64::MAX)).nanos().into()
}

impl Known {
    fn new(unknown: Nanos) -> Self {
        Self { full_at: HashMap::default(), crowds: VecDeque::new(), unknown, prune_at: FEW }
    }

    /// Removes full buckets. Each is checked about once, however many there are.
    fn prune(&mut self, now: Tick) {
        if self.full_at.len() < self.prune_at {
            return;
        }
        let covered = self.unknown.max(now.nanos().into());
        self.full_at.retain(|_, full_at| *full_at > covered);
        self.crowds.retain(|crowd| crowd.full_at > covered);
        if self.full_at.len() >= MANY {
            self.join_a_crowd();
            if let Some(oldest) = self.crowds.front().filter(|_| self.crowds.len() > CROWDS) {
                self.unknown = self.unknown.max(oldest.full_at.min(with_one_left(now)));
            }
        }
        self.prune_at = (self.full_at.len() * 2).max(FEW);
    }

    /// Moves half of the known recipients to a crowd: those with the fullest buckets.
    fn join_a_crowd(&mut self) {
        let mut all: Vec<Nanos> = self.full_at.values().copied().collect();
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable(middle);
        let hasher = self.full_at.hasher().clone();
        if self.crowds.back().is_none_or(Crowd::is_full) {
            self.crowds.push_back(Crowd::new());
        }
        let Some(crowd) = self.crowds.back_mut() else { return };
        for (recipient, full_at) in self.full_at.extract_if(|_, full_at| full_at <= median) {
            crowd.add(hasher.hash_one(recipient), full_at);
        }
    }

    /// The latest time at which the bucket of a recipient who is not known is full.
    fn forgotten(&self, recipient: AddressKey) -> Nanos {
        let hash = self.full_at.hasher().hash_one(recipient);
        let crowds = self.crowds.iter().filter(|crowd| crowd.may_hold(hash)).map(|crowd| crowd.full_at);
        crowds.fold(self.unknown, Nanos::max)
    }
}

/// Recipients who were forgotten at about the same time: a Bloom filter with one memory block per recipient.
///
/// About one in some hundred other recipients is taken for a member, and counts as if its bucket were as empty as
/// theirs.
#[derive(Debug)]
struct Crowd {
    blocks: Vec<[u64; 8]>,
    count: usize,
    /// By then all of their buckets are full.
    full_at: Nanos,
}

impl Crowd {
    const BLOCKS: usize = 1 << 13;
    /// Sixteen bits for each recipient.
    const MOST: usize = Self::BLOCKS * 512 / 16;

    fn new() -> Self {
        Self { blocks: vec![[0; 8]; Self::BLOCKS], count: 0, full_at: Nanos::default() }
    }

    const fn is_full(&self) -> bool {
        self.count >= Self::MOST
    }

    fn add(&mut self, hash: u64, full_at: Nanos) {
        self.count += 1;
        self.full_at = self.full_at.max(full_at);
        let (block, bits) = Self::bits_of(hash);
        if let Some(block) = self.blocks.get_mut(block) {
            bits.for_each(|(word, bit)| block[word] |= bit);
        }
    }

    fn may_hold(&self, hash: u64) -> bool {
        let (block, mut bits) = Self::bits_of(hash);
        self.blocks.get(block).is_some_and(|block| bits.all(|(word, bit)| block[word] & bit != 0))
    }

    /// The block of a recipient, and five bits in it, each of its own nine bits of the hash.
    fn bits_of(hash: u64) -> (usize, impl Iterator<Item = (usize, u64)>) {
        let part = move |from: u32, bits: u32| usize::try_from((hash >> from) & ((1 << bits) - 1)).unwrap_or_default();
        let bits = (0..5).map(move |probe| part(probe * 9, 9)).map(|bit| (bit / 64, 1_u64 << (bit % 64)));
        (part(45, Self::BLOCKS.trailing_zeros()), bits)
    }
}

impl RecentBuckets {}

impl StateStore for RecentBuckets {
    type Key = AddressKey;

    fn measure_and_replace<T, F, E>(&self, recipient: &AddressKey, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut known = self.known.lock();
        known.prune(self.clock.tick());
        if let Some(full_at) = known.full_at.get_mut(recipient) {
            let (measured, next) = measure(Some(*full_at))?;
            *full_at = next;
            return Ok(measured);
        }
        let (measured, next) = measure(Some(known.forgotten(*recipient)))?;
        known.full_at.insert(*recipient, next);
        Ok(measured)
    }
}

impl Pairs {
    /// For a server that follows another one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let unknown = with_one_left(clock.tick());
        Self::with(unknown, clock)
    }

    /// For the first server on its database: nothing was sent before.
    pub fn of_first_server(clock: Arc<dyn Clock>) -> Self {
        Self::with(Nanos::default(), clock)
    }

    fn with(unknown: Nanos, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::with_period(INTERVAL).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(BURST);
        let known = Arc::new(Mutex::new(Known::new(unknown)));
        let recent = RecentBuckets { known, clock: Arc::clone(&clock) };
        Self { limiter: RateLimiter::new(quota, recent.clone(), Ticks::new(clock)), recent }
    }

    /// Counts a message to this recipient, or returns when the next one is allowed.
    pub fn take(&self, recipient: AddressKey) -> Result<(), Timestamp> {
        self.limiter.check_key(&recipient.canonical()).map_err(|not_until| not_until.earliest_possible().whole())
    }

    /// Returns a token as if it had never been taken.
    pub fn give_back(&self, recipient: AddressKey) {
        if let Some(full_at) = self.recent.known.lock().full_at.get_mut(&recipient.canonical()) {
            *full_at = full_at.saturating_sub(Nanos::from(INTERVAL));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::Msisdn;
    use crate::base::domain::Span;

    fn pairs() -> (Arc<ManualClock>, Pairs) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let pairs = Pairs::new(Arc::clone(&clock) as _);
        // Long after the last submission of an earlier server.
        clock.advance(Span::from_secs(270));
        (clock, pairs)
    }

    #[test]
    fn the_first_server_on_a_database_allows_each_recipient_a_burst() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let pairs = Pairs::of_first_server(clock);
        assert_eq!((0..100).filter(|_| pairs.take(recipient(1)).is_ok()).count(), 45);
    }

    #[test]
    fn a_restarted_server_allows_no_second_burst() {
        let (clock, pairs) = pairs();
        while pairs.take(recipient(1)).is_ok() {}
        let next = Pairs::new(Arc::clone(&clock) as _);
        assert_eq!((0..100).filter(|_| next.take(recipient(1)).is_ok()).count(), 1);
        assert_eq!(next.take(recipient(1)).unwrap_err(), clock.now() + Span::from_secs(6));
        clock.advance(Span::from_secs(60));
        assert_eq!((0..100).filter(|_| next.take(recipient(1)).is_ok()).count(), 10);
        assert_eq!((0..100).filter(|_| next.take(recipient(2)).is_ok()).count(), 11, "more as time passes");
        clock.advance(Span::from_secs(270));
        assert_eq!((0..100).filter(|_| next.take(recipient(3)).is_ok()).count(), 45);
    }

    fn recipient(n: i64) -> AddressKey {
        AddressKey::try_from(6_591_000_000 + n).unwrap()
    }

    #[test]
    fn a_recipient_gets_45_messages_at_once_and_then_one_in_six_seconds() {
        let (clock, pairs) = pairs();
        assert_eq!((0..100).filter(|_| pairs.take(recipient(1)).is_ok()).count(), 45);
        let again = pairs.take(recipient(1)).unwrap_err();
        assert_eq!(again, clock.now() + Span::from_secs(6));
        assert!(pairs.take(recipient(2)).is_ok(), "other recipients are not affected");
        clock.advance(Span::from_secs(60));
        assert_eq!((0..100).filter(|_| pairs.take(recipient(1)).is_ok()).count(), 10);
    }

    #[test]
    fn both_spellings_of_a_number_share_the_limit_of_one_recipient() {
        let (_, pairs) = pairs();
        let spellings: [AddressKey; 2] =
            ["+5511987654321", "+551187654321"].map(|text| text.parse::<Msisdn>().unwrap().into());
        for [one, other] in [spellings, [spellings[1], spellings[0]]] {
            while pairs.take(one).is_ok() {}
            assert!(pairs.take(other).is_err());
            pairs.give_back(other);
            assert!(pairs.take(one).is_ok());
        }
        assert!(
            pairs.take("+551133334444".parse::<Msisdn>().unwrap().into()).is_ok(),
            "a landline is another recipient"
        );
    }

    #[test]
    fn a_returned_token_can_be_taken_again() {
        let (_, pairs) = pairs();
        while pairs.take(recipient(1)).is_ok() {}
        pairs.give_back(recipient(1));
        assert!(pairs.take(recipient(1)).is_ok() && pairs.take(recipient(1)).is_err());
    }

    #[test]
    fn few_of_many_recipients_are_kept_and_none_exceeds_its_limit() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let pairs = Pairs::of_first_server(Arc::clone(&clock) as _);
        for _ in 0..26 {
            assert!(pairs.take(recipient(0)).is_ok());
        }
        // Far more in the first second than any sender may send.
        for n in 1..1_000_000 {
            assert!(pairs.take(recipient(n)).is_ok(), "{n}");
            if n % 200_000 == 0 {
                clock.advance(Span::from_secs(12));
            }
            assert!(pairs.recent.known.lock().full_at.len() <= 2 * MANY, "{n}");
        }
        // 48 s later, nineteen are left and eight more have come.
        assert_eq!((0..100).filter(|_| pairs.take(recipient(0)).is_ok()).count(), 27);
        // One recipient in some hundred is taken for another.
        assert!((44..=45).contains(&(0..100).filter(|_| pairs.take(recipient(2_000_000)).is_ok()).count()));
        clock.advance(Span::from_secs(264));
        assert_eq!((0..100).filter(|_| pairs.take(recipient(7)).is_ok()).count(), 45);
    }

    #[test]
    fn a_recipient_in_a_crowd_gets_no_second_burst() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let pairs = Pairs::of_first_server(clock);
        for n in 0..400_000 {
            assert!(pairs.take(recipient(n)).is_ok(), "{n}");
        }
        for n in (0..100).map(|n| n * 1_000) {
            assert!(!pairs.recent.known.lock().full_at.contains_key(&recipient(n)), "{n} is in a crowd");
            assert_eq!((0..100).filter(|_| pairs.take(recipient(n)).is_ok()).count(), 44, "{n}");
        }
    }

    /// More messages than a machine can send, by a server that follows another and by the first one.
    #[test]
    fn seconds_at_full_speed_take_little_memory_and_exceed_no_limit() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        for pairs in [Pairs::of_first_server(Arc::clone(&clock) as _), Pairs::new(Arc::clone(&clock) as _)] {
            let is_first = pairs.recent.known.lock().unknown == Nanos::default();
            // When the buckets of a few recipients are full who get more and more messages.
            let mut full_at = [clock.now(); 7];
            for n in 0..1_500_000 {
                if n % 200 == 0 {
                    clock.advance(Span::from_millis(1));
                }
                assert!(pairs.take(recipient(1_000 + n)).is_ok(), "{n}");
                let again = n / 1_000 % 7;
                let full_at = &mut full_at[usize::try_from(again).unwrap()];
                if n % 10 == 0 && pairs.take(recipient(again)).is_ok() {
                    assert!(full_at.since(clock.now()) <= Span::from_secs(6 * 44), "{n}");
                    *full_at = (*full_at).max(clock.now()) + Span::from_secs(6);
                }
            }
            let known = pairs.recent.known.lock();
            assert!(known.full_at.len() <= 2 * MANY && known.crowds.len() <= CROWDS + 1, "{}", known.crowds.len());
            assert!(known.unknown == Nanos::default() || !is_first, "new recipients have a full bucket");
        }
    }

    #[test]
    fn recipients_without_recent_messages_are_forgotten() {
        let (clock, pairs) = pairs();
        for n in 0..100_000 {
            assert!(pairs.take(recipient(n)).is_ok());
            if n % 100 == 0 {
                clock.advance(Span::from_secs(1));
            }
        }
        assert!(pairs.recent.known.lock().full_at.len() <= FEW + 1);
    }
}
