//! What operators do, and what the provider reports about accounts and templates.

use super::act::Setting;
use super::world::{OPERATOR, World};
use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::domain::{BatchId, BatchState, MessageKey, OverridableSetting, StepIndex};
use crate::base::events::Origin;
use crate::campaigns::campaign::{MessageDecision, carry_out_on_message};
use crate::sending::throttle::{in_file, with_overrides};
use crate::store::{Override, StepHeldBy};

pub(super) fn by() -> Origin {
    Origin::operator(OPERATOR, None)
}

impl World {
    /// Overrides a setting or ends the override, as a command or an account event does.
    pub(super) async fn override_setting(&mut self, lane: usize, to: Setting, by_operator: bool) {
        let (now, lane) = (self.clock.now(), &self.config.lanes[lane]);
        let (setting, name, value) = match to {
            Setting::Rate(value) => (OverridableSetting::Rate, Some(lane.name.as_str()), value),
            Setting::Burst(value) => (OverridableSetting::Burst, Some(lane.name.as_str()), value),
            Setting::Tier(value) => (OverridableSetting::Tier, lane.tiered(), value),
        };
        let Some(name) = name.map(str::to_owned) else { return };
        match value {
            None => {
                self.store.end_override(setting, name, by(), now).await.unwrap();
            }
            Some(value) => {
                let in_file = in_file(&self.config, setting, &name).unwrap();
                let value = value.to_owned();
                let origin = if by_operator { by() } else { Origin::provider("a test event") };
                self.store
                    .set_override(Override { setting, name, value, in_file, origin, since: now }, now)
                    .await
                    .unwrap();
            }
        }
        let config = self.current_config().await;
        self.invariants.rate_limits.allow_also(&config, now);
    }

    /// Returns the configuration with all present overrides.
    pub(super) async fn current_config(&self) -> Config {
        with_overrides(&self.config, &self.store.overrides().await.unwrap())
    }

    /// Posts an event with a template's status. Returns whether the process still lives.
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
            self.invariants.allow_template("promo");
        }
        taken.is_some()
    }

    pub(super) async fn release(&mut self) {
        for hold in self.store.holds().await.unwrap() {
            self.store.release(hold.lane.clone(), hold.template.clone(), self.clock.now(), by()).await.unwrap();
            self.invariants.release(&hold);
            let lane = self.config.lanes.iter().position(|lane| lane.name == hold.lane);
            if let Some(lane) = lane.filter(|_| hold.template.is_empty()) {
                self.net.resume_lane(lane);
            }
        }
        for batch in self.invariants.batches().collect::<Vec<_>>() {
            self.store.release_steps(batch, StepIndex::all().collect(), by(), self.clock.now()).await.unwrap();
        }
        self.invariants.release_steps();
        self.release_set_aside().await;
    }

    /// Operators return to their queues the messages that are set aside.
    async fn release_set_aside(&mut self) {
        let aside: Vec<MessageKey> =
            self.invariants.messages().filter(|message| message.present.is_set_aside()).map(|it| it.key).collect();
        for key in aside {
            let batch = self.store.batch(key.batch).await.unwrap().unwrap();
            let decision = MessageDecision::Release;
            // It may have expired meanwhile.
            let _ = carry_out_on_message(&self.store, self.clock.as_ref(), (&batch, key), decision, &by()).await;
        }
    }

    /// Operators cancel campaigns that have used up their limits, which would wait for ever.
    pub(super) async fn give_up(&mut self) {
        let holds = self.store.step_holds().await.unwrap();
        let at_limit = holds.iter().filter(|hold| hold.by == StepHeldBy::Limit);
        let at_limit: Vec<BatchId> = at_limit.map(|hold| hold.batch).collect();
        for (which, batch) in self.invariants.batches().collect::<Vec<_>>().into_iter().enumerate() {
            let row = self.store.batch(batch).await.unwrap().unwrap();
            let is_spent = row.state == BatchState::Paused || at_limit.contains(&batch);
            if is_spent {
                self.move_batch(which, &[BatchState::Running, BatchState::Paused], BatchState::Cancelling).await;
            }
        }
    }

    pub(super) async fn move_batch(&mut self, which: usize, from: &[BatchState], to: BatchState) {
        let Some(batch) = self.invariants.batches().nth(which) else { return };
        let moved = self.store.move_batch(batch, from.to_vec(), to, Some(by()), self.clock.now()).await.unwrap();
        if moved.is_some() {
            self.invariants.decide(batch, to);
        }
    }
}
