//! Asks the provider what became of attempts of which we have not heard.
//!
//! In: messages that wait, the times in which nobody listened, and a way to the provider's message details. Out: what
//! the provider answers, applied as receipts are; deadlines that were waived, decided.
//! Promises: one question a second for each subaccount at most, also where a 429 says less; the most valuable first; a
//! message that the provider cannot tell about is asked about again with growing pauses; what was asked is on disk, so a
//! restart goes on, forgets nobody and bothers nobody again; memory holds a page of whom to ask about, however many
//! there are; no deadline waits for its question.
//! May not: decide about a message (the engine does), or apply news in any way but that of receipts.

mod quiet;
mod search;

use std::collections::HashSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::{Causes, LaneId, Marks, MessageKey, Span, StepIndex, Timestamp, Umid};
use crate::engine::{Event, Silence};
use crate::provider::{Client, DetailsAnswer, Reach};
use crate::receipts::{Intake, News};
use crate::store::{Asked, Asking, Book, Entry, Result, Store};
use crate::timers::{Gaps, ON_ITS_WAY};
use search::{Found, Search};

/// The provider answers one question a second for each subaccount; a little more, since the way there is not always
/// equally long.
const SPACING: Span = Span::from_millis(1_020);
/// How often it is looked whether there is anybody to ask about.
const LOOK: Span = Span::from_secs(5);
/// The first rest where nobody answers; it doubles up to the second.
const FIRST_REST: Span = Span::from_secs(2);
const LONGEST_REST: Span = Span::from_secs(60);
/// The rest where we are refused: a person has to do something about that.
const REFUSED_REST: Span = Span::from_secs(60);
/// For so long at most we stand where the provider throttles: nobody means hours by it, and the counter is looked at
/// again. Up to the second it is the quota of a second or two, beyond it people have to know.
const LONGEST_THROTTLE: Span = Span::from_secs(240);
const COMMON_THROTTLE: Span = Span::from_secs(5);
/// Whoever is not answered about so often in a row is put off, as if the provider had not known.
const PATIENCE: u32 = 5;
/// When a message that the provider could not tell about is asked about again.
const PAUSES: [Span; 6] = [
    Span::from_secs(60),
    Span::from_secs(300),
    Span::from_secs(1_800),
    Span::from_secs(7_200),
    Span::from_secs(21_600),
    Span::from_secs(86_400),
];

/// What an asker is made of.
#[derive(Debug)]
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub book: Arc<Book>,
    pub clock: Arc<dyn Clock>,
    pub gaps: Arc<Gaps>,
    pub intake: Intake,
    pub client: Client,
    /// The provider address that the client asks, among those of `gaps`.
    pub address: Option<usize>,
    pub sub_account: String,
    /// Whose attempts the subaccount knows.
    pub lanes: HashSet<LaneId>,
}

/// An attempt to ask about.
#[derive(Debug, Clone)]
struct Candidate {
    entry: Arc<Entry>,
    key: MessageKey,
    step: StepIndex,
    umid: Umid,
    /// How often it was asked about before.
    tries: u16,
    due: Timestamp,
    /// Whether webhooks should have told by now what is asked.
    is_overdue: bool,
    /// Whether others wait for the answer.
    is_inquiry: bool,
    /// What was known when it was asked about.
    known: Marks,
}

/// Asks for one subaccount.
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
    /// Before that nothing may be asked.
    free_at: Timestamp,
    /// Questions in a row to which there was no answer, and the message that they were about.
    failures: u32,
    failed_on: Option<(MessageKey, u32)>,
    trouble: Option<String>,
}

impl Asker {
    pub fn new(parts: Parts) -> Self {
        let Parts { store, book, clock, gaps, intake, client, address, sub_account, lanes } = parts;
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

    /// Asks until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let clock = Arc::clone(&self.clock);
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                // A question that is dropped half-way has changed nothing at the provider.
                asked = self.run_once() => asked.unwrap_or_else(|error| {
                    tracing::warn!(error = %Causes(&error), "cannot look whom to ask about; trying again");
                    clock.now() + LOOK
                }),
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = clock.sleep_until(next) => {}
                () = self.gaps.inquires() => {}
            }
        }
    }

    /// Asks one question at most. Returns when to come again.
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

    /// Whom to ask about before many others fall back.
    async fn inquiry(&self, now: Timestamp) -> Result<Option<Candidate>> {
        let Some(address) = self.address else { return Ok(None) };
        while let Some((key, step)) = self.gaps.inquiry(address) {
            match self.search.about(key, step).await? {
                Found::Candidate(candidate) => return Ok(Some(candidate)),
                Found::OfAnother => return Ok(None),
                Found::Nothing => self.gaps.inquired(address, key, None, now),
            }
        }
        Ok(None)
    }

    /// While deadlines are pending, a harmless read now and then keeps the proof of the way out fresh, so that one request
    /// that fails puts little time in doubt; and it ends a doubt soon after the provider is there again.
    async fn keep_proof(&mut self, now: Timestamp) -> Result<Timestamp> {
        let next = now + LOOK;
        let Some(address) = self.address.filter(|address| self.gaps.wants_proof(*address, now)) else {
            return Ok(next);
        };
        if !self.gaps.is_unreachable(address) && !self.search.is_any_pending(address).await? {
            self.gaps.note_idle(address, now);
            return Ok(next);
        }
        self.free_at = now + SPACING;
        if let Reach::Failed { why } = self.client.probe().await {
            tracing::debug!(sub_account = self.sub_account, why, "the provider does not answer a harmless read");
        }
        Ok(next)
    }

    async fn ask(&mut self, candidate: Candidate) -> Result<()> {
        let asked = self.clock.now();
        let told = self.client.details(&candidate.umid).await;
        let now = self.clock.now();
        match told {
            DetailsAnswer::Records(body) => {
                let Candidate { entry, key, step, umid, .. } = &candidate;
                let channel = entry.plan.step(*step).map(|step| step.channel);
                let News { said, known_since } =
                    match self.intake.told(entry.attempt(*key, *step), channel, umid, &body).await {
                        Ok(news) => news,
                        Err(error) => {
                            tracing::warn!(%error, "what the provider answered cannot be kept; asking again");
                            self.put_back(candidate);
                            return Ok(());
                        }
                    };
                self.compare(&candidate, known_since, (asked, now)).await?;
                if said {
                    self.fill(&candidate).await?;
                }
                self.answered(candidate, said, now).await
            }
            DetailsAnswer::NotKnown => {
                if let Some(address) = self.address.filter(|_| candidate.is_inquiry) {
                    self.gaps.inquired(address, candidate.key, None, now);
                }
                self.answered(candidate, false, now).await
            }
            DetailsAnswer::Throttled { retry_after } => {
                let asked_for = retry_after.unwrap_or(SPACING).max(SPACING);
                self.free_at = now + asked_for.min(LONGEST_THROTTLE);
                self.put_back(candidate);
                if asked_for <= COMMON_THROTTLE {
                    return Ok(());
                }
                self.in_trouble(format!("it throttles questions, and says to wait for {asked_for}"), now).await
            }
            DetailsAnswer::Refused { detail } => {
                self.free_at = now + REFUSED_REST;
                self.put_back(candidate);
                self.in_trouble(detail, now).await
            }
            DetailsAnswer::Unavailable { detail } => self.unavailable(candidate, detail, now).await,
        }
    }

    /// Holds what the provider has told against what webhooks have told before.
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
            self.gaps.inquired(address, key, (is_news && is_old).then_some(asked), now);
        }
        match known_since {
            Some(since) if is_news && is_overdue => self.gaps.unheard(address, since, now),
            // Nobody has asked before, so a webhook has told it: one came then.
            Some(since) if !is_news && tries == 0 => self.gaps.heard_from(address, since.min(now)),
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Comes again first; what others wait for is found again by itself.
    fn put_back(&mut self, candidate: Candidate) {
        if !candidate.is_inquiry {
            self.search.put_back(candidate);
        }
    }

    async fn unavailable(&mut self, candidate: Candidate, detail: String, now: Timestamp) -> Result<()> {
        let rest = FIRST_REST.millis() << self.failures.min(8);
        self.free_at = now + Span::from_millis(rest).min(LONGEST_REST);
        self.failures += 1;
        let before = self.failed_on.filter(|(key, _)| *key == candidate.key).map_or(0, |(_, times)| times);
        self.failed_on = Some((candidate.key, before + 1));
        if before + 1 < PATIENCE {
            self.put_back(candidate);
        } else {
            // It may be this one that cannot be answered, and the others wait behind it.
            self.note(&candidate, false, now, Some(detail.clone())).await?;
        }
        self.in_trouble(detail, now).await
    }

    async fn in_trouble(&mut self, detail: String, now: Timestamp) -> Result<()> {
        if self.trouble.as_ref() != Some(&detail) {
            tracing::warn!(
                sub_account = self.sub_account,
                reason = detail,
                "the provider cannot be asked; trying again"
            );
            self.trouble = Some(detail.clone());
        }
        self.store.note_asked(Vec::new(), self.asking(now, Some(detail))).await
    }

    async fn answered(&mut self, candidate: Candidate, said: bool, now: Timestamp) -> Result<()> {
        (self.failures, self.failed_on, self.trouble) = (0, None, None);
        self.note(&candidate, said, now, None).await
    }

    async fn note(&self, candidate: &Candidate, said: bool, at: Timestamp, trouble: Option<String>) -> Result<()> {
        let Candidate { key, step, tries, .. } = candidate;
        let pause = PAUSES[usize::from(*tries).min(PAUSES.len() - 1)];
        let asked = Asked { key: *key, step: *step, tries: tries.saturating_add(1), at, again: at + pause, said };
        self.store.note_asked(vec![asked], self.asking(at, trouble)).await
    }

    fn asking(&self, at: Timestamp, trouble: Option<String>) -> Asking {
        Asking { sub_account: self.sub_account.clone(), at, trouble }
    }

    /// The provider has told everything that it knows: a deadline that was waived for want of that is decided now.
    async fn fill(&self, candidate: &Candidate) -> Result<()> {
        let Candidate { entry, key, .. } = candidate;
        // Paused while the question was under way: it is asked again when it goes on.
        if entry.is_held_back() {
            return Ok(());
        }
        // A receipt may be faster between the look and the record: then the next look finds how it stands.
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

/// What people are told of it: how long so many questions take, in whole seconds and rather a little too long.
pub fn takes(questions: u64) -> Span {
    let takes = i64::try_from(questions).unwrap_or(i64::MAX).saturating_mul(SPACING.millis());
    Span::from_secs(takes.saturating_add(999) / 1_000)
}
