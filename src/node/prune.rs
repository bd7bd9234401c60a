//! Removes old strays, tier slots, audit entries, deliveries, sessions, unfinished campaigns and answers of the API at a node's start and once a
//! day, and then the campaigns past their retention.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::domain::{Causes, FaultReport, Span, Tier, Timestamp};
use crate::campaigns::campaign;
use crate::http::outgoing;
use crate::store::{Result, Store};

/// How long strays are kept: as long as the longest usual receipt window.
pub(super) const STRAYS_KEPT: Span = Span::from_secs(30 * 86_400);
/// How long the answers to requests with an idempotency key are kept.
const REQUESTS_KEPT: Span = Span::from_secs(86_400);
/// How long sessions that are not used are kept; they end long before.
const SESSIONS_KEPT: Span = Span::from_secs(30 * 86_400);
/// How long a campaign that is being written is kept after its last change.
const SKETCHES_KEPT: Span = Span::from_secs(90 * 86_400);
const EVERY: Span = Span::from_secs(86_400);
/// Pause after a failure of the store.
const AFTER_FAILURE: Span = Span::from_secs(60);

/// Removes old rows, in pieces that keep each write transaction short.
#[derive(Debug)]
pub(super) struct Pruner {
    store: Arc<dyn Store>,
    /// How long a settled campaign is kept.
    retention: Option<Span>,
    /// How long an entry of the audit log is kept.
    audit_retention: Option<Span>,
    next: Timestamp,
}

impl Pruner {
    /// A pruner that is due at once.
    pub(super) const fn new(
        store: Arc<dyn Store>,
        retention: Option<Span>,
        audit_retention: Option<Span>,
        now: Timestamp,
    ) -> Self {
        Self { store, retention, audit_retention, next: now }
    }

    /// Prunes if a day has passed since the last time. Returns the time of the next run.
    pub(super) async fn run_once(&mut self, now: Timestamp) -> Result<Timestamp> {
        if now >= self.next {
            self.store.forget_slots(now - Tier::HELD).await?;
            self.store.forget_old_strays(now - STRAYS_KEPT).await?;
            if let Some(after) = self.audit_retention {
                self.store.forget_audit(now - after).await?;
            }
            self.store.forget_old_requests(now - REQUESTS_KEPT).await?;
            self.store.forget_sessions(now - SESSIONS_KEPT).await?;
            self.store.forget_sketches(now - SKETCHES_KEPT).await?;
            self.store.forget_shared_reports(now).await?;
            self.store.forget_deliveries(now - outgoing::KEPT).await?;
            self.next = now + EVERY;
        }
        Ok(self.next)
    }

    /// Purges the campaigns past their retention, in pieces, however long that takes.
    async fn purge(&self, clock: &dyn Clock) -> Result<()> {
        let Some(after) = self.retention else { return Ok(()) };
        let overdue = campaign::overdue(self.store.as_ref(), clock.now() - after).await?;
        campaign::purge(self.store.as_ref(), clock, &overdue, |_| ()).await.map(drop)
    }

    pub(super) async fn run(mut self, clock: Arc<dyn Clock>, stop: CancellationToken) {
        let failure = FaultReport::default();
        let mut purged_until = None;
        while !stop.is_cancelled() {
            let pruned = self.run_once(clock.now()).await;
            let done = match pruned {
                // Once a day, after the rest. A stop of the server interrupts it.
                Ok(next) if purged_until != Some(next) => tokio::select! {
                    () = stop.cancelled() => return,
                    purged = self.purge(clock.as_ref()) => purged.map(|()| next),
                },
                pruned => pruned,
            };
            let next = match done {
                Ok(next) => {
                    purged_until = Some(next);
                    failure.ends();
                    next
                }
                Err(error) => {
                    if failure.begins() {
                        tracing::warn!(error = %Causes(&error), "cannot remove old data; retrying");
                    }
                    clock.now() + AFTER_FAILURE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.sleep_until(next) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::{AuditAction, BatchId, BatchState, Channel, Plan, SketchId, Step, Tag};
    use crate::base::events::Origin;
    use crate::store::{self, AuditActor, AuditEntry, Cursor, KnownAs, NewAudience, NewBatch, Sketch};

    async fn settled(store: &dyn Store, at: Timestamp) -> BatchId {
        let (known_as, source) = (KnownAs::Nothing, "recipients.csv".to_owned());
        let audience = NewAudience { known_as, source, columns: Vec::new(), now: at };
        let audience = store.begin_audience(audience).await.unwrap();
        store.publish_audience(audience, 0, "{}".to_owned()).await.unwrap();
        let new = NewBatch {
            tag: Tag::from_random(1),
            plan: Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")]),
            name: None,
            audience: "recipients".to_owned(),
            audience_ids: vec![audience],
            starts_at: None,
            open_until: None,
            now: at,
        };
        let batch = store.begin_batch(new).await.unwrap();
        store.publish_batch(batch, BatchState::Running, Origin::SERVER, at).await.unwrap();
        for (from, to) in [(BatchState::Running, BatchState::Finished), (BatchState::Finished, BatchState::Settled)] {
            store.move_batch(batch, vec![from], to, None, at).await.unwrap();
        }
        batch
    }

    #[tokio::test]
    async fn audit_entries_are_deleted_once_their_retention_is_over() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let day = |days: i64| Span::from_secs(days * 86_400);
        let entry = |age: i64| AuditEntry {
            at: clock.now() - day(age),
            actor: AuditActor::Command { name: "Ann".to_owned() },
            request: None,
            action: AuditAction::KeyCreated,
            object: None,
            http_status: None,
        };
        store.record_audit(vec![entry(401), entry(399), entry(0)]).await.unwrap();
        for (retention, kept) in [(None, 3), (Some(day(400)), 2)] {
            Pruner::new(Arc::clone(&store), None, retention, clock.now()).run_once(clock.now()).await.unwrap();
            assert_eq!(store.audit_entries(Cursor::START, 9).await.unwrap().len(), kept);
        }
    }

    #[tokio::test]
    async fn an_unfinished_campaign_is_kept_for_90_days_after_its_last_change() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        for days in [89_u64, 91] {
            let changed_at = clock.now() - Span::from_secs(i64::try_from(days).unwrap() * 86_400);
            let sketch = Sketch {
                id: SketchId::new(days),
                campaign: "{}".to_owned(),
                version: 1,
                created_at: changed_at,
                changed_at,
                changed_by: "ann".to_owned(),
                launch: None,
            };
            store.create_sketch(sketch).await.unwrap();
        }
        Pruner::new(Arc::clone(&store), None, None, clock.now()).run_once(clock.now()).await.unwrap();
        let kept: Vec<u64> = store.sketches(None, 9).await.unwrap().iter().map(|sketch| sketch.id.get()).collect();
        assert_eq!(kept, [89]);
    }

    #[tokio::test]
    async fn a_campaign_is_purged_when_its_retention_is_over() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let day = |days: i64| Span::from_secs(days * 86_400);
        let old = settled(store.as_ref(), clock.now() - day(91)).await;
        let young = settled(store.as_ref(), clock.now() - day(89)).await;
        let purged_at = async |batch| store.batch(batch).await.unwrap().unwrap().purged_at;
        for (retention, wanted) in [(None, None), (Some(day(90)), Some(clock.now()))] {
            Pruner::new(Arc::clone(&store), retention, None, clock.now()).purge(clock.as_ref()).await.unwrap();
            assert_eq!((purged_at(old).await, purged_at(young).await), (wanted, None));
        }
    }
}
