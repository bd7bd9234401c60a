//! Queries the provider about attempts without a result.
//!
//! In: waiting messages, the gaps in which receipts may be missing, and a client for the provider's message details.
//! Out: the provider's answers, applied as receipts are; waived deadlines, decided.
//!
//! Promises:
//! - At most one query a second for each subaccount, also if a 429 asks for less.
//! - The most valuable queries come first.
//! - A message that the provider does not know is queried again with growing pauses.
//! - Queries are on disk, so a restart resumes, forgets no message and repeats no query.
//! - Memory holds one page of candidates, however many there are.
//! - No deadline waits for its query.
//!
//! May not: decide about a message (the engine does), or apply an answer in another way than a receipt.

mod quiet;
mod search;

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::OptionFuture;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::domain::{Causes, LaneId, Marks, MessageKey, Span, StepIndex, Timestamp, Umid};
use crate::provider::client::{Client, DetailsAnswer, Reach};
use crate::rules::engine::{Event, Silence};
use crate::sending::book::{Book, Entry};
use crate::sending::receipts::{Intake, News};
use crate::sending::timers::{Gaps, ON_ITS_WAY};
use crate::store::{Query, QueryState, Result, Store};
use search::{Found, Search};

/// Pause between queries. The provider answers one a second for each subaccount; the pause is a little longer, because
/// delays vary.
const SPACING: Span = Span::from_millis(1_020);
/// Interval at which the asker looks for candidates.
const SEARCH_INTERVAL: Span = Span::from_secs(5);
/// The first rest after a query without an answer; it doubles up to the second.
const FIRST_REST: Span = Span::from_secs(2);
const LONGEST_REST: Span = Span::from_secs(60);
/// The rest after a refusal, which an operator has to resolve.
const REFUSED_REST: Span = Span::from_secs(60);
/// The longest rest after throttling: no provider means hours, and the query is repeated. A throttling up to the second
/// constant is the normal quota; a longer one is reported to operators.
const LONGEST_THROTTLE: Span = Span::from_secs(240);
const COMMON_THROTTLE: Span = Span::from_secs(5);
/// After so many queries in a row without an answer, a message is put off as if the provider did not know it.
const MAX_UNANSWERED: u32 = 5;
/// The pauses before a message that the provider does not know is queried again.
const PAUSES: [Span; 6] = [
    Span::from_secs(60),
    Span::from_secs(300),
    Span::from_secs(1_800),
    Span::from_secs(7_200),
    Span::from_secs(21_600),
    Span::from_secs(86_400),
];

/// The parts of an asker.
#[derive(Debug)]
pub struct AskerParts {
    pub store: Arc<dyn Store>,
    pub book: Arc<Book>,
    pub clock: Arc<dyn Clock>,
    pub gaps: Arc<Gaps>,
    pub intake: Intake,
    pub client: Client,
    /// The provider address of the client, among those of `gaps`.
    pub address: Option<usize>,
    pub sub_account: String,
    /// The lanes whose attempts the subaccount knows.
    pub lanes: HashSet<LaneId>,
}

/// An attempt to query.
#[derive(Debug, Clone)]
struct Candidate {
    entry: Arc<Entry>,
    key: MessageKey,
    step: StepIndex,
    umid: Umid,
    /// How often it was queried before.
    tries: u16,
    due: Timestamp,
    /// Whether a webhook should have reported the answer by now.
    is_overdue: bool,
    /// Whether the fallbacks of other messages wait for the answer.
    is_inquiry: bool,
    /// The marks of the message at the time of the query.
    known: Marks,
}

/// Queries attempts of one subaccount.
#[derive(Debug)]
pub struct Asker {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    intake: Intake,
    client: Client,
    sub_account: String,
    search: Search,
    gaps: Arc<Gaps>,
    address: Option<usize>,
    /// The earliest time of the next query.
    free_at: Timestamp,
    /// The number of queries in a row without an answer.
    failures: u32,
    failed_on: Option<(MessageKey, u32)>,
    trouble: Option<String>,
}

impl Asker {
    pub fn new(parts: AskerParts) -> Self {
        let AskerParts { store, book, clock, gaps, intake, client, address, sub_account, lanes } = parts;
        let search = Search::new(Arc::clone(&store), book, Arc::clone(&gaps), Arc::clone(&clock), (lanes, address));
        Self {
            store,
            clock,
            intake,
            client,
            sub_account,
            search,
            gaps,
            address,
            free_at: Timestamp::default(),
            failures: 0,
            failed_on: None,
            trouble: None,
        }
    }

    /// Queries until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let (clock, gaps, address) = (Arc::clone(&self.clock), Arc::clone(&self.gaps), self.address);
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                // A query that is dropped half-way has changed nothing at the provider.
                asked = self.run_once() => asked.unwrap_or_else(|error| {
                    tracing::warn!(error = %Causes(&error), "cannot look for attempts to query; retrying");
                    clock.now() + SEARCH_INTERVAL
                }),
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = clock.sleep_until(next) => {}
                Some(()) = OptionFuture::from(address.map(|address| gaps.wants_query(address))) => {}
            }
        }
    }

    /// Makes one query at most. Returns when to continue.
    pub async fn run_once(&mut self) -> Result<Timestamp> {
        let now = self.clock.now();
        if now < self.free_at {
            return Ok(self.free_at);
        }
        let candidate = match self.inquiry(now).await? {
            Some(candidate) => Some(candidate),
            None => self.search.next(now).await?,
        };
        let Some(candidate) = candidate else { return self.keep_proof(now).await };
        self.free_at = now + SPACING;
        self.ask(candidate).await?;
        Ok(self.free_at)
    }

    /// The attempt to query before many other messages fall back.
    async fn inquiry(&self, now: Timestamp) -> Result<Option<Candidate>> {
        let Some(address) = self.address else { return Ok(None) };
        while let Some((key, step)) = self.gaps.inquiry(address) {
            match self.search.about(key, step).await? {
                Found::Candidate(candidate) => return Ok(Some(candidate)),
                Found::OfAnother => return Ok(None),
                Found::Nothing => self.gaps.record_inquiry(address, key, None, now),
            }
        }
        Ok(None)
    }

    /// Keeps the proof of reachability recent while deadlines are pending.
    ///
    /// An occasional harmless read does it, so one failed request puts little time in doubt. Soon after a failure, a
    /// read shows whether it was an exception. It also ends a doubt soon after the provider is reachable again.
    async fn keep_proof(&mut self, now: Timestamp) -> Result<Timestamp> {
        let next = now + SEARCH_INTERVAL;
        let Some(address) = self.address else { return Ok(next) };
        let wanted_at = self.gaps.proof_wanted_at(address);
        if now < wanted_at {
            return Ok(next.min(wanted_at));
        }
        if !self.gaps.is_unreachable(address) && !self.search.may_have_deadlines(address).await? {
            self.gaps.note_idle(address, now);
            return Ok(next);
        }
        self.free_at = now + SPACING;
        if let Reach::Failed { why } = self.client.probe().await {
            tracing::debug!(
                sub_account = self.sub_account,
                reason = why,
                "the provider does not answer a harmless read"
            );
        }
        Ok(next)
    }

    async fn ask(&mut self, candidate: Candidate) -> Result<()> {
        let asked = self.clock.now();
        let answer = self.client.details(&candidate.umid).await;
        let now = self.clock.now();
        match answer {
            DetailsAnswer::Records(body) => {
                let Candidate { entry, key, step, umid, .. } = &candidate;
                let channel = entry.plan.step(*step).map(|step| step.channel);
                let News { is_reported, known_since } =
                    match self.intake.apply_details(entry.attempt(*key, *step), channel, umid, &body).await {
                        Ok(news) => news,
                        Err(error) => {
                            tracing::warn!(%error, "cannot store the provider's answer to a query; querying again");
                            self.requeue(candidate);
                            return Ok(());
                        }
                    };
                self.compare(&candidate, known_since, (asked, now)).await?;
                if is_reported {
                    self.decide_waived(&candidate).await?;
                }
                self.answered(candidate, is_reported, now).await
            }
            DetailsAnswer::NotKnown => {
                if let Some(address) = self.address.filter(|_| candidate.is_inquiry) {
                    self.gaps.record_inquiry(address, candidate.key, None, now);
                }
                self.answered(candidate, false, now).await
            }
            DetailsAnswer::Throttled { retry_after } => {
                let asked_for = retry_after.unwrap_or(SPACING).max(SPACING);
                self.free_at = now + asked_for.min(LONGEST_THROTTLE);
                self.requeue(candidate);
                if asked_for <= COMMON_THROTTLE {
                    return Ok(());
                }
                self.in_trouble(format!("it throttles queries and asks to wait for {asked_for}"), now).await
            }
            DetailsAnswer::Refused { detail } => {
                self.free_at = now + REFUSED_REST;
                self.requeue(candidate);
                self.in_trouble(detail, now).await
            }
            DetailsAnswer::Unavailable { detail } => self.unavailable(candidate, detail, now).await,
        }
    }

    /// Compares the provider's answer with what webhooks have reported before.
    async fn compare(
        &self,
        candidate: &Candidate,
        known_since: Option<Timestamp>,
        (asked, now): (Timestamp, Timestamp),
    ) -> Result<()> {
        let Some(address) = self.address else { return Ok(()) };
        let Candidate { key, step, known, tries, is_overdue, is_inquiry, .. } = *candidate;
        let is_news = self.store.load(vec![key]).await?.pop().is_some_and(|message| {
            let marks = message.present.marks;
            marks.status(step) > known.status(step) || marks.failed(step) != known.failed(step)
        });
        if is_inquiry {
            let is_old = known_since.is_none_or(|since| now.since(since) >= ON_ITS_WAY);
            self.gaps.record_inquiry(address, key, (is_news && is_old).then_some(asked), now);
        }
        match known_since {
            Some(since) if is_news && is_overdue => self.gaps.webhook_missing(address, since, now),
            // There was no earlier query, so a webhook has reported it: one arrived then.
            Some(since) if !is_news && tries == 0 => self.gaps.webhook_confirmed(address, since.min(now)),
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Queues a candidate again first. An inquiry finds its candidate again by itself.
    fn requeue(&mut self, candidate: Candidate) {
        if !candidate.is_inquiry {
            self.search.requeue(candidate);
        }
    }

    async fn unavailable(&mut self, candidate: Candidate, detail: String, now: Timestamp) -> Result<()> {
        let rest = FIRST_REST.millis() << self.failures.min(8);
        self.free_at = now + Span::from_millis(rest).min(LONGEST_REST);
        self.failures += 1;
        let before = self.failed_on.filter(|(key, _)| *key == candidate.key).map_or(0, |(_, times)| times);
        self.failed_on = Some((candidate.key, before + 1));
        if before + 1 < MAX_UNANSWERED {
            self.requeue(candidate);
        } else {
            // The query of this message may be what fails, and others wait after it.
            self.note(&candidate, false, now, Some(detail.clone())).await?;
        }
        self.in_trouble(detail, now).await
    }

    async fn in_trouble(&mut self, detail: String, now: Timestamp) -> Result<()> {
        if self.trouble.as_ref() != Some(&detail) {
            tracing::warn!(
                sub_account = self.sub_account,
                reason = detail,
                "the provider does not answer queries; retrying"
            );
            self.trouble = Some(detail.clone());
        }
        self.store.record_queries(Vec::new(), self.asking(now, Some(detail))).await
    }

    async fn answered(&mut self, candidate: Candidate, is_answered: bool, now: Timestamp) -> Result<()> {
        (self.failures, self.failed_on, self.trouble) = (0, None, None);
        self.note(&candidate, is_answered, now, None).await
    }

    async fn note(
        &self,
        candidate: &Candidate,
        is_answered: bool,
        at: Timestamp,
        trouble: Option<String>,
    ) -> Result<()> {
        let Candidate { key, step, tries, .. } = candidate;
        let pause = PAUSES[usize::from(*tries).min(PAUSES.len() - 1)];
        let asked =
            Query { key: *key, step: *step, tries: tries.saturating_add(1), at, again: at + pause, is_answered };
        self.store.record_queries(vec![asked], self.asking(at, trouble)).await
    }

    fn asking(&self, at: Timestamp, trouble: Option<String>) -> QueryState {
        QueryState { sub_account: self.sub_account.clone(), at, trouble }
    }

    /// Decides a waived deadline, now that the provider has reported everything that it knows.
    async fn decide_waived(&self, candidate: &Candidate) -> Result<()> {
        let Candidate { entry, key, .. } = candidate;
        // Paused during the query: it is queried again after a resume.
        if entry.is_held_back() {
            return Ok(());
        }
        // A receipt may change the message between this read and the record. The next search then finds its state.
        let Some(message) = self.store.load(vec![*key]).await?.pop() else { return Ok(()) };
        if !message.present.marks.waived() {
            return Ok(());
        }
        let event = Event::Due { silence: Silence::Filled };
        if let Some(change) = entry.decide(&message, event, self.clock.now()) {
            self.store.record(vec![change]).await?;
        }
        Ok(())
    }
}

/// How long so many queries take, as shown to operators: in whole seconds, rounded up.
pub fn takes(questions: u64) -> Span {
    let takes = i64::try_from(questions).unwrap_or(i64::MAX).saturating_mul(SPACING.millis());
    Span::from_secs(takes.saturating_add(999) / 1_000)
}
