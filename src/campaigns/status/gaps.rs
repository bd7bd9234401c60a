//! Describes the effects of gaps, in which no receipt could be taken, in the same words for every view.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::base::clock::format_time_of_day;
use crate::base::config::Config;
use crate::base::domain::text::{about, grouped, plural};
use crate::base::domain::{AfterGap, BatchState, Count, Plan, Span, Tallies, Timestamp, Zone};
use crate::rules::engine::{Gap, KnownGaps};
use crate::sending::ask;
use crate::store::{KeptGap, Nodes, Result, Store};

/// A short gap whose receipts the provider still repeats; deadlines wait for them.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Repeated {
    #[serde(serialize_with = "Timestamp::as_text")]
    from: Timestamp,
    /// The end of the gap: receipts are stored again. The repeats come later, until `held_until`.
    #[serde(serialize_with = "Timestamp::as_text")]
    until: Timestamp,
    /// The time until which deadlines wait.
    #[serde(serialize_with = "Timestamp::as_text")]
    held_until: Timestamp,
    #[serde(skip)]
    zone: Option<Zone>,
}

impl Repeated {
    /// Reads the gap that deadlines of a campaign wait for, if any. The campaign has sent since `begun`.
    pub async fn read(
        store: &dyn Nodes,
        config: &Config,
        plan: &Plan,
        (begun, zone): (Timestamp, Option<Zone>),
        now: Timestamp,
    ) -> Result<Option<Self>> {
        let mut gaps = KnownGaps::default();
        let lanes: Vec<_> = plan.steps.iter().flat_map(|step| config.lanes_of(step)).collect();
        let concerns = |address: &str| lanes.iter().any(|lane| lane.provider.base_url == address);
        for KeptGap { from, until, address } in store.gaps().await? {
            if address.as_deref().is_none_or(concerns) {
                gaps.add(Gap { from, until });
            }
        }
        let repeated = gaps.repeated(begun, now);
        Ok(repeated.map(|(Gap { from, until }, held_until)| Self { from, until, held_until, zone }))
    }

    pub fn sentence(&self) -> String {
        let time = |at| format_time_of_day(at, self.zone);
        format!(
            "receipts may be missing from {} until {}; the provider repeats them, and deadlines wait for them until {}",
            time(self.from),
            time(self.until),
            time(self.held_until)
        )
    }
}

/// Deadlines of a campaign that passed during a gap, so that no message falls back by them.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Waived {
    deadlines: i64,
    /// Deadlines that the provider cannot be asked about, because its id for the attempt is unknown.
    not_askable: i64,
    after_gap: AfterGap,
    /// The number of questions to the provider, including those of other campaigns on the same subaccounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_ask: Option<i64>,
    /// The seconds until all these questions are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_s: Option<i64>,
    /// Why the provider does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl Waived {
    /// Reads the deadlines in gaps; `None` if there are none.
    pub async fn read(
        store: &dyn Store,
        config: &Config,
        plan: &Plan,
        tallies: &Tallies,
        now: Timestamp,
    ) -> Result<Option<Self>> {
        let deadlines = tallies.total(Count::Waived);
        if deadlines <= 0 {
            return Ok(None);
        }
        let (not_askable, after_gap) = (tallies.total(Count::WaivedUnknown), plan.after_gap);
        let mut waived = Self { deadlines, not_askable, after_gap, to_ask: None, remaining_s: None, trouble: None };
        if plan.after_gap == AfterGap::Ask {
            let ours = questions(config, plan, tallies);
            let mut all: BTreeMap<&str, i64> = BTreeMap::new();
            for batch in store.batches(Some(vec![BatchState::Running, BatchState::Finished])).await? {
                let Some(plan) = store.plan(batch.id).await?.filter(|plan| plan.after_gap == AfterGap::Ask) else {
                    continue;
                };
                for (subaccount, count) in questions(config, &plan, &store.tallies(batch.id).await?) {
                    *all.entry(subaccount).or_default() += count;
                }
            }
            // Subaccounts are asked in parallel, so the longest one sets the time left.
            let waiting =
                ours.iter().map(|(subaccount, count)| (*count).max(all.get(subaccount).copied().unwrap_or(0)));
            let (mut to_ask, mut longest) = (0, 0);
            for count in waiting {
                to_ask += count;
                longest = longest.max(count);
            }
            waived.to_ask = Some(to_ask);
            waived.remaining_s = Some(seconds_for(longest));
            waived.trouble =
                store.query_states().await?.iter().find_map(|asking| asking.trouble_now(now).map(str::to_owned));
        }
        Ok(Some(waived))
    }

    pub fn sentence(&self) -> String {
        let passed =
            format!("{} while receipts may be missing", plural(self.deadlines, "deadline passed", "deadlines passed"));
        let wait = "wait for the TTL or the receipt window";
        let askable = self.deadlines - self.not_askable;
        match (self.to_ask, self.remaining_s) {
            (Some(_), Some(_)) if askable <= 0 => {
                format!("{passed}; their provider ids are unknown, so the provider cannot be asked, and they {wait}")
            }
            (Some(to_ask), Some(remaining_s)) => {
                let left = about(Span::from_secs(remaining_s));
                let unknown = match self.not_askable {
                    ..=0 => String::new(),
                    unknown => {
                        format!("; the provider ids of {} are unknown, and those {wait}", grouped(unknown))
                    }
                };
                let others = match to_ask - askable {
                    ..=0 => String::new(),
                    others => format!(", with {} of other campaigns", grouped(others)),
                };
                let trouble = match &self.trouble {
                    Some(trouble) => format!("; it does not answer: {trouble}"),
                    None => String::new(),
                };
                format!("{passed}; the provider is asked, one a second: {left} left{others}{trouble}{unknown}")
            }
            _ => format!("{passed}; they {wait}"),
        }
    }
}

fn seconds_for(questions: i64) -> i64 {
    ask::takes(questions.unsigned_abs()).millis() / 1_000
}

/// The questions that wait for each subaccount. Steps without a configured lane are not asked about.
fn questions<'a>(config: &'a Config, plan: &Plan, tallies: &Tallies) -> BTreeMap<&'a str, i64> {
    let mut questions = BTreeMap::new();
    for (index, step) in plan.indexed_steps() {
        let subaccounts: BTreeSet<&str> =
            config.lanes_of(step).map(|lane| lane.provider.sub_account.as_str()).collect();
        // Questions are not counted by lane; a pool is assumed to share them evenly.
        let each = tallies.to_ask(index) / i64::try_from(subaccounts.len().max(1)).unwrap_or(1);
        for sub_account in subaccounts {
            *questions.entry(sub_account).or_default() += each;
        }
    }
    questions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, Step, StepIndex};

    #[test]
    fn a_short_gap_names_the_time_until_receipts_are_repeated() {
        let mut gaps = KnownGaps::default();
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        gaps.add(Gap { from: at(100), until: at(130) });
        let (Gap { from, until }, held_until) = gaps.repeated(at(0), at(131)).unwrap();
        assert_eq!(
            Repeated { from, until, held_until, zone: "Asia/Singapore".parse().ok() }.sentence(),
            "receipts may be missing from 07:31:40 +07:30 until 07:32:10 +07:30; the provider repeats them, and deadlines wait \
             for them until 07:32:42 +07:30"
        );
        assert_eq!(gaps.repeated(at(0), held_until), None);
        // The receipts of a long gap are not repeated, so deadlines do not wait for them.
        gaps.add(Gap { from: at(1_000), until: at(2_000) });
        assert_eq!(gaps.repeated(at(0), at(2_001)), None);
    }

    #[test]
    fn deadlines_in_a_gap_name_the_time_that_asking_takes() {
        let waived = |deadlines, to_ask, trouble: Option<&str>| Waived {
            deadlines,
            not_askable: 0,
            after_gap: AfterGap::Ask,
            to_ask: Some(to_ask),
            remaining_s: Some(seconds_for(to_ask)),
            trouble: trouble.map(str::to_owned),
        };
        assert_eq!(
            waived(50_000, 50_000, None).sentence(),
            "50,000 deadlines passed while receipts may be missing; the provider is asked, one a second: \
             14 h 10 min left"
        );
        assert_eq!(
            waived(1, 11, Some("HTTP status 500")).sentence(),
            "1 deadline passed while receipts may be missing; the provider is asked, one a second: 12 s \
             left, with 10 of other campaigns; it does not answer: HTTP status 500"
        );
        assert_eq!(
            Waived { not_askable: 16, ..waived(20, 4, None) }.sentence(),
            "20 deadlines passed while receipts may be missing; the provider is asked, one a second: 5 s \
             left; the provider ids of 16 are unknown, and those wait for the TTL or the receipt window"
        );
        assert_eq!(
            Waived { not_askable: 16, ..waived(16, 0, None) }.sentence(),
            "16 deadlines passed while receipts may be missing; their provider ids are \
             unknown, so the provider cannot be asked, and they wait for the TTL or the receipt window"
        );
    }

    fn step(channel: Channel, lane: &str) -> Step {
        Step::of_text(channel, lane, "Hi")
    }

    #[test]
    fn questions_are_counted_for_each_subaccount() {
        let text = "[provider]\nsub_account = \"acme\"\n[[lane]]\nname = \"vb\"\nchannel = \"Viber\"\nrate = \"1/s\"\n\
                    [[lane]]\nname = \"zalo\"\nchannel = \"ZaloNotification\"\nrate = \"1/s\"\n\
                    [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1/s\"\nsub_account = \"beta\"\n";
        let path = std::path::Path::new("volley.toml");
        let none = std::iter::empty::<(&str, String)>();
        let config = Config::read(Some((path, text)), std::iter::empty(), none).unwrap().config;
        let steps =
            vec![step(Channel::Viber, "vb"), step(Channel::ZaloNotification, "zalo"), step(Channel::Sms, "sms")];
        let plan = Plan::of_steps(steps);
        let mut tallies = Tallies::default();
        for (index, waived) in [(0, 5), (1, 2), (2, 4)] {
            tallies.add(StepIndex::new(index).unwrap(), Count::Waived, waived);
        }
        assert_eq!(questions(&config, &plan, &tallies), BTreeMap::from([("acme", 7), ("beta", 4)]));
    }
}
