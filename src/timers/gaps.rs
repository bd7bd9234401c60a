//! Times in which nobody listened, as this node knows them: those that are over, and the one that goes on now.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::domain::{AfterGap, Span, Timestamp};
use crate::engine::{self, Gap, REPEATED_FOR, Silence};
use crate::store::Deafness;

/// How long a deadline rests while nobody knows whether receipts can be kept.
const IN_DOUBT: Span = Span::from_secs(1);
/// How long it rests while receipts are turned away: its row is written anew each time, and there may be many.
const WHILE_DEAF: Span = Span::from_secs(10);
/// For so long no receipt of ours may have been turned away before a proven one counts: what was fixed for one of two
/// senders is not fixed.
const QUIET: Span = Span::from_secs(10);
/// Without another sign of it, and without a receipt that is proven, a deafness is over some time: nobody
/// says anything any more, so nothing is missed.
const FORGOTTEN: Span = Span::from_secs(3_600);

/// How old news has to be, of which no webhook has told, to say something about the webhooks: the provider has tried four
/// times by then.
const OVERDUE: Span = Span::from_secs(45);
/// So many of them say that webhooks do not get to us; one may be lost by itself.
const PROOF: u32 = 3;

#[derive(Debug)]
pub struct Gaps {
    inner: Mutex<Inner>,
    /// Read for every webhook that is taken.
    is_deaf: AtomicBool,
    /// When the last proven webhook came, or this node began to listen.
    heard_at: AtomicI64,
}

#[derive(Debug)]
struct Inner {
    ended: engine::Gaps,
    /// Up to when it is sure that receipts could be kept.
    sure_until: Timestamp,
    in_doubt: bool,
    /// Since when receipts have come that are not applied yet.
    behind: Option<Timestamp>,
    deaf: Option<Turning>,
    /// News in a row that only asking brought.
    unheard: u32,
}

/// Receipts of ours do not get to us.
#[derive(Debug, Clone, Copy)]
struct Turning {
    how: Deafness,
    since: Timestamp,
    last: Timestamp,
    /// When one with a proof came, behind the last sign that they do not.
    heard: Option<Timestamp>,
}

/// What becomes of a deafness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deaf {
    /// It goes on since then.
    Since(Timestamp, Deafness),
    /// It is over, and until then the gap that it has left holds deadlines; nothing where what was missed is lost.
    Over(Gap, Option<Timestamp>),
}

impl Gaps {
    pub fn new(now: Timestamp) -> Self {
        let inner = Inner {
            ended: engine::Gaps::default(),
            sure_until: now,
            in_doubt: false,
            behind: None,
            deaf: None,
            unheard: 0,
        };
        let (is_deaf, heard_at) = (AtomicBool::new(false), AtomicI64::new(now.millis()));
        Self { inner: Mutex::new(inner), is_deaf, heard_at }
    }

    /// Holds from now on what a gap has made doubtful. Returns until when; nothing where it is lost for good.
    pub fn add(&self, gap: Gap) -> Option<Timestamp> {
        self.lock().ended.add(gap)
    }

    /// Something could not be written, so receipts cannot be kept either. No deadline fires until it is known again
    /// that they can.
    pub fn doubt(&self) {
        self.lock().in_doubt = true;
    }

    /// Receipts that came since then could not be kept. Whoever wrote something meanwhile was luckier than they were.
    pub fn doubt_since(&self, since: Timestamp) {
        let mut inner = self.lock();
        inner.in_doubt = true;
        inner.sure_until = inner.sure_until.min(since);
    }

    /// Something has been written at `now`. Returns the gap that has ended by it, if there was one, and until when it
    /// holds deadlines.
    pub fn sure(&self, now: Timestamp) -> Option<(Gap, Option<Timestamp>)> {
        let mut inner = self.lock();
        let gap = Gap { from: std::mem::replace(&mut inner.sure_until, now), until: now };
        std::mem::take(&mut inner.in_doubt).then(|| (gap, inner.ended.add(gap)))
    }

    /// What has come since then is still to be applied; nothing where all of it is.
    pub fn behind(&self, since: Option<Timestamp>) {
        self.lock().behind = since;
    }

    /// Up to when everything that has come is applied. What is due later waits: the receipt that decides otherwise may be
    /// here already.
    pub(super) fn applied_until(&self, now: Timestamp) -> Timestamp {
        let behind = self.lock().behind;
        behind.map_or(now, |since| now.min(since - Span::from_millis(1)))
    }

    /// A receipt of an attempt of ours has just been turned away: what the provider says does not get to us.
    pub fn turned_away(&self, now: Timestamp) {
        self.not_heard(&mut self.lock(), Deafness::TurnedAway, now, now);
    }

    /// The provider was asked, and has news that it says it had at `said`, of which no webhook has told. Where none at all
    /// has come since, and this happens again and again, they do not get to us: a wrong address, a certificate that has
    /// expired, a proxy that answers for us.
    pub fn unheard(&self, said: Timestamp, now: Timestamp) {
        let heard_at = Timestamp::from_millis(self.heard_at.load(Ordering::Acquire));
        let mut inner = self.lock();
        if heard_at >= said || now.since(said) < OVERDUE {
            inner.unheard = 0;
            return;
        }
        inner.unheard += 1;
        if inner.unheard >= PROOF {
            self.not_heard(&mut inner, Deafness::Unheard, heard_at, now);
        }
    }

    fn not_heard(&self, inner: &mut Inner, how: Deafness, since: Timestamp, now: Timestamp) {
        let (since, how) = inner.deaf.map_or((since, how), |deaf| (deaf.since, deaf.how));
        inner.deaf = Some(Turning { how, since, last: now, heard: None });
        self.is_deaf.store(true, Ordering::Release);
    }

    /// A webhook with its proof has come.
    pub fn heard(&self, now: Timestamp) {
        self.heard_at.store(now.millis(), Ordering::Release);
        if !self.is_deaf.load(Ordering::Acquire) {
            return;
        }
        if let Some(deaf) = &mut self.lock().deaf {
            deaf.heard.get_or_insert(now);
        }
    }

    /// Whether receipts of ours do not get to us now, or did not until just now.
    pub fn deaf(&self, now: Timestamp) -> Option<Deaf> {
        if !self.is_deaf.load(Ordering::Acquire) {
            return None;
        }
        let mut inner = self.lock();
        let Turning { how, since, last, heard } = inner.deaf?;
        let until = match heard {
            Some(heard) if now.since(last) >= QUIET => heard,
            None if now.since(last) >= FORGOTTEN => now,
            Some(_) | None => return Some(Deaf::Since(since, how)),
        };
        inner.deaf = None;
        self.is_deaf.store(false, Ordering::Release);
        let gap = Gap { from: since, until };
        Some(Deaf::Over(gap, inner.ended.add(gap)))
    }

    /// Up to when everything that the provider said was taken, where something can be written at `now`. In doubt that is
    /// not known before something has been: whoever writes this down may not live to tell of the gap.
    pub fn listening_until(&self, now: Timestamp) -> Timestamp {
        let inner = self.lock();
        let sure = if inner.in_doubt { inner.sure_until.min(now) } else { now };
        // What has come since then is not taken yet, and whoever dies now has lost it.
        let sure = inner.behind.map_or(sure, |behind| behind.min(sure));
        inner.deaf.map_or(sure, |deaf| deaf.since.min(sure))
    }

    /// The gaps that are over, and of which the provider has given up on something.
    pub fn lost(&self) -> Vec<Gap> {
        self.lock().ended.lost().collect()
    }

    /// Whether the provider was asked late enough, at `asked`, about a step that was accepted at `accepted` and was due
    /// at `due`: at its due time, or since everything is heard that is said of it.
    pub(super) fn is_filled(&self, accepted: Timestamp, due: Timestamp, asked: Timestamp) -> bool {
        let inner = self.lock();
        let is_deaf = inner.deaf.is_some_and(|deaf| due >= deaf.since);
        let heard_since = inner.ended.heard_since(accepted, due).filter(|_| !is_deaf);
        asked >= due || heard_since.is_some_and(|since| asked >= since)
    }

    /// What silence is worth for a step that was accepted at `accepted` and was due at `due`.
    pub(super) fn silence(&self, after_gap: AfterGap, accepted: Timestamp, due: Timestamp, now: Timestamp) -> Silence {
        let inner = self.lock();
        // What an earlier gap has swallowed may have been repeated in vain since this one began.
        let is_still_repeated = |since| matches!(inner.ended.silence(accepted, due, since), Silence::Held { .. });
        let concerns = |since| due >= since || is_still_repeated(since);
        if inner.in_doubt && concerns(inner.sure_until) {
            return Silence::Held { until: now + IN_DOUBT };
        }
        match inner.deaf.filter(|deaf| concerns(deaf.since)) {
            // A gap that goes on, and that somebody can end, is no gap to fall back after.
            Some(deaf) if after_gap == AfterGap::FallBack || now.since(deaf.since) <= REPEATED_FOR => {
                Silence::Held { until: now + WHILE_DEAF }
            }
            Some(_) => Silence::Lost,
            None => inner.ended.silence(accepted, due, now),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    impl Gaps {
        fn plain(&self, accepted: Timestamp, due: Timestamp, now: Timestamp) -> Silence {
            self.silence(AfterGap::Ask, accepted, due, now)
        }
    }

    #[test]
    fn what_a_gap_has_swallowed_may_be_repeated_into_the_time_that_follows_it() {
        let gaps = Gaps::new(second(90));
        gaps.add(Gap { from: second(60), until: second(90) });
        let (accepted, due) = (second(50), second(80));
        assert!(matches!(gaps.plain(accepted, due, second(91)), Silence::Held { .. }));
        // All that was missed has been repeated 41 s behind its end, but for what nobody could take.
        assert_eq!(gaps.plain(accepted, due, second(140)), Silence::Trusted);
        gaps.doubt_since(second(100));
        assert_eq!(gaps.plain(accepted, due, second(140)), Silence::Held { until: second(141) });
        assert_eq!(gaps.plain(second(10), second(50), second(140)), Silence::Trusted, "it was due before either");
        let deaf = Gaps::new(second(90));
        deaf.add(Gap { from: second(60), until: second(90) });
        deaf.turned_away(second(100));
        assert!(matches!(deaf.plain(accepted, due, second(140)), Silence::Held { .. }));
    }

    #[test]
    fn while_nothing_can_be_written_no_deadline_fires_and_then_its_repeats_are_waited_for() {
        let gaps = Gaps::new(second(90));
        assert_eq!(gaps.sure(second(100)), None);
        assert_eq!(gaps.plain(second(50), second(103), second(105)), Silence::Trusted);
        gaps.doubt();
        assert!(matches!(gaps.plain(second(50), second(103), second(105)), Silence::Held { .. }));
        assert_eq!(gaps.plain(second(50), second(99), second(105)), Silence::Trusted, "due while we listened");
        assert_eq!(gaps.listening_until(second(105)), second(100), "whoever dies now has listened no longer");
        let (gap, filled) = gaps.sure(second(110)).unwrap();
        assert_eq!((gap.from, gap.until), (second(100), second(110)));
        let filled = filled.unwrap();
        assert_eq!(gaps.plain(second(50), second(103), second(111)), Silence::Held { until: filled });
        assert_eq!(gaps.plain(second(50), second(103), filled), Silence::Trusted);
        assert_eq!(gaps.sure(second(120)), None);
    }

    #[test]
    fn receipts_that_were_not_kept_are_doubtful_from_when_they_came() {
        let gaps = Gaps::new(second(90));
        gaps.sure(second(100));
        // They waited for ten seconds while others could still write.
        gaps.doubt_since(second(95));
        assert!(matches!(gaps.plain(second(50), second(96), second(105)), Silence::Held { .. }));
        assert_eq!(gaps.plain(second(50), second(94), second(105)), Silence::Trusted);
        let (gap, _) = gaps.sure(second(106)).unwrap();
        assert_eq!((gap.from, gap.until), (second(95), second(106)));
    }

    #[test]
    fn while_receipts_are_turned_away_silence_decides_nothing_and_the_watermark_stands() {
        let gaps = Gaps::new(second(0));
        assert_eq!((gaps.deaf(second(1)), gaps.listening_until(second(1))), (None, second(1)));
        gaps.turned_away(second(100));
        gaps.turned_away(second(150));
        assert_eq!(gaps.deaf(second(160)), Some(Deaf::Since(second(100), Deafness::TurnedAway)));
        assert_eq!(gaps.listening_until(second(160)), second(100));
        assert_eq!(gaps.plain(second(50), second(99), second(160)), Silence::Trusted, "due while we listened");
        assert!(matches!(gaps.plain(second(50), second(120), second(160)), Silence::Held { .. }));
        // Their repeats are turned away as well, so what they said has to be asked for.
        assert_eq!(gaps.plain(second(50), second(120), second(232)), Silence::Lost);
        // Who wants to fall back after a gap waits for its end.
        let falls_back = gaps.silence(AfterGap::FallBack, second(50), second(120), second(9_999));
        assert!(matches!(falls_back, Silence::Held { .. }));
    }

    #[test]
    fn a_proven_webhook_ends_the_deafness_unless_others_are_still_turned_away() {
        let gaps = Gaps::new(second(0));
        gaps.turned_away(second(100));
        gaps.heard(second(101));
        gaps.turned_away(second(102));
        gaps.heard(second(104));
        assert_eq!(
            gaps.deaf(second(111)),
            Some(Deaf::Since(second(100), Deafness::TurnedAway)),
            "some are taken, and some are not"
        );
        let Some(Deaf::Over(gap, filled)) = gaps.deaf(second(112)) else { panic!("still deaf") };
        assert_eq!((gap.from, gap.until), (second(100), second(104)));
        assert!(filled.is_some_and(|filled| filled > second(104)), "the repeats are waited for");
        assert_eq!((gaps.deaf(second(113)), gaps.listening_until(second(113))), (None, second(113)));
        assert_eq!(gaps.plain(second(105), second(120), second(130)), Silence::Trusted);
    }

    #[test]
    fn news_that_only_asking_brings_again_and_again_say_that_webhooks_do_not_come() {
        let gaps = Gaps::new(second(0));
        gaps.heard(second(100));
        gaps.unheard(second(110), second(160));
        gaps.unheard(second(112), second(161));
        gaps.unheard(second(130), second(162));
        assert_eq!(gaps.deaf(second(163)), None, "one is young enough to be repeated");
        for said in [110, 111, 112] {
            assert_eq!(gaps.deaf(second(164)), None);
            gaps.unheard(second(said), second(164));
        }
        assert_eq!(gaps.deaf(second(165)), Some(Deaf::Since(second(100), Deafness::Unheard)));
        assert!(matches!(gaps.plain(second(50), second(120), second(165)), Silence::Held { .. }));
        assert_eq!(gaps.listening_until(second(165)), second(100));
        gaps.heard(second(170));
        assert!(matches!(gaps.deaf(second(175)), Some(Deaf::Over(gap, _)) if gap.until == second(170)));
        for said in [110, 111, 112] {
            gaps.unheard(second(said), second(180));
        }
        assert_eq!(gaps.deaf(second(180)), None, "webhooks come, and some were lost");
    }

    #[test]
    fn a_deafness_of_which_nothing_more_is_heard_is_over_some_time() {
        let gaps = Gaps::new(second(0));
        gaps.turned_away(second(100));
        assert_eq!(gaps.deaf(second(3_699)), Some(Deaf::Since(second(100), Deafness::TurnedAway)));
        assert!(matches!(gaps.deaf(second(3_700)), Some(Deaf::Over(gap, None)) if gap.until == second(3_700)));
    }
}
