//! The time after the storm: everything works, operators resume everything, and the world comes to rest.

use std::collections::BTreeSet;

use super::act::Act;
use super::world::World;
use crate::base::clock::Clock;
use crate::base::domain::{LaneId, Span, State, Timestamp};
use crate::node::ByHand;

/// Rounds within which everything must come to rest.
const ROUNDS: u32 = 600;
/// Rounds between two times at which operators release holds and the node looks for decisions.
const LOOK_EVERY: u32 = 4;
/// The shortest and longest wait after a round in which nothing was sent.
const SHORTEST: Span = Span::from_millis(200);
const LONGEST: Span = Span::from_secs(30_000);

impl World {
    pub(super) async fn calm(&mut self) {
        self.clear_up().await;
        let mut wait = SHORTEST;
        for round in 0..ROUNDS {
            let posted = self.round(round % LOOK_EVERY == 0).await;
            if self.is_at_rest().await {
                self.invariants.check_end(self.clock.now(), &mut self.log).await;
                return;
            }
            // If nothing was sent, messages may be waiting a day for a full tier.
            wait = if posted { SHORTEST } else { Span::from_millis(wait.millis() * 2).min(LONGEST) };
            self.let_time_pass(wait);
        }
        self.unrest().await;
    }

    /// Does everything that can be done now. Returns whether anything was sent.
    async fn round(&mut self, look: bool) -> bool {
        if look {
            self.give_up().await;
            self.release().await;
            self.go(Act::Watch, None).await;
            self.go(Act::Ask, None).await;
            self.go(Act::Strays, None).await;
            self.go(Act::KeepHouse, None).await;
            // An answer that the disk refused still waits here, even if a receipt has changed its message.
            self.go(Act::Record, None).await;
        }
        for lane in self.lanes_with(|state, now| matches!(state, State::Queued { not_before, .. } if not_before <= now))
        {
            self.go(Act::Claim { lane, anyway: look }, None).await;
        }
        for lane in self.lanes_with(|state, _| matches!(state, State::Sending { .. })) {
            self.go(Act::HandOver { lane, requests: 8 }, None).await;
        }
        let posted = self.net.held() > 0;
        while self.net.held() > 0 {
            self.go(Act::Answer(0), None).await;
        }
        if self.invariants.messages().any(|message| matches!(message.present.state, State::Sending { .. })) {
            self.go(Act::Record, None).await;
        }
        let due = self.net.due();
        assert!(self.take(due).await, "the process died without a kill");
        self.check().await;
        if self.invariants.next_due().is_some_and(|due| due <= self.clock.now()) {
            self.go(Act::Fire, None).await;
        }
        posted
    }

    /// Returns the indexes of lanes with messages in such a state now.
    fn lanes_with(&self, state: fn(State, Timestamp) -> bool) -> BTreeSet<usize> {
        let now = self.clock.now();
        let messages = self.invariants.messages().filter(|message| state(message.present.state, now));
        messages.map(|message| self.index_of(message.lane)).collect()
    }

    /// Returns the index of a lane; lanes are numbered in the order of the configuration.
    fn index_of(&self, lane: LaneId) -> usize {
        usize::try_from(lane.0 - 1).unwrap()
    }

    async fn is_at_rest(&self) -> bool {
        let mut messages = self.invariants.messages();
        if self.net.next().is_some() || messages.any(|message| message.present.outcome().is_none()) {
            return false;
        }
        for batch in self.invariants.batches() {
            if self.store.batch(batch).await.unwrap().unwrap().settled_at.is_none() {
                return false;
            }
        }
        true
    }

    /// Waits until something can happen, and no longer than `pace` while a message waits to be sent.
    fn let_time_pass(&mut self, longest: Span) {
        let now = self.clock.now();
        let next = self.net.next().into_iter().chain(self.invariants.next_due()).min();
        let next = next.map_or(longest, |at| at.since(now)).max(Span::from_millis(50));
        let is_unsent = |state: State| matches!(state, State::Queued { .. } | State::Sending { .. });
        let any_unsent = self.invariants.messages().any(|message| is_unsent(message.present.state));
        // A message that waits for a tier slot gets it as soon as one is free.
        let longest = self.invariants.rate_limits.next_free(now).map_or(longest, |at| at.since(now).min(longest));
        self.wait(if any_unsent { next.min(longest) } else { next });
    }

    async fn unrest(&self) {
        let open = self.invariants.messages().find(|message| message.present.outcome().is_none());
        let mut batches = Vec::new();
        for batch in self.invariants.batches() {
            let row = self.store.batch(batch).await.unwrap().unwrap();
            batches.push(format!("{} {}", row.name.unwrap_or_default(), row.state));
        }
        panic!(
            "the world does not come to rest: {batches:?} at {}, gaps {:?}, next {:?}, {:?}; {open:?}",
            self.clock.now().rfc3339(),
            self.store.gaps().await.unwrap(),
            self.net.next(),
            self.node.as_ref().map(ByHand::lanes),
        );
    }
}
