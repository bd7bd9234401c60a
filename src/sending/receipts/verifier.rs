//! Verifies webhooks: whether they come from the provider, and what is rejected.
//!
//! A webhook without proof is rejected. If the provider's secret differs from ours, all of its receipts are rejected. A
//! missing receipt then does not prove that a message failed, so deadlines have to wait. To notice this, each rejected
//! body is searched for a receipt that names an attempt of ours by its id or its umid. Strangers cannot guess these, so
//! their webhooks are counted but delay no deadline. The search is sampled, so a stranger who posts all the time cannot
//! hide the provider's receipts.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::applier::Listening;
use super::finding::find;
use super::incoming::unproven_receipts;
use super::naming::Adoption;
use super::{FromHeaders, Proofs, Unproven};
use crate::base::clock::{Chance, Clock};
use crate::base::domain::{Causes, Span, Timestamp};
use crate::store::{RejectionReason, Store, TurnedAway};

/// The shortest time between two warnings about rejected webhooks.
const WARNING_INTERVAL: Span = Span::from_secs(60);
/// The longest time between two searches of the database for the attempts of a rejected body. It is drawn at random each
/// time, so no stranger can always come first.
const SEARCH_INTERVAL: Span = Span::from_millis(200);
/// Events of a rejected body that are searched, because a body without proof may hold any number.
const SEARCHED_EVENTS: usize = 20;

/// Receives the lanes whose receipts were rejected.
type Report = Arc<dyn Fn(Listening) + Send + Sync>;

pub struct Verifier {
    proofs: Proofs,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    report: Report,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    warned: Option<Timestamp>,
    unreported: u64,
    /// Not yet on disk.
    unwritten: Vec<TurnedAway>,
    /// When the database may be searched again.
    search_from: Timestamp,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("proofs", &self.proofs).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Bytes of the longest rejected body that is searched; a longer one need not be read to its end.
    pub const SEARCHED_MAX: usize = 256 << 10;

    pub fn new(
        proofs: Proofs,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
        report: Report,
    ) -> Self {
        Self { proofs, store, clock, chance, report, counted: Mutex::default() }
    }

    /// What the headers alone prove, before the body is read.
    pub fn check_headers(&self, authorization: Option<&[u8]>, signature: Option<&str>) -> FromHeaders {
        self.proofs.check_headers(authorization, signature)
    }

    /// Checks a body against its headers. A rejected body is counted and searched for receipts of ours.
    pub async fn check(
        &self,
        authorization: Option<&[u8]>,
        signature: Option<&str>,
        body: &Bytes,
    ) -> Result<(), Unproven> {
        let checked = self.proofs.check(authorization, signature, body);
        if let Err(unproven) = &checked {
            let why = match unproven {
                Unproven::Signature => RejectionReason::Signature,
                Unproven::Nothing => RejectionReason::Nothing,
            };
            self.count(why, unproven);
            self.search(body).await;
        }
        checked
    }

    /// Counts a body that was rejected because of its size.
    pub fn count_too_large(&self) {
        self.count(RejectionReason::TooLarge, &"the body is too large");
    }

    /// Takes the counts of what was turned away since the last call.
    pub fn take_counts(&self) -> Vec<TurnedAway> {
        std::mem::take(&mut self.lock().unwritten)
    }

    /// Adds counts of others, or those that [`Verifier::take_counts`] returned and that could not be written.
    pub fn add_counts(&self, counts: &[TurnedAway]) {
        let mut counted = self.lock();
        counts.iter().for_each(|rejected| add(&mut counted.unwritten, *rejected));
    }

    fn count(&self, why: RejectionReason, in_words: &dyn fmt::Display) {
        let now = self.clock.now();
        let mut counted = self.lock();
        add(&mut counted.unwritten, TurnedAway { why, count: 1, since: now, latest: now });
        counted.unreported += 1;
        if counted.warned.is_some_and(|warned| now.since(warned) < WARNING_INTERVAL) {
            return;
        }
        counted.warned = Some(now);
        let count = std::mem::take(&mut counted.unreported);
        drop(counted);
        tracing::warn!(reason = %in_words, count, "webhooks are rejected (logged at most once a minute)");
    }

    async fn search(&self, body: &Bytes) {
        if body.len() > Self::SEARCHED_MAX {
            return;
        }
        let receipts = unproven_receipts(body, SEARCHED_EVENTS, self.clock.now());
        // Only bodies that may be the provider's cost a search.
        if receipts.is_empty() || !self.begin_search() {
            return;
        }
        // The search adopts nothing, so the time does not matter.
        let any = Adoption::unlimited();
        match find(self.store.as_ref(), &receipts, &any).await {
            Ok(found) => {
                let mut lanes: Vec<_> = found.iter().flatten().map(|found| found.message.lane).collect();
                lanes.sort_unstable();
                lanes.dedup();
                lanes.into_iter().for_each(|lane| (self.report)(Listening::Rejected(lane)));
            }
            Err(error) => {
                tracing::warn!(error = %Causes(&error), "cannot search rejected webhooks for receipts of ours");
            }
        }
    }

    fn begin_search(&self) -> bool {
        let now = self.clock.now();
        let mut counted = self.lock();
        let may = now >= counted.search_from;
        if may {
            counted.search_from = now + self.chance.jitter(SEARCH_INTERVAL);
        }
        may
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, Counted> {
        // A panic here leaves a count that is correct or one short.
        self.counted.lock()
    }
}

fn add(counts: &mut Vec<TurnedAway>, rejected: TurnedAway) {
    match counts.iter_mut().find(|known| known.why == rejected.why) {
        Some(known) => {
            known.count += rejected.count;
            known.since = known.since.min(rejected.since);
            known.latest = known.latest.max(rejected.latest);
        }
        None => counts.push(rejected),
    }
}
