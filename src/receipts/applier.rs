//! The applier: takes what has come together, decides, commits, and only then lets the acknowledgements go.

use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry as Slot;
use tokio::sync::mpsc;

use super::answers::Answer;
use super::incoming::{Incoming, Ours, Parsed};
use super::intake::{Failed, Intake, Waiting};
use super::naming::{Adoption, Naming};
use super::outcome::{Outcome, advance_by, place_news};
use super::strays::Round;
use super::tell::{Heard, PlaceNews, Tell, TooFast};
use super::tries::{Tries, Try};
use super::working::{Working, latest_of_each};
use crate::clock::{Chance, Clock};
use crate::config::Lane;
use crate::domain::{Causes, LaneId, Loaded, MessageKey, Msisdn, Span, Status, StepIndex, Timestamp, Umid, WishFrom};
use crate::engine::{self, Gap, Made, Ruling};
use crate::optout::Words;
use crate::store::{self, Alias, Book, Change, Entry, Found, Kept, Key, OptOut, Receipt, Store, StrayKind, Taken};
use crate::wire::codes;

/// Events in one transaction.
const GROUP_MAX: usize = 2_000;
/// Rest after a failure of the store.
const AFTER_FAILURE: Span = Span::from_secs(1);
/// Before a step that failed in passing goes again, longer from try to try: days of it are a few hundred tries.
const SHORTEST_REST: Span = Span::from_secs(2);
const LONGEST_REST: Span = Span::from_secs(1_800);

/// Whether silence means anything, as far as the applier can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// What came since then could not be kept, and nobody knows whether the next receipt can.
    Doubtful { since: Timestamp },
    /// It can be again; nothing could in this time.
    Resumed(Gap),
    /// A receipt of an attempt that this lane has submitted was turned away, because its proof is not what was agreed on.
    TurnedAway(LaneId),
    /// What has come since then is still to be applied; nothing where all of it is.
    Behind(Option<Timestamp>),
}

/// Whose receipts are applied: what is ours, and who has to hear of it.
#[derive(Debug)]
pub struct Of {
    pub subaccounts: Vec<String>,
    /// What events of the account may be about.
    pub lanes: Vec<Lane>,
    pub words: Words,
    /// Times in which no server took receipts.
    pub missed: Vec<Gap>,
    pub tell_place: Tell<PlaceNews>,
    pub tell_too_fast: Tell<TooFast>,
    pub tell_heard: Tell<Heard>,
}

#[derive(Debug)]
pub struct Applier {
    pub(super) store: Arc<dyn Store>,
    pub(super) book: Arc<Book>,
    pub(super) clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    queue: mpsc::Receiver<Waiting>,
    /// Since when nothing could be committed.
    failing_since: Option<Timestamp>,
    tell_place: Tell<PlaceNews>,
    tell_too_fast: Tell<TooFast>,
    pub(super) naming: Naming,
    pub(super) round: Round,
}

impl Applier {
    pub fn new(
        store: Arc<dyn Store>,
        book: Arc<Book>,
        of: Of,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
    ) -> (Self, Intake) {
        let Of { subaccounts, lanes, words, missed, tell_place, tell_too_fast, tell_heard } = of;
        let naming = Naming::of(&lanes);
        let ours = Ours { subaccounts: subaccounts.into_iter().collect(), lanes, words };
        let (intake, queue) = Intake::new(ours, Arc::clone(&clock), tell_heard);
        let (failing_since, round) = (None, Round::after(missed, &naming, clock.now()));
        let applier =
            Self { store, book, clock, chance, queue, failing_since, tell_place, tell_too_fast, naming, round };
        (applier, intake)
    }

    /// Applies until every intake is gone. Tells of each failure at once, since deadlines that silence would decide have to
    /// wait from then on, and of the whole gap once something could be kept again.
    pub async fn run(mut self, tell: impl Fn(Listening) + Send + Sync) {
        let clock = Arc::clone(&self.clock);
        let mut waiting = Vec::new();
        let mut retry_at = clock.now();
        // Whatever waits has come since then.
        let mut taken_until = Timestamp::default();
        loop {
            // What waits comes first, and neither it nor the strays are kept back by the other for long.
            tokio::select! {
                biased;
                taken = self.queue.recv_many(&mut waiting, GROUP_MAX) => {
                    if taken == 0 {
                        return;
                    }
                    taken_until = self.run_once(&mut waiting, &tell).await;
                }
                () = clock.sleep_until(retry_at) => {}
            }
            if clock.now() >= retry_at {
                // What comes meanwhile has to wait.
                let behind = if self.queue.is_empty() { clock.now() } else { taken_until };
                tell(Listening::Behind(Some(behind)));
                retry_at = self.retry_strays().await.unwrap_or_else(|error| {
                    tracing::warn!(error = %Causes(&error), "cannot look at strays; trying again");
                    clock.now() + AFTER_FAILURE
                });
                self.tell_behind(&tell, behind);
            }
        }
    }

    /// Takes what has come together, and answers. Returns when the newest of it came.
    async fn run_once(&mut self, waiting: &mut Vec<Waiting>, tell: &(impl Fn(Listening) + Send + Sync)) -> Timestamp {
        let mut all = Parsed::default();
        let mut answers = Vec::with_capacity(waiting.len());
        // Nothing may be known of the store before the last of its timeouts: the gap begins with what was waiting.
        let mut since = self.clock.now();
        let mut newest = Timestamp::default();
        for Waiting { since: waits_since, parsed, done } in waiting.drain(..) {
            since = since.min(waits_since);
            newest = newest.max(waits_since);
            all.receipts.extend(parsed.receipts);
            all.answers.extend(parsed.answers);
            all.business.extend(parsed.business);
            all.strays.extend(parsed.strays);
            answers.push(done);
        }
        // A disk that stalls must not let a deadline win over the receipt that came before it.
        tell(Listening::Behind(Some(since)));
        let taken = self.take(all).await.map_err(|error| Failed::new(Causes(&error)));
        self.tell_behind(tell, newest);
        match &taken {
            Err(failed) => {
                if self.failing_since.is_none() {
                    tracing::error!(error = %failed, "receipts cannot be kept; the provider is told to repeat them");
                }
                self.failing_since = self.failing_since.or(Some(since));
                tell(Listening::Doubtful { since });
            }
            Ok(()) => {
                if let Some(from) = self.failing_since.take() {
                    tell(Listening::Resumed(Gap { from, until: self.clock.now() }));
                }
            }
        }
        for done in answers {
            // A client that has hung up repeats the receipt, which then changes nothing.
            let _ = done.send(taken.clone());
        }
        newest
    }

    /// Tells what is left: whatever is waiting by now has come since then.
    fn tell_behind(&self, tell: &(impl Fn(Listening) + Send + Sync), since: Timestamp) {
        tell(Listening::Behind((!self.queue.is_empty()).then_some(since)));
    }

    /// Takes what is waiting by now.
    #[cfg(test)]
    pub(crate) async fn take_waiting(&mut self, tell: &(impl Fn(Listening) + Send + Sync)) {
        let waiting = std::iter::from_fn(|| self.queue.try_recv().ok()).collect();
        self.take_these(waiting, tell).await;
    }

    /// What comes next.
    #[cfg(test)]
    pub(crate) async fn next_waiting(&mut self) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        self.queue.recv_many(&mut waiting, GROUP_MAX).await;
        waiting
    }

    #[cfg(test)]
    pub(crate) async fn take_these(&mut self, mut waiting: Vec<Waiting>, tell: &(impl Fn(Listening) + Send + Sync)) {
        if !waiting.is_empty() {
            self.run_once(&mut waiting, tell).await;
        }
    }

    async fn take(&self, mut all: Parsed) -> store::Result<()> {
        let business = std::mem::take(&mut all.business);
        if !business.is_empty() {
            let turned = self.store.dials().await?;
            let events = business.into_iter().map(|of_account| of_account.where_turned(&turned));
            self.store.take_business(events.collect()).await?;
        }
        while !all.receipts.is_empty() || !all.answers.is_empty() || !all.strays.is_empty() {
            let receipts = first_of(&mut all.receipts);
            let answers = first_of(&mut all.answers);
            let strays = std::mem::take(&mut all.strays);
            self.apply(Parsed { receipts, answers, strays, ..Parsed::default() }).await?;
        }
        Ok(())
    }

    /// Finds, decides, commits. Decisions that came too late are made again.
    pub(super) async fn apply(&self, parsed: Parsed) -> store::Result<()> {
        let Parsed { mut receipts, mut answers, strays, .. } = parsed;
        let answered: Vec<(usize, Incoming)> =
            answers.iter().enumerate().filter_map(|(place, answer)| Some((place, answer.as_receipt()?))).collect();
        let first_answer = receipts.len();
        let (places, of_answers): (Vec<usize>, Vec<Incoming>) = answered.into_iter().unzip();
        receipts.extend(of_answers);
        let mut found = self.find(&receipts).await?;
        for (place, (incoming, found)) in places.into_iter().zip(receipts.iter().zip(&mut found).skip(first_answer)) {
            match found {
                Some(attempt) if self.is_answered_by(incoming, attempt).await? => answers[place].is_on(attempt),
                _ => *found = None,
            }
        }
        let mut outcome = self.decide(&receipts, &found).await?;
        if outcome.step_holds.values().any(|(hold, _)| hold.recall.is_some()) {
            // By now it is known of all of them whose fault they are: none need fall back first.
            outcome = self.decide(&receipts, &found).await?;
        }
        outcome.strays.extend(strays);
        let mut stale = self.keep(outcome, answers).await?;
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
            // The others are kept already; of which try a receipt speaks may be known better now.
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

    /// Writes a group down, in one commit; holds before it, each on its own. Should it fail, all of it comes again. Returns
    /// the changes that came too late.
    async fn keep(&self, outcome: Outcome, answers: Vec<Answer>) -> store::Result<Vec<MessageKey>> {
        let Outcome { receipts, changes, strays, opt_outs, mut aliases, naming, .. } = outcome;
        for (hold, handed_over) in latest_of_each(outcome.holds) {
            self.store.hold(hold, handed_over).await?;
        }
        for (hold, begun) in outcome.step_holds.into_values() {
            self.book.hold_step(hold, begun).await?;
        }
        aliases.extend(answers.iter().filter_map(Answer::alias));
        let are_stops: Vec<bool> = answers.iter().map(Answer::is_stop).collect();
        let mut unwilling: Vec<Msisdn> = opt_outs.iter().map(|wish| wish.msisdn).collect();
        let written = answers.into_iter().map(Answer::into_kept).collect();
        let lanes = self.naming.to_keep(&naming, self.clock.now());
        let taken = Taken { receipts, changes, strays, aliases, opt_outs, written, naming: lanes };
        let Kept { stale, named, writers } = self.store.take(taken).await?;
        self.naming.learn(naming, self.store.as_ref()).await?;
        let stopped = || writers.iter().zip(&are_stops).filter(|(_, is_stop)| **is_stop).map(|(numbers, _)| numbers);
        unwilling.extend(stopped().flatten().copied().chain(named));
        // Before it is acknowledged: what was claimed for them until now, on whatever lane, does not leave any more.
        if !unwilling.is_empty() {
            self.book.hush(unwilling);
        }
        for news in outcome.places.into_iter().filter(|news| !stale.contains(&news.message)) {
            self.tell_place.tell(news);
        }
        outcome.too_fast.into_iter().for_each(|news| self.tell_too_fast.tell(news));
        if stopped().any(Vec::is_empty) {
            self.tell_of_a_nameless_stop().await?;
        }
        Ok(stale)
    }

    /// Nothing can be done about it until something tells who that is, so somebody has to know.
    async fn tell_of_a_nameless_stop(&self) -> store::Result<()> {
        let text = "somebody who is known by no number, and answers no message of ours, asked to be left alone; that is \
                    done once a receipt tells their number together with what the channel calls them";
        tracing::warn!("{text}; `volley reply list --unmasked` says what that is");
        let event = store::Event { at: self.clock.now(), subject: "opt-out".to_owned(), text: text.to_owned() };
        self.store.note(event).await
    }

    /// Whether what looks like the attempt that somebody answered can be: it went to them, on the channel that they use.
    async fn is_answered_by(&self, incoming: &Incoming, found: &Found) -> store::Result<bool> {
        let Some(entry) = self.book.get(found.message.key.batch).await? else { return Ok(false) };
        let on = entry.plan.step(found.step).map(|step| step.channel);
        let of_channel = incoming.channel.is_none() || incoming.channel == on;
        Ok(of_channel && incoming.msisdn.is_none_or(|person| person == found.message.msisdn))
    }

    async fn decide(&self, receipts: &[Incoming], found: &[Option<Found>]) -> store::Result<Outcome> {
        let now = self.clock.now();
        let mut outcome = Outcome::default();
        let mut tries = Tries::read(self.store.as_ref(), receipts.iter().zip(found)).await?;
        let naming = self.naming.known(self.store.as_ref()).await?;
        let mut working: HashMap<MessageKey, Working> = HashMap::with_capacity(receipts.len());
        // Most of a group belongs to one batch.
        let mut latest: Option<Arc<Entry>> = None;
        for (incoming, found) in receipts.iter().zip(found) {
            let Some(found) = found else {
                if incoming.is_answer() {
                    continue;
                }
                outcome.strays.push(incoming.clone().into_stray(StrayKind::NoAttempt));
                continue;
            };
            if found.message.msisdn == Msisdn::ERASED {
                // Nothing is kept of them any more but that they want nothing.
                outcome.opt_outs.extend(
                    incoming.msisdn.filter(|_| incoming.wants_no_more()).map(|person| opted_out(incoming, person, now)),
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
                // The provider reports a channel that we did not ask it for: kept, and nobody's success.
                outcome.strays.push(incoming.clone().into_stray(StrayKind::OtherType));
                continue;
            }
            if let Some((called, channel)) = incoming.called.clone().zip(on_channel) {
                outcome.aliases.push(Alias { channel, called, msisdn: message.case.message.msisdn });
            }
            outcome.naming.extend(self.naming.taught(&naming, incoming, found, message));
            let of_try = tries.told_by(incoming, found, &message.case.now).await?;
            if incoming.wants_no_more() {
                // Whatever it means for this message, the person has said it.
                outcome.opt_outs.push(opted_out(incoming, message.case.message.msisdn, now));
            }
            let (told, learns) = match of_try {
                Try::Any => (None, false),
                Try::Of { told, learns, .. } => (Some(told), learns),
                Try::Unrecorded => {
                    outcome.strays.push(incoming.clone().into_stray(StrayKind::NoAttempt));
                    continue;
                }
            };
            let report = self.report(incoming, message, found.step, now);
            let success = message.entry.plan.step(found.step).map_or(Status::Delivered, |step| step.success);
            if let (Try::Of { told, latest, .. }, Some(report)) = (of_try, report)
                && !engine::counts(&message.case.now, found.step, [told, latest], report, success)
            {
                let ruling = message.case.rule(Made::Superseded);
                outcome.receipts.push(receipt(incoming, found, (Some(told), learns), ruling));
                continue;
            }
            if found.step == message.case.message.present.step {
                message.umid = message.umid.take().or_else(|| incoming.umid.clone());
                if message.is_claimed_again() && !message.is_first_submitted {
                    message.is_first_submitted = tries.show_none_submitted(key, found.step).await?;
                }
            }
            let lived = message.case.now.marks.may_live(found.step);
            let ruling = match report {
                Some(report) => advance_by(message, incoming, found, report, now, &mut outcome),
                None => message.case.rule(Made::Nothing),
            };
            outcome.receipts.push(receipt(incoming, found, (told, learns), ruling));
            outcome.places.extend(place_news(message, found, told, lived));
        }
        outcome.changes = working
            .into_values()
            .filter(|message| message.case.has_moved())
            .inspect(|message| {
                // Before the commit: at worst it goes back to its queue and is claimed anew.
                if message.waits_in_vain() {
                    message.entry.recall(message.case.message.key, message.case.message.present.step);
                }
            })
            .map(|message| Change { fact: message.overtaken(now), ..message.entry.change(message.case) })
            .collect();
        Ok(outcome)
    }

    /// What a receipt says to the engine, where it says anything.
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
    OptOut { msisdn, since: now, from: WishFrom::Provider, source }
}

/// As many as fit one transaction.
fn first_of<T>(all: &mut Vec<T>) -> Vec<T> {
    let more = all.split_off(all.len().min(GROUP_MAX));
    std::mem::replace(all, more)
}

/// The attempts that receipts belong to, asked for by the surest key first and by the next where that led nowhere. Where a
/// number leads several to one attempt under different names of the provider's, it is of the first.
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
