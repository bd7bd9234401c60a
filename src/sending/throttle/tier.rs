//! A portfolio's tier: the limit of different recipients in any rolling day.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::domain::{AddressKey, Span, Tier, Timestamp};
use crate::store::UnknownSlots;

/// The longest time from claim to submission. A message that has waited longer is requeued and returns its slot.
pub const SUBMITTED_WITHIN: Span = Span::from_secs(45);

/// When to retry while another lane's claim may return a slot at any time.
const SOON: Span = Span::from_millis(100);

/// The recipients of the last day.
///
/// It is loaded at the start from what claims have stored, and then kept beside the store, which is the truth. Where
/// the two could differ for a short time, this one counts more recipients.
///
/// An unlimited tier counts no recipients. When it becomes limited, no new recipient gets a slot until the recipients
/// of the last day are counted.
#[derive(Debug)]
pub struct TierWindow {
    inner: Mutex<Inner>,
}

/// A recipient's slot: since when, and since when before that, in case it is returned.
#[derive(Debug, Clone, Copy)]
struct Slot {
    at: Timestamp,
    before: Option<Timestamp>,
}

impl Slot {
    /// The slot after another use at `at`.
    ///
    /// The two latest times are kept. Claims of two lanes may arrive here in another order than they were made, and one
    /// of them may have used the slot for two messages.
    fn used_again(self, at: Timestamp) -> Self {
        let (earlier, latest) = (self.at.min(at), self.at.max(at));
        Self { at: latest, before: self.before.max(Some(earlier)) }
    }
}

#[derive(Debug)]
struct Inner {
    tier: Tier,
    /// Whether the recipients of the last day are known.
    is_counted: bool,
    /// By canonical number.
    recipients: HashMap<AddressKey, Slot>,
    /// The same recipients, in order of time.
    order: BTreeSet<(Timestamp, AddressKey)>,
    /// Claims in progress: the time as of which each counts, and the slots reserved for it.
    claims: Vec<(Timestamp, u32)>,
    /// Claims in progress that began while the tier was unlimited.
    uncounted: u32,
    /// Slots of recipients whom the database does not know.
    unknown: Option<UnknownSlots>,
}

impl Inner {
    fn of(tier: Tier) -> Self {
        let (recipients, order, claims) = (HashMap::new(), BTreeSet::new(), Vec::new());
        Self { tier, is_counted: true, recipients, order, claims, uncounted: 0, unknown: None }
    }

    /// The present limit of recipients.
    const fn most(&self) -> u32 {
        match self.tier {
            Tier::Recipients(recipients) if self.is_counted => recipients,
            Tier::Recipients(_) => 0,
            Tier::Unlimited => u32::MAX,
        }
    }

    /// Removes expired slots, except those that a claim in progress may still count as held.
    fn forget(&mut self, now: Timestamp) {
        let as_of = self.claims.iter().map(|(at, _)| *at).min().map_or(now, |earliest| earliest.min(now));
        while let Some((at, recipient)) = self.order.first().copied().filter(|(at, _)| *at + Tier::HELD <= as_of) {
            self.order.remove(&(at, recipient));
            self.recipients.remove(&recipient);
        }
        self.unknown.take_if(|unknown| unknown.at + Tier::HELD <= as_of);
    }

    fn put(&mut self, recipient: AddressKey, slot: Slot) {
        if let Some(known) = self.recipients.insert(recipient, slot) {
            self.order.remove(&(known.at, recipient));
        }
        self.order.insert((slot.at, recipient));
    }

    fn take(&mut self, recipient: AddressKey, at: Timestamp) {
        let recipient = recipient.canonical();
        let slot = self.recipients.get(&recipient).map_or(Slot { at, before: None }, |known| known.used_again(at));
        self.put(recipient, slot);
    }

    fn used(&self) -> u32 {
        let unknown = self.unknown.map_or(0, |unknown| unknown.recipients);
        u32::try_from(self.recipients.len()).unwrap_or(u32::MAX).saturating_add(unknown)
    }

    fn next_end(&self) -> Option<Timestamp> {
        let too_many = usize::try_from(self.used().saturating_sub(self.most())).unwrap_or(usize::MAX);
        let mut known = self.order.iter().map(|(at, _)| *at);
        let Some(unknown) = self.unknown else { return known.nth(too_many).map(|at| at + Tier::HELD) };
        // Unknown slots end together, among those of known recipients.
        let earlier = known.clone().take_while(|at| *at <= unknown.at).count();
        let later = earlier.saturating_add(usize::try_from(unknown.recipients).unwrap_or(usize::MAX));
        let next = if too_many < earlier {
            known.nth(too_many)
        } else if too_many < later {
            Some(unknown.at)
        } else {
            known.nth(earlier + (too_many - later))
        };
        next.map(|at| at + Tier::HELD)
    }
}

/// Slots reserved for a claim in progress. A drop returns the unused ones.
#[derive(Debug)]
pub struct Reservation {
    window: Arc<TierWindow>,
    at: Timestamp,
    slots: u32,
    is_last: bool,
    is_counted: bool,
}

impl TierWindow {
    pub fn new(tier: Tier, recipients: impl IntoIterator<Item = (AddressKey, Timestamp)>) -> Self {
        let mut inner = Inner::of(tier);
        for (recipient, at) in recipients {
            inner.take(recipient, at);
        }
        Self { inner: Mutex::new(inner) }
    }

    /// Changes the tier. Returns whether the recipients of the last day have to be counted, because they are not known.
    pub fn set_tier(&self, tier: Tier) -> bool {
        let mut inner = self.inner.lock();
        match (inner.tier, tier) {
            (Tier::Unlimited, Tier::Recipients(_)) => inner.is_counted = false,
            (Tier::Recipients(_), Tier::Unlimited) => {
                inner.recipients.clear();
                inner.order.clear();
            }
            (Tier::Recipients(_), Tier::Recipients(_)) | (Tier::Unlimited, Tier::Unlimited) => {}
        }
        inner.tier = tier;
        tier != Tier::Unlimited && !inner.is_counted
    }

    pub fn is_limited(&self) -> bool {
        self.tier() != Tier::Unlimited
    }

    /// Whether uncounted claims are in progress. The recipients have to be counted after them.
    pub fn is_waited_for(&self) -> bool {
        self.inner.lock().uncounted > 0
    }

    /// Sets the recipients of the last day.
    pub fn count(&self, recipients: impl IntoIterator<Item = (AddressKey, Timestamp)>) {
        let mut inner = self.inner.lock();
        for (recipient, at) in recipients {
            inner.take(recipient, at);
        }
        inner.is_counted = true;
    }

    /// Sets the slots of recipients whom the database does not know.
    pub fn set_unknown(&self, unknown: Option<UnknownSlots>) {
        self.inner.lock().unknown = unknown;
    }

    /// Records recipients who hold a slot after all.
    pub fn take(&self, recipients: impl IntoIterator<Item = (AddressKey, Timestamp)>) {
        let mut inner = self.inner.lock();
        if inner.tier != Tier::Unlimited {
            recipients.into_iter().for_each(|(recipient, at)| inner.take(recipient, at));
        }
    }

    /// Reserves up to `wanted` slots for new recipients, so that two lanes of the portfolio cannot both take the last
    /// one.
    pub fn reserve(self: &Arc<Self>, wanted: u32, now: Timestamp) -> Reservation {
        let mut inner = self.inner.lock();
        if inner.tier == Tier::Unlimited {
            inner.uncounted += 1;
            return Reservation { window: Arc::clone(self), at: now, slots: wanted, is_last: false, is_counted: false };
        }
        inner.forget(now);
        let held: u32 = inner.claims.iter().map(|(_, slots)| *slots).sum();
        let slots = wanted.min(inner.most().saturating_sub(inner.used().saturating_add(held)));
        inner.claims.push((now, slots));
        // Until the recipients of the last day are known, no message falls back because of the tier.
        let is_known = inner.is_counted && inner.unknown.is_none_or(|unknown| unknown.is_told);
        let is_last = slots < wanted && held == 0 && is_known;
        Reservation { window: Arc::clone(self), at: now, slots, is_last, is_counted: true }
    }

    /// Returns slots that were taken at these times for recipients to whom nothing was submitted.
    ///
    /// A recipient's earlier slot counts again.
    pub fn give_back(&self, recipients: impl IntoIterator<Item = (AddressKey, Timestamp)>) {
        let mut inner = self.inner.lock();
        for (recipient, at) in recipients {
            let recipient = recipient.canonical();
            let Some(slot) = inner.recipients.get(&recipient).copied().filter(|slot| slot.at == at) else { continue };
            match slot.before {
                Some(before) => inner.put(recipient, Slot { at: before, ..slot }),
                None => {
                    inner.recipients.remove(&recipient);
                    inner.order.remove(&(at, recipient));
                }
            }
        }
    }

    /// The present tier.
    pub fn tier(&self) -> Tier {
        self.inner.lock().tier
    }

    /// Recipients counted now.
    pub fn used(&self, now: Timestamp) -> u32 {
        let mut inner = self.inner.lock();
        inner.forget(now);
        inner.used()
    }

    /// When the next slot may become free; never at once.
    ///
    /// If the tier was lowered below its usage, the next slot is free only after the excess ones have ended.
    pub fn next_free(&self, now: Timestamp) -> Option<Timestamp> {
        let mut inner = self.inner.lock();
        inner.forget(now);
        let may_change = !inner.claims.is_empty() || !inner.is_counted || inner.used() < inner.most();
        if may_change { Some(now + SOON) } else { inner.next_end() }
    }

    /// When the next slot frees up by itself, whatever the claims in progress return.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let mut inner = self.inner.lock();
        inner.forget(now);
        inner.next_end()
    }
}

impl Reservation {
    pub const fn slots(&self) -> u32 {
        self.slots
    }

    /// Whether no other claim can leave a slot: beyond these the tier is exhausted.
    pub const fn is_last(&self) -> bool {
        self.is_last
    }

    /// Whether recipients need slots at all.
    pub const fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// Recipients who took a slot after this time still hold it.
    pub fn since(&self) -> Timestamp {
        self.at - Tier::HELD
    }

    /// Records the recipients of the claim, each with its own slot or one of these.
    pub fn fill(self, recipients: impl IntoIterator<Item = AddressKey>) {
        let mut inner = self.window.inner.lock();
        if !self.is_counted {
            return;
        }
        for recipient in recipients {
            inner.take(recipient, self.at);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut inner = self.window.inner.lock();
        if !self.is_counted {
            inner.uncounted = inner.uncounted.saturating_sub(1);
            return;
        }
        if let Some(ours) = inner.claims.iter().position(|claim| *claim == (self.at, self.slots)) {
            inner.claims.swap_remove(ours);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Msisdn;

    /// A 24th of the time for which a slot is held.
    const HOUR: Span = Span::from_millis(Tier::HELD.millis() / 24);

    fn recipient(n: i64) -> AddressKey {
        AddressKey::try_from(6_590_000_000 + n).unwrap()
    }

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_millis(hour * HOUR.millis())
    }

    fn window(recipients: impl IntoIterator<Item = (AddressKey, Timestamp)>) -> Arc<TierWindow> {
        Arc::new(TierWindow::new(Tier::Recipients(250), recipients))
    }

    #[test]
    fn two_claims_at_once_share_the_slots_which_free_up_after_a_day() {
        let window = window([]);
        let first = window.reserve(200, hour(0));
        let second = window.reserve(200, hour(1));
        assert_eq!((first.slots(), second.slots()), (200, 50));
        first.fill((0..200).map(recipient));
        second.fill((200..250).map(recipient));
        assert_eq!(window.reserve(1, hour(2)).slots(), 0);
        assert_eq!(window.next_free(hour(2)), Some(hour(24)));
        let third = window.reserve(1_000, hour(24));
        assert_eq!(third.slots(), 200);
        // A claim may return slots at any time; otherwise the next slot ends when its day is over.
        assert_eq!((window.next_free(hour(24)), window.next_end(hour(24))), (Some(hour(24) + SOON), Some(hour(25))));
    }

    #[test]
    fn a_recipient_counts_once_from_the_latest_submission() {
        let window = window([(recipient(1), hour(0)), (recipient(1), hour(3))]);
        assert_eq!([hour(3), hour(24), hour(27)].map(|now| window.used(now)), [1, 1, 0]);
    }

    #[test]
    fn both_spellings_of_a_number_hold_one_slot() {
        let spellings: [AddressKey; 2] =
            ["+5491123456789", "+541123456789"].map(|text| text.parse::<Msisdn>().unwrap().into());
        let window = window([(spellings[0], hour(0)), (spellings[1], hour(1))]);
        assert_eq!(window.used(hour(1)), 1);
        window.reserve(2, hour(2)).fill([spellings[1], recipient(1)]);
        assert_eq!(window.used(hour(2)), 2);
        window.give_back([(spellings[0], hour(2)), (recipient(1), hour(2))]);
        assert_eq!([hour(3), hour(25)].map(|now| window.used(now)), [1, 0], "the earlier slot counts again");
    }

    #[test]
    fn unused_slots_of_a_claim_are_returned() {
        let window = window([]);
        window.reserve(250, hour(0)).fill([recipient(1)]);
        assert_eq!(window.reserve(250, hour(0)).slots(), 249);
    }

    #[test]
    fn a_claim_in_progress_keeps_the_slots_that_it_may_find() {
        let window = window([(recipient(1), hour(0))]);
        let claim = window.reserve(1, hour(23));
        assert_eq!(window.used(hour(24)), 1);
        claim.fill([recipient(1)]);
        assert_eq!([hour(46), hour(47)].map(|now| window.used(now)), [1, 0]);
    }

    #[test]
    fn a_returned_slot_is_free_and_an_earlier_one_counts_again() {
        let window = window([]);
        window.reserve(2, hour(0)).fill([recipient(1)]);
        window.reserve(2, hour(1)).fill([recipient(1), recipient(2)]);
        window.give_back([(recipient(1), hour(1)), (recipient(2), hour(1))]);
        assert_eq!([hour(1), hour(24)].map(|now| window.used(now)), [1, 0]);
    }

    #[test]
    fn a_slot_that_was_taken_again_is_not_returned() {
        let window = window([]);
        for at in [0, 1] {
            window.reserve(1, hour(at)).fill([recipient(1)]);
        }
        window.give_back([(recipient(1), hour(0))]);
        assert_eq!([hour(24), hour(25)].map(|now| window.used(now)), [1, 0]);
    }

    #[test]
    fn a_slot_that_was_taken_twice_at_once_survives_one_return() {
        let window = window([]);
        window.reserve(1, hour(0)).fill([recipient(1)]);
        window.reserve(1, hour(0)).fill([recipient(1)]);
        window.give_back([(recipient(1), hour(0))]);
        assert_eq!(window.used(hour(0)), 1);
    }

    #[test]
    fn a_tier_lowered_below_its_usage_waits_until_enough_slots_end() {
        let window = window((0..10).map(|n| (recipient(n), hour(n))));
        assert!(!window.set_tier(Tier::Recipients(4)));
        assert_eq!((window.reserve(1, hour(10)).slots(), window.used(hour(10))), (0, 10));
        // Ten are counted and four are allowed, so the seventh slot has to end first.
        assert_eq!(window.next_free(hour(10)), Some(hour(24 + 6)));
        assert_eq!([29, 30].map(|at| window.reserve(1, hour(at)).slots()), [0, 1]);
        assert!(!window.set_tier(Tier::Recipients(1_000)));
        assert_eq!(window.reserve(2_000, hour(30)).slots(), 997);
    }

    #[test]
    fn a_tier_that_becomes_limited_waits_until_the_last_day_is_counted() {
        let window = Arc::new(TierWindow::new(Tier::Unlimited, []));
        let under_way = window.reserve(50, hour(0));
        assert_eq!((under_way.slots(), under_way.is_counted()), (50, false));
        assert!(window.set_tier(Tier::Recipients(250)));
        let first = window.reserve(1, hour(1));
        assert_eq!((first.slots(), first.is_counted(), first.is_last()), (0, true, false));
        drop(first);
        assert!(window.is_waited_for(), "the recipients of the earlier claim are not known yet");
        drop(under_way);
        assert!(!window.is_waited_for());
        assert_eq!(window.next_free(hour(1)), Some(hour(1) + SOON));
        window.count((0..248).map(|n| (recipient(n), hour(0))));
        assert_eq!((window.reserve(9, hour(1)).slots(), window.tier()), (2, Tier::Recipients(250)));
        assert!(!window.set_tier(Tier::Unlimited));
        assert_eq!((window.reserve(9, hour(1)).slots(), window.used(hour(1))), (9, 0));
    }

    #[test]
    fn unknown_slots_count_until_their_day_is_over() {
        let window = window([(recipient(1), hour(0)), (recipient(2), hour(6))]);
        let unknown = |recipients, is_told| Some(UnknownSlots { recipients, at: hour(5), is_told });
        window.set_unknown(unknown(248, false));
        let full = window.reserve(1, hour(7));
        // It only counts as full, so nothing falls back because of it.
        assert_eq!((full.slots(), full.is_last(), window.used(hour(7))), (0, false, 250));
        drop(full);
        assert_eq!(window.next_free(hour(7)), Some(hour(24)));
        window.set_unknown(unknown(249, true));
        let spent = window.reserve(1, hour(7));
        assert_eq!((spent.slots(), spent.is_last(), window.used(hour(7))), (0, true, 251));
        drop(spent);
        assert_eq!(window.next_free(hour(7)), Some(hour(29)));
        window.set_unknown(unknown(100, true));
        assert_eq!(window.reserve(200, hour(7)).slots(), 148);
        assert_eq!([28, 29].map(|at| window.used(hour(at))), [101, 1]);
        assert_eq!(window.reserve(250, hour(29)).slots(), 249);
    }

    #[test]
    fn a_late_claim_does_not_hide_a_slot_that_was_taken_twice_since() {
        let window = window([]);
        let late = window.reserve(1, hour(0));
        window.reserve(2, hour(1)).fill([recipient(1), recipient(1)]);
        late.fill([recipient(1)]);
        window.give_back([(recipient(1), hour(1))]);
        assert_eq!([hour(24), hour(25)].map(|now| window.used(now)), [1, 0]);
    }
}
