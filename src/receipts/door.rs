//! The door: who may bring webhooks in, and what is turned away at it.
//!
//! A webhook without its proof is turned away, whoever sends it. But where the provider was told another secret than we
//! were, each of its receipts is, and silence means nothing any more. So what is turned away is looked into for a receipt
//! that names an attempt of ours by its id or its umid: neither can be guessed, so a stranger is counted and holds
//! nothing up. A stranger who posts all the time cannot hide the provider's behind his own either.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::applier::{Listening, find};
use super::incoming::signs;
use super::naming::Adoption;
use super::{FromHeaders, Proofs, Unproven};
use crate::clock::{Chance, Clock};
use crate::domain::{Causes, Span, Timestamp};
use crate::store::{Store, Turned, TurnedAway};

/// How often at most it is told how many there were.
const TELL: Span = Span::from_secs(60);
/// How long at most the database is left alone after it was asked whose receipts a body holds, and how many events of each
/// are read: whoever sends rubbish must not make us work. The rest is drawn anew each time, so nobody can always be there
/// first.
const REST: Span = Span::from_millis(200);
const EVENTS: usize = 20;

/// Whom it tells what it has heard.
type Tell = Arc<dyn Fn(Listening) + Send + Sync>;

pub struct Door {
    proofs: Proofs,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    tell: Tell,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    told: Option<Timestamp>,
    untold: u64,
    /// Not yet on disk.
    unwritten: Vec<Turned>,
    /// When the database may be asked again.
    looks_at: Timestamp,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("proofs", &self.proofs).finish_non_exhaustive()
    }
}

impl Door {
    /// Bytes of the longest body without proof that is looked into: of a longer one nobody needs to read more.
    pub const LOOKED_INTO: usize = 256 << 10;

    pub fn new(proofs: Proofs, store: Arc<dyn Store>, clock: Arc<dyn Clock>, chance: Arc<Chance>, tell: Tell) -> Self {
        Self { proofs, store, clock, chance, tell, counted: Mutex::default() }
    }

    /// What the headers alone tell, before anything of the body is read.
    pub fn told_by_headers(&self, authorization: Option<&[u8]>, signature: Option<&str>) -> FromHeaders {
        self.proofs.told_by_headers(authorization, signature)
    }

    /// Holds a body against the headers it came with. What is turned away is counted, and looked into.
    pub async fn check(
        &self,
        authorization: Option<&[u8]>,
        signature: Option<&str>,
        body: &Bytes,
    ) -> Result<(), Unproven> {
        let checked = self.proofs.check(authorization, signature, body);
        if let Err(unproven) = &checked {
            let why = match unproven {
                Unproven::Signature => TurnedAway::Signature,
                Unproven::Nothing => TurnedAway::Nothing,
            };
            self.note(why, unproven);
            self.look_into(body).await;
        }
        checked
    }

    /// A body was longer than any that the provider sends.
    pub fn too_large(&self) {
        self.note(TurnedAway::TooLarge, &"the body is too large");
    }

    /// What was turned away since the last time that this was asked.
    pub fn take_counts(&self) -> Vec<Turned> {
        std::mem::take(&mut self.lock().unwritten)
    }

    /// They could not be written after all.
    pub fn put_back(&self, counts: &[Turned]) {
        let mut counted = self.lock();
        counts.iter().for_each(|turned| add(&mut counted.unwritten, *turned));
    }

    fn note(&self, why: TurnedAway, in_words: &dyn fmt::Display) {
        let now = self.clock.now();
        let mut counted = self.lock();
        add(&mut counted.unwritten, Turned { why, count: 1, since: now, latest: now });
        counted.untold += 1;
        if counted.told.is_some_and(|told| now.since(told) < TELL) {
            return;
        }
        counted.told = Some(now);
        let count = std::mem::take(&mut counted.untold);
        drop(counted);
        tracing::warn!(reason = %in_words, count, "webhooks are turned away; said once a minute at most");
    }

    async fn look_into(&self, body: &Bytes) {
        if body.len() > Self::LOOKED_INTO {
            return;
        }
        let receipts = signs(body, EVENTS, self.clock.now());
        // Only what might be the provider's costs a look.
        if receipts.is_empty() || !self.may_look() {
            return;
        }
        // It adopts nothing: whose it may be is enough.
        let any = Adoption::at_any_time();
        match find(self.store.as_ref(), &receipts, &any).await {
            Ok(found) => {
                let mut lanes: Vec<_> = found.iter().flatten().map(|found| found.message.lane).collect();
                lanes.sort_unstable();
                lanes.dedup();
                lanes.into_iter().for_each(|lane| (self.tell)(Listening::TurnedAway(lane)));
            }
            Err(error) => {
                tracing::warn!(error = %Causes(&error), "cannot look whose receipts are turned away");
            }
        }
    }

    fn may_look(&self) -> bool {
        let now = self.clock.now();
        let mut counted = self.lock();
        let may = now >= counted.looks_at;
        if may {
            counted.looks_at = now + self.chance.jitter(REST);
        }
        may
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        // Whoever panicked here left a count that is right or one short.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(counts: &mut Vec<Turned>, turned: Turned) {
    match counts.iter_mut().find(|known| known.why == turned.why) {
        Some(known) => {
            known.count += turned.count;
            known.since = known.since.min(turned.since);
            known.latest = known.latest.max(turned.latest);
        }
        None => counts.push(turned),
    }
}
