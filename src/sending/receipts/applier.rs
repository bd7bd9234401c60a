//! The applier: collects what is waiting, decides, commits, and only then acknowledges.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::business::ReportedEvent;
use super::callbacks::{Callback, SlotChange, Throttled, WebhookArrived};
use super::guard::Known;
use super::incoming::{Incoming, Ours, Parsed};
use super::intake::{Intake, NotStored, WaitingWebhook};
use super::naming::Naming;
use super::outcome::Outcome;
use super::replies::{Reply, Stop};
use super::strays::Round;
use super::working::latest_of_each;
use crate::base::clock::{Chance, Clock};
use crate::base::config::Lane;
use crate::base::domain::{
    Address, AddressKey, Causes, Channel, Keyword, LaneId, Loaded, MessageKey, OptOutOf, OptOutSource, Present, Span,
    State, Step, Timestamp, WishSubject,
};
use crate::base::events::{Event, EventKind, Subject};
use crate::recipients::optout::Words;
use crate::rules::engine::Gap;
use crate::rules::wire::{Preference, Preferences};
use crate::sending::book::Book;
use crate::store::{
    self, Addresses, Alias, FoundAttempt, Kept, NotedBucket, OptIn, OptOut, Store, StrayKind, WebhookGroup,
};

/// Events in one transaction.
const GROUP_MAX: usize = 2_000;
/// Names that belong to another recipient and are reported, while a server runs.
const TAKEN_NAMES_MAX: usize = 10_000;
/// Pause after a failure of the store.
const AFTER_FAILURE: Span = Span::from_secs(1);

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
    /// What a reply with a stop word opts out of.
    pub stops: OptOutOf,
    /// Whether opt-outs by a reply are to be confirmed.
    pub confirms: bool,
    /// Times in which no server took receipts.
    pub missed: Vec<Gap>,
    pub on_slot_change: Callback<SlotChange>,
    pub on_throttled: Callback<Throttled>,
    pub on_webhook: Callback<WebhookArrived>,
    /// The state of the buckets that a successor needs.
    pub buckets: Callback<(), Vec<NotedBucket>>,
}

#[derive(Debug)]
pub struct Applier {
    pub(super) store: Arc<dyn Store>,
    pub(super) book: Arc<Book>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<Chance>,
    queue: mpsc::Receiver<WaitingWebhook>,
    stops: OptOutOf,
    confirms: bool,
    /// Since when every commit has failed.
    failing_since: Option<Timestamp>,
    on_slot_change: Callback<SlotChange>,
    on_throttled: Callback<Throttled>,
    buckets: Callback<(), Vec<NotedBucket>>,
    pub(super) naming: Naming,
    pub(super) round: Round,
    /// The names whose second number was reported to operators. A cache: another server reports them once more.
    taken_names: Mutex<HashSet<(Channel, String)>>,
}

impl Applier {
    pub fn new(
        store: Arc<dyn Store>,
        book: Arc<Book>,
        options: ApplierOptions,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
    ) -> (Self, Intake) {
        let ApplierOptions {
            subaccounts,
            lanes,
            words,
            stops,
            confirms,
            missed,
            on_slot_change,
            on_throttled,
            on_webhook,
            buckets,
        } = options;
        let naming = Naming::of(&lanes);
        let ours = Ours { subaccounts: subaccounts.into_iter().collect(), lanes, words };
        let (intake, queue) = Intake::new(ours, Arc::clone(&clock), on_webhook);
        let (failing_since, round) = (None, Round::after(missed, &naming, clock.now()));
        let applier = Self {
            store,
            book,
            clock,
            chance,
            queue,
            stops,
            confirms,
            failing_since,
            on_slot_change,
            on_throttled,
            buckets,
            naming,
            round,
            taken_names: Mutex::default(),
        };
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
    async fn run_once(
        &mut self,
        waiting: &mut Vec<WaitingWebhook>,
        report: &(impl Fn(Listening) + Send + Sync),
    ) -> Timestamp {
        let mut all = Parsed::default();
        let mut acknowledgements = Vec::with_capacity(waiting.len());
        // The store may fail only at the end of a long timeout, so the gap begins when the first of the group arrived.
        let mut since = self.clock.now();
        let mut newest = Timestamp::default();
        for WaitingWebhook { since: waits_since, parsed, done } in waiting.drain(..) {
            since = since.min(waits_since);
            newest = newest.max(waits_since);
            all.receipts.extend(parsed.receipts);
            all.replies.extend(parsed.replies);
            all.business.extend(parsed.business);
            all.preferences.extend(parsed.preferences);
            all.strays.extend(parsed.strays);
            acknowledgements.push(done);
        }
        // A stalled disk must not let a deadline decide before a receipt that arrived earlier.
        report(Listening::Pending(Some(since)));
        let taken = self.take(all).await.map_err(|error| NotStored::new(Causes(&error)));
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
    pub(crate) async fn next_waiting(&mut self) -> Vec<WaitingWebhook> {
        let mut waiting = Vec::new();
        self.queue.recv_many(&mut waiting, GROUP_MAX).await;
        waiting
    }

    #[cfg(test)]
    pub(crate) async fn take_these(
        &mut self,
        mut waiting: Vec<WaitingWebhook>,
        report: &(impl Fn(Listening) + Send + Sync),
    ) {
        if !waiting.is_empty() {
            self.run_once(&mut waiting, report).await;
        }
    }

    pub(super) async fn take(&self, mut all: Parsed) -> store::Result<()> {
        let business = std::mem::take(&mut all.business);
        if !business.is_empty() {
            self.take_business(business).await?;
        }
        for preferences in std::mem::take(&mut all.preferences) {
            self.take_preferences(preferences).await?;
        }
        while !all.receipts.is_empty() || !all.replies.is_empty() || !all.strays.is_empty() {
            let receipts = first_of(&mut all.receipts);
            let replies = first_of(&mut all.replies);
            let strays = std::mem::take(&mut all.strays);
            self.apply(Parsed { receipts, replies, strays, ..Parsed::default() }).await?;
        }
        Ok(())
    }

    /// Applies account events one by one: what one of them changes may decide the next.
    async fn take_business(&self, events: Vec<ReportedEvent>) -> store::Result<()> {
        for event in events {
            let (overrides, reports) = (self.store.overrides().await?, self.store.provider_reports().await?);
            let holds = self.store.holds().await?;
            let known = Known { overrides: &overrides, holds: &holds, reports: &reports };
            let event = event.with(known, |template| self.campaigns_with(template));
            self.store.take_business(vec![event]).await?;
        }
        Ok(())
    }

    /// Opts recipients out of marketing of a sender on WhatsApp, or in again, as WhatsApp reports it.
    async fn take_preferences(&self, Preferences { sub_account, mut all }: Preferences) -> store::Result<()> {
        let (now, from) = (self.clock.now(), OptOutSource::Provider);
        let of = WishSubject::marketing_on(Channel::WhatsApp, sub_account);
        all.sort_by_key(|preference| preference.at);
        for Preference { msisdn, wants, at } in all {
            let (address, at) = (Address::Number(msisdn), at.unwrap_or(now).min(now));
            let source = "preference on WhatsApp".to_owned();
            match wants {
                Keyword::Stop => {
                    let others = self.store.other_addresses(address.clone()).await?;
                    let others = others.iter().filter_map(Address::number).map(AddressKey::from);
                    let opt_out = OptOut { address, of: of.clone(), since: at, from, source };
                    self.store.opt_out(vec![opt_out]).await?;
                    self.book.suppress(others.chain([AddressKey::from(msisdn)]));
                }
                Keyword::Start => {
                    if let Some(of) = self.resumed(&address, &of).await? {
                        self.store.opt_in(vec![OptIn { address, of, at, from, source }]).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The opt-out that WhatsApp means by a resumption: that of the same sender, else the only one that it has reported. Of
    /// several, none is known to be meant.
    async fn resumed(&self, address: &Address, of: &WishSubject) -> store::Result<Option<WishSubject>> {
        let present = self.store.opt_outs_of(address.clone()).await?;
        let every = WishSubject::marketing_on(Channel::WhatsApp, None);
        let reported = present.into_iter().filter(|it| it.from == OptOutSource::Provider && every.covers(&it.of));
        let reported: Vec<WishSubject> = reported.map(|it| it.of).collect();
        let names_one = of.senders.as_ref().is_some_and(|senders| senders.sub_account.is_some());
        Ok(match &reported[..] {
            [only] => Some(only.clone()),
            several => several.iter().find(|it| names_one && *it == of).cloned(),
        })
    }

    /// The names of the campaigns in play that use a template.
    fn campaigns_with(&self, template: &Subject) -> Vec<String> {
        let uses = |step: &Step| {
            step.content.template().is_some_and(|own| Subject::template(own.name, own.language) == *template)
        };
        let in_play = self.book.in_play().into_iter().filter(|entry| entry.plan.steps.iter().any(uses));
        in_play.filter_map(|entry| entry.name.clone()).collect()
    }

    /// Finds the attempts, decides, and commits. Repeats the decisions about messages that changed meanwhile.
    pub(super) async fn apply(&self, parsed: Parsed) -> store::Result<()> {
        let Parsed { mut receipts, mut replies, strays, .. } = parsed;
        let answered: Vec<(usize, Incoming)> =
            replies.iter().enumerate().filter_map(|(position, reply)| Some((position, reply.as_receipt()?))).collect();
        let first_reply = receipts.len();
        let (positions, of_replies): (Vec<usize>, Vec<Incoming>) = answered.into_iter().unzip();
        receipts.extend(of_replies);
        let mut found = self.find(&receipts).await?;
        let answered = found.iter().skip(first_reply).flatten().map(|found| found.message.address);
        let recipients = Addresses::read(self.store.as_ref(), answered).await?;
        for (position, (incoming, found)) in
            positions.into_iter().zip(receipts.iter().zip(&mut found).skip(first_reply))
        {
            match found {
                Some(attempt) if self.is_answered_by(incoming, attempt).await? => {
                    replies[position].set_attempt(attempt, recipients.of(attempt.message.address));
                }
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
                Some((incoming.clone(), Some(FoundAttempt { message, ..found })))
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
        aliases.extend(replies.iter().flat_map(Reply::aliases));
        let asked: Vec<Option<Stop>> = replies.iter().map(Reply::stop).collect();
        let (mut suppressed, opt_outs): (Vec<AddressKey>, Vec<OptOut>) = opt_outs.into_iter().unzip();
        let possible_stops = replies.iter().filter_map(Reply::possible_stop).collect();
        let written = replies.into_iter().map(Reply::into_stored).collect();
        let naming_lanes = self.naming.rows_for(&naming, self.clock.now());
        let (stops, confirms) = (self.stops, self.confirms);
        // A receipt that is faster than its answer ends a submission, which no successor counts any more.
        let is_sending = |present: &Present| matches!(present.state, State::Sending { .. });
        let ends_one = changes.iter().any(|change| is_sending(&change.before) && !is_sending(&change.after));
        let buckets = if ends_one { self.buckets.call(()) } else { Vec::new() };
        let taken = WebhookGroup {
            receipts,
            changes,
            strays,
            aliases,
            opt_outs,
            written,
            stops,
            confirms,
            possible_stops,
            naming: naming_lanes,
            buckets,
        };
        let Kept { stale, named, taken_names, writers, is_first_possible_stop } = self.store.take(taken).await?;
        self.naming.add(naming, self.store.as_ref()).await?;
        let stopped = || writers.iter().zip(&asked).filter_map(|(addresses, stop)| Some((addresses, (*stop)?)));
        suppressed.extend(stopped().flat_map(|(addresses, _)| addresses).copied().chain(named));
        // Before the acknowledgement: messages already claimed for these recipients are not submitted on any lane.
        if !suppressed.is_empty() {
            self.book.suppress(suppressed);
        }
        for change in outcome.slots.into_iter().filter(|change| !stale.contains(&change.message)) {
            self.on_slot_change.call(change);
        }
        outcome.throttled.into_iter().for_each(|report| self.on_throttled.call(report));
        let nameless: BTreeSet<Option<Channel>> =
            stopped().filter(|(addresses, _)| addresses.is_empty()).map(|(_, stop)| stop.id_on).collect();
        for channel in nameless {
            self.report_nameless_stop(channel).await?;
        }
        self.report_taken_names(taken_names).await?;
        if is_first_possible_stop {
            let event = Event::by_server(self.clock.now(), Subject::OptOuts, EventKind::OptOutPossible);
            tracing::info!("{}", event.text());
            self.store.record_event(event).await?;
        }
        Ok(stale)
    }

    /// Reports names that belong to another recipient, each once while this server runs.
    async fn report_taken_names(&self, taken: Vec<Alias>) -> store::Result<()> {
        for Alias { channel, called, .. } in taken {
            let is_new = {
                let mut reported = self.taken_names.lock();
                reported.len() < TAKEN_NAMES_MAX && reported.insert((channel, called))
            };
            if is_new {
                let event = Event::by_server(self.clock.now(), Subject::OptOuts, EventKind::AddressTaken { channel });
                tracing::warn!("{}", event.text());
                self.store.record_event(event).await?;
            }
        }
        Ok(())
    }

    /// Reports an opt-out without a number: of an id on a channel, or of nothing until a receipt reveals the number.
    async fn report_nameless_stop(&self, channel: Option<Channel>) -> store::Result<()> {
        let event = Event::by_server(self.clock.now(), Subject::OptOuts, EventKind::OptOutUnidentified { channel });
        tracing::warn!("{}; see `volley reply list --unmasked`", event.text());
        self.store.record_event(event).await
    }
}

/// Takes the first items, as many as fit into one transaction.
fn first_of<T>(all: &mut Vec<T>) -> Vec<T> {
    let more = all.split_off(all.len().min(GROUP_MAX));
    std::mem::replace(all, more)
}
