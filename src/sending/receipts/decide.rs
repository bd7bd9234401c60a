//! Decides about the receipts of a group: passes each to the engine, in their order, and collects what follows.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry as Slot;

use super::applier::Applier;
use super::incoming::Incoming;
use super::naming::Naming;
use super::outcome::{Outcome, advance_by, slot_change};
use super::tries::{Tries, Try};
use super::working::Working;
use crate::base::clock::Chance;
use crate::base::domain::{
    Address, AddressKey, BatchId, Channel, MessageKey, Msisdn, OptOutSource, Span, Status, StepIndex, Timestamp,
    WishSubject,
};
use crate::rules::engine::{self, Made, Ruling};
use crate::rules::wire::codes;
use crate::sending::book::{Book, Entry, StepReport};
use crate::store::{self, Addresses, Alias, Change, FoundAttempt, OptOut, Receipt, StrayKind};

/// Backoff before a step with a temporary failure is retried. It grows, so days of failures are a few hundred tries.
const SHORTEST_REST: Span = Span::from_secs(2);
const LONGEST_REST: Span = Span::from_secs(1_800);

impl Applier {
    pub(super) async fn decide(&self, receipts: &[Incoming], found: &[Option<FoundAttempt>]) -> store::Result<Outcome> {
        let mut group = Group {
            book: &self.book,
            chance: &self.chance,
            naming: &self.naming,
            naming_lanes: self.naming.known(self.store.as_ref()).await?,
            addresses: Addresses::read(self.store.as_ref(), opted_out_keys(receipts, found)).await?,
            tries: Tries::read(self.store.as_ref(), receipts.iter().zip(found)).await?,
            working: HashMap::with_capacity(receipts.len()),
            latest: None,
            outcome: Outcome::default(),
            now: self.clock.now(),
        };
        for (incoming, found) in receipts.iter().zip(found) {
            match found {
                Some(found) if found.message.address == AddressKey::ERASED => group.add_erased(incoming),
                Some(found) => group.add(incoming, found).await?,
                None if incoming.is_reply() => {}
                None => group.outcome.strays.push(incoming.clone().into_stray(StrayKind::NoAttempt)),
            }
        }
        Ok(group.end())
    }
}

/// Whom these receipts opt out.
fn opted_out_keys(receipts: &[Incoming], found: &[Option<FoundAttempt>]) -> impl Iterator<Item = AddressKey> {
    let of = |(incoming, found): (&Incoming, &Option<FoundAttempt>)| {
        found.as_ref().filter(|_| incoming.is_opt_out()).map(|found| found.message.address)
    };
    receipts.iter().zip(found).filter_map(of)
}

/// The decisions about a group so far.
struct Group<'a> {
    book: &'a Book,
    chance: &'a Chance,
    naming: &'a Naming,
    /// The lanes whose receipts are known to carry our ids.
    naming_lanes: Arc<BTreeSet<String>>,
    /// Those of the recipients whom receipts opt out.
    addresses: Addresses,
    tries: Tries<'a>,
    working: HashMap<MessageKey, Working>,
    /// The batch of the latest message. Most receipts of a group belong to one batch.
    latest: Option<Arc<Entry>>,
    outcome: Outcome,
    now: Timestamp,
}

impl Group<'_> {
    /// Adds a receipt whose recipient was erased. Only an opt-out is still stored.
    fn add_erased(&mut self, incoming: &Incoming) {
        let msisdn = incoming.msisdn.filter(|_| incoming.is_opt_out());
        let opt_out = |number: Msisdn| (number.into(), opted_out(incoming, number.into(), self.now));
        self.outcome.opt_outs.extend(msisdn.map(opt_out));
    }

    async fn add(&mut self, incoming: &Incoming, found: &FoundAttempt) -> store::Result<()> {
        let Self { book, chance, naming, naming_lanes, addresses, tries, working, latest, outcome, now } = self;
        let key = found.message.key;
        let message = match working.entry(key) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                let Some(entry) = entry_of(book, latest, key.batch).await? else { return Ok(()) };
                let case = entry.case(&found.message);
                slot.insert(Working { entry, case, umid: None, is_first_submitted: false })
            }
        };
        let on_channel = message.entry.plan.step(found.step).map(|step| step.channel);
        if incoming.channel.is_some() && incoming.channel != on_channel {
            // The provider reports a channel that the step does not use: stored, but it is no success of the step.
            outcome.strays.push(incoming.clone().into_stray(StrayKind::OtherType));
            return Ok(());
        }
        if let Some((channel, msisdn)) = on_channel.zip(message.case.message.address.number()) {
            outcome.aliases.extend(incoming.called.clone().map(|called| Alias { channel, called, msisdn }));
            outcome
                .aliases
                .extend(incoming.channel_number.and_then(|number| Alias::of_number(channel, number, msisdn)));
        }
        outcome.naming.extend(naming.lane_to_add(naming_lanes, incoming, found, message));
        let of_try = tries.try_of(incoming, found, &message.case.now).await?;
        if incoming.is_opt_out() {
            // The opt-out counts whatever the receipt means for this message.
            let key = message.case.message.address;
            outcome.opt_outs.extend(addresses.of(key).map(|address| (key, opted_out(incoming, address, *now))));
        }
        let (number, learns) = match of_try {
            Try::Any => (None, false),
            Try::Of { number, learns, .. } => (Some(number), learns),
            Try::Unrecorded => {
                outcome.strays.push(incoming.clone().into_stray(StrayKind::NoAttempt));
                return Ok(());
            }
        };
        let report = report(incoming, message, found.step, chance, *now);
        if report.is_some_and(|report| is_superseded(of_try, report, message, found.step)) {
            let ruling = message.case.rule(Made::Superseded);
            outcome.receipts.push(receipt(incoming, found, (number, learns), ruling));
            return Ok(());
        }
        if found.step == message.case.message.present.step {
            message.umid = message.umid.take().or_else(|| incoming.umid.clone());
            if message.is_claimed_for_retry() && !message.is_first_submitted {
                message.is_first_submitted = tries.show_none_submitted(key, found.step).await?;
            }
        }
        if message.entry.is_observed() {
            message.case.add_report(step_report(incoming, found.step));
        }
        let lived = message.case.now.marks.may_live(found.step);
        let ruling = match report {
            Some(report) => advance_by(message, incoming, found, report, *now, outcome),
            None => message.case.rule(Made::Nothing),
        };
        outcome.receipts.push(receipt(incoming, found, (number, learns), ruling));
        outcome.slots.extend(slot_change(message, found, number, lived));
        Ok(())
    }

    /// Ends the group: what has to be written, with the changes of its messages.
    fn end(self) -> Outcome {
        let Self { working, mut outcome, now, .. } = self;
        let moved = working.into_values().filter(|message| message.case.has_moved());
        let changes = moved.map(|message| {
            // Before the commit: at worst the message returns to its queue and is claimed again.
            if message.has_pending_claim() {
                message.entry.recall(message.case.message.key, message.case.message.present.step);
            }
            Change { fact: message.overtaken_fact(now), ..message.entry.change(message.case) }
        });
        outcome.changes = changes.collect();
        outcome
    }
}

/// The entry of a batch; `latest` is the one that was read last.
async fn entry_of(book: &Book, latest: &mut Option<Arc<Entry>>, batch: BatchId) -> store::Result<Option<Arc<Entry>>> {
    if let Some(entry) = latest.as_ref().filter(|entry| entry.id == batch) {
        return Ok(Some(Arc::clone(entry)));
    }
    let Some(entry) = book.get(batch).await? else { return Ok(None) };
    Ok(Some(Arc::clone(latest.insert(entry))))
}

/// Whether a report is about an earlier try and no longer counts.
fn is_superseded(of_try: Try, report: engine::AttemptReport, message: &Working, step: StepIndex) -> bool {
    let Try::Of { number, latest, .. } = of_try else { return false };
    let success = message.entry.plan.step(step).map_or(Status::Delivered, |step| step.success);
    !engine::counts(&message.case.now, step, [number, latest], report, success)
}

/// What a receipt reports to the engine, if anything.
fn report(
    incoming: &Incoming,
    message: &Working,
    step: StepIndex,
    chance: &Chance,
    now: Timestamp,
) -> Option<engine::AttemptReport> {
    let Some(failure) = incoming.failure() else { return incoming.report.status().map(engine::AttemptReport::Reached) };
    let rules = message.entry.plan.step(step);
    let fault = rules.map_or(failure.fault, |rules| codes::fault_in(rules, failure.fault, failure.subject));
    let again = now + chance.back_off(SHORTEST_REST, message.case.now.tries.into(), LONGEST_REST);
    Some(engine::AttemptReport::Failed { fault, again })
}

fn step_report(incoming: &Incoming, step: StepIndex) -> StepReport {
    let code = incoming.failure().map(|_| incoming.code);
    let detail = Some(incoming.detail.clone()).filter(|detail| !detail.is_empty());
    StepReport { step, at: incoming.stamp, status: incoming.report.status(), code, detail }
}

/// The opt-out that a receipt reports: of marketing of its sender on its channel.
fn opted_out(incoming: &Incoming, address: Address, now: Timestamp) -> OptOut {
    // Only WhatsApp reports opt-outs.
    let channel = incoming.channel.unwrap_or(Channel::WhatsApp);
    let of = WishSubject::marketing_on(channel, incoming.posted_by().flatten());
    let source = format!("receipt with code {}", incoming.code);
    OptOut { address, of, since: now, from: OptOutSource::Provider, source }
}

fn receipt(incoming: &Incoming, found: &FoundAttempt, (tries, learns): (Option<u16>, bool), ruling: Ruling) -> Receipt {
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
        charge: incoming.charge.clone(),
        ruling,
    }
}
