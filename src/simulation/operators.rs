//! What operators do, and what the provider says of accounts and templates.

use super::act::Turned;
use super::world::{PERSON, World};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{BatchId, BatchState, Knob};
use crate::store::{Dial, StepHeldBy};
use crate::throttle::{in_file, turned};

impl World {
    /// Changes something, as a command or an event of the account does.
    pub(super) async fn turn(&mut self, lane: usize, to: Turned, by_person: bool) {
        let (now, lane) = (self.clock.now(), &self.config.lanes[lane]);
        let (knob, name, value) = match to {
            Turned::Rate(value) => (Knob::Rate, Some(lane.name.as_str()), value),
            Turned::Burst(value) => (Knob::Burst, Some(lane.name.as_str()), value),
            Turned::Tier(value) => (Knob::Tier, lane.tiered(), value),
        };
        let Some(name) = name.map(str::to_owned) else { return };
        match value {
            None => {
                self.store.turn_back(knob, name, PERSON.to_owned(), now).await.unwrap();
            }
            Some(value) => {
                let in_file = in_file(&self.config, knob, &name).unwrap();
                let (value, why) = (value.to_owned(), PERSON.to_owned());
                self.store.turn(Dial { knob, name, value, in_file, by_person, why, since: now }, now).await.unwrap();
            }
        }
        let turned = self.turned().await;
        self.holds.paces.turned(&turned, now);
    }

    /// The configuration as it has been turned by now.
    pub(super) async fn turned(&self) -> Config {
        turned(&self.config, &self.store.dials().await.unwrap())
    }

    /// The provider says how it stands with the template. Returns whether the process still lives.
    pub(super) async fn template(&mut self, word: &str, twice: bool) -> bool {
        let Some(node) = &mut self.node else { return true };
        let event = serde_json::json!({
            "eventId": format!("{word} {}", self.acts),
            "timestamp": self.clock.now().rfc3339(),
            "eventType": "template_status_update",
            "eventDetails": { "templateName": "promo", "templateLanguage": "en", "meta": { "status": word } },
        });
        let event = event.to_string();
        let bodies = vec![event.as_bytes(); if twice { 2 } else { 1 }];
        let taken = self.fate.outlive(node.take(&bodies)).await;
        if word == "APPROVED" {
            self.holds.lifted("promo");
        }
        taken.is_some()
    }

    pub(super) async fn release(&mut self) {
        for hold in self.store.holds().await.unwrap() {
            self.store
                .release(hold.lane.clone(), hold.template.clone(), self.clock.now(), PERSON.to_owned())
                .await
                .unwrap();
            self.holds.released(&hold);
            let lane = self.config.lanes.iter().position(|lane| lane.name == hold.lane);
            if let Some(lane) = lane.filter(|_| hold.template.is_empty()) {
                self.net.lets_go_on(lane);
            }
        }
        for batch in self.holds.batches().collect::<Vec<_>>() {
            self.store.release_steps(batch, None, PERSON.to_owned(), self.clock.now()).await.unwrap();
        }
        self.holds.released_steps();
    }

    /// People call off what has used up its limits: it would wait for ever.
    pub(super) async fn give_up(&mut self) {
        let holds = self.store.step_holds().await.unwrap();
        let at_limit = holds.iter().filter(|hold| hold.by == StepHeldBy::Limit);
        let at_limit: Vec<BatchId> = at_limit.map(|hold| hold.batch).collect();
        for (which, batch) in self.holds.batches().collect::<Vec<_>>().into_iter().enumerate() {
            let row = self.store.batch(batch).await.unwrap().unwrap();
            let is_spent = row.state == BatchState::Paused || at_limit.contains(&batch);
            if is_spent {
                self.move_batch(which, &[BatchState::Running, BatchState::Paused], BatchState::Cancelling).await;
            }
        }
    }

    pub(super) async fn move_batch(&mut self, which: usize, from: &[BatchState], to: BatchState) {
        let Some(batch) = self.holds.batches().nth(which) else { return };
        let why = Some(PERSON.to_owned());
        let moved = self.store.move_batch(batch, from.to_vec(), to, why, self.clock.now()).await.unwrap();
        if moved.is_some() {
            self.holds.moved(batch, to);
        }
    }
}
