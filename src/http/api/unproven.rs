//! Reads webhook bodies that are not verified yet: all of them share one budget of memory.
//!
//! A body that waits for its part of the budget is not read, so its sender waits too. Small bodies never wait, and nearly all
//! of the provider's are small: one for each connection fits into 32 MiB beside the budget.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::clock::Clock;
use crate::base::domain::Span;

/// Bytes of all bodies at a time, beyond the free bytes of each.
const BUDGET: usize = 64 << 20;
/// Bytes of each body that do not count.
const FREE: usize = 64 << 10;
/// Bytes taken at once for a body without a declared length.
const STEP: usize = 1 << 20;
/// How long a body waits for its part. The provider waits five seconds for its answer.
const PATIENCE: Span = Span::from_secs(4);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotRead {
    TooLong,
    /// Other bodies used the whole budget until its time was up.
    Busy,
    /// The sender hung up, or sent an invalid body.
    Broken,
}

/// A body, and its part of the budget until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) body: Bytes,
    _part: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// A body that costs nothing of the budget.
    pub(super) const fn without_part(body: Bytes) -> Self {
        Self { body, _part: None }
    }

    /// The body, once it is verified: from then on the queue of receipts bounds it.
    pub(super) fn into_body(self) -> Bytes {
        self.body
    }
}

#[derive(Debug)]
pub(super) struct Budget {
    left: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

impl Budget {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { left: Arc::new(Semaphore::new(BUDGET)), clock }
    }

    /// Reads a body of at most `most` bytes. `declared` is the length that its sender declares.
    pub(super) async fn read(&self, body: Body, declared: Option<usize>, most: usize) -> Result<Held, NotRead> {
        if declared.is_some_and(|declared| declared > most) {
            return Err(NotRead::TooLong);
        }
        let mut chunks = body.into_data_stream();
        let (mut bytes, mut room, mut part) = (Vec::new(), FREE, None);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| NotRead::Broken)?;
            let length = bytes.len() + chunk.len();
            if length > most {
                return Err(NotRead::TooLong);
            }
            if length > room {
                // All of the declared rest at once, because two bodies that wait for each other's part would deadlock.
                let wanted = declared.map_or(STEP, |declared| declared.saturating_sub(room)).min(most - room);
                let wanted = wanted.max(length - room);
                part = merged(part, self.take(wanted).await?);
                room += wanted;
            }
            if bytes.capacity() < length {
                // Reserves exactly what was taken from the budget; a growing vector would reserve more.
                let whole = declared.map_or(room, |declared| declared.min(room)).max(length);
                bytes.reserve_exact(whole - bytes.len());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Held { body: bytes.into(), _part: part })
    }

    async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, NotRead> {
        let bytes = u32::try_from(bytes).map_err(|_| NotRead::TooLong)?;
        let give_up = self.clock.now() + PATIENCE;
        tokio::select! {
            biased;
            part = Arc::clone(&self.left).acquire_many_owned(bytes) => part.map_err(|_| NotRead::Busy),
            () = self.clock.sleep_until(give_up) => Err(NotRead::Busy),
        }
    }
}

fn merged(part: Option<OwnedSemaphorePermit>, more: OwnedSemaphorePermit) -> Option<OwnedSemaphorePermit> {
    match part {
        Some(mut part) => {
            part.merge(more);
            Some(part)
        }
        None => Some(more),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::Timestamp;

    const LARGE: usize = 8 << 20;
    const MIB: usize = 1 << 20;

    fn budget() -> (Arc<Budget>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        (Arc::new(Budget::new(Arc::clone(&clock) as Arc<dyn Clock>)), clock)
    }

    impl Budget {
        fn taken(&self) -> usize {
            BUDGET - self.left.available_permits()
        }
    }

    /// A body that the test sends in parts.
    fn slow() -> (mpsc::Sender<Bytes>, Body) {
        let (sender, chunks) = mpsc::channel::<Bytes>(16);
        let chunks =
            stream::unfold(
                chunks,
                |mut chunks| async move { Some((Ok::<_, Infallible>(chunks.recv().await?), chunks)) },
            );
        (sender, Body::from_stream(chunks))
    }

    async fn until(mut is_so: impl FnMut() -> bool) {
        let waiting = async {
            while !is_so() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), waiting).await.unwrap();
    }

    #[tokio::test]
    async fn slow_unproven_bodies_share_one_budget_and_small_ones_do_not_wait() {
        let (budget, clock) = budget();
        let (mut senders, mut reading) = (Vec::new(), JoinSet::new());
        for _ in 0..40 {
            let (sender, body) = slow();
            sender.try_send(Bytes::from(vec![b'x'; MIB])).unwrap();
            senders.push(sender);
            let budget = Arc::clone(&budget);
            reading.spawn(async move { budget.read(body, Some(LARGE), LARGE).await });
        }
        // Each counts beyond its first 64 KiB: eight fit, and the next body waits with the rest.
        let eight = 8 * (LARGE - FREE);
        until(|| budget.taken() == BUDGET && clock.next_sleeper().is_some()).await;

        let small = Bytes::from(vec![b'y'; FREE]);
        let read = budget.read(Body::from(small.clone()), None, LARGE).await.unwrap();
        assert_eq!((read.body, budget.taken()), (small, BUDGET));

        let mut gave_up = 0;
        until(|| {
            clock.advance(PATIENCE);
            while let Some(read) = reading.try_join_next() {
                assert_eq!(read.unwrap().unwrap_err(), NotRead::Busy);
                gave_up += 1;
            }
            gave_up == 32
        })
        .await;
        assert_eq!(budget.taken(), eight, "a body that gave up returns its part");
        let mut whole = Vec::new();
        for sender in senders {
            // Bodies that gave up read nothing more.
            (0..7).for_each(|_| drop(sender.try_send(Bytes::from(vec![b'x'; MIB]))));
        }
        while let Some(read) = reading.join_next().await {
            whole.push(read.unwrap().unwrap());
        }
        assert!(whole.len() == 8 && whole.iter().all(|held| held.body.len() == LARGE));
        drop(whole);
        assert_eq!(budget.taken(), 0);
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_takes_its_part_as_it_arrives() {
        let (budget, _clock) = budget();
        let (sender, body) = slow();
        let reading = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.read(body, None, LARGE).await }
        });
        let mut sent = 0;
        for _ in 0..5 {
            sender.try_send(Bytes::from(vec![b'x'; MIB / 2])).unwrap();
            sent += MIB / 2;
            until(|| budget.taken() + FREE >= sent).await;
            assert!(budget.taken() <= sent + STEP, "{} for {sent}", budget.taken());
        }
        drop(sender);
        let held = reading.await.unwrap().unwrap();
        assert!(held.body.len() == sent && budget.taken() + FREE >= sent);
        drop(held);
        assert_eq!(budget.taken(), 0);
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_not_read_to_its_end_and_takes_no_budget() {
        let (budget, _clock) = budget();
        let (sender, body) = slow();
        (0..4).for_each(|_| sender.try_send(Bytes::from(vec![b'x'; MIB])).unwrap());
        assert_eq!(budget.read(body, None, 2 * MIB).await.unwrap_err(), NotRead::TooLong);
        assert_eq!(budget.taken(), 0);
        let lying = Body::from(vec![b'x'; 3 * MIB]);
        assert_eq!(budget.read(lying, Some(10), 4 * MIB).await.unwrap().body.len(), 3 * MIB);
    }
}
