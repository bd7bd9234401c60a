//! The recorder: decides about what was settled and writes it down, as many at once as have come together.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::job::Settled;
use super::lane::Lane;
use crate::clock::Clock;
use crate::domain::{
    Causes, Fault, LaneId, Loaded, MessageKey, Msisdn, SenderPart, Span, State, StepIndex, Timestamp, Told, WishFrom,
};
use crate::engine::{Answer, Event, Made};
use crate::store::{Attempt, Change, Error, NotedBucket, OptOut, Result, Store, ToldBy, Verdict};

/// Changes in one transaction: some 5 ms of writing.
const GROUP_MAX: usize = 2_000;
/// How long outcomes are gathered before they are written.
const GATHERING: Span = Span::from_millis(5);
/// Rest after a write that failed. What was handed over must be recorded, so it is tried for as long as there is a store.
const AFTER_FAILURE: Span = Span::from_millis(500);
/// An acceptance that waits longer than this to be written keeps a time of its own.
const WAITED: Span = Span::from_secs(1);
/// By so much such a time may be too late: acceptances of the same moment are still written together.
const COARSE: i64 = 100;

#[derive(Debug)]
pub(super) struct Recorder {
    store: Arc<dyn Store>,
    settled: mpsc::Receiver<Settled>,
    /// Every lane that sends. Where nothing can be recorded, none of them does.
    lanes: Vec<Arc<Lane>>,
    told: Told,
}

impl Recorder {
    pub(super) fn new(store: Arc<dyn Store>, lanes: Vec<Arc<Lane>>) -> (Self, mpsc::Sender<Settled>) {
        let (sender, settled) = mpsc::channel(GROUP_MAX);
        (Self { store, settled, lanes, told: Told::default() }, sender)
    }

    /// Records until every worker is gone and everything is on disk, or until nothing can be written any more: what is
    /// left is then found in flight by the next start.
    pub(super) async fn run(mut self, clock: Arc<dyn Clock>) {
        let mut group = Group::default();
        while self.settled.recv_many(&mut group.settled, GROUP_MAX).await > 0 {
            // Outcomes come one by one. A commit for a few of them costs nearly what one for hundreds does.
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

    /// Records what has come together by now, behind what could not be written before.
    #[cfg(test)]
    pub(super) async fn run_once(&mut self, group: &mut Group, now: Timestamp) -> Result<()> {
        if group.arrived.is_none() {
            group.settled.extend(std::iter::from_fn(|| self.settled.try_recv().ok()));
        }
        self.write(group, now).await
    }

    /// Writes a group. What left while nothing could be recorded would be unknown after a crash, so nothing leaves then.
    async fn write(&self, group: &mut Group, now: Timestamp) -> Result<()> {
        let written = group.write(self.store.as_ref(), now).await;
        for lane in &self.lanes {
            lane.set_recordable(written.is_ok());
        }
        written.inspect(|()| {
            if self.told.ends() {
                tracing::warn!("hand-overs can be recorded again, and sending goes on");
            }
            group.let_go(now);
        })
    }

    /// Tells of a failure, once until it is over. Returns whether trying again is in vain.
    fn is_for_good(&self, error: &Error) -> bool {
        let for_good = matches!(error, Error::Closed { .. });
        let then = if for_good { "nothing can be written any more" } else { "nothing is sent until they can be" };
        if self.told.begins() || for_good {
            tracing::error!(error = %Causes(error), "cannot record hand-overs; {then}");
        }
        for_good
    }
}

/// Outcomes that are written together.
#[derive(Debug, Default)]
pub(super) struct Group {
    settled: Vec<Settled>,
    /// Whether some of it may be on disk already: a write of it has failed.
    is_repeat: bool,
    /// Once they are recorded: the steps of which a receipt said meanwhile that they have arrived.
    arrived: Option<HashSet<(MessageKey, StepIndex)>>,
}

impl Group {
    /// Writes it down, with one time for all that is decided together: then it is written together too, and nothing is
    /// early by it. After an error it goes on where it stopped.
    async fn write(&mut self, store: &dyn Store, now: Timestamp) -> Result<()> {
        let arrived = match &self.arrived {
            Some(arrived) => arrived,
            None => {
                let is_repeat = std::mem::replace(&mut self.is_repeat, true);
                self.arrived.insert(record(store, &self.settled, is_repeat, now).await?)
            }
        };
        give_back(store, &self.settled, arrived).await
    }

    /// Everything of it is on disk.
    fn let_go(&mut self, now: Timestamp) {
        for (lane, count) in by_lane(&self.settled) {
            let of_lane = self.settled.iter().filter(|settled| settled.lane.id == lane.id);
            lane.latency.add(of_lane.filter_map(|settled| Some(now.since(settled.fact.as_ref()?.intent?))));
            lane.recorded(count);
        }
        self.settled.clear();
        self.is_repeat = false;
        self.arrived = None;
    }
}

fn by_lane(group: &[Settled]) -> Vec<(Arc<Lane>, u32)> {
    let mut lanes: HashMap<LaneId, (Arc<Lane>, u32)> = HashMap::new();
    for settled in group {
        lanes.entry(settled.lane.id).or_insert_with(|| (Arc::clone(&settled.lane), 0)).1 += 1;
    }
    lanes.into_values().collect()
}

/// Writes down a group, one decision about a message at a time: a receipt can be so fast that a message's next step is
/// settled together with the one before. Returns the steps of which a receipt said meanwhile that they have arrived.
pub(super) async fn record(
    store: &dyn Store,
    group: &[Settled],
    is_repeat: bool,
    now: Timestamp,
) -> Result<HashSet<(MessageKey, StepIndex)>> {
    // First: who wants no more must not be written to while their message's end is being kept.
    let unwilling: Vec<OptOut> = group.iter().filter_map(|settled| wants_no_more(settled, now)).collect();
    if !unwilling.is_empty() {
        let people: Vec<Msisdn> = unwilling.iter().map(|wish| wish.msisdn).collect();
        store.opt_out(unwilling).await?;
        // What waits for them in the hands of whatever lane must not leave either.
        if let Some(settled) = group.first() {
            settled.entry.hush(&people);
        }
    }
    let mut holds: Vec<_> = group.iter().filter_map(|settled| Some((settled, settled.hold.as_ref()?))).collect();
    holds.sort_by_key(|(_, (_, begun))| std::cmp::Reverse(*begun));
    for (settled, (hold, begun)) in one_of_each(holds, |(_, (hold, _))| (hold.batch, hold.step)).0 {
        settled.lane.book.hold_step(hold.clone(), *begun).await?;
    }
    let mut arrived = HashSet::new();
    let buckets: Vec<NotedBucket> = by_lane(group).iter().flat_map(|(lane, _)| lane.to_note()).collect();
    let mut rest: Vec<&Settled> = group.iter().collect();
    while !rest.is_empty() {
        let (firsts, others) = one_of_each(rest, |settled| settled.message.key);
        arrived.extend(record_firsts(store, &firsts, &buckets, (is_repeat, now)).await?);
        rest = others;
    }
    for settled in group {
        settled.entry.count_hand_overs(u64::from(settled.fact.as_ref().is_some_and(|fact| fact.intent.is_some())));
    }
    Ok(arrived)
}

/// What the provider said about the person and not about the message holds for every channel and campaign.
fn wants_no_more(settled: &Settled, now: Timestamp) -> Option<OptOut> {
    let Answer::Refused { fault: Fault::Person, .. } = settled.answer else { return None };
    let code = settled.fact.as_ref().and_then(|fact| fact.code);
    let source = code.map_or_else(|| "answer of the provider".to_owned(), |code| format!("answer with code {code}"));
    Some(OptOut { msisdn: settled.message.msisdn, since: now, from: WishFrom::Provider, source })
}

/// Parts what is first of its key from what comes after, both in order.
fn one_of_each<T, K: Eq + Hash>(all: Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, Vec<T>) {
    let mut seen = HashSet::with_capacity(all.len());
    all.into_iter().partition(|one| seen.insert(key(one)))
}

/// Where a receipt was faster, the decision is made again on what stands there now.
async fn record_firsts(
    store: &dyn Store,
    firsts: &[&Settled],
    buckets: &[NotedBucket],
    (is_repeat, now): (bool, Timestamp),
) -> Result<HashSet<(MessageKey, StepIndex)>> {
    let mut arrived = HashSet::new();
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
        arrived.extend(firsts.iter().filter(handed_over).map(|settled| (settled.message.key, settled.step)));
        let again =
            firsts.iter().filter_map(|settled| Some(decide(settled, current.get(&settled.message.key)?))).collect();
        stale = store.record(again).await?;
    }
    Ok(arrived)
}

/// Gives back the places that were taken for what never left: first on disk, so that nobody new is let in whom a crash
/// would find there besides.
async fn give_back(store: &dyn Store, group: &[Settled], arrived: &HashSet<(MessageKey, StepIndex)>) -> Result<()> {
    for (lane, _) in by_lane(group) {
        let Some((portfolio, window)) = &lane.tier else { continue };
        let unsent = group
            .iter()
            .filter(|settled| settled.lane.id == lane.id && !arrived.contains(&(settled.message.key, settled.step)));
        let spare: Vec<_> = unsent.filter_map(|settled| Some((settled.message.msisdn, settled.spare_place?))).collect();
        if !spare.is_empty() {
            store.give_back_places(portfolio, spare.clone()).await?;
            window.give_back(spare);
        }
    }
    Ok(())
}

/// From when an acceptance counts that was heard at `answered` and is written at `now`: never from before it. What
/// waited for a disk that can be written again counts from when it was heard, for its receipts have come since, and
/// were missed: a gap that ended before it counted would not concern it.
fn accepted_at(answered: Timestamp, now: Timestamp) -> Timestamp {
    if now.since(answered) <= WAITED {
        return now;
    }
    let coarse = answered.millis() + (-answered.millis()).rem_euclid(COARSE);
    Timestamp::from_millis(coarse).min(now)
}

/// Whether a refusal that was taken for its recipient's fault is the sender's by now: it need not fall back first.
fn is_recalled(settled: &Settled) -> bool {
    let refused = settled.fact.as_ref().filter(|fact| fact.verdict == Verdict::Rejected);
    let code = refused.and_then(|fact| fact.code);
    code.is_some_and(|code| settled.entry.are_senders(settled.step, ToldBy::Answer, code).is_some())
}

/// What the engine makes of a settled job. An answer that changes nothing any more still leaves its fact: the umid.
fn decide(settled: &Settled, message: &Loaded, is_repeat: bool, now: Timestamp) -> Change {
    let now = match (settled.answer, &settled.fact) {
        (Answer::Accepted, Some(fact)) => accepted_at(fact.answered, now),
        _ => now,
    };
    // By the plan as it is now, which is seldom another than when it was claimed.
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
    // What was recorded before an error came in between may have been claimed anew: that claim has an answer of its own.
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
        (true, Some(_)) => _ = case.take(&case.ask(&entry.plan, answered, now)),
        (true, None) => _ = case.tell(&entry.plan, answered, now),
        (false, _) => _ = case.rule(Made::Nothing),
    }
    let fact = fact.map(|fact| Attempt { answered: now, ruling: case.ruling(), ..fact });
    if let Some(why) = settled.then {
        case.tell(&entry.plan, Event::CalledOff(why), now);
    }
    // The next epoch has counted it as unknown, and that stays so, in the row and in its fact. All that we add to it is
    // what the provider calls it, by which receipts find it.
    // A second copy is unknown before its own answer too.
    let is_in_our_hands = (message.present.state, message.present.tries) == (ours.state, ours.tries);
    let is_late = message.present.marks.unknown(settled.step) && !is_in_our_hands;
    let fact = match fact {
        Some(fact) if is_late => Some(Attempt { verdict: Verdict::Unknown, ..fact }).filter(|fact| fact.umid.is_some()),
        fact => fact,
    };
    // Where a receipt has proven it meanwhile, it was handed over whatever the answer said.
    let was_handed_over = |message: &Loaded| message.present.marks.handed_over(settled.step);
    let is_proven = was_handed_over(message) && !was_handed_over(&settled.message);
    // What is in our hands no more has had its money back, if this was on disk already.
    let is_still_ours = is_ours && matches!(message.present.state, State::Sending { .. });
    let has_it_back = is_repeat && !is_still_ours;
    let refund = settled.refund.filter(|_| !is_proven && !has_it_back);
    Change { fact, refund, ..entry.change(case) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waited_to_be_written_was_accepted_when_that_was_heard_and_never_before() {
        let at = |millis| Timestamp::from_millis(millis);
        assert_eq!(accepted_at(at(5_001), at(5_020)), at(5_020));
        assert_eq!(accepted_at(at(5_001), at(60_000)), at(5_100));
        assert_eq!(accepted_at(at(5_100), at(60_000)), at(5_100));
        assert_eq!(accepted_at(at(5_001), at(4_000)), at(4_000), "a clock that was put back");
    }

    #[test]
    fn two_steps_of_one_message_are_recorded_one_after_the_other() {
        let steps = vec![("a", 1), ("b", 1), ("a", 2), ("c", 1), ("a", 3)];
        let (firsts, others) = one_of_each(steps, |(message, _)| *message);
        assert_eq!(firsts, [("a", 1), ("b", 1), ("c", 1)]);
        assert_eq!(one_of_each(others, |(message, _)| *message), (vec![("a", 2)], vec![("a", 3)]));
    }
}
