//! Another program that sends on our subaccount. The provider posts its receipts to us as well, and none of them is
//! ever ours.

use super::scene::{RECIPIENTS, one_of, recipient};
use super::world::World;
use crate::base::clock::Clock;
use crate::base::domain::{Channel, Msisdn, Span, Timestamp};
use crate::store::{Cursor, StrayKind};

impl World {
    /// Posts a receipt for another program's message to one of our recipients. Returns whether the process still lives.
    ///
    /// It does not post a receipt that no rule can distinguish from ours. Such a receipt carries no id and has a stamp
    /// after one of our attempts, and its lane's receipts are not known to carry our ids.
    pub(super) async fn foreign(&mut self, seed: u64) -> bool {
        let mut dice = fastrand::Rng::with_seed(seed);
        let now = self.clock.now();
        let (msisdn, channel) = self.pick(&mut dice);
        let stamp = now - Span::from_secs(one_of(&mut dice, &[0, 0, 30, 130, 200, 1_000]));
        let named = one_of(&mut dice, &[None, None, Some("order-17")]);
        // One of several candidates is not adopted. Once only one is left, no rule can distinguish them.
        let is_one_of_several = self.invariants.ambiguous().contains(&(msisdn, channel));
        let is_told_apart = named.is_some()
            || is_one_of_several
            || self.invariants.begun_too_late_for(stamp, msisdn, channel)
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
        // Whether it is acknowledged matters to the other program only.
        let lives = self.fate.outlive(node.take(&[event.as_bytes()])).await.is_some();
        if is_one_of_several {
            self.forget_stray(&umid).await;
        }
        lives
    }

    async fn forget_stray(&self, umid: &str) {
        let strays = self.store.strays(StrayKind::NoAttempt, Timestamp::default(), Cursor::START, 1_000).await.unwrap();
        let of_it = strays.into_iter().filter(|(_, stray)| stray.raw.contains(umid));
        self.store.forget_strays(of_it.map(|(id, _)| id).collect()).await.unwrap();
    }

    /// Picks a recipient and channel, mostly with an attempt that is unknown or may become unknown.
    fn pick(&self, dice: &mut fastrand::Rng) -> (Msisdn, Channel) {
        let several = self.invariants.ambiguous();
        if !several.is_empty() && dice.bool() {
            return one_of(dice, &several);
        }
        let may_be_unknown: Vec<(Msisdn, Channel)> = self.invariants.in_question().collect();
        if !may_be_unknown.is_empty() && dice.u32(..4) > 0 {
            return one_of(dice, &may_be_unknown);
        }
        let lanes: Vec<Channel> = self.config.lanes.iter().map(|lane| lane.channel).collect();
        (recipient(dice.u32(..RECIPIENTS)).number().unwrap(), one_of(dice, &lanes))
    }

    fn has_one_lane_on(&self, channel: Channel) -> bool {
        self.config.lanes.iter().filter(|lane| lane.channel == channel).count() == 1
    }
}
