//! The recorder: decides settled messages and stores the decisions, as many at once as have gathered.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::job::Settled;
use super::lane::RunningLane;
use crate::base::clock::Clock;
use crate::base::domain::{
    AddressKey, Causes, Fault, FaultReport, LaneId, Loaded, MessageKey, OptOutOf, OptOutSource, SenderPart, Settlement,
    SettlementKind, Span, State, StepIndex, Timestamp, WishSubject,
};
use crate::rules::engine::{Answer, Event, Made};
use crate::store::{Addresses, Attempt, Change, Error, NotedBucket, OptOut, ReportedBy, Result, Store, Verdict};

/// Most changes in one transaction: about 5 ms of writing.
const GROUP_MAX: usize = 2_000;
/// How long results are gathered before they are written.
const GATHERING: Span = Span::from_millis(5);
/// Wait after a failed write. Submissions must be recorded, so the recorder retries until the store is closed.
const AFTER_FAILURE: Span = Span::from_millis(500);
/// An acceptance that waits longer than this to be written keeps its own time.
const LATE_WRITE: Span = Span::from_secs(1);
/// Resolution of such times, in milliseconds: acceptances of about the same time are still written together.
const RESOLUTION_MS: i64 = 100;

#[derive(Debug)]
pub(super) struct Recorder {
    store: Arc<dyn Store>,
    settled: mpsc::Receiver<Settled>,
    /// All sending lanes. None of them sends while nothing can be recorded.
    lanes: Vec<Arc<RunningLane>>,
    failing: FaultReport,
}

impl Recorder {
    pub(super) fn new(store: Arc<dyn Store>, lanes: Vec<Arc<RunningLane>>) -> (Self, mpsc::Sender<Settled>) {
        let (sender, settled) = mpsc::channel(GROUP_MAX);
        (Self { store, settled, lanes, failing: FaultReport::default() }, sender)
    }

    /// Records until every worker has ended and everything is on disk, or until the store is closed.
    ///
    /// In the second case, the next start finds the remaining messages in flight.
    pub(super) async fn run(mut self, clock: Arc<dyn Clock>) {
        let mut group = Group::default();
        while self.settled.recv_many(&mut group.settled, GROUP_MAX).await > 0 {
            // Results come one by one. A commit of a few costs nearly as much as a commit of hundreds.
            clock.sleep(GATHERING).await;
            while group.settled.len() < GROUP_MAX
                && let Ok(settled) = self.settled.try_recv()
            {
                group.settled.push(settled);
            }
            while let Err(error) = self.write(&mut group, clock.now()).await {
                if self.is_for_good(&error) {
                    return;
                }
                clock.sleep(AFTER_FAILURE).await;
            }
        }
    }

    /// Records the results gathered so far, after those that could not be written before.
    #[cfg(test)]
    pub(super) async fn run_once(&mut self, group: &mut Group, now: Timestamp) -> Result<()> {
        if group.proven.is_none() {
            group.settled.extend(std::iter::from_fn(|| self.settled.try_recv().ok()));
        }
        self.write(group, now).await
    }

    /// Writes a group, and stops the lanes while that fails: a crash would leave submissions unknown that cannot be
    /// recorded.
    async fn write(&self, group: &mut Group, now: Timestamp) -> Result<()> {
        let written = group.write(self.store.as_ref(), now).await;
        for lane in &self.lanes {
            lane.set_recordable(written.is_ok());
        }
        written.inspect(|()| {
            if self.failing.ends() {
                tracing::warn!("submissions can be recorded again; sending resumes");
            }
            group.release(now);
        })
    }

    /// Logs a failure once, until a write succeeds. Returns whether retrying is useless.
    fn is_for_good(&self, error: &Error) -> bool {
        let for_good = matches!(error, Error::Closed { .. });
        let then = if for_good { "the store is closed" } else { "sending waits until they can be recorded" };
        if self.failing.begins() || for_good {
            tracing::error!(error = %Causes(error), "cannot record submissions; {then}");
        }
        for_good
    }
}

/// Results that are written together.
#[derive(Debug, Default)]
pub(super) struct Group {
    settled: Vec<Settled>,
    /// Whether part of it may be on disk already, because a write has failed.
    is_repeat: bool,
    /// After recording: the steps whose submission a receipt has proven meanwhile.
    proven: Option<HashSet<(MessageKey, StepIndex)>>,
}

impl Group {
    /// Stores the group with one time for all its decisions, so they are written together and none is early. After an
    /// error it resumes where it stopped.
    async fn write(&mut self, store: &dyn Store, now: Timestamp) -> Result<()> {
        let proven = match &self.proven {
            Some(proven) => proven,
            None => {
                let is_repeat = std::mem::replace(&mut self.is_repeat, true);
                self.proven.insert(record(store, &self.settled, is_repeat, now).await?)
            }
        };
        return_slots(store, &self.settled, proven).await
    }

    /// Releases the messages of a group that is on disk.
    fn release(&mut self, now: Timestamp) {
        for (lane, count) in by_lane(&self.settled) {
            let of_lane = self.settled.iter().filter(|settled| settled.lane.id == lane.id);
            of_lane.clone().for_each(|settled| lane.test.ended(settled.message.key));
            lane.latency.add(of_lane.filter_map(|settled| Some(now.since(settled.fact.as_ref()?.intent?))));
            lane.recorded(count);
        }
        self.settled.clear();
        self.is_repeat = false;
        self.proven = None;
    }
}

fn by_lane(group: &[Settled]) -> Vec<(Arc<RunningLane>, u32)> {
    let mut lanes: HashMap<LaneId, (Arc<RunningLane>, u32)> = HashMap::new();
    for settled in group {
        lanes.entry(settled.lane.id).or_insert_with(|| (Arc::clone(&settled.lane), 0)).1 += 1;
    }
    lanes.into_values().collect()
}

/// Stores a group, one decision per message at a time.
///
/// Returns the steps whose submission a receipt has proven meanwhile. A receipt can be so fast that two steps of one
/// message are settled in one group.
pub(super) async fn record(
    store: &dyn Store,
    group: &[Settled],
    is_repeat: bool,
    now: Timestamp,
) -> Result<HashSet<(MessageKey, StepIndex)>> {
    // Opt-outs come first: nothing may be sent to these recipients while the results are being stored.
    let opted_out: Vec<&Settled> = group.iter().filter(|settled| reports_opt_out(settled)).collect();
    if !opted_out.is_empty() {
        let recipients: Vec<AddressKey> = opted_out.iter().map(|settled| settled.message.address).collect();
        let addresses = Addresses::read(store, recipients.iter().copied()).await?;
        store
            .opt_out(opted_out.into_iter().filter_map(|settled| opt_out_of(settled, &addresses, now)).collect())
            .await?;
        // Messages to them that any lane has claimed must not be sent either.
        if let Some(settled) = group.first() {
            settled.entry.suppress(&recipients);
        }
    }
    let mut holds: Vec<_> = group.iter().filter_map(|settled| Some((settled, settled.hold.as_ref()?))).collect();
    holds.sort_by_key(|(_, (_, begun))| std::cmp::Reverse(*begun));
    for (settled, (hold, begun)) in split_firsts(holds, |(_, (hold, _))| (hold.batch, hold.step)).0 {
        settled.lane.book.hold_step(hold.clone(), *begun).await?;
    }
    let mut proven = HashSet::new();
    let buckets: Vec<NotedBucket> = by_lane(group).iter().flat_map(|(lane, _)| lane.to_note()).collect();
    let mut rest: Vec<&Settled> = group.iter().collect();
    while !rest.is_empty() {
        let (firsts, others) = split_firsts(rest, |settled| settled.message.key);
        proven.extend(record_firsts(store, &firsts, &buckets, (is_repeat, now)).await?);
        rest = others;
    }
    for settled in group {
        settled.entry.count_submissions(u64::from(settled.fact.as_ref().is_some_and(|fact| fact.intent.is_some())));
    }
    Ok(proven)
}

fn reports_opt_out(settled: &Settled) -> bool {
    matches!(settled.answer, Answer::Refused { fault: Fault::OptedOut, .. })
}

/// The opt-out that a refusal reports: of marketing of this sender on its channel, in every campaign.
fn opt_out_of(settled: &Settled, addresses: &Addresses, now: Timestamp) -> Option<OptOut> {
    let code = settled.fact.as_ref().and_then(|fact| fact.code);
    let source = code.map_or_else(|| "provider answer".to_owned(), |code| format!("provider answer with code {code}"));
    let of = WishSubject { of: OptOutOf::Marketing, senders: Some(settled.lane.wish_sender()) };
    Some(OptOut {
        address: addresses.of(settled.message.address)?,
        of,
        since: now,
        from: OptOutSource::Provider,
        source,
    })
}

/// Separates the first item of each key from the others, both in order.
fn split_firsts<T, K: Eq + Hash>(all: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, Vec<T>) {
    let mut seen = HashSet::with_capacity(all.len());
    all.into_iter().partition(|one| seen.insert(key(one)))
}

/// Records one decision per message. If a receipt was faster, the decision is repeated on the present row.
async fn record_firsts(
    store: &dyn Store,
    firsts: &[&Settled],
    buckets: &[NotedBucket],
    (is_repeat, now): (bool, Timestamp),
) -> Result<HashSet<(MessageKey, StepIndex)>> {
    let mut proven = HashSet::new();
    let decide = |settled: &Settled, message: &Loaded| decide(settled, message, is_repeat, now);
    let changes = firsts.iter().map(|settled| decide(settled, &settled.message)).collect();
    let mut stale = store.record_noting(changes, buckets.to_vec()).await?;
    while !stale.is_empty() {
        let current: HashMap<MessageKey, Loaded> =
            store.load(stale).await?.into_iter().map(|message| (message.key, message)).collect();
        let handed_over = |settled: &&&Settled| {
            let current = current.get(&settled.message.key);
            current.is_some_and(|message| message.present.marks.handed_over(settled.step))
        };
        proven.extend(firsts.iter().filter(handed_over).map(|settled| (settled.message.key, settled.step)));
        let again =
            firsts.iter().filter_map(|settled| Some(decide(settled, current.get(&settled.message.key)?))).collect();
        stale = store.record(again).await?;
    }
    Ok(proven)
}

/// Returns the tier slots of messages that were not submitted.
///
/// The store comes first. Otherwise a new recipient could take a slot that a restart after a crash still counts.
async fn return_slots(store: &dyn Store, group: &[Settled], proven: &HashSet<(MessageKey, StepIndex)>) -> Result<()> {
    for (lane, _) in by_lane(group) {
        let Some((portfolio, window)) = &lane.tier else { continue };
        let unsent = group
            .iter()
            .filter(|settled| settled.lane.id == lane.id && !proven.contains(&(settled.message.key, settled.step)));
        let spare: Vec<_> =
            unsent.filter_map(|settled| Some((settled.message.address, settled.unused_slot?))).collect();
        if !spare.is_empty() {
            store.give_back_places(portfolio, spare.clone()).await?;
            window.give_back(spare);
        }
    }
    Ok(())
}

/// The acceptance time of an answer that came at `answered` and is written at `now`; never earlier than the answer.
///
/// An answer that waited for a disk counts from its own time. Its receipts may have been missed meanwhile, and a gap
/// that ended before the acceptance would not apply to it.
fn accepted_at(answered: Timestamp, now: Timestamp) -> Timestamp {
    if now.since(answered) <= LATE_WRITE {
        return now;
    }
    let coarse = answered.millis() + (-answered.millis()).rem_euclid(RESOLUTION_MS);
    Timestamp::from_millis(coarse).min(now)
}

/// Whether a refusal blamed on the recipient has meanwhile become the sender's fault. Then the message does not fall
/// back.
fn is_recalled(settled: &Settled) -> bool {
    let refused = settled.fact.as_ref().filter(|fact| fact.verdict == Verdict::Rejected);
    let code = refused.and_then(|fact| fact.code);
    code.is_some_and(|code| settled.entry.recall_if_senders_fault(settled.step, ReportedBy::Answer, code).is_some())
}

/// Lets the engine decide a settled job. An answer that no longer changes the message still leaves a fact with the
/// umid.
fn decide(settled: &Settled, message: &Loaded, is_repeat: bool, now: Timestamp) -> Change {
    let now = match (settled.answer, &settled.fact) {
        (Answer::Accepted, Some(fact)) => accepted_at(fact.answered, now),
        _ => now,
    };
    // Uses the present plan, which may have been amended since the claim.
    let later = settled.entry.is_former().then(|| settled.lane.book.entry(settled.entry.id)).flatten();
    let entry = later.as_ref().unwrap_or(&settled.entry);
    let is_recalled = is_recalled(settled);
    let answer = match settled.answer {
        Answer::Refused { again, .. } if is_recalled => {
            Answer::Refused { fault: Fault::Sender(SenderPart::Step), again }
        }
        answer => answer,
    };
    let answered = Event::Answered { step: settled.step, answer };
    // If the result was recorded before a write error, the message may have been claimed again. That claim has its own
    // answer.
    let ours = &settled.message.present;
    let is_ours = match (ours.state, message.present.state) {
        (State::Sending { intent: claimed, .. }, State::Sending { intent, .. }) => {
            (claimed, ours.tries) == (intent, message.present.tries)
        }
        _ => true,
    };
    let fact = settled.fact.clone().filter(|_| !is_recalled);
    let mut case = entry.case(message);
    match (is_ours, &fact) {
        (true, Some(_)) => _ = case.apply(&case.decide(&entry.plan, answered, now), now),
        (true, None) => _ = case.apply_event(&entry.plan, answered, now),
        (false, _) => _ = case.rule(Made::Nothing),
    }
    let fact = fact.map(|fact| Attempt { answered: now, ruling: case.ruling(), ..fact });
    if let Some(why) = settled.then {
        case.apply_event(&entry.plan, Event::CalledOff(why), now);
    }
    // The next epoch has counted the attempt as unknown, and it stays unknown in the row and in its fact. Only the umid
    // is added, by which receipts find it. A resent copy is also marked unknown before its own answer.
    let is_in_our_hands = (message.present.state, message.present.tries) == (ours.state, ours.tries);
    let is_late = message.present.marks.unknown(settled.step) && !is_in_our_hands;
    let fact = match fact {
        Some(fact) if is_late => Some(Attempt { verdict: Verdict::Unknown, ..fact }).filter(|fact| fact.umid.is_some()),
        fact => fact,
    };
    // If a receipt has proven the submission meanwhile, the message was submitted whatever the answer says.
    let was_handed_over = |message: &Loaded| message.present.marks.handed_over(settled.step);
    let is_proven = was_handed_over(message) && !was_handed_over(&settled.message);
    // If this result was on disk already and the claim is over, the money has been refunded.
    let is_still_ours = is_ours && matches!(message.present.state, State::Sending { .. });
    let has_it_back = is_repeat && !is_still_ours;
    let refund = settled.refund.filter(|_| !is_proven && !has_it_back);
    let refund =
        refund.map(|amount| Settlement { step: settled.step, kind: SettlementKind::Refunded, amount, free: None });
    let mut change = Change { fact, ..entry.change(case) };
    change.settlements.extend(refund);
    change
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_write_keeps_the_acceptance_time_and_an_early_one_uses_now() {
        let at = |millis| Timestamp::from_millis(millis);
        assert_eq!(accepted_at(at(5_001), at(5_020)), at(5_020));
        assert_eq!(accepted_at(at(5_001), at(60_000)), at(5_100));
        assert_eq!(accepted_at(at(5_100), at(60_000)), at(5_100));
        assert_eq!(accepted_at(at(5_001), at(4_000)), at(4_000), "a clock that was set back");
    }

    #[test]
    fn two_steps_of_one_message_are_recorded_one_after_the_other() {
        let steps = vec![("a", 1), ("b", 1), ("a", 2), ("c", 1), ("a", 3)];
        let (firsts, others) = split_firsts(steps, |(message, _)| *message);
        assert_eq!(firsts, [("a", 1), ("b", 1), ("c", 1)]);
        assert_eq!(split_firsts(others, |(message, _)| *message), (vec![("a", 2)], vec![("a", 3)]));
    }
}
