//! Another program that sends on our subaccount: the provider posts its receipts to us as well, and none is ever ours.

use super::scene::{PEOPLE, one_of, person};
use super::world::World;
use crate::clock::Clock;
use crate::domain::{Channel, Msisdn, Span};
use crate::store::StrayKind;

impl World {
    /// Posts a receipt of another program's message to one of our recipients. Returns whether the process lives on.
    ///
    /// What no rule could tell from ours is not posted: it would be of a lane whose receipts nobody knows to carry our
    /// ids, carry none itself, and be stamped later than an attempt of ours.
    pub(super) async fn foreign(&mut self, seed: u64) -> bool {
        let mut dice = fastrand::Rng::with_seed(seed);
        let now = self.clock.now();
        let (msisdn, channel) = self.somebody(&mut dice);
        let stamp = now - Span::from_secs(one_of(&mut dice, &[0, 0, 30, 130, 200, 1_000]));
        let named = one_of(&mut dice, &[None, None, Some("order-17")]);
        // One of several is not adopted; once it is the only one, nothing tells them apart.
        let is_one_of_several = self.holds.ambiguous().contains(&(msisdn, channel));
        let is_told_apart = named.is_some()
            || is_one_of_several
            || self.holds.begun_too_late_for(stamp, msisdn, channel)
            || self.has_one_lane_on(channel) && self.net.names_ours(channel);
        if !is_told_apart {
            return true;
        }
        let (state, code) = one_of(&mut dice, &[("delivered", None), ("undelivered", Some(9)), ("sent", None)]);
        let umid = format!("foreign-{}", self.acts);
        let event = serde_json::json!({
            "eventType": "outbound_message_status_changed",
            "payload": {
                "umid": umid,
                "subAccountId": "acme",
                "channel": channel.as_str(),
                "user": { "msisdn": format!("+{}", msisdn.get()) },
                "clientMessageId": named,
                "status": { "state": state, "timestamp": stamp.rfc3339(), "errorCode": code },
            },
        });
        let event = event.to_string();
        let Some(node) = &mut self.node else { return true };
        // Whether it is acknowledged is the other program's business.
        let lives = self.fate.outlive(node.take(&[event.as_bytes()])).await.is_some();
        if is_one_of_several {
            self.forget_stray(&umid).await;
        }
        lives
    }

    async fn forget_stray(&self, umid: &str) {
        let strays = self.store.strays(StrayKind::NoAttempt, None, 1_000).await.unwrap();
        let of_it = strays.into_iter().filter(|(_, stray)| stray.raw.contains(umid));
        self.store.forget_strays(of_it.map(|(id, _)| id).collect()).await.unwrap();
    }

    /// Mostly whoever has an attempt that is unknown, or that may become so.
    fn somebody(&self, dice: &mut fastrand::Rng) -> (Msisdn, Channel) {
        let several = self.holds.ambiguous();
        if !several.is_empty() && dice.bool() {
            return one_of(dice, &several);
        }
        let may_be_unknown: Vec<(Msisdn, Channel)> = self.holds.in_question().collect();
        if !may_be_unknown.is_empty() && dice.u32(..4) > 0 {
            return one_of(dice, &may_be_unknown);
        }
        let lanes: Vec<Channel> = self.config.lanes.iter().map(|lane| lane.channel).collect();
        (person(dice.u32(..PEOPLE)).msisdn, one_of(dice, &lanes))
    }

    fn has_one_lane_on(&self, channel: Channel) -> bool {
        self.config.lanes.iter().filter(|lane| lane.channel == channel).count() == 1
    }
}
