//! Checks the rates of lanes against what the provider said about them.

use super::{Findings, Health};
use crate::base::config::{Config, IN_APP_RATE, Lane};
use crate::base::domain::text::about;
use crate::base::domain::{Channel, Timestamp};
use crate::rules::wire::codes;
use crate::store::{LaneState, Result, Store};

/// WhatsApp's code for a number that got more messages than it takes.
const THROUGHPUT: i64 = 130_429;

/// Reports WhatsApp lanes that got more than their numbers take, and whose rate only a number takes that is not also used in
/// the app.
pub(super) async fn check_throughput(
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    findings: &mut Findings,
) -> Result<()> {
    let states = store.lane_states(Timestamp::default()).await?;
    let may_be_in_app =
        |lane: &&Lane| lane.channel == Channel::WhatsApp && !lane.also_in_app && lane.rate.is_above(IN_APP_RATE);
    for lane in config.lanes.iter().filter(may_be_in_app) {
        let Some(at) = states.iter().find(|state| state.lane == lane.name).and_then(exceeded_at) else { continue };
        let text = format!(
            "lane {}: {} ago, WhatsApp said that its number takes fewer messages than {}",
            lane.name,
            about(now.since(at)),
            lane.rate
        );
        let advice = format!(
            "if the number is also used in the WhatsApp Business app, it takes {IN_APP_RATE}: set also_in_app = true"
        );
        findings.add("rate", Health::Warning, text, Some(&advice));
    }
    Ok(())
}

/// When the provider said last that the number got too many messages, if that is its latest complaint.
fn exceeded_at(state: &LaneState) -> Option<Timestamp> {
    let (at, why) = state.complaint.as_ref()?;
    // The provider's own code for the same has WhatsApp's in brackets.
    why.starts_with(codes::of_receipt(Some(THROUGHPUT)).meaning).then_some(*at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Portion;

    #[test]
    fn only_whatsapps_word_about_the_number_counts() {
        let at = Timestamp::from_millis(9);
        let said = |code: i64| {
            let complaint = Some((at, codes::of_receipt(Some(code)).meaning.to_owned()));
            let lane = "wa".to_owned();
            let (pace, portion, tier_spent, free_at, standing) = (0.0, Portion::WHOLE, false, None, None);
            exceeded_at(&LaneState { lane, pace, portion, tier_spent, free_at, standing, complaint })
        };
        assert_eq!([said(130_429), said(1_009)], [Some(at); 2], "WhatsApp's code, and the provider's for it");
        assert_eq!([said(80_007), said(1_002), said(131_056)], [None; 3]);
    }
}
