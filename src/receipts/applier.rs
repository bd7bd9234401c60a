//! The applier: collects what is waiting, decides, commits, and only then acknowledges.

use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry as Slot;
use tokio::sync::mpsc;

use super::callbacks::{Callback, SlotChange, Throttled, WebhookArrived};
use super::incoming::{Incoming, Ours, Parsed};
use super::intake::{Failed, Intake, Waiting};
use super::naming::{Adoption, Naming};
use super::outcome::{Outcome, advance_by, slot_change};
use super::replies::Reply;
use super::strays::Round;
use super::tries::{Tries, Try};
use super::working::{Working, latest_of_each};
use crate::book::{Book, Entry};
use crate::clock::{Chance, Clock};
use crate::config::Lane;
use crate::domain::{
    Causes, LaneId, Loaded, MessageKey, Msisdn, OptOutSource, Span, Status, StepIndex, Timestamp, Umid,
};
use crate::engine::{self, Gap, Made, Ruling};
use crate::events::{Event, EventKind, Subject};
use crate::optout::Words;
use crate::store::{self, Alias, Change, Found, Kept, Key, OptOut, Receipt, Store, StrayKind, Taken};
use crate::wire::codes;

/// Events in one transaction.
const GROUP_MAX: usize = 2_000;
/// Pause after a failure of the store.
const AFTER_FAILURE: Span = Span::from_secs(1);
/// Backoff before a step with a temporary failure is retried. It grows, so days of failures are a few hundred tries.
const SHORTEST_REST: Span = Span::from_secs(2);
const LONGEST_REST: Span = Span::from_secs(1_800);

/// Whether missing receipts mean anything, as far as the applier can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// Receipts since then could not be stored, and the next one may fail too.
    Failing { since: Timestamp },
    /// Receipts are stored again; none were during this gap.
    Resumed(Gap),
    /// A receipt of an attempt of this lane was rejected, because the webhook secret does not match.
    Rejected(LaneId),
    /// Receipts that arrived since then are still to be applied; `None` if all are applied.
    Pending(Option<Timestamp>),
}

/// What an applier needs to know of this installation, and whom it notifies.
#[derive(Debug)]
pub struct ApplierOptions {
    pub subaccounts: Vec<String>,
    /// The lanes that account events may be about.
    pub lanes: Vec<Lane>,
    pub words: Words,
    /// Times in which no server took receipts.
    pub missed: Vec<Gap>,
    pub on_slot_change: Callback<SlotChange>,
    pub on_throttled: Callback<Throttled>,
    pub on_webhook: Callback<WebhookArrived>,
}

#[derive(Debug)]
pub struct Applier {
    pub(super) store: Arc<dyn Store>,
    pub(super) book: Arc<Book>,
    pub(super) clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    queue: mpsc::Receiver<Waiting>,
    /// Since when every commit has failed.
    failing_since: Option<Timestamp>,
    on_slot_change: Callback<SlotChange>,
    on_throttled: Callback<Throttled>,
    pub(super) naming: Naming,
    pub(super) round: Round,
}

impl Applier {
    pub fn new(
        store: Arc<dyn Store>,
        book: Arc<Book>,
        options: ApplierOptions,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
    ) -> (Self, Intake) {
        let ApplierOptions { subaccounts, lanes, words, missed, on_slot_change, on_throttled, on_webhook } = options;
        let naming = Naming::of(&lanes);
        let ours = Ours { subaccounts: subaccounts.into_iter().collect(), lanes, words };
        let (intake, queue) = Intake::new(ours, Arc::clone(&clock), on_webhook);
        let (failing_since, round) = (None, Round::after(missed, &naming, clock.now()));
        let applier =
            Self { store, book, clock, chance, queue, failing_since, on_slot_change, on_throttled, naming, round };
        (applier, intake)
    }

    /// Applies receipts until every intake is dropped. Reports each failure at once, because deadlines that depend on
    /// silence must wait from then on, and the whole gap once receipts can be stored again.
    pub async fn run(mut self, report: impl Fn(Listening) + Send + Sync) {
        let clock = Arc::clone(&self.clock);
        let mut waiting = Vec::new();
        let mut retry_at = clock.now();
        // Everything in the queue arrived after this.
        let mut taken_until = Timestamp::default();
        loop {
            // The queue comes first. Neither the queue nor the strays delay each other for long.
            tokio::select! {
                biased;
                taken = self.queue.recv_many(&mut waiting, GROUP_MAX) => {
                    if taken == 0 {
                        return;
                    }
                    taken_until = self.run_once(&mut waiting, &report).await;
                }
                () = clock.sleep_until(retry_at) => {}
            }
            if clock.now() >= retry_at {
                // Receipts that arrive meanwhile have to wait.
                let behind = if self.queue.is_empty() { clock.now() } else { taken_until };
                report(Listening::Pending(Some(behind)));
                retry_at = self.retry_strays().await.unwrap_or_else(|error| {
                    tracing::warn!(error = %Causes(&error), "cannot read stray receipts; retrying");
                    clock.now() + AFTER_FAILURE
                });
                self.report_pending(&report, behind);
            }
        }
    }

    /// Applies one group and acknowledges it. Returns when its newest part arrived.
    async fn run_once(&mut self, waiting: &mut Vec<Waiting>, report: &(impl Fn(Listening) + Send + Sync)) -> Timestamp {
        let mut all = Parsed::default();
        let mut acknowledgements = Vec::with_capacity(waiting.len());
        // The store may fail only at the end of a long timeout, so the gap begins when the first of the group arrived.
        let mut since = self.clock.now();
        let mut newest = Timestamp::default();
        for Waiting { since: waits_since, parsed, done } in waiting.drain(..) {
            since = since.min(waits_since);
            newest = newest.max(waits_since);
            all.receipts.extend(parsed.receipts);
            all.replies.extend(parsed.replies);
            all.business.extend(parsed.business);
            all.strays.extend(parsed.strays);
            acknowledgements.push(done);
        }
        // A stalled disk must not let a deadline decide before a receipt that arrived earlier.
        report(Listening::Pending(Some(since)));
        let taken = self.take(all).await.map_err(|error| Failed::new(Causes(&error)));
        self.report_pending(report, newest);
        match &taken {
            Err(failed) => {
                if self.failing_since.is_none() {
                    tracing::error!(error = %failed, "cannot store receipts; the provider is asked to repeat them");
                }
                self.failing_since = self.failing_since.or(Some(since));
                report(Listening::Failing { since });
            }
            Ok(()) => {
                if let Some(from) = self.failing_since.take() {
                    report(Listening::Resumed(Gap { from, until: self.clock.now() }));
                }
            }
        }
        for done in acknowledgements {
            // A client that hung up repeats the receipt, which then changes nothing.
            let _ = done.send(taken.clone());
        }
        newest
    }

    /// Reports what is pending: everything in the queue arrived after `since`.
    fn report_pending(&self, report: &(impl Fn(Listening) + Send + Sync), since: Timestamp) {
        report(Listening::Pending((!self.queue.is_empty()).then_some(since)));
    }

    /// Applies what is in the queue now.
    #[cfg(test)]
    pub(crate) async fn take_waiting(&mut self, report: &(impl Fn(Listening) + Send + Sync)) {
        let waiting = std::iter::from_fn(|| self.queue.try_recv().ok()).collect();
        self.take_these(waiting, report).await;
    }

    /// Waits for the next group and returns it.
    #[cfg(test)]
    pub(crate) async fn next_waiting(&mut self) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        self.queue.recv_many(&mut waiting, GROUP_MAX).await;
        waiting
    }

    #[cfg(test)]
    pub(crate) async fn take_these(&mut self, mut waiting: Vec<Waiting>, report: &(impl Fn(Listening) + Send + Sync)) {
        if !waiting.is_empty() {
            self.run_once(&mut waiting, report).await;
        }
    }

    async fn take(&self, mut all: Parsed) -> store::Result<()> {
        let business = std::mem::take(&mut all.business);
        if !business.is_empty() {
            let overrides = self.store.overrides().await?;
            let events = business.into_iter().map(|event| event.with_overrides(&overrides));
            self.store.take_business(events.collect()).await?;
        }
        while !all.receipts.is_empty() || !all.replies.is_empty() || !all.strays.is_empty() {
            let receipts = first_of(&mut all.receipts);
            let replies = first_of(&mut all.replies);
            let strays = std::mem::take(&mut all.strays);
            self.apply(Parsed { receipts, replies, strays, ..Parsed::default() }).await?;
        }
        Ok(())
    }

    /// Finds the attempts, decides, and commits. Repeats the decisions about messages that changed meanwhile.
    pub(super) async fn apply(&self, parsed: Parsed) -> store::Result<()> {
        let Parsed { mut receipts, mut replies, strays, .. } = parsed;
        let answered: Vec<(usize, Incoming)> =
            replies.iter().enumerate().filter_map(|(place, reply)| Some((place, reply.as_receipt()?))).collect();
        let first_reply = receipts.len();
        let (places, of_replies): (Vec<usize>, Vec<Incoming>) = answered.into_iter().unzip();
        receipts.extend(of_replies);
        let mut found = self.find(&receipts).await?;
        for (place, (incoming, found)) in places.into_iter().zip(receipts.iter().zip(&mut found).skip(first_reply)) {
            match found {
                Some(attempt) if self.is_answered_by(incoming, attempt).await? => replies[place].set_attempt(attempt),
                _ => *found = None,
            }
        }
        let mut outcome = self.decide(&receipts, &found).await?;
        if outcome.step_holds.values().any(|(hold, _)| hold.recall.is_some()) {
            // All refusals of the group are now known to be the sender's fault, so none of them falls back first.
            outcome = self.decide(&receipts, &found).await?;
        }
        outcome.strays.extend(strays);
        let mut stale = self.keep(outcome, replies).await?;
        while !stale.is_empty() {
            let current: HashMap<MessageKey, Loaded> =
                self.store.load(stale).await?.into_iter().map(|message| (message.key, message)).collect();
            let late = receipts.iter().zip(&found).filter_map(|(incoming, found)| {
                let found = (*found)?;
                let message = *current.get(&found.message.key)?;
                Some((incoming.clone(), Some(Found { message, ..found })))
            });
            let (late, refreshed): (Vec<_>, Vec<_>) = late.unzip();
            let mut again = self.decide(&late, &refreshed).await?;
            // Everything else is stored already; which try a receipt is about may be clearer now.
            again.aliases.clear();
            again.strays.retain(|stray| stray.kind == StrayKind::NoAttempt);
            stale = self.keep(again, Vec::new()).await?;
        }
        Ok(())
    }

    pub(super) async fn find(&self, receipts: &[Incoming]) -> store::Result<Vec<Option<Found>>> {
        let adoption = self.naming.adoption(self.store.as_ref(), self.clock.now()).await?;
        let found = find(self.store.as_ref(), receipts, &adoption).await?;
        let lost = receipts.iter().zip(&found).filter(|(_, found)| found.is_none());
        self.book.expect(lost.filter_map(|(incoming, _)| incoming.waits(&adoption)));
        Ok(found)
    }

    /// Writes a group in one commit, after each hold on its own. If it fails, the provider repeats all of it. Returns the
    /// messages whose changes were stale.
    async fn keep(&self, outcome: Outcome, replies: Vec<Reply>) -> store::Result<Vec<MessageKey>> {
        let Outcome { receipts, changes, strays, opt_outs, mut aliases, naming, .. } = outcome;
        for (hold, handed_over) in latest_of_each(outcome.holds) {
            self.store.hold(hold, handed_over).await?;
        }
        for (hold, begun) in outcome.step_holds.into_values() {
            self.book.hold_step(hold, begun).await?;
        }
        aliases.extend(replies.iter().filter_map(Reply::alias));
        let are_stops: Vec<bool> = replies.iter().map(Reply::is_stop).collect();
        let mut suppressed: Vec<Msisdn> = opt_outs.iter().map(|wish| wish.msisdn).collect();
        let written = replies.into_iter().map(Reply::into_stored).collect();
        let lanes = self.naming.rows_for(&naming, self.clock.now());
        let taken = Taken { receipts, changes, strays, aliases, opt_outs, written, naming: lanes };
        let Kept { stale, named, writers } = self.store.take(taken).await?;
        self.naming.add(naming, self.store.as_ref()).await?;
        let stopped = || writers.iter().zip(&are_stops).filter(|(_, is_stop)| **is_stop).map(|(numbers, _)| numbers);
        suppressed.extend(stopped().flatten().copied().chain(named));
        // Before the acknowledgement: messages already claimed for these recipients are not submitted on any lane.
        if !suppressed.is_empty() {
            self.book.suppress(suppressed);
        }
        for change in outcome.slots.into_iter().filter(|change| !stale.contains(&change.message)) {
            self.on_slot_change.call(change);
        }
        outcome.throttled.into_iter().for_each(|report| self.on_throttled.call(report));
        if stopped().any(Vec::is_empty) {
            self.report_nameless_stop().await?;
        }
        Ok(stale)
    }

    /// Reports an opt-out without a number, because it has no effect until a receipt reveals the number.
    async fn report_nameless_stop(&self) -> store::Result<()> {
        let event = Event::by_server(self.clock.now(), Subject::OptOuts, EventKind::OptOutUnidentified);
        tracing::warn!("{}; see `volley reply list --unmasked`", event.text());
        self.store.record_event(event).await
    }

    /// Whether a reply fits this attempt: same recipient, same channel.
    async fn is_answered_by(&self, incoming: &Incoming, found: &Found) -> store::Result<bool> {
        let Some(entry) = self.book.get(found.message.key.batch).await? else { return Ok(false) };
        let on = entry.plan.step(found.step).map(|step| step.channel);
        let of_channel = incoming.channel.is_none() || incoming.channel == on;
        Ok(of_channel && incoming.msisdn.is_none_or(|msisdn| msisdn == found.message.msisdn))
    }

    async fn decide(&self, receipts: &[Incoming], found: &[Option<Found>]) -> store::Result<Outcome> {
        let now = self.clock.now();
        let mut outcome = Outcome::default();
        let mut tries = Tries::read(self.store.as_ref(), receipts.iter().zip(found)).await?;
        let naming = self.naming.known(self.store.as_ref()).await?;
        let mut working: HashMap<MessageKey, Working> = HashMap::with_capacity(receipts.len());
        // Most receipts of a group belong to one batch.
        let mut latest: Option<Arc<Entry>> = None;
        for (incoming, found) in receipts.iter().zip(found) {
            let Some(found) = found else {
                if incoming.is_reply() {
                    continue;
                }
                outcome.strays.push(incoming.clone().into_stray(StrayKind::NoAttempt));
                continue;
            };
            if found.message.msisdn == Msisdn::ERASED {
                // The recipient was erased; only an opt-out is still stored.
                outcome.opt_outs.extend(
                    incoming.msisdn.filter(|_| incoming.is_opt_out()).map(|msisdn| opted_out(incoming, msisdn, now)),
                );
                continue;
            }
            let key = found.message.key;
            let message = match working.entry(key) {
                Slot::Occupied(slot) => slot.into_mut(),
                Slot::Vacant(slot) => {
                    let entry = match latest.as_ref().filter(|entry| entry.id == key.batch) {
                        Some(entry) => Arc::clone(entry),
                        None => {
                            let Some(entry) = self.book.get(key.batch).await? else { continue };
                            Arc::clone(latest.insert(entry))
                        }
                    };
                    let case = entry.case(&found.message);
                    slot.insert(Working { entry, case, umid: None, is_first_submitted: false })
                }
            };
            let on_channel = message.entry.plan.step(found.step).map(|step| step.channel);
            if incoming.channel.is_some() && incoming.channel != on_channel {
                // The provider reports a channel that the step does not use: stored, but it is no success of the step.
                outcome.strays.push(incoming.clone().into_stray(StrayKind::OtherType));
                continue;
            }
            if let Some((called, channel)) = incoming.called.clone().zip(on_channel) {
                outcome.aliases.push(Alias { channel, called, msisdn: message.case.message.msisdn });
            }
            outcome.naming.extend(self.naming.lane_to_add(&naming, incoming, found, message));
            let of_try = tries.try_of(incoming, found, &message.case.now).await?;
            if incoming.is_opt_out() {
                // The opt-out counts whatever the receipt means for this message.
                outcome.opt_outs.push(opted_out(incoming, message.case.message.msisdn, now));
            }
            let (number, learns) = match of_try {
                Try::Any => (None, false),
                Try::Of { number, learns, .. } => (Some(number), learns),
                Try::Unrecorded => {
                    outcome.strays.push(incoming.clone().into_stray(StrayKind::NoAttempt));
                    continue;
                }
            };
            let report = self.report(incoming, message, found.step, now);
            let success = message.entry.plan.step(found.step).map_or(Status::Delivered, |step| step.success);
            if let (Try::Of { number, latest, .. }, Some(report)) = (of_try, report)
                && !engine::counts(&message.case.now, found.step, [number, latest], report, success)
            {
                let ruling = message.case.rule(Made::Superseded);
                outcome.receipts.push(receipt(incoming, found, (Some(number), learns), ruling));
                continue;
            }
            if found.step == message.case.message.present.step {
                message.umid = message.umid.take().or_else(|| incoming.umid.clone());
                if message.is_claimed_for_retry() && !message.is_first_submitted {
                    message.is_first_submitted = tries.show_none_submitted(key, found.step).await?;
                }
            }
            let lived = message.case.now.marks.may_live(found.step);
            let ruling = match report {
                Some(report) => advance_by(message, incoming, found, report, now, &mut outcome),
                None => message.case.rule(Made::Nothing),
            };
            outcome.receipts.push(receipt(incoming, found, (number, learns), ruling));
            outcome.slots.extend(slot_change(message, found, number, lived));
        }
        outcome.changes = working
            .into_values()
            .filter(|message| message.case.has_moved())
            .inspect(|message| {
                // Before the commit: at worst the message returns to its queue and is claimed again.
                if message.has_pending_claim() {
                    message.entry.recall(message.case.message.key, message.case.message.present.step);
                }
            })
            .map(|message| Change { fact: message.overtaken_fact(now), ..message.entry.change(message.case) })
            .collect();
        Ok(outcome)
    }

    /// What a receipt reports to the engine, if anything.
    fn report(
        &self,
        incoming: &Incoming,
        message: &Working,
        step: StepIndex,
        now: Timestamp,
    ) -> Option<engine::Report> {
        let Some(failure) = incoming.failure() else { return incoming.report.status().map(engine::Report::Reached) };
        let rules = message.entry.plan.step(step);
        let fault = rules.map_or(failure.fault, |rules| codes::fault_in(rules, failure.fault, failure.subject));
        let again = now + self.chance.back_off(SHORTEST_REST, message.case.now.tries.into(), LONGEST_REST);
        Some(engine::Report::Failed { fault, again })
    }
}

fn opted_out(incoming: &Incoming, msisdn: Msisdn, now: Timestamp) -> OptOut {
    let source = format!("receipt with code {}", incoming.code);
    OptOut { msisdn, since: now, from: OptOutSource::Provider, source }
}

/// Takes the first items, as many as fit into one transaction.
fn first_of<T>(all: &mut Vec<T>) -> Vec<T> {
    let more = all.split_off(all.len().min(GROUP_MAX));
    std::mem::replace(all, more)
}

/// Finds the attempts of receipts, by the surest key first and by the next ones where that fails. If a number leads
/// several umids to one attempt, the first umid wins.
pub(super) async fn find(
    store: &dyn Store,
    receipts: &[Incoming],
    adoption: &Adoption,
) -> store::Result<Vec<Option<Found>>> {
    let mut found: Vec<Option<Found>> = vec![None; receipts.len()];
    let mut ways: Vec<_> = receipts.iter().map(|incoming| incoming.keys(adoption)).collect();
    let mut names: HashMap<(MessageKey, StepIndex), &Option<Umid>> = HashMap::new();
    loop {
        let lost = ways.iter_mut().enumerate().filter(|(place, _)| found[*place].is_none());
        let (places, keys): (Vec<usize>, Vec<Key>) = lost.filter_map(|(place, way)| Some((place, way.next()?))).unzip();
        if keys.is_empty() {
            return Ok(found);
        }
        for (place, attempt) in places.into_iter().zip(store.find(keys).await?) {
            let umid = &receipts[place].umid;
            let mut is_its_name = |found: &Found| *names.entry((found.message.key, found.step)).or_insert(umid) == umid;
            found[place] = attempt.filter(|found| !found.by_number || is_its_name(found));
        }
    }
}

fn receipt(incoming: &Incoming, found: &Found, (tries, learns): (Option<u16>, bool), ruling: Ruling) -> Receipt {
    Receipt {
        key: found.message.key,
        step: found.step,
        stamp: incoming.stamp,
        state: incoming.state.clone(),
        detail: incoming.detail.clone(),
        code: incoming.code,
        received: incoming.counts_from,
        tries,
        umid: incoming.umid.clone().filter(|_| learns),
        ruling,
    }
}
