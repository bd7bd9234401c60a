//! Webhooks of the provider, as they are sent.

use super::{Hook, Inner, without_name};
use crate::base::clock::Clock;
use crate::base::domain::Span;
use crate::rules::wire::ReportedStatus;
use crate::simulation::blame::No;
use crate::simulation::scene;

impl Inner {
    /// Takes the model's webhooks and sends them, with the trouble that the dice draw.
    pub(super) fn tick(&mut self) {
        let now = self.clock.now();
        for mut webhook in self.model.tick(now) {
            let news = self.news(&webhook.event);
            if let Some((attempt, copy, report)) = news {
                let truth = self.truths.entry(attempt).or_default();
                match report {
                    ReportedStatus::Negative { code } => {
                        truth.failed.push(No::Receipt { code });
                        truth.failed_copies.insert(copy);
                    }
                    good => truth.best = truth.best.max(good.status()),
                }
                self.take_dice(attempt);
            }
            let (lost, nameless) = (self.throw(self.trouble.webhook_lost), self.throw(self.trouble.webhook_nameless));
            let (late, twice) = (self.throw(self.trouble.webhook_late), self.throw(self.trouble.webhook_twice));
            let (later, again) = (self.dice.i64(1..120_000), self.dice.i64(0..60_000));
            if lost {
                continue;
            }
            // For a recipient of two campaigns, a receipt without an id may look like one of ours.
            let nameless = nameless && news.is_some_and(|(attempt, ..)| scene::gets_one(attempt.key));
            if nameless {
                webhook.event = without_name(&webhook.event);
            }
            let at = if late { now + Span::from_millis(later) } else { now };
            self.webhooks += 1;
            let hook = Hook { event: webhook.event, at, id: self.webhooks, tried: 0, nameless };
            if twice {
                self.hooks.push(Hook { at: at + Span::from_millis(again), ..hook.clone() });
            }
            self.hooks.push(hook);
        }
    }
}
