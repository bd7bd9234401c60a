//! Pauses a campaign, or holds a step of it, when too many of its messages are undelivered.

use std::collections::{HashMap, VecDeque};

use crate::base::domain::{
    BatchId, BatchState, Count, Plan, Status, Step, StepIndex, StopRule, Tallies, Timestamp, grouped,
};
use crate::base::events::Origin;
use crate::sending::book::Entry;
use crate::store::{Batches, Result, StepHeldBy, StepHold};

/// Looks that are remembered for each step, spread over as many messages as its rule covers.
const LOOKS: u64 = 100;

/// What was known about a step's submissions at one time: how many had a result, and how many of those were
/// undelivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Known {
    all: u64,
    undelivered: u64,
}

impl Known {
    fn of(index: StepIndex, step: &Step, tallies: &Tallies) -> Self {
        let get = |count| u64::try_from(tallies.get(index, count)).unwrap_or(0);
        let arrived = match step.channel.default_success() {
            Status::Accepted => get(Count::HandedOver).saturating_sub(get(Count::Undelivered)),
            Status::Sent => get(Count::Sent),
            Status::Delivered | Status::Read => get(Count::Delivered),
        };
        let undelivered = get(Count::Undelivered) + get(Count::Rejected);
        Self { all: arrived + undelivered, undelivered }
    }

    const fn since(self, before: Self) -> Self {
        Self {
            all: self.all.saturating_sub(before.all),
            undelivered: self.undelivered.saturating_sub(before.undelivered),
        }
    }
}

/// The looks at campaigns with rules. After a server starts or a campaign is resumed, only later results count.
#[derive(Debug, Default)]
pub(super) struct Guards {
    seen: HashMap<(BatchId, StepIndex, Rule), VecDeque<Known>>,
    /// The rule by which a step was last held. The same rule holds a step only once.
    held: HashMap<(BatchId, StepIndex), StopRule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Rule {
    Pause,
    HoldPaid,
}

impl Guards {
    /// Looks at a running campaign. Returns whether it was paused.
    pub(super) async fn look(
        &mut self,
        store: &dyn Batches,
        entry: &Entry,
        tallies: &Tallies,
        now: Timestamp,
    ) -> Result<bool> {
        let plan = &entry.plan;
        for (index, step) in plan.indexed_steps() {
            let known = Known::of(index, step, tallies);
            if let Some(rule) = plan.hold_paid_when
                && let Some(paid) = next_paid(plan, index)
                && self.held.get(&(entry.id, paid)) != Some(&rule)
                && let Some(broken) = self.broken((entry.id, index, Rule::HoldPaid), known, rule)
            {
                let why = format!("{}; this step costs money (hold_paid_when)", in_words(index, step, broken));
                let origin = Origin::rule(why);
                store
                    .hold_step(
                        StepHold {
                            batch: entry.id,
                            step: paid,
                            by: StepHeldBy::Rule,
                            origin,
                            since: now,
                            recall: None,
                        },
                        now,
                    )
                    .await?;
                self.held.insert((entry.id, paid), rule);
            }
            if let Some(rule) = plan.pause_when
                && let Some(broken) = self.broken((entry.id, index, Rule::Pause), known, rule)
            {
                let why = format!("{} (pause_when)", in_words(index, step, broken));
                let from = vec![BatchState::Running];
                store.move_batch(entry.id, from, BatchState::Paused, Some(Origin::rule(why)), now).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets the looks at a campaign that does not run, so that a resumed campaign starts with a clean record.
    pub(super) fn forget(&mut self, batch: BatchId) {
        self.seen.retain(|(of, _, _), _| *of != batch);
    }

    /// The latest results that the rule covers, if they break it.
    fn broken(&mut self, key: (BatchId, StepIndex, Rule), now: Known, rule: StopRule) -> Option<Known> {
        let last = u64::from(rule.last());
        let seen = self.seen.entry(key).or_default();
        let is_far = |before: &Known| now.all >= before.all + last.div_ceil(LOOKS);
        if seen.back().is_none_or(is_far) {
            seen.push_back(now);
        }
        while seen.get(1).is_some_and(|next| now.since(*next).all >= last) {
            seen.pop_front();
        }
        let latest = now.since(*seen.front()?);
        rule.is_broken(latest.undelivered, latest.all).then_some(latest)
    }
}

/// The next step after `index` that costs something.
fn next_paid(plan: &Plan, index: StepIndex) -> Option<StepIndex> {
    plan.indexed_steps().find(|(other, step)| *other > index && step.is_paid()).map(|(paid, _)| paid)
}

fn in_words(index: StepIndex, step: &Step, latest: Known) -> String {
    format!(
        "{} of {} recent messages on step {index} ({}) failed: undelivered or rejected",
        grouped(latest.undelivered),
        grouped(latest.all),
        step.channel
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(rule: &str, seen: &[(u64, u64)]) -> Vec<bool> {
        let (mut guards, rule) = (Guards::default(), rule.parse().unwrap());
        let key = (BatchId(1), StepIndex::FIRST, Rule::Pause);
        let look = |(all, undelivered): &(u64, u64)| {
            guards.broken(key, Known { all: *all, undelivered: *undelivered }, rule).is_some()
        };
        seen.iter().map(look).collect()
    }

    #[test]
    fn only_the_latest_results_count() {
        let rule = "undelivered > 20% of the last 100";
        assert_eq!(looks(rule, &[(0, 0), (99, 99), (100, 100)]), [false, false, true]);
        assert_eq!(looks(rule, &[(0, 0), (100, 20), (200, 41)]), [false, false, true]);
        // Early failures no longer count after many good results.
        assert_eq!(looks(rule, &[(0, 0), (50, 15), (100, 20), (150, 25)]), [false; 4]);
        // Results from before the first look do not count.
        assert_eq!(looks(rule, &[(1_000, 900), (1_050, 950), (1_100, 921)]), [false, false, true]);
        assert_eq!(looks(rule, &[(1_000, 900), (1_100, 920)]), [false, false]);
    }

    #[test]
    fn frequent_looks_remember_only_a_limited_number() {
        let (mut guards, rule) = (Guards::default(), "undelivered > 20% of the last 10000".parse().unwrap());
        let key = (BatchId(1), StepIndex::FIRST, Rule::Pause);
        for all in 0..50_000 {
            assert!(guards.broken(key, Known { all, undelivered: all / 6 }, rule).is_none());
        }
        assert!(guards.seen[&key].len() <= 102, "{}", guards.seen[&key].len());
    }
}
