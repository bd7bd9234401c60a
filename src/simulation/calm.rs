//! The storm is over: everything works, everybody lets it go on, and all of it comes to rest.

use std::collections::BTreeSet;

use super::act::Act;
use super::world::World;
use crate::clock::Clock;
use crate::domain::{LaneId, Span, State, Timestamp};
use crate::node::ByHand;

/// Rounds in which everything has to have come to rest.
const ROUNDS: u32 = 600;
/// Rounds after which people lift holds, and the node looks for what they have decided.
const LOOK_EVERY: u32 = 4;
/// How long is waited between two rounds of which the first brought nothing, at least and at most.
const SHORTEST: Span = Span::from_millis(200);
const LONGEST: Span = Span::from_secs(30_000);

impl World {
    pub(super) async fn calm(&mut self) {
        self.clear_up().await;
        let mut pace = SHORTEST;
        for round in 0..ROUNDS {
            let posted = self.round(round % LOOK_EVERY == 0).await;
            if self.is_at_rest().await {
                self.holds.check_end(self.clock.now(), &mut self.told).await;
                return;
            }
            // Where nobody leaves, it may be a full tier that is waited for: a day.
            pace = if posted { SHORTEST } else { Span::from_millis(pace.millis() * 2).min(LONGEST) };
            self.let_time_pass(pace);
        }
        self.unrest().await;
    }

    /// Everything that can be done now. Returns whether anything has left.
    async fn round(&mut self, look: bool) -> bool {
        if look {
            self.give_up().await;
            self.release().await;
            self.go(Act::Watch, None).await;
            self.go(Act::Ask, None).await;
            self.go(Act::Strays, None).await;
            self.go(Act::KeepHouse, None).await;
            // An answer that the disk refused waits here although a receipt has told the rest.
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
        if self.holds.messages().any(|message| matches!(message.present.state, State::Sending { .. })) {
            self.go(Act::Record, None).await;
        }
        let due = self.net.due();
        assert!(self.take(due).await, "died although nobody has killed it");
        self.check().await;
        if self.holds.next_due().is_some_and(|due| due <= self.clock.now()) {
            self.go(Act::Fire, None).await;
        }
        posted
    }

    /// The places of lanes with messages in such a state now.
    fn lanes_with(&self, state: fn(State, Timestamp) -> bool) -> BTreeSet<usize> {
        let now = self.clock.now();
        let messages = self.holds.messages().filter(|message| state(message.present.state, now));
        messages.map(|message| self.place_of(message.lane)).collect()
    }

    /// Lanes are numbered in the order in which the configuration names them.
    fn place_of(&self, lane: LaneId) -> usize {
        usize::try_from(lane.0 - 1).unwrap()
    }

    async fn is_at_rest(&self) -> bool {
        let mut messages = self.holds.messages();
        if self.net.next().is_some() || messages.any(|message| message.present.outcome().is_none()) {
            return false;
        }
        for batch in self.holds.batches() {
            if self.store.batch(batch).await.unwrap().unwrap().settled_at.is_none() {
                return false;
            }
        }
        true
    }

    /// As long as nothing can happen, and no longer than `pace` where somebody waits to leave.
    fn let_time_pass(&mut self, pace: Span) {
        let now = self.clock.now();
        let next = self.net.next().into_iter().chain(self.holds.next_due()).min();
        let next = next.map_or(pace, |at| at.since(now)).max(Span::from_millis(50));
        let waits = |state: State| matches!(state, State::Queued { .. } | State::Sending { .. });
        let someone_waits = self.holds.messages().any(|message| waits(message.present.state));
        // Whoever waits for a slot of a tier gets it as soon as it is free.
        let pace = self.holds.paces.next_free(now).map_or(pace, |at| at.since(now).min(pace));
        self.wait(if someone_waits { next.min(pace) } else { next });
    }

    async fn unrest(&self) {
        let open = self.holds.messages().find(|message| message.present.outcome().is_none());
        let mut batches = Vec::new();
        for batch in self.holds.batches() {
            let row = self.store.batch(batch).await.unwrap().unwrap();
            batches.push(format!("{} {}", row.name.unwrap_or_default(), row.state));
        }
        panic!(
            "it does not come to rest: {batches:?} at {}, gaps {:?}, next {:?}, {:?}; {open:?}",
            self.clock.now().rfc3339(),
            self.store.gaps().await.unwrap(),
            self.net.next(),
            self.node.as_ref().map(ByHand::lanes),
        );
    }
}
